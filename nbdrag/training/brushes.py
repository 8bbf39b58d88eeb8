"""Painting a part map as a person would, but from numbers, so that it can be done again.

Maps are uint8 arrays [H, W]; parts are given as their labels. Every function returns a new map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

LabelMap = NDArray[np.uint8]
Grid = NDArray[np.float64]
Warp = Callable[[Grid, Grid], tuple[Grid, Grid]]


def warped(labels: LabelMap, parts: Sequence[int], warp: Warp) -> LabelMap:
    """Bend some parts; what lies around them stays, and grows into what they leave.

    Parameters
    ----------
    warp : callable
        From x and y of every pixel's centre, [H, W] each, to where its part comes from.
    """
    height, width = labels.shape
    y, x = np.mgrid[0.5:height, 0.5:width]
    from_x, from_y = (np.floor(place).astype(int) for place in warp(x, y))
    within = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    source = labels[from_y.clip(0, height - 1), from_x.clip(0, width - 1)]
    moving = np.isin(labels, parts)
    return np.where(within & np.isin(source, parts), source, filled(labels, moving))


def scaled(
    labels: LabelMap,
    parts: Sequence[int],
    scale_x: float,
    scale_y: float,
    centre: tuple[float, float] | None = None,
) -> LabelMap:
    """Make parts larger or smaller about a point; default: the middle of their box."""
    cx, cy = middle(labels, parts) if centre is None else centre
    return warped(labels, parts, lambda x, y: (cx + (x - cx) / scale_x, cy + (y - cy) / scale_y))


def shifted(labels: LabelMap, parts: Sequence[int], dx: float, dy: float) -> LabelMap:
    """Move parts."""
    return warped(labels, parts, lambda x, y: (x - dx, y - dy))


def bent(labels: LabelMap, parts: Sequence[int], lift: float) -> LabelMap:
    """Lift the left and right ends of parts, and lower their middle by half as much.

    The pixel at a share t of the way from the middle to an end rises by `lift` (t² - 1/3): on the
    whole, they stay where they are.
    """
    left, _, right, _ = box(labels, parts)
    centre, reach = (left + right) / 2, (right - left) / 2

    def warp(x: Grid, y: Grid) -> tuple[Grid, Grid]:
        t = ((x - centre) / reach).clip(-1, 1)
        return x, y + lift * (t * t - 1 / 3)

    return warped(labels, parts, warp)


def brushed(
    labels: LabelMap,
    part: int,
    path: Sequence[tuple[float, float]],
    radius: float,
    over: Sequence[int] | None = None,
) -> LabelMap:
    """Paint a part along a line of points (x, y), perhaps only over certain other parts."""
    height, width = labels.shape
    y, x = np.mgrid[0.5:height, 0.5:width]
    near = np.zeros(labels.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(path, [*path[1:], path[-1]], strict=True):
        length = (bx - ax) ** 2 + (by - ay) ** 2
        t = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length if length else 0.0
        t = np.clip(t, 0, 1)
        near |= np.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay)) <= radius
    if over is not None:
        near &= np.isin(labels, over)
    return np.where(near, np.uint8(part), labels)


def filled(labels: LabelMap, holes: NDArray[np.bool_]) -> LabelMap:
    """Close holes with the part of the nearest pixel beside them."""
    known = np.argwhere(~holes)
    closed = labels.copy()
    for row, column in np.argwhere(holes):
        nearest = known[((known - (row, column)) ** 2).sum(1).argmin()]
        closed[row, column] = labels[tuple(nearest)]
    return closed


def box(labels: LabelMap, parts: Sequence[int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom edge of parts, in pixels.

    Raises
    ------
    ValueError
        If there is nothing of them.
    """
    rows, columns = np.isin(labels, parts).nonzero()
    if not len(rows):
        raise ValueError(f"there is nothing of the parts {list(parts)} in this map.")
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def middle(labels: LabelMap, parts: Sequence[int]) -> tuple[float, float]:
    """The middle of the box around parts."""
    left, top, right, bottom = box(labels, parts)
    return (left + right) / 2, (top + bottom) / 2
