"""A few pictures of a batch on one sheet, before and after, for where nothing is live.

As a gallery of vectors, it is read on light and on dark: the background is left transparent, and
what is written is grey.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

INK = "#7d838c"
SHOWN = 96  # pixels: the height of a picture
GAP, CAPTION, HEADER = 10, 20, 26


class Column(NamedTuple):
    """A picture before and after as JPEG, either empty if it can't be shown, and a caption."""

    before: bytes
    after: bytes
    caption: str


def sheet(title: str, columns: Sequence[Column]) -> Image.Image:
    """Pictures side by side, each above what it was edited to; RGBA.

    Parameters
    ----------
    title : str
        Above all of them.
    columns : sequence of Column
        The example first.
    """
    pairs = [[opened(data) for data in column[:2]] for column in columns]
    widest = max((one.width for pair in pairs for one in pair if one), default=SHOWN)
    step = widest + GAP
    size = (max(1, len(columns)) * step - GAP, HEADER + 2 * SHOWN + 4 + CAPTION)
    whole = Image.new("RGBA", size)
    draw = ImageDraw.Draw(whole)
    draw.text((0, 4), title, INK, ImageFont.load_default(14))
    for i, (pair, column) in enumerate(zip(pairs, columns, strict=True)):
        for row, picture in enumerate(pair):
            if picture is not None:
                whole.paste(picture, (i * step, HEADER + row * (SHOWN + 4)))
        place = (i * step, HEADER + 2 * SHOWN + 8)
        draw.text(place, column.caption, INK, ImageFont.load_default(12))
    return whole


def webp(picture: Image.Image) -> bytes:
    """The sheet for a notebook file: small."""
    file = BytesIO()
    picture.save(file, "WEBP", quality=82, method=4)
    return file.getvalue()


def opened(data: bytes) -> Image.Image | None:
    """A picture of a sheet's height."""
    if not data:
        return None
    picture = Image.open(BytesIO(data)).convert("RGB")
    width = max(1, round(picture.width * SHOWN / picture.height))
    return picture.resize((width, SHOWN), Image.Resampling.LANCZOS)
