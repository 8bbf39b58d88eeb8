"""Drag, paint and edit a batch in the hosts beside JupyterLab: Notebook 7, Voila and marimo."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import batch
from tests.browser.editor import (
    LIP,
    OPEN,
    WAIT,
    another_picture,
    editor_on,
    expect_picture,
    expect_state,
    picture,
    place_pair,
    points,
    start_and_watch,
)
from tests.browser.lab import open_notebook, run_all, write_notebook
from tests.browser.painter import choose, paint_with_mouse, painter_on, slide
from tests.browser.servers import Server, jupyter_server, marimo_server, voila_server

CELLS = (
    "from nbdrag import DragEditor, SegmentationPainter",
    "editor = DragEditor(seed=27)\neditor",
    "painter = SegmentationPainter(seed=3, options={'max_steps': 8})\npainter",
    *batch.CELLS,
)

MARIMO = """
import marimo

app = marimo.App()


@app.cell
def _():
    from nbdrag import DragEditor, SegmentationPainter

    editor = DragEditor(seed=27)
    editor
    return (SegmentationPainter,)


@app.cell
def _(SegmentationPainter):
    painter = SegmentationPainter(seed=3, options={"max_steps": 8})
    painter
    return


@app.cell
def _():
    import nbdrag

    generator = nbdrag.load_generator("toonfaces-128")
    learnt = nbdrag.EditLibrary.packaged(generator)["longer hair"]
    before = nbdrag.sample(generator, seed=27, truncation=0.7)
    direction = nbdrag.EditDirection(
        learnt.delta,
        learnt.name,
        learnt.generator_hash,
        learnt.generator,
        normal=learnt.delta,
        example=before,
    )
    preview = nbdrag.BatchPreview(direction, range(240), generator)
    preview
    return


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture(scope="module")
def notebook_7(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with jupyter_server("notebook", tmp_path_factory.mktemp("notebook")) as server:
        write_notebook(server.notebooks / "drag.ipynb", *CELLS)
        yield server


@pytest.fixture(scope="module")
def voila(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("voila")
    write_notebook(home / "drag.ipynb", *CELLS)
    with voila_server(home, home / "drag.ipynb") as server:
        yield server


@pytest.fixture(scope="module")
def marimo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("marimo")
    (home / "drag.py").write_text(MARIMO.lstrip())
    with marimo_server(home, home / "drag.py") as server:
        yield server


def test_notebook_7(notebook_7: Server, page: Page) -> None:
    open_notebook(page, notebook_7, "drag.ipynb", view="notebooks")
    run_all(page)
    drag_in(editor_on(page))
    paint_in(painter_on(page))
    edit_batch_in(batch.preview_on(page))


def test_voila(voila: Server, page: Page) -> None:
    page.goto(voila.url)
    drag_in(editor_on(page))
    paint_in(painter_on(page))
    edit_batch_in(batch.preview_on(page))


def test_marimo(marimo: Server, page: Page) -> None:
    page.goto(marimo.url)
    drag_in(editor_on(page))
    paint_in(painter_on(page))
    edit_batch_in(batch.preview_on(page))


def drag_in(editor: Locator) -> None:
    """Place a pair, start, see the picture change and the handle arrive."""
    place_pair(editor, LIP, OPEN)
    start_and_watch(editor, 4)
    expect_state(editor, "idle")
    [[x, y, *goal]] = points(editor)
    assert goal == pytest.approx(OPEN, abs=1)
    assert math.dist((x, y), goal) <= 1


def paint_in(painter: Locator) -> None:
    """Paint, let the picture follow, undo; then move a slider."""
    first = picture(painter)
    choose(painter, "inner_mouth")
    paint_with_mouse(painter, [(67.5, 91.0), (76.5, 91.0)])
    painter.get_by_test_id("apply").click()
    expect(painter.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(painter, "idle")
    followed = another_picture(painter, first)
    painter.get_by_test_id("history-0").click()
    expect(painter).to_have_attribute("data-strokes", "1", timeout=WAIT)
    painter.get_by_test_id("undo").click()
    expect_picture(painter, first)
    slide(painter, "smile", 1.0)
    another_picture(painter, first, followed)
    expect(painter.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)


def edit_batch_in(preview: Locator) -> None:
    """Move the slider of all, leave one out; export a table and get it through the browser."""
    page = preview.page
    before, original = batch.pixels(preview, 0), batch.pixels(preview, 0, "before")
    batch.drag_slider(preview, "strength", 0.9)
    batch.expect_fresh(preview)
    assert batch.pixels(preview, 0) != before
    assert batch.pixels(preview, 0, "before") == original
    preview.get_by_test_id("pictures-1").click()
    expect(preview.get_by_test_id("export")).to_have_text("Export 239", timeout=WAIT)
    preview.get_by_test_id("export").click()
    preview.get_by_test_id("format-csv").click()
    preview.get_by_test_id("start-export").click()
    with page.expect_download(timeout=WAIT) as download:
        preview.get_by_test_id("download").click()
    assert download.value.suggested_filename == "longer-hair.csv"
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert [int(row["index"]) for row in rows] == [0, *range(2, 240)]
    shown = preview.get_by_test_id("tile-0").get_attribute("data-alpha")
    assert float(rows[0]["strength"]) == pytest.approx(float(shown or "nan"), abs=1e-3)
