import gc
import io
import math
import threading
import weakref

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nbdrag.runtime import frames, pictures
from nbdrag.runtime.frames import Credits, FrameHeader, FrameStream, Picture

LONG = 30  # seconds; only a failing test waits that long


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Page:
    """The other end: keeps what arrives, acknowledges when told."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.headers: list[FrameHeader] = []
        self.data: list[bytes] = []
        self.times: list[float] = []
        self.stream = FrameStream(self.receive, clock=self.clock)

    def receive(self, header: FrameHeader, data: bytes) -> None:
        self.headers.append(header)
        self.data.append(data)
        self.times.append(self.clock.now)

    @property
    def steps(self) -> list[int | None]:
        return [header.step for header in self.headers]

    def ack(self) -> None:
        self.stream.ack(self.headers[-1].seq)

    def run(self, seconds: float, fps: float, *, ack_every: int = 0, first_step: int = 1) -> None:
        """An edit of `fps` steps per second, and the sender thread's work beside it."""
        for i in range(round(seconds * fps)):
            self.stream.move(picture(first_step + i))
            self.pump_until(self.clock.now + 1 / fps, ack_every)

    def pump_until(self, end: float, ack_every: int = 0) -> None:
        while True:
            count = len(self.headers)
            delay = self.stream.pump()
            if len(self.headers) > count:
                if ack_every and self.headers[-1].seq % ack_every == 0:
                    self.ack()
                continue
            if self.clock.now + delay > end:
                break
            self.clock.now += delay
        self.clock.now = end


def picture(step: int | None = None, size: int = 8, value: float = 0.0) -> Picture:
    return Picture(torch.full([3, size, size], value), step=step)


# --------------------------------------------------------------------------------- what is sent


def test_a_moving_frame_is_a_jpeg_with_its_own_facts() -> None:
    page = Page()
    image = smooth_image(24, 16)
    page.stream.move(Picture(image, 7, 0.5, [(1.0, 2.0, 3.0, 4.0)], [2.5], 21.0))
    assert page.stream.pump() == 0
    assert page.headers == [
        FrameHeader(
            seq=1, final=False, format="image/jpeg", width=16, height=24,
            step=7, loss=0.5, points=[(1.0, 2.0, 3.0, 4.0)], distances=[2.5], steps_per_s=21.0,
        )
    ]  # fmt: skip
    assert type(page.data[0]) is bytes
    file = Image.open(io.BytesIO(page.data[0]))
    assert (file.format, file.size) == ("JPEG", (16, 24))
    assert file.layer[0][1:3] == file.layer[1][1:3], "chroma at full resolution"
    error = np.asarray(file).astype(int) - pictures.to_pixels(image)
    assert np.abs(error).mean() < 4


def test_a_frame_at_rest_is_lossless() -> None:
    page = Page()
    image = torch.rand(3, 24, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
    page.stream.rest(Picture(image))
    page.stream.pump()
    assert (page.headers[0].final, page.headers[0].format) == (True, "image/webp")
    file = Image.open(io.BytesIO(page.data[0]))
    assert file.format == "WEBP"
    np.testing.assert_array_equal(np.asarray(file), pictures.to_pixels(image))


def test_what_was_offered_is_sent_even_if_the_lists_change_later() -> None:
    page, points = Page(), [(1.0, 2.0, 3.0, 4.0)]
    page.stream.move(Picture(torch.zeros(3, 8, 8), points=points))
    page.stream.pump()
    points.clear()
    assert page.headers[0].points == [(1.0, 2.0, 3.0, 4.0)]


# ------------------------------------------------------------------------------ when it is sent


def test_the_newest_wins() -> None:
    page = Page()
    for i in range(5):
        page.stream.move(picture(i))
    assert page.stream.pump() == 0
    assert page.stream.pump() == math.inf
    assert page.steps == [4]
    stats = page.stream.stats
    assert (stats.offered, stats.sent, stats.replaced) == (5, 1, 4)


def test_eight_frames_are_under_way_and_no_more() -> None:
    page = Page()
    page.run(0.1, fps=100)
    assert page.steps == [1, 2, 3, 4, 5, 6, 7, 8]
    assert page.stream.stats.outstanding == 8
    page.stream.ack(4)  # a page acknowledges every fourth frame
    page.stream.pump()
    page.run(0.1, fps=100, first_step=11)
    # The newest of those that had waited goes first: step 10, then four frames in all.
    assert page.steps == [1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13]


def test_what_a_hand_waits_for_goes_at_once_if_it_may() -> None:
    page = Page()
    for step in range(1, frames.WINDOW + 2):
        page.stream.show(picture(step))
    assert page.steps == list(range(1, frames.WINDOW + 1))
    assert not any(header.final for header in page.headers)
    page.ack()
    page.pump_until(page.clock.now)
    assert page.steps[-1] == frames.WINDOW + 1


def test_an_attentive_page_gets_every_frame() -> None:
    page = Page()
    page.run(10, fps=60, ack_every=4)
    assert page.steps == list(range(1, 601))


def test_a_far_page_is_not_taken_for_a_silent_one() -> None:
    """Acknowledgements 400 ms late: a window of 8 per 400 ms is what can flow."""
    page = Page()
    due: list[tuple[float, int]] = []
    for i in range(400):
        page.stream.move(picture(i))
        before = len(page.headers)
        page.pump_until(page.clock.now + 0.01)
        due += [(page.clock.now + 0.4, header.seq) for header in page.headers[before:]]
        while due and due[0][0] <= page.clock.now:
            page.stream.ack(due.pop(0)[1])
    assert len(page.headers) == pytest.approx(4.0 / 0.4 * 8, abs=10)


def test_a_silent_page_gets_five_frames_a_second_then_none() -> None:
    page = Page()
    start = page.clock.now
    page.run(60, fps=50)
    times = np.array(page.times) - start
    assert len(times) == frames.OUTSTANDING == 30
    np.testing.assert_allclose(times[:8], np.arange(8) / 50)
    assert times[8] == pytest.approx(0.34)  # 250 ms of silence, and 200 ms after the eighth
    np.testing.assert_allclose(np.diff(times[8:]), 0.2)
    # Each was the newest at its time.
    assert page.steps[8:] == [math.floor(time * 50 + 1e-6) + 1 for time in times[8:]]
    assert page.stream.pump() == math.inf


def test_a_slow_edit_and_a_silent_page() -> None:
    """Fewer than eight frames under way, but unheard for 250 ms: at most five a second."""
    page = Page()
    page.run(1.0, fps=20)
    assert np.diff(page.times)[6:].min() >= 0.2 - 1e-9
    page = Page()
    page.run(10.0, fps=2)  # slower than that anyway
    assert page.steps == list(range(1, 21))


def test_an_acknowledgement_resumes_the_stream_with_the_newest() -> None:
    page = Page()
    page.run(60, fps=50)
    page.ack()
    page.pump_until(page.clock.now)
    assert page.steps[-1] == 3000
    page.run(1, fps=50, ack_every=4, first_step=3001)
    assert page.steps[-50:] == list(range(3001, 3051))


def test_a_page_that_comes_up_gets_a_fresh_window_and_the_last_picture() -> None:
    page = Page()
    page.run(60, fps=50)
    page.stream.reset_credits()
    assert page.stream.stats.outstanding == 0
    page.pump_until(page.clock.now)
    assert page.steps[-1] == 3000
    page.stream.reset_credits()
    page.stream.repeat()
    page.pump_until(page.clock.now)
    assert page.steps[-2:] == [3000, 3000]
    assert page.headers[-1].seq == page.headers[-2].seq + 1
    page.run(0.1, fps=50, first_step=3001)
    assert page.steps[-1] == 3005


def test_repeat_does_not_replace_what_waits_and_needs_something_to_repeat() -> None:
    page = Page()
    page.stream.repeat()
    assert page.stream.pump() == math.inf
    page.stream.rest(picture(1))
    page.stream.repeat()
    page.pump_until(page.clock.now)
    assert page.steps == [1]
    page.stream.repeat()
    page.pump_until(page.clock.now)
    assert [(header.step, header.final) for header in page.headers] == [(1, True), (1, True)]


def test_the_last_picture_reaches_a_page_that_was_silent() -> None:
    page = Page()
    page.run(60, fps=50)
    page.stream.rest(picture(9999))
    page.pump_until(page.clock.now + 3600)
    assert page.steps[-1] != 9999
    page.ack()
    page.pump_until(page.clock.now)
    assert (page.steps[-1], page.headers[-1].final) == (9999, True)


def test_acknowledgements_are_cumulative_and_nonsense_is_ignored() -> None:
    page = Page()
    page.run(0.08, fps=100)
    for seq, outstanding in [(0, 8), (9, 8), (10**15, 8), (-1, 8), (3, 5), (3, 5), (2, 5), (8, 0)]:
        page.stream.ack(seq)
        assert page.stream.stats.outstanding == outstanding
    assert page.stream.stats.acked == 8


def test_ten_thousand_frames_that_nobody_sees_leave_nothing_behind() -> None:
    page = Page()
    alive: weakref.WeakSet[Picture] = weakref.WeakSet()
    most = 0
    for i in range(10_000):
        offered = picture(i)
        alive.add(offered)
        page.stream.move(offered)
        del offered
        page.pump_until(page.clock.now + 0.01)
        most = max(most, len(alive))
    gc.collect()
    assert most <= 2
    assert len(page.data) == 30
    assert len(page.stream._credits._under_way) == 30
    stats = page.stream.stats
    assert (stats.offered, stats.sent, stats.replaced) == (10_000, 30, 9_969)


def test_a_closed_stream_lets_go() -> None:
    page = Page()
    offered = picture(1)
    gone = weakref.ref(offered)
    page.stream.move(offered)
    del offered
    page.stream.close()
    page.stream.move(picture(2))
    page.stream.repeat()
    assert page.stream.pump() == math.inf
    assert page.headers == []
    assert gone() is None


def test_a_send_that_fails_is_counted_and_the_next_one_goes() -> None:
    sent = []

    def send(header: FrameHeader, data: bytes) -> None:
        if header.step == 1:
            raise OSError("no connection")
        sent.append(header.step)

    stream = FrameStream(send, clock=Clock())
    for i in range(3):
        stream.move(picture(i))
        stream.pump()
    assert sent == [0, 2]
    stats = stream.stats
    assert (stats.offered, stats.sent, stats.failed) == (3, 2, 1)
    assert stats.error == "OSError: no connection"


def test_a_picture_that_cannot_be_encoded_is_counted_too() -> None:
    page = Page()
    page.stream.move(Picture(torch.zeros(1, 8, 8)))
    page.stream.pump()
    assert "expected one picture, [3, H, W]" in page.stream.stats.error


@given(st.lists(st.tuples(st.sampled_from("oapr"), st.floats(0, 1), st.integers(-2, 60))))
def test_credits_hold_whatever_the_page_does(events: list[tuple[str, float, int]]) -> None:
    flow, now, sent_at = Credits(), 0.0, []
    for kind, wait, seq in events * 3:
        now += wait
        if kind == "a":
            flow.acked(seq, now)
        elif kind == "r":
            flow.acked(flow.seq, now)
        else:
            delay = flow.delay(now)
            assert delay >= 0
            if delay < math.inf:
                now += delay
                assert flow.delay(now) < 1e-9
                assert flow.sent(now) == len(sent_at) + 1
                sent_at.append(now)
        assert 0 <= flow.outstanding <= 30
        if flow.outstanding == 0:
            assert flow.delay(now) == 0


# ------------------------------------------------------------------------------ the sender thread


def test_the_thread_sends_what_is_offered_and_the_edit_never_waits() -> None:
    entered, go_on = threading.Event(), threading.Event()
    sent: list[int | None] = []
    all_sent = threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        entered.set()
        assert go_on.wait(LONG)
        assert threading.current_thread() is not threading.main_thread()
        sent.append(header.step)
        stream.ack(header.seq)
        if header.step == 1000:
            all_sent.set()

    stream = FrameStream(send)
    stream.start()
    stream.start()  # once is enough
    stream.move(picture(1))
    assert entered.wait(LONG)
    for i in range(2, 1001):
        stream.move(picture(i))  # while the send above hangs
    go_on.set()
    assert all_sent.wait(LONG)
    assert sent == [1, 1000]
    stream.close()
    stream._thread.join(LONG)
    assert not stream._thread.is_alive()


def test_frames_leave_in_their_order_whichever_thread_sends_them() -> None:
    seen: list[int | None] = []
    in_first, go_on = threading.Event(), threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        if header.step == 1:
            in_first.set()
            assert go_on.wait(LONG)
        seen.append(header.step)

    stream = FrameStream(send)
    stream.start()
    stream.move(picture(1))
    assert in_first.wait(LONG)
    hand = threading.Thread(target=stream.show, args=(picture(2),))
    hand.start()
    go_on.set()
    hand.join(LONG)
    assert seen == [1, 2]
    stream.close()


def test_the_thread_wakes_for_an_acknowledgement() -> None:
    sent: list[int | None] = []
    window_full, resumed = threading.Event(), threading.Event()

    def send(header: FrameHeader, data: bytes) -> None:
        sent.append(header.step)
        if len(sent) == frames.WINDOW:
            window_full.set()
        if header.step == 100:
            resumed.set()

    stream = FrameStream(send, clock=Clock())  # time stands still: only acks let frames go
    stream.start()
    for i in range(frames.WINDOW):
        stream.move(picture(i))
        while stream.stats.sent <= i:
            threading.Event().wait(0.001)
    assert window_full.wait(LONG)
    stream.move(picture(100))
    stream.ack(1)
    assert resumed.wait(LONG)
    stream.close()


def smooth_image(height: int, width: int) -> torch.Tensor:
    y, x = torch.linspace(-1, 1, height)[:, None], torch.linspace(-1, 1, width)[None, :]
    return torch.stack([x + 0 * y, y + 0 * x, (x + y) / 2])
