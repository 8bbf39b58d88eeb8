"""The strengths and the selection of a batch preview, as Python knows such things.

Both are views of the preview's state and hold nothing themselves: what a hand does on a page is in
them at once, and what is set in them is on all pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, MutableSet, Sequence
from types import MappingProxyType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from nbdrag.widgets.batch_state import BatchState, What


class Alphas(Sequence[float]):
    """How much of the edit each picture gets, in units of w.

    Reads as a sequence of numbers, and as an array: ``numpy.asarray(preview.alphas)``. A strength
    that is set is that picture's own, and stays where it is when the slider moves; deleting it, or
    setting None, makes it automatic again.

    Examples
    --------
    >>> preview.alphas[3] = 1.5  # doctest: +SKIP
    >>> del preview.alphas[3]  # doctest: +SKIP
    >>> preview.alphas[:] = 0.0  # doctest: +SKIP
    """

    def __init__(self, state: BatchState) -> None:
        self._state = state

    @property
    def overrides(self) -> MappingProxyType[int, float]:
        """Pictures with a strength of their own, and that. Read-only."""
        return MappingProxyType(self._state.overrides)

    def reset(self) -> None:
        """Make all strengths automatic again."""
        self._state.reset_alphas()

    def on_change(self, callback: Callable[[Alphas], object]) -> Callable[[], None]:
        """Call back with this after every change, on the thread that made it.

        Returns
        -------
        callable
            Call it to be called back no more.
        """
        return watched(self._state, ("strength", "alphas", "direction"), lambda: callback(self))

    def __len__(self) -> int:
        return self._state.count

    @overload
    def __getitem__(self, item: int) -> float: ...
    @overload
    def __getitem__(self, item: slice) -> list[float]: ...
    def __getitem__(self, item: Any) -> Any:
        alphas = self._state.shown.alphas
        if isinstance(item, slice):
            return alphas[item].tolist()
        try:
            return float(alphas[self._state.item(item)])
        except ValueError as error:
            raise IndexError(str(error)) from None

    def __setitem__(self, item: int | slice, alpha: Any) -> None:
        if not isinstance(item, slice):
            self._state.set_alphas({self._state.item(item): alpha})
            return
        items = range(*item.indices(len(self)))
        alphas = [alpha] * len(items) if np.ndim(alpha) == 0 else list(alpha)
        if len(alphas) != len(items):
            raise ValueError(f"{len(alphas)} strengths were given for {len(items)} pictures.")
        self._state.set_alphas(dict(zip(items, map(plain, alphas), strict=True)))

    def __delitem__(self, item: int | slice) -> None:
        self[item] = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self._state.shown.alphas, dtype=dtype)

    def __repr__(self) -> str:
        alphas = self._state.shown.alphas
        few = ", ".join(f"{alpha:.3g}" for alpha in alphas[:4])
        more = ", …" if len(alphas) > 4 else ""
        own = len(self._state.overrides)
        return f"<Alphas of {len(alphas)} pictures, {own} of their own: {few}{more}>"


class Selection(MutableSet[int]):
    """Which pictures are included: a set of their numbers.

    Examples
    --------
    >>> preview.selection.discard(3)  # doctest: +SKIP
    >>> preview.selection.update(range(100))  # doctest: +SKIP
    >>> 3 in preview.selection  # doctest: +SKIP
    """

    def __init__(self, state: BatchState) -> None:
        self._state = state

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True for each picture that is included; a copy."""
        return self._state.included.copy()

    def add(self, item: int) -> None:
        """Include a picture."""
        self._state.include([item], True)

    def discard(self, item: int) -> None:
        """Leave a picture out."""
        self._state.include([item], False)

    def update(self, items: Iterable[int]) -> None:
        """Include pictures."""
        self._state.include(items, True)

    def difference_update(self, items: Iterable[int]) -> None:
        """Leave pictures out."""
        self._state.include(items, False)

    def clear(self) -> None:
        """Leave all out."""
        self._state.select([])

    def fill(self) -> None:
        """Include all."""
        self._state.select(range(self._state.count))

    def invert(self) -> None:
        """Include those that were left out, and no others."""
        self._state.select(~self._state.included)

    def on_change(self, callback: Callable[[Selection], object]) -> Callable[[], None]:
        """Call back with this after every change; see `Alphas.on_change`."""
        return watched(self._state, ("selection",), lambda: callback(self))

    def __contains__(self, item: object) -> bool:
        try:
            return bool(self._state.included[self._state.item(item)])
        except ValueError:
            return False

    def __iter__(self) -> Iterator[int]:
        return iter(np.flatnonzero(self._state.included).tolist())

    def __len__(self) -> int:
        return int(self._state.included.sum())

    @classmethod
    def _from_iterable(cls, items: Iterable[int]) -> set[int]:  # type: ignore[override]
        return set(items)  # what comes of two selections is an ordinary set

    def __repr__(self) -> str:
        return f"<Selection of {len(self)} of {self._state.count} pictures>"


def watched(
    state: BatchState, what: Sequence[What], callback: Callable[[], object]
) -> Callable[[], None]:
    """Call back after every change of these; until what this returns is called."""

    def watcher(changed: What) -> None:
        if changed in what:
            try:
                callback()
            except Exception as error:  # whoever moves the slider must not suffer from it
                state.complain(f"on_change: {type(error).__name__}: {error}")

    state.watchers.append(watcher)
    return lambda: state.watchers.remove(watcher)


def plain(alpha: Any) -> Any:
    """A number of Python's, of one of torch's or numpy's."""
    return alpha.item() if hasattr(alpha, "item") else alpha
