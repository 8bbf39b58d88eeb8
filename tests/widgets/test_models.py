"""Another generator takes the place of the present one, or doesn't; either way nothing is lost."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nbdrag.editing.drag_options import DragOptions
from nbdrag.generators.checkpoint import CheckpointError, save_generator
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.progress import Progress
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import list_generators, load_generator
from nbdrag.runtime.loading import LoadingStopped
from nbdrag.runtime.wishes import Sampled, sample
from nbdrag.widgets import models as module
from nbdrag.widgets.models import Models, title
from nbdrag.widgets.protocol import MAX_CHUNK
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.page import Page
from tests.widgets.watching import (
    ENDLESS,
    LIMIT,
    PAIRS,
    SHORT,
    Make,
    Steps,
    dragged,
    left_half,
    pixels,
    state,
)


@pytest.fixture(scope="module")
def other() -> Generator:
    """16 pixels wide and 32 high, and with a recommendation of its own."""
    config = StyleGAN2Config(32, 8, 8, mapping_layers=2, channel_base=128, base_width=2)
    generator = Generator(config, torch.Generator().manual_seed(1)).requires_grad_(False)
    generator.recommended = {"drag": {"learning_rate": 0.03}}
    return generator


@pytest.fixture(scope="module")
def file(other: Generator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "other.safetensors"
    save_generator(other, path, dtype=torch.float32)
    return path


@pytest.fixture
def models(session: Session) -> Iterator[Models]:
    models = Models(session)
    yield models
    models.stop()


def loading_ends(models: Models) -> None:
    """Wait until what is being loaded is there, or isn't to be had."""
    assert models.present is not None
    models.present._thread.join(LIMIT)
    assert not models.present.running


class Slow:
    """Takes the place of `load_generator`: tells once, and waits until it may go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, result: Generator) -> None:
        self.begun, self.go_on, self.result = threading.Event(), threading.Event(), result
        monkeypatch.setattr(module, "load_generator", self)

    def __call__(self, source: str, *, progress: Progress) -> Generator:
        progress("downloading", 0.25)
        self.begun.set()
        assert self.go_on.wait(LIMIT)
        progress("reading", None)
        return self.result


# --------------------------------------------------------------------------------- in the session


def test_the_new_generator_begins_afresh(
    session: Session, models: Models, other: Generator, file: Path
) -> None:
    session.set_points(PAIRS)
    session.set_mask(left_half())
    models.load(file).join(LIMIT)
    assert generator_hash(session.generator) == generator_hash(other)
    assert (session.points, session.mask, session.progress) == ((), None, None)
    assert session.options == DragOptions.for_generator(other)
    assert session.options.learning_rate == 0.03
    assert [entry.label for entry in session.entries] == ["seed 0"]
    assert session.image().size == (16, 32)
    assert session.status.text == "Now with other; back leads to tiny."
    recipe = session.recipe()
    assert (recipe.generator, recipe.generator_hash) == (str(file), generator_hash(other))


def test_going_back_finds_everything_as_it_was(edited: Session, models: Models, file: Path) -> None:
    edited.undo()
    before, ids = state(edited), {edited.album.key(entry) for entry in edited.entries}
    models.load(file).join(LIMIT)
    assert not ids & {edited.album.key(entry) for entry in edited.entries}
    edited.set_points([[8, 8, 10, 10]])
    there = edited.work
    edited.go_back()
    now = state(edited)
    for name in ("revision", "mask_version", "status", "previous"):
        now["snapshot"][name] = before["snapshot"][name]
    assert now | {"still_version": 0} == before | {"still_version": 0}
    edited.go_back()
    assert edited.work is there
    assert edited.points == ((8, 8, 10, 10),)


def test_at_first_there_is_nothing_to_go_back_to(session: Session) -> None:
    with pytest.raises(ValueError, match="no generator to go back to; this is the first"):
        session.go_back()


def test_editing_goes_on_until_the_new_one_is_there(
    session: Session, models: Models, other: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = Slow(monkeypatch, other)
    loading = models.load("lions-512")
    assert slow.begun.wait(LIMIT)
    assert session.loading is not None
    assert (session.loading.name, session.loading.fraction) == ("lions-512", 0.25)
    session.set_options(ENDLESS)
    session.set_points(PAIRS)
    steps = Steps(session)
    session.start()
    steps.wait_for(2)
    slow.go_on.set()
    loading.join(LIMIT)
    assert not session.running
    assert session.loading is None
    assert session.work.name == "lions-512"
    assert session.entries[-1].label == "seed 0"
    assert session.previous is not None
    last = session.previous.album.current
    assert last.label.startswith("drag, ")
    assert last.ws.equal(steps.taken[-1].ws)
    session.go_back()
    assert session.ws.equal(last.ws)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "there is no file"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b"", "empty"),
    ],
    ids=["no file", "a page", "empty"],
)
def test_what_cannot_be_loaded_leaves_all_as_it_was(
    edited: Session, models: Models, tmp_path: Path, content: bytes | None, complaint: str
) -> None:
    path = tmp_path / "lions.pkl"
    if content is not None:
        path.write_bytes(content)
    before = state(edited)
    with pytest.raises(CheckpointError, match=complaint) as error:
        models.load(path).join(LIMIT)
    loading_ends(models)
    now = state(edited)
    said = now["snapshot"]["status"]
    assert said["level"] == "error"
    assert said["text"] == f"lions was not loaded: {error.value}"
    for name in ("revision", "status"):
        now["snapshot"][name] = before["snapshot"][name]
    assert now == before


def test_so_does_one_that_draws_no_picture(
    edited: Session, models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Generator(StyleGAN2Config(8, 4, 4, mapping_layers=1, channel_base=32))
    broken.synthesis.b8.torgb.bias.data.fill_(torch.inf)
    slow, before = Slow(monkeypatch, broken), edited.work
    slow.go_on.set()
    with pytest.raises(ValueError, match="the picture is not finite"):
        models.load("broken").join(LIMIT)
    loading_ends(models)
    assert edited.work is before
    assert "broken was not loaded: the picture is not finite" in edited.status.text


def test_stopping_keeps_the_present_one(
    session: Session, models: Models, other: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, before = Slow(monkeypatch, other), session.work
    loading = models.load("lions-512")
    assert slow.begun.wait(LIMIT)
    models.stop()
    assert session.loading is None
    assert session.status.text == "Loading lions-512 was stopped."
    slow.go_on.set()
    loading_ends(models)
    assert isinstance(loading.error, LoadingStopped)
    assert session.work is before


def test_another_wish_takes_the_place_of_the_first(
    session: Session, models: Models, other: Generator, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        slow = Slow(patch, session.generator)
        first = models.load("lions-512")
        assert slow.begun.wait(LIMIT)
    second = models.load(file)
    second.join(LIMIT)
    slow.go_on.set()
    first._thread.join(LIMIT)
    assert isinstance(first.error, LoadingStopped)
    assert session.generator is second.join()
    assert session.loading is None


def test_a_command_prepared_for_the_old_one_does_not_hit_the_new(
    session: Session, other: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread may exchange the generator while a command is being checked."""

    def check(generator: Generator, ws: torch.Tensor) -> torch.Tensor:
        session.go_on_with(Work.begin(other))
        return ws

    monkeypatch.setattr("nbdrag.widgets.session.check_ws", check)
    with pytest.raises(RuntimeError, match="another generator came meanwhile"):
        session.set_ws(session.ws)
    assert [entry.label for entry in session.entries] == ["seed 0"]


# ----------------------------------------------------------------------------------- over the wire


def is_final(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and message["final"]


def upload(page: Page, data: bytes, name: str = "mine.pkl", piece: int = MAX_CHUNK) -> int:
    """Send a file; gives its number."""
    reply, _ = page.ask("upload", name=name, size=len(data))
    assert reply["ok"]
    for offset in range(0, len(data), piece):
        chunk = data[offset : offset + piece]
        answer, _ = page.ask("chunk", chunk, upload=reply["id"], offset=offset)
        assert answer["ok"], answer["error"]
    return int(reply["id"])


def test_a_page_is_told_which_generators_there_are(line: Line) -> None:
    reply, _ = line.page().ask("get_models")
    assert [model["name"] for model in reply["models"]] == list_generators()
    packaged = reply["models"][0]
    assert (packaged["name"], packaged["resolution"]) == ("toonfaces-128", 128)
    assert packaged["at_hand"]
    assert packaged["size"] > 1e6


def test_a_page_loads_by_name_and_goes_back(line: Line, file: Path) -> None:
    page = line.page()
    page.wait_for(is_final)
    page.ask("load_model", source=str(file))
    snapshot, _ = page.wait_for(lambda m: m["kind"] == "snapshot" and m["model"]["name"] == "other")
    assert (snapshot["model"]["width"], snapshot["model"]["height"]) == (16, 32)
    assert snapshot["previous"] == "tiny"
    _, (data,) = page.wait_for_kind("before")
    assert pixels(data).shape == (32, 16, 3)
    thumbnail, _ = page.wait_for_kind("thumbnail")
    assert [thumbnail["entry"]] == [entry["id"] for entry in snapshot["history"]]
    _, (data,) = page.wait_for(is_final)
    assert np.array_equal(pixels(data), line.session.image())
    loading_ends(line.models)
    assert page.snapshot["loading"] is None
    told = [m["loading"] for m, _ in line.arrived if m["kind"] == "snapshot" and m["loading"]]
    told += [m for m, _ in line.arrived if m["kind"] == "loading"]
    assert {m["name"] for m in told} == {"other"}
    assert {"begins", "reading other.safetensors"} <= {m["text"] for m in told}
    page.ask("go_back")
    assert page.snapshot["model"]["name"] == "tiny"
    assert page.snapshot["previous"] == "other"


def test_a_page_sends_a_file(line: Line, other: Generator, file: Path) -> None:
    page = line.page()
    upload(page, file.read_bytes(), r"C:\fake\mine.pkl", piece=10_000)
    snapshot, _ = page.wait_for(lambda m: m["kind"] == "snapshot" and m["model"]["name"] == "mine")
    assert snapshot["options"]["learning_rate"] == 0.03
    told = [m for m, _ in line.arrived if m["kind"] == "loading"]
    assert {"receiving mine.pkl", "reading mine.pkl"} <= {m["text"] for m in told}
    loading_ends(line.models)
    assert generator_hash(line.session.generator) == generator_hash(other)
    assert line.session.recipe().generator == ""
    assert "# generator: yours, with the hash" in line.session.recipe().to_python()


def test_a_broken_file_is_explained_and_changes_nothing(line: Line) -> None:
    page = line.page()
    page.ask("set_points", points=[list(pair) for pair in PAIRS])
    before = line.session.work
    upload(page, b"<html>not found</html>" * 100, "lions.pkl")
    snapshot, _ = page.wait_for(
        lambda m: m["kind"] == "snapshot" and m["status"]["level"] == "error"
    )
    assert snapshot["status"]["text"].startswith("lions.pkl was not loaded: ")
    assert snapshot["loading"] is None
    assert line.session.work is before
    assert line.session.points == PAIRS


def test_pieces_that_do_not_fit_are_refused_and_the_file_still_comes(
    line: Line, file: Path
) -> None:
    page, data = line.page(), file.read_bytes()
    number = page.ask("upload", name="mine.pkl", size=len(data))[0]["id"]

    def refused(*buffers: bytes, upload: int = number, offset: int = 0) -> str:
        reply, _ = page.ask("chunk", *buffers, upload=upload, offset=offset)
        assert not reply["ok"]
        return str(reply["error"])

    assert "came with 0 buffers" in refused()
    assert "came with 2 buffers" in refused(b"a", b"b")
    assert "has 1048577 bytes; at most 1048576" in refused(bytes(MAX_CHUNK + 1))
    assert "begins at byte 5; 0 is next" in refused(b"a", offset=5)
    assert "has 0 bytes" in refused(b"")
    assert "no longer wanted" in refused(b"a", upload=number + 1)
    page.tell(kind="chunk", id=-1, upload=number, offset=0)
    assert page.ask("chunk", data, upload=number, offset=0)[0]["ok"]
    page.wait_for(lambda m: m["kind"] == "snapshot" and m["model"]["name"] == "mine")


def test_an_upload_is_stopped(line: Line) -> None:
    page, before = line.page(), line.session.work
    number = page.ask("upload", name="mine.pkl", size=1000)[0]["id"]
    page.ask("chunk", bytes(500), upload=number, offset=0)
    page.ask("stop_loading")
    assert page.snapshot["loading"] is None
    reply, _ = page.ask("chunk", bytes(500), upload=number, offset=500)
    assert "no longer wanted" in reply["error"]
    loading_ends(line.models)
    assert line.session.work is before
    assert page.ask("stop_loading")[0]["ok"]  # a second one has nothing to do


def test_a_size_beyond_all_bounds_is_refused(line: Line) -> None:
    page = line.page()
    for size in (0, -1, 2**40, 1.5, "1"):
        reply, _ = page.ask("upload", name="mine.pkl", size=size)
        assert not reply["ok"]
    assert line.session.loading is None


# ------------------------------------------------------------------------------------ from Python


def test_python_loads_and_goes_back(make: Make, file: Path) -> None:
    editor = make()

    async def main() -> None:
        editor.points = PAIRS
        generator = await asyncio.wait_for(editor.load(file), LIMIT)
        assert editor.generator is generator
        assert editor.points == ()
        with pytest.raises(CheckpointError, match="no file"):
            await asyncio.wait_for(editor.load("none.pkl"), LIMIT)
        assert editor.generator is generator

    asyncio.run(main())
    editor.points = [[4, 4, 8, 20]]
    editor.options = SHORT
    assert dragged(editor).steps == 4
    editor.back()
    assert editor.points == PAIRS
    assert editor.saved["model"]["name"] == "generator"


def test_a_generator_can_be_set(make: Make, other: Generator, file: Path) -> None:
    editor = make()
    editor.generator = load_generator(file)
    assert editor._session.work.name == "other"
    editor.generator = other
    assert editor.generator is other
    assert editor._session.work.name == "generator"
    assert (editor.image.size, editor.seed) == ((16, 32), 0)
    with pytest.raises(ValueError, match=r"generator is a str; .* goes to load\(\)"):
        editor.generator = "toonfaces-128"  # type: ignore[assignment]
    with pytest.raises(ValueError, match=r"source is a Generator; .* goes to editor\.generator"):
        editor.load(other)  # type: ignore[arg-type]
    assert editor.generator is other


def test_closing_the_editor_gives_up_what_is_loaded(
    make: Make, other: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, editor = Slow(monkeypatch, other), make()
    loading = editor.load("lions-512")
    assert slow.begun.wait(LIMIT)
    editor.close()
    assert isinstance(loading.error, LoadingStopped)
    slow.go_on.set()
    loading._thread.join(LIMIT)


# --------------------------------------------------------------------------------------- classes


def test_a_class_is_drawn_and_remembered(make: Make, other: Generator) -> None:
    conditional = Generator(replace(other.config, num_labels=3)).requires_grad_(False)
    editor = make(conditional, label=2)
    page = Page(editor)
    page.tell(kind="ready")
    assert editor.ws.equal(sample(conditional, 3, 0.7, 2))
    assert (page.snapshot["model"]["num_labels"], page.snapshot["label"]) == (3, 2)
    editor.seed = 5
    assert editor.label == 2
    assert page.ask("sample", seed=6, truncation=0.5, label=1)[0]["ok"]
    assert editor._session.work.start == Sampled(6, 0.5, 1)
    assert not page.ask("sample", seed=6, truncation=0.5, label=3)[0]["ok"]
    editor.label = 0
    assert editor.history[-1].label == "seed 6, class 0"
    assert make(conditional).label == 0


def test_names_are_short_ones() -> None:
    assert title("lions-512") == "lions-512"
    assert title("/home/me/my.lions.pkl") == "my.lions"
    assert title(r"C:\lions.pkl") == "lions"
    assert title("https://example.org/some/my%20lions.pkl?raw=1") == "my lions"
    assert title("hf:owner/name/lions.pt") == "lions"
    assert title("https://example.org/") == "generator"
