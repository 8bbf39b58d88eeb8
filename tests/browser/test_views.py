"""What a notebook adds to one editor on one page: more views, a kernel that dies, a saved file."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.editor import (
    LIP,
    OPEN,
    WAIT,
    another_picture,
    editor_on,
    expect_picture,
    picture,
    place_pair,
    points,
    start_and_watch,
)
from tests.browser.lab import (
    keep_widgets,
    open_notebook,
    run_all,
    save,
    wait_in_kernel,
    write_notebook,
)
from tests.browser.servers import Server, end_kernels

CELLS = ("from nbdrag import DragEditor", "editor = DragEditor(seed=27)\neditor")


def test_two_views_of_one_editor_agree(lab: Server, page: Page) -> None:
    write_notebook(lab.notebooks / "views.ipynb", *CELLS, "editor")
    open_notebook(page, lab, "views.ipynb")
    run_all(page)
    views = page.get_by_test_id("drag-editor")
    expect(views).to_have_count(2)
    one, other = views.nth(0), views.nth(1)
    for view in (one, other):
        expect(view).to_have_attribute("data-state", "idle")
    other.scroll_into_view_if_needed()
    first = picture(other)

    one.scroll_into_view_if_needed()
    place_pair(one, LIP, OPEN)
    other.scroll_into_view_if_needed()
    expect(other.get_by_test_id("target-1")).to_be_visible()
    assert points(other) == points(one)

    start_and_watch(other, 3)
    for view in (one, other):
        expect(view.get_by_test_id("edits")).to_have_text("1 of 1 edits")
    another_picture(other, first)
    one.scroll_into_view_if_needed()
    expect_picture(one, picture(other))
    one.get_by_test_id("undo").click()
    expect_picture(one, first)
    other.scroll_into_view_if_needed()
    expect_picture(other, first)


def test_a_kernel_that_restarts_is_told_and_come_back_from(lab: Server, page: Page) -> None:
    write_notebook(lab.notebooks / "restart.ipynb", *CELLS)
    open_notebook(page, lab, "restart.ipynb")
    run_all(page)
    editor = editor_on(page)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(editor).to_have_attribute("data-state", "gone", timeout=WAIT)
    expect(editor.get_by_test_id("message")).to_contain_text("Run the cell again.")
    run_all(page)
    place_pair(editor_on(page), LIP, OPEN)


def test_a_saved_notebook_shows_the_last_picture_without_a_kernel(lab: Server, page: Page) -> None:
    write_notebook(lab.notebooks / "saved.ipynb", *CELLS)
    open_notebook(page, lab, "saved.ipynb")
    keep_widgets(page)
    run_all(page)
    editor = editor_on(page)
    place_pair(editor, LIP, OPEN)
    start_and_watch(editor, 3)
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits")
    expect(editor).to_have_attribute("data-state", "idle")
    last = picture(editor)
    wait_in_kernel(page, "len(editor.saved['history']) == 2")
    save(page)
    end_kernels(lab)

    page.reload()
    page.wait_for_function("window.jupyterapp?.restored !== undefined")
    again = page.get_by_test_id("drag-editor")
    expect(again).to_be_visible()
    expect_picture(again, last)
    expect(again.get_by_test_id("start")).to_be_disabled()
