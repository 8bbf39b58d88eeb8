"""Options of an editing method: a frozen dataclass whose fields know their range and label.

A field's metadata is the one source for checking a value and for showing a control for it:

    kind : "number", "choice" or "switch"
    label, help : for the user; `help` is one sentence
    low, high, step : of a number, inclusive; `step` is a sensible increment
    whole : of a number, whether it must be an int
    choices : the values of a choice
    optional : whether None is allowed; it means "as the method decides"
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

AnyOptions = TypeVar("AnyOptions", bound="Options")


@dataclass(frozen=True)
class Options:
    """Base of all options: checks every field when made."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.generic):  # a number of numpy's becomes one of Python's
                value = value.item()
                object.__setattr__(self, each.name, value)
            _check(each, value)

    @classmethod
    def from_dict(cls: type[AnyOptions], values: Mapping[str, object]) -> AnyOptions:
        """Make options from names and values; fields not named keep their default.

        Raises
        ------
        ValueError
            If a name is unknown or a value out of range.
        """
        return cls().updated(values)

    def updated(self: AnyOptions, values: Mapping[str, object]) -> AnyOptions:
        """The same options but for the `values` named. Raises as `from_dict` does."""
        known = [each.name for each in fields(self)]
        for name in values:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}."
                raise ValueError(f"unknown option {name!r}; {hint}")
        changed: Any = dict(values)
        return replace(self, **changed)


def number(
    default: float | None,
    label: str,
    low: float,
    high: float,
    step: float,
    help: str,  # noqa: A002
    *,
    optional: bool = False,
) -> Any:
    """A field for a number from `low` to `high`; whole if `low` is an int and so is `step`."""
    whole = isinstance(low, int) and isinstance(step, int)
    return field(
        default=default,
        metadata={
            "kind": "number",
            "label": label,
            "low": low,
            "high": high,
            "step": step,
            "whole": whole,
            "optional": optional,
            "help": help,
        },
    )


def choice(default: str, label: str, choices: tuple[str, ...], help: str) -> Any:  # noqa: A002
    """A field for one of several strings."""
    return field(
        default=default,
        metadata={
            "kind": "choice",
            "label": label,
            "choices": choices,
            "optional": False,
            "help": help,
        },
    )


def switch(default: bool, label: str, help: str) -> Any:  # noqa: A002
    """A field for on or off."""
    return field(
        default=default,
        metadata={"kind": "switch", "label": label, "optional": False, "help": help},
    )


def _check(option: Field[Any], value: object) -> None:
    meta = option.metadata
    if value is None and meta["optional"]:
        return
    if meta["kind"] == "switch":
        wanted, ok = "True or False", isinstance(value, bool)
    elif meta["kind"] == "choice":
        wanted = "one of " + ", ".join(map(repr, meta["choices"]))
        ok = isinstance(value, str) and value in meta["choices"]
    else:
        wanted = f"{'a whole number' if meta['whole'] else 'a number'}"
        wanted += f" from {meta['low']:g} to {meta['high']:g}"
        ok = (
            isinstance(value, int if meta["whole"] else (int, float))
            and not isinstance(value, bool)
            and meta["low"] <= value <= meta["high"]  # False for NaN
        )
    if not ok:
        wanted += " or None" if meta["optional"] else ""
        raise ValueError(f"{option.name} is {value!r}; expected {wanted}.")
