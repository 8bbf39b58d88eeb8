"""A newcomer opens the quickstart in JupyterLab and drags, in a real browser."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.editor import (
    LIP,
    OPEN,
    WAIT,
    another_picture,
    drag_with_mouse,
    editor_on,
    expect_picture,
    expect_state,
    picture,
    place_pair,
    points,
    start_and_watch,
)
from tests.browser.lab import kernel_eval, kernel_run, open_notebook, reopen, run_all, save
from tests.browser.servers import Server

QUICKSTART = Path(__file__).parents[2] / "notebooks" / "quickstart.ipynb"

AROUND_THE_MOUTH = [(44.0, 84.0), (84.0, 84.0), (84.0, 108.0), (44.0, 108.0), (44.0, 84.0)]

IMAGE_HASH = "__import__('hashlib').sha256(editor.image.tobytes()).hexdigest()"
WS_HASH = "__import__('hashlib').sha256(editor.ws.detach().numpy().tobytes()).hexdigest()"


@pytest.fixture
def editor(lab: Server, page: Page, request: pytest.FixtureRequest) -> Locator:
    """The quickstart's editor, in a copy of the notebook that is this test's own."""
    name = f"{request.node.name}.ipynb"
    shutil.copy(QUICKSTART, lab.notebooks / name)
    open_notebook(page, lab, name)
    run_all(page)
    return editor_on(page)


def test_the_mouth_opens_and_undo_closes_it(editor: Locator) -> None:
    page = editor.page
    first = picture(editor)
    first_in_kernel = kernel_eval(page, f"[{IMAGE_HASH}, {WS_HASH}]")

    place_pair(editor, LIP, OPEN)
    [pair] = points(editor)
    assert pair == pytest.approx([*LIP, *OPEN], abs=0.5)
    assert kernel_eval(page, "np_list(editor.points)", after=NP_LIST) == [pair]

    start_and_watch(editor, 5)
    expect_state(editor, "idle")

    # It has arrived: on the page, and in the kernel.
    [[x, y, *goal]] = points(editor)
    assert math.dist((x, y), goal) <= 1.0
    assert goal == pytest.approx(pair[2:])
    [tracked] = kernel_eval(page, "np_list(editor.points)", after=NP_LIST)
    assert tracked == pytest.approx([x, y, *goal], abs=1e-3)
    last = another_picture(editor, first)
    last_in_kernel = kernel_eval(page, f"[{IMAGE_HASH}, {WS_HASH}]")
    assert last_in_kernel[0] != first_in_kernel[0]

    editor.get_by_test_id("undo").click()
    expect_picture(editor, first)
    assert kernel_eval(page, f"[{IMAGE_HASH}, {WS_HASH}]") == first_in_kernel
    editor.get_by_test_id("redo").click()
    expect_picture(editor, last)
    assert kernel_eval(page, f"[{IMAGE_HASH}, {WS_HASH}]") == last_in_kernel


def test_what_lies_outside_a_drawn_mask_stays(editor: Locator) -> None:
    page = editor.page
    kernel_run(page, "import numpy as np; before = np.asarray(editor.image, dtype=float)")
    editor.get_by_test_id("lasso").click()
    drag_with_mouse(editor, AROUND_THE_MOUTH)
    mask = kernel_eval(page, "None if editor.mask is None else np.asarray(editor.mask).tolist()")
    assert mask is not None
    assert mask[96][64]
    assert not mask[20][20]
    inside = sum(map(sum, mask))
    assert inside == pytest.approx(40 * 24, rel=0.1)

    editor.get_by_test_id("points").click()
    place_pair(editor, LIP, OPEN)
    start_and_watch(editor, 3)
    expect_state(editor, "idle")
    # The same drag without a mask, for comparison.
    inside_change, outside_change, unmasked = kernel_eval(
        page,
        "[change[mask].mean(), change[~mask].mean(), free[~mask].mean()]",
        after="*_, last = nbdrag.drag(generator, editor.history[0].ws, "
        f"handles=[{LIP}], targets=[{OPEN}])\n"
        "unmasked = nbdrag.to_pil(generator.synthesis(last.ws[None]).image[0])\n"
        "change = abs(np.asarray(editor.image, dtype=float) - before).mean(-1)\n"
        "free = abs(np.asarray(unmasked, dtype=float) - before).mean(-1)\n"
        "mask = np.asarray(editor.mask)",
    )
    assert inside_change > 2 * outside_change
    assert outside_change < unmasked


def test_stop_in_mid_flight(editor: Locator) -> None:
    page = editor.page
    # Too far to arrive: without Stop it would go on to the step limit.
    place_pair(editor, LIP, (LIP[0], 126.0))
    start_and_watch(editor, 3)
    expect_state(editor, "running")
    editor.get_by_test_id("stop").click()
    expect_state(editor, "idle")
    assert kernel_eval(page, "editor.running") is False
    stopped_at = int(editor.get_attribute("data-step") or 0)
    limit = kernel_eval(page, "editor.options.max_steps")
    assert 0 < stopped_at < limit
    [[x, y, *goal]] = points(editor)
    assert math.dist((x, y), goal) > 1
    # The picture it stopped at is an edit like any other.
    expect(editor.get_by_test_id("undo")).to_be_enabled()
    editor.get_by_test_id("undo").click()
    expect(editor.get_by_test_id("redo")).to_be_enabled()


def test_a_reload_brings_all_of_it_back(editor: Locator) -> None:
    page = editor.page
    editor.get_by_test_id("brush").click()
    drag_with_mouse(editor, [(50, 95), (78, 95)])
    editor.get_by_test_id("points").click()
    place_pair(editor, LIP, OPEN)
    start_and_watch(editor, 3)
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(editor, "idle")
    shown, pairs = picture(editor), points(editor)
    edits = editor.get_by_test_id("edits").inner_text()
    save(page)

    reopen(page)
    again = editor_on(page)
    expect_picture(again, shown)
    assert points(again) == pairs
    assert again.get_by_test_id("edits").inner_text() == edits
    again.get_by_test_id("undo").click()
    expect(again.get_by_test_id("redo")).to_be_enabled()


NP_LIST = "import numpy as np\ndef np_list(values): return np.asarray(values).tolist()"
