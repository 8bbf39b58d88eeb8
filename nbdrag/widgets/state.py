"""What an editor shows, in one place and behind one lock: the part of a session that is read.

`Session` changes it, wires and Python read it, on any thread. Several widgets may show one state;
each of them listens.

Of large pictures a glance is shown at first. Once the picture has been at rest for a moment, the
whole of it is made, beside everything else; whatever moves the picture doesn't wait for that. While
a slider moves, nothing but pictures is shown: all else that changes is told at rest, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import RLock

from PIL import Image
from torch import Tensor

from nbdrag.editing.options import Options
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.editing.step import Step
from nbdrag.generators.segmenter import Part
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.rest import AtRest
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.synthesis import Unwanted, segmented, whole
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import DRAGS, Edit
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.album import Album, Shot
from nbdrag.widgets.from_kernel import Loading, Progress, Status
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.part_map import PartMap
from nbdrag.widgets.work import Work

PLACE_AND_START = "Place a handle and its target, then start."


@dataclass(frozen=True, eq=False)
class Listener:
    """Who is told what happens, on the thread on which it does.

    Attributes
    ----------
    on_change : callable
        Called after every change, with the lock held.
    on_move : callable
        Called on the edit's thread with each `Step` and its `Picture`.
    on_pass : callable
        Called with a `Picture` that is shown in passing, with the lock held. `on_change` follows
        when the picture is at rest.
    on_loading : callable
        Called on the loading's thread when `loading` has changed, and nothing else.
    paints : bool
        Whether it needs to know the parts of each picture.
    """

    on_change: Callable[[], object] = lambda: None
    on_move: Callable[[Step, Picture], object] = lambda step, picture: None
    on_pass: Callable[[Picture], object] = lambda picture: None
    on_loading: Callable[[], object] = lambda: None
    paints: bool = False


class State:
    """What there is to be seen of an editor at any time.

    Parameters
    ----------
    work : Work
        To begin with.

    Attributes
    ----------
    work : Work
        Generator, pictures, and what is placed on the one shown.
    previous : Work or None
        With the generator before this one.
    loading : Loading or None
        How far the next one is.
    method : str or None
        Of the edit that runs, "drag" for instance; None at rest.
    runner : Runner or None
        Of the running or the last edit.
    progress : Progress or None
        Where that stands.
    status : Status
    live : bool
        Whether the picture follows what is painted by itself.
    vectors : dict
        Editing vectors that there are sliders for, by name. Replaced and never changed.
    lock : RLock
        Hold it to read more than one attribute.
    listeners : list of Listener
    revision, mask_version, still_version : int
        Grow with every change; of the mask; of the picture at rest.
    """

    def __init__(self, work: Work) -> None:
        self.lock = RLock()
        self.work = work
        self.previous: Work | None = None
        self.loading: Loading | None = None
        self.listeners: list[Listener] = []
        self.runner: Runner[Step] | None = None
        self.method: str | None = None
        self.live = False
        self.vectors: dict[str, EditVector] = {}
        self.progress: Progress | None = None
        self.status = Status(level="info", text=PLACE_AND_START)
        self.revision = self.mask_version = self.still_version = 0
        self._told = 0  # the revision that listeners know of
        self._resting = AtRest(self._refine)

    def close(self) -> None:
        """Make no more whole pictures."""
        self._move()
        self._resting.close()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Tell somebody what happens, until what this returns is called."""
        with self.lock:
            self.listeners.append(listener)
            self._settle()
        return lambda: self._forget(listener)

    def _forget(self, listener: Listener) -> None:
        with self.lock:
            if listener in self.listeners:
                self.listeners.remove(listener)

    @property
    def running(self) -> bool:
        """Whether an edit runs."""
        return self.method is not None

    @property
    def generator(self) -> Generator:
        """What makes the pictures."""
        return self.work.generator

    @property
    def ws(self) -> Tensor:
        """Latent of the picture shown, [num_ws, w_dim]."""
        return self.work.ws

    @property
    def points(self) -> tuple[Pair, ...]:
        """Handles and targets on it."""
        return self.work.points

    @property
    def mask(self) -> MaskArray | None:
        """Where it may move."""
        return self.work.mask

    @property
    def options(self) -> Options:
        """How it is dragged, in the chosen way."""
        return self.work.options

    @property
    def paint_options(self) -> PaintOptions:
        """How it follows what is painted."""
        return self.work.paint_options

    @property
    def parts(self) -> tuple[Part, ...]:
        """What can be painted; nothing, if the generator has no segmenter."""
        segmenter = self.generator.segmenter
        return () if segmenter is None else segmenter.parts

    @property
    def part_map(self) -> PartMap | None:
        """The parts of the picture shown; None until they are known, and while it is dragged."""
        return None if self.method in DRAGS else self.album.part_map(self.album.current)

    @property
    def scales(self) -> dict[str, float]:
        """Where the sliders are that are not at 0."""
        change = self.album.current.change
        if not self.is_slid or not isinstance(change, Edit):
            return {}
        return {slide.name: slide.scale for slide in change.wish.vectors}

    @property
    def is_slid(self) -> bool:
        """Whether the picture shown is that of the entry before with sliders moved.

        Not once it is painted on: the strokes belong to it, and it can't be another one any more.
        """
        history, known = self.album.history, self.album.part_map(self.album.current)
        change = history.current.change
        by_sliders = isinstance(change, Edit) and change.wish.method == "slide"
        return by_sliders and history.cursor > 0 and (known is None or not known.strokes)

    @property
    def album(self) -> Album:
        """All pictures so far."""
        return self.work.album

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The history, with what is placed now on the picture shown."""
        with self.lock:
            if not self.running:
                self.work.note_what_is_placed()
            return self.album.history.entries

    def image(self) -> Image.Image:
        """The picture as it is now, of full size. May take its time, in which all goes on."""
        with self.lock:
            generator, album, ws, running = self.generator, self.album, self.ws, self.running
            shown = album.current
        if running:
            return pictures.to_pil(whole(generator, ws))
        try:
            picture = whole(generator, shown.ws, lambda: album.is_whole(shown))
        except Unwanted:  # it is there by now
            with self.lock:
                return album.image(shown)
        return pictures.to_pil(picture)

    def recipe(self) -> Recipe:
        """How the picture shown was made; a running edit is not in it."""
        with self.lock:
            return self.work.recipe()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """With the lock held: what happens inside is a change, unless it raises."""
        yield
        self.revision += 1
        self._tell()

    def _tell(self) -> None:
        self._told = self.revision
        for listener in [*self.listeners]:
            listener.on_change()

    def _refine(self, moved: Callable[[], bool]) -> None:
        """On a thread of its own: make what is missing of the picture, and its parts."""
        with self.lock:
            generator, album, parts_missing = self.generator, self.album, self._parts_missing
            missing = [e for e in (album.current, album.first) if not album.is_whole(e)]
            if parts_missing:
                missing.insert(0, album.current)
        for entry in {entry.id: entry for entry in missing}.values():
            labels = None
            try:
                if parts_missing and entry.id == missing[0].id:
                    image, labels = segmented(generator, entry.ws, moved)
                else:
                    image = whole(generator, entry.ws, moved)
                shot = None if album.is_whole(entry) else Shot.of(image, whole=True)
            except Unwanted:
                return
            except Exception as error:  # too little memory, say
                self.complain(f"The whole picture can't be shown: {described(error)}")
                return
            with self.lock:
                if moved():
                    return
                if shot is not None:
                    album.keep(entry, shot)
                    self.still_version += 1
                if labels is not None and album.part_map(entry) is None:
                    album.keep_parts(entry, PartMap.found(labels))
                    self.revision += 1
                self._tell()
        with self.lock:
            if self._told != self.revision and not moved():
                self._tell()

    @property
    def _parts_missing(self) -> bool:
        """Whether somebody waits for the parts of the picture shown."""
        wanted = bool(self.parts) and any(listener.paints for listener in self.listeners)
        return wanted and self.album.part_map(self.album.current) is None

    def _move(self) -> None:
        """The picture will be another: nobody waits for the whole of this one."""
        self._resting.move()
        generator_lock(self.generator).wake()

    def _settle(self) -> None:
        """With the lock held: the picture is at rest, perhaps for a while."""
        album = self.album
        is_whole = album.is_whole(album.current) and album.is_whole(album.first)
        is_told = self._told == self.revision
        if not self.running and not (is_whole and is_told and not self._parts_missing):
            self._resting.settle()

    def complain(self, text: str) -> None:
        """Put an error into the status line, for the end of the edit, too."""
        with self.lock:
            status = Status(level="error", text=text)
            if status != self.status:  # the same one after every step is told once
                with self._changing():
                    self.status = status


def described(error: BaseException) -> str:
    """Why something failed, in words that are meant to be read where there are any."""
    text = str(error).strip()
    return text if isinstance(error, ValueError) and text else f"{type(error).__name__}: {text}"
