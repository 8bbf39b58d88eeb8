"""A session on its wire, without a widget: what is sent arrives here, and is answered from here."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

from nbdrag.widgets.models import Models
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.wire import Wire
from tests.widgets.page import Page


class Line:
    """A session, its wire, and what a comm would have to do with them."""

    def __init__(self, session: Session, wire: type[Wire] = Wire) -> None:
        self.session = session
        self.arrived: list[tuple[dict[str, Any], list[bytes]]] = []
        self.news = threading.Condition()
        self.broken = False
        self.models = Models(session)
        self.wire = wire(session, self.models, self.send)
        listener = Listener(
            on_change=self.wire.publish,
            on_move=lambda step, picture: self.wire.show(picture),
            on_pass=self.wire.show_now,
            on_loading=self.wire.tell_loading,
            paints=self.wire.paints,
        )
        session.listen(listener)

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        if self.broken:
            raise RuntimeError("nobody is there")
        json.dumps(content, allow_nan=False)
        with self.news:
            self.arrived.append((content, buffers))
            self.news.notify_all()

    def handle_msg(self, message: dict[str, Any]) -> None:
        self.wire.receive(message["content"]["data"]["content"], message["buffers"])

    def page(self, *, acks: bool = True) -> Page:
        """A page that came up, and has seen the picture at rest."""
        page = Page(SimpleNamespace(comm=self), acks=acks)
        page.read = len(self.arrived)
        page.tell(kind="ready")
        return page
