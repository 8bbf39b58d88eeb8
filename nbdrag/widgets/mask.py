"""Where the picture may move: strokes become pixels here, and pixels become bits for the page.

A mask is a bool array [H, W], True where the picture may move. A pixel belongs to a stroke when
its centre does.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbdrag.editing.features import Size
from nbdrag.widgets.from_page import PaintMask

MaskArray = NDArray[np.bool_]


def painted(mask: MaskArray | None, stroke: PaintMask, size: Size) -> MaskArray:
    """A new mask: the old one with one stroke on it.

    Parameters
    ----------
    mask : bool array, shape [H, W], optional
        Without one, a brush or lasso starts from nothing and an eraser from everything.
    stroke : PaintMask
        Its path is in pixels; parts outside the picture are allowed.
    size : (int, int)
        Height and width of the picture, in pixels.
    """
    adds = stroke.tool in ("brush", "lasso")
    if mask is None:
        mask = np.full(size, not adds)
    path = np.asarray(stroke.path, dtype=np.float64)
    if stroke.tool in ("lasso", "lasso_eraser"):
        region = inside(path, size)
    else:
        region = near(path, stroke.radius, size)
    return mask | region if adds else mask & ~region


def near(path: NDArray[np.float64], radius: float, size: Size) -> MaskArray:
    """Pixels whose centre is within `radius` of the open line along `path` [P, 2]."""
    region = np.zeros(size, dtype=np.bool_)
    for start, end in zip(path[:1].tolist() + path[:-1].tolist(), path.tolist(), strict=True):
        _cover(region, np.array(start), np.array(end), radius)
    return region


def inside(path: NDArray[np.float64], size: Size) -> MaskArray:
    """Pixels whose centre the closed polygon along `path` [P, 2] winds around.

    Each edge, where it crosses a row of centres, turns the winding number of everything to its
    right up or down by one; a running sum along the rows adds the edges up.
    """
    height, width = size
    turns = np.zeros((height, width + 1), dtype=np.int32)
    for (x0, y0), (x1, y1) in zip(path, np.roll(path, -1, axis=0), strict=True):
        low, high = np.clip(np.ceil(np.sort([y0, y1]) - 0.5), 0, height).astype(int)
        rows = np.arange(low, high)
        if rows.size:
            crossing = x0 + (rows + 0.5 - y0) / (y1 - y0) * (x1 - x0)
            columns = np.clip(np.ceil(crossing - 0.5), 0, width).astype(int)
            turns[rows, columns] += 1 if y1 > y0 else -1
    wound: MaskArray = np.cumsum(turns, axis=1)[:, :-1] != 0
    return wound


def checked(mask: ArrayLike | None, size: Size) -> MaskArray | None:
    """A mask somebody gave, as an own bool array; None stands for everywhere.

    Raises
    ------
    ValueError
        If it is not boolean, not [H, W] as the picture is, or nowhere True.
    """
    if mask is None:
        return None
    try:
        array = np.array(mask)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"mask can't be read as an array ({error}); expected bool, {list(size)}"
        ) from None
    if array.dtype != np.bool_:
        raise ValueError(
            f"mask has dtype {array.dtype}, but needs bool, True where the picture may move: "
            "write mask > 0"
        )
    if array.shape != size:
        raise ValueError(
            f"mask has shape {list(array.shape)}, but the picture is {list(size)}, height and width"
        )
    if not array.any():
        raise ValueError(
            "mask is False everywhere, so nothing may move: set some pixels True, or mask = None"
        )
    return array


def same(one: MaskArray | None, other: MaskArray | None) -> bool:
    """Whether the same pixels may move."""
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other))


def bits(mask: MaskArray) -> bytes:
    """The mask as the page reads it: one bit a pixel, row after row, lowest bit first."""
    return np.packbits(mask, bitorder="little").tobytes()


def _cover(
    region: MaskArray, start: NDArray[np.float64], end: NDArray[np.float64], radius: float
) -> None:
    """Set the pixels within `radius` of one straight piece, looking only at the box around it."""
    most = region.shape[1], region.shape[0]  # as (x, y)
    low = np.clip(np.floor(np.minimum(start, end) - radius), 0, most).astype(int)
    high = np.clip(np.ceil(np.maximum(start, end) + radius), 0, most).astype(int)
    box = region[low[1] : high[1], low[0] : high[0]]
    if box.all():
        return
    x = np.arange(low[0], high[0]) + 0.5 - start[0]
    y = np.arange(low[1], high[1])[:, None] + 0.5 - start[1]
    along = end - start
    length = max(float(along @ along), 1e-12)
    fraction = np.clip((x * along[0] + y * along[1]) / length, 0, 1)
    box |= (x - fraction * along[0]) ** 2 + (y - fraction * along[1]) ** 2 <= radius**2
