"""What an unpickled file is made of, besides plain Python: inert records, and what they may cost.

Where Python's own unpickler imports a name, here stands a `Global`; where it calls something, here
stands a `Call`. Both are data. Nothing in this package turns them into a name looked up or a call
made.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from nbdrag.generators.errors import CheckpointError

WIDEST_KEY = 8  # items of a tuple that is a key


@dataclass(frozen=True, slots=True)
class Global:
    """A class or function that a pickle names.

    Attributes
    ----------
    module, name : str
        As Python 3 and numpy 1 spell them, whichever wrote the file: ``builtins``, not
        ``__builtin__``; ``numpy.core``, not ``numpy._core``.
    """

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Call:
    """A call that a pickle asks for, and what it then asks to put into the result.

    Attributes
    ----------
    function : Global
        What it would call; a class where it makes an object.
    args : tuple
    kwargs : dict of str
    state : object
        What ``__setstate__``, or else the object's ``__dict__``, would get. None if nothing.
    items : list
        What would be appended; of a list's subclass, its items.
    entries : list of (key, value)
        What would be set by key; of a dict's subclass, its items. Keys may be anything.
    """

    function: Global
    args: tuple[object, ...] = ()
    kwargs: dict[str, object] = field(default_factory=dict)
    state: object = None
    items: list[object] = field(default_factory=list)
    entries: list[tuple[object, object]] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"<call of {self.function} with {len(self.args) + len(self.kwargs)} arguments>"


Maker = Callable[[Call, "Allowance"], object]
"""Gives what a call means, or the call itself where it means nothing (or nothing yet)."""

Makers = Mapping[Global, Maker]


@dataclass(slots=True)
class Allowance:
    """What reading one file may still cost, all pickles in it together.

    A pickle of a few bytes can ask for gigabytes, or for hours. Steps bound the time, and the
    memory that small objects take; bytes bound what is copied beyond the file itself.

    Attributes
    ----------
    steps : int
        Instructions. A training snapshot of 1024 pixels has seventy thousand.
    copied : int
        Bytes of texts, and of tensors that can't be used where they lie.
    tuple_keys : int
        Keys and members that are tuples; their hashes can be made to collide.
    """

    steps: int = 1 << 20
    copied: int = 1 << 26
    tuple_keys: int = 1 << 12

    @classmethod
    def of_file(cls, size: int) -> Allowance:
        """Give the allowance for a file of `size` bytes."""
        return cls(copied=cls().copied + 3 * size)

    def copy(self, size: int) -> None:
        """Take `size` bytes from the allowance, or refuse."""
        self.copied -= size
        if self.copied < 0:
            raise CheckpointError(
                "the file unfolds to several times its own size; no checkpoint does."
            )


def as_keys(things: Iterable[object], allowance: Allowance) -> list[Hashable]:
    """Check that things may be keys of a dict, or members of a set.

    Names and numbers may be: their hashes are quick to take, and can't be made to collide by the
    thousand, which would take hours. Tuples of a few of them may be, if there are not many.
    """
    keys: list[Hashable] = []
    for thing in things:
        if is_plain(thing):
            keys.append(thing)
        elif isinstance(thing, tuple) and len(thing) <= WIDEST_KEY and all(map(is_plain, thing)):
            keys.append(thing)
            allowance.tuple_keys -= 1
            if allowance.tuple_keys < 0:
                raise CheckpointError("the file has more tuples for keys than any checkpoint.")
        else:
            raise CheckpointError(
                f"the pickle has something of type {kind(thing)} for a key; texts, and numbers of "
                f"up to 60 bits, are supported."
            )
    return keys


def is_plain(thing: Hashable) -> bool:
    """Tell whether something is a name or a number that a 64-bit hash tells from all others."""
    if isinstance(thing, int):
        return abs(thing) < 1 << 60
    return thing is None or isinstance(thing, str | bytes | float | Global)


def kind(thing: object) -> str:
    """Say in a word what kind of thing something is."""
    return str(thing.function) if isinstance(thing, Call) else type(thing).__name__
