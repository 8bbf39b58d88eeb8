"""The part of a session that runs edits: how one begins, goes on and ends, whatever its method.

An edit runs on a thread of its own. While it does:

- what would replace the picture (a new sample, undo, ...) ends it first, and its result is kept;
- what it depends on can't be changed, unless its method has a way: then the edit ends, and another
  goes on in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from torch import Tensor

from nbdrag.editing.draggan import DragStep
from nbdrag.editing.editgan import PaintStep
from nbdrag.editing.step import Step
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.runner import Outcome, Runner
from nbdrag.runtime.synthesis import is_quick, whole
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Wish, begin
from nbdrag.widgets.from_kernel import Progress, Status
from nbdrag.widgets.part_map import PartMap
from nbdrag.widgets.protocol import Level
from nbdrag.widgets.state import State
from nbdrag.widgets.work import Work

LEVELS: dict[str, Level] = {
    "done": "info",
    "limit": "warning",
    "stopped": "info",
    "failed": "error",
}
TOLD = frozenset({"auto_drag", "layout_drag"})
"""Methods that tell the answer rather than look for it."""


class Running(State):
    """A state that edits can run on."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._stop_asked, self._is_kept = False, True
        self._is_stale = False  # the pages show a picture of an edit that was let go
        self._next: Callable[[], object] | None = None

    def close(self) -> None:
        """Ask whatever is under way to end."""
        self.stop()
        super().close()

    def stop(self) -> None:
        """Ask the running edit to end after its present step. Doesn't wait; any thread may ask."""
        with self.lock:
            if self.running and self.runner is not None:
                self._stop_asked = True
                self.runner.stop()

    # --------------------------------------------------------------------- for what a session does

    def _run(self, wish: Wish, text: str, *, shown_from: int = 0) -> None:
        """With the lock held: begin to fulfil a wish, beside this thread.

        Steps before `shown_from` are taken and not shown.
        """
        edit = begin(self.generator, self.ws, wish, self.work.predictor)
        with self._changing():
            self.work.note_what_is_placed()
            self._move()
            self.work.points = wish.points or self.points
            runner = Runner(
                edit,
                lock=generator_lock(self.generator),
                on_step=lambda step: self._step(wish, step, shown_from),
                on_end=lambda outcome: self._end(wish, outcome),
            )
            # Its first step waits for the lock. Whoever sees the runner may wait for its end.
            runner.start()
            self.runner, self.method = runner, wish.method
            self.progress = Progress(
                step=0,
                max_steps=limit_of(wish),
                loss=None,
                distances=[],
                agreement=None,
                outside=None,
                steps_per_s=None,
            )
            self._stop_asked, self._is_kept, self._next = False, True, None
            self.status = Status(level="busy", text=text)

    def _interrupt(self, then: Callable[[], object], *, keep: bool = True) -> None:
        """With the lock held: end the running edit, and unless Stop is asked for do this next.

        With `keep` its result is kept; otherwise the picture is again the one before.
        """
        if self.runner is not None:
            self._next, self._is_kept = then, keep
            self.runner.stop()

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
        with self._in_passing(), self._changing():
            yield

    @contextmanager
    def _in_passing(self) -> Iterator[None]:
        """The same, but listeners aren't told before the picture has been at rest for a moment."""
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
                yield
            finally:
                self._settle()

    def _arrive(self, text: str) -> None:
        """The picture shown is that of the history, and no edit's."""
        self.work.ws, self.progress = self.album.current.ws, None
        self.still_version += 1
        self.status = Status(level="info", text=text)

    def _check_same(self, work: Work) -> None:
        """After a wait, for what was prepared for one generator: that it still is the one."""
        if self.work is not work:
            raise RuntimeError("another generator came meanwhile; ask again for this one.")

    # ----------------------------------------------------------------------- on the edit's thread

    def _step(self, wish: Wish, step: Step, shown_from: int) -> None:
        """Take over a step."""
        if step.index < shown_from:
            return
        with self.lock:
            self.work.ws = step.ws
            if isinstance(step, DragStep):
                # Targets stay as placed; the step has them rounded to the generator's dtype.
                both = zip(step.points.tolist(), self.points, strict=True)
                self.work.points = tuple((x, y, *pair[2:]) for (x, y), pair in both)
            self.progress = Progress(
                step=step.index,
                max_steps=limit_of(wish),
                loss=step.loss,
                distances=step.distances.tolist() if isinstance(step, DragStep) else [],
                agreement=step.agreement if isinstance(step, PaintStep) else None,
                outside=step.outside if isinstance(step, PaintStep) else None,
                steps_per_s=self.runner.steps_per_s if self.runner else None,
            )
            picture = Picture(
                image=self._seen_in(step),
                step=step.index,
                loss=step.loss,
                points=self.points,
                distances=self.progress.distances,
                steps_per_s=self.progress.steps_per_s,
                agreement=self.progress.agreement,
                outside=self.progress.outside,
            )
        for listener in [*self.listeners]:
            listener.on_move(step, picture)

    def _seen_in(self, step: Step) -> Tensor:
        """The picture of a step: whole if that costs little, else the preview it came with."""
        if isinstance(step, PaintStep):
            return step.image
        # A generator whose blocks have no RGB of their own has no preview.
        if is_quick(self.generator) or not isinstance(step, DragStep) or not len(step.preview):
            return whole(self.generator, step.ws)
        return step.preview

    def _end(self, wish: Wish, outcome: Outcome) -> None:
        """Put the result into the history, and do what is to be done next."""
        with self.lock:
            after = None if self._stop_asked or outcome.reason == "failed" else self._next
            with self._changing():
                self.method = None
                self._tell_of(wish, outcome)
                if self._is_kept:
                    self._keep_result(wish, outcome)
                self.work.ws = self.album.current.ws
                # What is let go may stay on the pages until the next edit moves on from there.
                self._is_stale = not self._is_kept and after is not None
                self.still_version += not self._is_stale
            self._settle()
            # Before the runner says that it has ended, so that who waits finds the next one.
            if after is not None:
                after()

    def _tell_of(self, wish: Wish, outcome: Outcome) -> None:
        complaint = f" {self.status.text}" if self.status.level == "error" else ""
        last = self.runner.last_step if self.runner else None
        text, level = outcome.message, LEVELS[outcome.reason]
        if wish.method in TOLD and outcome.reason in ("done", "limit"):
            # Never mind that it may have ended short: nobody asked it to go on until there.
            what = "Predicted and refined" if wish.options.get("refine") else "Predicted"
            steps = f"{outcome.steps} step{'s' * (outcome.steps != 1)}"
            text, level = f"{what} in {steps}.", "info"
        if isinstance(last, PaintStep):
            text += f" Parts fit {last.agreement:.0%}; {last.outside:.1%} changed elsewhere."
        level = "error" if complaint else level
        self.status = Status(level=level, text=text + complaint)

    def _keep_result(self, wish: Wish, outcome: Outcome) -> None:
        last = self.runner.last_step if self.runner else None
        if last is not None and last.index > 0:
            edit = Edit(wish, outcome.steps, last.ws)
            try:
                self.album.add(edit, edit.ws, self.points, self.mask, self._seen_in(last))
            except Exception as error:  # too little memory for the whole picture, say
                self.status = Status(level="error", text=f"{type(error).__name__}: {error}")
                self.work.points = self.album.current.points
            else:
                if isinstance(last, PaintStep):
                    found = PartMap.found(last.labels.cpu().numpy())
                    self.album.keep_parts(self.album.current, found)
        elif outcome.reason == "done":
            text = "Every handle is at its target already; move a target."
            self.status = Status(level="info", text=text)


def limit_of(wish: Wish) -> int:
    """How many steps an edit may take; 0 if any number, or if nobody knows."""
    if wish.method == "auto_drag":
        return 0
    return int(wish.options.get("max_steps") or 0)
