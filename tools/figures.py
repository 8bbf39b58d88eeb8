"""Write docs/figures.md: what was measured, as tables, from the JSON files that the programs left.

python -m tools.figures
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.figures_of_drags import ways_to_drag
from tools.figures_of_transfers import transfers
from tools.markdown import table

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
        *ways_to_drag(read("benchmarks/drag_methods.json")),
        *parts(
            read("nbdrag/assets/toonfaces-128-parts.json"),
            read("nbdrag/assets/toonfaces-labeller.json"),
            read("benchmarks/segmenter.json"),
        ),
        *painting(read("benchmarks/paint.json")),
        *editing_vectors(read("nbdrag/assets/toonfaces-128-edits.json")),
        *smiling(read("benchmarks/editgan.json")),
        *speed(read("benchmarks/speed.json"), read("benchmarks/browser.json")),
        *slider(read("benchmarks/browser.json")),
        *follow(read("benchmarks/browser.json")),
        *transfers(read("benchmarks/transfer.json")),
        *previews(read("benchmarks/preview.json")),
        *drag_step(read("benchmarks/drag.json"), read("benchmarks/drag_ablation.json")),
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


def parts(head: Figures, labeller: Figures, cost: Figures) -> Iterator[str]:
    """How well the packaged generator tells its parts, and what that costs in a large one."""
    yield "## A generator's parts"
    yield (
        "The packaged [segmenter](segmenter.md), trained on sixteen pictures: intersection over "
        f"union (IoU) of each part on {head['pictures']} other samples, as the labeller sees them, "
        f"and on {head['renders']} renders, as they were drawn. Renders are embedded first, at "
        f"{head['embedding_psnr_db']:g} dB; what the labeller says of the embedded pictures tells "
        "what that loses. The labeller, which learnt from renders and stands in for a person, has "
        f"{labeller['mean IoU, renders']:.2f} on {labeller['images']} renders that it didn't see."
    )
    columns = [name for name, value in head.items() if isinstance(value, dict) and "mean" in value]
    yield table(
        ["", *columns],
        [[part, *(f"{head[name][part]:.2f}" for name in columns)] for part in head[columns[0]]],
    )
    yield (
        f"And in a generator of config f at {cost['resolution']} px, random weights, "
        f"{cost['classes']} parts: what the branch adds to a synthesis of "
        f"{cost['synthesis_cpu_seconds']:.2f} s, one thread, beside the naive way, which enlarges "
        "and stacks all features and gives the same logits to "
        f"{cost['largest_difference_of_logits']:.0e}."
    )
    yield table(
        ["", "processor's seconds", "of the synthesis", "MiB"],
        [
            [name, f"{row['cpu_seconds']:.2f}", f"{row['of_synthesis']:.1%}", f"{row['mib']}"]
            for name, row in (("ours", cost["segment"]), ("naive", cost["naive"]))
        ],
    )
    small = cost["toonfaces-128"]
    yield (
        f"With toonfaces-128, a picture takes {small['synthesis_cpu_ms']:.0f} ms of one thread, "
        f"with its part map {small['segment_cpu_ms']:.0f} ms. `{head['command']}`, "
        f"`{cost['command']}`"
    )


def painting(figures: Figures) -> Iterator[str]:
    """How well pictures follow when their parts are painted over."""
    whole, options = figures["all"], figures["options"]
    yield "## Painting parts"
    yield (
        f"{whole['edits']} portraits are drawn and their part maps painted over as a person would: "
        "eyes larger or looking aside, a mouth that opens or smiles, hair longer or shorter. After "
        f"{options['max_steps']} steps, the mean IoU of the painted parts with those of the "
        "picture, in the region that may change, as the generator's segmenter tells them; and how "
        "much the rest of the picture changed, as a share of the range of colours. *Seen* is the "
        "IoU for the toonfaces labeller, which looks at pixels alone and took no part; *at best* "
        "is what it reaches for portraits that nothing was done to. "
        f"{whole['share that reaches both goals']:.0%} of the edits reach an agreement of 0.8 with "
        "less than 2% of change outside. A step takes "
        f"{1000 * whole['seconds'] / options['max_steps']:.0f} ms of one processor core."
    )
    columns = ("agreement before", "agreement, 30 steps", "agreement, 100 steps")
    yield table(
        [
            "",
            "edits",
            "before",
            "30 steps",
            "100 steps",
            "worst",
            "outside",
            "worst",
            "seen",
            "at best",
        ],
        [
            [
                name,
                f"{row['edits']}",
                *(f"{row[key]:.2f}" for key in (*columns, "least agreement")),
                *(f"{row[key]:.1%}" for key in ("outside", "most outside")),
                *(f"{row[key]:.2f}" for key in ("seen", "seen at best")),
            ]
            for name, row in ((name, figures[name]) for name in ("all", "eyes", "mouth", "hair"))
        ],
    )
    kinds: dict[str, list[Figures]] = {}
    for edit in figures["edits"]:
        kinds.setdefault(edit["edit"], []).append(edit)
    yield "By edit, in the order of the agreement reached:"
    means = {name: mean(edits, "agreement, 100 steps") for name, edits in kinds.items()}
    yield table(
        ["", "pixels", "before", "100 steps", "outside", "seen"],
        [
            [
                name,
                f"{mean(kinds[name], 'pixels'):.0f}",
                f"{mean(kinds[name], 'agreement before'):.2f}",
                f"{means[name]:.2f}",
                f"{mean(kinds[name], 'outside'):.1%}",
                f"{mean(kinds[name], 'seen'):.2f}",
            ]
            for name in sorted(means, key=means.__getitem__, reverse=True)
        ],
    )
    yield f"`{figures['command']}`"


def mean(rows: Sequence[Figures], key: str) -> float:
    values: list[float] = [row[key] for row in rows]
    return sum(values) / len(values)


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
    kernel, arrived = here["kernel"], browser["drag"]
    yield table(
        ["in a kernel, in a browser", ""],
        [
            ["import to first picture", f"{kernel['import_to_first_picture_s']:g} s"],
            ["Start to first step, in the kernel", f"{kernel['start_to_first_step_s']:g} s"],
            ["Start to first frame, on the page", f"{arrived['start_to_first_frame_s']:g} s"],
            ["frames a second, on the page", f"{arrived['frames_per_second']:.0f}"],
            ["drag steps a second meanwhile", f"{arrived['steps_per_second']:.0f}"],
            ["kernel with the editor open, resident", f"{arrived['kernel_mib']:.0f} MiB"],
            *([name.replace("_", " "), f"{value:g}"] for name, value in here["render"].items()),
        ],
    )  # fmt: skip
    yield f"`{here['command']}`, `{browser['command']}`"


def slider(browser: Figures) -> Iterator[str]:
    """How long a slider's picture takes, and where the time goes."""
    figures = browser["slider"]
    yield "## A vector at a new scale, on the page"
    yield (
        "From the event that a slider has moved to the picture on the canvas, in JupyterLab and "
        f"Chromium, {figures['moves']} moves, each after a rest; {browser['machine']}, on which "
        f"{figures['load']:g} processes on average wanted to run."
    )
    yield milliseconds(figures)
    yield (
        f"While the slider moves with every frame, {figures['pictures_per_second']:g} pictures a "
        "second come."
    )
    yield f"`{browser['command']} slider`"


def follow(browser: Figures) -> Iterator[str]:
    """How long the picture takes that follows a hand, and where the time goes."""
    figures = browser["follow"]
    lag = figures["while_it_moves"]["hand_to_picture_ms"]
    yield "## A picture that follows the hand, on the page"
    yield (
        "From the event that the pointer has moved, a handle in its hold, to the picture of [one "
        "pass](auto-draggan.md#in-the-editor) on the canvas, in JupyterLab and Chromium, "
        f"{figures['moves']} moves, each after a rest; {browser['machine']}, on which "
        f"{figures['load']:g} processes on average wanted to run."
    )
    yield milliseconds(figures)
    yield (
        f"While the pointer moves with every frame, {figures['pictures_per_second']:g} pictures a "
        f"second come, and lag behind it by {lag['median']:g} ms in the median, by less than "
        f"{lag['p95']:g} ms in 95 of 100."
    )
    yield f"`{browser['command']} follow`"


def milliseconds(figures: Figures) -> str:
    """A table of all that took so many."""
    return table(
        ["milliseconds", "least", "median", "95 of 100 below"],
        [
            [name.removesuffix("_ms").replace("_", " "), *(f"{ms:g}" for ms in row.values())]
            for name, row in figures.items()
            if name.endswith("_ms")
        ],
    )


def previews(figures: Figures) -> Iterator[str]:
    """How fast a batch follows its slider, in a process and on a page."""
    process, browser = figures["process"], figures["browser"]
    yield "## A batch that follows its slider"
    yield (
        f"From a move of the [batch preview](batch.md)'s slider to {figures['in_sight']} pictures "
        f"of {figures['resolution']} px at the new strength, of {figures['pictures']:,} that there "
        f"are; medians of {figures['moves']} moves, {figures['machine']}. In a process, in time of "
        "the processor: until they are made and encoded. In JupyterLab and Chromium on the same "
        f"machine, on which {browser['load']:g} processes on average wanted to run, as it passes: "
        "until they are drawn."
    )
    yield table(
        ["milliseconds", "first tiles", "all", "slowest move"],
        [
            [name, *(f"{row[key]:g}" for key in ("first_ms", "last_ms", "slowest_ms"))]
            for name, row in (("in a process", process), ("on the page", browser))
        ],
    )
    yield (
        f"Bare synthesis of as many takes {process['bare_synthesis_ms']:g} ms. The kernel computes "
        f"{browser['kernel_processor_ms']:g} ms for a move, a row that is near and the example "
        f"among it; while the slider moves with every frame, {browser['drawn_per_second']:g} new "
        "pictures a second are drawn."
    )
    yield f"`{figures['command']}`"


def drag_step(figures: Figures, ablation: Figures) -> Iterator[str]:
    """A step of a drag in a large generator, beside the published way."""
    yield "## A drag step beside the published way"
    yield (
        "Config f (channel_base 32768, channel_max 512) with random weights. The plain way, "
        "written for the purpose, does a step as the published programs do, in float32; see "
        "[performance](performance.md) for what ours leaves out. Every figure is from processes "
        "of its own, in turn; memory is a whole process's at its peak, PyTorch's import included. "
        f"On {figures['machine']}, threads: {figures['threads']}, torch {figures['torch']}."
    )
    yield table(
        ["", "", "seconds a step", "times faster", "processor's seconds", "times less", "peak MiB"],
        [
            [wish(case), way, *step_figures(row)]
            for case in figures["cases"]
            for way, row in case["contestants"].items()
        ],
    )
    yield (
        "How far apart drags end that ought to end alike: pixels between the points farthest "
        "apart, and PSNR between the pictures. On trained weights, drags in float32 against those "
        "in bfloat16, in float64, and from a start a millionth away (nudged), to their ends or for "
        "100 steps; and on random ones, ours in float32 against the others after "
        f"{figures['agreement_steps']} steps."
    )
    yield table(
        ["", "drags", "px, median", "within 1 px", "dB, median", "35 dB or more"],
        [
            [
                name,
                f"{row['drags']}",
                f"{row['median_px']:g}",
                f"{row['within_1_px']:.0%}",
                f"{row['median_psnr_db']:g}",
                f"{row['at_least_35_db']:.0%}",
            ]
            for name, row in figures["agreement"].items()
        ],
    )
    yield (
        "What each way to a fast step is worth: the processor's seconds for a step at 512 px on "
        "one thread, without it."
    )
    yield table(
        ["", *next(iter(ablation["seconds"].values()))],
        [
            [name, *(f"{seconds:.3f}" for seconds in row.values())]
            for name, row in ablation["seconds"].items()
        ],
    )
    yield f"`{figures['command']}`, `{ablation['command']}`"


def editing_vectors(figures: Figures) -> Iterator[str]:
    """What the packaged editing vectors do to portraits that they were not learnt from."""
    yield "## Editing vectors"
    yield (
        f"Each [vector](vectors.md) is added, at scale 1, to {figures['portraits']} portraits that "
        "it was not learnt from, and the toonfaces reader reads their factors before and after, in "
        "shares of their ranges. *Moved*: by how much the factor moves that should. *Followed*: in "
        "how many portraits by a twentieth or more. *Others*: by how much the other factors "
        "change, on average. *Agreement* (IoU) and *outside* are those of the painting that it "
        "was learnt from."
    )
    yield table(
        ["", "factor", "moved", "followed", "others", "agreement", "outside"],
        [
            [
                name,
                row["factor"].replace("_", " ").replace("-", "less "),
                f"{row['moved']:.2f}",
                f"{row['followed']:.1%}",
                f"{row['others']:.3f}",
                f"{row['agreement']:.2f}",
                f"{row['outside']:.1%}",
            ]
            for name, row in figures["vectors"].items()
        ],
    )
    yield f"`{figures['command']}`"


def smiling(figures: Figures) -> Iterator[str]:
    """The smile benchmark, as in Table 1 and Figures 10 and 11 of the EditGAN paper."""
    yield "## A smile for others"
    yield (
        f"The vector *smile* on {figures['portraits']} portraits that don't smile: the reader "
        f"reads less than {figures['neutral']:g} of the factor's range. Beside it stands "
        f"InterFaceGAN's direction, fitted on {figures['labels']['InterFaceGAN']:,} labelled "
        "portraits, at the length that makes others smile as much. *Smiling*: share read at "
        f"{figures['smiling']:g} or more. *Smile*: mean change of the factor. FID and KID, in the "
        "reader's features, to 10,000 renders. *Identity*: cosine of what makes a toonface who it "
        "is. *Others*: mean change of all factors but the smile, in shares of their ranges. *+ 10* "
        "and so on are steps of refinement on each portrait."
    )
    yield table(
        ["", "smiling", "smile", "FID", "KID", "identity", "others"],
        [
            [
                name,
                f"{row['smiling']:.1%}",
                f"{row['smile_change']:+.3f}",
                f"{row['fid']:.2f}",
                f"{row['kid']:.4f}",
                f"{row['identity']:.4f}",
                f"{row['others']:.4f}",
            ]
            for name, row in figures["table"].items()
        ],
    )
    yield "![Identity against smiling, and FID against the scale](images/editgan-curves.png)"
    scales = ", ".join(f"{row['scale']:g}" for row in figures["sweep"]["EditGAN"])
    yield (
        f"The same at scales {scales}, from left to right along each curve on the left; on "
        f"{figures['portraits in the sweep']} of the portraits, too few to compare FID with "
        "the table's. Below, three of them: as they were, and at these scales; in every second row "
        "with 30 steps of refinement."
    )
    yield "![Portraits at the scales of the sweep](images/editgan-scales.jpg)"
    cost = figures["milliseconds of one thread"]
    yield (
        f"A picture at a new scale takes {cost['vector']:.0f} ms of one thread's processor time, a "
        f"step of refinement {cost['step']:.0f} ms. `{figures['command']}`"
    )


def wish(case: Figures) -> str:
    """What is dragged, in a few words."""
    pairs = f"{case['pairs']} pair{'s' * (case['pairs'] > 1)}"
    return f"{case['resolution']} px, {pairs}{', mask' * case['mask']}"


def step_figures(row: Figures) -> list[str]:
    """A contestant's row of the table."""
    return [
        f"{row['seconds']:.3f}",
        f"{row['times_faster']:.1f}" if "times_faster" in row else "",
        f"{row['cpu_seconds']:.3f}",
        f"{row['cpu_times_faster']:.1f}" if "cpu_times_faster" in row else "",
        f"{row['peak_mib']}",
    ]


if __name__ == "__main__":
    main()
