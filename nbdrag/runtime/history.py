"""Where one has been: every picture of a session, to go back to and forth.

The history is a line of entries and a cursor on one of them, the picture shown. Going anywhere
moves the cursor; a new picture is put after it, and what lay beyond is forgotten. Each entry says
what led to it: a start (a seed drawn, a latent set) or an edit of the entry before it. So the
entries from the last start up to the cursor are the recipe of the picture shown.

A history is not locked; its owner is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import index as whole

from torch import Tensor

from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Edit, Given, Mask, Pair, Sampled, Start, kept, method

LIMIT = 200


@dataclass(frozen=True, eq=False)
class Entry:
    """A picture, and what one had placed on it.

    Attributes
    ----------
    id : int
        Never used twice in a history.
    label : str
        What led here, in a few words.
    ws : Tensor, shape [num_ws, w_dim]
    points : tuple of (handle x, handle y, target x, target y)
        In pixels of the picture.
    mask : bool array, shape [H, W], or None
        True where the picture may move. Can't be written to.
    change : Sampled, Given or Edit
        What led here.
    thumbnail : bytes
        An encoded small picture; empty if none was made.
    """

    id: int
    label: str
    ws: Tensor
    points: tuple[Pair, ...]
    mask: Mask | None
    change: Start | Edit
    thumbnail: bytes


class History:
    """The pictures of a session; there is always one.

    Parameters
    ----------
    start : Sampled or Given
        What led to the first picture.
    ws : Tensor, shape [num_ws, w_dim]
    points, mask, thumbnail : see `Entry`
    limit : int
        At most so many entries are kept; beyond, the oldest is forgotten.

    Attributes
    ----------
    cursor : int
        The index of the entry shown.
    """

    def __init__(
        self,
        start: Start,
        ws: Tensor,
        *,
        points: Iterable[Pair] = (),
        mask: Mask | None = None,
        thumbnail: bytes = b"",
        limit: int = LIMIT,
    ) -> None:
        if limit < 2:
            raise ValueError(f"limit is {limit}; expected 2 or more.")
        self._limit, self._next_id = limit, 0
        self._entries: list[Entry] = []
        self.cursor = -1
        self.add_start(start, ws, points=points, mask=mask, thumbnail=thumbnail)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries, oldest first; those after the cursor are there to redo."""
        return tuple(self._entries)

    @property
    def current(self) -> Entry:
        """The entry shown."""
        return self._entries[self.cursor]

    @property
    def start(self) -> int:
        """Index of the picture before any edit of the one shown."""
        for i in range(self.cursor, 0, -1):
            if not isinstance(self._entries[i].change, Edit):
                return i
        return 0

    def add_start(
        self,
        start: Start,
        ws: Tensor,
        *,
        points: Iterable[Pair] = (),
        mask: Mask | None = None,
        thumbnail: bytes = b"",
    ) -> Entry:
        """Put a picture that owes nothing to the one shown after it, and go there."""
        return self._add(start, ws, points, mask, thumbnail)

    def add_edit(
        self,
        edit: Edit,
        *,
        points: Iterable[Pair] = (),
        mask: Mask | None = None,
        thumbnail: bytes = b"",
    ) -> Entry:
        """Put what an edit has made of the picture shown after it, and go there."""
        return self._add(edit, edit.ws, points, mask, thumbnail)

    def annotate(self, *, points: Iterable[Pair], mask: Mask | None) -> Entry:
        """Note what is placed on the picture shown, so that it is there again on return."""
        entry = replace(self.current, points=tuple(points), mask=kept(mask))
        self._entries[self.cursor] = entry
        return entry

    def undo(self) -> Entry:
        """Go one entry back. Raises ValueError at the first."""
        if self.cursor == 0:
            raise ValueError("there is nothing to undo; this is the first picture.")
        return self.go_to(self.cursor - 1)

    def redo(self) -> Entry:
        """Go one entry forward. Raises ValueError at the last."""
        if self.cursor == len(self._entries) - 1:
            raise ValueError("there is nothing to redo; this is the last picture.")
        return self.go_to(self.cursor + 1)

    def go_to(self, index: int) -> Entry:
        """Go to the entry at `index`, counted from 0. Raises ValueError if there is none."""
        self.cursor = self.place(index)
        return self.current

    def place(self, index: int) -> int:
        """The index itself, if there is such an entry. Raises ValueError if there is none."""
        try:
            place = whole(index)
        except TypeError:
            place = -1
        if not 0 <= place < len(self._entries):
            last = len(self._entries) - 1
            raise ValueError(f"index is {index!r}; expected 0 to {last}, a whole number.")
        return place

    def recipe(self, generator: str, generator_hash: str) -> Recipe:
        """How the picture shown was made.

        Parameters
        ----------
        generator, generator_hash : str
            See `Recipe`.
        """
        first, *later = self._entries[self.start : self.cursor + 1]
        edits = tuple(entry.change for entry in later if isinstance(entry.change, Edit))
        # What led to the oldest entry may have been forgotten.
        start = Given() if isinstance(first.change, Edit) else first.change
        return Recipe(generator, generator_hash, start, first.ws, edits)

    def _add(
        self,
        change: Start | Edit,
        ws: Tensor,
        points: Iterable[Pair],
        mask: Mask | None,
        thumbnail: bytes,
    ) -> Entry:
        """What lay beyond the cursor is forgotten, and beyond the limit the oldest."""
        entry = Entry(
            id=self._next_id,
            label=_label(change),
            ws=ws.detach().clone(),
            points=tuple(points),
            mask=kept(mask),
            change=change,
            thumbnail=thumbnail,
        )
        self._next_id += 1
        self._entries = [*self._entries[: self.cursor + 1], entry][-self._limit :]
        self.cursor = len(self._entries) - 1
        return entry


def _label(change: Start | Edit) -> str:
    if isinstance(change, Sampled):
        return f"seed {change.seed}" + ("" if change.label is None else f", class {change.label}")
    if isinstance(change, Given):
        return "latent"
    if change.wish.method == "slide":
        return ", ".join(f"{slide.name} {slide.scale:.2g}" for slide in change.wish.vectors)
    return f"{method(change.wish.method).label}, {change.steps} step{'s' * (change.steps != 1)}"
