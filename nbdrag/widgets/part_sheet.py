"""A picture beside its part map and the parts' names: what shows where there is no widget."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from nbdrag.generators.segmenter import Part
from nbdrag.widgets.labels import LabelArray

LEAST = 320  # pixels that a smaller picture is enlarged to, in height, so that names can be read
ROW, GAP, SWATCH = 18, 8, 12
PAPER, INK = "#ffffff", "#333333"


def part_sheet(picture: Image.Image, labels: LabelArray, parts: Sequence[Part]) -> Image.Image:
    """Picture, part map and legend, from left to right.

    Parameters
    ----------
    picture : Image
        RGB, H x W.
    labels : uint8 array, shape [H, W]
        The place of each pixel's part among `parts`.
    parts : sequence of Part
        All get a line of the legend.

    Returns
    -------
    Image
        RGB. Small ones are enlarged by a whole number; each pixel of the map is a square then.
    """
    factor = max(1, ceil(LEAST / picture.height))
    size = width, height = picture.width * factor, picture.height * factor
    names = [part.name.replace("_", " ") for part in parts]
    font = ImageFont.load_default(ROW * 0.7)
    column = SWATCH + GAP + ceil(max(map(font.getlength, names), default=0)) + 2 * GAP
    rows = max(1, (height + GAP) // ROW)
    columns = ceil(len(parts) / rows)

    sheet = Image.new("RGB", (2 * (width + GAP) + columns * column, height), PAPER)
    sheet.paste(picture.resize(size, Image.Resampling.BICUBIC), (0, 0))
    sheet.paste(coloured(labels, parts).resize(size, Image.Resampling.NEAREST), (width + GAP, 0))
    draw = ImageDraw.Draw(sheet)
    for i, (part, name) in enumerate(zip(parts, names, strict=True)):
        left = 2 * (width + GAP) + i // rows * column + GAP
        middle = i % rows * ROW + ROW // 2
        top = middle - SWATCH // 2
        draw.rounded_rectangle((left, top, left + SWATCH, top + SWATCH), 3, part.colour, INK)
        draw.text((left + SWATCH + GAP, middle), name, INK, font, "lm")
    return sheet


def coloured(labels: LabelArray, parts: Sequence[Part]) -> Image.Image:
    """The part map, each part in its colour."""
    palette = np.array([ImageColor.getrgb(part.colour)[:3] for part in parts], dtype=np.uint8)
    return Image.fromarray(palette[labels], "RGB")
