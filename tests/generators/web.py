"""A web server of files on this machine, which breaks off, stalls and swaps files when told to."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Web:
    """Answers by path.

    Attributes
    ----------
    url : str
        Of the server, without a slash at the end.
    answers : dict
        By path: an answer, or a list of answers of which all but the last are given once.
    asked : list
        Every request so far: its method, its path, and its headers.
    released : threading.Event
        What stalled answers wait for.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.released = threading.Event()

    def answer(self, request: Request) -> None:
        self.asked.append((request.command, request.path, dict(request.headers)))
        answer = self.answers.get(request.path, status(404))
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        answer(request)

    def ranges(self) -> list[str | None]:
        """Which range each request asked for."""
        return [headers.get("Range") for _, _, headers in self.asked]


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def do_GET(self) -> None:
        self.web.answer(self)

    do_HEAD = do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass

    def head(self, status: int, **headers: object) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()


Answer = Callable[[Request], None]


def file(
    body: bytes,
    etag: str | None = '"1"',
    *,
    until: int | None = None,
    stall: bool = False,
    ranges: bool = True,
    honest: bool = True,
    **headers: object,
) -> Answer:
    """Give a file, or the rest of it that is asked for.

    Parameters
    ----------
    until : int, optional
        Break the connection off before this byte of the file.
    stall : bool
        Wait there first, until the server is told to go on.
    ranges : bool
        Whether rests are sent.
    honest : bool
        Whether rests are sent only of the version that is asked for.
    """

    def answer(request: Request) -> None:
        begin, status = 0, 200
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        same = request.headers.get("If-Range") == (etag or headers.get("Last_Modified"))
        more = dict(headers)
        if ranges and wanted and (same or not honest):
            begin, status = int(wanted[1]), 206
            if begin >= len(body):
                request.head(416, Content_Range=f"bytes */{len(body)}", Content_Length=0)
                return
            more["Content_Range"] = f"bytes {begin}-{len(body) - 1}/{len(body)}"
        if etag:
            more["ETag"] = etag
        request.head(status, **{"Content_Length": len(body) - begin, **more})
        if request.command == "HEAD":
            return
        request.wfile.write(body[begin:until])
        if stall:
            request.wfile.flush()
            request.web.released.wait()
        request.close_connection = until is not None

    return answer


def chunked(*chunks: bytes, complete: bool = True, **headers: object) -> Answer:
    """Give a file without saying how long it is."""

    def answer(request: Request) -> None:
        request.head(200, Transfer_Encoding="chunked", **headers)
        for chunk in [*chunks, b""] if complete else chunks:
            request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        request.close_connection = True

    return answer


def status(code: int, body: bytes = b"", **headers: object) -> Answer:
    """Give no file."""

    def answer(request: Request) -> None:
        request.head(code, Content_Length=len(body), **headers)
        request.wfile.write(body)

    return answer


@contextmanager
def serving() -> Iterator[Web]:
    """A server, until the end of the block."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """The client has gone, as it may."""

    class Handler(Request):
        pass

    server = Server(("127.0.0.1", 0), Handler)
    Handler.web = Web(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield Handler.web
    finally:
        Handler.web.released.set()
        server.shutdown()
        thread.join()
        server.server_close()
