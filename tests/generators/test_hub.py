"""Files on the Hugging Face Hub, from a server that speaks as much of its language as is needed."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from huggingface_hub import constants

from nbdrag.generators.hub import fetch_from_hub
from nbdrag.generators.resume import DownloadError
from tests.generators.web import Answer, Web, file, serving, status

BODY = bytes(range(256)) * 1000
MAIN, TAGGED = "a" * 40, "b" * 40  # commits


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with serving() as web:
        monkeypatch.setenv("HF_ENDPOINT", web.url)
        web.answers["/me/cats/resolve/main/model.pkl"] = hub_file(BODY, MAIN)
        web.answers["/me/cats/resolve/v1.0/deep/er/model.pkl"] = hub_file(BODY[:100], TAGGED)
        yield web


def hub_file(body: bytes, commit: str, **more: object) -> Answer:
    return file(body, f'"{sha256(body).hexdigest()}"', X_Repo_Commit=commit, **more)


def silent(what: str, fraction: float | None) -> None:
    pass


def test_a_file_is_downloaded_once_and_told_of(web: Web, capfd: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, float | None]] = []
    path = fetch_from_hub("hf:me/cats/model.pkl", lambda *progress: told.append(progress))
    assert path.read_bytes() == BODY
    assert told[-1] == ("downloading model.pkl, 0.3 MB of 0.3 MB", 1.0)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fetch_from_hub("hf:me/cats/model.pkl", silent) == path
    assert [method for method, *_ in web.asked].count("GET") == 1
    assert capfd.readouterr() == ("", "")


def test_a_file_in_a_folder_of_a_revision(web: Web) -> None:
    path = fetch_from_hub("hf:me/cats@v1.0/deep/er/model.pkl", silent)
    assert path.read_bytes() == BODY[:100]
    assert TAGGED in path.parts
    assert path.parts[-3:] == ("deep", "er", "model.pkl")


def test_what_stops_it_goes_through(web: Web) -> None:
    class Enough(OSError):
        pass

    def stop(what: str, fraction: float | None) -> None:
        raise Enough

    with pytest.raises(Enough):
        fetch_from_hub("hf:me/cats/model.pkl", stop)
    assert fetch_from_hub("hf:me/cats/model.pkl", silent).read_bytes() == BODY


def test_offline_takes_what_is_there(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBDRAG_OFFLINE", "1")
    with pytest.raises(DownloadError, match="NBDRAG_OFFLINE forbids it, and it is not in the cac"):
        fetch_from_hub("hf:me/cats/model.pkl", silent)
    assert web.asked == []
    monkeypatch.delenv("NBDRAG_OFFLINE")
    fetch_from_hub("hf:me/cats/model.pkl", silent)
    monkeypatch.setenv("NBDRAG_OFFLINE", "1")
    asked = len(web.asked)
    assert fetch_from_hub("hf:me/cats/model.pkl", silent).read_bytes() == BODY
    assert len(web.asked) == asked


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        (404, "EntryNotFound", "the repository has no such file"),
        (404, "RevisionNotFound", "the repository has no such revision"),
        (401, "RepoNotFound", "there is no such repository, or it is private"),
        (403, "GatedRepo", "accept conditions on its page"),
        (400, "", "the Hub answers 400"),
    ],
)
def test_refusals_are_passed_on(web: Web, code: int, error: str, words: str) -> None:
    answer = status(code, X_Error_Code=error, X_Error_Message=error)
    web.answers["/me/cats/resolve/main/x.pkl"] = answer
    with pytest.raises(DownloadError, match=rf"hf:me/cats/x\.pkl can't be .*: .*{words}"):
        fetch_from_hub("hf:me/cats/x.pkl", silent)


def test_a_hub_out_of_reach_is_named(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # before the library tries again
    with pytest.raises(DownloadError, match=r"the Hub can't be reached \(.*refused"):
        fetch_from_hub("hf:me/cats/model.pkl", silent)


@pytest.mark.parametrize(
    "address",
    [
        "hf:",
        "hf:cats",
        "hf:me/cats",
        "hf:me/cats/",
        "hf:me/cats@/x.pkl",
        "hf:me/cats@v1",
        "hf:me/cats/a//x.pkl",
        "hf:me/cats/../x.pkl",
        "hf://me/cats/x.pkl",
        "hf:/me/cats/x.pkl",
        "hf:me me/cats/x.pkl",
    ],
)
def test_other_addresses_are_refused(web: Web, address: str) -> None:
    with pytest.raises(DownloadError, match=r"reads hf:owner/name/file or hf:owner/name@revision"):
        fetch_from_hub(address, silent)
    assert web.asked == []


@pytest.mark.parametrize("address", ["hf:--me/cats/x.pkl", "hf:me/ca..ts/x.pkl"])
def test_names_that_the_library_refuses_are_refused(web: Web, address: str) -> None:
    with pytest.raises(DownloadError, match=f"{address} can't be downloaded: "):
        fetch_from_hub(address, silent)
    assert web.asked == []


def test_the_library_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=r"add it with: pip install 'nbdrag\[hub\]'"):
        fetch_from_hub("hf:me/cats/model.pkl", silent)
