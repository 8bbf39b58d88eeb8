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
from collections.abc import Callable, Sequence
from dataclasses import asdict
from math import hypot
from typing import Any, ClassVar

from nbdrag.editing.paint_options import PaintOptions
from nbdrag.runtime import pictures
from nbdrag.runtime.frames import FrameHeader, FrameStream, Picture
from nbdrag.widgets import from_kernel as k
from nbdrag.widgets import from_page as p
from nbdrag.widgets import mask, panel
from nbdrag.widgets.methods import DRAG_METHODS, missing
from nbdrag.widgets.models import Models, choices
from nbdrag.widgets.protocol import MAX_CHUNK, PROTOCOL
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work

Send = Callable[[dict[str, Any], list[bytes]], object]


class Wire:
    """The messages of one editor.

    Parameters
    ----------
    session : Session
        Read and commanded; the wire keeps no state of the edit.
    models : Models
        Commanded; it tells of its progress here.
    send : callable
        Takes a message's content and its buffers, on any thread. May fail: nobody may be there.

    Attributes
    ----------
    paints : bool
        Whether its pages need to know the parts of each picture.
    on_batch : callable
        Called when a page asks for a preview of the present edit on many pictures.
    """

    paints: ClassVar[bool] = False

    def __init__(self, session: Session, models: Models, send: Send) -> None:
        self._session, self._models, self._send = session, models, send
        self._stream = FrameStream(self._send_frame)
        self._stream.start()
        # What the pages have been sent; -1 for nothing.
        self._revision_sent = self._mask_sent = self._still_sent = -1
        self._before_sent: tuple[int, bool] | None = None
        self._thumbnails_sent: set[int] = set()
        self.on_batch: Callable[[], object] = lambda: None

    def receive(self, content: object, buffers: Sequence[bytes | memoryview] = ()) -> None:
        """Handle what a page sent. Raises nothing, whatever it was."""
        try:
            message = p.decode(content)
        except p.ProtocolError as refusal:
            self._refuse(refusal.id, str(refusal))
        else:
            self._handle(message, buffers)

    def _handle(self, message: p.FromPage, buffers: Sequence[bytes | memoryview] = ()) -> None:
        """Do what a message asks for, and answer it."""
        number: int | None = getattr(message, "id", None)
        try:
            reply, data = self._done(message, buffers)
        except (ValueError, RuntimeError) as refusal:
            # Whose file is no longer wanted has been told so; pieces of it may be under way.
            self._refuse(number, str(refusal), aloud=not isinstance(message, p.Chunk))
        except Exception as error:
            logging.getLogger(__name__).exception("a message could not be handled")
            self._refuse(number, f"{type(error).__name__}: {error}")
        else:
            if reply is not None:
                self._post(reply, *data)

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
            self._post_before()
            self._post_thumbnails()
            if not session.running and self._still_sent != session.still_version:
                self._still_sent = session.still_version
                whole = session.album.is_whole(session.album.current)
                (self._stream.rest if whole else self._stream.move)(self._still())

    def show(self, picture: Picture) -> None:
        """Show a picture that moves, if the pages keep up."""
        self._stream.move(picture)

    def show_now(self, picture: Picture) -> None:
        """The same for a hand that waits: it has gone when this returns."""
        self._stream.show(picture)

    def snapshot(self) -> k.Snapshot:
        """The session's state as a message."""
        session = self._session
        with session.lock:
            start, parts = session.work.start, session.part_map
            return k.Snapshot(
                protocol=PROTOCOL,
                revision=session.revision,
                model=k.Model(
                    name=session.work.name,
                    width=session.generator.width,
                    height=session.generator.height,
                    num_ws=session.generator.num_ws,
                    num_labels=session.generator.num_labels,
                ),
                seed=start.seed if start else None,
                truncation=start.truncation if start else None,
                label=start.label if start else None,
                points=list(session.points),
                mask_version=session.mask_version,
                drag_method=session.work.way.name,
                drag_methods=drag_methods(session.work),
                follow=session.work.follows,
                options=asdict(session.options),
                schema=drag_schema(session.work),
                labels_version=parts.version if parts else None,
                strokes=parts.strokes if parts else 0,
                strokes_ahead=parts.strokes_ahead if parts else 0,
                live=session.live,
                paint_options=asdict(session.paint_options),
                paint_schema=panel.option_schema(
                    session.generator, PaintOptions.for_generator(session.generator)
                ),
                scales=session.scales,
                running=session.running,
                method=session.method,
                progress=session.progress,
                history=[
                    k.Entry(id=session.album.key(entry), label=entry.label)
                    for entry in session.album.history.entries
                ],
                cursor=session.album.history.cursor,
                status=session.status,
                loading=session.loading,
                previous=session.previous.name if session.previous else None,
            )

    def close(self) -> None:
        """End the sending of frames."""
        self._stream.close()

    # ---------------------------------------------------------------------------------- coming in

    def _done(
        self, message: p.FromPage, buffers: Sequence[bytes | memoryview]
    ) -> tuple[k.Reply | None, list[bytes]]:
        """Do what a message asks for; its reply and the reply's buffers."""
        session = self._session
        match message:
            case p.Ready():
                session.let_go()  # the hand may have been on the page that comes up anew
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
                self._post(k.Beat(revision=session.revision))
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
            case p.SetMethod():
                session.set_drag_method(message.method)
            case p.SetFollow():
                session.set_follow(message.follow)
            case p.Hold():
                session.hold(message.points)
            case p.Release():
                session.release(message.points)
            case p.LetGo():
                session.let_go()
            case p.Sample():
                session.sample(message.seed, message.truncation, message.label)
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
                return k.Reply(id=message.id, ok=True, code=session.recipe().to_python()), []
            case p.GetPng():
                data = pictures.png(session.image())
                return k.Reply(id=message.id, ok=True, filename=self._filename()), [data]
            case p.ToBatch():
                self.on_batch()
            case p.GetModels():
                return k.Reply(id=message.id, ok=True, models=choices()), []
            case p.LoadModel():
                self._models.load(message.source)
            case p.Upload():
                self._models.take_upload(message.id, message.name, message.size)
            case p.Chunk():
                self._models.take_chunk(message.upload, message.offset, checked_chunk(buffers))
            case p.StopLoading():
                self._models.stop()
            case p.GoBack():
                session.go_back()
            case _:
                raise ValueError(
                    "this editor only drags; paint and slide in a SegmentationPainter."
                )
        return k.Reply(id=message.id, ok=True), []

    def _refuse(self, number: int | None, why: str, *, aloud: bool = True) -> None:
        self._post(k.Reply(id=number, ok=False, error=why))
        if aloud:
            self._post(k.Status(level="error", text=why))

    # ---------------------------------------------------------------------------------- going out

    def _forget(self) -> None:
        """A page may have been sent nothing."""
        with self._session.lock:
            self._revision_sent = self._mask_sent = self._still_sent = -1
            self._before_sent = None
            self._thumbnails_sent = set()

    def _still(self) -> Picture:
        """The picture at rest, as far as it is there."""
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
            start = session.work.start
            origin = f"seed{start.seed}" if start else "latent"
            edits = session.album.history.cursor - session.album.history.start
            return f"{session.work.name}-{origin}{f'-{edits}edits' if edits else ''}.png"

    def _post_mask(self) -> None:
        session = self._session
        message = k.Mask(
            version=session.mask_version,
            width=session.generator.width,
            height=session.generator.height,
            everywhere=session.mask is None,
        )
        self._post(message, *([] if session.mask is None else [mask.bits(session.mask)]))

    def _post_before(self) -> None:
        """Send what the picture shown is compared with, and once more when it is there whole."""
        album = self._session.album
        shot = album.shot(album.first)
        if self._before_sent != (album.key(album.first), shot.whole):
            self._before_sent = album.key(album.first), shot.whole
            self._post(k.Before(format="image/webp"), shot.data)

    def tell_loading(self) -> None:
        """Tell how far the next generator is, if one is on its way."""
        with self._session.lock:  # lest it comes after the news that it has ended
            loading = self._session.loading
            if loading is not None:
                self._post(loading)

    def _post_thumbnails(self) -> None:
        album = self._session.album
        thumbnails = {album.key(entry): entry.thumbnail for entry in album.history.entries}
        for key, data in thumbnails.items():
            if key not in self._thumbnails_sent:
                self._post(k.Thumbnail(entry=key, format="image/jpeg"), data)
        self._thumbnails_sent = set(thumbnails)

    def _send_frame(self, header: FrameHeader, data: bytes) -> None:
        self._send(k.encode(k.Frame(**asdict(header))), [data])

    def _post(self, message: k.FromKernel, *buffers: bytes) -> None:
        try:
            self._send(k.encode(message), list(buffers))
        except Exception:
            # The page or the kernel is going away. Whoever comes next says Ready.
            logging.getLogger(__name__).debug("not sent: %s", type(message), exc_info=True)


def drag_methods(work: Work) -> list[k.DragMethod]:
    """The ways to drag, as a page shows them."""
    return [
        k.DragMethod(
            name=way.name,
            title=way.title,
            help=way.help,
            missing=missing(way, work.generator, work.predictor),
        )
        for way in DRAG_METHODS.values()
    ]


def drag_schema(work: Work) -> list[k.Option]:
    """The options of the chosen way to drag, as a page shows them."""
    way, generator = work.way, work.generator
    return panel.option_schema(generator, way.options(generator), way.without)


def checked_chunk(buffers: Sequence[bytes | memoryview]) -> memoryview:
    """The bytes beside a chunk of an upload."""
    if len(buffers) != 1:
        raise ValueError(f"a chunk came with {len(buffers)} buffers; expected one, its bytes.")
    data = memoryview(buffers[0]).cast("B")
    if len(data) > MAX_CHUNK:
        raise ValueError(f"a chunk has {len(data)} bytes; at most {MAX_CHUNK} are allowed.")
    return data
