"""One edit on a real grid in JupyterLab: the slider under the mouse, tiles by click and by key."""

from __future__ import annotations

import json
import re
import zipfile

import pytest
from playwright.sync_api import Locator, Page, expect

from nbdrag.widgets.protocol import MAX_CHUNK
from tests.browser.batch import CELLS, drag_slider, expect_fresh, pixels, preview_on
from tests.browser.editor import (
    LIP,
    OPEN,
    WAIT,
    editor_on,
    expect_settled,
    expect_state,
    place_pair,
)
from tests.browser.lab import (
    keep_widgets,
    kernel_eval,
    kernel_run,
    open_notebook,
    reopen,
    run_all,
    save,
    wait_in_kernel,
    write_notebook,
)
from tests.browser.servers import Server

COUNT = 240
SELECTION = "sorted(preview.selection)"
ALPHA = "preview.alphas[{}]"


@pytest.fixture
def preview(request: pytest.FixtureRequest, lab: Server, page: Page) -> Locator:
    """The preview, in a notebook and with a kernel of its own."""
    name = f"{request.node.name}.ipynb"
    write_notebook(lab.notebooks / name, *CELLS)
    open_notebook(page, lab, name)
    run_all(page)
    return preview_on(page)


def test_the_slider_moves_all_tiles_and_python_agrees(preview: Locator) -> None:
    page = preview.page
    shown = [int(tile) for tile in preview.locator(".nb-tile").evaluate_all(ITEMS)]
    assert 0 in shown
    assert len(shown) < 80
    before = {item: pixels(preview, item) for item in shown[:12]}
    example = preview.get_by_test_id("example-after").evaluate("canvas => canvas.toDataURL()")
    original = pixels(preview, 0, "before")

    drag_slider(preview, "strength", 0.96)
    expect_fresh(preview)
    strength = kernel_eval(page, "preview.strength")
    assert 1.6 < strength <= 2
    expect(preview.get_by_test_id("strength-value")).to_have_text(f"{strength:.2f}")
    for item, old in before.items():
        assert pixels(preview, item) != old
        in_kernel = kernel_eval(page, ALPHA.format(item))
        assert float(
            preview.get_by_test_id(f"tile-{item}").get_attribute("data-alpha") or "nan"
        ) == (pytest.approx(in_kernel, abs=1e-3))
    assert pixels(preview, 0, "before") == original
    assert preview.get_by_test_id("example-after").evaluate("c => c.toDataURL()") != example
    # What is shown is what the direction makes of it, up to JPEG.
    assert kernel_eval(
        page,
        "float(abs(direction.scaled(preview.strength * direction.alpha).apply(preview.ws)"
        " - preview.edited_ws).max())",
    ) == pytest.approx(0, abs=1e-4)

    kernel_run(page, "preview.strength = 1")
    expect(preview.get_by_test_id("strength-value")).to_have_text("1.00", timeout=WAIT)
    expect_fresh(preview)
    assert {item: pixels(preview, item) for item in before} == before

    page.keyboard.press("Escape")
    preview.get_by_test_id("grid").focus()
    page.keyboard.down("c")
    expect(preview.get_by_test_id("compare")).to_have_attribute("aria-pressed", "true")
    assert pixels(preview, 0) == original
    page.keyboard.up("c")
    expect(preview.get_by_test_id("compare")).to_have_attribute("aria-pressed", "false")
    assert pixels(preview, 0) == before[0]


ITEMS = "tiles => tiles.map((tile) => tile.dataset.item)"


def test_tiles_are_left_out_by_click_and_by_key(preview: Locator) -> None:
    page = preview.page
    preview.get_by_test_id("pictures-3").click()
    expect(preview.get_by_test_id("export")).to_have_text("Export 239", timeout=WAIT)
    assert kernel_eval(page, SELECTION) == [item for item in range(COUNT) if item != 3]
    preview.get_by_test_id("pictures-6").click(modifiers=["Shift"])
    expect(preview.get_by_test_id("export")).to_have_text("Export 236", timeout=WAIT)

    preview.get_by_test_id("grid").focus()
    for key in ("Home", "ArrowRight", " "):
        page.keyboard.press(key)
    expect(preview.get_by_test_id("tile-1")).to_have_attribute("data-included", "false")
    expect_settled(preview)
    out = {1, 3, 4, 5, 6}
    assert kernel_eval(page, SELECTION) == [item for item in range(COUNT) if item not in out]
    page.keyboard.press("i")
    expect(preview.get_by_test_id("export")).to_have_text("Export 5", timeout=WAIT)
    assert kernel_eval(page, SELECTION) == sorted(out)
    kernel_run(page, "preview.selection = range(2)")
    expect(preview.get_by_test_id("count")).to_have_text("2 of 240 selected", timeout=WAIT)
    expect(preview.get_by_test_id("tile-1")).to_have_attribute("data-included", "true")


def test_one_tile_gets_a_strength_of_its_own(preview: Locator) -> None:
    page = preview.page
    before, neighbour = pixels(preview, 2), pixels(preview, 1)
    preview.get_by_test_id("tile-2").hover()
    drag_slider(preview, "own-2", 0.9)
    expect(preview.get_by_test_id("tile-2")).to_have_attribute("data-own", "true")
    expect_fresh(preview)
    assert list(kernel_eval(page, "dict(preview.alphas.overrides)")) == ["2"]
    assert pixels(preview, 2) != before
    assert pixels(preview, 1) == neighbour
    own = pixels(preview, 2)
    preview.get_by_test_id("strength").fill("0.3")
    expect_fresh(preview)
    assert pixels(preview, 2) == own
    assert pixels(preview, 1) != neighbour
    preview.get_by_test_id("automatic-2").click()
    expect_fresh(preview)
    assert kernel_eval(page, "dict(preview.alphas.overrides)") == {}


def test_scrolling_shows_others_in_the_order_asked_for_and_few_at_a_time(preview: Locator) -> None:
    page = preview.page
    preview.get_by_test_id("sort").select_option("strength")
    expect_settled(preview)
    order = kernel_eval(page, "preview.order.tolist()")
    assert order == kernel_eval(page, "sorted(range(240), key=lambda i: preview.alphas[i])")
    expect_fresh(preview)
    grid = preview.get_by_test_id("grid")
    grid.evaluate("grid => { grid.scrollTop = grid.scrollHeight }")
    expect(preview.get_by_test_id(f"tile-{order[-1]}")).to_be_visible(timeout=WAIT)
    expect(preview.get_by_test_id(f"tile-{order[0]}")).to_have_count(0)
    expect_fresh(preview)
    assert preview.locator(".nb-tile").count() < 80


def test_an_export_ends_with_a_complete_archive(preview: Locator, lab: Server) -> None:
    page = preview.page
    preview.get_by_test_id("pictures-0").click()
    expect(preview.get_by_test_id("export")).to_have_text("Export 239", timeout=WAIT)
    preview.get_by_test_id("export").click()
    preview.get_by_test_id("path").fill("longer")
    page.keyboard.press("Enter")
    expect(preview.get_by_test_id("export-panel")).to_have_count(0, timeout=WAIT)
    expect(preview.get_by_test_id("message")).to_have_text(re.compile("Wrote 239"), timeout=WAIT)
    archive = lab.notebooks / "longer.zip"
    with zipfile.ZipFile(archive) as file:
        assert file.testzip() is None
        names = file.namelist()
    assert len(names) == 240
    assert names[0] == "000000001.png"
    # Whoever sits elsewhere fetches it: in several pieces, and what is saved is that file.
    assert archive.stat().st_size > 2 * MAX_CHUNK
    button = preview.get_by_test_id("download")
    expect(button).to_have_text(re.compile(r"^Download longer\.zip, \d+\.\d MB$"))
    with page.expect_download(timeout=WAIT) as download:
        button.click()
    assert download.value.suggested_filename == "longer.zip"
    assert download.value.path().read_bytes() == archive.read_bytes()
    expect(preview.get_by_test_id("message")).to_have_text("Downloaded longer.zip.", timeout=WAIT)
    # The same place again is refused, and the panel stays.
    preview.get_by_test_id("export").click()
    preview.get_by_test_id("path").fill("longer")
    preview.get_by_test_id("start-export").click()
    expect(preview.get_by_test_id("export-panel")).to_contain_text("is there already", timeout=WAIT)


def test_a_reload_finds_everything_and_so_does_the_notebook_without_a_kernel(
    preview: Locator, lab: Server
) -> None:
    page = preview.page
    preview.get_by_test_id("strength").fill("1.6")
    preview.get_by_test_id("pictures-1").click()
    expect_settled(preview)
    kernel_run(page, "preview.alphas[2] = 0.5")
    expect_fresh(preview)
    shown = {item: pixels(preview, item) for item in (0, 1, 2)}
    wait_in_kernel(page, "preview.saved['strength'] == 1.6 and preview.saved['included'] == 239")
    save(page)
    reopen(page)
    again = preview_on(page)
    expect(again.get_by_test_id("strength-value")).to_have_text("1.60")
    expect(again.get_by_test_id("tile-1")).to_have_attribute("data-included", "false")
    expect(again.get_by_test_id("tile-2")).to_have_attribute("data-own", "true")
    assert {item: pixels(again, item) for item in (0, 1, 2)} == shown

    [notebook] = lab.notebooks.glob("test_a_reload_finds_everything*.ipynb")
    outputs = json.loads(notebook.read_text())["cells"][1]["outputs"]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_a_saved_notebook_shows_the_sheet_without_a_kernel(preview: Locator) -> None:
    page = preview.page
    keep_widgets(page)
    preview.get_by_test_id("strength").fill("0.4")
    expect_settled(preview)
    wait_in_kernel(page, "preview.saved['strength'] == 0.4")
    wait_in_kernel(page, "preview.running is None")
    size = kernel_eval(page, "list(preview.image.size)")
    save(page)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown().then(() => undefined)")

    page.reload()
    page.wait_for_function("window.jupyterapp?.restored !== undefined")
    again = page.get_by_test_id("batch-preview")
    expect(again).to_have_attribute("data-state", "static", timeout=WAIT)
    sheet = again.get_by_test_id("sheet")
    expect(sheet).to_be_visible()
    assert sheet.evaluate("image => [image.naturalWidth, image.naturalHeight]") == size
    expect(again.get_by_test_id("strength-value")).to_have_text("0.40")
    expect(again.get_by_test_id("strength")).to_be_disabled()
    expect(again.get_by_test_id("grid")).to_have_count(0)
    expect(again.get_by_test_id("status")).to_contain_text("run the notebook")


def test_the_editor_sends_its_edit_to_a_batch_beneath_it(lab: Server, page: Page) -> None:
    write_notebook(
        lab.notebooks / "beneath.ipynb",
        "from nbdrag import DragEditor\neditor = DragEditor(seed=27)\n"
        "editor.options = {'max_steps': 8}\neditor",
    )
    open_notebook(page, lab, "beneath.ipynb")
    run_all(page)
    editor = editor_on(page)
    expect(editor.get_by_test_id("toBatch")).to_be_disabled()
    place_pair(editor, LIP, OPEN)
    editor.get_by_test_id("start").click()
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(editor, "idle")
    editor.get_by_test_id("toBatch").click()
    preview = page.get_by_test_id("batch-preview")
    expect(preview).to_have_attribute("data-running", "search", timeout=WAIT)
    preview.scroll_into_view_if_needed()
    preview.get_by_test_id("stop").click()
    expect_state(preview, "idle")
    expect_fresh(preview)
    assert kernel_eval(page, "bool(editor.batch.direction.example.equal(editor.history[0].ws))")
    save(page)
    reopen(page)
    expect_fresh(preview_on(page))
