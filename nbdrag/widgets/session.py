"""What a person edits: one picture, what is placed on it, and how it came to be.

The session is the one truth behind an editor. It is commanded by the pages (through the wire) and
by Python (through the editor), on any thread, and knows neither. One lock guards it. A command
either does the whole of what it says or raises and changes nothing.

An edit runs on a thread of its own. While it does:

- what would replace the picture (a new sample, undo, ...) ends it first, and its result is kept;
- targets can be moved: the edit ends, and the next goes on from there to the new targets;
- mask and options belong to the edit, so changing them is refused until it is stopped.

Of large pictures a glance is shown at first. Once the picture has been at rest for a moment, the
whole of it is made, beside everything else; whatever moves the picture doesn't wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import cast

from numpy.typing import ArrayLike
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import DragStep
from nbdrag.editing.inputs import check_ws
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.runner import Outcome, Runner
from nbdrag.runtime.synthesis import is_quick, whole
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Given, Sampled, Wish, begin, kept, sample
from nbdrag.widgets import mask as masks
from nbdrag.widgets import pairs
from nbdrag.widgets.from_kernel import Loading, Progress, Status
from nbdrag.widgets.from_page import PaintMask
from nbdrag.widgets.inputs import check_entries, check_options, check_start
from nbdrag.widgets.protocol import Level
from nbdrag.widgets.state import State
from nbdrag.widgets.work import Work

LEVELS: dict[str, Level] = {
    "done": "info",
    "limit": "warning",
    "stopped": "info",
    "failed": "error",
}


class Session(State):
    """The state of an editor, with every command on it."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._stop_asked = self._targets_moved = False

    def close(self) -> None:
        """Ask whatever is under way to end."""
        self.stop()
        super().close()

    # ----------------------------------------------------------------- what is placed on a picture

    def set_points(self, points: ArrayLike) -> None:
        """Place these handles and targets instead of those before."""
        with self.lock:
            placed = pairs.checked(points, self.work.size, self.points)
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
                self.work.points = placed

    def set_mask(self, mask: ArrayLike | None) -> None:
        """Set where the picture may move; None for everywhere."""
        with self._preparing():
            self._place_mask(masks.checked(mask, self.work.size))

    def paint_mask(self, stroke: PaintMask) -> None:
        """Add a stroke to the mask. It may leave nothing that may move, until the next stroke."""
        with self._preparing():
            self._place_mask(masks.painted(self.mask, stroke, self.work.size))

    def invert_mask(self) -> None:
        """Let move what had to stay, and the other way round."""
        with self._preparing():
            if self.mask is None:
                raise ValueError("there is no mask to invert; paint where the picture may move.")
            self._place_mask(~self.mask)

    def set_options(self, options: DragOptions | Mapping[str, object]) -> None:
        """Set all options, or those named."""
        with self._preparing():
            self.work.options = check_options(options, self.options, self.generator)

    # ------------------------------------------------------------------------- which picture it is

    def sample(self, seed: int, truncation: float, label: int | None = None) -> None:
        """Draw a new picture. Points and mask stay."""
        work = self.work
        start = check_start(work.generator, seed, truncation, label)
        ws = sample(work.generator, start.seed, start.truncation, start.label)
        with self._at_rest():
            self._check_same(work)
            shown = self.album.current.change
            if shown == start:
                return
            self.work.note_what_is_placed()
            history, cursor = self.album.history, self.album.history.cursor
            if isinstance(shown, Sampled) and cursor > 0 and alike_but_for_truncation(shown, start):
                # It is being tried out: one entry will do for all of its values.
                history.cursor -= 1
            try:
                self.album.add(start, ws, self.points, self.mask)
            except BaseException:
                history.cursor = cursor
                raise
            self._arrive(f"Seed {start.seed}.")

    def set_ws(self, ws: Tensor) -> None:
        """Show the picture of a latent [num_ws, w_dim]. Points and mask stay."""
        work = self.work
        ws = check_ws(work.generator, ws)
        with self._at_rest():
            self._check_same(work)
            self.work.note_what_is_placed()
            self.album.add(Given(), ws, self.points, self.mask)
            self._arrive("A latent was set.")

    def set_history(self, entries: Sequence[Entry]) -> None:
        """Take over the entries of another session instead of these; show the last picture."""
        work = self.work
        entries = check_entries(entries, work.generator)
        with self._at_rest():
            self._check_same(work)
            self.album.take_over(entries)
            self.work.points = self.album.current.points
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

    # ------------------------------------------------------------------------ which generator it is

    def go_on_with(self, work: Work, claim: Callable[[], object] = lambda: None) -> None:
        """Put the present work away, where `go_back` finds it, and take up another.

        `claim` is called when nothing is in the way any more; what it raises leaves all as it was.
        """
        with self._at_rest():
            claim()
            self.work.note_what_is_placed()
            self.work, self.previous = work, self.work
            self.mask_version += 1
            self._arrive(f"Now with {work.name}; back leads to {self.previous.name}.")

    def go_back(self) -> None:
        """To the generator before this one, and to all that was made with it."""
        previous = self.previous
        if previous is None:
            raise ValueError("there is no generator to go back to; this is the first one.")
        self.go_on_with(previous)

    def set_loading(self, loading: Loading | None, status: Status | None = None) -> None:
        """Say how far the next generator is; None where none is on its way any more."""
        with self.lock, self._changing():
            self.loading = loading
            self.status = status or self.status

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
                self.work.note_what_is_placed()
                self._move()
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

    def _step(self, step: DragStep) -> None:
        """On the edit's thread: take over a step."""
        with self.lock:
            # Targets stay as placed; the step has them rounded to the generator's dtype.
            both = zip(step.points.tolist(), self.points, strict=True)
            self.work.ws = step.ws
            self.work.points = tuple((x, y, *pair[2:]) for (x, y), pair in both)
            self.progress = Progress(
                step=step.index,
                max_steps=self.options.max_steps,
                loss=step.loss,
                distances=step.distances.tolist(),
                agreement=None,
                outside=None,
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
        # A generator whose blocks have no RGB of their own has no preview.
        if is_quick(self.generator) or not len(step.preview):
            return whole(self.generator, step.ws)
        return step.preview

    def _end(self, wish: Wish, outcome: Outcome) -> None:
        """On the edit's thread: put the result into the history, and go on if targets moved."""
        with self.lock:
            self._keep_result(wish, outcome)
            self._settle()
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
                    self.album.add(edit, edit.ws, self.points, self.mask, self._seen_in(last))
                except Exception as error:  # too little memory for the whole picture, say
                    self.status = Status(level="error", text=f"{type(error).__name__}: {error}")
                    self.work.points = self.album.current.points
                self.work.ws = self.album.current.ws
            elif outcome.reason == "done":
                text = "Every handle is at its target already; move a target."
                self.status = Status(level="info", text=text)

    # ------------------------------------------------------------------------------------- inside

    def _go(self, move: Callable[[History], Entry]) -> None:
        """Go to another entry of the history, and to what was placed there."""
        with self._at_rest():
            left = self.album.current.id
            self.work.note_what_is_placed()
            entry = move(self.album.history)
            if entry.id == left:
                return
            self.work.points = entry.points
            if not masks.same(self.mask, entry.mask):
                self._place_mask(entry.mask)
            self._arrive(f"At: {entry.label}.")

    def _check_not_replaced(self, place: int) -> None:
        """Before a running edit is ended for it: that the entry will still be there then."""
        if self.running and place > self.album.history.cursor:
            raise RuntimeError(
                "an edit is running and replaces what lay ahead; go back, or stop it first."
            )

    def _check_same(self, work: Work) -> None:
        """After a wait, for what was prepared for one generator: that it still is the one."""
        if self.work is not work:
            raise RuntimeError("another generator came meanwhile; ask again for this one.")

    def _arrive(self, text: str) -> None:
        """The picture shown is that of the history, and no edit's."""
        self.work.ws, self.progress = self.album.current.ws, None
        self.still_version += 1
        self.status = Status(level="info", text=text)

    def _place_mask(self, mask: masks.MaskArray | None) -> None:
        self.work.mask = kept(mask)
        self.mask_version += 1

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
            self._move()
            try:
                with self._changing():
                    yield
            finally:
                self._settle()


def alike_but_for_truncation(one: Sampled, other: Sampled) -> bool:
    """Whether two starts are of the same seed and class."""
    return (one.seed, one.label) == (other.seed, other.label)
