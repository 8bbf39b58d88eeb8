"""What can be done to a latent, as data: where it starts from, what is wished, how far it got.

An editing method is a function; to remember, save or show a call of it, the call is written down
as a `Wish`. `begin` turns a wish into an edit that runs. The editor and every replay begin edits
there and nowhere else, so what is remembered is what was done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import numpy as np
import torch
from msgspec import Meta, Struct
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.options import Options
from nbdrag.editing.step import Step
from nbdrag.generators.stylegan2 import Generator

Mask = NDArray[np.bool_]
OptionValue = bool | int | float | str | None
Pair = tuple[float, float, float, float]


class Sampled(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag="sampled"):
    """A start that `sample` draws; of one class, if the generator has any."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    truncation: Annotated[float, Meta(ge=0, le=1)]
    label: Annotated[int, Meta(ge=0, le=1 << 20)] | None = None


class Given(Struct, frozen=True, forbid_unknown_fields=True, tag="given"):
    """A start that somebody set: nothing is known of it but the latent itself."""


Start = Sampled | Given


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
    """

    method: str
    options: Mapping[str, OptionValue] = field(default_factory=dict)
    points: tuple[Pair, ...] = ()
    mask: Mask | None = None

    def __post_init__(self) -> None:
        pairs = [(float(hx), float(hy), float(tx), float(ty)) for hx, hy, tx, ty in self.points]
        object.__setattr__(self, "options", dict(self.options))
        object.__setattr__(self, "points", tuple(pairs))
        object.__setattr__(self, "mask", kept(self.mask))


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


@dataclass(frozen=True)
class Method:
    """How wishes for an editing method are checked and begun."""

    options: type[Options]
    begin: Callable[[Generator, Tensor, Wish], Iterator[Step]]


def begin_drag(generator: Generator, ws: Tensor, wish: Wish) -> Iterator[Step]:
    """Begin `nbdrag.drag` as wished."""
    handles = [pair[:2] for pair in wish.points]
    targets = [pair[2:] for pair in wish.points]
    return drag(generator, ws, handles, targets, wish.mask, DragOptions.from_dict(wish.options))


METHODS = {"drag": Method(DragOptions, begin_drag)}
"""Editing methods by name. A new one joins here, and in `nbdrag.runtime.script.CALLS`."""


def method(name: str) -> Method:
    """Look up an editing method. Raises ValueError if there is none of this name."""
    if name not in METHODS:
        raise ValueError(f"method is {name!r}; this nbdrag knows {', '.join(METHODS)}.")
    return METHODS[name]


def begin(generator: Generator, ws: Tensor, wish: Wish) -> Iterator[Step]:
    """Begin to fulfil a wish, from the latent `ws` [num_ws, w_dim].

    Raises
    ------
    ValueError
        At once, if the method is unknown or refuses the wish.
    """
    return method(wish.method).begin(generator, ws, wish)


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
    if mask is None:
        return None
    own = isinstance(mask, np.ndarray) and mask.base is None and mask.dtype == np.bool_
    if own and not mask.flags.writeable:
        return mask
    copy = np.array(mask, dtype=np.bool_)
    copy.flags.writeable = False
    return copy
