"""The drag editor as a person sees it: its picture, its points, and what a hand does to it.

Works in every host: a test gives the editor's locator, and coordinates are image pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from playwright.sync_api import Locator, Page, expect

WAIT = 60_000  # milliseconds; a limit, not a pause

Point = tuple[float, float]

# The lower lip of the portrait with seed 27, and where it goes when the mouth opens.
LIP: Point = (66.0, 88.0)
OPEN: Point = (66.0, 96.0)


def editor_on(page: Page) -> Locator:
    """The one editor on a page, once it shows a picture from the kernel."""
    editor = page.get_by_test_id("drag-editor")
    expect_state(editor, "idle")
    expect(editor).not_to_have_attribute("data-frames", "0", timeout=WAIT)
    editor.scroll_into_view_if_needed()
    return editor


def expect_state(editor: Locator, state: str) -> None:
    """Wait until the editor says that it is in a state; an error is none that one waits for."""
    either = re.compile(f"^({state}|error|gone)$")
    expect(editor).to_have_attribute("data-state", either, timeout=WAIT)
    message = editor.get_by_test_id("message")
    said = message.inner_text() if message.is_visible() else ""
    assert editor.get_attribute("data-state") == state, said


def expect_settled(editor: Locator) -> None:
    """Wait until the kernel has answered all that was done on the page.

    Where comms have a subshell of their own, a question to the kernel may overtake them.
    """
    expect(editor).to_have_attribute("data-settled", "true", timeout=WAIT)


def on_page(
    editor: Locator, point: Point, resolution: int = 128, *, canvas: str = "canvas"
) -> Point:
    """Where a point of the image lies on the page, while a canvas shows all of the image."""
    box = editor.get_by_test_id(canvas).bounding_box()
    assert box is not None
    scale = min(box["width"], box["height"]) / resolution
    return (
        box["x"] + box["width"] / 2 + (point[0] - resolution / 2) * scale,
        box["y"] + box["height"] / 2 + (point[1] - resolution / 2) * scale,
    )


def place_pair(editor: Locator, handle: Point, target: Point) -> None:
    """Click a handle, then its target."""
    mouse = editor.page.mouse
    before = len(points(editor))
    mouse.click(*on_page(editor, handle))
    mouse.click(*on_page(editor, target))
    expect(editor.get_by_test_id(f"target-{before + 1}")).to_be_visible()
    expect_settled(editor)


def drag_with_mouse(editor: Locator, path: Sequence[Point]) -> None:
    """Press at the first point, move along the others, release at the last."""
    mouse = editor.page.mouse
    mouse.move(*on_page(editor, path[0]))
    mouse.down()
    for point in path[1:]:
        mouse.move(*on_page(editor, point), steps=4)
    mouse.up()
    expect_settled(editor)


def points(editor: Locator) -> list[list[float]]:
    """The pairs that the page shows: [handle x, handle y, target x, target y] each."""
    return editor.evaluate(
        """(editor) => {
            const point = (role, i) => {
                const { x, y } = editor.querySelector(`[data-testid="${role}-${i}"]`).dataset;
                return [Number(x), Number(y)];
            };
            const pairs = editor.querySelectorAll('[data-testid^="handle-"]').length;
            return Array.from({ length: pairs }, (_, i) =>
                [...point("handle", i + 1), ...point("target", i + 1)]);
        }"""
    )


def picture(editor: Locator) -> str:
    """The pixels of the picture at rest, as a data URL; equal pixels give equal strings."""
    expect(editor).to_have_attribute("data-final", "true", timeout=WAIT)
    pixels = editor.get_by_test_id("canvas").evaluate(
        """async (canvas) => {
            for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
            return canvas.toDataURL();
        }"""
    )
    return str(pixels)


def another_picture(editor: Locator, *known: str) -> str:
    """The pixels of the picture at rest, once they are none of those known.

    A picture travels by itself: it may come after the answer to what led to it.
    """
    canvas = editor.get_by_test_id("canvas").element_handle()
    editor.page.wait_for_function(
        "([canvas, known]) => !known.includes(canvas.toDataURL())",
        arg=[canvas, list(known)],
        timeout=WAIT,
    )
    return picture(editor)


def start_and_watch(editor: Locator, count: int) -> None:
    """Press Start, and wait until the canvas has shown that many pictures, one look per frame."""
    seen = editor.get_by_test_id("canvas").evaluate_handle(
        """(canvas, count) => {
            const seen = new Set();
            const look = () => {
                seen.add(canvas.toDataURL());
                if (seen.size < count) requestAnimationFrame(look);
            };
            look();
            return seen;
        }""",
        count,
    )
    editor.get_by_test_id("start").click()
    editor.page.wait_for_function(
        "([seen, count]) => seen.size >= count", arg=[seen, count], timeout=WAIT
    )


def expect_picture(editor: Locator, expected: str) -> None:
    """Wait until the canvas shows exactly these pixels."""
    editor.get_by_test_id("canvas").evaluate(
        """async (canvas, [expected, limit]) => {
            const deadline = performance.now() + limit;
            while (canvas.toDataURL() !== expected) {
                if (performance.now() > deadline) throw new Error("the picture is another one");
                await new Promise(requestAnimationFrame);
            }
        }""",
        [expected, WAIT],
    )
