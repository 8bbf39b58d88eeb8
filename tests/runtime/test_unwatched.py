"""An edit that nobody watches: it goes on, and leaves nothing behind."""

import threading
from collections.abc import Callable, Iterator

import pytest
import torch

from nbdrag.editing.step import Step
from nbdrag.runtime.frames import OUTSTANDING, FrameHeader, FrameStream, Picture
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.turns import FairLock

LONG = 60  # seconds; only a failing test waits that long
STEPS = 3000
HANG = threading.Event()


def no_browser(header: FrameHeader, data: bytes) -> None:
    """What a widget's send does without a comm: nothing."""


def closed_browser(header: FrameHeader, data: bytes) -> None:
    raise OSError("the connection is closed")


def stuck_connection(header: FrameHeader, data: bytes) -> None:
    HANG.wait(LONG)


@pytest.mark.parametrize("send", [no_browser, closed_browser, stuck_connection])
def test_the_edit_goes_on(send: Callable[[FrameHeader, bytes], None]) -> None:
    """60 seconds at 50 steps per second, by a clock that the edit itself moves on."""
    now = 0.0

    def edit() -> Iterator[Step]:
        nonlocal now
        for index in range(1, STEPS + 1):
            now += 0.02
            yield Step(torch.zeros(2, 3), index, 1.0, done=index == STEPS)

    stream = FrameStream(send, clock=lambda: now)
    stream.start()
    runner = Runner(
        edit(),
        lock=FairLock(),
        on_step=lambda step: stream.move(Picture(torch.zeros(3, 8, 8), step=step.index)),
        on_end=lambda outcome: stream.rest(Picture(torch.ones(3, 8, 8), step=outcome.steps)),
    )
    runner.start()
    outcome = runner.join(LONG)
    assert (outcome.reason, outcome.steps) == ("done", STEPS)
    stats = stream.stats
    assert stats.offered == STEPS + 1
    assert stats.sent + stats.failed <= OUTSTANDING
    HANG.set()
    stream.close()


def test_a_page_that_comes_late_sees_the_end() -> None:
    """As in Voila: the cells have run before the page exists."""
    got: list[FrameHeader] = []
    seen = threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        got.append(header)
        if header.final and len(got) > OUTSTANDING:
            seen.set()

    now = 0.0
    stream = FrameStream(send, clock=lambda: now)
    for index in range(STEPS):
        now += 0.02
        stream.move(Picture(torch.zeros(3, 8, 8), step=index))
        stream.pump()
    stream.rest(Picture(torch.ones(3, 8, 8), step=STEPS))
    assert len(got) == OUTSTANDING
    stream.start()
    stream.reset_credits()
    assert seen.wait(LONG)
    assert (got[-1].step, got[-1].final) == (STEPS, True)
    stream.close()
