"""Keeps the pages of one editor in step with its session.

What goes out is not a list of events but a difference: `publish` compares what the pages have been
sent with what the session is now, and sends what is missing. Whoever changes the session, on
whatever thread, publishes afterwards and need not say what changed. A page that comes up has been
sent nothing, so `Ready` forgets what was sent and publishes; this one rule serves the first
display, a second view, a reload and a front end that connects late.

What comes in is decoded, done and answered by one `Reply`. A refusal is answered, too, shown in
the status line of all pages, and leaves the session as it was.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from math import hypot
from typing import Any

from nbdrag.runtime import pictures
from nbdrag.runtime.frames import FrameHeader, FrameStream, Picture
from nbdrag.widgets import mask, panel
from nbdrag.widgets import protocol as p
from nbdrag.widgets.session import Session

Send = Callable[[dict[str, Any], list[bytes]], object]


class Wire:
    """The messages of one editor.

    Parameters
    ----------
    session : Session
        Read and commanded; the wire keeps no state of the edit.
    send : callable
        Takes a message's content and its buffers, on any thread. May fail: nobody may be there.
    """

    def __init__(self, session: Session, send: Send) -> None:
        self._session, self._send = session, send
        self._stream = FrameStream(self._send_frame)
        self._stream.start()
        # What the pages have been sent; -1 for nothing.
        self._revision_sent = self._mask_sent = self._before_sent = self._still_sent = -1
        self._thumbnails_sent: set[int] = set()

    def receive(self, content: object) -> None:
        """Handle what a page sent. Raises nothing, whatever it was."""
        number: int | None = None
        try:
            message = p.decode(content)
            number = getattr(message, "id", None)
            reply, buffers = self._done(message)
        except p.ProtocolError as refusal:
            self._refuse(refusal.id, str(refusal))
        except (ValueError, RuntimeError) as refusal:
            self._refuse(number, str(refusal))
        except Exception as error:
            logging.getLogger(__name__).exception("a message could not be handled")
            self._refuse(number, f"{type(error).__name__}: {error}")
        else:
            if reply is not None:
                self._post(reply, *buffers)

    def publish(self) -> None:
        """Send the pages whatever they have not been sent of the session's state."""
        session = self._session
        with session.lock:
            if self._mask_sent != session.mask_version:
                self._mask_sent = session.mask_version
                self._post_mask()
            if self._revision_sent != session.revision:
                self._revision_sent = session.revision
                self._post(self.snapshot())
            first = session.album.first
            if self._before_sent != session.album.key(first):
                self._before_sent = session.album.key(first)
                self._post(p.Before(format="image/webp"), session.album.still(first))
            self._post_thumbnails()
            if not session.running and self._still_sent != session.still_version:
                self._still_sent = session.still_version
                self._stream.rest(self._still())

    def show(self, picture: Picture) -> None:
        """Show a picture of the running edit, if the pages keep up."""
        self._stream.move(picture)

    def snapshot(self) -> p.Snapshot:
        """The session's state as a message."""
        session = self._session
        with session.lock:
            return p.Snapshot(
                protocol=p.PROTOCOL,
                revision=session.revision,
                model=p.Model(
                    name=session.name,
                    width=session.generator.width,
                    height=session.generator.height,
                    num_ws=session.generator.num_ws,
                ),
                seed=session.seed,
                truncation=session.truncation,
                points=list(session.points),
                mask_version=session.mask_version,
                options=asdict(session.options),
                schema=panel.option_schema(session.generator),
                running=session.running,
                progress=session.progress,
                history=[
                    p.Entry(id=session.album.key(entry), label=entry.label)
                    for entry in session.album.history.entries
                ],
                cursor=session.album.history.cursor,
                status=session.status,
            )

    def close(self) -> None:
        """End the sending of frames."""
        self._stream.close()

    # ---------------------------------------------------------------------------------- coming in

    def _done(self, message: p.FromPage) -> tuple[p.Reply | None, list[bytes]]:
        """Do what a message asks for; its reply and the reply's buffers."""
        session = self._session
        match message:
            case p.Ready():
                self._forget()
                self._stream.reset_credits()
                if session.running:
                    self._stream.repeat()
                self.publish()
                return None, []
            case p.Ack():
                self._stream.ack(message.seq)
                return None, []
            case p.Heartbeat():
                self._post(p.Beat(revision=session.revision))
                return None, []
            case p.SetPoints():
                session.set_points(message.points)
            case p.PaintMask():
                session.paint_mask(message)
            case p.EditMask(op="invert"):
                session.invert_mask()
            case p.EditMask():
                session.set_mask(None)
            case p.SetOptions():
                session.set_options(message.options)
            case p.Sample():
                session.sample(message.seed, message.truncation)
            case p.Start():
                session.start()
            case p.Stop():
                session.stop()
            case p.Reset():
                session.reset()
            case p.Undo():
                session.undo()
            case p.Redo():
                session.redo()
            case p.GoTo():
                session.go_to(message.index)
            case p.GetCode():
                return p.Reply(id=message.id, ok=True, code=session.recipe().to_python()), []
            case p.GetPng():
                data = pictures.png(session.image())
                return p.Reply(id=message.id, ok=True, filename=self._filename()), [data]
        return p.Reply(id=message.id, ok=True), []

    def _refuse(self, number: int | None, why: str) -> None:
        self._post(p.Reply(id=number, ok=False, error=why))
        self._post(p.Status(level="error", text=why))

    # ---------------------------------------------------------------------------------- going out

    def _forget(self) -> None:
        """A page may have been sent nothing."""
        with self._session.lock:
            self._revision_sent = self._mask_sent = self._before_sent = self._still_sent = -1
            self._thumbnails_sent = set()

    def _still(self) -> Picture:
        """The picture at rest."""
        session, progress = self._session, self._session.progress
        return Picture(
            image=session.album.pixels(session.album.current),
            step=progress.step if progress else None,
            loss=progress.loss if progress else None,
            points=session.points,
            distances=[hypot(tx - hx, ty - hy) for hx, hy, tx, ty in session.points],
        )

    def _filename(self) -> str:
        """A name for a file of the picture shown."""
        session = self._session
        with session.lock:
            start = "latent" if session.seed is None else f"seed{session.seed}"
            edits = session.album.history.cursor - session.album.history.start
            return f"{session.name}-{start}{f'-{edits}edits' if edits else ''}.png"

    def _post_mask(self) -> None:
        session = self._session
        message = p.Mask(
            version=session.mask_version,
            width=session.generator.width,
            height=session.generator.height,
            everywhere=session.mask is None,
        )
        self._post(message, *([] if session.mask is None else [mask.bits(session.mask)]))

    def _post_thumbnails(self) -> None:
        album = self._session.album
        thumbnails = {album.key(entry): entry.thumbnail for entry in album.history.entries}
        for key, data in thumbnails.items():
            if key not in self._thumbnails_sent:
                self._post(p.Thumbnail(entry=key, format="image/jpeg"), data)
        self._thumbnails_sent = set(thumbnails)

    def _send_frame(self, header: FrameHeader, data: bytes) -> None:
        self._send(p.encode(p.Frame(**asdict(header))), [data])

    def _post(self, message: p.FromKernel, *buffers: bytes) -> None:
        try:
            self._send(p.encode(message), list(buffers))
        except Exception:
            # The page or the kernel is going away. Whoever comes next says Ready.
            logging.getLogger(__name__).debug("not sent: %s", type(message), exc_info=True)
