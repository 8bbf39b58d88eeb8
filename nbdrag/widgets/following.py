"""The part of a session that follows a hand: while a handle is held, every move is one pass.

Where the hand has led the handles to, the Latent Predictor tells the picture of
(`nbdrag.editing.auto_draggan`). It always tells it from the picture at rest, with which the hand
began: so passes don't add up, and going back to the start shows the start. The features of that
picture are made once, and so is what the predictor tells of handles that stay, to be taken off.

A hand is faster than a pass, and it waits for the picture and for nothing else. So the pass is made
on the thread that took the message, as for a slider. The page says where the hand is shortly before
it expects an answer, so that the newest place lies there when a pass is done; only one ever waits.
Should threads meet here all the same, of two pages for instance, whoever comes last wins.

Where two cores are all there are, the page needs one: passes that are only shown leave it alone.

Passes are shown, and that is all: the session stays as it was until the hand lets go. Then what is
drawn is an edit like any other, the last pass once more with its refinement, and one entry in the
history. Or the hand takes everything back, or is lost; then nothing has happened.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from threading import Lock
from typing import NamedTuple

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbdrag.editing.auto_draggan import (
    AutoDragOptions,
    check_drag,
    drift,
    fitting_predictor,
    hops,
    predict,
)
from nbdrag.editing.auto_draggan_blend import blended
from nbdrag.editing.drag_options import usual_block
from nbdrag.editing.inputs import check_mask
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import predictor_hash
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.synthesis import finite, glance, is_quick
from nbdrag.runtime.threads import one_core_left
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Wish
from nbdrag.widgets import pairs
from nbdrag.widgets.from_kernel import Status
from nbdrag.widgets.mask import MaskArray
from nbdrag.widgets.methods import DRAG_METHODS, missing
from nbdrag.widgets.pairs import Pair
from nbdrag.widgets.sliding import Sliding
from nbdrag.widgets.state import PLACE_AND_START
from nbdrag.widgets.work import Work


class Wanted(NamedTuple):
    """Where the hand wants the handles: as it was said, and as tensors [P, 2]."""

    points: tuple[Pair, ...]
    handles: Tensor
    targets: Tensor


class Drift(NamedTuple):
    """What is told of handles [P, 2] that stay where they are, and how it was told."""

    handles: Tensor
    regularize: bool
    told: Tensor


@dataclass(eq=False)
class Held:
    """A gesture under way.

    Attributes
    ----------
    work : Work
    ws : Tensor, shape [num_ws, w_dim]
        Latent of the picture that it began with.
    predictor : LatentPredictor
    wish : Wanted
        The newest.
    features : Tensor or None
        F_0 of that picture, once it is known.
    drift : Drift or None
        Of the handles that were asked for last, once it is known.
    """

    work: Work
    ws: Tensor
    predictor: LatentPredictor
    wish: Wanted
    features: Tensor | None = None
    drift: Drift | None = None


class Following(Sliding):
    """A state whose picture follows a hand."""

    def __init__(self, work: Work) -> None:
        super().__init__(work)
        self._held: Held | None = None
        self._passing = Lock()  # held while a pass is made

    def set_follow(self, follow: bool) -> None:
        """Set whether the picture is to follow a handle that is held."""
        if not isinstance(follow, bool):
            raise ValueError(f"follow is {follow!r}; expected True or False.")
        work = self.work
        if follow:
            self._predictor(work)
        with self.lock:
            self._check_same(work)
            if follow != work.follows:
                self._move()
                with self._changing():
                    work.follows = follow
                    if not self.running:
                        text = "Take hold of the picture and move." if follow else PLACE_AND_START
                        self.status = Status(level="info", text=text)
                self._settle()

    def hold(self, points: ArrayLike) -> None:
        """Show where one pass takes these points, from the picture at rest."""
        work = self.work
        wish, predictor = self._wanted(work, points), self._predictor(work)
        held = self._held
        if held is None or held.predictor is not predictor:
            with self._in_passing():  # which ends an edit, and keeps its result
                self._check_same(work)
                held = self._held = Held(work, work.ws, predictor, wish)
        held.wish = wish
        with self._passing:
            if self._held is held and held.wish is wish:  # nobody wants another one by now
                with one_core_left():
                    self._pass(held, wish)

    def release(self, points: ArrayLike | None = None) -> None:
        """Make an edit of the gesture: one pass to these points, or to the last ones, and refine.

        Does nothing if nothing is held and no points are given.
        """
        work = self.work
        with self.lock:
            held, self._held = self._held, None  # the start isn't put back on the pages yet
        if held is None and points is None:
            return
        try:
            wish = held.wish if held and points is None else self._wanted(work, points)
            predictor, options = self._predictor(work), self._telling(work)
            config, named = predictor.config, predictor_hash(predictor) if work.predictor else ""
            # What lies before the answer would throw the picture back.
            unseen = hops(config, wish.handles, wish.targets) * config.steps
            text = "Refining." if options.refine else "Dragging."
            with self._in_passing():
                self._check_same(work)
                edit = Wish("auto_drag", asdict(options), wish.points, self.mask, predictor=named)
                self._run(edit, text, shown_from=unseen)
        except BaseException:
            if held is not None:
                self._put_back()
            raise

    def let_go(self) -> None:
        """Give the gesture up, if there is one: the picture is again the one that it began with."""
        with self.lock:
            if self._held is not None:
                self._move()
                self._settle()

    # ------------------------------------------------------------------------------------- inside

    def _pass(self, held: Held, wish: Wanted) -> None:
        """Make the picture that is wanted, and show it if nobody has let go meanwhile."""
        with self.lock:
            mask, options = self.mask, self._telling(held.work)
        try:
            picture = seen(held, told(held, wish, options), mask)
        except Exception:  # too little memory, say
            self.let_go()
            raise
        with self.lock:
            if self._held is held:
                for listener in [*self.listeners]:
                    listener.on_pass(Picture(picture, points=wish.points))

    def _wanted(self, work: Work, points: ArrayLike | None) -> Wanted:
        """What is asked for, if it can be done. Raises ValueError otherwise."""
        placed = pairs.checked(points if points is not None else (), work.size, self.points)
        handles, targets = [pair[:2] for pair in placed], [pair[2:] for pair in placed]
        if self.mask is not None:
            check_mask(self.mask, work.size, like=work.ws)
        return Wanted(placed, *check_drag(work.generator, handles, targets, like=work.ws))

    def _predictor(self, work: Work) -> LatentPredictor:
        """What tells. Raises ValueError if there is nothing, which says how to train it."""
        if lack := missing(DRAG_METHODS["auto_drag"], work.generator, work.predictor):
            raise ValueError(lack)
        return fitting_predictor(work.generator, work.predictor)

    def _telling(self, work: Work) -> AutoDragOptions:
        """Without refinement only if that is what is chosen."""
        name = "auto_drag" if work.way.name == "auto_drag" else "auto_drag_refined"
        options = work.options_of(DRAG_METHODS[name])
        if not isinstance(options, AutoDragOptions):
            raise TypeError(f"{name} has {type(options).__name__}.")
        return options

    def _put_back(self) -> None:
        """Show the picture at rest again."""
        with self.lock, self._changing():
            self.still_version += 1

    def _move(self) -> None:
        """The picture will be another: whatever is held is let go."""
        if self._held is not None:
            self._held = None
            self._put_back()
        super()._move()

    def _settle(self) -> None:
        """With the lock held: a hand that pauses is no rest."""
        if self._held is None:
            super()._settle()


@torch.inference_mode()
def told(held: Held, wish: Wanted, options: AutoDragOptions) -> Tensor:
    """Latent of one pass [num_ws, w_dim]; as `nbdrag.auto_drag` would tell it."""
    generator, predictor = held.work.generator, held.predictor
    with generator_lock(generator):
        if held.features is None:
            block = predictor.config.feature_block
            first = generator.synthesis(held.ws[None], until=block, taps=(block,))
            held.features = first.features[block]
        sequence = predict(
            generator,
            predictor,
            held.ws[None],
            [wish.handles],
            [wish.targets],
            regularize=options.regularize,
            steady=options.steady,
            features=held.features,
            drift=known_drift(held, held.features, wish, options),
        )
    return sequence[0, -1]


def known_drift(
    held: Held, features: Tensor, wish: Wanted, options: AutoDragOptions
) -> Tensor | None:
    """What is taken off a pass, made once for all passes with the same handles."""
    if not options.steady:
        return None
    known, handles, regularize = held.drift, wish.handles, options.regularize
    if known is None or known.regularize != regularize or not torch.equal(known.handles, handles):
        stayed = drift(held.predictor, held.ws[None], features, [handles], regularize=regularize)
        held.drift = known = Drift(handles, regularize, stayed)
    return known.told


def seen(held: Held, latent: Tensor, mask: MaskArray | None) -> Tensor:
    """The picture of a pass, as much as is there at once; outside the mask that of the start."""
    generator = held.work.generator
    if mask is None:
        return glance(generator, latent)
    inside = check_mask(mask, held.work.size, like=latent)
    block = usual_block(generator)
    until = None if is_quick(generator) or not generator.config.has_rgb(block) else block
    with generator_lock(generator):
        image = blended(generator, latent[None], held.ws, inside, until=until).image[0]
    return finite(image, latent)
