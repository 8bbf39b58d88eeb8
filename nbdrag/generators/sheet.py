"""A sheet of samples: what a generator makes, at a glance."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import Generator

SMALL = 128  # pixels: the highest block whose picture a glance needs
TRUNCATION = 0.7


def samples(generator: Generator, count: int, seed: int = 0) -> Tensor:
    """Pictures of a few seeds, [count, 3, h, w] in [-1, 1], no higher than 128 pixels if possible.

    A block's own RGB is a small picture for a fraction of the work. Generators that make RGB in
    their last block alone have none, and take their time. Classes come one after the other.
    """
    height = generator.resolution
    if generator.config.has_rgb(min(SMALL, height)):
        height = min(SMALL, height)
    parameter = generator.w_avg
    rng = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=rng).to(parameter)
    labels = None
    if generator.num_labels:
        labels = torch.eye(generator.num_labels).to(parameter)[
            torch.arange(count) % generator.num_labels
        ]
    with torch.inference_mode():
        ws = generator.mapping(z, labels, truncation=TRUNCATION)
        # One by one: the memory of one picture, however many there are.
        return torch.cat([generator.synthesis(w[None], until=height).image for w in ws])


def sheet_png(generator: Generator, count: int = 8) -> bytes:
    """The samples in a row, as the bytes of a PNG."""
    file = BytesIO()
    tiled(samples(generator, count), columns=count).save(file, "PNG")
    return file.getvalue()


def tiled(images: Tensor, *, columns: int) -> Image.Image:
    """Pictures [N, 3, H, W] side by side, row by row; N is a multiple of the columns."""
    n, _, height, width = images.shape
    tiles = to_bytes(images).reshape(n // columns, columns, 3, height, width)
    return Image.fromarray(tiles.transpose(0, 3, 1, 4, 2).reshape(-1, columns * width, 3))


def to_bytes(images: Tensor) -> NDArray[np.uint8]:
    """Quantise pictures in [-1, 1], rounding to the nearest of 256 levels."""
    levels = images.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    quantised: NDArray[np.uint8] = levels.cpu().numpy()
    return quantised
