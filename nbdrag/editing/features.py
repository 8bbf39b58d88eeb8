"""Reading a small feature map as if it had been resized to the picture.

The papers resize the features of a middle block, [C, h, w], bilinearly to the picture's
[C, H, W] and read a few pixels of it. Resizing is linear, and each of its pixels depends on four
cells of the map; so only the pixels wanted need ever be made:

    pixel at integer (i, j) = cells around ((i + 1/2) w/W - 1/2, (j + 1/2) h/H - 1/2), weighted
    value at any (x, y)     = pixels around (x - 1/2, y - 1/2), weighted

Both weightings are products of one-dimensional ones. The result equals resizing and then
sampling, exactly, between pixel centres too, at a cost that doesn't depend on H and W.

Positions are (x, y) in pixels of the picture, pixel centres at +0.5. Beyond the outermost centres
the map continues with the values of its border.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, interpolate

Size: TypeAlias = tuple[int, int]
"""Height and width, in pixels or cells; the order of a tensor's axes, not of a point's."""


def sample(features: Tensor, points: Tensor, size: Size) -> Tensor:
    """Values at `points` of a feature map resized bilinearly to the picture.

    Parameters
    ----------
    features : Tensor, shape [C, h, w]
        Gradients flow to it.
    points : Tensor, shape [..., 2]
        Positions (x, y) in pixels of the picture.
    size : (int, int)
        Height and width of the picture, at least h and w.

    Returns
    -------
    Tensor, shape [..., C]
    """
    channels, height, width = features.shape
    flat = points.reshape(-1, 2)
    columns, weights_x = _cells(flat[:, 0], width, size[1])
    rows, weights_y = _cells(flat[:, 1], height, size[0])
    # Only the part that is read is looked at, and in a type that sums are good in.
    top, left = int(rows.min()), int(columns.min())
    part = features.permute(1, 2, 0)[top : int(rows.max()) + 1, left : int(columns.max()) + 1]
    part = part.to(torch.promote_types(features.dtype, torch.float32))
    cells = (rows[:, :, None] - top) * part.shape[1] + columns[:, None, :] - left  # [Q, 4, 4]
    weights = weights_y[:, :, None] * weights_x[:, None, :]
    # A weighted sum of table rows is what an embedding bag is; no [Q, 16, C] is ever built.
    values = embedding_bag(
        cells.flatten(1),
        part.flatten(0, 1),
        per_sample_weights=weights.flatten(1).to(part.dtype),
        mode="sum",
    )
    return values.reshape(*points.shape[:-1], channels)


def sampling_weight(region: Tensor, size: Size) -> Tensor:
    """How much the pixels of a region read from each cell of a feature map, in pixels.

    The transpose of resizing: cell (k, l) gets the sum, over the region's pixels, of the weights
    with which the resized map reads that cell. If the map is as large as the picture, it is the
    region.

    Parameters
    ----------
    region : Tensor, shape [H, W]
        1 inside, 0 outside.
    size : (int, int)
        Height and width of the feature map.

    Returns
    -------
    Tensor, shape [h, w], whose sum is the region's area
    """
    down, across = (
        interpolate(
            torch.eye(cells, dtype=region.dtype, device=region.device)[None],
            size=pixels,
            mode="linear",
            align_corners=False,
        )[0]
        for cells, pixels in zip(size, region.shape, strict=True)
    )
    return down @ region @ across.T


def _cells(position: Tensor, count: int, pixel_count: int) -> tuple[Tensor, Tensor]:
    """Along one axis: the cells [Q, 4] that positions [Q] read, and with which weights."""
    pixels, pixel_weights = _neighbours(position - 0.5, pixel_count)  # [Q, 2]
    cells, cell_weights = _neighbours((pixels + 0.5) * (count / pixel_count) - 0.5, count)
    return cells.long().flatten(1), (cell_weights * pixel_weights[..., None]).flatten(1)


def _neighbours(index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The two grid indices around fractional ones [...], kept in the grid: [..., 2] each."""
    below = index.floor()
    part = index - below
    both = torch.stack([below, below + 1], dim=-1).clamp(0, count - 1)
    return both, torch.stack([1 - part, part], dim=-1)
