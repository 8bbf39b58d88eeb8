"""SegmentationPainter from Python, and beside a DragEditor."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nbdrag
from nbdrag.editing.editgan import PaintStep
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import synthesis
from nbdrag.transfer.library import EditLibrary
from nbdrag.widgets.drag import DragEditor
from nbdrag.widgets.editor import Editor
from nbdrag.widgets.labels import unpacked
from nbdrag.widgets.paint import SegmentationPainter
from nbdrag.widgets.part_sheet import part_sheet
from nbdrag.widgets.session import Session
from tests.widgets.page import FakeComm, Page
from tests.widgets.painting import PATIENT, QUICK, some_vector
from tests.widgets.watching import LIMIT, PAIRS, Make, dragged, pixels

MakePainter = Callable[..., SegmentationPainter]


@pytest.fixture
def make_painter(parted: Generator, make: Make) -> Iterator[MakePainter]:
    """Makes painters, with the browser half that `make` has laid out."""
    painters: list[SegmentationPainter] = []

    def make_painter(of: Any = None, **arguments: Any) -> SegmentationPainter:
        if of is None:
            of, arguments = parted, {"seed": 3, "options": QUICK, **arguments}
        painters.append(SegmentationPainter(of, **arguments))
        return painters[-1]

    yield make_painter
    for painter in painters:
        painter.live = False
        painter.stop()
        painter.close()


@pytest.fixture
def painter(make_painter: MakePainter) -> SegmentationPainter:
    return make_painter()


def with_bigger_mouth(painter: SegmentationPainter) -> np.ndarray:
    labels = painter.labels.copy()
    labels[10:20, 5:25] = [part.name for part in painter.parts].index("lips")
    return labels


def followed(painter: Editor) -> Any:
    """Let it run, and wait for the end."""

    async def main() -> Any:
        painter.start()  # type: ignore[attr-defined]
        return await asyncio.wait_for(painter.wait(), LIMIT)

    return asyncio.run(main())


# ------------------------------------------------------------------------------------ from Python


def test_it_opens_with_what_a_static_page_shows(painter: SegmentationPainter) -> None:
    comm = painter.comm
    assert isinstance(comm, FakeComm)
    assert comm.opened["state"]["_esm"] == "export default {}"
    assert painter.saved["labels_version"] is not None
    assert np.array_equal(pixels(painter.still), painter.image)
    names = [part["name"] for part in painter.saved_parts["parts"]]
    assert names == [part.name for part in painter.parts]
    assert np.array_equal(unpacked(painter.saved_labels, (32, 32)), painter.labels)
    bundle, _ = painter._repr_mimebundle_()  # type: ignore[misc]
    expected = part_sheet(painter.image, painter.labels, painter.parts)
    assert np.array_equal(pixels(base64.b64decode(bundle["image/png"])), expected)


def test_what_is_painted_is_saved_stroke_by_stroke(painter: SegmentationPainter) -> None:
    painter.labels = with_bigger_mouth(painter)
    assert painter.saved["strokes"] == 1
    assert np.array_equal(unpacked(painter.saved_labels, (32, 32)), painter.labels)
    painter.undo()
    assert painter.saved["strokes"] == 0
    assert np.array_equal(unpacked(painter.saved_labels, (32, 32)), painter.original_labels)


def test_where_parts_are_not_known_the_picture_alone_is_saved(
    make_painter: MakePainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "WHOLE_UP_TO", 16 * 16)
    monkeypatch.setattr(Session, "_settle", lambda session: None)
    painter = make_painter()
    assert painter.saved_labels == b""
    assert np.array_equal(np.asarray(painter._sheet()), painter.image)


def test_everything_is_there_from_python(painter: SegmentationPainter) -> None:
    original = painter.labels
    with pytest.raises(ValueError, match="read-only"):
        original[0, 0] = 1
    painter.labels = painted = with_bigger_mouth(painter)
    assert np.array_equal(painter.labels, painted)
    assert np.array_equal(painter.original_labels, original)
    painter.undo()
    assert np.array_equal(painter.labels, original)
    painter.redo()
    ws, picture = painter.ws, np.asarray(painter.image)
    steps: list[Any] = []
    painter.on_step(steps.append)
    outcome = followed(painter)
    assert (outcome.reason, outcome.steps) == ("done", 3)
    assert [type(step) for step in steps] == [PaintStep] * 3
    assert painter.ws.equal(steps[-1].ws)
    assert np.array_equal(pixels(painter.still), painter.image)
    vector = painter.learn("bigger mouth")
    assert painter.vectors == {"bigger mouth": vector} == dict(painter.library)
    painter.scales = {"bigger mouth": 0.7}
    assert painter.scales == {"bigger mouth": 0.7}
    assert [entry.label for entry in painter.history] == [
        "seed 3",
        "paint, 3 steps",
        "bigger mouth 0.7",
    ]
    painter.reset()
    assert painter.ws.equal(ws)
    assert np.array_equal(painter.image, picture)
    assert np.array_equal(painter.labels, painted)
    painter.go_to(2)
    painter.refine()
    painter.stop()
    assert painter.recipe.replay(painter.generator).equal(painter.ws)
    painter.forget("bigger mouth")
    assert painter.vectors == {}


def test_options_and_live_are_settable(painter: SegmentationPainter) -> None:
    painter.options = {"max_steps": 7}
    assert painter.options.max_steps == 7
    painter.options = PaintOptions(max_steps=5)
    assert painter.options == PaintOptions(max_steps=5)
    with pytest.raises(ValueError, match="unknown option"):
        painter.options = {"speed": 1}
    assert painter.options.max_steps == 5
    with pytest.raises(ValueError, match="live is 'yes'"):
        painter.live = "yes"  # type: ignore[assignment]


def test_waiting_in_live_mode_waits_for_what_follows(make_painter: MakePainter) -> None:
    async def main() -> Any:
        painter = make_painter(live=True)
        painter.labels = with_bigger_mouth(painter)
        outcome = await asyncio.wait_for(painter.wait(), LIMIT)
        return painter, outcome

    painter, outcome = asyncio.run(main())
    assert outcome.steps == 3
    assert [entry.label for entry in painter.history][1:] == ["paint, 3 steps"]


def test_vectors_learnt_are_kept_in_a_folder_that_was_named(
    make_painter: MakePainter, tmp_path: Path
) -> None:
    painter = make_painter(library=tmp_path / "edits")
    painter.labels = with_bigger_mouth(painter)
    followed(painter)
    painter.learn("bigger mouth")
    painter.close()
    again = make_painter(library=str(tmp_path / "edits"), seed=8)
    assert list(again.vectors) == ["bigger mouth"]
    again.library = EditLibrary(tmp_path / "others")
    assert list(again.vectors) == []
    again.library.add(some_vector(again._session, "wink"))
    assert list(again.vectors) == ["wink"]
    assert Page(again).latest("vectors")[0]["vectors"][0]["name"] == "wink"


def test_without_a_folder_nothing_is_left(painter: SegmentationPainter) -> None:
    painter.library.add(some_vector(painter._session, "wink"))
    folder = painter.library.folder
    assert list(folder.iterdir())
    painter.library = folder.parent / "nbdrag-no-such-folder"
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"options": {"max_stepz": 1}}, "did you mean 'max_steps'"),
        ({"live": 1}, "live is 1; expected True or False"),
        ({"library": __file__}, "which is a file; name a folder"),
    ],
)
def test_it_refuses_to_begin_badly(
    make_painter: MakePainter, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        make_painter(**arguments)


def test_a_generator_without_segmenter_is_refused(
    make_painter: MakePainter, generator: Generator, editor: DragEditor
) -> None:
    for of in (generator, editor):
        with pytest.raises(ValueError, match="no segmenter"):
            make_painter(of)
    dragged_on = editor.points = PAIRS
    assert dragged(editor).steps == 4
    assert len(editor.points) == len(dragged_on)


def test_of_large_pictures_the_parts_come_later(
    make_painter: MakePainter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesis, "WHOLE_UP_TO", 16 * 16)
    painter = make_painter()
    page = Page(painter)
    page.tell(kind="ready")
    version = page.wait_for_kind("labels")[0]["version"]
    snapshot, _ = page.wait_for(lambda m: m["kind"] == "snapshot" and m["labels_version"])
    assert snapshot["labels_version"] == version
    painter.labels = with_bigger_mouth(painter)
    followed(painter)
    assert painter.history[-1].label == "paint, 3 steps"


def test_it_is_public() -> None:
    assert nbdrag.SegmentationPainter is SegmentationPainter


# ---------------------------------------------------------------------------- beside a DragEditor


@pytest.fixture
def pair(make: Make, make_painter: MakePainter, parted: Generator) -> tuple[DragEditor, Any]:
    """An editor and a painter of one session."""
    editor = make(parted)
    painter = make_painter(editor)
    painter.options = QUICK
    return editor, painter


def test_they_share_one_latent_and_one_history(pair: tuple[DragEditor, Any]) -> None:
    editor, painter = pair
    editor.points = PAIRS
    dragged(editor)
    painter.labels = with_bigger_mouth(painter)
    followed(painter)
    assert editor.ws.equal(painter.ws)
    assert np.array_equal(editor.image, painter.image)
    assert [entry.label for entry in editor.history] == [
        "seed 3",
        "drag, 4 steps",
        "paint, 3 steps",
    ]
    editor.undo()
    assert painter.cursor == 1
    assert painter._session.known_parts().strokes == 1
    editor.undo()  # the painter's stroke
    assert painter._session.known_parts().strokes == 0
    painter.undo()
    assert editor.cursor == 0
    assert editor.recipe.to_python() == painter.recipe.to_python()


def test_both_pages_see_what_either_does(pair: tuple[DragEditor, Any]) -> None:
    editor, painter = pair
    pages = [Page(editor), Page(painter)]
    for page in pages:
        page.tell(kind="ready")
        page.wait_for(lambda m: m["kind"] == "frame" and m["final"])
    pages[1].ask("paint_labels", tool="brush", radius=5, path=[[9, 9]], part=3)
    pages[1].ask("start_paint")
    for page in pages:
        page.wait_for(lambda m: m["kind"] == "frame" and m["final"] and m["step"] == 3)
        assert page.snapshot["history"][-1]["label"] == "paint, 3 steps"
    pages[0].ask("undo")
    assert pages[1].snapshot["cursor"] == 0
    assert "labels" not in pages[0].kinds()


def test_closing_one_leaves_the_other_alone(pair: tuple[DragEditor, Any]) -> None:
    editor, painter = pair
    painter.options = PATIENT
    painter.labels = with_bigger_mouth(painter)
    painter.start()
    editor.close()
    assert painter.running
    painter.stop()
    assert painter.history[-1].label.startswith("paint")
    page = Page(painter)
    page.tell(kind="ready")
    page.wait_for(lambda m: m["kind"] == "frame" and m["final"])


def test_the_session_ends_with_the_last_one(pair: tuple[DragEditor, Any]) -> None:
    editor, painter = pair
    painter.options = PATIENT
    painter.labels = with_bigger_mouth(painter)
    painter.start()
    painter.close()
    assert editor.running
    editor.close()
    editor._session.runner.join(LIMIT)
    with pytest.raises(ValueError, match="this editor was closed"):
        SegmentationPainter(editor)


def test_an_editor_can_be_made_of_a_painter(painter: SegmentationPainter, make: Make) -> None:
    editor = DragEditor(painter)
    assert editor.ws.equal(painter.ws)
    editor.seed = 9
    assert painter.seed == 9
    editor.close()
    assert painter.labels.shape == (32, 32)


def test_what_belongs_to_a_beginning_is_refused_for_a_session_that_has_begun(
    pair: tuple[DragEditor, Any],
) -> None:
    editor, _ = pair
    for arguments in ({"seed": 0}, {"options": QUICK}, {"truncation": 0.5, "label": 1}):
        with pytest.raises(ValueError, match="can't be given along with another editor"):
            SegmentationPainter(editor, **arguments)
    assert len(editor.history) == 1


def test_both_hear_of_loading(pair: tuple[DragEditor, Any], parted: Generator) -> None:
    editor, painter = pair
    painter.generator = parted
    assert (len(editor.history), editor.cursor) == (1, 0)
    editor.back()
    assert painter.seed == 3
    pages = [Page(editor), Page(painter)]

    async def load() -> None:
        with pytest.raises(Exception, match="no-such-model"):
            await editor.load("no-such-model")

    asyncio.run(load())
    for page in pages:
        snapshot, _ = page.wait_for(
            lambda m: m["kind"] == "snapshot" and m["status"]["level"] == "error"
        )
        assert "no-such-model was not loaded" in snapshot["status"]["text"]
