"""The curves and pictures of `benchmarks.drag_methods`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure
from PIL import Image, ImageDraw
from torch import Tensor

from nbdrag.generators.sheet import to_bytes

DOTS = 150  # per inch
SCALE = 2  # pixels of the sheet for each of a picture


def decay_plot(decay: Mapping[str, Any], path: Path) -> None:
    """What is left of the distance, against time."""
    figure = Figure(figsize=(7.6, 3.6), layout="constrained")
    axes = figure.subplots()
    for way, row in decay["ways"].items():
        axes.plot(decay["seconds"], row["left"], label=way)
    axes.set(
        xscale="log",
        xlabel="seconds of one thread",
        ylabel="mean distance, of that at first",
        ylim=(0, 1.05),
    )
    figure.legend(loc="outside right upper", frameon=False)
    figure.savefig(path, dpi=DOTS)


def speed_plot(speed: Mapping[str, Any], path: Path) -> None:
    """Seconds, against the number of pairs and the resolution."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    labels = {"pairs": "pairs, at 128 px", "resolution": "pixels, one pair"}
    for axes, (kind, label) in zip(figure.subplots(1, 2), labels.items(), strict=True):
        for way, seconds in speed[kind]["seconds"].items():
            axes.plot(speed[kind]["values"], seconds, marker="o", label=way)
        axes.set(xlabel=label, ylabel="seconds of one thread", ylim=(0, None))
    axes.legend(frameon=False, fontsize="small")
    figure.savefig(path, dpi=DOTS)


def sheet(rows: list[list[Tensor]], points: list[tuple[Tensor, Tensor]], names: list[str]) -> Any:
    """A sheet of pictures: a row for each case, a column for each way, the first with arrows.

    Parameters
    ----------
    rows : list of lists of Tensor, shape [3, H, W] in [-1, 1]
    points : list of (Tensor, Tensor), shape [P, 2]
        Handles and targets of each row.
    names : list of str
        Of the columns.
    """
    height, width = rows[0][0].shape[1:]
    head = 14
    page = Image.new(
        "RGB", (SCALE * width * len(names), head + SCALE * height * len(rows)), "white"
    )
    draw = ImageDraw.Draw(page)
    for i, name in enumerate(names):
        draw.text((SCALE * width * i + 4, 1), name, fill="black")
    for j, (row, (handles, targets)) in enumerate(zip(rows, points, strict=True)):
        tiles = to_bytes(torch.stack(row)).transpose(0, 2, 3, 1)
        for i, tile in enumerate(tiles):
            corner = (SCALE * width * i, head + SCALE * height * j)
            big = Image.fromarray(tile).resize((SCALE * width, SCALE * height))
            page.paste(big, corner)
            for (x, y), (u, v) in zip(handles.tolist(), targets.tolist(), strict=True):
                ends = [corner[k] + SCALE * z for z, k in ((x, 0), (y, 1), (u, 0), (v, 1))]
                if i == 0:
                    draw.line(ends, fill="white", width=2)
                    draw.ellipse([ends[0] - 3, ends[1] - 3, ends[0] + 3, ends[1] + 3], fill="red")
                draw.ellipse([ends[2] - 3, ends[3] - 3, ends[2] + 3, ends[3] + 3], fill="blue")
    return page
