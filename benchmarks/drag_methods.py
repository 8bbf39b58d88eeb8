"""Every way to drag, in one run, on the same portraits: the tables of the Auto DragGAN paper.

- landmarks (DragGAN, Table 1; Auto DragGAN, Table 1): landmarks of one portrait are dragged to
  where another has them; 1, 5 and all. How far they end from there, as the toonfaces reader sees
  the edited picture, which took no part; FID of the edited pictures to those before, in its
  features; seconds of one thread.
- reconstruction (Auto DragGAN, Table 2): a picture is to be made from another one and 32 points of
  the flow between them. Mean square error and perceptual distance.
- ablation (Auto DragGAN, Table 3, and the end of Table 1): landmarks and reconstruction by other
  predictors, if `--predictors` names any: of sequences of other lengths n, one latent being no
  sequence at all, and some that were trained without the regularizer, or without L_stay. And what
  the regularizer does to latents.
- block, patch (DragGAN, Tables 3 and 4): landmarks, 1 point, by the block whose features DragGAN
  follows, and by the radius r1 of its patches.
- decay (Auto DragGAN, Fig. 9): what is left of the distance, after so many seconds.
- speed: against the number of pairs, and the resolution.

    python -m benchmarks.drag_methods --tests 500

What was measured lies in --work, test by test; a run that was broken off goes on from there, and
several can share the tables, or the methods, between them. A method that has no weights yet is
left out.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks._drag_cases import Case, landmark_case, reconstruction_case
from benchmarks._drag_latents import lengths
from benchmarks._drag_plots import decay_plot, sheet, speed_plot
from benchmarks._drag_speed import speed
from benchmarks._drag_sums import GRID, decay_summary, landmark_summary, reconstruction_summary
from benchmarks._rows import Row, measured, read
from nbdrag.editing import latent_predictor_file, latent_transformer_file
from nbdrag.editing.auto_draggan import AutoDragOptions, auto_drag, masked_picture
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep, drag
from nbdrag.editing.freedrag import free_drag
from nbdrag.editing.freedrag_options import FreeDragOptions
from nbdrag.editing.latent_predictor_file import load_predictor
from nbdrag.editing.layout_drag import LayoutDragOptions, layout_drag
from nbdrag.editing.options import Options
from nbdrag.editing.perceptual import embedded_perceptual
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import mean_distance
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.training.auto_draggan_options import as_trained, training_of

LIMIT = 100  # steps of a drag that is optimised
REFINED = (4, 20)  # steps after a prediction
COUNTS = {"1": 1, "5": 5, "all": None}
BLOCKS, RADII = (16, 32, 64, 128), (1, 2, 3, 4, 5, 6)
ROUND = 25  # tests that one method makes before the next has its turn
TABLES = ("landmarks", "reconstruction", "ablation", "block", "patch", "decay", "speed", "sheet")
SHOWN = (3, 8, 11, 14)  # seeds of the sheet's cases, each with five points

Edit = Callable[[Generator, Tensor, Tensor, Tensor, "Tensor | None"], Iterator[DragStep]]


@dataclass(frozen=True)
class Method:
    """A way to drag.

    Attributes
    ----------
    edit : callable
        From (generator, ws, handles, targets, mask) to an iterator of steps.
    options : Options or None
        Those that `edit` goes by.
    weights : path or None
        What it was trained to, besides the generator.
    mask : str
        "heeded" by the edit; "blended", so that the picture is the first one outside; or "none".
    """

    edit: Edit
    options: Options | None = None
    weights: Path | None = None
    mask: str = "heeded"

    def settings(self, generator: Generator) -> Row:
        """What its figures depend on."""
        weights = None if self.weights is None else digest(self.weights)
        options = None if self.options is None else vars(self.options)
        found = {"generator": generator.content_hash, "options": options, "weights": weights}
        return found if self.mask == "heeded" else {**found, "mask": self.mask}

    def steps(self, generator: Generator, case: Case) -> Iterator[DragStep]:
        """Do it."""
        mask = None if self.mask == "none" else case.mask
        return self.edit(generator, case.ws, case.handles, case.targets, mask)


@functools.cache
def digest(path: Path) -> str:
    """A file's hash, of when it was first asked for: networks are read but once as well."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def methods(generator: Generator) -> dict[str, Method]:
    """All ways to drag for which there are weights, in the tables' order."""

    def optimised(edit: Callable[..., Iterator[DragStep]], options: Options) -> Method:
        limited: Any = options.updated({"max_steps": LIMIT})
        return Method(partial(edit, options=limited), limited)

    found = {"no edit": Method(stay)}
    transformer = latent_transformer_file.PACKAGED[0]
    if transformer.is_file():
        layout = LayoutDragOptions()
        found["UserControllableLT"] = Method(
            partial(layout_drag, options=layout), layout, transformer
        )
    found["FreeDrag"] = optimised(free_drag, FreeDragOptions.for_generator(generator))
    found["DragGAN"] = optimised(drag, DragOptions.for_generator(generator))
    predictor = latent_predictor_file.PACKAGED["toonfaces-128"]
    usual = AutoDragOptions.for_generator(generator)
    if predictor.is_file():
        unregularized = usual.updated({"regularize": False})
        found["Auto, no regularizer"] = Method(
            partial(auto_drag, options=unregularized), unregularized, predictor, "none"
        )
        for name, mask in (("Auto", "none"), ("Auto, blended", "blended")):
            found[name] = Method(partial(auto_drag, options=usual), usual, predictor, mask)
        for steps in REFINED:
            refined = usual.updated({"refine": steps})
            edit = partial(auto_drag, options=refined)
            found[f"Auto + {steps} steps"] = Method(edit, refined, predictor)
    return found


def predicted(generator: Generator, path: Path) -> tuple[str, Method, Row]:
    """Auto DragGAN by the predictor in a file, used as it was trained: a name, the way, and how."""
    predictor, training = load_predictor(path, generator), training_of(path)
    options = AutoDragOptions.for_generator(generator).updated(as_trained(path))
    edit = partial(auto_drag, options=options, predictor=predictor)
    name = f"n = {predictor.config.steps}" + ("" if options.regularize else ", no regularizer")
    if training["options"].get("delta") == 0:
        name += ", no L_stay"
    trained = {"training_steps": training["steps"], "minutes": training["minutes"]}
    return name, Method(edit, options, path, "none"), trained


def stay(
    generator: Generator, ws: Tensor, handles: Tensor, targets: Tensor, mask: Tensor | None
) -> Iterator[DragStep]:
    """Do nothing."""
    away = (targets - handles).norm(dim=1)
    yield DragStep(ws, 0, 0.0, False, handles, targets, away, ws.new_zeros(0))


# -------------------------------------------------------------------------------------- measuring


def landmarks(method: Method, count: int | None, generator: Generator, reader: Reader) -> Measure:
    """Measure how near landmarks come."""

    def measure(seed: int) -> Row:
        case = landmark_case(generator, reader, seed, count)
        last, image, seconds = run(method, generator, case)
        with torch.no_grad():
            reading = reader(image)
        changed = (image.clamp(-1, 1) - case.image.clamp(-1, 1)).abs().mean(1)[0]
        return {
            "distance": mean_distance(reading.landmarks[0, case.landmarks], case.targets).item(),
            "outside": changed[~case.mask].mean().item(),
            "steps": last.index,
            "done": last.done,
            "seconds": seconds,
            "features": [round(x, 4) for x in reading.features[0].tolist()],
        }

    return measure


def reconstruction(method: Method, generator: Generator) -> Measure:
    """Measure how like the answer the picture comes out."""
    perceptual = embedded_perceptual(generator.w_avg)

    def measure(seed: int) -> Row:
        case = reconstruction_case(generator, seed)
        last, image, seconds = run(method, generator, case)
        with torch.no_grad():
            unlike = perceptual(case.answer)(image)
        return {
            "mse": (image - case.answer).square().mean().item(),
            "perceptual": unlike.item(),
            "steps": last.index,
            "seconds": seconds,
        }

    return measure


def decay(method: Method, generator: Generator, reader: Reader) -> Measure:
    """Measure what is left of the distance of one landmark after each step, and when that was."""

    def measure(seed: int) -> Row:
        case = landmark_case(generator, reader, seed, 1)
        begin = mean_distance(case.handles, case.targets)
        times, left, seconds = [], [], 0.0
        edit = method.steps(generator, case)
        while True:
            began = time.process_time()
            step = next(edit, None)
            seconds += time.process_time() - began
            if step is None:
                return {"seconds": times, "left": left}
            with torch.no_grad():
                reading = reader(generator.synthesis(step.ws[None]).image)
            reached = mean_distance(reading.landmarks[0, case.landmarks], case.targets)
            times.append(seconds)
            left.append((reached / begin).item())

    return measure


Measure = Callable[[int], Row]


def run(method: Method, generator: Generator, case: Case) -> tuple[DragStep, Tensor, float]:
    """The last step of an edit, its picture [1, 3, H, W], and the seconds that it took a thread."""
    began = time.process_time()
    *_, last = method.steps(generator, case)
    seconds = time.process_time() - began
    with torch.no_grad():
        if method.mask == "blended" and case.mask is not None:
            image = masked_picture(generator, last.ws, case.ws, case.mask)[None]
        else:
            image = generator.synthesis(last.ws[None]).image
    return last, image, seconds


# ----------------------------------------------------------------------------------------- tables


class Tables:
    """The tables, of what lies in a folder and what is measured now.

    Parameters
    ----------
    work : path
    tests : mapping of str to int
        How many, for each table.
    wanted : list of str
        Methods that are measured now. Of others, what lies there counts.
    """

    def __init__(self, work: Path, tests: Mapping[str, int], wanted: list[str]) -> None:
        self.work, self.tests, self.wanted = work, tests, wanted
        self.generator, self.reader = load_generator("toonfaces-128"), load_reader()
        self.methods = methods(self.generator)

    def rows(
        self, table: str, ways: Mapping[str, Method], measure: Callable[[Method], Measure]
    ) -> dict[str, list[Row]]:
        """The rows of every method, measured in turns, so that a table is never lopsided."""
        tests, found = self.tests[table.partition("/")[0]], {}
        turns = [*range(ROUND, tests, ROUND), tests]
        for upto in turns:
            for name, method in ways.items():
                path = self.work / table / f"{name.replace(', ', '-').replace(' ', '-')}.jsonl"
                settings = method.settings(self.generator)
                known = len(read(path, settings) or [])
                count = upto if name in self.wanted or not self.wanted else known
                if count:
                    rows = measured(path, settings, max(count, known), measure(method))
                    found[name] = rows[:tests]
            print(table, upto, {name: len(rows) for name, rows in found.items()}, flush=True)
        return found

    def landmarks(self, counts: list[str], before: Row) -> Row:
        """Landmarks, by all ways and by DragGAN with what *Auto* is told, which is of no mask."""
        ways: dict[str, Method] = {}
        for name, method in self.methods.items():
            ways[name] = method
            if name == "DragGAN":
                ways["DragGAN, no mask"] = replace(method, mask="none")
        found = dict(before)
        for number in counts:
            count = COUNTS[number]
            make = partial(landmarks, count=count, generator=self.generator, reader=self.reader)
            rows = self.rows(f"landmarks/{number}", ways, make)
            now = {way: landmark_summary(each, rows["no edit"]) for way, each in rows.items()}
            found[number] = together(ways, before.get(number, {}), now)
        return found

    def reconstruction(self, before: Row) -> Row:
        make = partial(reconstruction, generator=self.generator)
        rows = self.rows("reconstruction", self.methods, make)
        now = {way: reconstruction_summary(each) for way, each in rows.items()}
        return together(self.methods, before, now)

    def ablation(self, predictors: list[Path]) -> Row:
        """Other predictors, each as it was trained."""
        found = [predicted(self.generator, path) for path in predictors]
        found.sort(key=lambda each: (each[0].count(","), each[0]))  # those with all parts first
        ways = {name: method for name, method, _ in found}
        table: dict[str, Row] = {name: {**how} for name, _, how in found}
        for name, method, _ in found:
            options, path = method.options, method.weights
            if isinstance(options, AutoDragOptions) and options.regularize and path:
                steady = options.steady
                table[name]["lengths"] = lengths(self.generator, self.reader, path, steady=steady)
        for points in ("1", "5"):
            ways_and_none = {"no edit": self.methods["no edit"], **ways}
            count, reader = COUNTS[points], self.reader
            make = partial(landmarks, count=count, generator=self.generator, reader=reader)
            rows = self.rows(f"ablation/{points}", ways_and_none, make)
            for name in ways:
                table[name][points] = landmark_summary(rows[name], rows["no edit"])
        make = partial(reconstruction, generator=self.generator)
        for name, each in self.rows("ablation/reconstruction", ways, make).items():
            table[name]["reconstruction"] = reconstruction_summary(each)
        return table

    def sweep(self, table: str, option: str, values: tuple[int, ...]) -> Row:
        """DragGAN on one landmark, by an option."""
        usual = self.methods["DragGAN"].options
        ways = {"no edit": self.methods["no edit"]}
        for value in values:
            options = usual.updated({option: value})  # type: ignore[union-attr]
            ways[str(value)] = Method(partial(drag, options=options), options)
        make = partial(landmarks, count=1, generator=self.generator, reader=self.reader)
        rows = self.rows(table, ways, make)
        return {way: landmark_summary(each, rows["no edit"]) for way, each in rows.items()}

    def decay(self, before: Row) -> Row:
        make = partial(decay, generator=self.generator, reader=self.reader)
        ways = {
            name: method
            for name, method in self.methods.items()
            if name != "no edit" and method.mask != "blended"  # latents' own pictures are read
        }
        rows = self.rows("decay", ways, make)
        now = {way: decay_summary(each) for way, each in rows.items()}
        return {
            "seconds": [round(moment, 4) for moment in GRID],
            "ways": together(ways, before.get("ways", {}), now),
        }

    def sheet(self, path: Path) -> Row:
        """Draw a few cases, as every method grants them."""
        cases = [landmark_case(self.generator, self.reader, seed, 5) for seed in SHOWN]
        rows = [
            [run(method, self.generator, case)[1][0] for method in self.methods.values()]
            for case in cases
        ]
        points = [(case.handles, case.targets) for case in cases]
        sheet(rows, points, ["before", *list(self.methods)[1:]]).save(path, quality=92)
        return {"seeds": SHOWN, "points": 5}


def together(ways: Iterable[str], before: Row, now: Row) -> Row:
    """Lines of a table, as they are now and otherwise as they were, in the order of the ways.

    A line that stays doesn't say what it was measured with; who changes a way measures it anew.
    """
    known = before | now
    return {way: known[way] for way in ways if way in known}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", type=int, default=500, help="of landmarks, for each number")
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    parser.add_argument("--points", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--methods", nargs="+", default=[], help="default: all there are")
    parser.add_argument(
        "--predictors", type=Path, nargs="+", default=[], help="files, for the ablation"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("runs/drag-methods"))
    parser.add_argument("--images-to", type=Path, default=Path("docs/images"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/drag_methods.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    fewer = max(1, arguments.tests * 2 // 5)
    tests = {"decay": max(1, arguments.tests // 10)}
    tests |= dict.fromkeys(("landmarks", "ablation"), arguments.tests)
    tests |= dict.fromkeys(("reconstruction", "block", "patch"), fewer)
    tables = Tables(arguments.work, tests, arguments.methods)
    results = json.loads(arguments.out.read_text()) if arguments.out.exists() else {}
    known = {name: results.get(name, {}) for name in TABLES}
    makers: dict[str, Callable[[], Row]] = {
        "landmarks": partial(tables.landmarks, arguments.points, known["landmarks"]),
        "reconstruction": partial(tables.reconstruction, known["reconstruction"]),
        "ablation": partial(tables.ablation, arguments.predictors),
        "block": partial(tables.sweep, "block", "feature_block", BLOCKS),
        "patch": partial(tables.sweep, "patch", "patch_radius", RADII),
        "decay": partial(tables.decay, known["decay"]),
        "speed": partial(speed, tables.generator),
        "sheet": partial(tables.sheet, arguments.images_to / "drag-methods.jpg"),
    }
    results |= {
        "command": f"python -m benchmarks.drag_methods --tests {arguments.tests}",
        "step_limit": LIMIT,
    }
    for table in arguments.tables:
        if table == "ablation" and not arguments.predictors:
            continue
        results[table] = makers[table]()
        arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    for table, plot in (("decay", decay_plot), ("speed", speed_plot)):
        if table in arguments.tables:
            plot(results[table], arguments.images_to / f"drag-methods-{table}.png")


if __name__ == "__main__":
    main()
