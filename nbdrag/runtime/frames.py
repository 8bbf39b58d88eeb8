"""Showing a moving picture on a page that may be slow, hidden or gone.

The newest picture wins. An edit offers every step; one slot holds what was offered last, and a
sender thread takes it from there, encodes it and sends it as soon as the page has room for more.
The edit never waits and memory never grows: what the slot loses was old.

The page has room as long as fewer than 8 frames are under way. It acknowledges the frames it has
drawn, cumulatively and only every few frames, since acknowledgements cost it more than frames do.
It may also fall silent: the kernel is busy with a cell and doesn't hear it, or the page is hidden,
closed or static. When frames are under way and none has been acknowledged for 250 ms, frames go
out at no more than 5 per second, and when 30 are under way none does, until the page is heard of
again. What waits in the slot is the newest picture, so a page that returns sees the present.

A frame's header carries step, loss and points along with the pixels, so that they cannot disagree.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from nbdrag.runtime import pictures

WINDOW = 8
PATIENCE = 0.25  # seconds
SLOW_INTERVAL = 0.2  # seconds
OUTSTANDING = 30

Pair = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture and what is known about it.

    Attributes
    ----------
    image : Tensor, shape [3, H, W], nominally in [-1, 1]
        Read later and on another thread, so it must not be written to any more.
    step, loss, steps_per_s : of the edit; None where there is none
    points : handle x, y and target x, y of each pair, in pixels of the full picture
    distances : of each handle to its target, in pixels
    agreement, outside : of the parts with those painted, and change elsewhere; see `PaintStep`
    """

    image: Tensor
    step: int | None = None
    loss: float | None = None
    points: Sequence[Pair] = ()
    distances: Sequence[float] = ()
    steps_per_s: float | None = None
    agreement: float | None = None
    outside: float | None = None


@dataclass(frozen=True)
class FrameHeader:
    """What goes with the bytes of a frame. `seq` counts from 1; `final` says it is at rest."""

    seq: int
    final: bool
    format: Literal["image/jpeg", "image/webp"]
    width: int
    height: int
    step: int | None
    loss: float | None
    points: list[Pair]
    distances: list[float]
    steps_per_s: float | None
    agreement: float | None = None
    outside: float | None = None


@dataclass(frozen=True)
class FrameStats:
    """Counts since the stream was made.

    offered = sent + failed + replaced (by a newer one, before it could go) + the one that waits.
    `outstanding` frames are under way now; `error` says why the last one that failed did.
    """

    offered: int = 0
    sent: int = 0
    replaced: int = 0
    failed: int = 0
    acked: int = 0
    outstanding: int = 0
    bytes_sent: int = 0
    error: str = ""


class FrameStream:
    """The way of pictures to one widget's pages.

    `start` starts the sender thread; without it, `pump` does by hand what the thread does.

    Parameters
    ----------
    send : callable
        Called with a `FrameHeader` and the encoded picture (immutable bytes).
    clock : callable
        Seconds that never go back.
    """

    def __init__(
        self,
        send: Callable[[FrameHeader, bytes], object],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._send, self._clock = send, clock
        self._credits = Credits()
        self._pumping = threading.Lock()  # frames leave one after the other, as they are numbered
        self._changed = threading.Condition()  # guards everything below and the credits
        self._waiting: tuple[Picture, bool] | None = None
        self._last: tuple[Picture, bool] | None = None
        self._counts = dict.fromkeys(("offered", "sent", "replaced", "failed", "bytes_sent"), 0)
        self._error = ""
        self._thread: threading.Thread | None = None
        self._closed = False

    def move(self, picture: Picture) -> None:
        """Offer a picture of a running edit. Never blocks."""
        self._offer(picture, final=False)

    def show(self, picture: Picture) -> None:
        """Send a picture that moves on this thread, if it may go now; otherwise offer it.

        For a hand that waits: the sender's thread may have to wait for Python's own lock first.
        """
        self._offer(picture, final=False)
        self.pump()

    def rest(self, picture: Picture) -> None:
        """Offer a picture that stays, to be sent lossless. Never blocks."""
        self._offer(picture, final=True)

    def ack(self, seq: int) -> None:
        """Every frame up to `seq` is dealt with, as any one page says; nonsense is ignored."""
        with self._changed:
            self._credits.acked(seq, self._clock())
            self._changed.notify_all()

    def reset_credits(self) -> None:
        """Nothing is under way any more: a page has just come up and heard nothing before."""
        with self._changed:
            self._credits.acked(self._credits.seq, self._clock())
            self._changed.notify_all()

    def repeat(self) -> None:
        """Offer the last picture again, for a page that has not seen it."""
        with self._changed:
            if self._waiting is None and self._last is not None:
                self._offer(*self._last)

    @property
    def stats(self) -> FrameStats:
        """What has happened so far."""
        with self._changed:
            return FrameStats(
                acked=self._credits.seq - self._credits.outstanding,
                outstanding=self._credits.outstanding,
                error=self._error,
                **self._counts,
            )

    def start(self) -> None:
        """Start the sender thread, unless it runs."""
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._pump_forever, name="nbdrag-frames", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Drop what waits, and end the sender thread. Later offers are ignored."""
        with self._changed:
            self._closed, self._waiting, self._last = True, None, None
            self._changed.notify_all()

    def pump(self) -> float:
        """Send the picture that waits, if it may go.

        Returns
        -------
        float
            Seconds after which to try again; infinity if there is nothing to do before the next
            offer or acknowledgement.
        """
        with self._pumping:
            return self._pump()

    def _pump(self) -> float:
        with self._changed:
            if self._waiting is None:
                return math.inf
            delay = self._credits.delay(self._clock())
            if delay > 0:
                return delay
            (picture, final), self._waiting = self._waiting, None
            seq = self._credits.sent(self._clock())
        # Encoding takes milliseconds, and offers must not wait for it.
        try:
            header, data = _frame(picture, seq, final)
            self._send(header, data)
        except Exception as error:
            with self._changed:
                self._counts["failed"] += 1
                self._error = f"{type(error).__name__}: {error}"
        else:
            with self._changed:
                self._counts["sent"] += 1
                self._counts["bytes_sent"] += len(data)
        return 0.0

    def _offer(self, picture: Picture, final: bool) -> None:
        with self._changed:
            if self._closed:
                return
            self._counts["offered"] += 1
            self._counts["replaced"] += self._waiting is not None
            self._waiting = self._last = (picture, final)
            self._changed.notify_all()

    def _pump_forever(self) -> None:
        while True:
            self.pump()
            with self._changed:
                if self._closed:
                    return
                # Asked again under the lock, so that no offer in between is missed.
                delay = math.inf if self._waiting is None else self._credits.delay(self._clock())
                if delay > 0:
                    self._changed.wait(None if delay == math.inf else delay)


@dataclass
class Credits:
    """When the next frame may leave. Is told the time and never asks for it.

    Attributes
    ----------
    seq : int
        Of the last frame sent; 0 before the first.
    """

    seq: int = 0
    _under_way: deque[float] = field(default_factory=deque)  # when they left, oldest first
    _left: float = -math.inf  # the last one
    _heard: float = -math.inf  # when the page last acknowledged something

    @property
    def outstanding(self) -> int:
        """Frames sent and not acknowledged."""
        return len(self._under_way)

    def delay(self, now: float) -> float:
        """Seconds until a frame may leave: 0 for now, infinity for not before the page is heard."""
        if self.outstanding >= OUTSTANDING:
            return math.inf
        if not self._under_way:
            return 0.0
        # A long way to the page is not silence: acks are late then, but keep coming.
        impatient = max(self._under_way[0], self._heard) + PATIENCE
        if now < impatient and self.outstanding < WINDOW:
            return 0.0
        return max(0.0, impatient - now, self._left + SLOW_INTERVAL - now)

    def sent(self, now: float) -> int:
        """Note a frame that leaves now, and number it."""
        self.seq += 1
        self._left = now
        self._under_way.append(now)
        return self.seq

    def acked(self, seq: int, now: float) -> None:
        """Note that the page has dealt with every frame up to `seq`, one that was sent."""
        if self.seq - self.outstanding < seq <= self.seq:
            while self.outstanding > self.seq - seq:
                self._under_way.popleft()
            self._heard = now


def _frame(picture: Picture, seq: int, final: bool) -> tuple[FrameHeader, bytes]:
    pil = pictures.to_pil(picture.image)
    header = FrameHeader(
        seq=seq,
        final=final,
        format="image/webp" if final else "image/jpeg",
        width=pil.width,
        height=pil.height,
        step=picture.step,
        loss=picture.loss,
        points=list(picture.points),
        distances=list(picture.distances),
        agreement=picture.agreement,
        outside=picture.outside,
        steps_per_s=picture.steps_per_s,
    )
    return header, pictures.webp(pil) if final else pictures.jpeg(pil)
