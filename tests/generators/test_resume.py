"""Downloads from a server that breaks off, stalls, and swaps files."""

from __future__ import annotations

import errno
import gzip
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.generators import resume
from nbdrag.generators.resume import DownloadError, check_redirect, download, shown
from tests.generators.web import Web, chunked, file, serving, status

OLD = bytes(range(256)) * 100
NEW = bytes(reversed(OLD))
QUICK = (5.0, 0.5)  # seconds


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(resume, "CHUNK", 100)
    with serving() as web:
        yield web


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return tmp_path / "model.pkl.part"


class Told(list[tuple[str, "float | None"]]):
    """A progress that remembers, and at some point is told to stop."""

    def __init__(self, stop: BaseException | None = None) -> None:
        super().__init__()
        self.stop = stop

    def __call__(self, what: str, fraction: float | None) -> None:
        self.append((what, fraction))
        if self.stop:
            raise self.stop


def left(part: Path) -> list[str]:
    """What lies in the folder."""
    return sorted(path.name for path in part.parent.iterdir())


def test_a_file_comes_and_is_told_of(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(OLD)
    told = Told()
    download(f"{web.url}/model.pkl", part, told)
    assert part.read_bytes() == OLD
    assert told[-1] == ("downloading model.pkl, 25.6 kB of 25.6 kB", 1.0)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)


def test_a_file_of_unknown_size_comes(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = chunked(OLD[:100], OLD[100:])
    told = Told()
    download(f"{web.url}/model.pkl", part, told)
    assert part.read_bytes() == OLD
    assert told[-1][1] == 1.0
    assert {fraction for _, fraction in told[:-1]} <= {None}


# --------------------------------------------------------------------------------- going on


def test_a_broken_connection_is_mended_at_once(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=1000), file(OLD, until=5000), file(OLD)]
    told = Told()
    download(f"{web.url}/model.pkl", part, told)
    assert part.read_bytes() == OLD
    assert web.ranges() == [None, "bytes=1000-", "bytes=5000-"]
    assert [headers.get("If-Range") for *_, headers in web.asked] == [None, '"1"', '"1"']
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)


def test_a_stopped_download_goes_on_the_next_time(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(OLD)
    told = Told(KeyboardInterrupt("enough"))
    with pytest.raises(KeyboardInterrupt, match="enough"):
        download(f"{web.url}/model.pkl", part, told)
    have = part.stat().st_size
    assert 0 < have < len(OLD)
    assert left(part) == ["model.pkl.part", "model.pkl.part.json"]
    assert len(told) == 1
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.ranges() == [None, f"bytes={have}-"]


def test_dates_tell_versions_apart_where_there_are_no_tags(web: Web, part: Path) -> None:
    date = "Sat, 21 Nov 2020 10:00:00 GMT"
    web.answers["/model.pkl"] = [
        file(OLD, None, until=1000, Last_Modified=date),
        file(OLD, None, Last_Modified=date),
    ]
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.asked[1][2]["If-Range"] == date


def test_weak_tags_tell_nothing(web: Web, part: Path) -> None:
    answers = [file(OLD, 'W/"1"', until=1000), file(OLD, 'W/"1"')]
    web.answers["/model.pkl"] = answers
    with pytest.raises(DownloadError, match=r"broke off: the server closed the conn|ended after"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_a_server_that_sends_no_rests_starts_anew(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=1000), file(OLD, ranges=False)]
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD


@pytest.mark.parametrize("honest", [True, False])
@pytest.mark.parametrize("new", [NEW, NEW[:5000], NEW[:500], NEW + OLD])
def test_versions_are_never_spliced(web: Web, part: Path, new: bytes, honest: bool) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=1000), file(new, '"2"', honest=honest)]
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == new


def test_a_complete_part_needs_no_server(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(OLD)
    download(f"{web.url}/model.pkl", part, Told())
    download(f"{web.url}/model.pkl", part, Told())
    assert len(web.asked) == 1


@pytest.mark.parametrize(
    "known", [None, "", "[]", "{}", '{"validator": 1, "size": 1000}', '{"validator": "\\"1\\""']
)
def test_a_part_of_something_unknown_is_no_part(web: Web, part: Path, known: str | None) -> None:
    part.write_bytes(b"x" * 1000)
    if known is not None:
        part.with_name(part.name + ".json").write_text(known)
    web.answers["/model.pkl"] = file(OLD)
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.ranges() == [None]


class Event(NamedTuple):
    version: int
    until: int | None
    honest: bool
    ranges: bool


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            Event,
            st.integers(1, 3),
            st.integers(0, 300) | st.none(),
            st.booleans(),
            st.booleans(),
        ),
        max_size=8,
    )
)
def test_whatever_happens_the_file_is_one_that_was_served(events: list[Event]) -> None:
    bodies = {1: b"a" * 200, 2: b"b" * 300, 3: b"c" * 200}
    with serving() as web, TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("NO_PROXY", "*")
        patch.setattr(resume, "CHUNK", 7)
        part = Path(folder, "model.pkl.part")
        web.answers["/model.pkl"] = [
            *(
                file(
                    bodies[event.version],
                    f'"{event.version}"',
                    until=event.until,
                    honest=event.honest,
                    ranges=event.ranges,
                )
                for event in events
            ),
            file(bodies[1]),
        ]
        while not complete(f"{web.url}/model.pkl", part):
            pass  # the last answer is complete, so this ends
        assert part.read_bytes() in bodies.values()


def complete(url: str, part: Path) -> bool:
    """Try once to download, and tell whether that was all."""
    try:
        download(url, part, Told())
    except resume.BrokenOffError:
        return False
    return True


# ------------------------------------------------------------------------- what the network does


def test_a_file_that_stays_short_is_refused(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(OLD, until=1000)
    with pytest.raises(DownloadError, match=r"/model\.pkl (broke off|ended).*; try again"):
        download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD[:1000]
    assert len(web.asked) == 2


def test_a_server_that_lies_about_the_length_is_found_out(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = chunked(OLD[:100], complete=False, ETag='"1"')
    with pytest.raises(DownloadError, match="broke off"):
        download(f"{web.url}/model.pkl", part, Told())


def test_requests_are_not_repeated_forever(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=end) for end in range(100, 2000, 100)]
    with pytest.raises(DownloadError):
        download(f"{web.url}/model.pkl", part, Told())
    assert len(web.asked) == resume.REQUESTS
    assert part.stat().st_size == 100 * resume.REQUESTS


def test_a_silent_server_is_given_up(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(OLD, until=1000, stall=True)
    with pytest.raises(DownloadError, match=r"broke off: nothing came for 0\.5 seconds"):
        download(f"{web.url}/model.pkl", part, Told(), QUICK)
    assert part.stat().st_size == 1000


def test_a_server_that_does_not_answer_is_given_up(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = lambda request: web.released.wait()
    with pytest.raises(DownloadError, match=r"model\.pkl can't be .*: nothing came for 0\.5 sec"):
        download(f"{web.url}/model.pkl", part, Told(), QUICK)


def test_a_closed_port_is_named(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/model.pkl"
    with pytest.raises(DownloadError, match=f"{url} can't be downloaded: its server refuses"):
        download(url, part, Told())


def test_an_unknown_server_is_named(part: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(DownloadError, match=r"nowhere\.invalid/a\.pkl .* nobody knows the name"):
        download("https://nowhere.invalid/a.pkl", part, Told())


def test_another_protocol_than_expected_is_named(web: Web, part: Path) -> None:
    url = web.url.replace("http:", "https:")
    with pytest.raises(DownloadError, match=r"can't prove that it is who it says"):
        download(f"{url}/model.pkl", part, Told())


# --------------------------------------------------------------------------- what a server says


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (404, r"answers 404 Not Found: there is no such file"),
        (410, r"answers 410 Gone: there is no such file"),
        (401, r"answers 401 Unauthorized: it may not be downloaded"),
        (403, r"answers 403 Forbidden: it may not be downloaded"),
        (429, r"answers 429 Too Many Requests: its server has trouble; try again later"),
        (500, r"answers 500 Internal Server Error: its server has trouble"),
        (503, r"answers 503 Service Unavailable: its server has trouble"),
        (204, r"answers 204 No Content: a file would be 200"),
        (206, r"answers 206 Partial Content: a file would be 200"),
        (416, r"answers 416 .*: a file would be 200"),
    ],
)
def test_refusals_are_passed_on(web: Web, part: Path, code: int, words: str) -> None:
    web.answers["/model.pkl"] = status(code)
    with pytest.raises(DownloadError, match=f"{web.url}/model.pkl {words}"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_a_refusal_spares_what_has_come(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=1000), status(503), file(OLD)]
    with pytest.raises(DownloadError, match="503"):
        download(f"{web.url}/model.pkl", part, Told())
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.ranges() == [None, "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize(
    "answer",
    [
        status(200, b"Sign in", Content_Type="text/html; charset=utf-8"),
        status(200, b"Sign in", Content_Type="application/xhtml+xml"),
        status(200, b"\n <!DOCTYPE html>\n<title>Sign in", Content_Type="application/octet-stream"),
        status(200, b"\xef\xbb\xbf<html lang='en'>", ETag='"1"'),
    ],
)
def test_web_pages_are_refused(web: Web, part: Path, answer: Any) -> None:
    web.answers["/model.pkl"] = answer
    with pytest.raises(DownloadError, match=r"model\.pkl answers with a web page \(HTML\)"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_an_empty_file_is_refused(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = file(b"")
    with pytest.raises(DownloadError, match="is an empty file"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_redirects_are_followed(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = status(302, Location="/elsewhere?signature=x")
    web.answers["/elsewhere?signature=x"] = [file(OLD, until=1000), file(OLD)]
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.ranges() == [None, None, "bytes=1000-", "bytes=1000-"]


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("/model.pkl", "redirects without end"),
        ("ftp://127.0.0.1/model.pkl", "No connection adapters"),
        ("http://[", "Invalid IPv6"),
    ],
)
def test_redirects_to_nowhere_are_refused(web: Web, part: Path, location: str, words: str) -> None:
    web.answers["/model.pkl"] = status(302, Location=location)
    with pytest.raises(DownloadError, match=rf"model\.pkl can't be downloaded: .*{words}"):
        download(f"{web.url}/model.pkl", part, Told())


def test_redirects_stay_encrypted() -> None:
    check_redirect("https://a/model.pkl", "https://b/model.pkl")
    check_redirect("http://a/model.pkl", "https://b/model.pkl")
    with pytest.raises(DownloadError, match=r"redirects to http://b/model\.pkl, which is not enc"):
        check_redirect("https://a/model.pkl", "http://b/model.pkl?token=x")


def test_compressed_answers_are_unpacked_and_not_gone_on_with(web: Web, part: Path) -> None:
    packed = gzip.compress(OLD)
    web.answers["/model.pkl"] = status(200, packed, Content_Encoding="gzip", ETag='"1"')
    with pytest.raises(KeyboardInterrupt):
        download(f"{web.url}/model.pkl", part, Told(KeyboardInterrupt()))
    assert left(part) == []
    download(f"{web.url}/model.pkl", part, Told())
    assert part.read_bytes() == OLD
    assert web.asked[0][2]["Accept-Encoding"] == "identity"


def test_secrets_are_not_shown() -> None:
    assert shown("https://me:word@a.org:8/b/c.pkl?key=1#x") == "https://a.org:8/b/c.pkl"


# --------------------------------------------------------------------------------- size and disk


def test_what_is_announced_too_large_is_refused(web: Web, part: Path) -> None:
    web.answers["/model.pkl"] = lambda request: request.head(200, Content_Length=5 * 2**30)
    with pytest.raises(DownloadError, match=r"has 5369 MB or more; .* over 4295 MB"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_what_becomes_too_large_is_refused(
    web: Web, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resume, "MOST", 10_000)
    web.answers["/model.pkl"] = chunked(OLD, ETag='"1"')
    with pytest.raises(DownloadError, match=r"has 10\.1 kB or more"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_a_disk_without_room_is_noticed_beforehand(
    web: Web, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(part.parent)._replace(free=20_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    web.answers["/model.pkl"] = file(OLD)
    with pytest.raises(DownloadError, match=r"no room: 25\.6 kB are to .*, and 20\.0 kB are fr"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_a_disk_that_becomes_full_is_left_as_it_was(
    web: Web, part: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = resume.write

    def full(file: Any, chunk: bytes) -> None:
        if file.tell() > 5_000:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(file, chunk)

    monkeypatch.setattr(resume, "write", full)
    web.answers["/model.pkl"] = file(OLD)
    with pytest.raises(DownloadError, match=r"can't be written to: No space left.*NBDRAG_CACHE"):
        download(f"{web.url}/model.pkl", part, Told())
    assert left(part) == []


def test_a_chunk_that_fits_in_pieces_is_written_whole() -> None:
    written: list[bytes] = []

    class Nearly:
        def write(self, rest: memoryview) -> int:
            written.append(bytes(rest[:3]))
            return len(written[-1])

    resume.write(Nearly(), b"abcdefgh")  # type: ignore[arg-type]
    assert written == [b"abc", b"def", b"gh"]
