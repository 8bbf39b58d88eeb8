"""What a person edits: one picture, what is placed on it, and how it came to be.

The session is the one truth behind an editor. It is commanded by the pages (through the wire) and
by Python (through the editor), on any thread, and knows neither. One lock guards it. A command
either does the whole of what it says or raises and changes nothing.

An edit runs on a thread of its own. While it does:

- what would replace the picture (a new sample, undo, ...) ends it first, and its result is kept;
- targets can be moved: the edit ends, and the next goes on from there to the new targets;
- mask and options belong to the edit, so changing them is refused until it is stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from threading import RLock
from typing import cast

from numpy.typing import ArrayLike
from PIL import Image
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep
from nbdrag.editing.features import Size
from nbdrag.editing.inputs import check_ws
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.runner import Outcome, Runner
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Given, Sampled, Wish, begin, kept, sample
from nbdrag.widgets import mask as masks
from nbdrag.widgets import pairs
from nbdrag.widgets.album import Album
from nbdrag.widgets.inputs import check_entries, check_options, check_start
from nbdrag.widgets.protocol import Level, PaintMask, Progress, Status

WHOLE_UP_TO = 256 * 256  # pixels; a preview lacks what the last blocks add, here quick
LEVELS: dict[str, Level] = {
    "done": "info",
    "limit": "warning",
    "stopped": "info",
    "failed": "error",
}


class Session:
    """The state of an editor and every command on it.

    Parameters
    ----------
    generator : Generator
    source : str
        What `load_generator` made it from; empty if somebody else did.
    name : str
        For people.
    seed, truncation : of the first picture
    options : DragOptions or mapping, optional
        All of them, or some by name.

    Attributes
    ----------
    lock : RLock
        Hold it to read more than one attribute.
    on_change : callable
        Called after every change, with the lock held.
    on_move : callable
        Called on the edit's thread with each `DragStep` and its `Picture`.
    revision, mask_version, still_version : int
        Grow with every change; of the mask; of the picture at rest.
    """

    def __init__(
        self,
        generator: Generator,
        *,
        source: str = "",
        name: str = "generator",
        seed: int = 0,
        truncation: float = 0.7,
        options: DragOptions | Mapping[str, object] | None = None,
    ) -> None:
        self.lock = RLock()
        self.generator, self.source, self.name = generator, source, name
        self.on_change: Callable[[], object] = lambda: None
        self.on_move: Callable[[DragStep, Picture], object] = lambda step, picture: None
        self.options = check_options(options or {}, DragOptions.for_generator(generator), generator)
        self.points: tuple[pairs.Pair, ...] = ()
        self.mask: masks.MaskArray | None = None
        self.runner: Runner[DragStep] | None = None
        self.running = self._stop_asked = self._targets_moved = False
        self.progress: Progress | None = None
        self.status = Status(level="info", text="Place a handle and its target, then start.")
        self.revision = self.mask_version = self.still_version = 0
        start = check_start(seed, truncation)
        self.ws = sample(generator, start.seed, start.truncation)
        self.album = Album(generator, start, self.ws)
        self._hash = ""

    # ------------------------------------------------------------------------------ what one asks

    @property
    def seed(self) -> int | None:
        """The seed that the picture goes back to; None if its latent was set."""
        origin = self.album.origin
        return origin.seed if isinstance(origin, Sampled) else None

    @property
    def truncation(self) -> float | None:
        """The truncation that the picture goes back to; None if its latent was set."""
        origin = self.album.origin
        return origin.truncation if isinstance(origin, Sampled) else None

    @property
    def size(self) -> Size:
        """Height and width of the pictures."""
        return self.generator.height, self.generator.width

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The history, with what is placed now on the picture shown."""
        with self.lock:
            if not self.running:
                self._note_what_is_placed()
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
            self._hash = self._hash or generator_hash(self.generator)
            return self.album.history.recipe(self.source, self._hash)

    # ----------------------------------------------------------------- what is placed on a picture

    def set_points(self, points: ArrayLike) -> None:
        """Place these handles and targets instead of those before."""
        with self.lock:
            placed = pairs.checked(points, self.size, self.points)
            if self.running and self.runner is not None:
                if len(placed) != len(self.points):
                    raise RuntimeError(
                        "an edit is running; stop it before you add or remove points. "
                        "Targets can be moved."
                    )
                # Where the handles are, tracking knows better.
                both = zip(self.points, placed, strict=True)
                placed = tuple((*now[:2], *wanted[2:]) for now, wanted in both)
                if placed == self.points:
                    return
                self._targets_moved = True
                self.runner.stop()
            with self._changing():
                self.points = placed

    def set_mask(self, mask: ArrayLike | None) -> None:
        """Set where the picture may move; None for everywhere."""
        with self._preparing():
            self._place_mask(masks.checked(mask, self.size))

    def paint_mask(self, stroke: PaintMask) -> None:
        """Add a stroke to the mask. It may leave nothing that may move, until the next stroke."""
        with self._preparing():
            self._place_mask(masks.painted(self.mask, stroke, self.size))

    def invert_mask(self) -> None:
        """Let move what had to stay, and the other way round."""
        with self._preparing():
            if self.mask is None:
                raise ValueError("there is no mask to invert; paint where the picture may move.")
            self._place_mask(~self.mask)

    def set_options(self, options: DragOptions | Mapping[str, object]) -> None:
        """Set all options, or those named."""
        with self._preparing():
            self.options = check_options(options, self.options, self.generator)

    # ------------------------------------------------------------------------- which picture it is

    def sample(self, seed: int, truncation: float) -> None:
        """Draw a new picture. Points and mask stay."""
        start = check_start(seed, truncation)
        ws = sample(self.generator, start.seed, start.truncation)
        with self._at_rest():
            shown = self.album.current.change
            if shown == start:
                return
            self._note_what_is_placed()
            history, cursor = self.album.history, self.album.history.cursor
            if isinstance(shown, Sampled) and shown.seed == start.seed and cursor > 0:
                # Truncation is being tried out: one entry will do for all of its values.
                history.cursor -= 1
            try:
                self.album.add(start, ws, self.points, self.mask)
            except BaseException:
                history.cursor = cursor
                raise
            self._arrive(f"Seed {start.seed}.")

    def set_ws(self, ws: Tensor) -> None:
        """Show the picture of a latent [num_ws, w_dim]. Points and mask stay."""
        ws = check_ws(self.generator, ws)
        with self._at_rest():
            self._note_what_is_placed()
            self.album.add(Given(), ws, self.points, self.mask)
            self._arrive("A latent was set.")

    def set_history(self, entries: Sequence[Entry]) -> None:
        """Take over the entries of another session instead of these; show the last picture."""
        entries = check_entries(entries, self.generator)
        with self._at_rest():
            self.album.take_over(entries)
            self.points = self.album.current.points
            self._place_mask(self.album.current.mask)
            self._arrive("Another history was set.")

    def undo(self) -> None:
        """Go back to the picture before, and to what was placed on it."""
        self._go(History.undo)

    def redo(self) -> None:
        """Go forward again."""
        with self.lock:
            self._check_not_replaced(self.album.history.cursor + 1)
        self._go(History.redo)

    def reset(self) -> None:
        """Go back to the picture before any edit."""
        self._go(lambda history: history.go_to(history.start))

    def go_to(self, index: int) -> None:
        """Go to an entry of the history."""
        with self.lock:
            self._check_not_replaced(self.album.history.place(index))
        self._go(lambda history: history.go_to(index))

    # ---------------------------------------------------------------------------------- the edit

    def start(self) -> None:
        """Drag the handles towards their targets, beside this thread. Does nothing if it runs."""
        with self.lock:
            if self.running:
                return
            if not self.points:
                raise ValueError(
                    "there are no points; place a handle and its target in the picture, or set "
                    "points = [[handle x, handle y, target x, target y]]."
                )
            wish = Wish("drag", asdict(self.options), self.points, self.mask)
            edit = begin(self.generator, self.ws, wish)
            with self._changing():
                self._note_what_is_placed()
                runner = Runner(
                    cast("Iterator[DragStep]", edit),
                    lock=generator_lock(self.generator),
                    on_step=self._step,
                    on_end=lambda outcome: self._end(wish, outcome),
                )
                # Its first step waits for the lock. Whoever sees the runner may wait for its end.
                runner.start()
                self.runner, self.running, self.progress = runner, True, None
                self._stop_asked = self._targets_moved = False
                self.status = Status(level="busy", text="Dragging.")

    def stop(self) -> None:
        """Ask the running edit to end after its present step. Doesn't wait; any thread may ask."""
        with self.lock:
            if self.running and self.runner is not None:
                self._stop_asked = True
                self.runner.stop()

    def complain(self, text: str) -> None:
        """Put an error into the status line, for the end of the edit, too."""
        with self.lock:
            status = Status(level="error", text=text)
            if status != self.status:  # the same one after every step is told once
                with self._changing():
                    self.status = status

    def _step(self, step: DragStep) -> None:
        """On the edit's thread: take over a step."""
        with self.lock:
            # Targets stay as placed; the step has them rounded to the generator's dtype.
            both = zip(step.points.tolist(), self.points, strict=True)
            self.ws, self.points = step.ws, tuple((x, y, *pair[2:]) for (x, y), pair in both)
            self.progress = Progress(
                step=step.index,
                max_steps=self.options.max_steps,
                loss=step.loss,
                distances=step.distances.tolist(),
                steps_per_s=self.runner.steps_per_s if self.runner else None,
            )
            picture = Picture(
                image=self._seen_in(step),
                step=step.index,
                loss=step.loss,
                points=self.points,
                distances=self.progress.distances,
                steps_per_s=self.progress.steps_per_s,
            )
        self.on_move(step, picture)

    def _seen_in(self, step: DragStep) -> Tensor:
        """The picture of a step: whole if that costs little, else the preview it came with."""
        small = self.generator.height * self.generator.width <= WHOLE_UP_TO
        # A generator whose blocks have no RGB of their own has no preview.
        return self.album.synthesized(step.ws) if small or not len(step.preview) else step.preview

    def _end(self, wish: Wish, outcome: Outcome) -> None:
        """On the edit's thread: put the result into the history, and go on if targets moved."""
        with self.lock:
            self._keep_result(wish, outcome)
            # Before the runner says that it has ended, so that who waits finds the next one.
            if self._targets_moved and not self._stop_asked and outcome.reason != "failed":
                self.start()

    def _keep_result(self, wish: Wish, outcome: Outcome) -> None:
        with self._changing():
            self.running = False
            self.still_version += 1
            complaint = f" {self.status.text}" if self.status.level == "error" else ""
            level = "error" if complaint else LEVELS[outcome.reason]
            self.status = Status(level=level, text=outcome.message + complaint)
            last = self.runner.last_step if self.runner else None
            if last is not None and last.index > 0:
                edit = Edit(wish, outcome.steps, last.ws)
                try:
                    self.album.add(edit, edit.ws, self.points, self.mask)
                except Exception as error:  # too little memory for the whole picture, say
                    self.status = Status(level="error", text=f"{type(error).__name__}: {error}")
                    self.points = self.album.current.points
                self.ws = self.album.current.ws
            elif outcome.reason == "done":
                text = "Every handle is at its target already; move a target."
                self.status = Status(level="info", text=text)

    # ------------------------------------------------------------------------------------- inside

    def _go(self, move: Callable[[History], Entry]) -> None:
        """Go to another entry of the history, and to what was placed there."""
        with self._at_rest():
            left = self.album.current.id
            self._note_what_is_placed()
            entry = move(self.album.history)
            if entry.id == left:
                return
            self.points = entry.points
            if not masks.same(self.mask, entry.mask):
                self._place_mask(entry.mask)
            self._arrive(f"At: {entry.label}.")

    def _check_not_replaced(self, place: int) -> None:
        """Before a running edit is ended for it: that the entry will still be there then."""
        if self.running and place > self.album.history.cursor:
            raise RuntimeError(
                "an edit is running and replaces what lay ahead; go back, or stop it first."
            )

    def _arrive(self, text: str) -> None:
        """The picture shown is that of the history, and no edit's."""
        self.ws, self.progress = self.album.current.ws, None
        self.still_version += 1
        self.status = Status(level="info", text=text)

    def _place_mask(self, mask: masks.MaskArray | None) -> None:
        self.mask = kept(mask)
        self.mask_version += 1

    def _note_what_is_placed(self) -> None:
        self.album.history.annotate(points=self.points, mask=self.mask)

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """With the lock held: what happens inside is a change, unless it raises."""
        yield
        self.revision += 1
        self.on_change()

    @contextmanager
    def _preparing(self) -> Iterator[None]:
        """Change what a running edit depends on."""
        with self.lock:
            if self.running:
                raise RuntimeError("an edit is running; stop it first.")
            with self._changing():
                yield

    @contextmanager
    def _at_rest(self) -> Iterator[None]:
        """Change the picture: ends the running edit first."""
        with self.lock:
            while self.running and self.runner is not None:
                runner = self.runner
                runner.check_can_wait()
                self.stop()
                self.lock.release()  # which the edit needs in order to end
                try:
                    runner.join()
                finally:
                    self.lock.acquire()
            with self._changing():
                yield
