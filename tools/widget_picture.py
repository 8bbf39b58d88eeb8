"""Draw docs/images/drag-editor*.png and others: the widgets in JupyterLab, at work.

    python -m tools.widget_picture [drag] [follow] [paint] [batch]

Real ones: a notebook server, a kernel, Chromium and a mouse, as in the tests of the browser. The
drag's points stand on the corners of the mouth, as the toonfaces reader sees them; what is held is
the middle of the face; what is painted is a smile around the mouth that the part map has. What is
sent to a batch is a head that was turned to the front by its nose.
"""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from tests.browser.editor import (
    WAIT,
    drag_with_mouse,
    editor_on,
    expect_settled,
    expect_state,
    on_page,
    place_pair,
    start_and_watch,
)
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.painter import MAP, choose, paint_with_mouse, painter_on
from tests.browser.servers import Server, jupyter_server

IMAGES = Path(__file__).parent.parent / "docs" / "images"
THEMES = {"": "JupyterLab Light", "-dark": "JupyterLab Dark"}
CORNERS = """
import torch
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import load_reader
with torch.no_grad():
    found = load_reader()(editor.generator.synthesis(editor.ws[None]).image).landmarks[0]
corners = [found[LANDMARKS.index(name)].tolist() for name in ("mouth_left", "mouth_right")]
editor.options = {"learning_rate": editor.options.learning_rate / 8}  # slow enough to be seen
"""

MOUTH = """
import numpy as np
names = [part.name for part in painter.parts]
places = np.isin(painter.labels, [names.index("lips"), names.index("inner_mouth")]).nonzero()
mouth = [float(along.mean()) for along in places[::-1]]
"""
FRONT = """
from nbdrag import DragEditor
editor = DragEditor(seed=24, options={"space": "w"})
editor.points = [[80, 71, 64, 71]]
editor.start()
await editor.wait()
preview = editor.to_batch(name="face front")
preview
"""
LEFT_OUT = 12
FAR = re.compile(r"step [6-9]\d ")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("widgets", nargs="*", choices=WIDGETS, default=list(WIDGETS))
    arguments = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp())
    with jupyter_server("lab", home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for widget in arguments.widgets:
            name, code, width, draw = WIDGETS[widget]
            for suffix, theme in THEMES.items():
                page = browser.new_page(
                    viewport={"width": width, "height": 1000}, device_scale_factor=2
                )
                page.set_default_timeout(WAIT)
                show(page, server, f"{widget}{suffix}.ipynb", code, theme)
                stem, ending = name.split(".")
                path = IMAGES / f"{stem}{suffix}.{ending}"
                draw(page).screenshot(path=path, quality=88 if ending == "jpg" else None)
                print(path)
                page.close()
        browser.close()
    shutil.rmtree(home)


def show(page: Page, server: Server, name: str, code: str, theme: str) -> None:
    """Open a notebook with one widget."""
    write_notebook(server.notebooks / name, code)
    open_notebook(page, server, name)
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    run_all(page)


def drag(page: Page) -> Locator:
    """Mask the lower face, widen the mouth, and stop the time on the way."""
    editor = editor_on(page)
    (left_x, left_y), (right_x, right_y) = kernel_eval(page, "corners", after=CORNERS)
    wide, y = right_x - left_x, (left_y + right_y) / 2
    editor.get_by_test_id("lasso").click()
    drag_with_mouse(
        editor,
        [
            (left_x + wide * (0.5 + across), y + wide * down)
            for across, down in (
                (-1.15, -0.3), (-1.05, 0.25), (-0.75, 0.85), (-0.35, 1.15), (0.35, 1.15),
                (0.75, 0.85), (1.05, 0.25), (1.15, -0.3), (0, -0.55),
            )
        ],
    )  # fmt: skip
    editor.get_by_test_id("points").click()
    place_pair(editor, (left_x, left_y), (left_x - 4, left_y - 5))
    place_pair(editor, (right_x, right_y), (right_x + 4, right_y - 5))
    page.mouse.move(0, 0)
    start_and_watch(editor, 16)
    return editor.get_by_label("Drag editor")


def follow(page: Page) -> Locator:
    """Turn a head by its nose, and hold it there."""
    editor, mouse = editor_on(page), page.mouse
    canvas = editor.get_by_test_id("canvas").element_handle()
    mouse.move(*on_page(editor, (66, 76)))
    mouse.down()
    for x in range(68, 83, 2):
        before = canvas.evaluate("canvas => canvas.toDataURL()")
        mouse.move(*on_page(editor, (x, 76)))
        page.wait_for_function(
            "([canvas, before]) => canvas.toDataURL() !== before",
            arg=[canvas, before],
            timeout=WAIT,
        )
    return editor.get_by_label("Drag editor")


def paint(page: Page) -> Locator:
    """Paint the mouth open, let the picture follow, and look at it on the way, brush in hand."""
    painter = painter_on(page)
    x, y = kernel_eval(page, "mouth", after=MOUTH)
    for part, radius in (("lips", 7), ("inner_mouth", 4)):
        choose(painter, part)
        painter.get_by_test_id("radius").fill(str(radius))
        paint_with_mouse(painter, [(x - 5, y + 3), (x + 5, y + 3)])
    painter.get_by_test_id("apply").click()
    page.mouse.move(*on_page(painter, (x + 5, y + 3), canvas=MAP))
    expect(painter.get_by_test_id("step")).to_contain_text(FAR, timeout=WAIT)
    return painter.get_by_label("Part painter")


def batch(page: Page) -> Locator:
    """Send a drag to the front to a page of others; leave one out, and look at another closely."""
    preview = page.get_by_test_id("batch-preview")
    preview.get_by_test_id("stop").wait_for()
    expect_state(preview, "idle")
    preview.get_by_test_id(f"pictures-{LEFT_OUT}").click()
    preview.get_by_test_id("own-5").fill(str(kernel_eval(page, "float(preview.alphas[5]) * 0.5")))
    expect_settled(preview)
    page.mouse.move(0, 0)
    expect(preview.get_by_test_id("after-5")).to_have_attribute("data-picture", "shown")
    expect(preview.get_by_test_id("tile-5")).to_have_attribute("data-own", "true")
    preview.get_by_test_id("grid").evaluate("grid => grid.blur()")
    page.wait_for_function(
        "preview => [...preview.querySelectorAll('.nb-tile')].every((t) => t.dataset.alpha)",
        arg=preview.element_handle(),
    )
    return preview.get_by_label("Batch preview")


WIDGETS: dict[str, tuple[str, str, int, Callable[[Page], Locator]]] = {
    "drag": (
        "drag-editor.png",
        "from nbdrag import DragEditor\neditor = DragEditor(seed=0)\neditor",
        1280,
        drag,
    ),
    "follow": (
        "drag-follow.png",
        "from nbdrag import DragEditor\neditor = DragEditor(seed=27)\neditor.follow = True\neditor",
        1280,
        follow,
    ),
    "paint": (
        "part-painter.png",
        "from nbdrag import SegmentationPainter\npainter = SegmentationPainter(seed=3)\npainter",
        1400,
        paint,
    ),
    "batch": ("batch-preview.jpg", FRONT.strip(), 1240, batch),
}


if __name__ == "__main__":
    main()
