"""Painting on toonfaces: does the picture get the parts that were painted, and keep the rest?

Portraits are drawn at random, their part maps are painted over as a person would (larger eyes, an
open mouth, a longer fringe, and so on), and each painting is followed for 100 steps. Of every edit
we report

- agreement: mean IoU, over the parts that were painted over or with, of the picture's parts with
  the painted ones, in the region that may change;
- painted: the share of the painted pixels that got the part painted there, which is stricter,
  since nothing that was right from the start counts;
- outside: mean absolute change of the picture outside that region, as a share of its range;
- seen: agreement again, but of the parts that the toonfaces labeller sees, a network that looks at
  pixels alone and knows nothing of the generator. The edit wasn't told to satisfy that one. Beside
  it stands what it is at best: how well, of the portrait before the edit, the labeller agrees with
  the generator's own parts in the same region.

    python -m benchmarks.paint
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nbdrag.editing.editgan import paint
from nbdrag.editing.paint_options import PaintOptions, margin
from nbdrag.editing.region import agreement, edited_region, touched_parts
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.wishes import sample
from nbdrag.toonfaces import PARTS
from nbdrag.toonfaces.labeller import Labeller, load_labeller
from nbdrag.training.brushes import LabelMap, bent, filled, scaled

LEAST = 20  # pixels; an edit of fewer is none
STEPS = (10, 30, 100)
GOAL_AGREEMENT, GOAL_OUTSIDE = 0.8, 0.02

Edit = Callable[[LabelMap], LabelMap]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--truncation", type=float, default=0.7)
    parser.add_argument("--generator", default="toonfaces-128")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--sheet", type=Path, help="Where to draw the first edit of each kind.")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/paint.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_generator(arguments.generator)
    wishes = {name: json.loads(value) for name, value in (x.split("=") for x in arguments.set)}
    options = PaintOptions.for_generator(generator).updated(wishes)
    labeller = load_labeller()
    names = list(EDITS)
    rows, shown = [], []
    for seed in range(arguments.edits):
        name = names[seed % len(names)]
        row, pictures = follow(generator, labeller, name, seed, arguments.truncation, options)
        print(row, flush=True)
        rows.append(row)
        shown.append(pictures)
    results = {
        "command": " ".join(["python -m benchmarks.paint", *sys.argv[1:]]),
        "options": asdict(options),
        "all": summary(rows),
        **{group: summary([row for row in rows if row["group"] == group]) for group in GROUPS},
        "edits": rows,
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    if arguments.sheet:
        kinds = torch.cat(shown[: len(names) // 2 * 2])
        tiled(kinds, columns=8).save(arguments.sheet)
    print(json.dumps({name: results[name] for name in ("all", *GROUPS)}, indent=2))


def follow(
    generator: Generator,
    labeller: Labeller,
    name: str,
    seed: int,
    truncation: float,
    options: PaintOptions,
) -> tuple[dict[str, Any], Tensor]:
    """Paint one portrait, follow the painting, and measure.

    Returns the measurements and [4, 3, H, W]: the portrait, its parts, those painted, the result.
    """
    group, edit = EDITS[name]
    ws, labels, edited = painted_portrait(generator, edit, seed, truncation)
    region = edited_region(labels.long(), edited.long(), margin(generator, options))
    touched = touched_parts(labels, edited)
    painted = labels != edited
    began = time.process_time()
    steps = list(paint(generator, ws, labels, edited, options))
    seconds = time.process_time() - began
    last = steps[-1]
    with torch.no_grad():
        image = generator.synthesis(ws[None]).image
    seen_before, seen = labeller.labels(torch.cat([image, last.image[None]]).clamp(-1, 1))
    row = {
        "edit": name,
        "group": group,
        "seed": seed,
        "pixels": int(painted.sum()),
        "region": round(region.float().mean().item(), 3),
        "agreement before": round(agreement(labels, edited, touched, region), 3),
        **{f"agreement, {n} steps": round(steps[n - 1].agreement, 3) for n in STEPS},
        "painted": round((last.labels == edited)[painted].float().mean().item(), 3),
        "outside": round(last.outside, 4),
        "seen before": round(agreement(seen_before, edited, touched, region), 3),
        "seen": round(agreement(seen, edited, touched, region), 3),
        "seen at best": round(agreement(seen_before, labels, touched, region), 3),
        "seconds": round(seconds, 2),
    }
    maps = [coloured(generator, each) for each in (labels, edited)]
    return row, torch.stack([image[0], *maps, last.image])


def coloured(generator: Generator, labels: Tensor) -> Tensor:
    """A part map as a picture, [3, H, W] in [-1, 1]."""
    colours = [list(bytes.fromhex(part.colour[1:])) for part in generator.segmenter.parts]
    return (torch.tensor(colours)[labels.long()] / 127.5 - 1).permute(2, 0, 1)


def painted_portrait(
    generator: Generator, edit: Edit, seed: int, truncation: float
) -> tuple[Tensor, Tensor, Tensor]:
    """A latent, its part map, and the painted one.

    Seeds whose portrait doesn't show what is to be painted are passed over for another.
    """
    while True:
        ws = sample(generator, seed=seed, truncation=truncation)
        with torch.no_grad():
            labels = generator.segment(ws[None]).labels[0]
        edited = torch.from_numpy(edit(labels.numpy())) if shows_face(labels) else labels
        if (edited != labels).sum() >= LEAST:
            return ws, labels, edited
        seed += 1000


def shows_face(labels: Tensor) -> bool:
    """Whether both eyes and the mouth are there."""
    names = ("left_sclera", "left_iris", "right_sclera", "right_iris", "lips", "inner_mouth")
    return all((labels == part).sum() >= 5 for part in labels_of(*names))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Means, and how the edits are spread."""
    final = [row[f"agreement, {STEPS[-1]} steps"] for row in rows]
    outside = [row["outside"] for row in rows]
    good = [a >= GOAL_AGREEMENT and o < GOAL_OUTSIDE for a, o in zip(final, outside, strict=True)]
    means = (
        "agreement before",
        *(f"agreement, {n} steps" for n in STEPS),
        "painted",
        "outside",
        "seen before",
        "seen",
        "seen at best",
    )
    return {
        "edits": len(rows),
        **{name: round(statistics.mean(row[name] for row in rows), 4) for name in means},
        "least agreement": min(final),
        "lower quartile": round(statistics.quantiles(final, n=4)[0], 3),
        "median": round(statistics.median(final), 3),
        "most outside": max(outside),
        "share that reaches both goals": round(statistics.mean(good), 3),
        "seconds": round(statistics.mean(row["seconds"] for row in rows), 2),
    }


# -------------------------------------------------------------------------------- what is painted

EYES = [("left_sclera", "left_iris"), ("right_sclera", "right_iris")]
MOUTH = ("lips", "inner_mouth")


def labels_of(*names: str) -> list[int]:
    return [PARTS.index(name) for name in names]


def eyes(scale_x: float, scale_y: float) -> Edit:
    """Both eyes larger or smaller, each about its middle."""

    def edit(labels: LabelMap) -> LabelMap:
        for eye in EYES:
            labels = scaled(labels, labels_of(*eye), scale_x, scale_y)
        return labels

    return edit


def gaze(dx: int) -> Edit:
    """Both irises to the side, within eyes that stay as they are."""

    def edit(labels: LabelMap) -> LabelMap:
        edited = labels.copy()
        for eye in EYES:
            sclera, iris = labels_of(*eye)
            opening = np.isin(labels, [sclera, iris])
            moved = np.roll(labels == iris, dx, axis=1)
            edited[opening] = np.where(moved, iris, sclera)[opening]
        return edited

    return edit


def open_mouth(pixels: int) -> Edit:
    """The mouth open, or further open, by so many pixels downwards; the lips keep their width."""
    lips, inner = labels_of(*MOUTH)

    def edit(labels: LabelMap) -> LabelMap:
        edited = labels.copy()
        mouth = np.isin(labels, [lips, inner])
        for x in mouth.any(0).nonzero()[0]:
            (rows,) = mouth[:, x].nonzero()
            top, bottom = rows[0], rows[-1] + 1
            height = (mouth.sum(0) / mouth.sum(0).max())[x]  # less towards the corners
            reach = bottom + round(pixels * height)
            upper = max(1, int((labels[top : (top + bottom) // 2, x] == lips).sum()))
            lower = max(1, int((labels[(top + bottom) // 2 : bottom, x] == lips).sum()))
            edited[top:reach, x] = lips
            edited[top + min(upper, 3) : reach - min(lower, 3), x] = inner
        return edited

    return edit


def close_mouth(labels: LabelMap) -> LabelMap:
    """The mouth shut: two lips."""
    lips, inner = labels_of(*MOUTH)
    edited = scaled(labels, [lips, inner], 1.0, 0.6)
    return np.where(edited == inner, np.uint8(lips), edited)


def mouth(scale_x: float, scale_y: float = 1.0) -> Edit:
    return lambda labels: scaled(labels, labels_of(*MOUTH), scale_x, scale_y)


def bend_mouth(lift: float) -> Edit:
    return lambda labels: bent(labels, labels_of(*MOUTH), lift)


def grown(part: str, over: Sequence[str], reach: dict[str, int], above: float = 1.0) -> Edit:
    """One part grown into others, so many pixels "down", "up" and "aside"; only in the upper part
    of the picture, if `above` is less than 1."""

    def edit(labels: LabelMap) -> LabelMap:
        here = labels == PARTS.index(part)
        near = here.copy()
        for step in range(1, reach.get("down", 0) + 1):
            near[step:] |= here[:-step]
        for step in range(1, reach.get("up", 0) + 1):
            near[:-step] |= here[step:]
        for step in range(1, reach.get("aside", 0) + 1):
            near[:, step:] |= here[:, :-step]
            near[:, :-step] |= here[:, step:]
        near[round(above * len(labels)) :] = False
        allowed = np.isin(labels, labels_of(*over))
        return np.where(near & allowed, np.uint8(PARTS.index(part)), labels)

    return edit


def shorter_hair(pixels: int) -> Edit:
    """The ends of the hair cut off; what is behind them shows."""

    def edit(labels: LabelMap) -> LabelMap:
        hair = labels == PARTS.index("hair")
        (rows,) = hair.any(1).nonzero()
        cut = hair.copy()
        cut[: rows[-1] + 1 - pixels] = False
        return filled(labels, cut)

    return edit


BEHIND = ("background", "neck", "shirt")
EDITS: dict[str, tuple[str, Edit]] = {
    "larger eyes": ("eyes", eyes(1.25, 1.25)),
    "open mouth": ("mouth", open_mouth(6)),
    "longer hair": ("hair", grown("hair", BEHIND, {"down": 12})),
    "wider open eyes": ("eyes", eyes(1.0, 1.4)),
    "closed mouth": ("mouth", close_mouth),
    "shorter hair": ("hair", shorter_hair(12)),
    "narrowed eyes": ("eyes", eyes(1.0, 0.55)),
    "smile": ("mouth", bend_mouth(3)),
    "longer fringe": ("hair", grown("hair", ("skin",), {"down": 5}, above=0.5)),
    "gaze to the right": ("eyes", gaze(3)),
    "frown": ("mouth", bend_mouth(-3)),
    "higher hairline": ("hair", grown("skin", ("hair",), {"up": 5}, above=0.5)),
    "gaze to the left": ("eyes", gaze(-3)),
    "wider mouth": ("mouth", mouth(1.25)),
    "more hair": ("hair", grown("hair", ("background",), {"up": 4, "aside": 4}, above=0.6)),
    "smaller eyes": ("eyes", eyes(0.8, 0.8)),
    "narrower mouth": ("mouth", mouth(0.75)),
}
GROUPS = ("eyes", "mouth", "hair")


if __name__ == "__main__":
    main()
