import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator

import pytest

from nbdrag.runtime.rest import AtRest

LONG = 30  # seconds; only a failing test waits that long


class Work:
    """Something to do at rest: tells when it begins, and goes on until it is moved or let go."""

    def __init__(self) -> None:
        self.begun, self.let_go, self.ended = (threading.Semaphore(0) for _ in range(3))
        self.moved: list[bool] = []

    def __call__(self, moved: Callable[[], bool]) -> None:
        self.begun.release()
        assert self.let_go.acquire(timeout=LONG)
        self.moved.append(moved())
        self.ended.release()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def resting(work: Work) -> Iterator[AtRest]:
    resting = AtRest(work, pause=0)
    yield resting
    resting.close()
    if resting._thread is not None:
        resting._thread.join(LONG)
        assert not resting._thread.is_alive()


def test_it_is_done_once_things_have_settled(resting: AtRest, work: Work) -> None:
    resting.settle()
    assert work.begun.acquire(timeout=LONG)
    work.let_go.release()
    assert work.ended.acquire(timeout=LONG)
    assert work.moved == [False]
    assert not work.begun.acquire(blocking=False)


def test_who_moves_meanwhile_is_noticed_and_does_not_wait(resting: AtRest, work: Work) -> None:
    resting.settle()
    assert work.begun.acquire(timeout=LONG)
    resting.move()
    work.let_go.release()
    assert work.ended.acquire(timeout=LONG)
    assert work.moved == [True]
    resting.settle()
    assert work.begun.acquire(timeout=LONG)
    work.let_go.release()
    assert work.ended.acquire(timeout=LONG)
    assert work.moved == [True, False]


def test_it_is_not_done_before_the_pause_is_over() -> None:
    done = threading.Event()
    resting = AtRest(lambda moved: done.set(), pause=3600)
    resting.settle()
    resting.move()
    resting.settle()
    assert resting._due < float("inf")
    resting.close()
    resting._thread.join(LONG)
    assert not done.is_set()


def test_the_usual_pause_is_150_ms() -> None:
    assert AtRest(lambda moved: None)._pause == 0.15


def test_what_goes_wrong_is_reported_and_ends_nothing(
    work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    reported, arrived = [], threading.Event()

    def report(arguments: threading.ExceptHookArgs) -> None:
        reported.append(arguments.exc_value)
        arrived.set()

    monkeypatch.setattr(threading, "excepthook", report)
    calls = iter([lambda moved: 1 / 0, work])
    resting = AtRest(lambda moved: next(calls)(moved), pause=0)
    resting.settle()
    assert arrived.wait(LONG)
    assert [type(error) for error in reported] == [ZeroDivisionError]
    resting.settle()
    assert work.begun.acquire(timeout=LONG)
    work.let_go.release()
    resting.close()


def test_an_interpreter_that_quits_does_not_wait_for_it() -> None:
    program = """
        import threading
        from nbdrag.runtime.rest import AtRest

        begun = threading.Event()

        def do(moved):
            begun.set()
            while not moved():
                pass

        AtRest(do, pause=0).settle()
        assert begun.wait(30)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


def test_waiting_waits_until_it_is_done() -> None:
    done = []
    resting = AtRest(lambda moved: done.append(moved()), pause=0.01)
    resting.wait()  # nothing is to be done
    resting.settle()
    resting.wait()
    assert done == [False]
    resting.settle()
    resting.move()
    resting.wait()
    assert done == [False]
    resting.close()
    resting.settle()
    resting.wait()
    assert done == [False]
