"""The parts that pixels can show: names and colours, in the order of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

MOST_PARTS = 255  # labels are bytes


class Part(NamedTuple):
    """One of the things that a pixel can show. Its place among the parts is its label.

    Attributes
    ----------
    name : str
        Such as "left_iris".
    colour : str
        What it is painted with in a map of the parts, as "#rrggbb".
    """

    name: str
    colour: str


def check_parts(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Parts with names of their own and colours."""
    parts = tuple(Part(*part) for part in parts)
    if not 2 <= len(parts) <= MOST_PARTS:
        raise ValueError(f"there are {len(parts)} parts; it takes 2 to {MOST_PARTS}.")
    for part in parts:
        if not isinstance(part.name, str) or not part.name:
            raise ValueError(f"a part is called {part.name!r}; it needs a name.")
        if not is_colour(part.colour):
            raise ValueError(
                f"the part {part.name!r} has the colour {part.colour!r}; expected one like "
                "'#3a7bd5'."
            )
    names = [part.name for part in parts]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two parts are called {twice[0]!r}; every name may stand once.")
    return parts


def is_colour(text: object) -> bool:
    """Whether it is "#" and six hexadecimal digits."""
    digits = text[1:] if isinstance(text, str) and text[:1] == "#" else ""
    return len(digits) == 6 and set(digits.lower()) <= set("0123456789abcdef")
