"""The cache: files that come once, stay what they are, and are nobody's half."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.generators.download import cache_folder, cached, fetch
from nbdrag.generators.resume import DownloadError
from tests.generators.web import Web, file, serving

OLD = bytes(range(256)) * 1000
NEW = bytes(reversed(OLD))
OLD_HASH, NEW_HASH = sha256(OLD).hexdigest(), sha256(NEW).hexdigest()


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "*")
    with serving() as web:
        web.answers["/model.pkl"] = file(OLD)
        yield web


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "model.pkl"


def silent(what: str, fraction: float | None) -> None:
    pass


def left(kept: Path) -> list[str]:
    """Files in the cache."""
    return sorted(path.name for path in kept.parent.iterdir() if path.is_file())


# ---------------------------------------------------------------------------------- once and again


def test_a_file_is_downloaded_once(web: Web, kept: Path, capfd: pytest.CaptureFixture[str]) -> None:
    fetch(f"{web.url}/model.pkl", kept, silent)
    fetch(f"{web.url}/model.pkl", kept, silent)
    assert kept.read_bytes() == OLD
    assert len(web.asked) == 1
    assert left(kept) == ["model.pkl", "model.pkl.json"]
    record = json.loads((kept.parent / "model.pkl.json").read_text())
    assert record == {"url": f"{web.url}/model.pkl", "sha256": OLD_HASH}
    assert capfd.readouterr() == ("", "")


def test_who_waits_is_told_what_for(web: Web, kept: Path) -> None:
    told: list[tuple[str, float | None]] = []
    fetch(f"{web.url}/model.pkl", kept, lambda *progress: told.append(progress))
    assert told[-1] == ("downloading model.pkl, 0.3 MB of 0.3 MB", 1.0)
    told.clear()
    fetch(f"{web.url}/model.pkl", kept, lambda *progress: told.append(progress))
    assert told == [("checking model.pkl", None)]


def test_a_file_that_changed_in_the_cache_is_refused(web: Web, kept: Path) -> None:
    url = f"{web.url}/model.pkl"
    fetch(url, kept, silent)
    kept.write_bytes(NEW)
    with pytest.raises(DownloadError, match=rf"model\.pkl has changed: .*{NEW_HASH}.*{OLD_HASH}"):
        fetch(url, kept, silent)
    assert kept.read_bytes() == NEW
    kept.unlink()  # as the message says
    fetch(url, kept, silent)
    assert kept.read_bytes() == OLD


def test_a_file_that_changed_on_the_server_is_refused(web: Web, kept: Path) -> None:
    url = f"{web.url}/model.pkl"
    fetch(url, kept, silent)
    kept.unlink()
    web.answers["/model.pkl"] = file(NEW, '"2"')
    with pytest.raises(DownloadError, match=rf"{url} has changed: .*{NEW_HASH}.*{OLD_HASH}.*json"):
        fetch(url, kept, silent)
    assert left(kept) == ["model.pkl.json"]
    (kept.parent / "model.pkl.json").unlink()  # as the message says
    fetch(url, kept, silent)
    assert kept.read_bytes() == NEW


def test_a_hash_that_is_known_beforehand_counts(web: Web, kept: Path) -> None:
    url = f"{web.url}/model.pkl"
    with pytest.raises(DownloadError, match=f"{OLD_HASH}.*{NEW_HASH}.*not kept"):
        fetch(url, kept, silent, sha256=NEW_HASH)
    assert left(kept) == []
    fetch(url, kept, silent, sha256=OLD_HASH)
    with pytest.raises(DownloadError, match=rf"{OLD_HASH}.*{NEW_HASH}.*download it yourself"):
        fetch(url, kept, silent, sha256=NEW_HASH)


def test_a_file_put_there_by_hand_is_taken_and_remembered(web: Web, kept: Path) -> None:
    kept.parent.mkdir()
    kept.write_bytes(OLD)
    fetch(f"{web.url}/model.pkl", kept, silent)
    assert web.asked == []
    kept.write_bytes(NEW)
    with pytest.raises(DownloadError, match="has changed"):
        fetch(f"{web.url}/model.pkl", kept, silent)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"sha256": null}', '{"sha256": "', "\xff"])
def test_a_damaged_record_is_no_trust(web: Web, kept: Path, text: str) -> None:
    fetch(f"{web.url}/model.pkl", kept, silent)
    (kept.parent / "model.pkl.json").write_text(text, encoding="latin-1")
    with pytest.raises(DownloadError, match=r"model\.pkl\.json, which .* is damaged\. Delete it"):
        fetch(f"{web.url}/model.pkl", kept, silent)


# ------------------------------------------------------------------------------------- no network


def test_offline_takes_what_is_there(web: Web, kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch(f"{web.url}/model.pkl", kept, silent)
    monkeypatch.setenv("NBDRAG_OFFLINE", "1")
    fetch(f"{web.url}/model.pkl", kept, silent)
    kept.unlink()
    with pytest.raises(DownloadError, match=rf"{web.url}/model\.pkl .* put it at {kept}, or unset"):
        fetch(f"{web.url}/model.pkl", kept, silent)
    assert len(web.asked) == 1
    monkeypatch.setenv("NBDRAG_OFFLINE", "0")
    fetch(f"{web.url}/model.pkl", kept, silent)
    assert len(web.asked) == 2


def test_offline_leaves_no_folder_behind(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDRAG_OFFLINE", "yes")
    with pytest.raises(DownloadError, match="NBDRAG_OFFLINE forbids"):
        fetch("https://example.org/model.pkl", kept, silent)
    assert not kept.parent.exists()


# --------------------------------------------------------------------------------- nothing by half


def test_what_stops_it_goes_through_and_the_part_stays(web: Web, kept: Path) -> None:
    class Enough(OSError):
        pass

    def stop(what: str, fraction: float | None) -> None:
        raise Enough

    with pytest.raises(Enough):
        fetch(f"{web.url}/model.pkl", kept, stop)
    assert left(kept) == ["model.pkl.part", "model.pkl.part.json"]
    fetch(f"{web.url}/model.pkl", kept, silent)
    assert kept.read_bytes() == OLD
    assert left(kept) == ["model.pkl", "model.pkl.json"]
    assert web.ranges()[1] is not None


def test_what_fails_leaves_nothing(web: Web, kept: Path) -> None:
    with pytest.raises(DownloadError, match="404"):
        fetch(f"{web.url}/nothing.pkl", kept, silent)
    assert left(kept) == []


def test_a_cache_that_cannot_be_written_is_named(web: Web, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder")
    with pytest.raises(DownloadError, match=r"cache can't be written to: .*NBDRAG_CACHE"):
        fetch(f"{web.url}/model.pkl", tmp_path / "cache" / "model.pkl", silent)


FETCH = """
import sys
from pathlib import Path
from nbdrag.generators.download import fetch
url, kept = sys.argv[1:]
fetch(url, Path(kept), lambda what, fraction: print(what.split()[0], flush=True))
"""


def start(url: str, kept: Path) -> subprocess.Popen[str]:
    """A process that fetches a file and says what it does."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, url, str(kept)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_two_processes_download_once(web: Web, kept: Path) -> None:
    # The first is cut off once the second waits, and goes on with the rest.
    web.answers["/model.pkl"] = [file(OLD, until=100_000, stall=True), file(OLD)]
    with start(f"{web.url}/model.pkl", kept) as first:
        assert first.stdout.readline() == "downloading\n"
        with start(f"{web.url}/model.pkl", kept) as second:
            assert second.stdout.readline() == "waiting\n"
            assert not kept.exists()
            web.released.set()
            assert second.stdout.read().split()[-1] == "checking"
    assert (first.returncode, second.returncode) == (0, 0)
    assert kept.read_bytes() == OLD
    assert [bool(wanted) for wanted in web.ranges()] == [False, True]


def test_a_killed_process_leaves_a_part_to_go_on_with(web: Web, kept: Path) -> None:
    web.answers["/model.pkl"] = [file(OLD, until=100_000, stall=True), file(OLD)]
    with start(f"{web.url}/model.pkl", kept) as process:
        assert process.stdout.readline() == "downloading\n"
        process.kill()
    assert "model.pkl.part" in left(kept)
    assert "model.pkl" not in left(kept)
    fetch(f"{web.url}/model.pkl", kept, silent)
    assert kept.read_bytes() == OLD
    assert left(kept) == ["model.pkl", "model.pkl.json"]
    assert web.ranges()[1] is not None


# -------------------------------------------------------------------------------------- addresses


def test_the_folder_can_be_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDRAG_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.setenv("NBDRAG_CACHE", "~/models")
    assert cache_folder() == Path.home() / "models"
    monkeypatch.delenv("NBDRAG_CACHE")
    assert "nbdrag" in cache_folder().parts


@pytest.mark.parametrize(
    ("url", "stem", "suffix"),
    [
        ("https://a.org/b/model.pkl", "model-", ".pkl"),
        ("https://a.org/b/model.pkl?download=1", "model-", ".pkl"),
        ("HTTPS://a.org/my%20model%2Fx.pt", "x-", ".pt"),
        ("http://a.org:8080/model", "model-", ""),
        ("http://a.org/.pkl", "pkl-", ""),
    ],
)
def test_files_keep_their_names(url: str, stem: str, suffix: str) -> None:
    path = cached(url)
    assert path.parent == cache_folder()
    assert path.name.startswith(stem)
    assert path.suffix == suffix


def test_no_two_addresses_share_a_file() -> None:
    urls = ["http://a/m.pkl", "https://a/m.pkl", "http://b/m.pkl", "http://a/m.pkl?v=2"]
    assert len({cached(url) for url in urls}) == len(urls)
    assert cached("http://a/m.pkl#part") == cached("http://a/m.pkl")


@pytest.mark.parametrize(
    "url",
    [
        "https://a.org",
        "https://a.org/",
        "https://a.org/b/",
        "https:///model.pkl",
        "https://a.org/..",
    ],
)
def test_addresses_without_a_file_are_refused(url: str) -> None:
    with pytest.raises(DownloadError, match=r"names no file; an address reads https://"):
        cached(url)


@pytest.mark.parametrize("url", ["ftp://a.org/m.pkl", "file:///m.pkl", "s3://a/m.pkl"])
def test_other_kinds_of_address_are_refused(url: str) -> None:
    with pytest.raises(DownloadError, match=r"addresses begin with https://, http:// or hf:\."):
        cached(url)


@given(st.text())
def test_no_address_leads_out_of_the_folder(text: str) -> None:
    try:
        path = cached(f"https://a.org/{text}")
    except DownloadError:
        return
    assert path.resolve().parent == cache_folder().resolve()
    assert 0 < len(path.name) < 120
