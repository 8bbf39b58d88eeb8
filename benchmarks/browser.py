"""What arrives: from the click on Start to the first moving frame, and frames a second after that.

    python -m benchmarks.browser

A real JupyterLab, a kernel, and Chromium with a page of its own for every repeat, on one machine
together. The target is out of reach, so that the drag lasts; frames are counted where they are
drawn.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import tempfile
from pathlib import Path

import psutil
import torch
from playwright.sync_api import Browser, sync_playwright

from tests.browser.editor import editor_on, place_pair
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.servers import Server, jupyter_server

SECONDS = 4.0
CELLS = (
    "from nbdrag import DragEditor",
    "editor = DragEditor(options={'learning_rate': 1e-4})\neditor",
)
WATCH = """
async (editor, seconds) => {
    const frames = () => Number(editor.dataset.frames);
    const nextFrame = () => new Promise(requestAnimationFrame);
    const before = frames();
    const clicked = performance.now();
    editor.querySelector('[data-testid="start"]').click();
    while (frames() === before) await nextFrame();
    const first = performance.now();
    const at = frames();
    while (performance.now() < first + 1000 * seconds) await nextFrame();
    const elapsed = (performance.now() - first) / 1000;
    return {
        start_to_first_frame_s: (first - clicked) / 1000,
        frames_per_second: (frames() - at) / elapsed,
        steps_per_second: Number(editor.dataset.step) / elapsed,
    };
}
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/browser.json"))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    rows = []
    with jupyter_server("lab", home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for repeat in range(arguments.repeats + 1):
            rows.append(once(browser, server, repeat))
            print(rows[-1], flush=True)
        browser.close()
    shutil.rmtree(home)
    results = {
        "command": "python -m benchmarks.browser",
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, browser included",
        "torch": torch.__version__,
        # The first page fills caches and is not counted.
        **{name: round(statistics.median(row[name] for row in rows[1:]), 3) for name in rows[0]},
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def once(browser: Browser, server: Server, repeat: int) -> dict[str, float]:
    """One page, one kernel, one drag."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    name = f"drag-{repeat}.ipynb"
    write_notebook(server.notebooks / name, *CELLS)
    open_notebook(page, server, name)
    run_all(page)
    editor = editor_on(page)
    place_pair(editor, (64, 92), (64, 124))
    figures: dict[str, float] = editor.evaluate(WATCH, SECONDS)
    pid = kernel_eval(page, "__import__('os').getpid()")
    figures["kernel_mib"] = psutil.Process(pid).memory_info().rss / 2**20
    page.close()
    return figures


if __name__ == "__main__":
    main()
