"""The part painter as a person sees it: its map, its picture, its sliders, and what a hand does.

What a painter has in common with the drag editor is in `editor`; coordinates are image pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

from tests.browser.editor import WAIT, Point, expect_settled, expect_state, on_page

MAP = "map-canvas"
ANY = re.compile(".")


def painter_on(page: Page) -> Locator:
    """The one painter on a page, once it shows a picture and its parts."""
    painter = page.get_by_test_id("painter")
    expect_state(painter, "idle")
    expect_parts(painter)
    expect(painter).not_to_have_attribute("data-frames", "0", timeout=WAIT)
    painter.scroll_into_view_if_needed()
    return painter


def expect_parts(painter: Locator) -> None:
    """Wait until the kernel has found the parts of the picture shown."""
    expect(painter).to_have_attribute("data-labels", ANY, timeout=WAIT)


def choose(painter: Locator, part: str) -> None:
    """Choose a part in the legend."""
    entry = painter.get_by_test_id(f"part-{part}")
    entry.click()
    expect(entry).to_have_attribute("aria-checked", "true")


def paint_with_mouse(painter: Locator, path: Sequence[Point], *, on: str = MAP) -> None:
    """Press at the first point, move along the others, release at the last; one stroke."""
    before = int(painter.get_attribute("data-strokes") or 0)
    mouse = painter.page.mouse
    mouse.move(*on_page(painter, path[0], canvas=on))
    mouse.down()
    for point in path[1:]:
        mouse.move(*on_page(painter, point, canvas=on), steps=4)
    mouse.up()
    expect(painter).to_have_attribute("data-strokes", str(before + 1), timeout=WAIT)
    expect_settled(painter)


def slide(painter: Locator, vector: str, scale: float) -> None:
    """Move a slider, and wait until the kernel has it."""
    slider = painter.get_by_test_id(f"vector-{vector}")
    slider.fill(str(scale))
    expect_settled(painter)
