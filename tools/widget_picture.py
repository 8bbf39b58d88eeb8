"""Draw docs/images/drag-editor*.png: the editor in JupyterLab, in the middle of a drag.

    python -m tools.widget_picture [--seed 0]

Real ones: a notebook server, a kernel, Chromium and a mouse, as in the tests of the browser. The
points stand on the corners of the mouth, as the toonfaces reader sees them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.browser.editor import drag_with_mouse, editor_on, place_pair, start_and_watch
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    IMAGES.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp())
    with jupyter_server("lab", home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for suffix, theme in THEMES.items():
            page = browser.new_page(viewport={"width": 1280, "height": 1000}, device_scale_factor=2)
            page.set_default_timeout(60_000)
            path = IMAGES / f"drag-editor{suffix}.png"
            draw(page, server, arguments.seed, theme, path)
            print(path)
        browser.close()
    shutil.rmtree(home)


def draw(page: Page, server: Server, seed: int, theme: str, path: Path) -> None:
    """Open an editor, mask the lower face, widen the mouth, and photograph it on its way."""
    name = f"{path.stem}.ipynb"
    code = f"from nbdrag import DragEditor\neditor = DragEditor(seed={seed})\neditor"
    write_notebook(server.notebooks / name, code)
    open_notebook(page, server, name)
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    run_all(page)
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
    editor.get_by_label("Drag editor").screenshot(path=path)
    editor.get_by_test_id("stop").click()


if __name__ == "__main__":
    main()
