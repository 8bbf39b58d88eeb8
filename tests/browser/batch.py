"""The batch preview as a person sees it: its tiles, and what a hand does to its sliders.

Works in every host: a test gives the preview's locator.
"""

from __future__ import annotations

from playwright.sync_api import Locator, Page

from tests.browser.editor import WAIT, expect_settled, expect_state

CELLS = (
    "import nbdrag\n"
    "generator = nbdrag.load_generator('toonfaces-128')\n"
    "edits = nbdrag.EditLibrary.packaged(generator)\n"
    "before = nbdrag.sample(generator, seed=27, truncation=0.7)\n"
    "learnt = edits['longer hair']\n"
    "direction = nbdrag.EditDirection(learnt.delta, 'longer hair', learnt.generator_hash,\n"
    "    learnt.generator, normal=learnt.delta, example=before)",
    "preview = nbdrag.BatchPreview(direction, range(240), generator)\npreview",
)


def preview_on(page: Page) -> Locator:
    """The one preview on a page, once it shows the pictures in sight."""
    preview = page.get_by_test_id("batch-preview")
    expect_state(preview, "idle")
    preview.scroll_into_view_if_needed()
    expect_fresh(preview)
    return preview


def expect_fresh(preview: Locator) -> None:
    """Wait until every tile in the document shows the strength that it says."""
    expect_settled(preview)
    preview.page.wait_for_function(
        """(preview) => {
            const tiles = [...preview.querySelectorAll(".nb-tile")];
            return tiles.length > 0 && tiles.every((tile) => {
                const said = tile.querySelector(".nb-alpha").textContent.replace("α ", "");
                const shown = Number(tile.dataset.alpha);
                return Math.abs(shown - Number(said.replace("−", "-"))) < 0.006;
            });
        }""",
        arg=preview.element_handle(),
        timeout=WAIT,
    )


def pixels(preview: Locator, item: int, which: str = "after") -> str:
    """The pixels of a tile, as a data URL."""
    canvas = preview.get_by_test_id(f"{which}-{item}")
    return str(canvas.evaluate("canvas => canvas.toDataURL()"))


def drag_slider(preview: Locator, test_id: str, share: float, *, steps: int = 12) -> None:
    """Drag a slider's thumb with the mouse to a share of its way."""
    slider = preview.get_by_test_id(test_id)
    slider.hover()
    box = slider.bounding_box()
    assert box is not None
    low, high, value = (
        float(slider.evaluate(f"slider => slider.{name}")) for name in ("min", "max", "value")
    )
    inset = 6.5 if test_id == "strength" else 5  # half a thumb
    room = box["width"] - 2 * inset

    def at(part: float) -> float:
        return box["x"] + inset + part * room

    y = box["y"] + box["height"] / 2
    mouse = preview.page.mouse
    mouse.move(at((value - low) / (high - low)), y)
    mouse.down()
    mouse.move(at(share), y, steps=steps)
    mouse.up()
