"""Handle and target points as somebody gives them, checked: rows of handle x, y, target x, y."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from nbdrag.editing.features import Size
from nbdrag.widgets.protocol import MAX_POINTS

Pair = tuple[float, float, float, float]


def checked(points: ArrayLike, size: Size, present: Sequence[Pair] = ()) -> tuple[Pair, ...]:
    """The points as tuples of numbers.

    Parameters
    ----------
    points : array_like, shape [P, 4] or [P, 2, 2]
        P pairs, from none to 64, in pixels of the picture, pixel centres at +0.5.
    size : (int, int)
        Height and width of the picture.
    present : sequence of Pair
        Those placed already. Tracking may have led two of their handles to one place; only there
        can two handles be.

    Raises
    ------
    ValueError
        If they have another shape, are too many, lie outside the picture or are not finite, or if
        two handles are at the same place.
    """
    rows, (height, width) = _rows(points), size
    if len(rows) > MAX_POINTS:
        raise ValueError(f"points has {len(rows)} pairs; {MAX_POINTS} are the most.")
    for i, row in enumerate(rows):
        for what, (x, y) in (("handle", row[:2]), ("target", row[2:])):
            if not (0 <= x <= width and 0 <= y <= height):  # False for NaN, too
                raise ValueError(
                    f"points[{i}] has its {what} at ({x:g}, {y:g}), outside the picture; x must be "
                    f"a number from 0 to {width}, and y one from 0 to {height}."
                )
    met = Counter(row[:2] for row in present)
    for handle, count in Counter(row[:2] for row in rows).items():
        if count > max(1, met[handle]):
            x, y = handle
            raise ValueError(
                f"points has {count} handles at ({x:g}, {y:g}), which can't go to {count} places; "
                "keep one of them."
            )
    return rows


def _rows(points: ArrayLike) -> tuple[Pair, ...]:
    wanted = "expected rows of [handle x, handle y, target x, target y]"
    try:
        array = np.asarray(points)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"points can't be read as an array ({error}); {wanted}.") from None
    if array.size == 0:
        return ()
    if array.dtype.kind not in "iuf":
        raise ValueError(f"points holds {array.dtype} values; {wanted}, in pixels.")
    if array.shape[1:] not in ((4,), (2, 2)):
        raise ValueError(f"points has shape {list(array.shape)}; {wanted}.")
    rows = array.astype(np.float64).reshape(-1, 4).tolist()
    return tuple((hx, hy, tx, ty) for hx, hy, tx, ty in rows)
