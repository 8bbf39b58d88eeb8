"""A file that comes from elsewhere in pieces: kept in a temporary folder until it has been read.

Nothing of it is held in memory. Whoever sends declares the size first, and sends the pieces one
after the other; whatever doesn't fit to that is refused and leaves the file as it was.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from functools import partial
from pathlib import Path, PureWindowsPath

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.progress import Progress
from nbdrag.runtime.loading import LoadingStopped


class Upload:
    """A file on its way.

    Parameters
    ----------
    name : str
        What the file is called where it comes from. Of a path, the last part.
    size : int
        In bytes.

    Raises
    ------
    CheckpointError
        If there is no room for it.
    """

    def __init__(self, name: str, size: int) -> None:
        self.name, self.size = plain_name(name), size
        self.received = 0
        self._news = threading.Condition()
        self._error: CheckpointError | None = None
        self._closed = False
        try:
            free = shutil.disk_usage(tempfile.gettempdir()).free
            if free < size:
                raise self._no_room(f"there is room for {free / 1e6:.0f} MB")
            self._folder = tempfile.TemporaryDirectory(prefix="nbdrag-", ignore_cleanup_errors=True)
            self._file = (Path(self._folder.name) / self.name).open("wb", buffering=0)
        except OSError as error:
            raise self._no_room(error.strerror or str(error)) from None

    def add(self, offset: int, data: bytes | memoryview) -> None:
        """Put the next piece, which begins at `offset`, to what is there.

        Raises
        ------
        ValueError
            If it isn't the next, is empty, or goes beyond the size declared. The file stays as it
            was.
        CheckpointError
            If it can't be written. Then all is lost, and `wait` raises the same.
        """
        with self._news:
            if self._closed:
                raise ValueError(f"{self.name} is no longer wanted.")
            if offset != self.received:
                raise ValueError(
                    f"the piece of {self.name} begins at byte {offset}; {self.received} is next."
                )
            if not 0 < len(data) <= self.size - offset:
                raise ValueError(
                    f"the piece of {self.name} has {len(data)} bytes; of {self.size}, as declared, "
                    f"{self.size - offset} are left."
                )
            try:
                self._write(data)
            except OSError as error:
                self._error = self._no_room(error.strerror or str(error))
                raise self._error from None
            else:
                self.received += len(data)
            finally:
                self._news.notify_all()

    def wait(self, progress: Progress) -> Path:
        """Wait for the last piece; where the file is then.

        Raises
        ------
        LoadingStopped
            If it is discarded before.
        CheckpointError
            If it can't be kept.
        """
        told = -1
        while told < self.size:
            with self._news:
                self._news.wait_for(partial(self._is_more_than, told))
                if self._error is not None:
                    raise self._error
                if self._closed:
                    raise LoadingStopped
                told = self.received
            # Without the lock: whoever hears of it may take its time.
            progress(f"receiving {self.name}", told / self.size)
        self._file.close()
        return Path(self._file.name)

    def discard(self) -> None:
        """Delete the file, or what there is of it. Nothing that comes later is taken."""
        with self._news:
            self._closed = True
            self._news.notify_all()
            self._file.close()
            self._folder.cleanup()

    def _is_more_than(self, told: int) -> bool:
        return self.received > told or self._closed or self._error is not None

    def _write(self, data: bytes | memoryview) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]

    def _no_room(self, why: str) -> CheckpointError:
        return CheckpointError(
            f"{self.name}, {self.size / 1e6:.0f} MB, can't be kept in {tempfile.gettempdir()}: "
            f"{why}. Make room there, or set TMPDIR to another folder before the kernel starts."
        )


def plain_name(name: str) -> str:
    """A name that is no path and can't harm, as like the one given as may be."""
    last = PureWindowsPath(name).name  # which knows both kinds of slashes
    return re.sub(r"[^\w. +()-]", "_", last).strip(". ")[-60:] or "file"
