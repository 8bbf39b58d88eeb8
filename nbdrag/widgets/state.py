"""What an editor shows, in one place and behind one lock: the part of a session that is read.

`Session` changes it, the wire and Python read it, on any thread.

Of large pictures a glance is shown at first. Once the picture has been at rest for a moment, the
whole of it is made, beside everything else; whatever moves the picture doesn't wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock

from PIL import Image
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.rest import AtRest
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.synthesis import Unwanted, whole
from nbdrag.runtime.turns import generator_lock
from nbdrag.widgets.album import Album, Shot
from nbdrag.widgets.from_kernel import Loading, Progress, Status
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.work import Work


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
    running : bool
        Whether an edit runs.
    runner : Runner or None
        Of the running or the last edit.
    progress : Progress or None
        Where that stands.
    status : Status
    lock : RLock
        Hold it to read more than one attribute.
    on_change : callable
        Called after every change, with the lock held.
    on_move : callable
        Called on the edit's thread with each `DragStep` and its `Picture`.
    revision, mask_version, still_version : int
        Grow with every change; of the mask; of the picture at rest.
    """

    def __init__(self, work: Work) -> None:
        self.lock = RLock()
        self.work = work
        self.previous: Work | None = None
        self.loading: Loading | None = None
        self.on_change: Callable[[], object] = lambda: None
        self.on_move: Callable[[DragStep, Picture], object] = lambda step, picture: None
        self.runner: Runner[DragStep] | None = None
        self.running = False
        self.progress: Progress | None = None
        self.status = Status(level="info", text="Place a handle and its target, then start.")
        self.revision = self.mask_version = self.still_version = 0
        self._resting = AtRest(self._refine)

    def close(self) -> None:
        """Make no more whole pictures."""
        self._move()
        self._resting.close()

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
    def options(self) -> DragOptions:
        """How it is dragged."""
        return self.work.options

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
        self.on_change()

    def _refine(self, moved: Callable[[], bool]) -> None:
        """On a thread of its own: make the whole picture, and that of what it is compared with."""
        with self.lock:
            generator, album = self.generator, self.album
            entries = [e for e in (album.current, album.first) if not album.is_whole(e)]
        for entry in {entry.id: entry for entry in entries}.values():
            try:
                shot = Shot.of(whole(generator, entry.ws, moved), whole=True)
            except Unwanted:
                return
            except Exception as error:  # too little memory, say
                self.complain(f"The whole picture can't be shown: {described(error)}")
                return
            with self.lock:
                if moved():
                    return
                album.keep(entry, shot)
                self.still_version += 1
                self.on_change()

    def _move(self) -> None:
        """The picture will be another: nobody waits for the whole of this one."""
        self._resting.move()
        generator_lock(self.generator).wake()

    def _settle(self) -> None:
        """With the lock held: the picture is at rest, perhaps for a while."""
        album = self.album
        if not (self.running or (album.is_whole(album.current) and album.is_whole(album.first))):
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
