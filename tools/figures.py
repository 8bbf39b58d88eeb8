"""Write docs/figures.md: what was measured, as tables, from the JSON files that the programs left.

python -m tools.figures
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "figures.md"

Figures = Mapping[str, Any]


def main() -> None:
    """Write the page."""
    PAGE.write_text(page())
    print(PAGE)


def page() -> str:
    """The whole page, as Markdown."""
    sections = [
        *quality(read("nbdrag/assets/toonfaces-128.json")),
        *accuracy(read("benchmarks/drag_accuracy.json")),
        *speed(read("benchmarks/speed.json"), read("benchmarks/browser.json")),
    ]
    return "\n\n".join(["# What was measured", *sections]) + "\n"


def read(path: str) -> Figures:
    figures: Figures = json.loads((ROOT / path).read_text())
    return figures


def quality(figures: Figures) -> Iterator[str]:
    """How good the packaged generator's portraits are."""
    yield "## The packaged generator"
    yield (
        "The [toonfaces reader](toonfaces.md), a small network trained on renders, looks at "
        f"{figures['images']:,} pictures of each kind. Its confidence says whether landmarks are "
        "where a face has them; FID, precision and recall, in its features, compare with held-out "
        "renders. Other renders are the best there can be; blurred ones are a scale."
    )
    sets = {name: row for name, row in figures.items() if "renders" in name or "psi" in name}
    yield table(
        ["", "confidence", "FID", "precision", "recall"],
        [
            [name, *(f"{row[key]:.3g}" for key in ("confidence", "fid", "precision", "recall"))]
            for name, row in sets.items()
        ],
    )
    yield f"`{figures['command']}`"


def accuracy(figures: Figures) -> Iterator[str]:
    """How near a drag brings its landmarks, as in Table 1 of the DragGAN paper."""
    yield "## Dragging one portrait's landmarks to another's"
    yield (
        "Two portraits are drawn; landmarks of the first are dragged to where the second has "
        "them. Mean distance (MD), read off the edited picture by the reader, which took no part, "
        f"in {figures['unit']}; and how much the picture changed outside the mask, of 2 at most. "
        "Without tracking a drag never learns that it has arrived, and goes on to its step limit, "
        f"here {figures['step_limit']}."
    )
    for count, ways in figures["points"].items():
        yield f"**{count} point{'s' * (count != '1')}**"
        yield table(
            ["", "MD", "of no edit", "median", "outside", "steps"],
            [
                [
                    name,
                    f"{row['mean_distance']:.2f}",
                    f"{row['fraction_of_no_edit']:.0%}",
                    f"{row['median_distance']:.2f}",
                    f"{row['change_outside_mask']:.3f}",
                    f"{row['steps']:.0f}",
                ]
                for name, row in ways.items()
            ],
        )
    yield f"`{figures['command']}`"


def speed(here: Figures, browser: Figures) -> Iterator[str]:
    """How quick it is, in a process, a kernel and a browser."""
    yield "## Speed"
    yield f"On {here['machine']}, torch {here['torch']}."
    yield table(
        ["drag at 128 px", *here["drag"]],
        [
            [name.replace("_", " "), *(f"{row[name]:g}" for row in here["drag"].values())]
            for name in next(iter(here["drag"].values()))
        ],
    )
    kernel = here["kernel"]
    yield table(
        ["in a kernel, in a browser", ""],
        [
            ["import to first picture", f"{kernel['import_to_first_picture_s']:g} s"],
            ["Start to first step, in the kernel", f"{kernel['start_to_first_step_s']:g} s"],
            ["Start to first frame, on the page", f"{browser['start_to_first_frame_s']:g} s"],
            ["frames a second, on the page", f"{browser['frames_per_second']:.0f}"],
            ["drag steps a second meanwhile", f"{browser['steps_per_second']:.0f}"],
            ["kernel with the editor open, resident", f"{browser['kernel_mib']:.0f} MiB"],
            *([name.replace("_", " "), f"{value:g}"] for name, value in here["render"].items()),
        ],
    )  # fmt: skip
    yield f"`{here['command']}`, `{browser['command']}`"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
