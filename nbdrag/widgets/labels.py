"""Painting parts: what a stroke does to a part map.

A part map is a uint8 array [H, W]: which part each pixel shows. It starts as the original one, that
the generator's segmenter found in the picture. A pixel belongs to a stroke when its centre does;
the page draws by the same rules, so that what it shows at once is what will come of it.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nbdrag.editing.features import Size
from nbdrag.widgets.from_page import MovePart, PaintLabels
from nbdrag.widgets.mask import MaskArray, inside, near

LabelArray = NDArray[np.uint8]

OTHER_SIDE = {"left": "right", "right": "left"}


def painted(
    labels: LabelArray, original: LabelArray, stroke: PaintLabels, mirrored: Sequence[int]
) -> LabelArray:
    """A new part map: the old one with one stroke on it.

    Parameters
    ----------
    labels, original : uint8 arrays, shape [H, W]
        What was painted before; what the erasers bring back.
    stroke : PaintLabels
        Its path is in pixels; parts outside the picture are allowed.
    mirrored : sequence of int
        For each part that of the other side, as `mirrors` tells.

    Raises
    ------
    ValueError
        If the stroke paints no part, or one that there isn't.
    """
    erases = stroke.tool in ("eraser", "lasso_eraser")
    part = 0 if erases else check_part(stroke.part, len(mirrored))
    path = np.asarray(stroke.path, dtype=np.float64)
    halves = [(path, part)]
    if stroke.mirror:
        halves.append((path * (-1, 1) + (labels.shape[1], 0), mirrored[part]))
    for line, paint in halves:
        region = _covered(labels, line, stroke)
        labels = np.where(region, original if erases else np.uint8(paint), labels)
    return labels


def moved(labels: LabelArray, move: MovePart, mirrored: Sequence[int]) -> LabelArray:
    """A new part map: with some of its parts moved and scaled; see `MovePart` and `painted`.

    Raises
    ------
    ValueError
        If there is no such part in the map, or no other beside those that move.
    """
    parts = {check_part(part, len(mirrored)) for part in move.parts}
    halves = [(parts, move.dx)]
    if move.mirror:
        halves.append(({mirrored[part] for part in parts} - parts, -move.dx))
    if not any(np.isin(labels, [*half]).any() for half, _ in halves):
        raise ValueError("nothing here is of the parts that are to move; paint them first.")
    for half, dx in halves:
        labels = _moved(labels, np.isin(labels, [*half]), dx, move)
    return labels


def _moved(labels: LabelArray, moving: MaskArray, dx: float, move: MovePart) -> LabelArray:
    if not moving.any():
        return labels
    height, width = labels.shape
    rows, columns = moving.nonzero()
    source_x = _source(columns, width, dx, move.scale_x)
    source_y = _source(rows, height, move.dy, move.scale_y)
    # What comes from outside the picture comes from nowhere.
    within = (source_y >= 0)[:, None] & (source_x >= 0)
    source = np.ix_(source_y, source_x)
    return np.where(within & moving[source], labels[source], filled(labels, moving))


def filled(labels: LabelArray, holes: MaskArray) -> LabelArray:
    """The map with its holes closed from beside, ring by ring.

    A pixel takes the label above it, or else to its left, to its right, below it, whichever the
    rings before have first.
    """
    if holes.all():
        raise ValueError("these parts are all there is; nothing is left to fill their place with.")
    box = tuple(
        slice(max(places[0] - 1, 0), places[-1] + 2)
        for places in (np.flatnonzero(holes.any(axis=1)), np.flatnonzero(holes.any(axis=0)))
    )
    inner, holes = np.pad(labels[box], 1), np.pad(holes[box], 1)
    known = ~holes
    known[[0, -1]] = known[:, [0, -1]] = False  # what is only padding is nothing to take
    while holes.any():
        found = np.zeros_like(holes)
        for shift, axis in ((1, 0), (1, 1), (-1, 1), (-1, 0)):
            taken = holes & ~found & np.roll(known, shift, axis)
            inner = np.where(taken, np.roll(inner, shift, axis), inner)
            found |= taken
        known, holes = known | found, holes & ~found
    labels = labels.copy()
    labels[box] = inner[1:-1, 1:-1]
    return labels


def hanging_together(labels: LabelArray, x: float, y: float) -> MaskArray:
    """Pixels of one part that hang together, by their sides, with the one at (x, y); or none."""
    height, width = labels.shape
    found = np.zeros(labels.shape, dtype=np.bool_)
    column, row = int(np.floor(x)), int(np.floor(y))
    if not (0 <= column < width and 0 <= row < height):
        return found
    same = labels == labels[row, column]
    ahead = [(row, column)]
    while ahead:
        row, column = ahead.pop()
        if found[row, column]:
            continue
        walls = np.flatnonzero(~same[row])
        right_wall = np.searchsorted(walls, column)
        left = int(walls[right_wall - 1]) + 1 if right_wall else 0
        right = int(walls[right_wall]) if right_wall < len(walls) else width
        found[row, left:right] = True
        for beside in {max(row - 1, 0), min(row + 1, height - 1)} - {row}:
            open_ = same[beside, left:right] & ~found[beside, left:right]
            begins = np.flatnonzero(open_ & ~np.insert(open_, 0, False)[:-1])
            ahead += [(beside, left + begin) for begin in begins.tolist()]
    return found


def checked(labels: ArrayLike, size: Size, count: int) -> LabelArray:
    """A part map somebody gave, as an own uint8 array.

    Raises
    ------
    ValueError
        If it holds no whole numbers, is not [H, W] as the picture is, or names a part of which
        there are only `count`.
    """
    try:
        array = np.array(labels)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"labels can't be read as an array ({error}); expected whole numbers, {list(size)}"
        ) from None
    if array.dtype.kind not in "iu":
        raise ValueError(
            f"labels has dtype {array.dtype}; expected whole numbers, the indices of the parts"
        )
    if array.shape != size:
        raise ValueError(
            f"labels has shape {list(array.shape)}, but the picture is {list(size)}, height and "
            "width"
        )
    low, high = int(array.min()), int(array.max())
    if low < 0 or high >= count:
        raise ValueError(
            f"labels holds {low if low < 0 else high}, but there are {count} parts, which count "
            "from 0"
        )
    return array.astype(np.uint8)


def check_part(part: int | None, count: int) -> int:
    """A part that there is."""
    if part is None:
        raise ValueError("the stroke says no part to paint; choose one, or erase.")
    if part >= count:
        raise ValueError(f"part is {part}, but there are {count} parts, which count from 0.")
    return part


def mirrors(names: Sequence[str]) -> list[int]:
    """For each part, by name, the one of the other side; itself, if it has none.

    Sides are what names begin or end with: left_eye and right_eye, ear-left and ear-right.
    """
    places = {name.lower(): i for i, name in enumerate(names)}
    return [places.get(_other_side(name.lower()), i) for i, name in enumerate(names)]


def packed(labels: LabelArray) -> bytes:
    """A part map as it is kept and sent: a byte a pixel, row after row, compressed."""
    return zlib.compress(labels.tobytes(), 1)


def unpacked(data: bytes, size: Size) -> LabelArray:
    """The part map that was packed. Can't be written to."""
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(size)


def _covered(labels: LabelArray, path: NDArray[np.float64], stroke: PaintLabels) -> MaskArray:
    height, width = labels.shape
    if stroke.tool == "fill":
        return hanging_together(labels, *path[0])
    if stroke.tool in ("lasso", "lasso_eraser"):
        return inside(path, (height, width))
    return near(path, stroke.radius, (height, width))


def _source(
    occupied: NDArray[np.intp], length: int, shift: float, scale: float
) -> NDArray[np.intp]:
    """Along one axis: where the pixel comes from that is shown at each place; -1 for outside."""
    centre = (int(occupied.min()) + int(occupied.max()) + 1) / 2
    source = np.floor(centre + (np.arange(length) + 0.5 - centre - shift) / scale)
    return np.where((source < 0) | (source >= length), -1, source).astype(np.intp)


def _other_side(name: str) -> str:
    for side, other in OTHER_SIDE.items():
        for mark in "_- ":
            if name.startswith(side + mark):
                return other + name.removeprefix(side)
            if name.endswith(mark + side):
                return name.removesuffix(side) + other
    return name
