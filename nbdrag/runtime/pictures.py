"""Tensors to pixels, and pixels to the bytes of a picture file.

JPEG while a picture moves, lossless WebP when it rests: of Pillow's encoders these are the fast
ones (at 256 px 0.4 and 1.6 ms). Chroma is kept at full resolution, since the portraits' lips and
eyes are a few pixels wide.
"""

from __future__ import annotations

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor


def to_pixels(image: Tensor) -> NDArray[np.uint8]:
    """A picture [3, H, W] in [-1, 1] as bytes [H, W, 3] in 0 .. 255; what lies beyond is clipped.

    Raises
    ------
    ValueError
        If the picture has another shape.
    """
    if image.ndim != 3 or image.shape[0] != 3:
        raise ValueError(f"image has shape {list(image.shape)}; expected one picture, [3, H, W].")
    # In numpy: this runs on the sender's thread and must not compete for torch's threads.
    values = image.detach().cpu().float().numpy().transpose(1, 2, 0)
    return np.rint((values + 1) * 127.5).clip(0, 255).astype(np.uint8)


def to_pil(image: Tensor) -> Image.Image:
    """A picture [3, H, W] in [-1, 1] as a PIL image."""
    return Image.fromarray(to_pixels(image), "RGB")


def jpeg(picture: Image.Image) -> bytes:
    """Small and fast, for a picture that moves."""
    return _encoded(picture, "JPEG", quality=85, subsampling=0)


def webp(picture: Image.Image) -> bytes:
    """Lossless, for a picture at rest."""
    return _encoded(picture, "WEBP", lossless=True, method=0)


def png(picture: Image.Image) -> bytes:
    """Lossless, for a file that every program reads."""
    return _encoded(picture, "PNG")


def thumbnail(picture: Image.Image, size: int = 64) -> bytes:
    """A JPEG at most `size` pixels wide and high."""
    small = picture.copy()
    small.thumbnail((size, size))
    return jpeg(small)


def _encoded(picture: Image.Image, encoding: str, **options: object) -> bytes:
    file = BytesIO()
    picture.save(file, encoding, **options)
    return file.getvalue()
