"""Checking what is asked of a session, before anything changes.

Each function returns what the session works with, or raises a ValueError that names the argument,
the value and the remedy. Points and masks are checked in `pairs` and `mask`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from numbers import Real
from operator import index as whole

import torch

from nbdrag.editing.inputs import check_ws
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.history import Entry
from nbdrag.runtime.wishes import Sampled, checked_start, sample
from nbdrag.widgets import pairs, panel
from nbdrag.widgets.protocol import MAX_SCALE, MAX_SEED


def check_options(
    change: panel.Suited | Mapping[str, object], present: panel.Suited, generator: Generator
) -> panel.Suited:
    """All options, from all of them or from some by name, that suit the generator."""
    kind = type(present)
    if isinstance(change, Mapping):
        change = present.updated(change)
    elif type(change) is not kind:
        raise ValueError(
            f"options is a {type(change).__name__}; expected {kind.__name__}, or a mapping of some."
        )
    return panel.fitting(change, generator)


def check_start(
    generator: Generator, seed: object, truncation: object, label: object = None
) -> Sampled:
    """A start that the generator can draw, of whatever kinds of numbers."""
    try:
        number = -1 if isinstance(seed, bool) else whole(seed)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if not 0 <= number <= MAX_SEED:
        raise ValueError(f"seed is {seed!r}; expected a whole number from 0 to {MAX_SEED}.")
    if not isinstance(truncation, Real) or not 0 <= float(truncation) <= 1:
        raise ValueError(f"truncation is {truncation!r}; expected a number from 0 to 1.")
    return checked_start(generator, number, float(truncation), label)


def check_scale(name: str, scale: object) -> float:
    """How much of a vector, of whatever kind of number."""
    number = nan if isinstance(scale, bool) or not isinstance(scale, Real) else float(scale)
    if not abs(number) <= MAX_SCALE:  # False for NaN, too
        raise ValueError(
            f"the scale of {name!r} is {scale!r}; expected a number from {-MAX_SCALE:g} to "
            f"{MAX_SCALE:g}."
        )
    return number


def check_entries(entries: object, generator: Generator) -> tuple[Entry, ...]:
    """Entries of a history that the generator can have made."""
    if not isinstance(entries, Sequence) or not entries:
        raise ValueError("history must be the entries of an editor's history, one at least.")
    size = (generator.height, generator.width)
    for i, entry in enumerate(entries):
        if not isinstance(entry, Entry):
            raise ValueError(f"history[{i}] is a {type(entry).__name__}; expected an Entry.")
        check_ws(generator, entry.ws)
        pairs.checked(entry.points, size, entry.points)
        if entry.mask is not None and entry.mask.shape != size:
            raise ValueError(f"history[{i}] has a mask of another size than the picture.")
        if isinstance(entry.change, Sampled):
            start = entry.change
            drawn = sample(generator, start.seed, start.truncation, start.label)
            if not torch.allclose(drawn, entry.ws, rtol=1e-3, atol=1e-3):  # other machines round so
                raise ValueError(
                    f"history[{i}], {entry.label}, was drawn by another generator; take the "
                    "history of an editor with this one, or set ws to go on from a latent."
                )
    return tuple(entries)
