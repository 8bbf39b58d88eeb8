"""How good a toonfaces predictor is: `python -m nbdrag.training.auto_draggan_quality`.

Two portraits are drawn at random, and landmarks of the first are to go where the second has them.
Told of every way of doing so: the mean distance (MD) that is left, read off the picture; how far
the edited pictures are, as a set, from the unedited ones (FID, in the reader's features); and the
processor's time. The reader has also taught the predictor, which its rivals have not had.

It writes a JSON file, and beside it a sheet: handles red, targets blue; before, one pass, one pass
and refinement, DragGAN.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from nbdrag.editing.auto_draggan import AutoDragOptions, auto_drag, auto_drag_batch
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import PACKAGED, load_predictor
from nbdrag.editing.step import run_to_end
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import frechet_distance, mean_distance
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.training.auto_draggan_options import as_trained, training_of

FACIAL = [i for i, name in enumerate(LANDMARKS) if not name.endswith("_ear")]
SURE = 0.5  # confidence and visibility needed in both portraits
LIMIT = 100  # steps of DragGAN
SEED = 5_000_000
SHOWN = 8  # drags on the sheet
BATCH = 20


class Case(NamedTuple):
    """A drag to be measured: latent, points, and which landmarks they are."""

    ws: Tensor
    handles: Tensor
    targets: Tensor
    chosen: Tensor


Way = Callable[[Case], Tensor]  # to the latent


def ways(
    generator: Generator, predictor: LatentPredictor, refine: int, how: Mapping[str, bool]
) -> dict[str, Way]:
    """Every way of dragging, by name. `how` the predictor is to be used, `as_trained` knows."""
    plain = replace(DragOptions.for_generator(generator), max_steps=LIMIT)
    refined = AutoDragOptions.for_generator(generator).updated({"refine": refine, **how})

    def one_pass(case: Case, **otherwise: bool) -> Tensor:
        return auto_drag_batch(
            generator,
            case.ws[None],
            [case.handles],
            [case.targets],
            predictor=predictor,
            **{**how, **otherwise},
        )[0, -1]

    def with_refinement(case: Case) -> Tensor:
        edit = auto_drag(
            generator, case.ws, case.handles, case.targets, None, refined, predictor=predictor
        )
        return run_to_end(edit).ws

    def by_draggan(case: Case) -> Tensor:
        return run_to_end(drag(generator, case.ws, case.handles, case.targets, None, plain)).ws

    return {
        "no edit": lambda case: case.ws,
        "one pass": one_pass,
        "one pass, not regularised": lambda case: one_pass(case, regularize=False),
        f"one pass, {refine} steps of refinement": with_refinement,
        "DragGAN": by_draggan,
    }


def measure(
    generator: Generator, reader: Reader, by: dict[str, Way], cases: list[Case]
) -> dict[str, dict[str, float]]:
    """MD, FID and seconds of every way, over the same drags."""
    before = reader_features(generator, reader, torch.stack([case.ws for case in cases]))[1]
    table = {}
    for name, way in by.items():
        found, seconds = [], 0.0
        for case in cases:
            began = time.process_time()
            ws = way(case)
            with torch.no_grad():
                generator.synthesis(ws[None])  # from points to picture
            seconds += time.process_time() - began
            found.append(ws)
        landmarks, features = reader_features(generator, reader, torch.stack(found))
        off = torch.stack(
            [
                mean_distance(read[case.chosen], case.targets)
                for read, case in zip(landmarks, cases, strict=True)
            ]
        )
        table[name] = {
            "mean_distance": round(off.mean().item(), 3),
            "median_distance": round(off.median().item(), 3),
            "fid": round(frechet_distance(features, before), 3),
            "seconds": round(seconds / len(cases), 4),
        }
        print(f"{len(cases[0].handles)} points, {name}: {table[name]}", flush=True)
    return table


@torch.no_grad()
def reader_features(generator: Generator, reader: Reader, ws: Tensor) -> tuple[Tensor, Tensor]:
    """Landmarks and features of pictures."""
    readings = [reader(generator.synthesis(rows).image.clamp(-1, 1)) for rows in ws.split(BATCH)]
    return (
        torch.cat([each.landmarks for each in readings]),
        torch.cat([each.features for each in readings]),
    )


@torch.no_grad()
def draw_case(generator: Generator, reader: Reader, seed: int, count: int) -> Case:
    """A drag of `count` sure landmarks to where another portrait has them.

    Where too few are sure in both, two other portraits are drawn.
    """
    rng = torch.Generator().manual_seed(SEED + seed)
    while True:
        z = torch.randn(2, generator.z_dim, generator=rng)
        ws = generator.mapping(z, truncation=0.7)
        reading = reader(generator.synthesis(ws).image.clamp(-1, 1))
        sure = ((reading.confidence > SURE) & (reading.visible > SURE)).all(0)
        choices = torch.tensor([i for i in FACIAL if sure[i]])
        if len(choices) >= max(count, 10):
            break
    chosen = choices[torch.randperm(len(choices), generator=rng)[:count]]
    return Case(ws[0], reading.landmarks[0, chosen], reading.landmarks[1, chosen], chosen)


@torch.no_grad()
def draw_sheet(generator: Generator, by: dict[str, Way], cases: list[Case], path: Path) -> None:
    """A column of pictures for each drag: before, and every way of dragging."""
    rows = []
    for name, way in by.items():
        if name.endswith("not regularised"):
            continue
        for case in cases:
            image = generator.synthesis(way(case)[None]).image[0].clamp(-1, 1)
            for points, colour in ((case.handles, 0), (case.targets, 2)):
                for x, y in points.long().clamp(1, generator.height - 2).tolist():
                    image[:, y - 1 : y + 2, x - 1 : x + 2] = -1
                    image[colour, y - 1 : y + 2, x - 1 : x + 2] = 1
            rows.append(image)
    tiled(torch.stack(rows), columns=len(cases)).save(path, optimize=True)


def main(given: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--generator", default="toonfaces-128")
    parser.add_argument("--predictor", type=Path, default=PACKAGED["toonfaces-128"])
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--points", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--refine", type=int, default=4)
    arguments = parser.parse_args(given)
    torch.set_num_threads(1)
    generator, reader = load_generator(arguments.generator), load_reader()
    predictor = load_predictor(arguments.predictor, generator)
    by = ways(generator, predictor, arguments.refine, as_trained(arguments.predictor))
    report = {
        "training": training_of(arguments.predictor),
        "command": "python -m nbdrag.training.auto_draggan_quality "
        f"--runs {arguments.runs} --refine {arguments.refine}",
        "runs": arguments.runs,
        "threads": 1,
        "unit": f"pixels of a {generator.resolution}-pixel picture; seconds of the processor",
        "points": {
            str(count): measure(
                generator,
                reader,
                by,
                [draw_case(generator, reader, seed, count) for seed in range(arguments.runs)],
            )
            for count in arguments.points
        },
    }
    beside = arguments.predictor.with_suffix(".json")
    beside.write_text(json.dumps(report, indent=2) + "\n")
    shown = [
        draw_case(generator, reader, arguments.runs + i, 1 if i < SHOWN // 2 else 5)
        for i in range(SHOWN)
    ]
    draw_sheet(generator, by, shown, arguments.predictor.with_suffix(".png"))


if __name__ == "__main__":
    main()
