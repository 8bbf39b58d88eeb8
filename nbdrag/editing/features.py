"""Reading a small feature map as if it had been resized to the picture.

The papers resize the features of a middle block, [C, h, h], bilinearly to the picture's
[C, H, H] and read a few pixels of it. Resizing is linear, and each of its pixels depends on four
cells of the map; so only the pixels wanted need ever be made:

    pixel at integer (i, j) = cells around ((i + 1/2) h/H - 1/2, (j + 1/2) h/H - 1/2), weighted
    value at any (x, y)     = pixels around (x - 1/2, y - 1/2), weighted

Both weightings are products of one-dimensional ones. The result equals resizing and then
sampling, exactly, between pixel centres too, at a cost that doesn't depend on H.

Positions are (x, y) in pixels of the picture, pixel centres at +0.5. Beyond the outermost centres
the map continues with the values of its border.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, interpolate


def sample(features: Tensor, points: Tensor, resolution: int) -> Tensor:
    """Values at `points` of a feature map resized bilinearly to the picture.

    Parameters
    ----------
    features : Tensor, shape [C, h, h]
        Gradients flow to it.
    points : Tensor, shape [..., 2]
        Positions (x, y) in pixels of the picture.
    resolution : int
        Height and width H of the picture, at least h.

    Returns
    -------
    Tensor, shape [..., C]
    """
    channels, size, _ = features.shape
    flat = points.reshape(-1, 2)
    columns, weights_x = _cells(flat[:, 0], size, resolution)
    rows, weights_y = _cells(flat[:, 1], size, resolution)
    cells = rows[:, :, None] * size + columns[:, None, :]  # [Q, 4, 4]
    weights = weights_y[:, :, None] * weights_x[:, None, :]
    # A weighted sum of table rows is what an embedding bag is; no [Q, 16, C] is ever built.
    values = embedding_bag(
        cells.flatten(1),
        features.permute(1, 2, 0).reshape(size * size, channels),
        per_sample_weights=weights.flatten(1).to(features.dtype),
        mode="sum",
    )
    return values.reshape(*points.shape[:-1], channels)


def sampling_weight(region: Tensor, size: int) -> Tensor:
    """How much the pixels of a region read from each cell of a feature map, in pixels.

    The transpose of resizing: cell (k, l) gets the sum, over the region's pixels, of the weights
    with which the resized map reads that cell. Where resolution and size agree it is the region.

    Parameters
    ----------
    region : Tensor, shape [H, H]
        1 inside, 0 outside.
    size : int
        Height and width h of the feature map.

    Returns
    -------
    Tensor, shape [h, h], whose sum is the region's area
    """
    identity = torch.eye(size, dtype=region.dtype, device=region.device)
    spread = interpolate(identity[None], size=len(region), mode="linear", align_corners=False)[0]
    return spread @ region @ spread.T


def _cells(position: Tensor, size: int, resolution: int) -> tuple[Tensor, Tensor]:
    """Along one axis: the cells [Q, 4] that positions [Q] read, and with which weights."""
    pixels, pixel_weights = _neighbours(position - 0.5, resolution)  # [Q, 2]
    cells, cell_weights = _neighbours((pixels + 0.5) * (size / resolution) - 0.5, size)
    return cells.long().flatten(1), (cell_weights * pixel_weights[..., None]).flatten(1)


def _neighbours(index: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The two grid indices around fractional ones [...], kept in the grid: [..., 2] each."""
    below = index.floor()
    part = index - below
    both = torch.stack([below, below + 1], dim=-1).clamp(0, count - 1)
    return both, torch.stack([1 - part, part], dim=-1)
