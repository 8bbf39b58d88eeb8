"""The history of a session together with its pictures.

A picture follows from its latent, but not to the last bit on every thread and machine. Who goes
back wants the very pixels seen before, so each entry's picture is kept, losslessly compressed, as
long as there is room; after that it is made again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from io import BytesIO
from itertools import count

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Given, Start
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair

ROOM = 64 << 20  # bytes, for all stills together
NUMBERS = count(1)  # of histories; no two have the same, whatever generator they are of


class Album:
    """Entries and their pictures. Not locked; its owner is.

    Parameters
    ----------
    generator : Generator
    start : Sampled or Given
        What led to the first picture.
    ws : Tensor, shape [num_ws, w_dim]
    room : int
        Bytes for all stills together.

    Attributes
    ----------
    history : History
    """

    history: History
    _stills: OrderedDict[int, bytes]
    _number: int

    def __init__(self, generator: Generator, start: Start, ws: Tensor, room: int = ROOM) -> None:
        self._generator, self._room = generator, room
        self._begin(start, ws, (), None)

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

    def still(self, entry: Entry) -> bytes:
        """The picture of an entry as lossless WebP."""
        key = self.key(entry)
        if key not in self._stills:
            self._keep(entry, pictures.to_pil(self.synthesized(entry.ws)))
        self._stills.move_to_end(key)
        return self._stills[key]

    def image(self, entry: Entry) -> Image.Image:
        """The picture of an entry, RGB."""
        return Image.open(BytesIO(self.still(entry))).convert("RGB")

    def pixels(self, entry: Entry) -> Tensor:
        """The picture of an entry, [3, H, W] in [-1, 1]."""
        return torch.from_numpy(np.array(self.image(entry))).permute(2, 0, 1) / 127.5 - 1

    def synthesized(self, ws: Tensor) -> Tensor:
        """The picture of any latent, [3, H, W] in [-1, 1], when it is our turn.

        Raises
        ------
        ValueError
            If there is NaN or infinity in it.
        """
        with generator_lock(self._generator), torch.no_grad():
            image: Tensor = self._generator.synthesis(ws[None]).image[0]
        if not image.isfinite().all():
            raise ValueError(
                f"the picture is not finite, though ws is, up to {ws.abs().max():g}; take a latent "
                "nearer to those that the generator samples, or load its weights anew."
            )
        return image

    def add(
        self, change: Start | Edit, ws: Tensor, points: Sequence[Pair], mask: MaskArray | None
    ) -> None:
        """Put a picture after the one shown, and go there."""
        picture = pictures.to_pil(self.synthesized(ws))
        small = pictures.thumbnail(picture)
        if isinstance(change, Edit):
            self.history.add_edit(change, points=points, mask=mask, thumbnail=small)
        else:
            self.history.add_start(change, ws, points=points, mask=mask, thumbnail=small)
        self._keep(self.current, picture)

    def take_over(self, entries: Sequence[Entry]) -> None:
        """Forget all entries and begin anew with these, if all their pictures can be made."""
        first, *later = entries
        # What the first one may have been an edit of is not among them.
        start = Given() if isinstance(first.change, Edit) else first.change
        before = self.history, self._stills, self._number
        try:
            self._begin(start, first.ws, first.points, first.mask)
            for entry in later:
                self.add(entry.change, entry.ws, entry.points, entry.mask)
        except BaseException:
            self.history, self._stills, self._number = before
            raise

    def _begin(
        self, start: Start, ws: Tensor, points: Sequence[Pair], mask: MaskArray | None
    ) -> None:
        picture = pictures.to_pil(self.synthesized(ws))
        small = pictures.thumbnail(picture)
        self.history = History(start, ws, points=points, mask=mask, thumbnail=small)
        self._number = next(NUMBERS)
        self._stills = OrderedDict()
        self._keep(self.current, picture)

    def _keep(self, entry: Entry, picture: Image.Image) -> None:
        self._stills[self.key(entry)] = pictures.webp(picture)
        while len(self._stills) > 1 and sum(map(len, self._stills.values())) > self._room:
            self._stills.popitem(last=False)
