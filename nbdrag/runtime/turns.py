"""Taking turns: a generator serves one caller at a time, in the order of asking.

Two threads in one model at once would be correct but slow each other down; and an ordinary lock
goes to whoever is quickest, which is the thread that just gave it back: one editor would stand
still until the other has finished. This lock keeps a queue.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from weakref import WeakKeyDictionary

from nbdrag.generators.stylegan2 import Generator


class FairLock:
    """A lock that is handed on in the order of asking. Not reentrant."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()  # tickets; the first one's owner holds the lock
        self._changed = threading.Condition()

    def acquire(self, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Wait for one's turn, or until `unless` says True; tell whether the lock is held now.

        `unless` is asked first of all, and again on every `wake`.
        """
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            mine = False
            try:
                self._changed.wait_for(lambda: self._queue[0] is ticket or unless())
                mine = self._queue[0] is ticket and not unless()
            finally:  # also when Ctrl-C ends the wait
                if not mine:
                    self._queue.remove(ticket)
                    self._changed.notify_all()
        return mine

    def release(self) -> None:
        """Hand the lock to the next in the queue."""
        with self._changed:
            self._queue.popleft()
            self._changed.notify_all()

    def wake(self) -> None:
        """Make everybody who waits ask `unless` again."""
        with self._changed:
            self._changed.notify_all()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def generator_lock(generator: Generator) -> FairLock:
    """The lock of this very generator: always the same one, for as long as the generator lives."""
    with _locks_guard:
        return _locks.setdefault(generator, FairLock())


# Beside the generator and not on it, since a lock can be neither copied nor pickled with it.
_locks: WeakKeyDictionary[Generator, FairLock] = WeakKeyDictionary()
# Reentrant, since anything may be collected in between, also an editor that then closes.
_locks_guard = threading.RLock()
