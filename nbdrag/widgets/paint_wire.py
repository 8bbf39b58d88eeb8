"""Keeps the pages of a part painter in step: what they are told, and may ask, beyond a drag's.

A slider sends more values than can be drawn. The newest one is enough: while a picture is being
made, on a thread of its own, one value waits, and is replaced by those that come after it. Whatever
else is asked for waits until that one is done, so that nothing overtakes it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from nbdrag.generators.segmenter import Part
from nbdrag.runtime.rest import AtRest
from nbdrag.widgets import from_kernel as k
from nbdrag.widgets import from_page as p
from nbdrag.widgets.labels import mirrors
from nbdrag.widgets.models import Models
from nbdrag.widgets.session import Session
from nbdrag.widgets.wire import Send, Wire

Sent = tuple[object, ...]
NOTHING: Sent = (object(),)


class PaintWire(Wire):
    """The messages of one part painter; see `Wire`."""

    paints = True

    def __init__(self, session: Session, models: Models, send: Send) -> None:
        self._turn, self._slot = threading.Lock(), threading.Lock()
        self._newest: p.Slide | None = None
        self._slide_soon = AtRest(lambda _: self._slide_now(), pause=0)
        self._parts_sent: object = NOTHING
        self._original_sent: object = None
        self._labels_sent: object = None
        self._vectors_sent: object = None
        super().__init__(session, models, send)

    def publish(self) -> None:
        """Send the pages whatever they have not been sent of the session's state."""
        with self._session.lock:
            self._post_parts()
            self._post_labels()
            self._post_vectors()
            super().publish()

    def close(self) -> None:
        """End the sending of frames."""
        self._slide_soon.close()
        super().close()

    # ---------------------------------------------------------------------------------- coming in

    def _handle(self, message: p.FromPage, buffers: Sequence[bytes | memoryview] = ()) -> None:
        if isinstance(message, p.Slide):
            with self._slot:
                overtaken, self._newest = self._newest, message
            self._slide_soon.settle()
            if overtaken is not None:
                self._post(k.Reply(id=overtaken.id, ok=True))
            return
        if isinstance(message, p.Asked):
            self._slide_now()
        super()._handle(message, buffers)

    def _slide_now(self) -> None:
        """Move the sliders where they are to be, if they aren't there yet."""
        with self._turn:
            with self._slot:
                message, self._newest = self._newest, None
            if message is not None:
                super()._handle(message)

    def _done(
        self, message: p.FromPage, buffers: Sequence[bytes | memoryview]
    ) -> tuple[k.Reply | None, list[bytes]]:
        session = self._session
        match message:
            case p.PaintLabels():
                session.paint_labels(message)
            case p.MovePart():
                session.move_part(message)
            case p.EditLabels():
                session.restore_labels()
            case p.SetPaintOptions():
                session.set_paint_options(message.options)
            case p.SetLive():
                session.set_live(message.live)
            case p.StartPaint():
                session.start_paint()
            case p.StartRefine():
                session.start_refine()
            case p.Slide():
                session.slide(message.scales)
            case p.LearnVector():
                session.learn(message.name)
            case p.ForgetVector():
                session.forget(message.name)
            case _:
                return super()._done(message, buffers)
        return k.Reply(id=message.id, ok=True), []

    # ---------------------------------------------------------------------------------- going out

    def _forget(self) -> None:
        with self._session.lock:
            self._parts_sent = NOTHING
            self._original_sent = self._labels_sent = self._vectors_sent = None
            super()._forget()

    def _post_parts(self) -> None:
        parts = self._session.parts
        if self._parts_sent != parts:
            self._parts_sent = parts
            self._post(legend(parts))

    def _post_labels(self) -> None:
        """Send the map as it is painted; and the original one, if it is of another picture."""
        known = self._session.part_map
        if known is None or self._labels_sent == known.version:
            return
        self._labels_sent = known.version
        height, width = known.size
        maps = [(False, known.maps[known.cursor])]
        if self._original_sent is not known.maps[0]:
            self._original_sent = known.maps[0]
            maps.insert(0, (True, known.maps[0]))
        for original, data in maps:
            message = k.Labels(version=known.version, width=width, height=height, original=original)
            self._post(message, data)

    def _post_vectors(self) -> None:
        session = self._session
        if self._vectors_sent is session.vectors:
            return
        self._vectors_sent = session.vectors
        vectors = [
            k.Vector(
                name=name,
                classes=list(vector.classes),
                scale_low=vector.scale_range[0],
                scale_high=vector.scale_range[1],
                packaged=session.library is None or name not in session.library,
            )
            for name, vector in session.vectors.items()
        ]
        previews = [vector.preview for vector in session.vectors.values()]
        self._post(k.Vectors(vectors=vectors), *previews)


def legend(parts: Sequence[Part]) -> k.Parts:
    """What can be painted, as a message."""
    sides = mirrors([part.name for part in parts])
    return k.Parts(
        parts=[
            k.PaintedPart(name=part.name, colour=part.colour, mirrored=side)
            for part, side in zip(parts, sides, strict=True)
        ]
    )
