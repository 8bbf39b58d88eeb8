"""The history of a session together with its pictures.

A picture follows from its latent, but not to the last bit on every thread and machine. Who goes
back wants the very pixels seen before, so each entry's picture is kept, losslessly compressed, as
long as there is room; after that it is made again.

A large picture is first kept as a glance, which is there at once and smaller; whoever has
the whole picture keeps it in its place. The parts that it shows, and what was painted over them,
are kept beside it once they are known.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import count

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.synthesis import glance, whole
from nbdrag.runtime.wishes import Edit, Given, Start
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.part_map import PartMap

ROOM = 64 << 20  # bytes, for all pictures together
NUMBERS = count(1)  # of histories; no two have the same, whatever generator they are of


@dataclass(frozen=True)
class Shot:
    """A picture as lossless WebP; whole, or a glance of it."""

    data: bytes
    whole: bool

    @classmethod
    def of(cls, picture: Tensor, *, whole: bool) -> Shot:
        """Of a picture [3, h, w], in [-1, 1]."""
        return cls(pictures.webp(pictures.to_pil(picture)), whole)


class Album:
    """Entries and their pictures. Not locked; its owner is.

    Parameters
    ----------
    generator : Generator
    start : Sampled or Given
        What led to the first picture.
    ws : Tensor, shape [num_ws, w_dim]
    room : int
        Bytes for all pictures together.

    Attributes
    ----------
    history : History
    """

    history: History
    _shots: OrderedDict[int, Shot]
    _part_maps: dict[int, PartMap]
    _number: int

    def __init__(self, generator: Generator, start: Start, ws: Tensor, room: int = ROOM) -> None:
        self._generator, self._room = generator, room
        self._begin(start, ws, (), None, whole(generator, ws))

    @property
    def current(self) -> Entry:
        """The entry shown."""
        return self.history.current

    @property
    def first(self) -> Entry:
        """The picture before any edit of the one shown."""
        return self.history.entries[self.history.start]

    @property
    def origin(self) -> Start:
        """What led to that."""
        change = self.first.change
        return Given() if isinstance(change, Edit) else change

    def key(self, entry: Entry) -> int:
        """A number that no other entry has, not even of another history."""
        return self._number << 32 | entry.id

    def shot(self, entry: Entry) -> Shot:
        """The picture of an entry, as far as it is there at once."""
        key = self.key(entry)
        if key not in self._shots:
            self.keep(entry, self._shot(glance(self._generator, entry.ws)))
        self._shots.move_to_end(key)
        return self._shots[key]

    def still(self, entry: Entry) -> bytes:
        """The whole picture of an entry as lossless WebP. May take its time."""
        if not self.shot(entry).whole:
            self.keep(entry, self._shot(whole(self._generator, entry.ws)))
        return self.shot(entry).data

    def is_whole(self, entry: Entry) -> bool:
        """Whether the whole picture of an entry is there. May be asked on any thread."""
        shot = self._shots.get(self.key(entry))
        return shot is not None and shot.whole

    def image(self, entry: Entry) -> Image.Image:
        """The whole picture of an entry, RGB. May take its time."""
        return opened(self.still(entry))

    def pixels(self, entry: Entry) -> Tensor:
        """The picture of an entry, as far as it is there at once, [3, h, w] in [-1, 1]."""
        pixels = np.array(opened(self.shot(entry).data))
        return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1

    def keep(self, entry: Entry, shot: Shot) -> None:
        """Keep the picture of an entry, as long as there is room."""
        self._shots[self.key(entry)] = shot
        while len(self._shots) > 1 and self._size() > self._room:
            self._shots.popitem(last=False)

    def part_map(self, entry: Entry) -> PartMap | None:
        """The parts of an entry's picture, if they are known."""
        return self._part_maps.get(entry.id)

    def keep_parts(self, entry: Entry, part_map: PartMap) -> None:
        """Keep the parts of an entry's picture, for as long as the entry is there."""
        there = {entry.id for entry in self.history.entries}
        self._part_maps = {key: one for key, one in self._part_maps.items() if key in there}
        self._part_maps[entry.id] = part_map

    def add(
        self,
        change: Start | Edit,
        ws: Tensor,
        points: Sequence[Pair],
        mask: MaskArray | None,
        picture: Tensor | None = None,
    ) -> None:
        """Put a picture after the one shown, and go there.

        `picture` is [3, H, W] or a glance of it. Default: what is there at once.
        """
        picture = glance(self._generator, ws) if picture is None else picture
        self.add_in_passing(change, ws, points, mask, picture)
        self.keep(self.current, self._shot(picture))

    def add_in_passing(
        self,
        change: Start | Edit,
        ws: Tensor,
        points: Sequence[Pair],
        mask: MaskArray | None,
        picture: Tensor,
    ) -> None:
        """The same for a picture that may soon be another: it is kept once it is asked for."""
        small = pictures.thumbnail(pictures.to_pil(picture))
        if isinstance(change, Edit):
            self.history.add_edit(change, points=points, mask=mask, thumbnail=small)
        else:
            self.history.add_start(change, ws, points=points, mask=mask, thumbnail=small)

    @contextmanager
    def instead(self) -> Iterator[None]:
        """What is added inside takes the place of the picture shown, which is forgotten."""
        replaced = self.current
        self.history.cursor -= 1
        try:
            yield
        except BaseException:
            self.history.cursor += 1
            raise
        self._shots.pop(self.key(replaced), None)

    def take_over(self, entries: Sequence[Entry]) -> None:
        """Forget all entries and begin anew with these, if all their pictures can be made."""
        first, *later = entries
        # What the first one may have been an edit of is not among them.
        start = Given() if isinstance(first.change, Edit) else first.change
        before = self.history, self._shots, self._part_maps, self._number
        try:
            picture = glance(self._generator, first.ws)
            self._begin(start, first.ws, first.points, first.mask, picture)
            for entry in later:
                self.add(entry.change, entry.ws, entry.points, entry.mask)
        except BaseException:
            self.history, self._shots, self._part_maps, self._number = before
            raise

    def _begin(
        self,
        start: Start,
        ws: Tensor,
        points: Sequence[Pair],
        mask: MaskArray | None,
        picture: Tensor,
    ) -> None:
        small = pictures.thumbnail(pictures.to_pil(picture))
        self.history = History(start, ws, points=points, mask=mask, thumbnail=small)
        self._number = next(NUMBERS)
        self._shots, self._part_maps = OrderedDict(), {}
        self.keep(self.current, self._shot(picture))

    def _shot(self, picture: Tensor) -> Shot:
        size = self._generator.height, self._generator.width
        return Shot.of(picture, whole=picture.shape[1:] == size)

    def _size(self) -> int:
        return sum(len(shot.data) for shot in self._shots.values())


def opened(data: bytes) -> Image.Image:
    """A picture file, RGB."""
    return Image.open(BytesIO(data)).convert("RGB")
