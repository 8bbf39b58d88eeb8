"""Running an edit on a thread of its own, so that the notebook stays free.

An edit is an iterator; a `Runner` calls `next` on it until it ends or until somebody says stop.
What happens between two calls is all that other threads can influence:

- `stop` is looked at before each step, so it takes effect within one step.
- A generator serves one caller at a time. Its lock is held for a single step and handed on in the
  order of asking, so two editors of one generator take turns, step by step.
- Only good steps are published. Where the loss or the latent of a step is NaN or infinite, the
  edit ends and `last_step` is the step before: nothing is shown that must be taken back.
- Whatever the edit or a callback raises ends the edit with a message, and nothing else.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import math
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal

from nbdrag.editing.step import AnyStep, EditDiverged, Step
from nbdrag.runtime.turns import FairLock


@dataclass(frozen=True)
class Outcome:
    """How an edit ended.

    Attributes
    ----------
    reason : "done", "limit", "stopped" or "failed"
        The wish is met; the edit ran out of steps; somebody stopped it; something went wrong.
    steps : int
        Good steps taken by this runner.
    message : str
        For the user, in a sentence or two.
    details : str
        The traceback, if an exception ended the edit.
    """

    reason: Literal["done", "limit", "stopped", "failed"]
    steps: int
    message: str
    details: str = ""


class Runner(Generic[AnyStep]):
    """One edit on one worker thread.

    Parameters
    ----------
    edit : iterator of Step
        Started from where it is; from now on the runner alone calls `next` on it.
    lock : FairLock
        Held while a step is computed; see `nbdrag.runtime.turns.generator_lock`.
    on_step : callable, optional
        Called on the worker thread with each good step, without the lock. The edit waits for it,
        so it should hand work over rather than do it.
    on_end : callable, optional
        Called once on the worker thread with the `Outcome`; `running` is already False.
    context : contextvars.Context, optional
        The worker runs in a copy of it. Default: a copy of that in which `start` is called.

    Attributes
    ----------
    last_step : Step or None
        The newest good step.
    outcome : Outcome or None
        None until the edit has ended.
    """

    def __init__(
        self,
        edit: Iterator[AnyStep],
        *,
        lock: FairLock,
        on_step: Callable[[AnyStep], object] | None = None,
        on_end: Callable[[Outcome], object] | None = None,
        context: contextvars.Context | None = None,
    ) -> None:
        self.last_step: AnyStep | None = None
        self.outcome: Outcome | None = None
        self._edit, self._lock, self._context = edit, lock, context
        self._on_step, self._on_end = on_step, on_end
        self._steps = 0
        self._times: deque[float] = deque(maxlen=16)
        self._thread: threading.Thread | None = None
        self._stopping, self._finished = threading.Event(), threading.Event()
        self._listeners: set[Callable[[], object]] = set()
        self._listeners_guard = threading.Lock()

    @property
    def running(self) -> bool:
        """Whether the edit was started and has not ended."""
        return self._thread is not None and self.outcome is None

    @property
    def steps_per_s(self) -> float | None:
        """Speed over the last few steps; None before the second."""
        times = list(self._times)
        if len(times) < 2 or times[-1] == times[0]:
            return None
        return (len(times) - 1) / (times[-1] - times[0])

    def start(self) -> None:
        """Start the worker thread and return.

        Raises
        ------
        RuntimeError
            If the runner was started before.
        """
        if self._thread is not None:
            raise RuntimeError("this edit was started before; make a new Runner for a new edit.")
        context = contextvars.copy_context() if self._context is None else self._context.copy()
        # A daemon, since a kernel that is told to quit must not wait until the edit arrives; but
        # a thread that is cut off inside torch can crash the interpreter, so `_quit` comes first.
        self._thread = threading.Thread(
            target=context.run, args=(self._run,), name="nbdrag-edit", daemon=True
        )
        atexit.register(self._quit)
        self._thread.start()

    def stop(self) -> None:
        """End the edit after its present step. Returns at once; any thread may call it."""
        self._stopping.set()
        self._lock.wake()

    def join(self, timeout: float | None = None) -> Outcome:
        """Wait for the end, and let this thread do nothing meanwhile.

        Raises
        ------
        RuntimeError
            If the runner was not started, or a callback of its own waits for it.
        TimeoutError
            If the edit has not ended after `timeout` seconds.
        """
        self.check_can_wait()
        if not self._finished.wait(timeout) or self.outcome is None:
            raise TimeoutError(f"the edit still runs after {timeout} s; stop() ends it.")
        return self.outcome

    def check_can_wait(self) -> None:
        """Raise RuntimeError if the runner was not started, or a callback of its own asks."""
        self._check_started()
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback of an edit can't wait for its end; use stop() alone.")

    async def wait(self) -> Outcome:
        """Wait for the end, on any event loop. Cancelling this doesn't stop the edit."""
        async for _ in self:
            pass
        return self.join()

    async def __aiter__(self) -> AsyncIterator[AnyStep]:
        """Each time the newest step, until the edit has ended.

        Steps that pass while the body of the loop runs are skipped; the last one never is.
        """
        self._check_started()
        loop, news, seen = asyncio.get_running_loop(), asyncio.Event(), None
        with self._listening(lambda: loop.call_soon_threadsafe(news.set)):
            while True:
                news.clear()
                finished = self._finished.is_set()  # asked before the step: none comes after it
                step = self.last_step
                if step is not seen and step is not None:
                    seen = step
                    yield step
                elif finished:
                    return
                else:
                    await news.wait()

    # ------------------------------------------------------------------------ on the worker thread

    def _run(self) -> None:
        self.outcome = self._run_edit()
        if self._on_end is not None:
            try:
                self._on_end(self.outcome)
            except BaseException as error:
                self.outcome = self._failed(f"on_end raised {_described(error)}.", error)
        self._finished.set()
        self._tell_listeners()
        atexit.unregister(self._quit)

    def _run_edit(self) -> Outcome:
        try:
            while self._lock.acquire(unless=self._stopping.is_set):
                try:
                    step = next(self._edit, None)
                finally:
                    self._lock.release()
                if step is None:
                    return self._ran_out()
                if not _is_good(step):
                    return self._failed("The loss is no longer a finite number.")
                self._publish(step)
        except EditDiverged as error:
            return self._failed(str(error))
        except BaseException as error:
            # Nobody above this frame could do anything with it.
            return self._failed(f"The edit failed: {_described(error)}.", error)
        finally:
            self._release_edit()
        return Outcome("stopped", self._steps, f"Stopped after {_steps(self._steps)}.")

    def _publish(self, step: AnyStep) -> None:
        self._steps += 1
        self._times.append(time.monotonic())
        self.last_step = step
        self._tell_listeners()
        if self._on_step is not None:
            self._on_step(step)

    def _ran_out(self) -> Outcome:
        if self.last_step is None or self.last_step.done:
            return Outcome("done", self._steps, f"Done after {_steps(self._steps)}.")
        message = f"Not there yet after {_steps(self._steps)}, which is the limit."
        return Outcome("limit", self._steps, message)

    def _failed(self, what: str, error: BaseException | None = None) -> Outcome:
        back = f"step {self._steps}" if self._steps else "the start"
        message = f"{what} The picture is that of {back}."
        # As text: a traceback object would keep the whole edit and its tensors alive.
        details = "".join(traceback.format_exception(error)) if error else ""
        return Outcome("failed", self._steps, message, details)

    def _release_edit(self) -> None:
        """Let the edit clean up, and let go of what it holds."""
        edit, self._edit = self._edit, iter(())
        with contextlib.suppress(Exception):
            getattr(edit, "close", lambda: None)()

    # ---------------------------------------------------------------------------- on other threads

    def _quit(self) -> None:
        self.stop()
        self._finished.wait(5.0)

    def _check_started(self) -> None:
        if self._thread is None:
            raise RuntimeError("this edit was not started; call start() first.")

    @contextlib.contextmanager
    def _listening(self, listener: Callable[[], object]) -> Iterator[None]:
        with self._listeners_guard:
            self._listeners.add(listener)
        try:
            yield
        finally:
            with self._listeners_guard:
                self._listeners.discard(listener)

    def _tell_listeners(self) -> None:
        with self._listeners_guard:
            listeners = list(self._listeners)
        for listener in listeners:
            # An event loop that was closed meanwhile needs no news.
            with contextlib.suppress(RuntimeError):
                listener()


def _is_good(step: Step) -> bool:
    return math.isfinite(step.loss) and bool(step.ws.isfinite().all())


def _steps(count: int) -> str:
    return f"{count} step" if count == 1 else f"{count} steps"


def _described(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".rstrip(".")
