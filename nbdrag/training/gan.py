"""Train the packaged portrait generator, in a folder that can be left and come back to.

    python -m nbdrag.training.gan train --out runs/toonfaces-128 --minutes 110
    python -m nbdrag.training.gan compact runs/toonfaces-128 small.safetensors
    python -m nbdrag.training.gan export runs/toonfaces-128 nbdrag/assets/toonfaces-128.safetensors

What the folder holds: ``checkpoint.pt`` (all there is to resume from), ``log.jsonl`` (one line of
averaged measures every so often), ``commands.txt`` (what was typed, one line per sitting) and
``sheet.png`` (generated portraits: three rows as they come, two truncated to psi = 0.7, always of
the same latents). Ctrl-C or SIGTERM ends a training in good
order: it finishes its step and saves. The same command with ``--resume`` goes on from there.

The game itself is in `adversarial.py`.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import math
import shlex
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training.adversarial import (
    Measures,
    Stage,
    Training,
    TrainingOptions,
    means,
    measure_w_avg,
)
from nbdrag.training.pictures import open_pool, save_sheet, take

COLUMNS = 10
MOST_ROLLBACKS = 5


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long a training is, all its sittings together: in pictures or in minutes."""

    pictures: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        if (self.pictures is None) == (self.minutes is None):
            raise ValueError("Give a training's length in pictures or in minutes, one of the two.")

    def progress(self, training: Training) -> float:
        """How much of it is behind, from 0; 1 or more means done."""
        if self.pictures is not None:
            return training.pictures / self.pictures
        return training.seconds / (60 * (self.minutes or 1))


class Interrupt:
    """Turns the first SIGINT or SIGTERM into a wish to stop, looked at between steps."""

    def __init__(self) -> None:
        self.wished = False
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, self._wish)

    def _wish(self, *_: object) -> None:
        self.wished = True


def train(
    training: Training,
    out: Path,
    budget: Budget,
    *,
    interrupt: Interrupt | None = None,
    log_every: int = 50,
    checkpoint_minutes: float = 5.0,
) -> None:
    """Train until the budget is spent or the interrupt comes, saving to `out` as it goes.

    A step that ends in a number that isn't finite is undone: the training returns to its last
    checkpoint and draws other pictures from there.

    Raises
    ------
    RuntimeError
        If that keeps happening.
    """
    out.mkdir(parents=True, exist_ok=True)
    recent: list[Measures] = []
    rollbacks = 0
    save(training, out)
    saved = noted = time.monotonic()
    logged = training.pictures, training.seconds
    while (progress := budget.progress(training)) < 1 and not (interrupt and interrupt.wished):
        measures = training.step(progress)
        now = time.monotonic()
        training.seconds += now - noted
        noted = now
        if not all(map(math.isfinite, measures.values())):
            rollbacks += 1
            _roll_back(training, out, rollbacks, measures)
            recent.clear()
            logged = training.pictures, training.seconds
            continue
        recent.append(measures)
        if training.steps % log_every == 0:
            _log(out, training, recent, logged, progress)
            recent.clear()
            logged = training.pictures, training.seconds
        if now - saved > 60 * checkpoint_minutes:
            save(training, out)
            draw_sheet(training, out, progress)
            saved = now
    save(training, out)
    draw_sheet(training, out, min(1.0, budget.progress(training)))


def _roll_back(training: Training, out: Path, times: int, measures: Measures) -> None:
    if times > MOST_ROLLBACKS:
        raise RuntimeError(
            f"The training diverged {times} times, lastly with {measures}. Lower its learning "
            "rates or raise r1_weight, and resume from the checkpoint."
        )
    restore(training, out / "checkpoint.pt")
    training.random.manual_seed(training.options.seed + 1_000_003 * times + training.steps)
    _append(
        out,
        {"rolled_back_to": training.pictures, "because": {k: str(v) for k, v in measures.items()}},
    )


def _log(
    out: Path,
    training: Training,
    recent: list[Measures],
    logged: tuple[int, float],
    progress: float,
) -> None:
    pictures, seconds = logged
    speed = (training.pictures - pictures) / max(1e-9, training.seconds - seconds)
    line: dict[str, Any] = {
        "steps": training.steps,
        "pictures": training.pictures,
        "minutes": round(training.seconds / 60, 2),
        "progress": round(progress, 4),
        "resolution": training.options.stage_at(progress).resolution,
        "pictures_per_second": round(speed, 1),
        "rate": round(training.options.learning_rate_factor(progress), 4),
    }
    _append(out, line | {name: round(value, 5) for name, value in means(recent).items()})


def _append(out: Path, line: Mapping[str, Any]) -> None:
    text = json.dumps(line)
    with (out / "log.jsonl").open("a") as file:
        file.write(text + "\n")
    print(text, flush=True)


@torch.no_grad()
def draw_sheet(training: Training, out: Path, progress: float) -> None:
    """Show what the averaged generator makes of 30 fixed latents, and of 20 truncated."""
    generator = with_w_avg(training.average)
    random = torch.Generator().manual_seed(5)
    z = torch.randn(3 * COLUMNS, generator.z_dim, generator=random).to(training.device)
    ws = torch.cat([generator.mapping(z), generator.mapping(z[: 2 * COLUMNS], truncation=0.7)])
    resolution = training.options.stage_at(progress).resolution
    images = [
        generator.synthesis(part, until=resolution, noise="none").image for part in ws.split(10)
    ]
    save_sheet(out / "sheet.png", torch.cat(images), columns=COLUMNS)


def with_w_avg(generator: Generator) -> Generator:
    """Copy a generator and measure its mean w, which truncation needs."""
    generator = copy.deepcopy(generator)
    generator.w_avg.copy_(measure_w_avg(generator))
    return generator


# ------------------------------------------------------------------------------------------- files


def save(training: Training, out: Path) -> None:
    """Write ``checkpoint.pt``; whatever happens meanwhile, a whole one is there."""
    unfinished = out / "checkpoint.part"
    torch.save(training.state(), unfinished)
    unfinished.replace(out / "checkpoint.pt")


def restore(training: Training, path: Path) -> None:
    """Go back to a checkpoint, full (.pt) or compact (.safetensors)."""
    if path.suffix == ".safetensors":
        training.restore(_read_compact(path))
    else:
        training.restore(torch.load(path, map_location=training.device, weights_only=True))


NETWORKS = ("generator", "average", "discriminator")


def save_compact(checkpoint: Path, path: Path) -> None:
    """Write a checkpoint's networks in half precision: a tenth of the size, good to resume from.

    The optimisers' moments are left out; Adam finds them again within a few hundred steps.
    """
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    tensors = {
        f"{network}.{name}": tensor.half().contiguous()
        for network in NETWORKS
        for name, tensor in state[network].items()
    }
    counters = {name: state[name] for name in ("steps", "pictures", "seconds", "path_length")}
    save_file(tensors, path, metadata={"counters": json.dumps(counters)})


def _read_compact(path: Path) -> dict[str, Any]:
    state: dict[str, Any] = {network: {} for network in NETWORKS}
    with safe_open(path, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - not a dict
            network, name = key.split(".", 1)
            state[network][name] = file.get_tensor(key).float()
        state |= json.loads(file.metadata()["counters"])
    return state


def export(out: Path, path: Path, recommended: Mapping[str, Any] | None = None) -> None:
    """Package the averaged generator of a training's folder, in half precision.

    `recommended` says which options suit it, by editing method.
    """
    options = read_options(out)
    commands = out / "commands.txt"
    state = torch.load(out / "checkpoint.pt", map_location="cpu", weights_only=True)
    generator = Generator(options.generator)
    generator.load_state_dict(state["average"])
    generator.w_avg.copy_(measure_w_avg(generator))
    generator.recommended = dict(recommended or {})
    metadata = {
        "training": json.dumps(
            {
                "commands": commands.read_text().splitlines() if commands.exists() else [],
                "pictures": state["pictures"],
                "minutes": round(state["seconds"] / 60, 1),
                "options": dataclasses.asdict(options),
            }
        )
    }
    save_generator(generator, path, metadata)


def write_options(options: TrainingOptions, out: Path) -> None:
    """Keep a training's options beside its checkpoints, as ``options.json``."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "options.json").write_text(json.dumps(dataclasses.asdict(options), indent=1) + "\n")


def read_options(out: Path) -> TrainingOptions:
    """Read ``options.json``."""
    return make_options(json.loads((out / "options.json").read_text()))


def make_options(values: Mapping[str, Any]) -> TrainingOptions:
    """Build options from JSON; what isn't given has its default.

    Raises
    ------
    ValueError
        If a name is unknown or the values don't fit together.
    """
    values = dict(values)
    if unknown := set(values) - {field.name for field in dataclasses.fields(TrainingOptions)}:
        raise ValueError(f"Unknown options {sorted(unknown)}; see TrainingOptions.")
    if "stages" in values:
        values["stages"] = tuple(Stage(**stage) for stage in values["stages"])
    if "generator" in values:
        usual = dataclasses.asdict(TrainingOptions().generator)
        values["generator"] = StyleGAN2Config(**usual | values["generator"])
    if "r1_weight" in values:
        values["r1_weight"] = {int(size): weight for size, weight in values["r1_weight"].items()}
    return TrainingOptions(**values)


def parse_stages(text: str) -> list[dict[str, Any]]:
    """Read "16:32:0.1,32:32:1" as stages of resolution : batch : end."""
    stages = []
    for part in text.split(","):
        resolution, batch, until = part.split(":")
        stages.append({"resolution": int(resolution), "batch": int(batch), "until": float(until)})
    return stages


# ------------------------------------------------------------------------------------ command line


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m nbdrag.training.gan", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = parser.add_subparsers(dest="command", required=True)

    run = commands.add_parser("train", help="train, or go on training")
    run.add_argument("--out", type=Path, required=True, help="the training's folder")
    length = run.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="length, all sittings together")
    length.add_argument("--pictures", type=int, help="the same, in pictures: repeatable exactly")
    run.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    run.add_argument("--start-from", type=Path, help="begin with these compact weights")
    run.add_argument("--stages", help='resolution:batch:end,... e.g. "16:32:0.1,32:32:1"')
    run.add_argument("--set", action="append", default=[], metavar="NAME=JSON", help="an option")
    run.add_argument("--pool", type=int, default=32_000, help="how many portraits to draw")
    run.add_argument("--pool-file", type=Path, help="where; default: in the folder")
    run.add_argument("--device", default="cpu")
    run.add_argument("--dtype", choices=("bfloat16", "float32"))
    run.add_argument("--seed", type=int)
    run.add_argument("--threads", type=int, default=1)
    run.add_argument("--log-every", type=int, default=50, metavar="STEPS")
    run.add_argument("--checkpoint-minutes", type=float, default=5.0)

    for name, does in (("export", "package the generator"), ("compact", "keep a small checkpoint")):
        command = commands.add_parser(name, help=does)
        command.add_argument("out", type=Path, help="the training's folder")
        command.add_argument("path", type=Path, help="the .safetensors file to write")
        if name == "export":
            command.add_argument(
                "--recommend", type=Path, help="JSON of options that suit it, by editing method"
            )

    parsed = parser.parse_args(arguments)
    if parsed.command == "export":
        recommended = json.loads(parsed.recommend.read_text()) if parsed.recommend else None
        export(parsed.out, parsed.path, recommended)
    elif parsed.command == "compact":
        save_compact(parsed.out / "checkpoint.pt", parsed.path)
    else:
        _train_from(parsed, sys.argv[1:] if arguments is None else arguments)


def _train_from(parsed: argparse.Namespace, typed: Sequence[str]) -> None:
    torch.set_num_threads(parsed.threads)
    torch.set_flush_denormal(True)  # dying activations slow a processor down tenfold
    out: Path = parsed.out
    values = {name: json.loads(text) for name, text in (pair.split("=", 1) for pair in parsed.set)}
    if parsed.stages:
        values["stages"] = parse_stages(parsed.stages)
    values |= {name: v for name in ("dtype", "seed") if (v := getattr(parsed, name)) is not None}
    if parsed.resume:
        values = json.loads((out / "options.json").read_text()) | values
    elif (out / "checkpoint.pt").exists():
        raise SystemExit(f"{out} holds a training; add --resume to go on with it.")
    options = make_options(values)
    write_options(options, out)
    with (out / "commands.txt").open("a") as commands:
        commands.write(f"python -m nbdrag.training.gan {shlex.join(typed)}\n")

    size = options.generator.resolution
    file = parsed.pool_file or out / "pool.npy"
    pool = open_pool(file, count=parsed.pool, size=size, device=parsed.device)

    def real_pictures(count: int, resolution: int, random: torch.Generator) -> Tensor:
        indices = torch.randint(len(pool), (count,), generator=random)
        return take(pool, indices, resolution, torch.device(parsed.device))

    training = Training(options, real_pictures, device=parsed.device)
    if parsed.resume:
        restore(training, out / "checkpoint.pt")
    elif parsed.start_from:
        restore(training, parsed.start_from)
    train(
        training,
        out,
        Budget(parsed.pictures, parsed.minutes),
        interrupt=Interrupt(),
        log_every=parsed.log_every,
        checkpoint_minutes=parsed.checkpoint_minutes,
    )


if __name__ == "__main__":
    main()
