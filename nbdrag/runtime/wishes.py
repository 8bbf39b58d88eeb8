"""What can be done to a latent, as data: where it starts from, what is wished, how far it got.

An editing method is a function; to remember, save or show a call of it, the call is written down
as a `Wish`. `begin` turns a wish into an edit that runs. The editor and every replay begin edits
there and nowhere else, so what is remembered is what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

import msgspec
import numpy as np
import torch
from msgspec import Meta, Struct
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.editing.auto_draggan import AutoDragOptions, auto_drag
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.editgan import paint, refine
from nbdrag.editing.freedrag import free_drag
from nbdrag.editing.freedrag_options import FreeDragOptions
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import predictor_hash
from nbdrag.editing.layout_drag import LayoutDragOptions, layout_drag
from nbdrag.editing.options import Options
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.editing.step import Step
from nbdrag.generators.stylegan2 import Generator

Mask = NDArray[np.bool_]
Labels = NDArray[np.uint8]
OptionValue = bool | int | float | str | None
Pair = tuple[float, float, float, float]
Kind = TypeVar("Kind", np.bool_, np.uint8)


class Sampled(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="sampled"):
    """A start that `sample` draws; of one class, if the generator has any."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    truncation: Annotated[float, Meta(ge=0, le=1)]
    label: Annotated[int, Meta(ge=0, le=1 << 20)] | None = None


class Given(Struct, frozen=True, forbid_unknown_fields=True, tag="given"):
    """A start that somebody set: nothing is known of it but the latent itself."""


Start = Sampled | Given


class Slide(NamedTuple):
    """An editing vector, and how much of it: what a slider was moved to.

    Attributes
    ----------
    name : str
        Of the vector.
    scale : float
        How much of it; 1 is as it was learnt.
    delta : Tensor, shape [num_ws, w_dim]
    classes : tuple of str
        Names of the parts that it is about, if that is known.
    """

    name: str
    scale: float
    delta: Tensor
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Wish:
    """What is asked of an editing method.

    Attributes
    ----------
    method : str
        A key of `METHODS`.
    options : mapping of str to bool, int, float, str or None
        By name; those not named have the default of the method's options.
    points : sequence of (handle x, handle y, target x, target y)
        In pixels of the picture.
    mask : bool array, shape [H, W], optional
        True where the picture may move. A copy is kept that can't be written to.
    labels, edited : uint8 arrays, shape [H, W], optional
        The parts of the picture, and what was painted over them. Kept as copies, too.
    vectors : sequence of Slide
        To add to the latent, in this order; or that were added to it.
    predictor : str
        Hash of the latent predictor that it takes, if that isn't the packaged one. Who begins it
        hands that over.
    """

    method: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    points: tuple[Pair, ...] = ()
    mask: Mask | None = None
    labels: Labels | None = None
    edited: Labels | None = None
    vectors: tuple[Slide, ...] = ()
    predictor: str = ""

    def __post_init__(self) -> None:
        pairs = [(float(hx), float(hy), float(tx), float(ty)) for hx, hy, tx, ty in self.points]
        object.__setattr__(self, "options", dict(self.options))
        object.__setattr__(self, "points", tuple(pairs))
        object.__setattr__(self, "mask", kept(self.mask))
        object.__setattr__(self, "labels", _kept(self.labels, np.uint8))
        object.__setattr__(self, "edited", _kept(self.edited, np.uint8))
        object.__setattr__(self, "vectors", tuple(map(_own, self.vectors)))


@dataclass(frozen=True, eq=False)
class Edit:
    """A wish and how far it got.

    Attributes
    ----------
    wish : Wish
    steps : int
        How many steps were taken; fewer than the method would take, if somebody stopped it.
    ws : Tensor, shape [num_ws, w_dim]
        The latent after them.
    """

    wish: Wish
    steps: int
    ws: Tensor


Begin: TypeAlias = Callable[[Generator, Tensor, Wish, LatentPredictor | None], Iterator[Step]]
"""Begins a wish from a latent; the predictor is for the one method that has a use for it."""


@dataclass(frozen=True)
class Method:
    """How wishes for an editing method are checked and begun.

    `label` says in a word or two what was done; `needs` names what a wish for it can't be without,
    besides options.
    """

    options: type[Options]
    begin: Begin
    label: str
    needs: tuple[str, ...] = ()

    def check(self, wish: Wish) -> None:
        """Raise ValueError if something is missing, or an option is none of the method's."""
        self.options.from_dict(wish.options)
        for name in self.needs:
            value = getattr(wish, name)
            if value is None or len(value) == 0:
                raise ValueError(f"{wish.method} needs {name}, and there are none.")


def pulling(drag: Callable[..., Iterator[Step]], options: type[Options]) -> Begin:
    """How a method is begun that needs handles, targets and options, and perhaps a mask."""

    def begin(
        generator: Generator, ws: Tensor, wish: Wish, _: LatentPredictor | None = None
    ) -> Iterator[Step]:
        return drag(generator, ws, *_ends(wish), wish.mask, options.from_dict(wish.options))

    return begin


def begin_auto_drag(
    generator: Generator, ws: Tensor, wish: Wish, predictor: LatentPredictor | None = None
) -> Iterator[Step]:
    """Begin `nbdrag.auto_drag` as wished, with the predictor that the wish names."""
    found = "the packaged one" if predictor is None else predictor_hash(predictor)
    if wish.predictor and found != wish.predictor:
        raise ValueError(
            f"predictor is {found}; this was made with {wish.predictor}, which did not come with "
            "nbdrag. Hand it over: predictor=load_predictor(FILE, generator)."
        )
    own = predictor if wish.predictor else None
    options = AutoDragOptions.from_dict(wish.options)
    return auto_drag(generator, ws, *_ends(wish), wish.mask, options, predictor=own)


def begin_paint(
    generator: Generator, ws: Tensor, wish: Wish, _: LatentPredictor | None = None
) -> Iterator[Step]:
    """Begin `nbdrag.paint` as wished."""
    METHODS["paint"].check(wish)
    options = PaintOptions.from_dict(wish.options)
    return paint(generator, ws, wish.labels, wish.edited, options)  # type: ignore[arg-type]


def begin_slide(
    generator: Generator, ws: Tensor, wish: Wish, _: LatentPredictor | None = None
) -> Iterator[Step]:
    """Begin to add editing vectors: one step, and it is done."""
    METHODS["slide"].check(wish)
    return iter([Step(slid(ws, wish.vectors), 1, 0.0, done=True)])


def begin_refine(
    generator: Generator, ws: Tensor, wish: Wish, _: LatentPredictor | None = None
) -> Iterator[Step]:
    """Begin `nbdrag.refine`, after the vectors of the wish were added to a latent."""
    METHODS["refine"].check(wish)
    before = slid(ws, [slide._replace(scale=-slide.scale) for slide in wish.vectors])
    about = {name for slide in wish.vectors for name in slide.classes}
    options = PaintOptions.from_dict(wish.options)
    return refine(generator, before, ws, options, parts=sorted(about) or None)


def _ends(wish: Wish) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Handles and targets."""
    return [pair[:2] for pair in wish.points], [pair[2:] for pair in wish.points]


METHODS = {
    "drag": Method(DragOptions, pulling(drag, DragOptions), "drag"),
    "paint": Method(PaintOptions, begin_paint, "paint", needs=("labels", "edited")),
    "slide": Method(Options, begin_slide, "slide", needs=("vectors",)),
    "refine": Method(PaintOptions, begin_refine, "refine", needs=("vectors",)),
    "free_drag": Method(FreeDragOptions, pulling(free_drag, FreeDragOptions), "FreeDrag"),
    "auto_drag": Method(AutoDragOptions, begin_auto_drag, "one pass"),
    "layout_drag": Method(LayoutDragOptions, pulling(layout_drag, LayoutDragOptions), "layout"),
}
"""Editing methods by name. A new one joins here, and in `nbdrag.runtime.script.CODE`."""

DRAGS = frozenset({"drag", "free_drag", "auto_drag", "layout_drag"})
"""Those that move handles to targets."""


def slid(ws: Tensor, vectors: Sequence[Slide]) -> Tensor:
    """The latent `ws` [num_ws, w_dim] with editing vectors added to it, one after the other.

    Raises
    ------
    ValueError
        If one of them is of another shape, and so of another generator.
    """
    for name, scale, delta, _ in vectors:
        if delta.shape != ws.shape:
            raise ValueError(
                f"the vector {name!r} is {list(delta.shape)}, but ws {list(ws.shape)}: it belongs "
                "to another generator."
            )
        ws = ws + scale * delta.to(ws)
    return ws


def method(name: str) -> Method:
    """Look up an editing method. Raises ValueError if there is none of this name."""
    if name not in METHODS:
        raise ValueError(f"method is {name!r}; this nbdrag knows {', '.join(METHODS)}.")
    return METHODS[name]


def begin(
    generator: Generator, ws: Tensor, wish: Wish, predictor: LatentPredictor | None = None
) -> Iterator[Step]:
    """Begin to fulfil a wish, from the latent `ws` [num_ws, w_dim].

    `predictor` is the one that the wish names, if it names any.

    Raises
    ------
    ValueError
        At once, if the method is unknown or refuses the wish, or that predictor isn't given.
    """
    return method(wish.method).begin(generator, ws, wish, predictor)


def sample(generator: Generator, seed: int, truncation: float, label: int | None = None) -> Tensor:
    """Draw the latent of a picture.

    Parameters
    ----------
    seed : int
        From 0 to 2**63 - 1. The same on every device.
    truncation : float
        ψ, from 0 to 1: 1 leaves w as it is drawn, 0 gives the mean picture.
    label : int, optional
        Which class a conditional generator draws, from 0 to ``generator.num_labels - 1``.
        Default: the first.

    Returns
    -------
    Tensor, shape [num_ws, w_dim], on the generator's device

    Raises
    ------
    ValueError
        If one of them is out of range, or a label is given to a generator that has no classes.
    """
    start = checked_start(generator, seed, truncation, label)
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(start.seed))
    labels = None
    if start.label is not None:
        labels = torch.eye(generator.num_labels)[[start.label]].to(generator.w_avg)
    with torch.no_grad():
        ws: Tensor = generator.mapping(z.to(generator.w_avg), labels, truncation=start.truncation)
    return ws[0].clone()


def checked_start(
    generator: Generator, seed: object, truncation: object, label: object = None
) -> Sampled:
    """What `sample` is to draw, once it is known that it can. Raises as `sample` does."""
    classes = generator.num_labels
    if label is None and classes:
        label = 0
    values = {"type": "sampled", "seed": seed, "truncation": truncation, "label": label}
    try:
        # A number of numpy's counts as one of Python's.
        start = msgspec.convert(
            {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()},
            Sampled,
        )
    except msgspec.ValidationError:
        given = f"seed is {seed!r} and truncation {truncation!r}"
        wanted = "a whole number from 0 to 2**63 - 1 and a number from 0 to 1"
        if label is not None:
            given += f", label {label!r}"
            wanted += f", and one of the {classes} classes, which count from 0"
        raise ValueError(f"{given}; expected {wanted}.") from None
    if start.label is not None and start.label >= classes:
        has = f"has {classes} classes, which count from 0" if classes else "has no classes"
        raise ValueError(f"label is {start.label}, but the generator {has}.")
    return start


def kept(mask: Mask | None) -> Mask | None:
    """A copy of a mask that can't be written to. Such a copy needs no other."""
    return _kept(mask, np.bool_)


def _own(slide: Slide) -> Slide:
    name, scale, delta, classes = slide
    return Slide(str(name), float(scale), delta.detach().clone(), tuple(classes))


def _kept(array: NDArray[Kind] | None, kind: type[Kind]) -> NDArray[Kind] | None:
    if array is None:
        return None
    own = isinstance(array, np.ndarray) and array.base is None and array.dtype == kind
    if own and not array.flags.writeable:
        return array
    copy = np.array(array, dtype=kind)
    copy.flags.writeable = False
    return copy
