"""The picture follows the hand that holds a handle, in a real notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Locator, Page, expect

from tests.browser.editor import (
    LIP,
    OPEN,
    WAIT,
    another_picture,
    editor_on,
    expect_picture,
    expect_settled,
    expect_state,
    on_page,
    picture,
    points,
)
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.servers import Server

CELLS = ("from nbdrag import DragEditor", "editor = DragEditor(seed=27)\neditor")


@contextmanager
def held(editor: Locator, *path: tuple[float, float]) -> Iterator[None]:
    """Press at the first point and move along the others, a picture each; the button stays down."""
    mouse, canvas = editor.page.mouse, editor.get_by_test_id("canvas").element_handle()
    seen = [canvas.evaluate("(canvas) => canvas.toDataURL()")]
    mouse.move(*on_page(editor, path[0]))
    mouse.down()
    for point in path[1:]:
        mouse.move(*on_page(editor, point))
        editor.page.wait_for_function(
            "([canvas, seen]) => !seen.includes(canvas.toDataURL())",
            arg=[canvas, seen],
            timeout=WAIT,
        )
        seen.append(canvas.evaluate("(canvas) => canvas.toDataURL()"))
    expect(editor.get_by_test_id("status")).to_contain_text("following")
    yield
    mouse.up()


def test_the_picture_follows_a_handle_that_is_held(lab: Server, page: Page) -> None:
    write_notebook(lab.notebooks / "follow.ipynb", *CELLS)
    open_notebook(page, lab, "follow.ipynb")
    run_all(page)
    editor = editor_on(page)
    start = picture(editor)
    follow = editor.get_by_test_id("toggleFollow")
    follow.click()
    expect(follow).to_have_attribute("aria-pressed", "true")

    # The lip goes down in five moves, and a picture comes for each while the button is down.
    with held(editor, LIP, *((66.0, y) for y in (90.0, 92.0, 94.0, 95.0, 96.0))):
        assert kernel_eval(page, "len(editor.history)") == 1
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(editor, "idle")
    expect_settled(editor)
    end = another_picture(editor, start)
    ((_, _, *target),) = points(editor)
    assert abs(target[0] - OPEN[0]) < 0.5
    assert abs(target[1] - OPEN[1]) < 0.5
    label, replays = kernel_eval(
        page,
        "(editor.history[-1].label, editor.recipe.replay(editor.generator).equal(editor.ws))",
    )
    assert re.fullmatch(r"one pass, [5-9] steps", label)
    assert replays

    # What is held and taken back was nothing.
    with held(editor, LIP, (60.0, 90.0), (56.0, 90.0)):
        page.keyboard.press("Escape")
        expect_picture(editor, end)
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits")

    # The whole gesture is one step back, and the start comes back bit for bit.
    editor.get_by_test_id("undo").click()
    expect_picture(editor, start)
    assert points(editor) == []
    editor.get_by_test_id("redo").click()
    expect_picture(editor, end)
