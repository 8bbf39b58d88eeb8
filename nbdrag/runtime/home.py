"""Coming back to the thread that made a widget: the only one on which its traits may be set."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable


class HomeThread:
    """The thread that made this object."""

    def __init__(self) -> None:
        self._thread = threading.current_thread()
        self._loop: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):  # a plain script has no loop
            self._loop = asyncio.get_running_loop()

    def call(self, function: Callable[[], object]) -> None:
        """Call the function on this thread: at once, or by its loop. Without a loop, only if here.

        What is left undone then is up to the next call made here.
        """
        if threading.current_thread() is self._thread:
            function()
        elif self._loop is not None:
            with contextlib.suppress(RuntimeError):  # closed: the kernel is quitting
                self._loop.call_soon_threadsafe(function)
