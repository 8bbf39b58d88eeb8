"""A student paints a mouth on the part map in JupyterLab, and the portrait follows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.editor import (
    WAIT,
    another_picture,
    expect_picture,
    expect_settled,
    expect_state,
    picture,
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
from tests.browser.painter import (
    choose,
    expect_parts,
    paint_with_mouse,
    painter_on,
    slide,
)
from tests.browser.servers import Server

# A portrait whose mouth is shut, and where it is to open.
CELLS = (
    "from nbdrag import SegmentationPainter",
    "painter = SegmentationPainter(seed=3)\npainter",
)
MOUTH = [(67.5, 91.0), (76.5, 91.0)]

HASHES = (
    "[__import__('hashlib').sha256(data).hexdigest() for data in "
    "(painter.image.tobytes(), painter.ws.detach().numpy().tobytes())]"
)
CENTRE = (
    "[(float(places.min()) + float(places.max()) + 1) / 2 for places in "
    "(painter.labels == [part.name for part in painter.parts].index('{part}')).nonzero()[::-1]]"
)
NOSE = CENTRE.format(part="nose")
PART_AT = "painter.parts[painter.labels[{y}, {x}]].name"


@pytest.fixture
def painter(lab: Server, page: Page, request: pytest.FixtureRequest) -> Locator:
    """A painter in a notebook and with a kernel of its own."""
    name = f"{request.node.name}.ipynb"
    write_notebook(lab.notebooks / name, *CELLS)
    open_notebook(page, lab, name)
    run_all(page)
    return painter_on(page)


def open_the_mouth(painter: Locator) -> None:
    """Paint lips, and what is between them."""
    for part, radius in (("lips", 7), ("inner_mouth", 4)):
        choose(painter, part)
        painter.get_by_test_id("radius").fill(str(radius))
        paint_with_mouse(painter, MOUTH)


def apply_and_wait(painter: Locator) -> None:
    """Let the picture follow, and see that it moves on the way."""
    seen = painter.get_by_test_id("canvas").evaluate_handle(
        """(canvas) => {
            const seen = new Set();
            const look = () => {
                seen.add(canvas.toDataURL());
                if (seen.size < 6) requestAnimationFrame(look);
            };
            look();
            return seen;
        }"""
    )
    painter.get_by_test_id("apply").click()
    painter.page.wait_for_function("seen => seen.size >= 6", arg=seen, timeout=WAIT)
    expect(painter.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(painter, "idle")
    expect_parts(painter)


def test_the_mouth_opens_where_it_is_painted_and_undo_shuts_it(painter: Locator) -> None:
    page = painter.page
    first, first_in_kernel = picture(painter), kernel_eval(page, HASHES)
    kernel_run(page, "import numpy as np; before = np.asarray(painter.image, dtype=float)")

    open_the_mouth(painter)
    assert kernel_eval(page, PART_AT.format(x=72, y=91)) == "inner_mouth"
    assert kernel_eval(page, PART_AT.format(x=72, y=97)) == "lips"
    assert kernel_eval(page, HASHES) == first_in_kernel
    kernel_run(page, "painted = painter.labels != painter.original_labels")

    apply_and_wait(painter)
    inside, outside = kernel_eval(
        page,
        "[change[painted].mean(), change[~painted].mean()]",
        after="change = abs(np.asarray(painter.image, dtype=float) - before).mean(-1) / 255",
    )
    assert inside > 0.06
    assert outside < 0.02
    last, last_in_kernel = another_picture(painter, first), kernel_eval(page, HASHES)
    assert last_in_kernel != first_in_kernel
    # The parts are now those of the new picture.
    assert kernel_eval(page, "bool((painter.labels == painter.original_labels).all())")

    # One step back is the picture with all that was painted on it, two more take that away.
    painter.get_by_test_id("undo").click()
    expect(painter).to_have_attribute("data-strokes", "2", timeout=WAIT)
    assert kernel_eval(page, HASHES) == first_in_kernel
    for strokes in ("1", "0"):
        painter.get_by_test_id("undo").click()
        expect(painter).to_have_attribute("data-strokes", strokes, timeout=WAIT)
    expect_picture(painter, first)
    assert kernel_eval(page, "bool((painter.labels == painter.original_labels).all())")
    for _ in range(3):
        painter.get_by_test_id("redo").click()
        expect_settled(painter)
    expect_picture(painter, last)
    assert kernel_eval(page, HASHES) == last_in_kernel


def test_live_the_picture_follows_by_itself(painter: Locator) -> None:
    page = painter.page
    first = kernel_eval(page, HASHES)
    painter.get_by_test_id("live").click()
    expect(painter.get_by_test_id("live")).to_have_attribute("aria-pressed", "true")
    assert kernel_eval(page, "painter.live") is True
    open_the_mouth(painter)
    expect_state(painter, "running")
    expect(painter).not_to_have_attribute("data-step", "0", timeout=WAIT)
    painter.get_by_test_id("stop").click()
    expect_state(painter, "idle")
    assert kernel_eval(page, HASHES) != first


def test_a_vector_learnt_from_the_edit_is_slid(painter: Locator) -> None:
    page = painter.page
    first = picture(painter)
    kernel_run(page, "painter.options = {'max_steps': 20}; shut = painter.ws.clone()")
    open_the_mouth(painter)
    apply_and_wait(painter)
    opened = another_picture(painter, first)
    painter.get_by_test_id("learn").click()
    painter.get_by_test_id("vector-name").fill("open wide")
    page.keyboard.press("Enter")
    expect(painter.get_by_test_id("vector-open wide")).to_be_visible(timeout=WAIT)
    painter.get_by_test_id("history-0").click()
    expect(painter.get_by_test_id("edits")).to_have_text("0 of 1 edits", timeout=WAIT)

    slide(painter, "open wide", 0.5)
    another_picture(painter, first, opened)
    assert kernel_eval(page, "painter.scales") == {"open wide": 0.5}
    slide(painter, "open wide", 1)
    expect(painter.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    # What was painted away from it is there again, up to rounding.
    assert kernel_eval(
        page,
        "float((painter.ws - shut - painter.vectors['open wide'].delta).abs().max())",
    ) == pytest.approx(0, abs=1e-5)
    painter.get_by_test_id("vector-open wide").dblclick(position={"x": 30, "y": 8})
    expect_settled(painter)
    assert kernel_eval(page, "painter.scales") == {}
    painter.get_by_test_id("history-0").click()
    expect_settled(painter)
    painter.get_by_test_id("forget-open wide").click()
    expect(painter.get_by_test_id("vector-open wide")).to_have_count(0, timeout=WAIT)


def test_the_keyboard_alone_paints_and_applies(painter: Locator) -> None:
    page = painter.page
    keyboard = page.keyboard
    kernel_run(page, "painter.options = {'max_steps': 8}")
    painter.get_by_test_id("map-stage").focus()
    keyboard.press("s")
    expect(painter).to_have_attribute("data-state", "error", timeout=WAIT)
    expect(painter.get_by_test_id("message")).to_contain_text("nothing is painted")
    keyboard.press("Shift+Digit6")
    expect(painter.get_by_test_id("part-inner_mouth")).to_have_attribute("aria-checked", "true")
    # From the middle, (64, 64), to the mouth.
    for key in ("Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowDown"):
        keyboard.press(key)
    keyboard.press("Enter")
    keyboard.press("Shift+ArrowRight")
    keyboard.press("Enter")
    expect(painter).to_have_attribute("data-strokes", "1", timeout=WAIT)
    expect_settled(painter)
    assert kernel_eval(page, PART_AT.format(x=70, y=94)) == "inner_mouth"
    first = kernel_eval(page, HASHES)
    keyboard.press("s")
    expect(painter.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(painter, "idle")
    assert kernel_eval(page, HASHES) != first
    keyboard.press("Control+z")
    expect(painter).to_have_attribute("data-strokes", "1", timeout=WAIT)
    assert kernel_eval(page, HASHES) == first


def test_every_tool_paints_what_the_page_shows_also_after_a_reload(painter: Locator) -> None:
    page = painter.page
    choose(painter, "left_brow")
    painter.get_by_test_id("mirror").click()
    paint_with_mouse(painter, [(40, 60), (52, 58), (47, 66)])
    painter.get_by_test_id("lasso").click()
    paint_with_mouse(painter, [(20, 10), (50, 12), (44, 30), (24, 28)])
    painter.get_by_test_id("line").click()
    choose(painter, "shirt")
    paint_with_mouse(painter, [(10, 100), (60, 120)])
    painter.get_by_test_id("mirror").click()
    painter.get_by_test_id("fill").click()
    choose(painter, "neck")
    paint_with_mouse(painter, [(35, 20)], on="canvas")
    painter.get_by_test_id("eraser").click()
    paint_with_mouse(painter, [(10, 100), (30, 108)])
    painter.get_by_test_id("move").click()
    choose(painter, "nose")
    x, y = kernel_eval(page, NOSE)
    paint_with_mouse(painter, [(x, y), (x - 9, y + 4)])
    assert kernel_eval(page, NOSE) == pytest.approx([x - 9, y + 4], abs=1)
    page.mouse.move(0, 0)
    labels, shown = shown_labels(painter), picture(painter)
    assert kernel_eval(page, "painter.labels.tolist()") == labels

    save(page)
    reopen(page)
    again = painter_on(page)
    expect(again).to_have_attribute("data-strokes", "6")
    assert shown_labels(again) == labels
    expect_picture(again, shown)
    again.get_by_test_id("restore").click()
    expect(again).to_have_attribute("data-strokes", "7", timeout=WAIT)
    assert kernel_eval(page, "bool((painter.labels == painter.original_labels).all())")
    again.get_by_test_id("undo").click()
    expect(again).to_have_attribute("data-strokes", "6", timeout=WAIT)
    assert shown_labels(again) == labels


def test_drag_and_paint_share_one_picture(lab: Server, page: Page) -> None:
    write_notebook(
        lab.notebooks / "both.ipynb",
        "from nbdrag import DragEditor, SegmentationPainter",
        "editor = DragEditor(seed=3)\neditor",
        "painter = SegmentationPainter(editor)\npainter",
    )
    open_notebook(page, lab, "both.ipynb")
    run_all(page)
    painter = painter_on(page)
    kernel_run(page, "painter.options = {'max_steps': 8}")
    choose(painter, "inner_mouth")
    paint_with_mouse(painter, MOUTH)
    apply_and_wait(painter)
    editor = page.get_by_test_id("drag-editor")
    editor.scroll_into_view_if_needed()
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    assert kernel_eval(page, "bool((editor.ws == painter.ws).all())")
    editor.get_by_test_id("undo").click()
    expect(editor.get_by_test_id("edits")).to_have_text("0 of 1 edits", timeout=WAIT)
    painter.scroll_into_view_if_needed()
    expect(painter).to_have_attribute("data-strokes", "1", timeout=WAIT)


def test_a_saved_notebook_shows_picture_and_parts_without_a_kernel(painter: Locator) -> None:
    page = painter.page
    keep_widgets(page)
    choose(painter, "inner_mouth")
    paint_with_mouse(painter, MOUTH)
    page.mouse.move(0, 0)
    # The wish is laid over the picture that has yet to follow it; what is saved is the picture.
    labels = shown_labels(painter)
    wait_in_kernel(page, "painter.saved['strokes'] == 1")
    save(page)
    page.evaluate("jupyterapp.shell.currentWidget.sessionContext.shutdown().then(() => undefined)")

    page.reload()
    page.wait_for_function("window.jupyterapp?.restored !== undefined")
    again = page.get_by_test_id("painter")
    expect(again).to_have_attribute("data-state", "static", timeout=WAIT)
    expect(again.get_by_test_id("map-canvas")).to_be_visible()
    assert shown_labels(again) == labels
    expect(again.get_by_test_id("part-inner_mouth")).to_be_visible()
    expect(again.get_by_test_id("apply")).to_be_disabled()


def test_what_the_mirror_moves_is_undone_at_once(painter: Locator) -> None:
    page = painter.page
    before = shown_labels(painter)
    painter.get_by_test_id("move").click()
    painter.get_by_test_id("mirror").click()
    choose(painter, "left_iris")
    x, y = kernel_eval(page, CENTRE.format(part="left_iris"))
    other = kernel_eval(page, CENTRE.format(part="right_iris"))
    paint_with_mouse(painter, [(x, y), (x - 4, y + 3)])
    assert kernel_eval(page, CENTRE.format(part="left_iris")) == pytest.approx([x - 4, y + 3])
    moved = [other[0] + 4, other[1] + 3]
    assert kernel_eval(page, CENTRE.format(part="right_iris")) == pytest.approx(moved)
    page.mouse.move(0, 0)
    assert kernel_eval(page, "painter.labels.tolist()") == shown_labels(painter)
    painter.get_by_test_id("undo").click()
    expect(painter).to_have_attribute("data-strokes", "0", timeout=WAIT)
    expect_settled(painter)
    assert shown_labels(painter) == before


def shown_labels(painter: Locator) -> list[list[int]]:
    """The map on the page, as labels: each pixel's colour, read at its centre, among the parts'."""
    return painter.evaluate(
        """async (painter) => {
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            const canvas = painter.querySelector('[data-testid="map-canvas"]');
            const { width, height } = canvas;
            const { data } = canvas.getContext("2d").getImageData(0, 0, width, height);
            const swatches = painter.querySelectorAll(".nb-part .nb-swatch");
            const colours = [...swatches].map((one) => one.style.background);
            const side = Math.min(width, height);
            const [left, top] = [(width - side) / 2, (height - side) / 2];
            const at = (x, y) => {
                const i = 4 * (Math.floor(top + (y + 0.5) * side / 128) * width
                    + Math.floor(left + (x + 0.5) * side / 128));
                return colours.indexOf(`rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})`);
            };
            const places = [...Array(128).keys()];
            return places.map((y) => places.map((x) => at(x, y)));
        }"""
    )
