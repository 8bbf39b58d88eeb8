"""Train a segmenter: `python -m nbdrag.training.segmenter GENERATOR FOLDER OUT.safetensors`.

Sixteen labelled pictures are enough, because a pixel is an example, not a picture: sixteen of 128
pixels make a quarter of a million. `nbdrag.training.examples` says what the folder holds. The
generator stays as it is.

Every step draws pixels at random from all pictures, so that a batch is as varied as it can be, and
looks up their features: those of every block, enlarged by repeated doubling, at these pixels alone,
and the colours about them.
Some channels vary twenty times as much as others (toonfaces-128); one step size suits them all
once each has mean 0 and deviation 1. That is linear, so in the end it goes into the first layer.

With so few pictures a classifier could rely on a channel that happens to tell two parts apart in
these. So noise is added to the features while it learns, and it has to look at many channels.

References
----------
Zhang et al., DatasetGAN, CVPR 2021, Sec. 3; Ling et al., EditGAN, NeurIPS 2021, Eq. 9-10, A.3.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, embedding_bag

from nbdrag.generators.segmenter import Segmenter, doubled, framed, surroundings
from nbdrag.generators.segmenter_file import save_segmenter
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.projection.optimize import project
from nbdrag.training.examples import UNKNOWN, Examples, read_examples

MEASURED = 1 << 15  # pixels that means and deviations are taken from


def train(
    generator: Generator,
    examples: Examples,
    *,
    hidden: tuple[int, int] = (48, 32),
    members: int = 2,
    looks: int = 0,
    steps: int = 8000,
    batch: int = 2048,
    rate: float = 1e-3,
    noise: float = 0.8,
    seed: int = 0,
    log_every: int = 1000,
) -> Segmenter:
    """Train a segmenter on examples.

    Parameters
    ----------
    generator : Generator
    examples : Examples
    hidden, members, looks
        As `Segmenter` has them.
    steps : int
        Of Adam; the step size falls to nothing along half a cosine.
    batch : int
        Pixels in a step. The papers draw 64, for which a step costs hardly less.
    rate : float
        First step size.
    noise : float
        Deviation of what is added to the features, in units of theirs.
    seed : int
        Of the first weights, of the pixels that are drawn and of the noise.
    log_every : int
        Steps from one line of progress to the next; 0 for none.

    Returns
    -------
    Segmenter
        For this generator, frozen.
    """
    rng = torch.Generator().manual_seed(seed)
    config = generator.config
    channels = {r: config.channels(r) for r in config.block_resolutions}
    segmenter = Segmenter(
        channels,
        examples.parts,
        hidden=hidden,
        members=members,
        looks=looks,
        generator_hash=generator.content_hash,
        rng=rng,
    )
    pixels = Pixels.of(generator, examples, segmenter.looks)
    deviation, mean = torch.std_mean(pixels.features(pixels.draw(MEASURED, rng)), dim=0)
    deviation = deviation.clamp_min(1e-4 * deviation.max())  # a channel that hardly varies

    parameters = dict(segmenter.named_parameters())
    optimiser = torch.optim.Adam(parameters.values(), lr=rate)
    began = time.monotonic()
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        drawn = pixels.draw(batch, rng)
        x = (pixels.features(drawn) - mean) / deviation
        x = x + noise * torch.randn(x.shape, generator=rng)
        logits = member_logits(segmenter, x)
        truth = pixels.labels[drawn].long()
        # Every member learns to be right on its own.
        loss = cross_entropy(logits.flatten(0, 1), truth.repeat(members))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if log_every and (step + 1) % log_every == 0:
            correct = (logits.mean(0).argmax(-1) == truth).float().mean()
            print(
                f"{step + 1:6d} steps  {time.monotonic() - began:4.0f} s  loss {loss.item():.4f}  "
                f"right {correct.item():.2%}",
                flush=True,
            )
    fold(segmenter, mean, deviation)
    return segmenter.eval().requires_grad_(False)


def member_logits(segmenter: Segmenter, x: Tensor) -> Tensor:
    """What each member says of pixels whose features, [P, all channels], are known: [M, P, K]."""
    first = torch.cat(segmenter.slices, dim=1)
    x = torch.addmm(segmenter.first_bias, x, first.T).relu()
    x = x.unflatten(1, (segmenter.members, -1)).transpose(0, 1)
    x = torch.baddbmm(segmenter.second_bias, x, segmenter.second).relu()
    return torch.baddbmm(segmenter.third_bias[:, None], x, segmenter.third)


@torch.no_grad()
def fold(segmenter: Segmenter, mean: Tensor, deviation: Tensor) -> None:
    """Have the first layer take features as they are: W (x - m) / d + b = (W/d) x + (b - W m/d)."""
    slices = segmenter.slices
    widths = [weight.shape[1] for weight in slices]
    means, deviations = mean.split(widths), deviation.split(widths)
    for weight, m, d in zip(slices, means, deviations, strict=True):
        weight /= d
        segmenter.first_bias.sub_(weight @ m)


class Pixels(NamedTuple):
    """All pixels of the examples that have a label.

    Attributes
    ----------
    labels : Tensor, shape [pixels], uint8
    places : Tensor, shape [pixels]
        Where each is: (picture * height + row) * width + column.
    size : (int, int)
        Of a picture.
    blocks : list of Block
        Where to find the features of a pixel, and the colours about it.
    """

    labels: Tensor
    places: Tensor
    size: tuple[int, int]
    blocks: list[Block]

    @classmethod
    def of(cls, generator: Generator, examples: Examples, looks: Sequence[int] = ()) -> Pixels:
        """Synthesise the examples' features, and look at them, one picture at a time."""
        taps = generator.block_resolutions
        made: list[list[Tensor]] = []
        with torch.no_grad():
            for ws in examples.ws:
                image, features = generator.synthesis(ws[None], taps=taps)
                cells = [features[r] for r in taps]
                cells += [surroundings(framed(image, r)) for r in looks]
                made.append([x[0].permute(1, 2, 0).cpu() for x in cells])
        labels = examples.labels.flatten()
        (places,) = (labels != UNKNOWN).nonzero(as_tuple=True)
        size = generator.height, generator.width
        blocks = [Block.of(torch.stack(each), size) for each in zip(*made, strict=True)]
        return cls(labels[places], places, size, blocks)

    def draw(self, count: int, rng: torch.Generator) -> Tensor:
        """Choose pixels, every one as likely as any other: indices [count]."""
        return torch.randint(len(self.labels), (count,), generator=rng)

    def features(self, chosen: Tensor) -> Tensor:
        """The features of chosen pixels, those of all blocks side by side: [count, channels]."""
        height, width = self.size
        place = self.places[chosen]
        picture = place.div(height * width, rounding_mode="floor")
        row = place.div(width, rounding_mode="floor") % height
        return torch.cat([b.at(picture, row, place % width) for b in self.blocks], dim=1)


class Block(NamedTuple):
    """Features of one block, or colours, and how its cells mix in a pixel of the enlarged map.

    Attributes
    ----------
    cells : Tensor, shape [n, r, r', C]
    down, across : (Tensor, Tensor)
        Along each axis, which cells a pixel depends on and with which weights, [pixels, k] each.
    """

    cells: Tensor
    down: tuple[Tensor, Tensor]
    across: tuple[Tensor, Tensor]

    @classmethod
    def of(cls, cells: Tensor, size: tuple[int, int]) -> Block:
        """Get ready to enlarge features, [n, r, r', C], to a size by repeated doubling."""
        return cls(
            cells, mixture(cells.shape[1], size[0]), mixture(cells.shape[2], size[1])
        )  # fmt: skip

    def at(self, picture: Tensor, row: Tensor, column: Tensor) -> Tensor:
        """The enlarged map at pixels, [P] each: [P, C]."""
        _, height, width, channels = self.cells.shape
        (rows, row_weights), (columns, column_weights) = (
            (cells[where], weights[where])
            for (cells, weights), where in ((self.down, row), (self.across, column))
        )
        cells = (picture[:, None] * height + rows)[:, :, None] * width + columns[:, None]
        weights = row_weights[:, :, None] * column_weights[:, None]
        return embedding_bag(
            cells.flatten(1),
            self.cells.view(-1, channels),
            per_sample_weights=weights.flatten(1),
            mode="sum",
        )


def mixture(cells: int, pixels: int) -> tuple[Tensor, Tensor]:
    """Along one axis: the cells that every pixel mixes and their weights, [pixels, k] both."""
    line = torch.eye(cells)[None, :, None]  # a line of cells, one column for each cell's share
    share = line.expand(1, cells, 1, cells)
    while share.shape[1] < pixels:
        share = doubled(share)[:, :, :1]
    share = share[0, :, 0]
    most = int((share > 0).sum(1).max())
    weights, found = share.topk(most, dim=1)
    return found, weights


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("generator", help="a name or a file")
    parser.add_argument("folder", type=Path, help="with parts.json and labelled examples")
    parser.add_argument("out", type=Path, help="the .safetensors file to write")
    parser.add_argument("--hidden", type=int, nargs=2, default=(48, 32))
    parser.add_argument("--members", type=int, default=2)
    parser.add_argument("--looks", type=int, default=0, help="sizes at which colours are seen")
    parser.add_argument("--steps", type=int, default=8000)
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--noise", type=float, default=0.8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    try:
        train_from_folder(arguments)
    except ValueError as error:
        parser.exit(2, f"{error}\n")


def train_from_folder(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    generator = load_generator(arguments.generator)

    def embed(picture: Tensor) -> Tensor:
        *_, last = project(generator, picture)
        print(f"embedded a picture; loss {last.loss:.4f}", flush=True)
        return last.ws

    examples = read_examples(arguments.folder, generator, embed)
    chosen: dict[str, Any] = {
        name: getattr(arguments, name)
        for name in ("hidden", "members", "looks", "steps", "batch", "noise", "seed")
    }
    segmenter = train(generator, examples, **{**chosen, "hidden": tuple(chosen["hidden"])})
    training = {"examples": len(examples.ws), **chosen}
    save_segmenter(segmenter, arguments.out, {"training": json.dumps(training)})
    print(f"{arguments.out}: {segmenter}")


if __name__ == "__main__":
    main()
