"""Editing vectors to look at: for each one the picture before, the picture after, and its name.

The background is left transparent and names are grey, so that both are read on light and on dark.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator

HEIGHT = 128  # of the pictures in a preview, in pixels, at most
SHOWN = 96  # of those in a gallery
COLUMNS = 4
GAP, CAPTION = 12, 22
INK = "#7d838c"


def before_after(generator: Generator, ws_before: Tensor, ws_after: Tensor) -> bytes:
    """Two pictures side by side, small, as WebP."""
    height = generator.resolution
    if generator.config.has_rgb(min(HEIGHT, height)):
        height = min(HEIGHT, height)  # a block's own RGB, for a fraction of the work
    ws = torch.stack([ws_before, ws_after]).to(generator.w_avg)
    with torch.inference_mode():
        images = torch.cat([generator.synthesis(one[None], until=height).image for one in ws])
    picture = tiled(images, columns=2)
    picture.thumbnail((8 * HEIGHT, HEIGHT))
    file = BytesIO()
    picture.save(file, "WEBP", quality=88, method=6)
    return file.getvalue()


def gallery_png(previews: Sequence[tuple[str, bytes]]) -> bytes:
    """Previews with their names below them, in rows, as the bytes of a PNG."""
    tiles = [tile(name, preview) for name, preview in previews]
    columns = min(COLUMNS, len(tiles))
    width = max((picture.width for picture in tiles), default=1) + GAP
    height = SHOWN + CAPTION + GAP
    rows = -(-len(tiles) // columns) if tiles else 0
    sheet = Image.new("RGBA", (max(columns * width - GAP, 1), max(rows * height - GAP, 1)))
    for i, picture in enumerate(tiles):
        sheet.paste(picture, (i % columns * width, i // columns * height))
    file = BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def tile(name: str, preview: bytes) -> Image.Image:
    """One preview and its name. Where there is no picture, or a damaged one, the name alone."""
    width = 2 * SHOWN
    picture = None
    if preview:
        try:
            picture = Image.open(BytesIO(preview), formats=["WEBP"]).convert("RGBA")
        except (OSError, ValueError, SyntaxError):
            name = f"{name} (no preview)"
    if picture:
        width = max(1, round(picture.width * SHOWN / picture.height))
        picture = picture.resize((width, SHOWN), Image.Resampling.LANCZOS)
    whole = Image.new("RGBA", (width, SHOWN + CAPTION))
    if picture:
        whole.paste(picture)
    font = ImageFont.load_default(13)
    draw = ImageDraw.Draw(whole)
    while draw.textlength(name, font) > width and len(name) > 2:
        name = name.rstrip("…")[:-1] + "…"
    draw.text((0, SHOWN + 4), name, INK, font)
    return whole
