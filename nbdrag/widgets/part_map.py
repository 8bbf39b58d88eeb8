"""The part map of one picture with the strokes on it, which can be undone one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count

import numpy as np

from nbdrag.editing.features import Size
from nbdrag.widgets.labels import LabelArray, packed, unpacked

LIMIT = 200  # strokes; beyond, the oldest can't be undone any more
VERSIONS: Iterator[int] = count(1)


@dataclass(frozen=True, eq=False)
class PartMap:
    """A line of part maps, each a stroke away from the one before, and a cursor on one of them.

    Maps are kept compressed; a stroke costs some hundred bytes. Never changed: every stroke, and
    every step back, gives another part map.

    Attributes
    ----------
    maps : tuple of bytes
        The original map, then the one after each stroke; those after the cursor can be redone.
    size : (int, int)
        Height and width.
    cursor : int
        Index in `maps` of the one painted now.
    version : int
        No two have the same.
    """

    maps: tuple[bytes, ...]
    size: Size
    cursor: int = 0
    version: int = field(default_factory=lambda: next(VERSIONS))

    @classmethod
    def found(cls, labels: LabelArray) -> PartMap:
        """As the segmenter found it: no strokes yet."""
        height, width = labels.shape
        return cls((packed(labels),), (height, width))

    @property
    def original(self) -> LabelArray:
        """What was found, [H, W]. Can't be written to."""
        return unpacked(self.maps[0], self.size)

    @property
    def edited(self) -> LabelArray:
        """What is painted now, [H, W]. Can't be written to."""
        return unpacked(self.maps[self.cursor], self.size)

    @property
    def is_edited(self) -> bool:
        """Whether that differs."""
        return not np.array_equal(self.edited, self.original)

    @property
    def strokes(self) -> int:
        """How many can be undone."""
        return self.cursor

    @property
    def strokes_ahead(self) -> int:
        """How many can be redone."""
        return len(self.maps) - 1 - self.cursor

    def painted(self, edited: LabelArray) -> PartMap:
        """With one more stroke, after which it is this; what was undone is forgotten.

        A stroke that changes nothing is none: that gives this same part map.
        """
        if np.array_equal(edited, self.edited):
            return self
        original, *strokes = self.maps[: self.cursor + 1]
        strokes = [*strokes, packed(edited)][-LIMIT:]
        return PartMap((original, *strokes), self.size, len(strokes))

    def undone(self) -> PartMap:
        """Without the last stroke; needs one."""
        return replace(self, cursor=self.cursor - 1, version=next(VERSIONS))

    def redone(self) -> PartMap:
        """With the stroke again that was undone last; needs one."""
        return replace(self, cursor=self.cursor + 1, version=next(VERSIONS))
