"""A page without a browser: it answers a widget's comm as the page's half of nbdrag does."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

LIMIT = 60.0  # seconds; a limit, not a pause

Content = dict[str, Any]


class FakeComm(BaseComm):
    """Keeps what is published, in order, and checks that it would survive the journey."""

    def __init__(self, *args: Any, **keys: Any) -> None:
        self.arrived: list[tuple[Content, list[bytes]]] = []
        self.opened: Content = keys.get("data") or {}
        self.news = threading.Condition()
        self.broken = False
        super().__init__(*args, **keys)

    def publish_msg(
        self,
        msg_type: str,
        data: Any = None,
        metadata: Any = None,
        buffers: Any = None,
        **keys: Any,
    ) -> None:
        if self.broken:
            raise RuntimeError("the kernel is gone")
        json.dumps(data, allow_nan=False)
        assert all(type(buffer) is bytes for buffer in buffers or []) or msg_type == "comm_open"
        if msg_type == "comm_msg" and data["method"] == "custom":
            with self.news:
                self.arrived.append((data["content"], list(buffers or [])))
                self.news.notify_all()


class Page:
    """One page that shows an editor: says ready, acknowledges frames, asks."""

    def __init__(self, editor: Any, *, acks: bool = True) -> None:
        self.comm: FakeComm = editor.comm
        self.read = 0
        self.seen: list[tuple[Content, list[bytes]]] = []
        self.acks = acks
        self.next_id = 1000 * id(self) % 2**30

    def tell(self, **message: Any) -> None:
        """Send a message, as if from the browser."""
        self.send(message)

    def send(self, content: Any, *buffers: bytes) -> None:
        data = {"method": "custom", "content": content}
        arriving = [memoryview(buffer) for buffer in buffers]
        self.comm.handle_msg({"content": {"data": data}, "buffers": arriving})

    def ask(self, kind: str, *buffers: bytes, **fields: Any) -> tuple[Content, list[bytes]]:
        """Send a request and wait for its reply."""
        self.next_id += 1
        number = self.next_id
        self.send({"kind": kind, "id": number, **fields}, *buffers)
        return self.wait_for(lambda m: m["kind"] == "reply" and m["id"] == number)

    def wait_for(self, wanted: Callable[[Content], bool]) -> tuple[Content, list[bytes]]:
        """The first unread message that is wanted; those before it count as read."""
        while True:
            with self.comm.news:
                there = self.comm.news.wait_for(lambda: len(self.comm.arrived) > self.read, LIMIT)
                assert there, f"no such message; seen: {[m['kind'] for m, _ in self.seen[-20:]]}"
                message, buffers = self.comm.arrived[self.read]
                self.read += 1
            self.seen.append((message, buffers))
            if message["kind"] == "frame" and self.acks:
                self.tell(kind="ack", seq=message["seq"])
            if wanted(message):
                return message, buffers

    def wait_for_kind(self, kind: str) -> tuple[Content, list[bytes]]:
        return self.wait_for(lambda m: m["kind"] == kind)

    def latest(self, kind: str) -> tuple[Content, list[bytes]]:
        """The newest message of a kind that has arrived."""
        with self.comm.news:
            return next(m for m in reversed(self.comm.arrived) if m[0]["kind"] == kind)

    def kinds(self) -> list[str]:
        with self.comm.news:
            return [m["kind"] for m, _ in self.comm.arrived]

    @property
    def snapshot(self) -> Content:
        return self.latest("snapshot")[0]


@pytest.fixture
def fake_comms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every widget made in the test gets a `FakeComm`."""
    monkeypatch.setattr(comm, "create_comm", FakeComm)
