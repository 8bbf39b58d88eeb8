"""The section of docs/figures.md on the ways to drag, from benchmarks/drag_methods.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.markdown import table

Figures = Mapping[str, Any]


def ways_to_drag(figures: Figures) -> Iterator[str]:
    """All tables that have been measured."""
    yield "## Ways to drag, beside one another"
    yield (
        "The [ways to drag](methods.md) on the same portraits, with the same handles, targets and "
        f"masks. Optimisers stop after {figures['step_limit']} steps; *Auto + 4 steps* are the "
        "prediction and up to so many steps of DragGAN. Seconds are one thread's processor time. "
        f"`{figures['command']}`"
    )
    sections = {
        "landmarks": landmarks,
        "reconstruction": reconstruction,
        "n": lengths,
        "block": blocks,
        "patch": patches,
        "decay": decay,
        "speed": speed,
        "sheet": sheet,
    }
    for name, section in sections.items():
        if figures.get(name):
            yield from section(figures[name])


def landmarks(counts: Figures) -> Iterator[str]:
    yield (
        "**Landmarks** of a portrait are dragged to where another one has them, as in Table 1 of "
        "both papers: mean distance (MD) afterwards in pixels of 128, read off the edited picture "
        "by the toonfaces reader, by the number of points; and for one point FID, in the reader's "
        "features, of the edited pictures to the same ones before."
    )
    numbers = [name for name in ("1", "5", "all") if name in counts]
    ways = list(dict.fromkeys(way for name in numbers for way in counts[name]))
    head = ["", *(f"{name} point{'s' * (name != '1')}" for name in numbers)]
    head += ["FID", *(f"s, {name}" for name in numbers), "outside the mask", "tests"]
    rows = []
    for way in ways:
        each = [counts[name].get(way) for name in numbers]
        first = counts[numbers[0]].get(way) or {}
        rows.append(
            [
                way,
                *(f"{row['mean_distance']:.2f}" if row else "" for row in each),
                f"{first['fid']:.2f}" if first.get("fid") is not None else "",
                *(f"{row['seconds']:.3f}" if row else "" for row in each),
                f"{first['change_outside_mask']:.3f}" if first else "",
                " / ".join(str(row["tests"]) if row else "-" for row in each),
            ]
        )
    yield table(head, rows)


def reconstruction(ways: Figures) -> Iterator[str]:
    yield (
        "**Paired reconstruction**, as in Table 2 of Auto DragGAN: a picture is to become another "
        "one, of which 32 points of the flow between them are known. Mean square error (colours "
        "from -1 to 1) and perceptual distance, in the reader's stages, to the other picture."
    )
    yield table(
        ["", "MSE × 100", "perceptual × 10", "s", "tests"],
        [
            [
                way,
                f"{100 * row['mse']:.2f}",
                f"{10 * row['perceptual']:.3f}",
                f"{row['seconds']:.3f}",
                f"{row['tests']}",
            ]
            for way, row in ways.items()
        ],
    )


def lengths(ways: Figures) -> Iterator[str]:
    yield "**How many latents are predicted**, as in Table 3 of Auto DragGAN: the same, by n."
    yield table(
        ["n", "MSE × 100", "perceptual × 10", "tests"],
        [
            [n, f"{100 * row['mse']:.2f}", f"{10 * row['perceptual']:.3f}", f"{row['tests']}"]
            for n, row in ways.items()
        ],
    )


def sweep(ways: Figures, label: str) -> str:
    """A table of DragGAN's landmarks by an option."""
    return table(
        [label, "MD", "median", "steps", "s", "tests"],
        [
            [
                way,
                f"{row['mean_distance']:.2f}",
                f"{row['median_distance']:.2f}",
                f"{row['steps']:.0f}",
                f"{row['seconds']:.3f}",
                f"{row['tests']}",
            ]
            for way, row in ways.items()
        ],
    )


def blocks(ways: Figures) -> Iterator[str]:
    yield "**The block whose features DragGAN follows** (its Table 3), one landmark:"
    yield sweep(ways, "resolution")


def patches(ways: Figures) -> Iterator[str]:
    yield "**The radius r₁ of its patches** (its Table 4), one landmark:"
    yield sweep(ways, "pixels")


def decay(curves: Figures) -> Iterator[str]:
    tests = next(iter(curves["ways"].values()))["tests"]
    yield (
        "**What is left of the distance** of one landmark after so much time (Fig. 9 of Auto "
        f"DragGAN), as the reader sees it; the mean of {tests} drags, each of which stays as it "
        "ended."
    )
    yield "![Distance against time](images/drag-methods-decay.png)"


def speed(tables: Figures) -> Iterator[str]:
    yield (
        "**Seconds** by the number of pairs, with toonfaces-128, and by resolution, with config f "
        "and the papers' constructions for its wide latents, random weights. One-pass methods from "
        "points to picture."
    )
    for kind, label in (("pairs", "pairs"), ("resolution", "px")):
        values = tables[kind]["values"]
        yield table(
            ["", *(f"{value} {label}" for value in values)],
            [
                [way, *(f"{seconds:.3g}" for seconds in row)]
                for way, row in tables[kind]["seconds"].items()
            ],
        )
    yield "![Seconds against pairs and resolution](images/drag-methods-speed.png)"


def sheet(shown: Figures) -> Iterator[str]:
    yield f"{len(shown['seeds'])} of the portraits, {shown['points']} points each:"
    yield "![Portraits before, and after each way](images/drag-methods.jpg)"
