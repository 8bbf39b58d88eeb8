"""A server extension for tests: asks the operating system about a connection of the server.

`GET /nodelay?port=P` answers whether ``TCP_NODELAY`` is set on the server's end of the connection
whose other end is port P.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from typing import Any

from tornado.web import RequestHandler


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    server.web_app.add_handlers(".*", [(r"/nodelay", NoDelayHandler)])


class NoDelayHandler(RequestHandler):
    def get(self) -> None:
        port = int(self.get_argument("port"))
        self.write({"nodelay": next(nodelay(c) for c in connections() if peer_port(c) == port)})


def connections() -> Iterator[socket.socket]:
    """Every socket of this process, each as a duplicate that is closed after use."""
    for descriptor in range(4096):
        if is_socket(descriptor):
            with socket.socket(fileno=os.dup(descriptor)) as connection:
                yield connection


def is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except OSError:  # not open
        return False


def peer_port(connection: socket.socket) -> int | None:
    try:
        return int(connection.getpeername()[1]) if connection.family == socket.AF_INET else None
    except OSError:  # not connected
        return None


def nodelay(connection: socket.socket) -> bool:
    return bool(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
