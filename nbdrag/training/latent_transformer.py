"""Train a latent transformer: `python -m nbdrag.training.latent_transformer GENERATOR OUT`.

Nobody has to show what an arrow means. A picture is drawn, and its latent led a part of the way to
another one, in the rows that shape it. The flow between the two pictures says where some of the
points went (`nbdrag.training.flow`); these are what a user might have drawn, and the second latent
is the answer. What is minimised is the mean square of what the answer differs by, in deviations of
the latents. One to 32 points are given, those that go far more often than others.

Pairs of pictures are drawn once, chunk by chunk, into files; training goes through them. Both go on
where they were broken off, with other numbers of steps if these are wanted by then; the file that
is written in the end remembers the commands of all sittings.

References
----------
Endo, User-Controllable Latent Transformer for StyleGAN Image Layout Editing, Computer Graphics
Forum 41(7), 2022, Sec. 3. Its pairs come from an optical flow network instead.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nbdrag.editing.latent_transformer import (
    LatentTransformer,
    TransformerConfig,
    look,
    untrained,
)
from nbdrag.editing.latent_transformer_file import save_transformer
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.training.flow import describe, flow, flow_blocks

CHUNK, BATCH = 512, 16  # pairs in a file, and made at once
TRIED, KEPT = 72, 48  # points of a pair
NOISE = 0.3  # in deviations, on the latents and features given: less is learnt by heart
MOST_POINTS = 32
WEAKEST, STRONGEST = 0.5, 1.0  # truncation


class Pairs(NamedTuple):
    """Pairs of pictures, N of them.

    Attributes
    ----------
    ws : Tensor, shape [N, num_ws, w_dim]
    rows : Tensor, shape [N, movable, w_dim]
        What the first rows are in the second picture.
    points, arrows : Tensor, shape [N, KEPT, 2]
        Points of the first picture, and where they went, in pixels.
    features : Tensor, shape [N, KEPT, channels]
        At the points.
    """

    ws: Tensor
    rows: Tensor
    points: Tensor
    arrows: Tensor
    features: Tensor


def train(
    generator: Generator,
    pairs: Pairs,
    folder: Path,
    *,
    config: TransformerConfig | None = None,
    steps: int,
    batch: int = 64,
    rate: float = 1e-3,
    seed: int = 0,
    save_every: float = 60,
) -> LatentTransformer:
    """Train on pairs, of which a twentieth is held out; go on from `folder` if it was begun.

    Parameters
    ----------
    config : TransformerConfig, optional
        Default: one that suits the generator.
    steps : int
        Of Adam, whose step size rises for a hundredth of them and falls along half a cosine.
    save_every : float
        Seconds between checkpoints.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    random = torch.Generator().manual_seed(seed)
    config = TransformerConfig.for_generator(generator) if config is None else config
    transformer = untrained(config, generator.content_hash, random)
    measure_inputs(transformer, pairs)
    optimiser = torch.optim.AdamW(transformer.parameters(), lr=rate, weight_decay=0.01)
    step = 0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        transformer.load_state_dict(saved["transformer"])
        optimiser.load_state_dict(saved["optimiser"])
        random.set_state(saved["random"])
        step = saved["step"]
    transformer.train()
    held_out = len(pairs.ws) // 20
    begin, began = step, time.monotonic()
    last_save, running = began, 0.0
    while step < steps:
        warm = min(1.0, 100 * (step + 1) / steps)
        optimiser.param_groups[0]["lr"] = rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))
        drawn = torch.randint(held_out, len(pairs.ws), (batch,), generator=random)
        loss = miss(transformer, pairs, drawn, draw_count(random), random, NOISE).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(transformer.parameters(), 1.0)
        optimiser.step()
        step += 1
        running += 0.02 * (loss.item() - running) if running else loss.item()
        if time.monotonic() - last_save >= save_every or step >= steps:
            last_save = time.monotonic()
            save_checkpoint(checkpoint, transformer, optimiser, random, step)
            print(
                f"{step:7d} steps  {(step - begin) / (last_save - began):5.1f}/s  "
                f"loss {running:.4f}  {held_out_shares(transformer, pairs)}",
                flush=True,
            )
    return transformer.eval().requires_grad_(False)


def miss(
    transformer: LatentTransformer,
    pairs: Pairs,
    drawn: Tensor,
    count: int,
    random: torch.Generator,
    noise: float = 0.0,
) -> Tensor:
    """How far predictions from so many points are off: mean squares [N], in deviations.

    With noise, the transformer sees latents and features only roughly.
    """
    ws, rows, points, arrows, features = (part[drawn].float() for part in pairs)
    # Gumbel noise on the logarithm of a weight draws points without replacement by that weight.
    gumbel = -(-torch.rand(arrows.shape[:2], generator=random).clamp_min(1e-12).log()).log()
    chosen = ((arrows.norm(dim=-1) + 1).log() + gumbel).topk(count, dim=1).indices[..., None]
    points, arrows, features = (
        part.gather(1, chosen.expand(-1, -1, part.shape[-1])) for part in (points, arrows, features)
    )
    blur, specks = (
        noise * deviation * torch.randn(part.shape, generator=random)
        for part, deviation in (
            (ws, transformer.w_deviation),
            (features, transformer.feature_deviation),
        )
    )
    told = transformer(ws + blur, features + specks, points, arrows) - blur
    off: Tensor = (
        ((told[:, : rows.shape[1]] - rows) / transformer.w_deviation).square().mean(dim=(1, 2))
    )
    return off


def draw_count(random: torch.Generator) -> int:
    """Draw a number of points from 1 to 32; small ones and large ones are equally likely."""
    share = torch.rand((), generator=random).item()
    return min(MOST_POINTS, int((MOST_POINTS + 1) ** share))


@torch.no_grad()
def held_out_shares(transformer: LatentTransformer, pairs: Pairs) -> dict[int, float]:
    """What is left of the change on pairs held out, by the number of points: 1 for no edit."""
    count = min(len(pairs.ws) // 20, CHUNK)
    drawn, random = torch.arange(count), torch.Generator().manual_seed(0)
    movable = transformer.config.movable
    before = (pairs.rows[:count] - pairs.ws[:count, :movable]).float() / transformer.w_deviation
    change = before.square().mean()
    transformer.eval()
    shares = {
        points: round(float(miss(transformer, pairs, drawn, points, random).mean() / change), 4)
        for points in (1, 5, 32)
    }
    transformer.train()
    return shares


@torch.no_grad()
def measure_inputs(transformer: LatentTransformer, pairs: Pairs) -> None:
    """Tell the transformer what latents and features are like."""
    movable = transformer.config.movable
    for name, values in (("w", pairs.ws[:, :movable]), ("feature", pairs.features)):
        deviation, mean = torch.std_mean(values[:4096].float().flatten(0, 1), dim=0)
        getattr(transformer, f"{name}_mean").copy_(mean)
        getattr(transformer, f"{name}_deviation").copy_(deviation.clamp_min(1e-4 * deviation.max()))


def save_checkpoint(
    path: Path,
    transformer: LatentTransformer,
    optimiser: torch.optim.Optimizer,
    random: torch.Generator,
    step: int,
) -> None:
    """Write all that training needs to go on; the file is whole or the one before."""
    state = {
        "transformer": transformer.state_dict(),
        "optimiser": optimiser.state_dict(),
        "random": random.get_state(),
        "step": step,
    }
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


# ------------------------------------------------------------------------------------------ pairs


def make_pairs(generator: Generator, folder: Path, count: int, seed: int) -> Pairs:
    """Draw so many pairs, or as many of them as the folder doesn't hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    began, chunks = time.monotonic(), []
    for number in range(math.ceil(count / CHUNK)):
        file = folder / f"pairs-{number:04d}.safetensors"
        if not file.exists():
            random = torch.Generator().manual_seed(seed * 1_000_003 + number)
            batches = [draw_pairs(generator, BATCH, random) for _ in range(CHUNK // BATCH)]
            whole = {
                name: torch.cat([getattr(each, name) for each in batches]).half()
                for name in Pairs._fields
            }
            save_file(whole, file.with_suffix(".part"))
            file.with_suffix(".part").replace(file)
            print(f"{file.name} after {time.monotonic() - began:.0f} s", flush=True)
        chunks.append(load_file(file))
    return Pairs(*(torch.cat([chunk[name] for chunk in chunks])[:count] for name in Pairs._fields))


@torch.no_grad()
def draw_pairs(generator: Generator, count: int, random: torch.Generator) -> Pairs:
    """Draw pictures, lead them towards others, and see where their points went."""
    config = TransformerConfig.for_generator(generator)
    size, movable = (generator.height, generator.width), config.movable
    ws = draw_latents(generator, count, movable, random)
    led = lead(ws, draw_w(generator, count, random), movable, random, least=0.1)
    blocks = flow_blocks(generator)
    taps = tuple({*blocks, config.feature_block})
    first, last = (
        generator.synthesis(each, until=max(taps), taps=taps).features for each in (ws, led)
    )
    points = torch.rand(count, TRIED, 2, generator=random) * torch.tensor([size[1], size[0]])
    before, after = describe(first, blocks), describe(last, blocks)
    found = [flow(a, b, p, size) for a, b, p in zip(before, after, points, strict=True)]
    # Those that are certain, in order; where they don't suffice, the first ones again.
    order = [each.certain.nonzero().squeeze(1) for each in found]
    order = [(o if len(o) else torch.arange(TRIED)) for o in order]
    kept = torch.stack([o.repeat(math.ceil(KEPT / len(o)))[:KEPT] for o in order])[..., None]
    arrows = torch.stack([each.targets for each in found]) - points
    points, arrows = (each.gather(1, kept.expand(-1, -1, 2)) for each in (points, arrows))
    seen = look(first[config.feature_block], points, config)
    return Pairs(ws, led[:, :movable], points, arrows, seen)


def draw_latents(generator: Generator, count: int, movable: int, random: torch.Generator) -> Tensor:
    """Latents as edits meet them: every other one has its first rows led astray already."""
    ws = draw_w(generator, count, random)
    edited = lead(ws, draw_w(generator, count, random), movable, random)
    first = torch.arange(count)[:, None, None] % 2 == 0
    return torch.where(first, ws, edited)


def draw_w(generator: Generator, count: int, random: torch.Generator) -> Tensor:
    """Latents of pictures, each with a truncation of its own."""
    z = torch.randn(count, generator.z_dim, generator=random)
    psi = WEAKEST + (STRONGEST - WEAKEST) * torch.rand(count, 1, 1, generator=random)
    average: Tensor = generator.w_avg
    return average + psi * (generator.mapping(z) - average)


def lead(
    ws: Tensor, others: Tensor, movable: int, random: torch.Generator, least: float = 0.0
) -> Tensor:
    """Latents a part of the way to others, in the first rows."""
    share = least + (1 - least) * torch.rand(len(ws), 1, 1, generator=random)
    rows = torch.arange(ws.shape[1])[:, None] < movable
    return ws + share * rows * (others - ws)


def remember(file: Path, command: str) -> list[str]:
    """Add a command to a file of commands, unless it stands there last; and give all of them."""
    commands = file.read_text().splitlines() if file.exists() else []
    if commands[-1:] != [command]:
        commands.append(command)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(commands) + "\n")
    return commands


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("generator", help="a name or a file")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--work", type=Path, default=Path("runs/latent-transformer"))
    parser.add_argument("--pairs", type=int, default=11_264)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_generator(arguments.generator)
    commands = remember(
        arguments.work / "commands.txt",
        f"python -m nbdrag.training.latent_transformer {arguments.generator} {arguments.out} "
        f"--pairs {arguments.pairs} --steps {arguments.steps} --batch {arguments.batch} "
        f"--seed {arguments.seed}",
    )
    pairs = make_pairs(generator, arguments.work, arguments.pairs, arguments.seed)
    transformer = train(
        generator,
        pairs,
        arguments.work,
        steps=arguments.steps,
        batch=arguments.batch,
        seed=arguments.seed,
    )
    chosen = {name: getattr(arguments, name) for name in ("pairs", "steps", "batch", "seed")}
    training = {**chosen, "commands": commands}
    save_transformer(transformer, arguments.out, {"training": json.dumps(training)})
    print(arguments.out, held_out_shares(transformer, pairs))


if __name__ == "__main__":
    torch.set_flush_denormal(True)  # here, as it holds for the whole process
    main()
