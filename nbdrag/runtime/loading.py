"""Loading a generator on a thread of its own, so that the notebook and the editor stay free.

A `Loading` ends with what was loaded, with an error, or because somebody stopped it. Stopping is
done at once. The thread may be in the middle of something that can't be cut short, reading a file
say; it ends at its next sign of progress, and whatever it brings until then no longer counts.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import math
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from nbdrag.generators.progress import Progress

Result = TypeVar("Result")

INTERVAL = 0.1  # seconds between two tellings of the same thing


class LoadingStopped(Exception):
    """Somebody stopped it."""


class Loading(Generic[Result]):
    """Something that is being loaded. Await it, or go on and let it come.

    Awaiting gives what was loaded, or raises what `load` raised, or `LoadingStopped`. Who stops
    waiting doesn't stop the loading.

    Parameters
    ----------
    name : str
        Of what is loaded, for people.
    load : callable
        Called on the worker thread with a `Progress`, which it calls now and then. Where it takes
        an effect that can't be taken back, it calls `claim` first.
    on_progress : callable, optional
        Called on the worker thread with this, up to 10 times a second.
    on_end : callable, optional
        Called once with this: on the worker thread, or by whoever stops it.

    Attributes
    ----------
    text : str
        What is going on.
    fraction : float or None
        How much of that is done; None where nobody knows.
    running : bool
        Whether it has not ended.
    error : BaseException or None
        Why there is no result; None while it runs and where there is one.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[Progress], Result],
        *,
        on_progress: Callable[[Loading[Result]], object] = lambda _: None,
        on_end: Callable[[Loading[Result]], object] = lambda _: None,
    ) -> None:
        self.name, self.text = name, ""
        self.fraction: float | None = None
        self.running = True
        self.error: BaseException | None = None
        self._load, self._on_progress, self._on_end = load, on_progress, on_end
        self._told = -math.inf
        self._future: Future[Result] = Future()
        self._future.set_running_or_notify_cancel()  # cancelling a wait is not cancelling this
        self._ended = threading.Lock()  # held for good once it has ended, or is about to
        self._claimed = False
        context = contextvars.copy_context()
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="nbdrag-loading", daemon=True
        )

    def start(self) -> None:
        """Begin, and return."""
        # As for edits: a thread cut off inside torch can crash an interpreter that quits.
        atexit.register(self._quit)
        self._thread.start()

    def stop(self) -> None:
        """End it, unless it has ended or its effect is there already. Any thread may ask."""
        if self._ended.acquire(blocking=False):
            self._end(None, LoadingStopped(f"{self.name} was not loaded: it was stopped."))

    def claim(self) -> None:
        """From here on it can't be stopped. Raises LoadingStopped if it was; `load` calls it."""
        if not self._claimed and not self._ended.acquire(blocking=False):
            raise LoadingStopped
        self._claimed = True

    def join(self, timeout: float | None = None) -> Result:
        """Wait for the end, and let this thread do nothing meanwhile. As awaiting, otherwise."""
        return self._future.result(timeout)

    def __await__(self) -> Generator[Any, None, Result]:
        return asyncio.wrap_future(self._future).__await__()

    def __repr__(self) -> str:
        if self.running:
            done = "" if self.fraction is None else f", {self.fraction:.0%}"
            state = f"{self.text or 'begins'}{done}"
        else:
            state = "loaded" if self.error is None else str(self.error)
        return f"<Loading {self.name!r}: {state}>"

    # ------------------------------------------------------------------------ on the worker thread

    def _run(self) -> None:
        result, error = None, None
        try:
            result = self._load(self._tell)
        except BaseException as raised:
            error = raised
        if self._claimed or self._ended.acquire(blocking=False):
            self._end(result, error)
        atexit.unregister(self._quit)

    def _tell(self, text: str, fraction: float | None) -> None:
        """Hear how it goes; `Progress`."""
        if not self.running:
            raise LoadingStopped
        another = text.partition(" ")[0] != self.text.partition(" ")[0]  # "reading", say
        self.text, self.fraction = text, fraction
        if another or fraction == 1 or time.monotonic() - self._told >= INTERVAL:
            self._told = time.monotonic()
            self._on_progress(self)

    # ---------------------------------------------------------------------------------- either way

    def _end(self, result: Result | None, error: BaseException | None) -> None:
        """Called once, by who has got the lock. Who waits goes on when all have heard of it."""
        self.running, self.error = False, error
        try:
            self._on_end(self)
        finally:
            if error is None:
                self._future.set_result(result)  # type: ignore[arg-type]
            else:
                self._future.set_exception(error)

    def _quit(self) -> None:
        self.stop()
        self._thread.join(5.0)
