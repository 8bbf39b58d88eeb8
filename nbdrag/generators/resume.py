"""Downloads that go on where they were broken off.

What has come so far is in ``NAME.part``, and which version of the file that is a part of in
``NAME.part.json``: the server's entity tag, or else the date of its last change. The next request
asks for the rest of that very version. A server that has another by now, or that cannot send a
rest, sends the whole file: two versions are never spliced together.

What breaks while the file is coming is mended by another request at once, as long as the one
before brought something new; after that, an error says where things stand.

References
----------
RFC 9110, HTTP Semantics, 2022: Sec. 8.8.3 (ETag), 13.1.5 (If-Range) and 14 (Range).
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from itertools import chain
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import requests

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.progress import Progress

Timeout = tuple[float, float]

TIMEOUT: Timeout = (10.0, 30.0)  # seconds: for a connection, and for the next bytes
REQUESTS = 5  # for one file, at most
MOST = 4 * 2**30  # bytes, ten times what published generators take
CHUNK = 2**14  # bytes
PACE = 0.1  # seconds between two reports


class DownloadError(CheckpointError):
    """A file could not be had; the message says why and what to do."""


class BrokenOffError(DownloadError):
    """The connection broke while the file was coming."""


@dataclass(frozen=True)
class Version:
    """What a server calls the version of a file that it sends, and its size in bytes if known."""

    validator: str
    size: int | None


def download(url: str, part: Path, progress: Progress, timeout: Timeout = TIMEOUT) -> None:
    """Complete a part by what an address gives.

    Parameters
    ----------
    url : str
        http or https.
    part : path
        Grows to the whole file. Nobody else may write to it meanwhile.
    progress : callable
        Told how far it is. What it raises ends the download; a part that can be completed stays.
    timeout : tuple of float
        Seconds to wait for a connection, and for the next bytes.

    Raises
    ------
    DownloadError
        If there is no such file, it is refused, a web page, or too large for the disk or for a
        generator, or the connection broke and asking again brought nothing new.
    """
    for _ in range(REQUESTS):
        before = size_of(part)
        try:
            request(url, part, progress, timeout)
        except BrokenOffError as error:
            broken = error
        else:
            return
        if size_of(part) <= before:
            break
    raise broken


def request(url: str, part: Path, progress: Progress, timeout: Timeout) -> None:
    """Ask once for what is missing, and append it."""
    version = read_version(part)
    have = size_of(part) if version else 0
    if version and have == version.size:
        return
    headers = {"Accept-Encoding": "identity"}  # of compressed bytes, no rest can be asked for
    if version and have:
        headers |= {"Range": f"bytes={have}-", "If-Range": version.validator}
    with get(url, headers, timeout) as response:
        check_redirect(url, response.url)
        if version and have and response.status_code in (206, 416):
            if not is_rest(response, version, have):  # but of something else
                discard(part)
                request(url, part, progress, timeout)
                return
        else:
            check_status(url, response)
            discard(part)
            version, have = version_of(response), 0
        total = version.size if version else length_of(response)
        check_size(url, total)
        check_room(part, total, have)
        incoming = chunks(url, response, timeout)
        first = next(incoming, b"")
        if not have:
            check_content(url, response, first)
        if version and not have:
            write_version(part, version)
        try:
            append(url, part, chain([first], incoming), have, total, progress)
        except BaseException as error:
            stopped = isinstance(error, BrokenOffError) or not isinstance(error, DownloadError)
            if not (version and stopped):
                discard(part)
            raise


def append(
    url: str,
    part: Path,
    incoming: Iterator[bytes],
    have: int,
    total: int | None,
    progress: Progress,
) -> None:
    """Write what comes, and tell of it now and then."""
    name = part.name.removesuffix(".part")
    due = time.monotonic()
    with on_disk(part):
        file = part.open("ab", buffering=0)
    with file:
        for chunk in incoming:
            with on_disk(part):
                write(file, chunk)
            have += len(chunk)
            check_size(url, have)
            if time.monotonic() >= due:
                due = time.monotonic() + PACE
                progress(*standing(name, have, total))
    if total is not None and have != total:
        raise BrokenOffError(f"{shown(url)} ended after {have} of {total} bytes; try again.")
    progress(*standing(name, have, have))


# -------------------------------------------------------------------------------- over the network


def get(url: str, headers: dict[str, str], timeout: Timeout) -> requests.Response:
    """Send a request, follow redirects, and wait for the head of the answer."""
    try:
        return requests.get(url, headers=headers, stream=True, timeout=timeout)
    except (requests.RequestException, ValueError) as error:  # ValueError: of a strange redirect
        raise DownloadError(f"{shown(url)} can't be downloaded: {why(error, timeout)}.") from None


def chunks(url: str, response: requests.Response, timeout: Timeout) -> Iterator[bytes]:
    """Give the body as it comes."""
    try:
        yield from response.iter_content(CHUNK)
    except requests.RequestException as error:
        raise BrokenOffError(f"{shown(url)} broke off: {why(error, timeout)}; try again.") from None


def why(error: BaseException, timeout: Timeout) -> str:
    """Say what is behind an error of the network, in words."""
    causes: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    text = " ".join(map(str, causes))
    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {timeout[0]:g} seconds"
    if isinstance(error, requests.Timeout) or "timed out" in text:
        return f"nothing came for {timeout[1]:g} seconds"
    if "IncompleteRead" in text:
        return "the server closed the connection too early"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the server can't prove that it is who it says ({causes[-1]})"
    if isinstance(error, requests.TooManyRedirects):
        return "it redirects without end"
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return "nobody knows the name of its server; check the spelling, and the network"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return "its server refuses the connection"
    return str(causes[-1]).rstrip(".")


def check_redirect(url: str, final: str) -> None:
    """Refuse to be led from an encrypted address to one that anybody on the way can change."""
    if urlsplit(url).scheme == "https" and urlsplit(final).scheme != "https":
        raise DownloadError(
            f"{shown(url)} redirects to {shown(final)}, which is not encrypted; if you trust that "
            "address, load it instead."
        )


def check_status(url: str, response: requests.Response) -> None:
    """Refuse everything but the file from its start."""
    status = response.status_code
    if status == 200:
        return
    if status in (404, 410):
        remedy = "there is no such file; check the address"
    elif status in (401, 403):
        remedy = "it may not be downloaded just so; log in with a browser, and load the file"
    elif status == 429 or status >= 500:
        remedy = "its server has trouble; try again later"
    else:
        remedy = "a file would be 200"
    raise DownloadError(f"{shown(url)} answers {status} {response.reason}: {remedy}.")


def check_content(url: str, response: requests.Response, first: bytes) -> None:
    """Refuse pages made for people, and nothing at all."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    start = first.lstrip(b"\xef\xbb\xbf \t\r\n")[:14].lower()
    if "html" in kind or start.startswith((b"<!doctype html", b"<html")):
        raise DownloadError(
            f"{shown(url)} answers with a web page (HTML), not with a file; open it in a browser "
            "and copy the address of the download itself."
        )
    if not first and not length_of(response):
        raise DownloadError(f"{shown(url)} is an empty file.")


def check_size(url: str, size: int | None) -> None:
    """Refuse what is too large to be a generator."""
    if size is not None and size > MOST:
        raise DownloadError(
            f"{shown(url)} has {readable(size)} or more; a generator has some hundred, and over "
            f"{readable(MOST)} nothing is downloaded. If it is one, download it yourself and "
            "load the file."
        )


def version_of(response: requests.Response) -> Version | None:
    """Give the version that an answer is of, or None where its rest can't be asked for."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    validator = response.headers.get("ETag", "")
    if not validator or validator.startswith("W/"):  # weak: equal in meaning, not in bytes
        validator = response.headers.get("Last-Modified", "")
    return Version(validator, length_of(response)) if validator else None


def length_of(response: requests.Response) -> int | None:
    """Give how many bytes an answer will be, where it says so."""
    length = response.headers.get("Content-Length", "")
    plain = response.headers.get("Content-Encoding", "identity") == "identity"
    return int(length) if plain and re.fullmatch(r"[0-9]{1,18}", length) else None


def is_rest(response: requests.Response, version: Version, have: int) -> bool:
    """Whether an answer goes on where the part ends, with the same version."""
    sent = re.fullmatch(
        r"bytes ([0-9]+)-[0-9]+/([0-9]+|\*)", response.headers.get("Content-Range", "")
    )
    now = version_of(response)
    return (
        response.status_code == 206
        and sent is not None
        and int(sent[1]) == have
        and (version.size is None or sent[2] in ("*", str(version.size)))
        and now is not None
        and now.validator == version.validator
    )


def shown(url: str) -> str:
    """Give an address without what may be secret in it: user, password, and query."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return repr(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


# ------------------------------------------------------------------------------------- on the disk


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Say what can be done where a file can't be written."""
    try:
        yield
    except OSError as error:
        raise unwritable(path.parent, error) from None


def unwritable(folder: Path, error: OSError) -> DownloadError:
    """Say what can be done about a folder that can't be written to."""
    return DownloadError(
        f"{folder} can't be written to: {error.strerror or error}. Mend that, or set "
        "NBDRAG_CACHE to another folder."
    )


def write(file: FileIO, chunk: bytes) -> None:
    """Write all of the bytes; on a disk that is nearly full, fewer may fit at first."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[file.write(rest) :]


def check_room(part: Path, total: int | None, have: int) -> None:
    """Refuse what the disk has no room for, before it is full."""
    with on_disk(part):
        free = shutil.disk_usage(part.parent).free
    if total is not None and total - have > free:
        raise DownloadError(
            f"{part.parent} has no room: {readable(total - have)} are to come, and "
            f"{readable(free)} are free. Make room there, or set NBDRAG_CACHE to another folder."
        )


def size_of(part: Path) -> int:
    """Give how many bytes have come."""
    return part.stat().st_size if part.is_file() else 0


def read_version(part: Path) -> Version | None:
    """Give the version that a part is of; None where nobody wrote that down."""
    try:
        version = Version(**json.loads(beside(part).read_text()))
    except (OSError, ValueError, TypeError):
        return None
    sound = isinstance(version.validator, str) and isinstance(version.size, int | None)
    return version if sound else None


def write_version(part: Path, version: Version) -> None:
    """Write down which version the part to come is of."""
    with on_disk(part):
        beside(part).write_text(json.dumps(asdict(version)))


def discard(part: Path) -> None:
    """Remove a part, and what is known of it."""
    with on_disk(part):
        part.unlink(missing_ok=True)  # first: without it, the version says nothing wrong
        beside(part).unlink(missing_ok=True)


def beside(part: Path) -> Path:
    """Where the version of a part is written down."""
    return part.with_name(part.name + ".json")


def standing(name: str, have: int, total: int | None) -> tuple[str, float | None]:
    """Say how far a download is, in words and as a fraction."""
    if total is None:
        return f"downloading {name}, {readable(have)}", None
    return f"downloading {name}, {readable(have)} of {readable(total)}", have / total


def readable(size: int) -> str:
    """Give a number of bytes in a unit that people use."""
    if size < 1e5:
        return f"{size / 1e3:.1f} kB"
    return f"{size / 1e6:.1f} MB" if size < 1e7 else f"{size / 1e6:.0f} MB"
