"""A file that was written, offered to whoever can't reach the disk it lies on.

A notebook's kernel often runs on another machine than its page: then the page fetches the file,
piece by piece, and puts it together. Nothing of it is held in memory here. A file that has become
another one since it was offered is refused, so that pieces of two never end up in one.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import fstat, stat_result
from pathlib import Path


@dataclass(frozen=True)
class Offer:
    """A file as it is when it is offered.

    Attributes
    ----------
    path : Path
    size : int
        In bytes.
    stamp : tuple of int
        By which it is known again: which file it is, and when it was last written to.
    """

    path: Path
    size: int
    stamp: tuple[int, int]

    @classmethod
    def of(cls, path: Path) -> Offer:
        """Offer a file that is there. Raises OSError if it can't be looked at."""
        found = path.stat()
        return cls(path, found.st_size, stamp_of(found))

    @property
    def name(self) -> str:
        """What it is called, without its folder."""
        return self.path.name

    def piece(self, offset: int, most: int) -> bytes:
        """Read the bytes from `offset` on, `most` of them; fewer only at the end.

        Raises
        ------
        ValueError
            If nothing begins there, or the file is no longer there, or no longer the same.
        """
        if not 0 <= offset < self.size:
            raise ValueError(f"{self.name} has {self.size} bytes; none of them is at {offset}.")
        try:
            with self.path.open("rb") as file:
                found = fstat(file.fileno())
                if (found.st_size, stamp_of(found)) != (self.size, self.stamp):
                    raise ValueError(f"{self.path} has changed since it was written; export again.")
                file.seek(offset)
                return file.read(most)
        except OSError as error:
            why = error.strerror or str(error)
            raise ValueError(f"{self.path} can't be read ({why}); export again.") from None


def stamp_of(found: stat_result) -> tuple[int, int]:
    """What changes when a file is written to, or another one takes its place."""
    return found.st_ino, found.st_mtime_ns
