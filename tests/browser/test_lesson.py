"""The lesson on one iteration of a drag: its StepInspector, drawn from Python, in JupyterLab."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.editor import WAIT
from tests.browser.lab import kernel_eval, open_notebook, run_all
from tests.browser.servers import Server

LESSON = Path(__file__).parents[2] / "notebooks" / "lessons" / "drag.ipynb"


@pytest.fixture
def inspector(lab: Server, page: Page) -> Locator:
    """The canvas of the lesson's inspector, after all cells have run."""
    shutil.copy(LESSON, lab.notebooks / "lesson.ipynb")
    open_notebook(page, lab, "lesson.ipynb")
    run_all(page)
    canvas = page.locator(".jp-OutputArea canvas").first
    canvas.scroll_into_view_if_needed()
    expect(canvas).to_be_visible()
    return canvas


def test_stepping_back_and_forth_through_a_recorded_drag(inspector: Locator) -> None:
    page = inspector.page
    at = kernel_eval(page, "inspector.index")
    assert at > 1  # where the cell with the figure left it
    here = drawn(inspector)
    page.get_by_title("One iteration back").click()
    before = drawn(inspector, other_than=here)
    assert kernel_eval(page, "inspector.index") == at - 1
    page.get_by_title("One iteration on").click()
    assert drawn(inspector, other_than=before) == here
    assert kernel_eval(page, "inspector.index") == at


def drawn(canvas: Locator, *, other_than: str = "") -> str:
    """What is on the canvas once that is something else, and has been for five looks."""
    return canvas.evaluate(
        """async (canvas, [before, limit]) => {
            const deadline = performance.now() + limit;
            let seen = before;
            for (let looks = 0; looks < 5; ) {
                if (performance.now() > deadline) throw new Error("it stays as it was");
                await new Promise(requestAnimationFrame);
                const now = canvas.toDataURL();
                looks = now === seen && now !== before ? looks + 1 : 0;
                seen = now;
            }
            return seen;
        }""",
        [other_than, WAIT],
    )
