"""An edit that nobody watches: it goes on, and leaves nothing behind.

The edit itself moves the clock on: 60 seconds at 50 steps per second pass in no time.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator

import torch

from nbdrag.editing.step import Step
from nbdrag.runtime.frames import OUTSTANDING, FrameHeader, FrameStream, Picture
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.turns import FairLock

LONG = 60  # seconds; only a failing test waits that long
STEPS = 3000


class Watched:
    """An edit with its runner and its stream, as an editor joins them, and a count of pictures."""

    def __init__(self, send: Callable[[FrameHeader, bytes], object]) -> None:
        self.now, self.most_pictures = 0.0, 0
        self.pictures: weakref.WeakSet[Picture] = weakref.WeakSet()
        self.stream = FrameStream(send, clock=lambda: self.now)

    def edit(self) -> Iterator[Step]:
        for index in range(1, STEPS + 1):
            self.now += 0.02
            self.at_step(index)
            yield Step(torch.zeros(2, 3), index, 1.0, done=index == STEPS)

    def at_step(self, index: int) -> None:
        """What else happens then."""

    def show(self, step: Step) -> None:
        self.stream.move(self.counted(Picture(torch.zeros(3, 8, 8), step=step.index)))
        self.most_pictures = max(self.most_pictures, len(self.pictures))

    def counted(self, picture: Picture) -> Picture:
        self.pictures.add(picture)
        return picture

    def run(self) -> None:
        """The whole edit, which must arrive and keep next to nothing, whatever the page does."""
        self.stream.start()
        runner = Runner(
            self.edit(),
            lock=FairLock(),
            on_step=self.show,
            on_end=lambda outcome: self.stream.rest(
                self.counted(Picture(torch.ones(3, 8, 8), step=outcome.steps))
            ),
        )
        runner.start()
        outcome = runner.join(LONG)
        assert (outcome.reason, outcome.steps) == ("done", STEPS)
        assert self.stream.stats.offered == STEPS + 1
        # One is on its way, one waits, one is being made.
        assert self.most_pictures <= 3


def test_no_browser() -> None:
    """What is sent without a connection vanishes."""
    watched = Watched(lambda header, data: None)
    watched.run()
    assert watched.stream.stats.outstanding <= OUTSTANDING
    assert watched.stream.stats.sent <= OUTSTANDING
    watched.stream.close()


def test_a_closed_browser() -> None:
    tried = threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        tried.set()
        raise OSError("the connection is closed")

    watched = Watched(send)
    watched.run()
    assert tried.wait(LONG)
    assert watched.stream.stats.sent == 0
    assert watched.stream.stats.failed <= OUTSTANDING
    watched.stream.close()


def test_a_connection_that_hangs() -> None:
    """The edit goes on while a frame doesn't leave; then the page sees the end of it."""
    tried: list[int | None] = []
    hanging, loose, final = threading.Event(), threading.Event(), threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        tried.append(header.step)
        hanging.set()
        assert loose.wait(LONG)
        watched.stream.ack(header.seq)
        if header.final:
            final.set()

    watched = Watched(send)
    watched.at_step = lambda index: hanging.wait(LONG) if index == 2 else None
    watched.run()
    assert tried == [1]
    loose.set()
    assert final.wait(LONG)
    assert tried == [1, STEPS]
    watched.stream.close()


def test_a_hidden_tab() -> None:
    """It draws nothing and acknowledges nothing; when it is seen again, it shows the present."""
    got: list[FrameHeader] = []
    first, final = threading.Event(), threading.Event()
    hidden = False

    def send(header: FrameHeader, data: bytes) -> None:
        got.append(header)
        first.set()
        if not hidden:
            watched.stream.ack(header.seq)
        if header.final:
            final.set()

    def hide_and_seek(index: int) -> None:
        nonlocal hidden
        if index == 500:
            assert first.wait(LONG)
            hidden = True
        elif index == 2500:
            assert watched.stream.stats.outstanding <= OUTSTANDING
            hidden = False
            watched.stream.ack(got[-1].seq)

    watched = Watched(send)
    watched.at_step = hide_and_seek
    watched.run()
    assert final.wait(LONG)
    assert (got[-1].step, got[-1].final) == (STEPS, True)
    watched.stream.close()


def test_a_page_that_comes_late_sees_the_end() -> None:
    """As in Voila: the cells have run before the page exists."""
    got: list[FrameHeader] = []
    final = threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        got.append(header)
        if header.final:
            final.set()

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
    assert final.wait(LONG)
    assert (len(got), got[-1].step) == (OUTSTANDING + 1, STEPS)
    stream.close()
