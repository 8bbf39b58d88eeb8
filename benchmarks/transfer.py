"""Tables 1 and 2, Figures 7 and 8 of the Edit One for All paper, on toonfaces.

One portrait is edited by dragging, so that a factor of its face takes a wanted value: the head
looks to the front, say. The edit is transferred to other portraits, and the toonfaces reader says
what became of them. How good that is depends on the example, so there are several, the first ones
drawn that are far enough from the wanted value; figures are means over all of them.

- random: the portraits as they are;
- naive: the example's own change of w, Δ, added to each;
- naive, with strength: along Δ, as far as Eq. 5 says;
- optimised: the direction that `find_direction` finds, Δ*, added to each;
- optimised, with strength: Edit One for All;
- to the mean's plane: the same, with the distance d that the user knows where a face is to be as
  the average one: that of the mean w (for yaw alone);
- as in the paper, as published: with strength, by those options;
- dragged: every portrait by itself, its landmarks to where they would be at the wanted value.

MAE is the mean distance of the factor from the wanted value (for yaw in degrees, else in shares of
its range), R² that of the factor with the distance to the hyperplane, before any edit.

Table 1: landmarks of a portrait are dragged to those of a random other one, and this is transferred
to nine others. How far their landmarks are then from the wanted ones, and FID to the portraits
before the edit, beside dragging all ten.

    python -m benchmarks.transfer

What was computed lies in --work, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import frechet_distance, mean_distance
from nbdrag.toonfaces import FACTOR_TABLE, FACTORS, LANDMARKS, render
from nbdrag.toonfaces.reader import Reader, Reading, load_reader
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.edit_one_for_all import find_direction

TRUNCATION = 0.7
TEST_SEED = 1
LIMIT = 60  # steps of a drag
FAR = 3.0  # pixels that a landmark of an example has to go, at least
PARTS = ("mae", "mean", "r2", "seconds of one thread")
BATCH = 40


class Task(NamedTuple):
    """An edit: this factor to this value, by dragging these landmarks."""

    factor: str
    wanted: float  # of its range
    handles: tuple[str, ...]


TASKS = {
    "yaw": Task("yaw", 0.5, ("nose_tip",)),
    "smile": Task("smile", 0.75, ("mouth_left", "mouth_right")),
    "eye opening": Task("eye_opening", 0.2, ("left_eye_top", "right_eye_top")),
    "fringe": Task("fringe", 0.2, ("hairline",)),
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=5, help="portraits edited, for each factor")
    parser.add_argument("--dragged", type=int, default=200, help="portraits dragged one by one")
    parser.add_argument("--repeats", type=int, default=30, help="of Table 1, ten portraits each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--images-to", type=Path, default=Path("docs/images"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/transfer.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.work.mkdir(parents=True, exist_ok=True)
    judge = Judge(load_generator("toonfaces-128"), load_reader())
    ws = judge.drawn(TEST_SEED, arguments.images)
    tables: dict[str, Any] = {}
    for name, task in TASKS.items():
        rows: list[dict[str, Any]] = []
        for seed in examples(judge, task, arguments.examples):
            dragged = 0 if rows else arguments.dragged  # they are the same for any example
            file = arguments.work / f"{task.factor}-{seed}-{arguments.images}-{dragged}.json"
            if not file.exists():
                found, plots = compare(judge, task, seed, ws, dragged)
                if name == "yaw" and not rows:
                    scatter(plots, arguments.images_to / "transfer-yaw.png")
                    strip(judge, plots, arguments.images_to / "transfer-yaw.jpg")
                file.write_text(json.dumps(found))
            rows.append(json.loads(file.read_text()))
        tables[name] = {
            "handles": task.handles,
            "wanted": task.wanted,
            "unit": "degrees" if task.factor == "yaw" else "shares of the range",
            "means": {part: means([row[part] for row in rows]) for part in PARTS},
            "examples": rows,
        }
        print(name, json.dumps(tables[name]["means"], indent=2), flush=True)
    results = {
        "command": "python -m benchmarks.transfer",
        "portraits": arguments.images,
        "dragged one by one": arguments.dragged,
        "factors": tables,
        "landmarks": landmarks(judge, arguments.repeats, arguments.work),
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


# ---------------------------------------------------------------------------------------- judging


class Judge:
    """Makes portraits of latents, and reads them."""

    def __init__(self, generator: Generator, reader: Reader) -> None:
        self.generator, self.reader = generator, reader

    @torch.no_grad()
    def drawn(self, seed: int, count: int) -> Tensor:
        random = torch.Generator().manual_seed(seed)
        z = torch.randn(count, self.generator.z_dim, generator=random)
        return self.generator.mapping(z, truncation=TRUNCATION)

    @torch.no_grad()
    def read(self, ws: Tensor) -> Reading:
        found = []
        for rows in ws.split(BATCH):
            found.append(self.reader(self.generator.synthesis(rows).image.clamp(-1, 1)))
        return Reading(*map(torch.cat, zip(*found, strict=True)))

    def value(self, ws: Tensor, task: Task) -> Tensor:
        """The factor of each portrait, less what is wanted."""
        column = FACTORS.index(task.factor)
        factor = self.read(ws).factors[:, column]
        return (factor - task.wanted) * unit(task)

    def points(self, ws: Tensor, task: Task) -> tuple[Tensor, Tensor]:
        """Landmarks of a portrait, [P, 2], and where they are once the factor has its wanted value.

        That is told by rendering a face with the factors read, before and after.
        """
        reading = self.read(ws[None])
        before = reading.factors[0].clamp(0, 1)
        after = before.clone()
        after[FACTORS.index(task.factor)] = task.wanted
        truth = render(torch.stack([before, after]), self.generator.resolution).landmarks
        chosen = [LANDMARKS.index(name) for name in task.handles]
        size = float(self.generator.resolution)
        handles = reading.landmarks[0, chosen].clamp(0, size)
        return handles, (handles + (truth[1] - truth[0])[chosen]).clamp(0, size)

    def dragged(self, ws: Tensor, task: Task) -> Tensor:
        """Drag a portrait's landmarks to where they are to be."""
        options = replace(DragOptions.for_generator(self.generator), max_steps=LIMIT, space="w")
        handles, targets = self.points(ws, task)
        return run_to_end(drag(self.generator, ws, handles, targets, None, options)).ws


def examples(judge: Judge, task: Task, count: int) -> list[int]:
    """Seeds of the first portraits that are far enough from what is wanted."""
    found: list[int] = []
    seed = 1000
    while len(found) < count:
        ws = judge.drawn(seed, 1)[0]
        handles, targets = judge.points(ws, task)
        if (targets - handles).norm(dim=1).max() > FAR:
            found.append(seed)
        seed += 1
    return found


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each entry, over the rows that have it."""
    names = dict.fromkeys(name for row in rows for name in row)
    parts = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: round(sum(values) / len(values), 4) for name, values in parts.items()}


def unit(task: Task) -> float:
    """Degrees for yaw, else shares of the range."""
    if task.factor != "yaw":
        return 1.0
    yaw = FACTOR_TABLE[FACTORS.index("yaw")]
    return math.degrees(yaw.high - yaw.low)


class Plots(NamedTuple):
    """What the figures show: yaw less the wanted one, and directions."""

    ws: Tensor
    before: Tensor
    after: Tensor
    naive: EditDirection
    found: EditDirection


# --------------------------------------------------------------------------------------- Table 2


def compare(
    judge: Judge, task: Task, seed: int, ws: Tensor, count: int
) -> tuple[dict[str, Any], Plots]:
    """One edit, transferred in all ways."""
    generator = judge.generator
    example = judge.drawn(seed, 1)[0]
    edited, edit_seconds = timed(lambda: judge.dragged(example, task))
    naive = EditDirection.between(example, edited, name="naive", generator=generator)
    options = DirectionOptions.for_generator(generator)
    found, search_seconds = timed(lambda: search(generator, example, edited, options))
    before = judge.value(ws, task)
    moved, apply_seconds = timed(lambda: found.apply(ws))
    after, synthesis_seconds = timed(lambda: judge.value(moved, task))
    paper = search(generator, example, edited, DirectionOptions.as_in_paper())
    published = search(generator, example, edited, DirectionOptions())
    errors = {
        "random": before,
        "naive": judge.value(ws + naive.delta, task),
        "naive, with strength": judge.value(naive.apply(ws), task),
        "optimised": judge.value(ws + found.delta, task),
        "optimised, with strength": after,
        "as in the paper": judge.value(paper.apply(ws), task),
        "as published": judge.value(published.apply(ws), task),
    }
    if task.factor == "yaw":
        mean = generator.w_avg.expand(generator.num_ws, -1)
        target = found.distances(mean).item()
        errors["to the mean's plane"] = judge.value(found.apply(ws, target=target), task)
    seconds = {
        "edit": edit_seconds,
        "search": search_seconds,
        "strengths": apply_seconds,
        "synthesis and reading": synthesis_seconds,
    }
    if count:
        one_by_one, drag_seconds = timed(
            lambda: torch.stack([judge.dragged(w, task) for w in ws[:count]])
        )
        errors["dragged"] = judge.value(one_by_one, task)
        seconds["dragging one"] = drag_seconds / count
    directions = {
        "naive": naive,
        "optimised": found,
        "as in the paper": paper,
        "as published": published,
    }
    return {
        "seed": seed,
        "example": [
            round(x, 3) for x in judge.value(torch.stack([example, edited]), task).tolist()
        ],
        "mae": {name: round(error.abs().mean().item(), 3) for name, error in errors.items()},
        "deviation": {name: round(error.abs().std().item(), 3) for name, error in errors.items()},
        "mean": {name: round(error.mean().item(), 3) for name, error in errors.items()},
        "r2": {
            name: round(determination(direction.distances(ws), before), 3)
            for name, direction in directions.items()
        },
        "seconds of one thread": {name: round(s, 4) for name, s in seconds.items()},
    }, Plots(ws, before, after, naive, found)


def search(
    generator: Generator, example: Tensor, edited: Tensor, options: DirectionOptions
) -> EditDirection:
    return run_to_end(find_direction(generator, example, edited, options)).direction


def timed(compute: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the seconds of processor time that it took."""
    began = time.process_time()
    found = compute()
    return found, time.process_time() - began


def determination(x: Tensor, y: Tensor) -> float:
    """R² of a straight line."""
    return float(torch.corrcoef(torch.stack([x, y]))[0, 1].square())


# --------------------------------------------------------------------------------------- Table 1


FACE = ("nose_tip", "mouth_left", "mouth_right", "left_eye_inner", "right_eye_inner", "chin")


def landmarks(judge: Judge, repeats: int, work: Path) -> dict[str, Any]:
    """Landmarks to those of another portrait: transferred, beside dragged one by one."""
    generator = judge.generator
    chosen = [LANDMARKS.index(name) for name in FACE]
    options = replace(DragOptions.for_generator(generator), max_steps=LIMIT, space="w")
    finding = DirectionOptions.for_generator(generator)
    rows, features = [], []
    for repeat in range(repeats):
        file = work / f"landmarks-{repeat}.pt"
        if not file.exists():
            ws = judge.drawn(2000 + repeat, 11)
            before = judge.read(ws)
            targets, portraits = before.landmarks[0, chosen], ws[1:]
            handles = before.landmarks[1:, chosen]
            dragged, seconds = [], 0.0
            for w, points in zip(portraits, handles, strict=True):
                edit = drag(generator, w, points, targets, None, options)
                last, each = timed(lambda edit=edit: run_to_end(edit).ws)
                dragged.append(last)
                seconds += each
            direction = search(generator, portraits[0], dragged[0], finding)
            ways = {"no edit": portraits, "dragged": torch.stack(dragged)}
            ways["transferred"] = torch.cat([dragged[0][None], direction.apply(portraits[1:])])
            read = {way: judge.read(latents) for way, latents in ways.items()}
            found = {
                way: mean_distance(r.landmarks[:, chosen], targets.expand(10, -1, -1))
                for way, r in read.items()
            }
            torch.save((found, {w: r.features for w, r in read.items()}, seconds / 10), file)
            print("landmarks", repeat, {w: round(d.mean().item(), 2) for w, d in found.items()})
        found, seen, _ = torch.load(file, weights_only=True)
        rows.append(found)
        features.append(seen)
    table = {}
    for way in rows[0] if rows else ():
        distances = torch.cat([row[way][1:] for row in rows])
        after = torch.cat([seen[way] for seen in features])
        before = torch.cat([seen["no edit"] for seen in features])
        table[way] = {
            "distance": round(distances.mean().item(), 3),
            "fid": round(frechet_distance(after, before), 3),
            "annotations of ten": {"no edit": 0, "dragged": 10, "transferred": 1}[way],
        }
    return table


# --------------------------------------------------------------------------------------- pictures


def scatter(plots: Plots, path: Path) -> None:
    """Figure 8: yaw against the distance to the hyperplane, before and after."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.2, 3.6), dpi=110, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for direction, name, colour in (
        (plots.naive, "naive", "#8a8f98"),
        (plots.found, "optimised", "tab:blue"),
    ):
        x = direction.distances(plots.ws)
        label = f"{name}, R² {determination(x, plots.before):.2f}"
        axes[0].scatter(x, plots.before, s=4, alpha=0.5, color=colour, label=label)
    x = plots.found.distances(plots.ws)
    axes[1].scatter(x, plots.before, s=4, alpha=0.5, color="tab:blue", label="before")
    at = plots.found.distances(plots.found.apply(plots.ws))
    axes[1].scatter(at, plots.after, s=4, alpha=0.5, color="tab:red", label="after")
    axes[0].set(ylabel="yaw, degrees")
    for each in axes:
        each.set(xlabel="distance to the hyperplane, units of w")
        each.legend(frameon=False, fontsize=8)
        each.grid(alpha=0.3)
        each.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


@torch.no_grad()
def strip(judge: Judge, plots: Plots, path: Path) -> None:
    """Figure 7: the example, then portraits; as they are, naive, optimised, with strength."""
    naive, found = plots.naive, plots.found
    few = torch.cat([found.example[None], plots.ws[:7]])
    rows = [few, few + naive.delta, few + found.delta, found.apply(few)]
    images = torch.cat([judge.generator.synthesis(row).image for row in rows])
    tiled(images, columns=len(few)).save(path, quality=90)


if __name__ == "__main__":
    main()
