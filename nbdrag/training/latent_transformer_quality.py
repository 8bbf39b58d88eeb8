"""How good a latent transformer is: `python -m nbdrag.training.latent_transformer_quality FILE`.

- On pairs that it wasn't trained on: how much of the change of the latent it misses, as a share of
  the mean square, by the number of points; 1 for no edit.
- On toonfaces, whose landmarks the reader sees: landmarks of portraits are sent a few pixels away.
  How far they then are from there, and how far they went, as shares of the way asked for.

Beside the figures, written as JSON, stands a sheet: portraits, and what becomes of them.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from nbdrag.editing.latent_transformer import LatentTransformer
from nbdrag.editing.latent_transformer_file import load_transformer
from nbdrag.editing.layout_drag import layout_drag
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.training.latent_transformer import BATCH, draw_pairs, miss

SEED = 1_000_000  # of pairs and portraits that training doesn't draw
ASKED = {"nose_tip": (8.0, 0.0), "chin": (0.0, 5.0), "mouth_left": (-3.0, -2.0)}
"""Landmarks of the sheet and the figures, and by how many pixels of 128 they are sent away."""


@torch.no_grad()
def left_of_the_change(
    generator: Generator, transformer: LatentTransformer, count: int
) -> dict[str, float]:
    """Which share of the latent's change is missed, by the number of points."""
    random = torch.Generator().manual_seed(SEED)
    missed: dict[str, float] = dict.fromkeys(("1", "5", "32"), 0.0)
    change, movable = 0.0, transformer.config.movable
    for _ in range(max(1, count // BATCH)):
        pairs = draw_pairs(generator, BATCH, random)
        before = (pairs.rows - pairs.ws[:, :movable]) / transformer.w_deviation
        change += float(before.square().mean())
        for points in missed:
            off = miss(transformer, pairs, torch.arange(BATCH), int(points), random)
            missed[points] += float(off.mean())
    return {points: round(off / change, 4) for points, off in missed.items()}


@torch.no_grad()
def landmarks_sent(
    generator: Generator, transformer: LatentTransformer, reader: Reader, count: int
) -> tuple[dict[str, dict[str, float]], list[Tensor]]:
    """How far landmarks get; and pictures, a row for each portrait: before, and each of `ASKED`."""
    random = torch.Generator().manual_seed(SEED)
    ws = generator.mapping(torch.randn(count, generator.z_dim, generator=random), truncation=0.7)
    shares: dict[str, list[tuple[float, float]]] = {name: [] for name in ASKED}
    rows = []
    for latent in ws:
        image = generator.synthesis(latent[None]).image
        landmarks, row = reader(image).landmarks[0], [image[0]]
        for name, arrow in ASKED.items():
            which = LANDMARKS.index(name)
            wish = torch.tensor(arrow) * (generator.resolution / 128)
            handle = landmarks[which]
            target = (handle + wish).clamp(0, generator.resolution)
            (step,) = layout_drag(
                generator, latent, handle[None], target[None], transformer=transformer
            )
            edited = generator.synthesis(step.ws[None]).image
            went = reader(edited).landmarks[0, which] - handle
            off = (went - wish).norm() / wish.norm()
            shares[name].append((float(off), float(went @ wish / (wish @ wish))))
            row.append(edited[0])
        rows.append(torch.stack(row))
    figures = {
        name: {
            "off": round(sum(off for off, _ in values) / count, 3),
            "went": round(sum(went for _, went in values) / count, 3),
        }
        for name, values in shares.items()
    }
    return figures, rows


def milliseconds(generator: Generator, transformer: LatentTransformer, repeats: int = 10) -> float:
    """From a point to the picture, the processor's time."""
    ws = generator.w_avg.expand(generator.num_ws, -1)
    point = torch.tensor([[0.5, 0.6]]) * generator.resolution
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        (step,) = layout_drag(generator, ws, point, point + 4, transformer=transformer)
        with torch.no_grad():
            generator.synthesis(step.ws[None])
        taken.append(1000 * (time.process_time() - began))
    return round(sorted(taken)[repeats // 2], 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument("--generator", default="toonfaces-128")
    parser.add_argument("--pairs", type=int, default=512)
    parser.add_argument("--portraits", type=int, default=100)
    parser.add_argument("--shown", type=int, default=8, help="portraits on the sheet")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator, reader = load_generator(arguments.generator), load_reader()
    transformer = load_transformer(arguments.file, generator)
    with safe_open(arguments.file, framework="pt") as file:
        training = json.loads((file.metadata() or {}).get("training", "{}"))
    sent, rows = landmarks_sent(generator, transformer, reader, arguments.portraits)
    report: dict[str, Any] = {
        "training": training,
        "command": f"python -m nbdrag.training.latent_transformer_quality {arguments.file} "
        f"--portraits {arguments.portraits} --pairs {arguments.pairs}",
        "pairs": arguments.pairs,
        "share of the latent's change that is missed, by points": left_of_the_change(
            generator, transformer, arguments.pairs
        ),
        "portraits": arguments.portraits,
        "landmarks sent, in shares of the way": sent,
        "milliseconds from point to picture, one thread": milliseconds(generator, transformer),
        "sheet": f"before; {', '.join(f'{name} by {arrow}' for name, arrow in ASKED.items())}",
    }
    arguments.file.with_suffix(".json").write_text(json.dumps(report, indent=2) + "\n")
    shown = torch.cat(rows[: arguments.shown])
    columns = 2 * (1 + len(ASKED)) if arguments.shown % 2 == 0 else 1 + len(ASKED)
    tiled(shown, columns=columns).save(arguments.file.with_suffix(".jpg"), quality=90)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
