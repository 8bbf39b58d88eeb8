"""What is done once things have been at rest for a moment, and given up when they move again."""

from __future__ import annotations

import atexit
import math
import threading
import time
from collections.abc import Callable
from functools import partial

PAUSE = 0.15  # seconds


class AtRest:
    """Calls a function when nothing has moved for a while.

    Parameters
    ----------
    do : callable
        Called on a thread of its own with a function that says whether things have moved since;
        then it should end soon. What it raises goes to `threading.excepthook`, and ends nothing.
    pause : float
        Seconds of rest before.
    """

    def __init__(self, do: Callable[[Callable[[], bool]], object], *, pause: float = PAUSE) -> None:
        self._do, self._pause = do, pause
        self._changed = threading.Condition()
        self._turn, self._closed, self._doing = 0, False, False
        self._due = math.inf
        self._thread: threading.Thread | None = None

    def settle(self) -> None:
        """Things are at rest from now on, if they don't move."""
        with self._changed:
            if self._closed:
                return
            self._move(time.monotonic() + self._pause)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="nbdrag-at-rest", daemon=True
                )
                atexit.register(self._quit)
                self._thread.start()

    def move(self) -> None:
        """Things move: nothing is to be done until they settle."""
        with self._changed:
            self._move(math.inf)

    def wait(self) -> None:
        """Wait until it is done, if it is to be done."""
        with self._changed:
            self._changed.wait_for(lambda: self._due == math.inf and not self._doing)

    def close(self) -> None:
        """Things move for ever: end the thread."""
        with self._changed:
            self._closed = True
            self._move(math.inf)

    def _move(self, due: float) -> None:
        self._turn += 1
        self._due = due
        self._changed.notify_all()

    def _run(self) -> None:
        while (turn := self._next_turn()) is not None:
            try:
                self._do(partial(self._has_moved_since, turn))
            except Exception as error:
                threading.excepthook(
                    threading.ExceptHookArgs((type(error), error, error.__traceback__, None))
                )
            finally:
                with self._changed:
                    self._doing = False
                    self._changed.notify_all()
        atexit.unregister(self._quit)

    def _has_moved_since(self, turn: int) -> bool:
        return self._turn != turn

    def _next_turn(self) -> int | None:
        """Wait until something is to be done; None when nothing ever will be."""
        with self._changed:
            while not self._closed:
                left = self._due - time.monotonic()
                if left <= 0:
                    self._due, self._doing = math.inf, True
                    return self._turn
                self._changed.wait(None if left == math.inf else left)
        return None

    def _quit(self) -> None:
        # A thread that is cut off inside torch can crash the interpreter.
        self.close()
        if self._thread is not None:
            self._thread.join(5.0)
