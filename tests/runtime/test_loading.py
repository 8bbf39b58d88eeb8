import asyncio
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TimedOut

import pytest

from nbdrag.generators.progress import Progress
from nbdrag.runtime.loading import Loading, LoadingStopped

LONG = 30  # seconds; only a failing test waits that long


def started(load: Callable[[Progress], object], **keys) -> Loading[object]:
    loading = Loading("lions", load, **keys)
    loading.start()
    return loading


class Held:
    """A load that tells once, and then waits until it may go on and tell again."""

    def __init__(self) -> None:
        self.begun, self.go_on, self.ended = (threading.Event() for _ in range(3))

    def __call__(self, tell: Progress) -> str:
        try:
            tell("downloading", 0.25)
            self.begun.set()
            assert self.go_on.wait(LONG)
            tell("reading", None)
        finally:
            self.ended.set()
        return "a generator"


def test_it_gives_what_was_loaded_on_another_thread() -> None:
    threads = []
    loading = started(lambda tell: threads.append(threading.current_thread()) or "a generator")
    assert loading.join(LONG) == "a generator"
    assert (loading.running, loading.error) == (False, None)
    assert threads != [threading.current_thread()]
    assert repr(loading) == "<Loading 'lions': loaded>"


def test_it_can_be_awaited_more_than_once() -> None:
    async def main() -> None:
        loading = started(lambda tell: "a generator")
        assert await asyncio.wait_for(loading, LONG) == "a generator"
        assert await loading == "a generator"

    asyncio.run(main())


def test_it_raises_what_load_raised() -> None:
    def load(tell: Progress) -> None:
        raise ValueError("no checkpoint")

    loading = started(load)
    with pytest.raises(ValueError, match="no checkpoint"):
        loading.join(LONG)
    assert str(loading.error) == "no checkpoint"

    async def main() -> None:
        with pytest.raises(ValueError, match="no checkpoint"):
            await loading

    asyncio.run(main())


def test_who_stops_waiting_does_not_stop_it() -> None:
    held = Held()

    async def main() -> object:
        loading = started(held)
        waiting = asyncio.ensure_future(asyncio.wait_for(loading, LONG))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert loading.running
        held.go_on.set()
        return await asyncio.wait_for(loading, LONG)

    assert asyncio.run(main()) == "a generator"


def test_stopping_ends_it_at_once_and_the_thread_at_its_next_word() -> None:
    held, ends = Held(), []
    loading = started(held, on_end=ends.append)
    assert held.begun.wait(LONG)
    assert repr(loading) == "<Loading 'lions': downloading, 25%>"
    loading.stop()
    assert not loading.running
    assert ends == [loading]
    with pytest.raises(LoadingStopped, match="lions was not loaded: it was stopped"):
        loading.join(LONG)
    assert not held.ended.is_set()
    held.go_on.set()
    assert held.ended.wait(LONG)
    loading._thread.join(LONG)
    assert (loading.text, ends) == ("downloading", [loading])
    loading.stop()
    assert ends == [loading]


def test_what_a_stopped_thread_brings_does_not_count() -> None:
    go_on = threading.Event()
    loading = started(lambda tell: go_on.wait(LONG))
    loading.stop()
    go_on.set()
    loading._thread.join(LONG)
    assert isinstance(loading.error, LoadingStopped)


def test_once_it_has_claimed_its_effect_it_cannot_be_stopped() -> None:
    claimed, go_on = threading.Event(), threading.Event()

    def load(tell: Progress) -> str:
        loading.claim()
        claimed.set()
        assert go_on.wait(LONG)
        return "a generator"

    loading = Loading("lions", load)
    loading.start()
    assert claimed.wait(LONG)
    loading.stop()
    assert loading.running
    go_on.set()
    assert loading.join(LONG) == "a generator"


def test_who_was_stopped_cannot_claim() -> None:
    held, claimed = Held(), []

    def load(tell: Progress) -> None:
        assert held.go_on.wait(LONG)
        loading.claim()
        claimed.append(True)

    loading = Loading("lions", load)
    loading.start()
    loading.stop()
    held.go_on.set()
    loading._thread.join(LONG)
    assert claimed == []


def test_progress_is_told_when_it_is_of_something_else_and_not_a_thousand_times() -> None:
    told = []

    def load(tell: Progress) -> None:
        for i in range(1001):
            tell(f"downloading, {i} of 1000 MB", i / 1000)
        tell("reading", None)

    loading = started(load, on_progress=lambda it: told.append((it.text, it.fraction)))
    loading.join(LONG)
    assert told[0] == ("downloading, 0 of 1000 MB", 0)
    assert told[-2:] == [("downloading, 1000 of 1000 MB", 1), ("reading", None)]
    assert len(told) < 500


def test_an_interpreter_that_quits_does_not_wait_for_it() -> None:
    program = """
        import threading
        from nbdrag.runtime.loading import Loading

        begun = threading.Event()

        def load(tell):
            while True:
                tell("downloading", 0.5)
                begun.set()

        Loading("lions", load).start()
        assert begun.wait(30)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_not_one_of_those_errors_that_mean_something_else() -> None:
    assert not issubclass(LoadingStopped, (asyncio.CancelledError, CancelledError, ValueError))


def test_who_waits_goes_on_when_all_have_heard_of_the_end() -> None:
    heard = []

    def hear(loading: Loading[object]) -> None:
        with pytest.raises(TimedOut):
            loading.join(0)
        heard.append((loading.running, loading.error))

    assert started(lambda _: 7, on_end=hear).join(LONG) == 7
    assert heard == [(False, None)]
