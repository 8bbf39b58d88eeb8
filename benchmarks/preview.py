"""How fast a batch follows its slider: 24 pictures of 128 px, from the move to the pixels.

    python -m benchmarks.preview

In a process: a view has 24 pictures in sight; the strength is set, and the stream makes and encodes
them by hand, on one thread. Marks stand at the move, at the first tiles sent and at the last.

In JupyterLab and Chromium, on one machine together, the kernel on one thread: from the event that
the slider has moved to the frame in which the last of the 24 tiles in sight shows the strength that
it says. Every move waits until all is at rest; the kernel's processor time is that of a whole move,
for these, a row that is near and the example. Then the slider is moved with every frame of the
page, and new pictures are counted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from playwright.sync_api import sync_playwright

import nbdrag
from nbdrag.runtime.tiles import TilePictures, TileStream
from nbdrag.widgets.batch_state import BatchState
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.servers import jupyter_server

Figures = dict[str, Any]

IN_SIGHT = 24
PICTURES = 1000
MOVES = 30
WIDTH = 1236  # of the browser's window: three rows of eight are in sight
SECONDS = 4.0

EDIT = """
import nbdrag
generator = nbdrag.load_generator("toonfaces-128")
learnt = nbdrag.EditLibrary.packaged(generator)["open mouth"]
example = nbdrag.sample(generator, seed=27, truncation=0.7)
direction = nbdrag.EditDirection(learnt.delta, learnt.name, learnt.generator_hash,
    learnt.generator, normal=learnt.delta, example=example)
"""
SHOW = f"preview = nbdrag.BatchPreview(direction, range({PICTURES}), generator)\npreview"

ON_PAGE = """
([preview, count]) => {
    const slider = preview.querySelector('[data-testid="strength"]');
    const tiles = () => [...preview.querySelectorAll(".nb-tile")].slice(0, count);
    const isFresh = (tile) => {
        const said = tile.querySelector(".nb-alpha").textContent.replace("α ", "");
        return Math.abs(Number(tile.dataset.alpha) - Number(said.replace("−", "-"))) < 0.006;
    };
    window.preview = preview;
    window.nextFrame = () => new Promise(requestAnimationFrame);
    window.fresh = () => tiles().filter(isFresh).length;
    window.set = (value, done) => {
        slider.value = `${value}`;
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        if (done) slider.dispatchEvent(new Event("change", { bubbles: true }));
    };
    window.rest = async () => {
        for (let calm = 0; calm < 20; calm++) {
            await nextFrame();
            if (fresh() < count || preview.dataset.settled !== "true") calm = 0;
        }
    };
}
"""
MOVE = """
async ([count, moves]) => {
    const first = [], last = [];
    for (let i = 0; i < moves; i++) {
        await rest();
        const begin = performance.now();
        set(i % 2 ? 0.2 + i / 100 : 1.8 - i / 100, true);
        while (fresh() === count) await nextFrame();
        while (fresh() === 0) await nextFrame();
        first.push(performance.now() - begin);
        while (fresh() < count) await nextFrame();
        last.push(performance.now() - begin);
    }
    await rest();
    return { first, last };
}
"""
KEEP_MOVING = """
async (seconds) => {
    let drawn = 0;
    const observer = new MutationObserver((changes) => { drawn += changes.length; });
    observer.observe(preview, { subtree: true, attributeFilter: ["data-alpha"] });
    const begin = performance.now();
    while (performance.now() < begin + 1000 * seconds) {
        await nextFrame();
        set(1 + Math.sin((performance.now() - begin) / 500), false);
    }
    observer.disconnect();
    return drawn / ((performance.now() - begin) / 1000);
}
"""
COMPUTED = "__import__('time').process_time()"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/preview.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    figures: Figures = {
        "command": "python -m benchmarks.preview",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, one thread",
        "pictures": PICTURES,
        "in_sight": IN_SIGHT,
        "resolution": 128,
        "moves": MOVES,
        "process": in_process(),
        "browser": in_browser(),
    }
    arguments.out.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


def in_process() -> Figures:
    """Medians over moves: processor time to the first tiles, to the last, and of bare synthesis."""
    names: dict[str, Any] = {}
    exec(EDIT, names)  # the very program that the notebook runs
    generator, direction = names["generator"], names["direction"]
    ws = torch.stack([nbdrag.sample(generator, seed, 0.7) for seed in range(IN_SIGHT)])
    state = BatchState(generator, ws, [str(i) for i in range(IN_SIGHT)], direction)
    pictures = TilePictures(generator, state.latent)
    marks: list[float] = []
    stream = TileStream(
        state.tiles,
        pictures.encoded,
        lambda seq, tiles, data: (marks.append(time.process_time()), stream.ack(seq)),
        at_once=pictures.at_once,
    )
    stream.look(1, range(IN_SIGHT))
    rows = []
    for move in range(MOVES + 1):
        marks.clear()
        begin = time.process_time()
        state.set_strength(0.2 + move / 50)
        while stream.pump() == 0.0:
            pass
        rows.append((marks[0] - begin, marks[-1] - begin))
    bare = []
    for _ in range(5):
        begin = time.process_time()
        with torch.no_grad():
            for some in state.direction.apply(ws).split(pictures.at_once):
                generator.synthesis(some)
        bare.append(time.process_time() - begin)
    first, last = zip(*rows[1:], strict=True)  # the first move shows what was there before, too
    return {
        "first_ms": in_ms(statistics.median(first)),
        "last_ms": in_ms(statistics.median(last)),
        "slowest_ms": in_ms(max(last)),
        "bare_synthesis_ms": in_ms(statistics.median(bare)),
    }


def in_browser() -> Figures:
    """Medians over moves: time to the first tile drawn, and to the last."""
    home = Path(tempfile.mkdtemp())
    with (
        jupyter_server("lab", home, environment={"OMP_NUM_THREADS": "1"}) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        write_notebook(server.notebooks / "preview.ipynb", EDIT, SHOW)
        open_notebook(page, server, "preview.ipynb")
        run_all(page)
        preview = page.get_by_test_id("batch-preview")
        preview.scroll_into_view_if_needed()
        columns = preview.get_by_test_id("grid").get_attribute("data-columns")
        if columns != "8":
            raise SystemExit(f"{columns} tiles stand in a row, and 8 are meant to; change WIDTH")
        page.evaluate(ON_PAGE, [preview.element_handle(), IN_SIGHT])
        page.evaluate("rest()")
        computed = kernel_eval(page, COMPUTED)
        found = page.evaluate(MOVE, [IN_SIGHT, MOVES])
        computed = kernel_eval(page, COMPUTED) - computed
        drawn = page.evaluate(KEEP_MOVING, SECONDS)
        threads = kernel_eval(page, "__import__('torch').get_num_threads()")
        browser.close()
    shutil.rmtree(home)
    first, last = found["first"], found["last"]
    return {
        "first_ms": round(statistics.median(first), 1),
        "last_ms": round(statistics.median(last), 1),
        "slowest_ms": round(max(last), 1),
        "kernel_processor_ms": in_ms(computed / MOVES),
        "drawn_per_second": round(drawn, 1),
        "load": round(os.getloadavg()[0], 1),
        "threads": threads,
    }


def in_ms(seconds: float) -> float:
    """Milliseconds, to a tenth."""
    return round(1000 * seconds, 1)


if __name__ == "__main__":
    main()
