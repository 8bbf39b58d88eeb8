"""Train a Latent Predictor: `python -m nbdrag.training.auto_draggan GENERATOR FOLDER`.

Two stages (Sec. 3). First the Latent Regularizer alone learns to restore spoilt latents,

    L_reg = |restored - w|_1                                                           (Eq. 6),

then both together learn to tell the latents of drags,

    L = alpha L_pred + beta L_drag                                                     (Eq. 14),
    L_pred = |told - w_1 ... w_n|_1                                                    (Eq. 12),

where L_drag says how far from where they should be the handles came. Three terms are ours: L_reg
goes on, lest the regularizer forget what a latent is. L_stay, the mean square of how far w_n is
from w_0, asks for no more change than is needed. It is taken per pair, as L_drag is: who asks for
five points to move has to put up with more change than who asks for one. The third is the drift's.
`nbdrag.training.auto_draggan_drags` makes the drags.

Predictions are trained as they are used, each on top of the ones before. The paper feeds in the
true ones instead; but after w_1 their rest is no secret, since all steps lead in one direction, and
only the first of five would be learnt.

Predictions are also taken as they are used, less the drift, which is told for handles that stay
where they are (`nbdrag.editing.latent_drift`). Then nothing says where latents lie from which
nothing has been taken off yet; and far from likely ones the regularizer is of no use. So the mean
square of the drift is in the loss.

The folder holds ``checkpoint.pt``, all there is to go on from; ``log.jsonl``, a line for every so
many steps; ``options.json`` and ``commands.txt``. Ctrl-C, or the system's request to end, is taken
in good order. The same command goes on from there, to more ``--steps`` if they are given. On a GPU:
``--device cuda``. A predictor whose folder is lost can be trained on from its file, ``--begin
FILE``: then only the second stage is left.

References
----------
Cai et al., Auto DragGAN, MM 2024.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nbdrag.editing.latent_drift import Asked, led_and_drift
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import load_predictor, save_predictor
from nbdrag.editing.latent_regularizer import spoilt
from nbdrag.generators.zoo import load_generator
from nbdrag.training.auto_draggan_drags import Drags, Source
from nbdrag.training.auto_draggan_options import TrainingOptions, settled, training_of
from nbdrag.training.auto_draggan_start import make_source, untrained
from nbdrag.training.gan import Interrupt

Losses = dict[str, float]


@dataclass
class Training:
    """A training's state.

    Attributes
    ----------
    predictor : LatentPredictor
        With its regularizer.
    average : dict of str to Tensor
        The predictor's weights, averaged over the last steps: what is packaged.
    regularizer_steps, steps : int
        Done so far, in each stage.
    seconds : float
        Spent on them.
    """

    predictor: LatentPredictor
    options: TrainingOptions
    rng: torch.Generator
    average: dict[str, Tensor] = field(default_factory=dict)
    regularizer_steps: int = 0
    steps: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        own = list(self.predictor.regularizer.parameters())
        others = [
            each
            for name, each in self.predictor.named_parameters()
            if not name.startswith("regularizer.")
        ]
        self.alone = torch.optim.Adam(own, lr=self.options.regularizer_rate)
        self.both = torch.optim.Adam([{"params": others}, {"params": own}])
        if not self.average:
            self.average = {k: v.clone() for k, v in self.predictor.state_dict().items()}

    def regularizer_step(self, source: Source) -> Losses:
        """A step of the first stage."""
        options = self.options
        at = self.regularizer_steps / options.regularizer_steps
        self.alone.param_groups[0]["lr"] = options.regularizer_rate * falling(at, 0.01)
        loss = self.regularizer_loss(source)
        self.alone.zero_grad()
        loss.backward()
        self.alone.step()
        self.regularizer_steps += 1
        return {"reg": loss.item()}

    def step(self, source: Source) -> Losses:
        """A step of the second stage."""
        options, predictor = self.options, self.predictor
        progress = self.steps / options.steps
        drags = source.draw(self.rng)
        told, drift = tell(
            predictor, drags, regularize=options.regularize > 0, steady=options.steady > 0
        )
        pred = (told - drags.sequence[:, 1:])[:, :, : predictor.config.movable].abs().mean()
        pred = pred / predictor.w_deviation.squeeze()
        drag = source.drag_loss(drags, told, progress, self.rng)
        reg = self.regularizer_loss(source)
        way = (told[:, -1] - drags.sequence[:, 0])[:, : predictor.config.movable]
        stay = (way / predictor.w_deviation).square().mean((1, 2)).sum() / drags.real.sum()
        loss = options.alpha * pred + options.beta * drag
        drift = drift[:, :, : predictor.config.movable] / predictor.w_deviation
        off = drift.square().mean()
        loss = loss + options.gamma * reg + options.delta * stay + options.epsilon * off
        self.both.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(predictor.parameters(), 1.0)
        if norm.isfinite():  # else this batch is passed over
            share = falling(progress, options.least_rate / options.rate)
            share *= min(1.0, (self.steps + 1) / WARM_UP)
            for group, rate in zip(
                self.both.param_groups, (options.rate, options.joint_rate), strict=True
            ):
                group["lr"] = rate * share
            self.both.step()
            self.take_average()
        self.steps += 1
        return {
            "pred": pred.item(),
            "drag": drag.item(),
            "reg": reg.item(),
            "stay": stay.item(),
            "drift": off.item(),
            "norm": norm.item(),
        }

    def regularizer_loss(self, source: Source) -> Tensor:
        """Eq. 6, of a batch."""
        predictor = self.predictor
        movable = predictor.config.movable
        ws = source.latents(self.options.regularizer_batch, self.rng)
        rows = predictor.normalised(ws)
        restored = predictor.regularizer(spoilt(rows, movable, self.rng))
        return (restored - rows)[:, :movable].abs().mean()

    @torch.no_grad()
    def take_average(self) -> None:
        """Let the averaged weights follow."""
        follow = max(1 / AVERAGED, 1 / (self.steps + 1))
        for name, value in self.predictor.state_dict().items():
            self.average[name].lerp_(value, follow)

    def state(self) -> dict[str, Any]:
        """All there is to go on from."""
        return {
            "predictor": self.predictor.state_dict(),
            "average": self.average,
            "alone": self.alone.state_dict(),
            "both": self.both.state_dict(),
            "rng": self.rng.get_state(),
            "counters": [self.regularizer_steps, self.steps, self.seconds],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to such a state."""
        self.predictor.load_state_dict(state["predictor"])
        self.average = {name: value.clone() for name, value in state["average"].items()}
        self.alone.load_state_dict(state["alone"])
        self.both.load_state_dict(state["both"])
        self.rng.set_state(state["rng"].cpu())
        self.regularizer_steps, self.steps, self.seconds = state["counters"]


WARM_UP = 200  # steps in which the step size grows to its first value
AVERAGED = 500  # steps that the average reaches back


def tell(
    predictor: LatentPredictor, drags: Drags, *, regularize: bool = True, steady: bool = True
) -> tuple[Tensor, Tensor]:
    """What a predictor tells of drags, and the drift taken off: both [B, n, num_ws, w_dim].

    Nothing is taken off unless it is to be `steady`.
    """
    _, sequence, handles, targets, real, *_ = drags
    asked = Asked(sequence[:, 0], drags.features, handles, targets, real)
    if not steady:
        told = predictor(*asked, regularize=regularize)
        return told, torch.zeros_like(told)
    led, drift = led_and_drift(predictor, asked, regularize=regularize)
    return led - drift, drift


def falling(progress: float, least: float) -> float:
    """Half a cosine from 1 to `least`."""
    return least + (1 - least) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


# ------------------------------------------------------------------------------------------ running


def train(
    training: Training,
    source: Source,
    out: Path,
    *,
    stop: Callable[[], bool] = lambda: False,
    log_every: int = 50,
    checkpoint_minutes: float = 3.0,
) -> None:
    """Train to the end, or until `stop` says so, saving to `out` as it goes."""
    out.mkdir(parents=True, exist_ok=True)
    options = training.options
    recent: list[Losses] = []
    saved = noted = time.monotonic()
    while training.steps < options.steps and not stop():
        first_stage = training.regularizer_steps < options.regularizer_steps
        step = training.regularizer_step if first_stage else training.step
        recent.append(step(source))
        now = time.monotonic()
        training.seconds += now - noted
        noted = now
        done = training.regularizer_steps if first_stage else training.steps
        if done % log_every == 0:
            log(training, out, "regularizer" if first_stage else "joint", done, recent)
            recent.clear()
        elif first_stage and done == options.regularizer_steps:
            recent.clear()
        if now - saved > 60 * checkpoint_minutes:
            save(training, source, out)
            saved = now
    save(training, source, out)


def log(training: Training, out: Path, stage: str, done: int, recent: list[Losses]) -> None:
    """Print a line of progress, and keep it."""
    means = {name: sum(each[name] for each in recent) / len(recent) for name in recent[0]}
    line = {"stage": stage, "steps": done, "minutes": round(training.seconds / 60, 2)}
    line |= {name: round(value, 4) for name, value in means.items()}
    with (out / "log.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    print("  ".join(f"{name} {value}" for name, value in line.items()), flush=True)


def save(training: Training, source: Source, out: Path) -> None:
    """Write ``checkpoint.pt``; whatever happens meanwhile, a whole one is there."""
    unfinished = out / "checkpoint.part"
    torch.save({**training.state(), "source": source.state()}, unfinished)
    unfinished.replace(out / "checkpoint.pt")


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("generator", help="a name or a file")
    parser.add_argument("folder", type=Path, help="for checkpoints; one that is there is continued")
    parser.add_argument("--out", type=Path, help="the .safetensors file to write in the end")
    parser.add_argument(
        "--by",
        choices=("landmarks", "matches"),
        help="how to tell which place is which; default: landmarks for toonfaces, else matches",
    )
    parser.add_argument(
        "--construction",
        nargs="+",
        default=[],
        metavar="NAME=NUMBER",
        help="what is to be otherwise than PredictorConfig.for_generator has it: steps=1",
    )
    parser.add_argument(
        "--begin", type=Path, metavar="FILE", help="a predictor to train on, in a new folder"
    )
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    for each in dataclasses.fields(TrainingOptions):
        parser.add_argument(
            f"--{each.name.replace('_', '-')}", type=type(each.default), help="see TrainingOptions"
        )
    parsed = parser.parse_args(arguments)
    torch.set_num_threads(parsed.threads)
    try:
        run(parsed, sys.argv[1:] if arguments is None else arguments)
    except ValueError as error:
        parser.exit(2, f"{error}\n")


def run(parsed: argparse.Namespace, typed: Sequence[str]) -> None:
    """Do what the command line says, and keep it in ``commands.txt``."""
    generator = load_generator(parsed.generator).to(parsed.device)
    out: Path = parsed.folder
    out.mkdir(parents=True, exist_ok=True)
    given = {
        each.name: getattr(parsed, each.name)
        for each in dataclasses.fields(TrainingOptions)
        if getattr(parsed, each.name) is not None
    }
    checkpoints, commands, begun = out / "checkpoint.pt", out / "commands.txt", None
    if parsed.begin and not checkpoints.exists():
        begun = load_predictor(parsed.begin, generator)
    options, config = settled(
        out / "options.json", generator, given, parsed.construction, begun.config if begun else None
    )
    predictor = untrained(generator, config, options.seed)
    training = Training(predictor, options, torch.Generator().manual_seed(options.seed))
    if begun:
        predictor.load_state_dict(begun.state_dict())
        before = training_of(parsed.begin)
        training.regularizer_steps = options.regularizer_steps
        training.seconds = 60 * before.get("minutes", 0.0)
        if not commands.exists():
            commands.write_text("".join(f"{each}\n" for each in before.get("commands", [])))
    ours = generator.source.startswith("toonfaces")
    source = make_source(
        generator, config, options, out, parsed.by or ("landmarks" if ours else "matches")
    )
    if checkpoints.exists():
        checkpoint = torch.load(checkpoints, map_location=parsed.device, weights_only=True)
        training.restore(checkpoint)
        if "source" in checkpoint:
            source.restore(checkpoint["source"])
        print(f"going on from step {training.steps}", flush=True)
    if training.steps < options.steps:
        with commands.open("a") as file:
            command = shlex.join(["python", "-m", "nbdrag.training.auto_draggan", *typed])
            file.write(f"{command}  # from step {training.steps}\n")
    interrupt = Interrupt()
    train(training, source, out, stop=lambda: interrupt.wished)
    if parsed.out:
        predictor = training.predictor
        predictor.load_state_dict(training.average)
        how = {
            "commands": commands.read_text().splitlines(),
            "options": dataclasses.asdict(options),
            "steps": training.steps,
            "minutes": round(training.seconds / 60, 1),
        }
        save_predictor(predictor, parsed.out, {"training": json.dumps(how)})
        print(f"wrote {parsed.out}", flush=True)


if __name__ == "__main__":
    main()
