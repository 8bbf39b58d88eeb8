"""BatchPreview from Python and from its pages, and sent to from the editors."""

import asyncio
import base64
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import nbdrag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime.loading import LoadingStopped
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.edit_one_for_all import find_direction
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.batch import BatchPreview
from nbdrag.widgets.batch_inputs import compact, usual_path
from nbdrag.widgets.protocol import MAX_CHUNK
from tests.runtime.batch_of_tiles import a_direction, latents
from tests.widgets.batches import BRIEF, PATIENT, MakeBatch, numbers, see, seen
from tests.widgets.page import FakeComm, Page
from tests.widgets.watching import LIMIT, PAIRS, Make, dragged

COUNT = 6


@pytest.fixture
def make_batch(generator: Generator, make: Make) -> Iterator[MakeBatch]:
    """Makes previews, with the browser half that `make` has laid out."""
    previews: list[BatchPreview] = []

    def make_batch(
        edit: Any = None, pictures: Any = range(COUNT), **arguments: Any
    ) -> BatchPreview:
        if edit is None:
            edit, arguments = a_direction(generator), {"generator": generator, **arguments}
        previews.append(BatchPreview(edit, pictures, **arguments))
        return previews[-1]

    yield make_batch
    for preview in previews:
        preview.close()


@pytest.fixture
def preview(make_batch: MakeBatch) -> BatchPreview:
    return make_batch()


@pytest.fixture
def page(preview: BatchPreview) -> Page:
    return opened(preview)


def opened(preview: BatchPreview) -> Page:
    """A page that came up."""
    page = Page(preview)
    page.tell(kind="ready")
    page.wait_for_kind("snapshot")
    return page


def pair(generator: Generator) -> tuple[torch.Tensor, torch.Tensor]:
    ws = sample(generator, 3, 0.7)
    return ws, ws + a_direction(generator).delta


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float)


# ---------------------------------------------------------------------------- what it is made of


def test_it_shows_seeds_as_they_are_drawn_and_edited(
    preview: BatchPreview, generator: Generator
) -> None:
    assert len(preview) == COUNT
    for seed in range(COUNT):
        torch.testing.assert_close(preview.ws[seed], sample(generator, seed, 0.7))
    expected = a_direction(generator).apply(preview.ws)
    torch.testing.assert_close(preview.edited_ws, expected)
    preview.selection = [1, 3]
    torch.testing.assert_close(preview.edited_ws, expected[[1, 3]])


def test_pictures_are_latents_of_any_kind_a_file_or_an_iterable(
    make_batch: MakeBatch, generator: Generator, tmp_path: Path
) -> None:
    ws = latents(generator, 3)
    np.save(tmp_path / "ws.npy", ws.numpy())
    for given in (ws, ws.numpy(), tmp_path / "ws.npy", iter(ws), [w.numpy() for w in ws]):
        assert make_batch(None, given).ws.equal(ws)
    only_w = make_batch(None, ws[:, 0])
    assert only_w.ws.equal(ws[:, :1].expand_as(ws))
    assert only_w._session.ws.stride(1) == 0  # of W, one row is kept


def test_latents_that_are_not_this_generators_are_left_out_and_said_so(
    make_batch: MakeBatch, generator: Generator
) -> None:
    good = latents(generator, 2)
    preview = make_batch(None, [good[0], torch.zeros(3, 5), good[1] * 1e30, good[1]])
    assert preview.ws.equal(good)
    page = opened(preview)
    assert page.latest("names")[0]["names"] == ["latent 0", "latent 3"]
    status = page.snapshot["status"]
    assert status["level"] == "warning"
    assert "2 of 4 are left out" in status["text"]
    assert "[3, 5]" in status["text"]


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([], "empty"),
        (range(20_001), "at most"),
        ([torch.zeros(3, 5)], "none of the pictures"),
        (torch.zeros(2, 3, 4, 5), "shape"),
        ([-1, 2], "seeds go from -1"),
        ("nowhere.npy", "no file or folder"),
    ],
)
def test_pictures_that_cant_be_are_refused(
    make_batch: MakeBatch, given: Any, complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_batch(None, given)


def test_exported_latents_are_shown_again_but_not_by_another_generator(
    preview: BatchPreview, make_batch: MakeBatch, generator: Generator, tmp_path: Path
) -> None:
    path = preview.export(tmp_path / "nudged.safetensors").join(LIMIT)
    torch.testing.assert_close(make_batch(None, path).ws, preview.edited_ws)
    other = Generator(generator.config, torch.Generator().manual_seed(1)).eval()
    theirs = EditDirection(
        preview.direction.delta,
        "nudge",
        other.content_hash,
        normal=preview.direction.normal,
        example=preview.direction.example,
    )
    with pytest.raises(ValueError, match="holds latents of the generator"):
        make_batch(theirs, path, generator=other)


def test_a_folder_of_photographs_is_to_be_projected_first(
    make_batch: MakeBatch, tmp_path: Path
) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"nbdrag\.project"):
        make_batch(None, tmp_path)


def test_edits_that_are_none_are_refused(make_batch: MakeBatch, generator: Generator) -> None:
    ws, _ = pair(generator)
    vector = EditVector(a_direction(generator).delta, "fuller", generator.content_hash)
    for edit, complaint in (
        ((ws, ws.clone()), "changes nothing"),
        (a_direction(generator).scaled(0.0), "isn't edited"),
        ("smile", "expected an EditDirection"),
        ((ws,), "expected an EditDirection"),
        (vector, r"\(ws, vector\)"),
        ((ws, ws[0]), "shape"),
        ((ws, ws * float("nan")), "NaN"),
    ):
        with pytest.raises(ValueError, match=complaint):
            make_batch(edit, generator=generator)
    with pytest.raises(ValueError, match="options are for finding"):
        make_batch(None, options=BRIEF)
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    other = Generator(config).eval()
    with pytest.raises(ValueError, match="generator"):
        make_batch(a_direction(generator), generator=other)


def test_what_helps_to_make_one() -> None:
    ws = torch.randn(2, 3, 4)
    assert compact(ws) is ws
    assert usual_path("drag, 12 steps / é") == "drag-12-steps-é"
    assert usual_path("///") == "edit"


# ------------------------------------------------------------------------------------- its pages


def test_a_page_is_told_all_and_shown_what_it_looks_at(
    preview: BatchPreview, page: Page, generator: Generator
) -> None:
    snapshot = page.snapshot
    assert (snapshot["count"], snapshot["included"], snapshot["strength"]) == (COUNT, COUNT, 1.0)
    assert page.latest("names")[0]["names"] == [f"seed {i}" for i in range(COUNT)]
    offsets = np.frombuffer(numbers(page, "offsets")[1], "<f4")
    alphas = offsets + snapshot["strength"] * snapshot["alpha"]
    np.testing.assert_allclose(alphas, np.asarray(preview.alphas), atol=1e-5)
    assert np.frombuffer(numbers(page, "order")[1], "<u4").tolist() == list(range(COUNT))
    assert "tiles" not in page.kinds()

    pictures = see(page, 4, -1)
    assert {item for item, _ in pictures} == {4, -1}
    alpha, after = pictures[4, True]
    assert alpha == preview.alphas[4]
    with torch.no_grad():
        image = generator.synthesis(preview.edited_ws[4][None]).image[0]
    assert abs(decoded(after) - np.asarray(nbdrag.to_pil(image), float)).mean() < 6
    assert pictures[-1, True][0] == pytest.approx(snapshot["alpha"])


def test_a_move_of_the_slider_moves_what_is_in_sight_and_python_agrees(
    preview: BatchPreview, page: Page
) -> None:
    before = see(page, 0, 1)
    page.tell(kind="set_strength", id=1, strength=1.5, moving=True)  # pictures may come first
    after = seen(page, {(0, True), (1, True)})
    assert preview.strength == 1.5
    for item in (0, 1):
        assert after[item, True][0] == preview.alphas[item]
        assert after[item, True][1] != before[item, True][1]
    assert (2, True) not in after


def test_python_moves_the_pages_slider(preview: BatchPreview, page: Page) -> None:
    see(page, 3)
    preview.strength = -0.5
    alpha, _ = seen(page, {(3, True)})[3, True]
    assert alpha == preview.alphas[3]
    assert page.snapshot["strength"] == -0.5
    preview.strength = 7
    assert page.snapshot["high"] == 7


def test_strengths_and_selection_are_set_by_pages_and_by_python(
    preview: BatchPreview, page: Page
) -> None:
    page.ask("set_alpha", item=2, alpha=0.75)
    assert preview.alphas[2] == 0.75
    assert page.latest("overrides")[0]["items"] == [2]
    page.ask("set_alpha", item=2, alpha=None)
    assert not preview.alphas.overrides
    page.ask("include", items=[0, 5], included=False)
    assert set(preview.selection) == {1, 2, 3, 4}
    page.ask("include_all", which="others")
    assert set(preview.selection) == {0, 5}
    assert page.snapshot["included"] == 2
    preview.selection.add(3)
    assert numbers(page, "included")[1] == bytes([0b101001])
    page.ask("include_all", which="none")
    assert not preview.selection
    page.ask("include_all", which="all")
    preview.selection = np.arange(COUNT) < 2
    assert set(preview.selection) == {0, 1}
    preview.alphas = np.zeros(COUNT)
    assert page.latest("overrides")[0]["alphas"] == [0.0] * COUNT
    page.ask("reset_alphas")
    preview.alphas[1] = 4.0
    preview.alphas = None
    assert not preview.alphas.overrides
    page.ask("sort", by="strength")
    assert preview.sort == "strength"
    assert np.frombuffer(numbers(page, "order")[1], "<u4").tolist() == preview.order.tolist()


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"kind": "set_strength", "strength": 11}, "not understood"),
        ({"kind": "set_strength", "strength": "1"}, "not understood"),
        ({"kind": "set_alpha", "item": COUNT, "alpha": 1.0}, "no picture"),
        ({"kind": "include", "items": [COUNT], "included": False}, "no picture"),
        ({"kind": "include", "items": [], "included": False}, "not understood"),
        ({"kind": "sort", "by": "size"}, "not understood"),
        ({"kind": "export", "format": "zip", "path": "/nowhere/x.zip"}, "no folder"),
        ({"kind": "drag"}, "not understood"),
    ],
)
def test_a_refusal_is_said_and_changes_nothing(
    preview: BatchPreview, page: Page, message: dict[str, Any], complaint: str
) -> None:
    before = preview._wire.snapshot()
    kind = message.pop("kind")
    reply, _ = page.ask(kind, **message)
    assert not reply["ok"]
    assert complaint in reply["error"]
    status, _ = page.wait_for_kind("status")
    assert status["text"] == reply["error"]
    assert preview._wire.snapshot() == before


def test_what_no_page_would_say_harms_nothing(preview: BatchPreview, page: Page) -> None:
    for content in (None, 7, [], {"kind": "look", "view": -1, "items": []}, {"kind": "ack"}):
        page.send(content)
    page.tell(kind="look", view=1, items=[COUNT + 50, 1])
    assert {item for item, _ in seen(page, {(1, False), (1, True)})} == {1}
    page.tell(kind="heartbeat")
    beat, _ = page.wait_for_kind("beat")
    assert beat["revision"] == page.snapshot["revision"]


def test_a_page_that_is_loaded_again_finds_everything(preview: BatchPreview, page: Page) -> None:
    page.ask("set_strength", strength=0.5)
    page.ask("set_alpha", item=1, alpha=2.0)
    page.ask("include", items=[3], included=False)
    first = see(page, 1)
    again = opened(preview)
    snapshot = again.snapshot
    assert snapshot["epoch"] == page.seen[0][0].get("epoch", 1) + 1 or snapshot["epoch"] == 2
    assert (snapshot["strength"], snapshot["included"]) == (0.5, COUNT - 1)
    assert again.latest("overrides")[0]["items"] == [1]
    assert see(again, 1)[1, True] == first[1, True]


def test_pictures_that_cant_be_made_are_empty_and_said_so(
    preview: BatchPreview, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("too little of it")

    preview._tiles._kept.clear()
    monkeypatch.setattr(preview._tiles, "_made", fail)
    pictures = see(page, 1)
    assert pictures[1, False][1] == pictures[1, True][1] == b""
    assert page.snapshot["status"]["level"] == "error"
    assert "too little of it" in page.snapshot["status"]["text"]


def test_the_notebook_keeps_a_sheet_and_the_state(preview: BatchPreview) -> None:
    still = Image.open(io.BytesIO(preview.still))
    assert still.width > 5 * 96
    assert preview.saved["count"] == COUNT
    bundle = preview._repr_mimebundle_()
    assert bundle is not None
    picture = Image.open(io.BytesIO(base64.b64decode(bundle[0]["image/png"])))
    assert picture.size == still.size
    assert "text/html" not in bundle[0]
    preview.strength = 0.25
    preview._refresh()
    assert preview.saved["strength"] == 0.25
    assert preview.image.size == still.size


# ------------------------------------------------------------------------------------ the search


def test_a_pair_of_latents_is_searched_and_its_pictures_follow(
    make_batch: MakeBatch, generator: Generator
) -> None:
    ws, edited = pair(generator)
    preview = make_batch((ws, edited), generator=generator, options=BRIEF, name="nudge")
    steps: list[int] = []
    preview.on_step(lambda step: steps.append(step.index))
    outcome = asyncio.run(preview.wait())
    assert outcome is not None
    assert outcome.reason == "done"
    assert preview.running is None
    found = run_to_end(find_direction(generator, ws, edited, BRIEF, name="nudge")).direction
    torch.testing.assert_close(preview.direction.delta, found.delta)
    np.testing.assert_allclose(
        np.asarray(preview.alphas), found.strengths(preview.ws), rtol=1e-4, atol=1e-4
    )
    assert preview.direction.name == "nudge"
    page = opened(preview)
    assert "3 steps" in page.snapshot["status"]["text"]
    assert page.snapshot["progress"] is None


def test_stop_keeps_what_was_found_so_far(make_batch: MakeBatch, generator: Generator) -> None:
    preview = make_batch(pair(generator), generator=generator, options=PATIENT)
    page = opened(preview)
    page.wait_for(lambda m: m["kind"] == "snapshot" and (m["progress"] or {}).get("fraction"))
    assert page.snapshot["running"] == "search"
    refused, _ = page.ask("export", format="csv", path="x")
    assert "still being looked for" in refused["error"]
    page.ask("stop")
    outcome = asyncio.run(preview.wait())
    assert outcome is not None
    assert outcome.reason == "stopped"
    assert "so far" in page.snapshot["status"]["text"]
    assert preview.direction.alpha != 0


def test_a_vector_and_a_picture_are_an_edit_too(
    make_batch: MakeBatch, generator: Generator
) -> None:
    ws, _ = pair(generator)
    vector = EditVector(a_direction(generator).delta, "fuller", generator.content_hash)
    preview = make_batch((ws, vector), generator=generator, options=BRIEF)
    naive = preview._session.shown.direction.example + vector.delta
    assert asyncio.run(preview.wait()) is not None
    torch.testing.assert_close(naive, ws + vector.delta)


def test_another_edit_of_the_same_pictures(preview: BatchPreview, generator: Generator) -> None:
    preview.selection.discard(2)
    preview.alphas[1] = 5.0
    preview.direction = pair(generator)
    preview.stop()
    assert set(preview.selection) == {0, 1, 3, 4, 5}
    assert not preview.alphas.overrides
    before = preview.direction
    with pytest.raises(ValueError, match="changes nothing"):
        preview.take((before.example, before.example))
    assert preview.direction is before


def test_a_failing_callback_is_told_of(make_batch: MakeBatch, generator: Generator) -> None:
    preview = make_batch(pair(generator), generator=generator, options=PATIENT)
    preview.on_step(lambda step: 1 / 0)
    page = opened(preview)
    page.wait_for(lambda m: m["kind"] == "snapshot" and "division" in m["status"]["text"])
    preview.stop()


# ------------------------------------------------------------------------------------ the export


def test_export_writes_what_is_included(preview: BatchPreview, tmp_path: Path) -> None:
    preview.selection = [0, 4]
    preview.alphas[4] = 1.5
    path = asyncio.run(awaited(preview.export(tmp_path / "faces.zip")))
    assert path == tmp_path / "faces.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["000000000.png", "000000004.png", "strengths.csv"]
        table = archive.read("strengths.csv").decode().splitlines()
    assert table[2] == "4,000000004,1.5"
    page = Page(preview)
    page.wait_for(lambda m: m.get("status", {}).get("text") == f"Wrote 2 pictures to {path}.")


async def awaited(loading: Any) -> Any:
    return await loading


def test_a_page_exports_and_is_told_how_far_it_is(
    preview: BatchPreview, page: Page, tmp_path: Path
) -> None:
    reply, _ = page.ask("export", format="folder", path=str(tmp_path / "faces"))
    assert reply["ok"]
    page.wait_for(lambda m: m["kind"] == "snapshot" and m["status"]["text"].startswith("Wrote 6"))
    assert preview.running is None
    assert len(list((tmp_path / "faces").glob("*.png"))) == COUNT
    again, _ = page.ask("export", format="folder", path=str(tmp_path / "faces"))
    assert "resume=True" in again["error"]
    more, _ = page.ask("export", format="folder", path=str(tmp_path / "faces"), resume=True)
    assert more["ok"]
    assert preview._session.exporting is not None
    preview._session.exporting._thread.join(LIMIT)
    assert preview.running is None
    preview.selection.clear()
    nothing, _ = page.ask("export", format="zip", path=str(tmp_path / "none"))
    assert "nothing is included" in nothing["error"]


def fetched(page: Page, written: dict[str, Any]) -> bytes:
    """A file, as a page puts it together."""
    data = b""
    while len(data) < written["size"]:
        reply, [piece] = page.ask("fetch", file=written["number"], offset=len(data))
        assert reply["ok"]
        assert 0 < len(piece) <= MAX_CHUNK
        data += piece
    return data


@pytest.mark.parametrize("name", ["faces.zip", "faces.safetensors", "faces.csv"])
def test_a_page_fetches_the_file_that_was_written(
    preview: BatchPreview, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("nbdrag.widgets.batch_session.MAX_CHUNK", 1000)
    assert page.snapshot["written"] is None
    path = preview.export(tmp_path / name).join(LIMIT)
    page.wait_for(lambda m: m["kind"] == "snapshot" and m["written"])
    written = page.snapshot["written"]
    assert (written["name"], written["size"]) == (name, path.stat().st_size)
    assert fetched(page, written) == path.read_bytes()
    assert opened(preview).snapshot["written"] == written  # to a page that comes later, too


def test_pages_fetch_nothing_but_what_is_offered(
    preview: BatchPreview, page: Page, tmp_path: Path
) -> None:
    refused, buffers = page.ask("fetch", file=0, offset=0)
    assert not refused["ok"]
    assert not buffers
    first = preview.export(tmp_path / "first.csv").join(LIMIT)
    one = opened(preview).snapshot["written"]
    beyond, _ = page.ask("fetch", file=one["number"], offset=one["size"])
    assert "none of them" in beyond["error"]
    preview.export(tmp_path / "second.csv").join(LIMIT)
    late, _ = page.ask("fetch", file=one["number"], offset=0)
    assert "no longer offered" in late["error"]
    two = opened(preview).snapshot["written"]
    assert fetched(page, two) == first.read_bytes()
    preview.export(tmp_path / "folder").join(LIMIT)  # which is no single file
    assert opened(preview).snapshot["written"] == two
    (tmp_path / "second.csv").write_text("another")
    changed, _ = page.ask("fetch", file=two["number"], offset=0)
    assert "has changed" in changed["error"]


def test_a_stopped_export_leaves_no_file(
    make_batch: MakeBatch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, go_on = threading.Event(), threading.Event()

    def slow(item: Any, encoding: str) -> bytes:
        began.set()
        assert go_on.wait(LIMIT)
        return b"x"

    monkeypatch.setattr("nbdrag.runtime.export.encoded", slow)
    preview = make_batch()
    page = opened(preview)
    folder = tmp_path / "out"
    folder.mkdir()
    loading = preview.export(folder / "faces.zip")
    assert began.wait(LIMIT)
    with pytest.raises(RuntimeError, match="being written"):
        preview.export(folder / "more.zip")
    page.ask("stop")
    go_on.set()
    with pytest.raises(LoadingStopped):
        loading.join(LIMIT)
    assert "was stopped" in page.snapshot["status"]["text"]
    loading._thread.join(LIMIT)
    assert list(folder.iterdir()) == []
    assert preview.running is None


# ------------------------------------------------------------------------------- from the editors


def test_an_edit_is_sent_to_a_batch(make: Make, make_batch: MakeBatch) -> None:
    editor = make()
    with pytest.raises(ValueError, match="no edit to send"):
        editor.to_batch()
    start = editor.ws
    editor.points = PAIRS
    dragged(editor)
    preview = editor.to_batch(range(4), options=BRIEF)
    try:
        assert asyncio.run(preview.wait()) is not None
        assert preview.direction.example.equal(start)
        assert preview.generator is editor.generator
        assert preview.direction.name == editor.history[-1].label
    finally:
        preview.close()


def test_the_button_shows_it_beneath_and_sends_the_next_edit_there(make: Make) -> None:
    editor = make()
    comm: FakeComm = editor.comm
    page = Page(editor)
    refused, _ = page.ask("to_batch")
    assert "no edit to send" in refused["error"]
    assert editor.batch is None
    editor.points = PAIRS
    dragged(editor)
    reply, _ = page.ask("to_batch")
    assert reply["ok"]
    preview = editor.batch
    assert isinstance(preview, BatchPreview)
    assert comm is editor.comm
    preview.stop()
    preview.selection.discard(1)
    direction = preview.direction
    page.ask("to_batch")
    assert editor.batch is preview
    preview.stop()
    assert preview.direction is not direction
    assert 1 not in preview.selection
    preview.close()


def test_a_preview_is_made_of_an_editor_whose_generator_is_given_too(
    make: Make, make_batch: MakeBatch, generator: Generator
) -> None:
    editor = make()
    editor.points = PAIRS
    dragged(editor)
    preview = make_batch(editor, generator=generator, options=BRIEF)
    assert preview.generator is generator
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    with pytest.raises(ValueError, match="another one than the editor's"):
        make_batch(editor, generator=Generator(config).eval())
