"""Sharing libraries on the Hugging Face Hub, with a server that speaks what is needed of it."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from huggingface_hub import constants
from PIL import Image

from nbdrag.generators.resume import DownloadError
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector
from tests.generators.web import Answer, Request, Web, file, serving, status

COMMIT = "c" * 40


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("HF_TOKEN", "hf_something")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    with serving() as web:
        monkeypatch.setenv("HF_ENDPOINT", web.url)
        yield web


@pytest.fixture
def library(tmp_path: Path, smile: EditVector, blink: EditVector) -> EditLibrary:
    library = EditLibrary(tmp_path / "edits")
    library.add(smile)
    library.add(blink)
    return library


def answer_json(content: object) -> Answer:
    def answer(request: Request) -> None:
        body_of(request)  # else it would be taken for the next request
        give_json(request, content)

    return answer


def give_json(request: Request, content: object) -> None:
    status(200, json.dumps(content).encode(), Content_Type="application/json")(request)


def body_of(request: Request) -> bytes:
    return request.rfile.read(int(request.headers.get("Content-Length", 0)))


def offer(web: Web, repository: str, files: dict[str, bytes], revision: str = "main") -> None:
    """Have a repository on the server."""
    api = f"/api/models/{repository}"
    siblings = [{"rfilename": name} for name in files]
    about = {"id": repository, "sha": COMMIT, "siblings": siblings}
    web.answers[f"{api}/revision/{revision}"] = answer_json(about)
    tree = [
        {"type": "file", "path": name, "size": len(body), "oid": "0" * 40}
        for name, body in files.items()
    ]
    web.answers[f"{api}/tree/{COMMIT}?recursive=true&expand=false"] = answer_json(tree)
    for name, body in files.items():
        etag = f'"{sha256(body).hexdigest()}"'
        web.answers[f"/{repository}/resolve/{COMMIT}/{quote(name)}"] = file(
            body, etag, X_Repo_Commit=COMMIT
        )


def test_a_library_comes_from_the_hub(
    web: Web, library: EditLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path.name: path.read_bytes() for path in library.folder.iterdir()}
    offer(web, "me/faces", {**files, "README.md": b"# faces", "model.bin": b"large"})
    found = EditLibrary.from_hub("me/faces")
    assert list(found) == ["close eyes", "smile"]
    assert found["smile"].delta.equal(library["smile"].delta)
    assert not any("model.bin" in path for _, path, _ in web.asked)
    with pytest.raises(ValueError, match="can't be changed"):
        found.remove("smile")
    web.answers.clear()
    monkeypatch.setenv("NBDRAG_OFFLINE", "1")
    assert list(EditLibrary.from_hub("hf:me/faces")) == ["close eyes", "smile"]


def test_a_folder_of_a_revision(web: Web, library: EditLibrary) -> None:
    body = (library.folder / "smile.safetensors").read_bytes()
    offer(web, "me/all", {"faces/smile.safetensors": body, "cats/x.safetensors": b""}, "v1.0")
    assert list(EditLibrary.from_hub("hf:me/all@v1.0/faces")) == ["smile"]


def test_a_repository_without_vectors_is_refused(web: Web) -> None:
    offer(web, "me/cats", {"model.safetensors": b"no vector"})
    with pytest.raises(DownloadError, match=r"(?s)me/cats holds no editing vectors\..*model\.saf"):
        EditLibrary.from_hub("me/cats")


def test_refusals_are_passed_on(web: Web) -> None:
    web.answers["/api/models/me/gone/revision/main"] = status(404, X_Error_Code="RepoNotFound")
    with pytest.raises(DownloadError, match=r"me/gone can't be downloaded: there is no such"):
        EditLibrary.from_hub("me/gone")


@pytest.mark.parametrize("address", ["", "faces", "hf:", "hf:me", "me/faces/../x", "me me/x"])
def test_other_addresses_are_refused(web: Web, address: str) -> None:
    with pytest.raises(DownloadError, match="reads owner/name or owner/name@revision"):
        EditLibrary.from_hub(address)
    assert web.asked == []


class Uploads:
    """The part of the Hub that takes files: all of them within the commit itself."""

    def __init__(self, web: Web, repository: str) -> None:
        self.files: dict[str, bytes] = {}
        self.made: dict[str, object] = {}
        self.summary = ""
        api = f"/api/models/{repository}"
        web.answers["/api/repos/create"] = self.create
        web.answers[f"{api}/preupload/main"] = self.preupload
        web.answers[f"{api}/commit/main"] = self.commit
        web.answers["/api/validate-yaml"] = answer_json({"errors": [], "warnings": []})
        missing = status(404, X_Error_Code="EntryNotFound")
        web.answers[f"/{repository}/resolve/main/README.md"] = missing
        self.url = f"{web.url}/{repository}"

    def create(self, request: Request) -> None:
        self.made = json.loads(body_of(request))
        give_json(request, {"url": self.url})

    def preupload(self, request: Request) -> None:
        wanted = json.loads(body_of(request))["files"]
        plain = {"uploadMode": "regular", "shouldIgnore": False}
        give_json(request, {"files": [{"path": f["path"], **plain} for f in wanted]})

    def commit(self, request: Request) -> None:
        for line in body_of(request).splitlines():
            part = json.loads(line)
            if part["key"] == "header":
                self.summary = part["value"]["summary"]
            else:
                assert part["key"] == "file"
                content = base64.b64decode(part["value"]["content"])
                self.files[part["value"]["path"]] = content
        done = {"commitUrl": f"{self.url}/commit/{COMMIT}", "commitOid": COMMIT}
        give_json(request, done)


def test_a_library_goes_to_the_hub_and_comes_back(
    web: Web, library: EditLibrary, smile: EditVector
) -> None:
    uploads = Uploads(web, "me/faces")
    assert library.push_to_hub("me/faces", private=True) == f"{web.url}/me/faces"
    assert uploads.made["name"] == "faces"
    assert uploads.summary == "Add editing vectors: close eyes, smile"
    assert set(uploads.files) == {
        "close eyes.safetensors",
        "smile.safetensors",
        "README.md",
        "gallery.png",
    }
    page = uploads.files["README.md"].decode()
    assert page.startswith("---\nlibrary_name: nbdrag\n")
    assert 'EditLibrary.from_hub("me/faces")' in page
    assert "| smile | lips, inner_mouth | -1 to 1.5 |" in page
    assert Image.open(BytesIO(uploads.files["gallery.png"])).width > 192
    offer(web, "me/faces", uploads.files)
    again = EditLibrary.from_hub("me/faces")
    assert again["smile"].delta.equal(smile.delta)
    assert again["smile"].learnt == smile.learnt


def test_a_page_that_is_there_stays(web: Web, library: EditLibrary) -> None:
    uploads = Uploads(web, "me/faces")
    web.answers["/me/faces/resolve/main/README.md"] = file(b"mine", X_Repo_Commit=COMMIT)
    library.push_to_hub("me/faces")
    assert set(uploads.files) == {"close eyes.safetensors", "smile.safetensors"}


def test_a_hub_that_refuses_is_told_of(web: Web, library: EditLibrary) -> None:
    web.answers["/api/repos/create"] = status(401, X_Error_Message="Invalid token")
    with pytest.raises(DownloadError, match=r"me/faces can't be shared: .*"):
        library.push_to_hub("me/faces")


def test_an_empty_library_is_not_shared(web: Web, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no vectors"):
        EditLibrary(tmp_path / "none").push_to_hub("me/faces")
    assert web.asked == []


def test_the_library_is_asked_for_where_it_is_missing(
    library: EditLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(DownloadError, match=r"add it with: pip install 'nbdrag\[hub\]'"):
        EditLibrary.from_hub("me/faces")
    with pytest.raises(DownloadError, match=r"pip install 'nbdrag\[hub\]'"):
        library.push_to_hub("me/faces")
