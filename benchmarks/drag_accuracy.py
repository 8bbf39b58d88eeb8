"""Face landmark manipulation on toonfaces, after Table 1 of the DragGAN paper.

Two portraits are drawn at random. The first one's landmarks are dragged to where the second has
them, and the mean distance (MD) is read off the edited picture by the toonfaces reader, which
never saw the drag. Beside it stand no edit at all, no point tracking (the handle is assumed to be
where it was pushed to) and no mask. The mask lets the head move and holds the rest; how much that
rest changed nevertheless is the last column.

    python -m benchmarks.drag_accuracy --runs 100
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import mean_distance
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import Reader, load_reader

# Landmarks of the face itself: ears come and go with the hair.
CHOSEN = [i for i, name in enumerate(LANDMARKS) if not name.endswith("_ear")]
SURE = 0.5  # confidence (0.7 on clean renders) and visibility needed in both portraits
LIMIT = 100  # steps; a drag that tracks needs a fraction of them
FRACTION_OF_NO_EDIT = "fraction_of_no_edit"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--points", type=int, nargs="+", default=[1, 5])
    parser.add_argument("--truncation", type=float, default=0.7)
    parser.add_argument("--generator", default="toonfaces-128")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/drag_accuracy.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator, reader = load_generator(arguments.generator), load_reader()
    results = {
        "command": f"python -m benchmarks.drag_accuracy --runs {arguments.runs}",
        "step_limit": LIMIT,
        "unit": f"pixels of a {generator.resolution}-pixel picture",
        "points": {
            str(count): compare(generator, reader, arguments.runs, count, arguments.truncation)
            for count in arguments.points
        },
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def compare(
    generator: Generator, reader: Reader, runs: int, count: int, truncation: float
) -> dict[str, dict[str, float]]:
    """Mean distances over `runs` seeded pairs of portraits, for every way of dragging."""
    best = replace(DragOptions.for_generator(generator), max_steps=LIMIT)
    ways = {
        "drag": (best, True),
        "no mask": (best, False),
        "no tracking": (replace(best, tracking=False), True),
    }
    found: dict[str, list[list[float]]] = {"no edit": []} | {way: [] for way in ways}
    for seed in range(runs):
        pair = portraits(generator, reader, seed, count, truncation)
        ws, image, handles, targets, chosen, mask = pair
        found["no edit"].append([mean_distance(handles, targets).item(), 0.0, 0.0, 0.0])
        for way, (options, masked) in ways.items():
            began = time.perf_counter()
            edit = drag(generator, ws, handles, targets, mask if masked else None, options)
            last = run_to_end(edit)
            seconds = time.perf_counter() - began
            with torch.no_grad():
                edited = generator.synthesis(last.ws[None]).image
                landmarks = reader(edited).landmarks[0, chosen]
            outside = (edited.clamp(-1, 1) - image.clamp(-1, 1)).abs().mean(1)[0][~mask].mean()
            found[way].append(
                [mean_distance(landmarks, targets).item(), outside.item(), last.index, seconds]
            )
        print(seed, {way: round(rows[-1][0], 2) for way, rows in found.items()}, flush=True)
    table = {}
    for way, rows in found.items():
        distance, outside, steps, seconds = torch.tensor(rows).mean(0).tolist()
        table[way] = {
            "mean_distance": round(distance, 3),
            "median_distance": round(torch.tensor(rows)[:, 0].median().item(), 3),
            FRACTION_OF_NO_EDIT: round(distance / table["no edit"]["mean_distance"], 3)
            if table
            else 1.0,
            "change_outside_mask": round(outside, 4),
            "steps": round(steps, 1),
            "seconds": round(seconds, 2),
        }
    return table


@torch.no_grad()
def portraits(
    generator: Generator, reader: Reader, seed: int, count: int, truncation: float
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A portrait to drag and another that says where to, both with `count` sure landmarks.

    Seeds whose portraits show too few sure landmarks in common are passed over for the next.
    """
    random = torch.Generator().manual_seed(seed)
    while True:
        z = torch.randn(2, generator.z_dim, generator=random)
        ws = generator.mapping(z, truncation=truncation)
        image = generator.synthesis(ws).image
        reading = reader(image)
        sure = ((reading.confidence > SURE) & (reading.visible > SURE)).all(0)
        choices = torch.tensor([i for i in CHOSEN if sure[i]])
        if len(choices) >= max(count, 10):
            break
    chosen = choices[torch.randperm(len(choices), generator=random)[:count]]
    handles, targets = reading.landmarks[0, chosen], reading.landmarks[1, chosen]
    mask = head_mask(reading.landmarks.flatten(0, 1), generator.resolution)
    return ws[0], image[:1], handles, targets, chosen, mask


def head_mask(landmarks: Tensor, size: int) -> Tensor:
    """The ellipse around both heads, where the picture may move: [size, size] bool."""
    low, high = landmarks.amin(0), landmarks.amax(0)
    middle, reach = (low + high) / 2, (high - low) / 2
    axis = torch.arange(size) + 0.5
    x, y = axis[None, :] - middle[0], axis[:, None] - middle[1]
    return (x / (1.3 * reach[0])).square() + (y / (1.4 * reach[1])).square() <= 1


if __name__ == "__main__":
    main()
