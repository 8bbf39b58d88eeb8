"""Pictures of many latents for pages that show a few of them: those in sight, as they are now.

A batch may have thousands of pictures, and all of them change with every move of a slider. So
nothing is made because it has changed, but because somebody looks at it. Each view says which tiles
it has in sight; whatever it has not been sent, or was sent of another strength, is wanted. A thread
makes what is wanted, one micro-batch at a time, and asks anew after each: so what is made is always
of the newest strength, and nothing queues up however fast the slider moves. What was never sent
comes first, then what was sent longest ago, so that under a slider that doesn't rest all tiles
follow alike.

The pages' acknowledgements set the pace, as they do for frames (`nbdrag.runtime.frames`).
"""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from PIL import Image
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.batch.shard import Maker, micro_batch_for
from nbdrag.runtime.frames import Credits
from nbdrag.runtime.turns import generator_lock
from nbdrag.transfer.direction import EditDirection

HEIGHT = 128  # pixels of a tile's picture, at most, where blocks have RGB of their own
LARGEST = 256  # elsewhere
KEPT = 2048  # encoded pictures: some ten megabytes
VIEWS = 8


class Tile(NamedTuple):
    """One picture of a batch.

    Attributes
    ----------
    item : int
        Which latent.
    after : bool
        Whether it shows the edit.
    direction : EditDirection or None
        What the edit is, if it has anything to do with the picture.
    alpha : float
        How much of it.
    """

    item: int
    after: bool
    direction: EditDirection | None = None
    alpha: float = 0.0


class TilePictures:
    """Makes small pictures, and keeps those it has made.

    Parameters
    ----------
    generator : Generator
    latent : callable
        Gives the latent [num_ws, w_dim] of a tile before any edit.
    """

    def __init__(self, generator: Generator, latent: Callable[[Tile], Tensor]) -> None:
        self._generator, self._latent = generator, latent
        self._maker = Maker(generator)
        self._until = tile_block(generator)
        self._kept: OrderedDict[Tile, bytes] = OrderedDict()
        self._guard = threading.Lock()
        self.at_once = min(8, micro_batch_for(generator))

    def encoded(self, tiles: Sequence[Tile]) -> list[bytes]:
        """Give the pictures as JPEG; nothing for one that is not finite. Any thread may ask."""
        with self._guard:
            found = {tile: self._kept[tile] for tile in tiles if tile in self._kept}
        missing = [tile for tile in dict.fromkeys(tiles) if tile not in found]
        for start in range(0, len(missing), self.at_once):
            some = missing[start : start + self.at_once]
            found.update(zip(some, self._made(some), strict=True))
        with self._guard:
            for tile in tiles:
                self._kept[tile] = found[tile]
                self._kept.move_to_end(tile)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return [found[tile] for tile in tiles]

    def _made(self, tiles: Sequence[Tile]) -> list[bytes]:
        with generator_lock(self._generator), torch.no_grad():
            ws = torch.stack([self._edited(tile) for tile in tiles])
            if self._until is None:
                images = self._maker.make(ws)
            else:
                images = self._generator.synthesis(ws, until=self._until).image
            images = images.cpu()
        return [small_jpeg(image) if image.isfinite().all() else b"" for image in images]

    def _edited(self, tile: Tile) -> Tensor:
        ws = self._latent(tile).to(self._generator.w_avg)
        if tile.direction is None or not tile.alpha:
            return ws
        return tile.direction.apply(ws, alphas=tile.alpha)


class TileStream:
    """The way of tiles to the pages of one widget.

    `start` starts its thread; without it, `pump` does by hand what the thread does.

    Parameters
    ----------
    wanted : callable
        The tiles, as they are now, of an item in sight. Called with the stream's lock held: it
        must not wait for anything.
    make : callable
        Gives the pictures of some tiles.
    send : callable
        Called with a number that counts from 1, the tiles and their pictures.
    at_once : int
        How many tiles to make and send at a time.
    on_error : callable, optional
        Called with what `make` raised; those tiles are then sent empty.
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        wanted: Callable[[int], Sequence[Tile]],
        make: Callable[[Sequence[Tile]], list[bytes]],
        send: Callable[[int, Sequence[Tile], list[bytes]], object],
        *,
        at_once: int = 8,
        on_error: Callable[[Exception], object] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wanted, self._make, self._send = wanted, make, send
        self._at_once, self._on_error, self._clock = at_once, on_error, clock
        self._changed = threading.Condition()  # guards everything below
        self._credits = Credits()
        self._views: OrderedDict[int, View] = OrderedDict()
        self._thread: threading.Thread | None = None
        self._closed = False

    def look(self, view: int, items: Sequence[int]) -> None:
        """A view has these items in sight, and has let go of all others."""
        with self._changed:
            before = self._views.pop(view, View(()))
            if items:
                places = dict.fromkeys(items)
                sent = {slot: tile for slot, tile in before.sent.items() if slot[0] in places}
                self._views[view] = View(tuple(places), sent)
                while len(self._views) > VIEWS:
                    self._views.popitem(last=False)
            self._changed.notify_all()

    def change(self) -> None:
        """Tiles may be others than they were."""
        with self._changed:
            self._changed.notify_all()

    def forget(self) -> None:
        """A page has come up: all views say anew what they look at."""
        with self._changed:
            self._views.clear()
            self._credits.acked(self._credits.seq, self._clock())
            self._changed.notify_all()

    def ack(self, seq: int) -> None:
        """Everything up to `seq` is dealt with, as any one page says; nonsense is ignored."""
        with self._changed:
            self._credits.acked(seq, self._clock())
            self._changed.notify_all()

    @property
    def in_sight(self) -> tuple[int, ...]:
        """Items that some view shows, each once."""
        with self._changed:
            return tuple(
                dict.fromkeys(item for view in self._views.values() for item in view.items)
            )

    def start(self) -> None:
        """Start the thread, unless it runs."""
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(
                    target=self._pump_forever, name="nbdrag-tiles", daemon=True
                )
                # A thread that is cut off inside torch can crash the interpreter.
                atexit.register(self._quit)
                self._thread.start()

    def close(self) -> None:
        """End the thread, after the tiles that it makes."""
        with self._changed:
            self._closed = True
            self._views.clear()
            self._changed.notify_all()

    def pump(self) -> float:
        """Make and send a few tiles, if some are wanted and may go.

        Returns
        -------
        float
            Seconds after which to try again; infinity if there is nothing to do until something
            happens.
        """
        with self._changed:
            tiles = self._next()
            if not tiles:
                return math.inf
            delay = self._credits.delay(self._clock())
            if delay > 0:
                return delay
        try:
            made = self._make(tiles)
        except Exception as error:
            made = [b""] * len(tiles)
            self._on_error(error)
        with self._changed:
            if self._closed:
                return math.inf
            seq = self._credits.sent(self._clock())
            for view in self._views.values():
                view.take(seq, tiles)
        self._send(seq, tiles, made)
        return 0.0

    # ------------------------------------------------------------------------------------- inside

    def _next(self) -> list[Tile]:
        """With the lock held: the tiles that are wanted most."""
        fresh: dict[Tile, None] = {}
        stale: dict[Tile, int] = {}
        for view in reversed(self._views.values()):
            for tile, since in view.missing(self._wanted):
                if since is None:
                    fresh[tile] = None
                else:
                    stale.setdefault(tile, since)
        oldest_first = sorted(stale, key=stale.__getitem__)
        return [*fresh, *(tile for tile in oldest_first if tile not in fresh)][: self._at_once]

    def _pump_forever(self) -> None:
        while True:
            self.pump()
            with self._changed:
                if self._closed:
                    break
                # Asked again under the lock, so that no change in between is missed.
                delay = self._credits.delay(self._clock()) if self._next() else math.inf
                if delay > 0:
                    self._changed.wait(None if delay == math.inf else delay)
        atexit.unregister(self._quit)

    def _quit(self) -> None:
        self.close()
        if self._thread is not None:
            self._thread.join(5.0)


class View:
    """What one view has in sight, and what of that it was sent, and when."""

    def __init__(
        self, items: tuple[int, ...], sent: dict[tuple[int, bool], tuple[Tile, int]] | None = None
    ) -> None:
        self.items, self.sent = items, sent or {}

    def missing(self, wanted: Callable[[int], Sequence[Tile]]) -> Iterator[tuple[Tile, int | None]]:
        """Tiles that it lacks; and since when it has had another one, if it has."""
        for item in self.items:
            for tile in wanted(item):
                had = self.sent.get((item, tile.after))
                if had is None:
                    yield tile, None
                elif had[0] != tile:
                    yield tile, had[1]

    def take(self, seq: int, tiles: Sequence[Tile]) -> None:
        """Note what was sent."""
        here = {*self.items}
        for tile in tiles:
            if tile.item in here:
                self.sent[tile.item, tile.after] = (tile, seq)


def tile_block(generator: Generator) -> int | None:
    """The block whose own RGB is large enough for a tile; None for the whole picture."""
    blocks = [r for r in generator.block_resolutions if r >= HEIGHT and generator.config.has_rgb(r)]
    return blocks[0] if blocks and blocks[0] < generator.resolution else None


def small_jpeg(image: Tensor) -> bytes:
    """A picture [3, H, W] as JPEG, no larger than a tile needs."""
    picture = pictures.to_pil(image)
    if max(picture.size) > LARGEST:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.BILINEAR)
    return pictures.jpeg(picture)
