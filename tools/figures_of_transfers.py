"""The section of docs/figures.md on transferring edits, from benchmarks/transfer.json."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tools.markdown import table

Figures = Mapping[str, Any]

WAYS = (
    "random",
    "naive",
    "optimised",
    "optimised, with strength",
    "optimised, d = 0",
    "each by itself",
    "naive, with strength",
    "several examples",
    "as in the paper",
)
NORMALS = ("naive", "optimised", "as in the paper", "labelled")


def transfers(figures: Figures) -> Iterator[str]:
    """What was measured of one edit for all."""
    yield "## One edit for all"
    yield (
        "One portrait is edited, and the edit [transferred](one-for-all.md) to others, which the "
        "toonfaces reader then looks at. Mean absolute error (MAE): how far the factor is from the "
        "wanted value; yaw in degrees, others in shares of their range. Means over several "
        f"examples. `{figures['command']}`"
    )
    factors = figures["factors"]
    if factors:
        yield table(
            ["MAE", *factors],
            [[way, *(cell(row, "mae", way) for row in factors.values())] for way in WAYS],
        )
        yield (
            "*Random* is the portraits as they are; *several examples* has every example "
            "annotated, the others one; *d = 0* is the paper's choice for a neutral final state. "
            + " ".join(
                f"{name.capitalize()}: {row['source']}, {row['portraits']:,} portraits, "
                f"{len(row['examples'])} examples."
                for name, row in factors.items()
            )
            + " The last three rows are of the first 200 portraits."
        )
        if "other examples" in (yaw := factors.get("yaw", {})):
            yield dependence(yaw["other examples"])
        yield table(
            ["R² with the distance", *factors],
            [[way, *(cell(row, "r2", way) for row in factors.values())] for way in NORMALS],
        )
        yield (
            "*Labelled* is a regression that knows 2,000 portraits' factors: the most that can be "
            "had of a straight line in W."
        )
    if "yaw" in factors:
        yield from costs(factors["yaw"])
    if "landmarks" in figures:
        yield from landmarks(figures["landmarks"])


def cell(row: Figures, part: str, name: str) -> str:
    """A figure, where there is one."""
    value = row["means"][part].get(name)
    if value is None:
        return ""
    return f"{value:.2f}" if part == "r2" or row["unit"] == "degrees" else f"{value:.3f}"


def dependence(row: Mapping[str, float]) -> str:
    """How much depends on the one example."""
    return (
        f"How much depends on the example: means of {row['examples']} others, on "
        f"{row['portraits']} portraits whose yaw is off by {row['random']:.1f}: "
        f"{row['with strength']:.1f} with the example's own plane, {row['d = 0']:.1f} with d = 0."
    )


def costs(row: Figures) -> Iterator[str]:
    """Time and annotations, as in Table 1 of the paper."""
    seconds = row["means"]["seconds of one thread"]
    once = seconds["edit"] + seconds["search"]
    each = seconds["strengths"] / row["portraits"] + seconds["synthesis of one"]
    alone = seconds["edit one by itself"]
    yield table(
        ["seconds of one thread", "1 picture", "1,000 pictures", "annotations for 1,000"],
        [
            ["transferred", f"{once + each:.1f}", f"{once + 1000 * each:.0f}", "1"],
            ["dragged one by one", f"{alone:.2f}", f"{1000 * alone:.0f}", "1,000"],
        ],
    )
    yield (
        f"Of it: the example's drag {seconds['edit']:.1f} s, the search {seconds['search']:.1f} s, "
        f"strengths of all {seconds['strengths']:.3f} s, each picture "
        f"{1000 * seconds['synthesis of one']:.0f} ms."
    )


def landmarks(figures: Figures) -> Iterator[str]:
    """Landmark distance and FID, as in Table 1 of the paper."""
    yield (
        f"As in the paper's Table 1, {figures['points']} landmarks are dragged to where a random "
        "other portrait has them: all ten portraits of a group, or one, and the others follow. "
        "Distances in pixels of 128 are of those nine; FID, in the reader's features, is between "
        f"the portraits before and after. {figures['repeats']} groups."
    )
    yield table(
        ["", "distance", "FID", "annotations of ten"],
        [
            [
                way,
                f"{row['distance']:.2f}",
                f"{max(0.0, row['fid']):.2f}",
                str(row["annotations of ten"]),
            ]
            for way, row in figures["ways"].items()
        ],
    )
