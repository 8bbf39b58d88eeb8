"""What an editor shows, in one place and behind one lock: the part of a session that is read.

`Session` changes it, the wire and Python read it, on any thread.
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
from nbdrag.runtime.runner import Runner
from nbdrag.widgets.album import Album
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
        """The picture as it is now, of full size."""
        with self.lock:
            if self.running:
                return pictures.to_pil(self.album.synthesized(self.ws))
            return self.album.image(self.album.current)

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
