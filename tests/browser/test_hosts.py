"""Open, drag and paint in the hosts beside JupyterLab: Notebook 7, Voila and marimo."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page, expect

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


def test_voila(voila: Server, page: Page) -> None:
    page.goto(voila.url)
    drag_in(editor_on(page))
    paint_in(painter_on(page))


def test_marimo(marimo: Server, page: Page) -> None:
    page.goto(marimo.url)
    drag_in(editor_on(page))
    paint_in(painter_on(page))


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
