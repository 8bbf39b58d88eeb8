"""What a person edits: one picture, what is placed on it, and how it came to be.

The session is the one truth behind an editor. It is commanded by the pages (through the wire) and
by Python (through the editor), on any thread, and knows neither. One lock guards it. A command
either does the whole of what it says or raises and changes nothing.

What is placed on the picture for a drag, which picture it is, and of which generator, is here. A
session also runs edits (`running`), is painted (`painting`), slides (`sliding`) and follows a hand
(`following`), all on the same latent and into one history. While a drag runs, its targets can be
moved: the edit ends, and the next goes on from there; mask and options belong to the edit, so
changing them is refused until it is stopped.

Of large pictures a glance is shown at first. Once the picture has been at rest for a moment, the
whole of it is made, beside everything else; whatever moves the picture doesn't wait for that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict

from numpy.typing import ArrayLike
from torch import Tensor

from nbdrag.editing.auto_draggan import fitting_predictor
from nbdrag.editing.inputs import check_ws
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import predictor_hash
from nbdrag.editing.options import Options
from nbdrag.runtime.history import Entry, History
from nbdrag.runtime.wishes import DRAGS, Given, Sampled, Wish, kept, sample
from nbdrag.widgets import mask as masks
from nbdrag.widgets import pairs
from nbdrag.widgets.following import Following
from nbdrag.widgets.from_kernel import Loading, Status
from nbdrag.widgets.from_page import PaintMask
from nbdrag.widgets.inputs import check_entries, check_options, check_start
from nbdrag.widgets.methods import drag_method, missing
from nbdrag.widgets.work import Work


class Session(Following):
    """The state of an editor, with every command on it."""

    # ----------------------------------------------------------------- what is placed on a picture

    def set_points(self, points: ArrayLike) -> None:
        """Place these handles and targets instead of those before."""
        with self.lock:
            placed = pairs.checked(points, self.work.size, self.points)
            if self.method in DRAGS:
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
                self._interrupt(self.start)
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

    def set_options(self, options: Options | Mapping[str, object]) -> None:
        """Set all options of the chosen way to drag, or those named."""
        with self._preparing():
            self.work.options = check_options(options, self.options, self.generator)

    def set_drag_method(self, name: str) -> None:
        """Choose how to drag, with the options that it had when it was chosen last."""
        way = drag_method(name)
        with self._preparing():
            if lack := missing(way, self.generator, self.work.predictor):
                raise ValueError(f"{way.title}: {lack}")
            self.work.choose(way)

    def set_predictor(self, predictor: LatentPredictor | None) -> None:
        """Predict drags by this one; None: by the one that comes with the generator."""
        work = self.work
        if predictor is not None:
            predictor = fitting_predictor(work.generator, predictor)
        with self._preparing():
            self._check_same(work)
            work.predictor = predictor

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
            tried_out = isinstance(shown, Sampled) and alike_but_for_truncation(shown, start)
            # One entry will do for all the values of a truncation that is being tried out.
            instead = tried_out and self.album.history.cursor > 0
            with self.album.instead() if instead else nullcontext():
                self.album.add(start, ws, self.points, self.mask)
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
        """Take back a stroke on the part map; else go back to the picture before."""
        with self.lock:
            if self._step_strokes(back=True):
                return
            shown = self.album.current.id if self.method in DRAGS else None
        # A drag that ends for it before its first step has left nothing to take back.
        self._go(lambda history: history.current if history.current.id == shown else history.undo())

    def redo(self) -> None:
        """Go forward again."""
        with self.lock:
            if self._step_strokes(back=False):
                return
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
        if self.library is not None:
            work.vectors(self.library)  # which takes its time only once
        with self._at_rest():
            claim()
            self.work.note_what_is_placed()
            self.work, self.previous = work, self.work
            self.mask_version += 1
            self._arrive(f"Now with {work.name}; back leads to {self.previous.name}.")
            self.look_for_vectors()
            if not self.parts and any(listener.paints for listener in self.listeners):
                text = f"{self.status.text} It has no segmenter, so its parts can't be painted."
                self.status = Status(level="warning", text=text)

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

    # ---------------------------------------------------------------------------------- the drag

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
            self._run(self._dragging(), "Dragging.")

    # ------------------------------------------------------------------------------------- inside

    def _dragging(self) -> Wish:
        """What is placed and chosen, as a wish."""
        work = self.work
        method, own = work.way.method, work.predictor
        named = predictor_hash(own) if own and method == "auto_drag" else ""
        options = asdict(work.options)
        return Wish(method, options, self.points, self.mask, predictor=named)

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

    def _place_mask(self, mask: masks.MaskArray | None) -> None:
        self.work.mask = kept(mask)
        self.mask_version += 1


def alike_but_for_truncation(one: Sampled, other: Sampled) -> bool:
    """Whether two starts are of the same seed and class."""
    return (one.seed, one.label) == (other.seed, other.label)
