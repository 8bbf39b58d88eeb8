"""The manifest: what of a long run is done, so that a killed run goes on where it was.

A run is cut into *shards*, so many items one after the other. A shard's files come into being whole
or not at all, and once they are there, one line is added to ``manifest.jsonl``. From that all else
follows: a shard with a line is done and never touched again; one without is made from its first
item on, over whatever an earlier attempt left behind, and since a shard's items, their names and
their micro-batches depend on nothing but its number, it comes out the same, byte by byte.

The first line says what the run is: which generator, edit, source and sink. A run that differs from
it isn't the same run, and is refused.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import msgspec
import numpy as np
from filelock import FileLock, Timeout
from msgspec import Struct
from numpy.typing import NDArray

NAME = "manifest.jsonl"
PARTIAL = ".partial"
"""Folder within the sink's for what isn't complete yet. It is gone when a run has ended."""

Fact: TypeAlias = str | int | float | bool | None


class TransferError(ValueError):
    """A transfer can't begin or go on; the message says why, and what to do."""


class Problem(Struct, frozen=True, array_like=True):
    """An item that was skipped.

    Attributes
    ----------
    index : int
        Which item of the source; the first is 0.
    key : str
        What it is called.
    why : str
        What was wrong with it.
    """

    index: int
    key: str
    why: str

    def __str__(self) -> str:
        return f"{self.key}: {self.why}"


class Run(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="run"):
    """What a run is. `direction` is what the edit does to fixed latents, in a few numbers."""

    version: int
    nbdrag: str
    generator: str
    direction: list[float]
    source: dict[str, Fact]
    sink: dict[str, Fact]
    shard_size: int
    micro_batch: int


class Shard(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="shard"):
    """A shard that is done: the items from `start` to `stop`, without those that `failed`."""

    number: int
    start: int
    stop: int
    failed: list[Problem]


class End(Struct, frozen=True, forbid_unknown_fields=True, tag_field="line", tag="end"):
    """All shards are done."""

    items: int


LINE = msgspec.json.Decoder(Run | Shard | End)


class Manifest:
    """What of a run is done. To be used as a context manager, by one process at a time.

    Raises
    ------
    TransferError
        If what was begun in the folder is another run.

    Attributes
    ----------
    run : Run
    shards : set of int
        Numbers of those that are done.
    done, failed : int
        Items in them.
    ended : bool
    """

    def __init__(self, folder: Path, run: Run) -> None:
        there = earlier_run(folder)
        if there is not None:
            same_run(there, run, folder)
        self.folder, self.run = folder, run
        self.shards: set[int] = set()
        self.done = self.failed = 0
        self.ended = False
        self._file: BinaryIO | None = None
        self._lock = FileLock(folder / PARTIAL / "lock", timeout=0)

    def __enter__(self) -> Manifest:
        """Go on with what is there, or begin.

        Raises
        ------
        TransferError
            If another run is writing here, or what is noted is damaged.
        OSError
            If nothing can be written here.
        """
        (self.folder / PARTIAL).mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise TransferError(f"another run is writing to {self.folder}; let it end.") from None
        try:
            for left in (self.folder / PARTIAL).iterdir():
                if left.name != "lock":  # of an attempt that was killed
                    left.unlink(missing_ok=True)
            begun = self._go_on()
            self._file = (self.folder / NAME).open("ab")
            if not begun:
                self._append(self.run)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
        self._lock.release()
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)

    def add(self, shard: Shard) -> None:
        """Note that a shard is done; its files must be there. One that is noted already is left."""
        if shard.number not in self.shards:
            self._append(shard)
            self._count(shard)

    def end(self, items: int) -> None:
        """Note that all of them are."""
        if not self.ended:
            self._append(End(items))
            self.ended = True

    def missing(self, items: int | None) -> Iterator[int]:
        """Numbers of the shards to be made: for so many items, or without end."""
        number = 0
        while items is None or number * self.run.shard_size < items:
            if number not in self.shards:
                yield number
            number += 1

    def _append(self, line: Run | Shard | End) -> None:
        if self._file is None:
            raise ValueError("the manifest is used outside of its with block.")
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _count(self, shard: Shard) -> None:
        self.shards.add(shard.number)
        self.failed += len(shard.failed)
        self.done += shard.stop - shard.start - len(shard.failed)

    def _go_on(self) -> bool:
        """Take up what is noted; whether anything is. A last line that was cut off goes."""
        path, good = self.folder / NAME, 0
        if not path.is_file():
            return False
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break
                good += len(line)
                try:
                    said = LINE.decode(line)
                except msgspec.DecodeError as error:
                    raise TransferError(
                        f"line {number} of {path} is damaged: {error}. Take another sink."
                    ) from None
                if isinstance(said, Shard):
                    self._count(said)
                self.ended = isinstance(said, End)
        if good < path.stat().st_size:
            os.truncate(path, good)
        return good > 0


def earlier_run(folder: Path) -> Run | None:
    """The run that a folder belongs to, if it is one's.

    Raises
    ------
    TransferError
        If what begins its manifest is something else.
    """
    try:
        with (folder / NAME).open("rb") as file:
            line = file.readline()
    except FileNotFoundError:
        return None
    if not line.endswith(b"\n"):
        return None
    try:
        said = LINE.decode(line)
    except msgspec.DecodeError as error:
        raise TransferError(f"{folder / NAME} is damaged: {error}. Take another sink.") from None
    if not isinstance(said, Run):
        raise TransferError(f"{folder / NAME} doesn't say what run it is of. Take another sink.")
    return said


def same_run(there: Run, wanted: Run, folder: Path) -> None:
    """Raise TransferError unless what is wanted is what has been begun."""
    for name in ("version", "generator", "source", "sink", "shard_size", "micro_batch"):
        was, is_ = getattr(there, name), getattr(wanted, name)
        if was != is_:
            raise TransferError(
                f"{folder} was begun with another {name.replace('_', ' ')}, {said(was)}; now "
                f"it is {said(is_)}. Go on as it was begun, or take another sink."
            )
    close = all(
        math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-5)
        for a, b in zip(there.direction, wanted.direction, strict=False)
    )
    if not close or len(there.direction) != len(wanted.direction):
        raise TransferError(
            f"{folder} was begun with another edit, or another strength of it. Go on as it "
            "was begun, or take another sink."
        )


def said(value: object) -> str:
    """Facts as a text for a message."""
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {fact}" for name, fact in value.items()) + ")"
    return repr(value)


def digest(data: NDArray[Any] | bytes) -> str:
    """16 hexadecimal digits that tell whether something is still the same."""
    return hashlib.sha256(np.ascontiguousarray(data).tobytes()).hexdigest()[:16]
