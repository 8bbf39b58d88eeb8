"""Tables 1 and 2, Figures 7 and 8 of the Edit One for All paper, on toonfaces.

One portrait is edited so that a factor of its face takes a wanted value: the head looks to the
front, say. The edit is transferred to other portraits, and the toonfaces reader says what became of
them. How good that is depends on the example, so there are several, the first ones drawn that are
far enough from the wanted value; figures are means over all of them. An example is dragged again if
it isn't near enough to the wanted value (yaw: 1 degree), as somebody does who wants it to be there.
`benchmarks._album` says which edits.

- random: the portraits as they are;
- naive: the example's own change of w, Δ, added to each;
- optimised: the direction that `find_direction` finds, Δ*, added to each;
- optimised, with strength: Edit One for All;
- optimised, d = 0: the same through the mean of w, for yaw: its final state is the average face's;
- each by itself: portraits edited as the example was, by a drag each (for yaw the first 400).

On the first 200 portraits only:

- naive, with strength: along Δ, as far as Eq. 5 says;
- several examples: optimised, through the mean of all examples, each of them annotated;
- as in the paper: with strength, by the options of the paper's text;
- as published: the same by those of its authors' program; for yaw, of the first example;
- as labelled (R² alone): along the gradient of the factor as a regression finds it that knows the
  factors of 2,000 portraits: what can be had of any straight line.

Ten other examples, on 60 portraits, tell how much depends on the example.

MAE is the mean distance from the wanted value (for yaw in degrees, else in shares of the range),
R² that of the factor with the distance to the hyperplane, before any edit.

Table 1: landmarks of a portrait are dragged to those of a random other one, and this is transferred
to nine others. How far their landmarks are then from the wanted ones, and FID to the portraits
before the edit, beside dragging all ten.

    python -m benchmarks.transfer

What was computed lies in --work, and a run that was broken off goes on from there.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks._album import (
    BATCH,
    LIMIT,
    TASKS,
    Judge,
    Task,
    edited_until_there,
    examples,
    one_by_one,
    save,
    search,
    timed,
)
from benchmarks._album_plots import scatter, strip
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import frechet_distance, mean_distance
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import load_reader
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions

TEST_SEED, LABELLED_SEED, EXAMPLE_SEED = 1, 77, 3000
LABELLED = 2000
DRAGGED = 400  # portraits dragged by themselves, at most
ALONE = 10  # portraits edited by themselves only to see how long it takes
FIRST = 200  # portraits that the variants below are tried on
OTHERS, OTHERS_FROM, OTHERS_SEED, OTHERS_ON = 10, 6000, 5, 60  # examples, and portraits they change
PARTS = ("mae", "mean", "r2", "seconds of one thread")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=1000, help="portraits for yaw")
    parser.add_argument("--others", type=int, default=200, help="portraits for other factors")
    parser.add_argument("--examples", type=int, default=3, help="portraits edited, for each factor")
    parser.add_argument("--repeats", type=int, default=37, help="of Table 1, ten portraits each")
    parser.add_argument("--only", nargs="*", help="make these parts, and keep the others")
    parser.add_argument("--work", type=Path, default=Path("runs/transfer"))
    parser.add_argument("--images-to", type=Path, default=Path("docs/images"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/transfer.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.work.mkdir(parents=True, exist_ok=True)
    judge = Judge(load_generator("toonfaces-128"), load_reader())
    kept = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    results: dict[str, Any] = {"command": "python -m benchmarks.transfer", "factors": {}} | kept
    for name in arguments.only or [*TASKS, "landmarks"]:
        if name == "landmarks":
            results[name] = landmarks(judge, arguments.repeats, arguments.work)
        else:
            count = arguments.images if name == "yaw" else arguments.others
            ws = judge.drawn(TEST_SEED, count)
            results["factors"][name] = factor_table(judge, name, TASKS[name], ws, arguments)
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")


# --------------------------------------------------------------------------------------- Table 2


def factor_table(
    judge: Judge, name: str, task: Task, ws: Tensor, arguments: argparse.Namespace
) -> dict[str, Any]:
    """One edit, of several examples."""
    work: Path = arguments.work
    seeds = examples(judge, task, EXAMPLE_SEED, arguments.examples)
    pairs = {seed: example(judge, name, task, seed, work) for seed in seeds}
    ends = torch.stack([edited for _, edited, _ in pairs.values()])
    rows = []
    for seed, (before, after, took) in pairs.items():
        file = work / f"{name}-{seed}-{len(ws)}.pt"
        if not file.exists():
            save(compare(judge, task, before, after, ends, ws, work), file)
        row, plots = torch.load(file, weights_only=True)
        if name == "yaw" and not rows:
            scatter(plots, arguments.images_to / "transfer-yaw.png")
            strip(judge.generator, plots["strip"], arguments.images_to / "transfer-yaw.jpg")
        row["seconds of one thread"]["edit"] = took
        rows.append({"seed": seed, **row})
        print(name, seed, row["mae"], flush=True)
    each, seconds = alone(judge, name, task, ws, work)
    for row in rows:  # the same for all examples
        row["seconds of one thread"]["edit one by itself"] = seconds
        if each is not None:
            row["mae"]["each by itself"] = round(each.abs().mean().item(), 3)
            row["deviation"]["each by itself"] = round(each.abs().std().item(), 3)
            row["mean"]["each by itself"] = round(each.mean().item(), 3)
    seed, (before, after, _) = next(iter(pairs.items()))
    file = work / f"{name}-{seed}-published.pt"
    if name == "yaw" and not file.exists():
        save(published(judge, task, before, after, ws), file)
    extra: dict[str, Any] = {}
    if name == "yaw":
        extra["as published"] = torch.load(file, weights_only=True)
        extra["other examples"] = others(judge, name, task, work)
    return {
        **extra,
        "source": task.source,
        "portraits": len(ws),
        "unit": "degrees" if task.factor == "yaw" else "shares of the range",
        "means": {part: means([row[part] for row in rows]) for part in PARTS},
        "examples": rows,
    }


def alone(
    judge: Judge, name: str, task: Task, ws: Tensor, work: Path
) -> tuple[Tensor | None, float]:
    """The factor of portraits edited one by one, less what was wanted: where an edit says that."""
    if not task.handles:
        return None, one_by_one(judge, task, ws[:ALONE], work / f"{name}-each")[1]
    ws = ws[:DRAGGED]
    file = work / f"{name}-each-{len(ws)}.pt"
    if not file.exists():
        edited, seconds = one_by_one(judge, task, ws, work / f"{name}-each")
        save((judge.value(edited, task) - task.goal, seconds), file)
    found: tuple[Tensor, float] = torch.load(file, weights_only=True)
    return found


def example(
    judge: Judge, name: str, task: Task, seed: int, work: Path
) -> tuple[Tensor, Tensor, float]:
    """A portrait's latent, the edited one, and the seconds that this took."""
    file = work / f"{name}-{seed}.pt"
    if not file.exists():
        before = judge.drawn(seed, 1)[0]
        after, seconds = timed(lambda: edited_until_there(judge, before, task))
        save((before, after, seconds), file)
    found: tuple[Tensor, Tensor, float] = torch.load(file, weights_only=True)
    return found


def compare(
    judge: Judge,
    task: Task,
    before: Tensor,
    after: Tensor,
    ends: Tensor,
    ws: Tensor,
    work: Path,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One example's edit, transferred in all ways: figures, and what plots need."""
    generator = judge.generator
    own = DirectionOptions.for_generator(generator, after - before)
    naive = EditDirection.between(before, after, name="naive", generator=generator)
    found, search_seconds = timed(lambda: search(generator, before, after, own))
    normals = {
        "naive": naive,
        "optimised": found,
        "as in the paper": search(generator, before, after, DirectionOptions.as_in_paper()),
        "labelled": labelled(judge, task, before, after, work),
    }
    moved, apply_seconds = timed(lambda: found.apply(ws))
    _, synthesis_seconds = timed(lambda: synthesise(judge, moved[:200]))
    latents = {
        "random": ws,
        "naive": ws + naive.delta,
        "optimised": ws + found.delta,
        "optimised, with strength": moved,
    }
    if task.factor == "yaw":
        mean = generator.w_avg.expand(generator.num_ws, -1)
        latents["optimised, d = 0"] = found.through(mean).apply(ws)
    first = ws[:FIRST]
    latents["several examples"] = found.through(ends).apply(first)
    latents["naive, with strength"] = naive.apply(first)
    latents["as in the paper"] = normals["as in the paper"].apply(first)
    values = {name: judge.value(some, task) for name, some in latents.items()}
    ends_at = judge.value(torch.stack([before, after]), task)
    wanted = task.goal if task.handles else ends_at[1].item()
    errors = {name: value - wanted for name, value in values.items()}
    row = {
        "example": [round(x, 3) for x in ends_at.tolist()],
        "mae": {name: round(error.abs().mean().item(), 3) for name, error in errors.items()},
        "deviation": {name: round(error.abs().std().item(), 3) for name, error in errors.items()},
        "mean": {name: round(error.mean().item(), 3) for name, error in errors.items()},
        "r2": {
            name: round(determination(normal.distances(ws), values["random"]), 3)
            for name, normal in normals.items()
        },
        "seconds of one thread": {
            "search": search_seconds,
            "strengths": apply_seconds,
            "synthesis of one": synthesis_seconds / len(moved[:200]),
        },
    }
    few = torch.cat([before[None], ws[:7]])
    shown = "optimised, d = 0" if "optimised, d = 0" in latents else "optimised, with strength"
    plots = {
        "naive": naive.distances(ws),
        "found": found.distances(ws),
        "moved": found.distances(latents[shown]),
        "before": values["random"],
        "after": values[shown],
        "strip": torch.cat(
            [
                few,
                few + naive.delta,
                few + found.delta,
                torch.cat([(before + found.delta)[None], latents[shown][:7]]),
            ]
        ),
    }
    return row, plots


def published(
    judge: Judge, task: Task, before: Tensor, after: Tensor, ws: Tensor
) -> dict[str, float]:
    """With strength, by the options of the authors' program."""
    direction = search(judge.generator, before, after, DirectionOptions())
    value = judge.value(ws[:FIRST], task)
    error = judge.value(direction.apply(ws[:FIRST]), task) - task.goal
    return {
        "mae": round(error.abs().mean().item(), 3),
        "r2": round(determination(direction.distances(ws[:FIRST]), value), 3),
    }


def others(judge: Judge, name: str, task: Task, work: Path) -> dict[str, float]:
    """How much depends on the example: MAE with its own plane and with d = 0, for ten others."""
    ws = judge.drawn(OTHERS_SEED, OTHERS_ON)
    mean = judge.generator.w_avg.expand(judge.generator.num_ws, -1)
    rows = []
    for seed in examples(judge, task, OTHERS_FROM, OTHERS):
        file = work / f"{name}-{seed}-plane.pt"
        if not file.exists():
            before, after, _ = example(judge, name, task, seed, work)
            own = DirectionOptions.for_generator(judge.generator, after - before)
            found = search(judge.generator, before, after, own)
            ways = {"with strength": found.apply(ws), "d = 0": found.through(mean).apply(ws)}
            errors = {way: judge.value(some, task) - task.goal for way, some in ways.items()}
            save({way: error.abs().mean().item() for way, error in errors.items()}, file)
        rows.append(torch.load(file, weights_only=True))
    random = (judge.value(ws, task) - task.goal).abs().mean().item()
    return {"examples": OTHERS, "portraits": len(ws), "random": round(random, 3)} | means(rows)


def labelled(judge: Judge, task: Task, before: Tensor, after: Tensor, work: Path) -> EditDirection:
    """Along the gradient of the factor, by ridge regression on w, with labels."""
    ws = judge.drawn(LABELLED_SEED, LABELLED)[:, 0]
    x = (ws - ws.mean(0)).double()
    file = work / f"labelled-{task.factor}.pt"
    if not file.exists():
        save(judge.value(judge.drawn(LABELLED_SEED, LABELLED), task).clone(), file)
    y: Tensor = torch.load(file, weights_only=True).double()
    ridge = 10 * torch.eye(x.shape[1]).double()
    gradient = torch.linalg.solve(x.T @ x + ridge, x.T @ (y - y.mean())).float()
    normal = gradient.expand_as(before) / gradient.expand_as(before).norm()
    return EditDirection(
        ((after - before) * normal).sum() * normal,
        "labelled",
        judge.generator.content_hash,
        normal=normal,
        example=before,
    )


@torch.no_grad()
def synthesise(judge: Judge, ws: Tensor) -> None:
    """Make pictures, and forget them."""
    for rows in ws.split(BATCH):
        judge.generator.synthesis(rows)


def means(rows: list[dict[str, float]]) -> dict[str, float]:
    """The mean of each entry that all have."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: round(sum(row[name] for row in rows) / len(rows), 4) for name in names}


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
                last, took = timed(lambda edit=edit: run_to_end(edit).ws)
                dragged.append(last)
                seconds += took
            direction = search(generator, portraits[0], dragged[0], finding)
            ways = {"no edit": portraits, "dragged": torch.stack(dragged)}
            ways["transferred"] = torch.cat([dragged[0][None], direction.apply(portraits[1:])])
            read = {way: judge.read(latents) for way, latents in ways.items()}
            found = {
                way: mean_distance(r.landmarks[:, chosen], targets.expand(10, -1, -1))
                for way, r in read.items()
            }
            save((found, {w: r.features for w, r in read.items()}, seconds / 10), file)
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
            "fid": abs(round(frechet_distance(after, before), 3)),  # rounding may leave -0
            "annotations of ten": {"no edit": 0, "dragged": 10, "transferred": 1}[way],
        }
    return {"repeats": repeats, "points": len(FACE), "ways": table}


if __name__ == "__main__":
    main()
