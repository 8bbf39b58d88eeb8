"""The server extension, in a real Jupyter server and against servers it does not know."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import types
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import websocket

from nbdrag import nodelay
from tests.browser.servers import TOKEN, Server, jupyter_server

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("enabled", [True, False])
def test_sets_tcp_nodelay_on_a_kernels_websocket(tmp_path: Path, enabled: bool) -> None:
    extensions = {"tests.nodelay_probe": True}
    if not enabled:  # otherwise the file in etc/jupyter enables it
        extensions["nbdrag.nodelay"] = False
    with jupyter_server(
        "server",
        tmp_path,
        f"--ServerApp.jpserver_extensions={extensions}",
        environment={"PYTHONPATH": str(ROOT)},
    ) as server:
        kernel = call(server, "/api/kernels", method="POST")["id"]
        channels = f"{server.url}/api/kernels/{kernel}/channels?token={TOKEN}&session_id=s"
        connection = websocket.create_connection(channels.replace("http", "ws"), timeout=60)
        with contextlib.closing(connection):
            port = connection.sock.getsockname()[1]
            assert call(server, f"/nodelay?port={port}") == {"nodelay": enabled}


def test_is_enabled_by_the_file_that_the_wheel_installs() -> None:
    config = ROOT / "etc/jupyter/jupyter_server_config.d/nbdrag.json"
    [point] = nodelay._jupyter_server_extension_points()
    assert json.loads(config.read_text())["ServerApp"]["jpserver_extensions"] == {
        point["module"]: True
    }


class Handler:
    """A websocket handler that writes down what it does."""

    def __init__(self, broken: Exception | None = None) -> None:
        self.did: list[Any] = []
        self.broken = broken
        self.log = logging.getLogger("handler")

    def set_nodelay(self, value: bool) -> None:
        self.did.append(("nodelay", value))
        if self.broken:
            raise self.broken

    def open(self, kernel_id: str) -> str:
        self.did.append(("open", kernel_id))
        return "opened"


def fresh_handler_class() -> type[Handler]:
    return type("FreshHandler", (Handler,), {"open": Handler.open})


def test_opens_the_connection_as_before() -> None:
    handler = fresh_handler_class()
    nodelay.send_at_once(handler)
    nodelay.send_at_once(handler)  # the second time changes nothing
    instance = handler()
    assert instance.open("k") == "opened"
    assert instance.did == [("nodelay", True), ("open", "k")]


def test_a_connection_that_refuses_the_option_still_opens(caplog: pytest.LogCaptureFixture) -> None:
    handler = fresh_handler_class()
    nodelay.send_at_once(handler)
    instance = handler(broken=OSError("not a TCP socket"))
    assert instance.open("k") == "opened"
    assert "not a TCP socket" in caplog.text


def test_a_class_that_has_changed_is_refused_and_left_alone() -> None:
    changed = type("Changed", (), {"open": Handler.open})
    with pytest.raises(TypeError, match="Changed has no method 'set_nodelay'"):
        nodelay.send_at_once(changed)
    assert changed.open is Handler.open


@pytest.mark.parametrize("module", [None, types.ModuleType("websocket_of_another_day")])
def test_a_server_that_has_changed_starts_all_the_same(
    module: types.ModuleType | None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(sys.modules, "jupyter_server.services.kernels.websocket", module)
    nodelay._load_jupyter_server_extension(SimpleNamespace(log=logging.getLogger("server")))
    assert "nbdrag.nodelay does not know this Jupyter server" in caplog.text


def call(server: Server, path: str, method: str = "GET") -> dict[str, Any]:
    request = urllib.request.Request(
        server.url + path, method=method, headers={"Authorization": f"token {TOKEN}"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)
