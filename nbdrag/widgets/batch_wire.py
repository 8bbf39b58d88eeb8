"""Keeps the pages of one batch preview in step with its session.

As the editors' `wire` does: what goes out is the difference between what the pages were sent and
what there is now, and a page that comes up has been sent nothing. Pictures go their own way, on a
`TileStream`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nbdrag.runtime.tiles import Tile, TilePictures, TileStream
from nbdrag.widgets import batch_messages as m
from nbdrag.widgets.batch_inputs import usual_path
from nbdrag.widgets.batch_session import BatchSession
from nbdrag.widgets.from_kernel import Beat, Status
from nbdrag.widgets.from_page import Ack, Heartbeat, ProtocolError

Send = Callable[[dict[str, Any], list[bytes]], object]


class BatchWire:
    """The messages of one batch preview.

    Parameters
    ----------
    session : BatchSession
        Read and commanded.
    pictures : TilePictures
    model : str
        The generator's name.
    send : callable
        Takes a message's content and its buffers, on any thread. May fail: nobody may be there.
    """

    def __init__(
        self, session: BatchSession, pictures: TilePictures, model: str, send: Send
    ) -> None:
        self._session, self._model, self._send = session, model, send
        self._epoch = 0
        self._sent: dict[str, int] = {}
        self._stream = TileStream(
            session.tiles,
            pictures.encoded,
            self._send_tiles,
            at_once=pictures.at_once,
            on_error=lambda error: session.complain(f"{type(error).__name__}: {error}"),
        )
        self._stream.start()

    def receive(self, content: object) -> None:
        """Handle what a page sent. Raises nothing, whatever it was."""
        try:
            message = m.decode(content)
        except ProtocolError as refusal:
            self._refuse(refusal.id, str(refusal))
            return
        number: int | None = getattr(message, "id", None)
        try:
            found = self._do(message)
        except (ValueError, RuntimeError) as refusal:
            self._refuse(number, str(refusal))
        except Exception as error:
            logging.getLogger(__name__).exception("a message could not be handled")
            self._refuse(number, f"{type(error).__name__}: {error}")
        else:
            if number is not None:
                self._post(m.Reply(id=number, ok=True), *found)

    def publish(self) -> None:
        """Send the pages whatever they have not been sent, and have the pictures follow."""
        session = self._session
        with session.lock:
            if self._is_news("names", 0):
                self._post(m.Names(names=session.names))
            if self._is_news("offsets", session.offsets_version):
                offsets = session.offsets.astype("<f4").tobytes()
                self._post(m.Offsets(version=session.offsets_version), offsets)
            if self._is_news("order", session.order_version):
                order = session.order.astype("<u4").tobytes()
                self._post(m.Order(version=session.order_version), order)
            if self._is_news("included", session.included_version):
                bits = np.packbits(session.included, bitorder="little").tobytes()
                self._post(m.Included(version=session.included_version), bits)
            if self._is_news("overrides", session.overrides_version):
                self._post(
                    m.Overrides(
                        version=session.overrides_version,
                        items=list(session.overrides),
                        alphas=list(session.overrides.values()),
                    )
                )
            if self._is_news("snapshot", session.revision):
                self._post(self.snapshot())
        self._stream.change()

    def snapshot(self) -> m.Snapshot:
        """The session's state as a message."""
        session = self._session
        with session.lock:
            low, high = session.slider
            direction = session.shown.direction
            return m.Snapshot(
                protocol=m.BATCH_PROTOCOL,
                revision=session.revision,
                epoch=self._epoch,
                name=direction.name,
                model=m.Pictured(
                    name=self._model,
                    width=session.generator.width,
                    height=session.generator.height,
                ),
                count=session.count,
                strength=session.strength,
                alpha=direction.alpha,
                low=low,
                high=high,
                neutral=session.neutral,
                by=session.by,
                running=session.running,
                progress=session.progress,
                path=usual_path(direction.name),
                written=self._offered(),
                included=int(session.included.sum()),
                offsets_version=session.offsets_version,
                order_version=session.order_version,
                included_version=session.included_version,
                overrides_version=session.overrides_version,
                status=session.status,
            )

    def close(self) -> None:
        """End the making of pictures."""
        self._stream.close()

    # ---------------------------------------------------------------------------------- coming in

    def _do(self, message: m.FromPage) -> list[bytes]:
        """Do what a page wants; what goes beside the answer."""
        session = self._session
        match message:
            case m.Ready():
                self._epoch += 1
                self._sent = {}
                self._stream.forget()
                self.publish()
            case m.Look():
                self._stream.look(message.view, [i for i in message.items if i < session.count])
            case Ack():
                self._stream.ack(message.seq)
            case Heartbeat():
                self._post(Beat(revision=session.revision))
            case m.SetStrength():
                session.set_strength(message.strength, moving=message.moving)
            case m.SetAlpha():
                session.set_alphas({message.item: message.alpha}, moving=message.moving)
            case m.ResetAlphas():
                session.reset_alphas()
            case m.Include():
                session.include(message.items, message.included)
            case m.IncludeAll(which="others"):
                session.select(~session.included)
            case m.IncludeAll():
                session.select(range(session.count) if message.which == "all" else [])
            case m.Sort():
                session.sort(message.by)
            case m.Export():
                session.export(message.path, message.format, resume=message.resume)
            case m.Fetch():
                return [session.piece(message.file, message.offset)]
            case m.Stop():
                session.stop()
        return []

    def _refuse(self, number: int | None, why: str) -> None:
        self._post(m.Reply(id=number, ok=False, error=why))
        self._post(Status(level="error", text=why))

    # ---------------------------------------------------------------------------------- going out

    def _offered(self) -> m.Written | None:
        offer = self._session.offer
        if offer is None:
            return None
        return m.Written(number=self._session.offered, name=offer.name, size=offer.size)

    def _is_news(self, name: str, version: int) -> bool:
        if self._sent.get(name) == version:
            return False
        self._sent[name] = version
        return True

    def _send_tiles(self, seq: int, tiles: Sequence[Tile], pictures: list[bytes]) -> None:
        headers = [m.Tile(item=tile.item, after=tile.after, alpha=tile.alpha) for tile in tiles]
        self._post(m.Tiles(seq=seq, tiles=headers), *pictures)

    def _post(self, message: m.FromKernel, *buffers: bytes) -> None:
        try:
            self._send(m.encode(message), list(buffers))
        except Exception:
            # The page or the kernel is going away. Whoever comes next says Ready.
            logging.getLogger(__name__).debug("not sent: %s", type(message), exc_info=True)
