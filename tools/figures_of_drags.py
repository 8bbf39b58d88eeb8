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
        "The [ways to drag](methods.md#measuring-them) on the same portraits, handles and targets "
        f"alike. Optimisers stop after {figures['step_limit']} steps; *Auto + 4 steps* are "
        "the prediction and up to so many steps of DragGAN. *Auto* alone is given no mask, like "
        "*DragGAN, no mask*; *Auto, blended* is the first picture outside it. Seconds are one "
        "thread's processor time. "
        f"`{figures['command']}`"
    )
    sections = {
        "landmarks": landmarks,
        "reconstruction": reconstruction,
        "ablation": ablation,
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
    numbers = [name for name in ("1", "5", "all") if name in counts]
    ways = list(dict.fromkeys(way for name in numbers for way in counts[name]))
    first = next(iter(counts[numbers[0]].values()))
    yield (
        "**Landmarks** of a portrait are dragged to where another one has them, as in Table 1 of "
        "both papers: 1, 5 or all that show clearly in both. MD is the mean distance afterwards, "
        "in pixels of 128, read off the edited picture by the toonfaces reader; FID that of the "
        "edited pictures to the same ones before, in the reader's 128 features (it needs more "
        f"pictures than that, and falls with their number: here {first['tests']})."
    )
    head = ["", *(f"{what}, {name}" for what in ("MD", "FID", "s") for name in numbers)]
    yield table(
        [*head, "outside the mask", "tests"],
        [landmark_row(way, [counts[name].get(way) for name in numbers]) for way in ways],
    )


def landmark_row(way: str, each: list[Figures | None]) -> list[str]:
    """A line of the table, by the numbers of points; what wasn't measured is left empty."""
    formats = {"mean_distance": "{:.2f}", "fid": "{:.2f}", "seconds": "{:.3f}"}
    cells = [
        form.format(row[key]) if row and row.get(key) is not None else ""
        for key, form in formats.items()
        for row in each
    ]
    outside = f"{each[0]['change_outside_mask']:.3f}" if each[0] else ""
    return [way, *cells, outside, " / ".join(str(row["tests"]) if row else "-" for row in each)]


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


def ablation(ways: Figures) -> Iterator[str]:
    yield (
        "**Without its parts** (Table 3 of Auto DragGAN, the end of its Table 1): predictors of n "
        "latents, trained with the regularizer or without, and without L_stay. All of these were "
        "trained alike from the start, for fewer steps than the packaged one, so that they compare "
        "with each other."
    )
    yield table(
        [
            "",
            "steps",
            "MD, 1",
            "FID, 1",
            "MD, 5",
            "FID, 5",
            "MSE × 100",
            "perceptual × 10",
            "tests",
        ],
        [
            [
                way,
                f"{row['training_steps']}",
                *(
                    "" if row[points][key] is None else f"{row[points][key]:.2f}"
                    for points in ("1", "5")
                    for key in ("mean_distance", "fid")
                ),
                f"{100 * row['reconstruction']['mse']:.2f}",
                f"{10 * row['reconstruction']['perceptual']:.3f}",
                f"{row['1']['tests']}",
            ]
            for way, row in ways.items()
        ],
    )

    found = {way: row["lengths"] for way, row in ways.items() if "lengths" in row}
    if found:
        yield (
            "What their regularizers do to latents, in the latents' own deviations: how long one "
            "is, how far off once it is spoilt, and once it is restored; how far off a good one is "
            "once it is restored, too; and the length of a drag of one landmark, regularised or "
            "not; and of the drift, which is a drag of no length. "
            "[What follows from that](methods.md#what-the-regularizer-is-good-for)."
        )
        columns = {
            "latent": "latent",
            "spoilt": "spoilt",
            "restored": "restored",
            "good_restored": "good, restored",
            "drag": "drag",
            "drag_without": "not regularised",
            "drift": "drift",
        }
        yield table(
            ["", *columns.values()],
            [[way, *(f"{row[name]:.2f}" for name in columns)] for way, row in found.items()],
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
            ["", *(f"{value} {label}".removesuffix("s" * (value == 1)) for value in values)],
            [
                [way, *(f"{seconds:.3g}" for seconds in row)]
                for way, row in tables[kind]["seconds"].items()
            ],
        )
    yield "![Seconds against pairs and resolution](images/drag-methods-speed.png)"


def sheet(shown: Figures) -> Iterator[str]:
    yield f"{len(shown['seeds'])} of the portraits, {shown['points']} points each:"
    yield "![Portraits before, and after each way](images/drag-methods.jpg)"
