"""What a batch preview does beside the notebook: it looks for a direction, and writes pictures.

Both run on threads of their own, one at a time, with progress, and end when somebody says Stop. A
search shows what it has found after every step, on all pictures; stopped, it leaves the direction
that it has got to. An export is of what is included when it begins; the slider may move on. Where
it ends with a single file, that is offered to the pages, until another one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Generator as Yielding
from contextlib import closing, suppress
from pathlib import Path

import numpy as np

from nbdrag.editing.step import Step
from nbdrag.generators.progress import Progress as Tell
from nbdrag.runtime.batch.progress import TransferProgress
from nbdrag.runtime.export import Chosen, destination, export
from nbdrag.runtime.export_offer import Offer
from nbdrag.runtime.loading import Loading, LoadingStopped
from nbdrag.runtime.runner import Outcome, Runner
from nbdrag.runtime.turns import generator_lock
from nbdrag.transfer.edit_one_for_all import DirectionStep
from nbdrag.widgets.batch_messages import Progress
from nbdrag.widgets.batch_state import BatchState
from nbdrag.widgets.from_kernel import Status
from nbdrag.widgets.protocol import MAX_CHUNK, Level
from nbdrag.widgets.state import described

LEVELS: dict[str, Level] = {
    "done": "info",
    "limit": "info",
    "stopped": "info",
    "failed": "error",
}


class BatchSession(BatchState):
    """The state of a batch preview, with all that can be done to it."""

    searching: Runner[DirectionStep] | None = None
    exporting: Loading[Path] | None = None
    offer: Offer | None = None
    offered = 0  # so many files; the number of the last one
    keys: list[str]

    def stop(self) -> None:
        """Ask what runs to end. Doesn't wait; any thread may ask."""
        with self.lock:
            searching, exporting = self.searching, self.exporting
        if searching is not None:
            searching.stop()
        if exporting is not None:
            exporting.stop()

    # ---------------------------------------------------------------------------------- the search

    def search(
        self,
        steps: Iterator[DirectionStep],
        most: int,
        on_step: Callable[[Step], object] = lambda _: None,
    ) -> None:
        """Look for a better direction, in so many steps at most. Returns at once."""

        def follow(step: DirectionStep) -> None:
            with self._changing("direction"):
                self._take(step.direction)
                self.progress = Progress(
                    text=f"step {step.index} / {most}", fraction=step.index / most
                )
            on_step(step)

        runner = Runner(
            steps, lock=generator_lock(self.generator), on_step=follow, on_end=self._found
        )
        with self._changing():
            self.check_idle()
            self.searching = runner
            self.running, self.progress = "search", Progress(text="", fraction=0.0)
            self.status = Status(level="busy", text="Looking for the direction.")
            runner.start()

    def _found(self, outcome: Outcome) -> None:
        with self._changing("direction"):
            self.running = self.progress = None
            name = self.shown.direction.name
            text = {
                "done": f"Found the direction of {name!r} in {outcome.steps} steps.",
                "stopped": f"Stopped after {outcome.steps} steps; this is the direction so far.",
            }.get(outcome.reason, outcome.message)
            self.status = Status(level=LEVELS[outcome.reason], text=text)
            self._sort()

    # ---------------------------------------------------------------------------------- the export

    def export(
        self,
        path: str | Path,
        format: str | None = None,  # noqa: A002
        *,
        resume: bool = False,
    ) -> Loading[Path]:
        """Write down what is included. Returns at once; see `nbdrag.runtime.export`."""
        with self._changing():
            self.check_idle()
            items = np.flatnonzero(self.included)
            chosen = Chosen(
                self.ws[items],
                [self.keys[item] for item in items],
                self.shown.alphas[items],
                items.tolist(),
            )
            # What can be refused at once, is.
            kind, place = destination(path, format)
            pieces = export(chosen, self.direction, self.generator, place, kind, resume=resume)
            exporting = Loading(
                place.name,
                lambda tell: written(pieces, place, tell),
                on_progress=self._progressed,
                on_end=lambda ended: self._written(ended, place),
            )
            self.exporting = exporting
            self.running, self.progress = "export", Progress(text="", fraction=0.0)
            self.status = Status(level="busy", text=f"Writing {place.name}.")
            exporting.start()
        return exporting

    def _progressed(self, exporting: Loading[Path]) -> None:
        with self.lock:
            if self.running == "export" and exporting is self.exporting:
                with self._changing():
                    self.progress = Progress(text=exporting.text, fraction=exporting.fraction)

    def _written(self, exporting: Loading[Path], place: Path) -> None:
        error = exporting.error
        with self._changing():
            self.running = self.progress = None
            if error is None:
                self.status = Status(level="info", text=exporting.text)
                if place.is_file():
                    with suppress(OSError):  # it may be gone already
                        self.offer, self.offered = Offer.of(place), self.offered + 1
            elif isinstance(error, LoadingStopped):
                self.status = Status(level="info", text=f"Writing {exporting.name} was stopped.")
            else:
                text = f"{exporting.name} was not written: {described(error)}"
                self.status = Status(level="error", text=text)

    def piece(self, number: int, offset: int) -> bytes:
        """Read the bytes from `offset` on of the file that is offered, a chunk at most.

        Raises ValueError if that is another file by now, or was changed.
        """
        with self.lock:
            offer = self.offer if number == self.offered else None
        if offer is None:
            raise ValueError("that file is no longer offered; there is another export by now.")
        return offer.piece(offset, MAX_CHUNK)

    def check_idle(self) -> None:
        """Raise RuntimeError if something runs."""
        if self.running == "search":
            raise RuntimeError("the direction is still being looked for; stop that, or wait.")
        if self.running == "export":
            raise RuntimeError("an export is being written; stop it, or wait.")


def written(pieces: Yielding[TransferProgress, None, None], place: Path, tell: Tell) -> Path:
    """Write all, and say how far it is."""
    done = failed = 0
    with closing(pieces):  # who stops it, by `tell`, leaves nothing half-done
        for progress in pieces:
            done, failed = progress.done, progress.failed
            if not progress.ended:
                tell(f"{done} of {progress.total}", done / (progress.total or 1))
    skipped = f" {failed} could not be made, and were left out." if failed else ""
    tell(f"Wrote {done} {'picture' if done == 1 else 'pictures'} to {place}.{skipped}", 1.0)
    return place
