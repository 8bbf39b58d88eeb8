"""What arrives: from a hand on the page to the picture on it, in JupyterLab and a real browser.

    python -m benchmarks.browser            # all of these
    python -m benchmarks.browser drag
    python -m benchmarks.browser slider
    python -m benchmarks.browser follow

A JupyterLab, a kernel and Chromium, on one machine together.

*drag*: from the click on Start to the first moving frame, and frames a second after that. The
target is out of reach, so that the drag lasts; frames are counted where they are drawn.

*slider*: from the event that a slider has moved to the moment at which the canvas is drawn with the
picture that comes of it. Every move waits until all is at rest. Page and kernel read one clock, so
that the time can be divided: until the kernel begins; until it has sent the picture; until that is
drawn. Then the slider is moved with every frame of the page, and pictures are counted.

*follow*: the same for a hand that holds a handle. While it moves with every frame of the page, each
picture that is drawn tells where the hand was that it shows, and so how far it lags behind.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.editor import editor_on, on_page, place_pair
from tests.browser.lab import kernel_eval, kernel_run, open_notebook, run_all, write_notebook
from tests.browser.painter import painter_on
from tests.browser.servers import Server, jupyter_server

Figures = dict[str, Any]

# ------------------------------------------------------------------------------------------ drag

SECONDS = 4.0
DRAG = (
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


def drag(browser: Browser, server: Server, repeats: int) -> Figures:
    """Medians over drags, each on a page and in a kernel of its own."""
    rows = []
    for repeat in range(repeats + 1):
        page = opened(browser, server, f"drag-{repeat}.ipynb", DRAG)
        editor = editor_on(page)
        place_pair(editor, (64, 92), (64, 124))
        row: dict[str, float] = editor.evaluate(WATCH, SECONDS)
        pid = kernel_eval(page, "__import__('os').getpid()")
        row["kernel_mib"] = psutil.Process(pid).memory_info().rss / 2**20
        page.close()
        rows.append(row)
        print(row, flush=True)
    # The first page fills caches and is not counted.
    return {name: round(statistics.median(row[name] for row in rows[1:]), 3) for name in rows[0]}


# ---------------------------------------------------------------------------------------- slider

MOVES = 40  # on every page
SLIDER = (
    "from nbdrag import SegmentationPainter",
    "painter = SegmentationPainter()\npainter",
)
# Notes when a picture that wasn't there before is drawn on the picture's canvas.
DRAWN = """
(() => {
    const seen = new WeakSet();
    const draw = CanvasRenderingContext2D.prototype.drawImage;
    window.drawn = [];
    CanvasRenderingContext2D.prototype.drawImage = function (source, ...place) {
        const isPicture = source instanceof ImageBitmap && this.canvas.dataset.testid === "canvas";
        if (isPicture && !seen.has(source)) {
            seen.add(source);
            window.drawn.push(performance.timeOrigin + performance.now());
        }
        return draw.call(this, source, ...place);
    };
})()
"""
# Notes when the kernel begins with a slide, when it has sent a picture, and how long it computed.
TIMED = """
import functools, time
from nbdrag.widgets.session import Session
from nbdrag.widgets.widget import SessionWidget

begun, sent = [], []

def timed_slide(session, scales, slide=Session.slide):
    begun.append((1000 * time.time(), 1000 * time.process_time()))
    return slide(session, scales)

def timed_send(widget, content, buffers, send=SessionWidget._send_custom):
    send(widget, content, buffers)
    if content["kind"] == "frame":
        sent.append((1000 * time.time(), 1000 * time.process_time()))

Session.slide, SessionWidget._send_custom = timed_slide, timed_send
painter._wire._send = painter._send_custom
"""
MOVE = """
async (painter, moves) => {
    const slider = painter.querySelector('[data-testid="vector-smile"]');
    const nextFrame = () => new Promise(requestAnimationFrame);
    const times = [];
    for (let i = 0; i < moves; i++) {
        for (let calm = 0; calm < 20; calm++) {
            await nextFrame();
            if (painter.dataset.final !== "true" || painter.dataset.settled !== "true") calm = 0;
        }
        const before = window.drawn.length;
        const moved = performance.timeOrigin + performance.now();
        slider.value = String(0.1 + ((i * 7) % 13) / 13);
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        while (window.drawn.length === before) await nextFrame();
        times.push(moved);
    }
    return [times, window.drawn];
}
"""
KEEP_MOVING = """
async (painter, seconds) => {
    const slider = painter.querySelector('[data-testid="vector-smile"]');
    const before = window.drawn.length;
    const began = performance.now();
    for (let now = began; now < began + 1000 * seconds; now = performance.now()) {
        slider.value = String(Math.sin((now - began) / 300));
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        await new Promise(requestAnimationFrame);
    }
    return (window.drawn.length - before) / ((performance.now() - began) / 1000);
}
"""


def slider(browser: Browser, server: Server, repeats: int) -> Figures:
    """How long a moved slider's picture takes; medians and others over all pages' moves."""
    rows: list[dict[str, float]] = []
    rates = []
    for repeat in range(repeats + 1):
        page = opened(browser, server, f"slider-{repeat}.ipynb", SLIDER, script=DRAWN)
        painter = painter_on(page)
        kernel_run(page, TIMED)
        times, drawn = painter.evaluate(MOVE, MOVES)
        begun, sent = kernel_eval(page, "[begun, sent]")
        found = [divided(moved, begun, sent, drawn) for moved in times]
        rates.append(painter.evaluate(KEEP_MOVING, SECONDS))
        page.close()
        print(summary(found), f"{rates[-1]:.1f} pictures/s, load {os.getloadavg()[0]:.1f}")
        rows += found if repeat else []  # the first page fills caches
    return {
        **summary(rows),
        "moves": len(rows),
        "pictures_per_second": round(statistics.median(rates[1:]), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def divided(
    moved: float,
    begun: Sequence[Sequence[float]],
    sent: Sequence[Sequence[float]],
    drawn: Sequence[float],
) -> dict[str, float]:
    """The milliseconds of one move, by who had it when."""
    begin, computed, *_ = next(mark for mark in begun if mark[0] >= moved)
    end, computed_by_then, *_ = next(mark for mark in sent if mark[0] >= begin)
    seen = next(time for time in drawn if time >= end)
    return {
        "move_to_picture": seen - moved,
        "until_the_kernel_begins": begin - moved,
        "until_the_picture_is_sent": end - begin,
        "until_it_is_drawn": seen - end,
        "kernel_processor": computed_by_then - computed,
    }


def summary(rows: Sequence[Mapping[str, float]]) -> Figures:
    """Milliseconds: the least, the median, and the one that 95 of 100 stay below."""
    return {
        f"{name}_ms": {
            "least": round(min(values), 1),
            "median": round(statistics.median(values), 1),
            "p95": round(statistics.quantiles(values, n=20)[-1], 1),
        }
        for name in rows[0]
        for values in [[row[name] for row in rows]]
    }


# ---------------------------------------------------------------------------------------- follow

HANDLE = (66.0, 88.0)  # the lower lip of the portrait with seed 27
FOLLOW = (
    "from nbdrag import DragEditor",
    "editor = DragEditor(seed=27)\neditor.follow = True\neditor",
)
# Notes when the kernel is told where the hand is, and when it has sent a picture, and of where.
HELD = """
import time
from nbdrag.widgets.session import Session
from nbdrag.widgets.widget import SessionWidget

begun, sent = [], []

def now():
    return [1000 * time.time(), 1000 * time.process_time()]

def timed_hold(session, points, hold=Session.hold):
    begun.append([*now(), *points[0][2:]])
    return hold(session, points)

def timed_send(widget, content, buffers, send=SessionWidget._send_custom):
    send(widget, content, buffers)
    if content["kind"] == "frame" and not content["final"] and content["step"] is None:
        sent.append([*now(), *content["points"][0][2:]])

Session.hold, SessionWidget._send_custom = timed_hold, timed_send
editor._wire._send = editor._send_custom
"""
HAND = """
const stage = editor.querySelector('[data-testid="stage"]');
const nextFrame = () => new Promise(requestAnimationFrame);
const [pressed, handle, scale] = place;
const move = ([dx, dy]) => {
    const at = { clientX: pressed[0] + dx * scale, clientY: pressed[1] + dy * scale };
    const moved = performance.timeOrigin + performance.now();
    stage.dispatchEvent(new PointerEvent("pointermove",
        { ...at, pointerId: 1, pointerType: "mouse", isPrimary: true, bubbles: true }));
    return [moved, handle[0] + dx, handle[1] + dy];
};
"""
LEAD = f"""
async (editor, [place, moves]) => {{
    {HAND}
    const times = [];
    for (let i = 0; i < moves; i++) {{
        for (let calm = 0, seen = -1; calm < 12; calm++) {{
            await nextFrame();
            if (window.drawn.length !== seen) calm = 0;
            seen = window.drawn.length;
        }}
        const before = window.drawn.length;
        times.push(move([2 * Math.sin(i), 4 + 4 * Math.cos(2.4 * i)]));
        while (window.drawn.length === before) await nextFrame();
    }}
    return [times, window.drawn];
}}
"""
KEEP_LEADING = f"""
async (editor, [place, seconds]) => {{
    {HAND}
    const times = [];
    const first = window.drawn.length;
    const began = performance.now();
    for (let now = began; now < began + 1000 * seconds; now = performance.now()) {{
        const angle = (now - began) / 500;
        times.push(move([3 * Math.sin(angle), 4 - 4 * Math.cos(1.3 * angle)]));
        await nextFrame();
    }}
    const elapsed = (performance.now() - began) / 1000;
    return [times, window.drawn.slice(first), (window.drawn.length - first) / elapsed];
}}
"""


def follow(browser: Browser, server: Server, repeats: int) -> Figures:
    """How long the picture takes that follows a hand: move by move, and while it moves on."""
    rows: list[dict[str, float]] = []
    lags: list[dict[str, float]] = []
    rates = []
    for repeat in range(repeats + 1):
        page = opened(browser, server, f"follow-{repeat}.ipynb", FOLLOW, script=DRAWN)
        editor = editor_on(page)
        kernel_run(page, HELD)
        at, beside = on_page(editor, HANDLE), on_page(editor, (HANDLE[0] + 1, HANDLE[1]))
        place = [at, HANDLE, beside[0] - at[0]]
        page.mouse.move(*at)
        page.mouse.down()
        times, drawn = editor.evaluate(LEAD, [place, MOVES])
        begun, sent = kernel_eval(page, "[begun, sent]")
        found = [divided(moved, begun, sent, drawn) for moved, *_ in times]
        times, drawn, rate = editor.evaluate(KEEP_LEADING, [place, SECONDS])
        page.mouse.up()
        sent = kernel_eval(page, "sent")
        lag = [{"hand_to_picture": ms} for ms in behind(times, sent, drawn)]
        page.close()
        print(summary(found), summary(lag), f"{rate:.1f} pictures/s, load {os.getloadavg()[0]:.1f}")
        if repeat:  # the first page fills caches
            rows, lags, rates = rows + found, lags + lag, [*rates, rate]
    return {
        **summary(rows),
        "moves": len(rows),
        "while_it_moves": summary(lags),
        "pictures": len(lags),
        "pictures_per_second": round(statistics.median(rates), 1),
        "load": round(os.getloadavg()[0], 1),
    }


def behind(
    moves: Sequence[Sequence[float]], sent: Sequence[Sequence[float]], drawn: Sequence[float]
) -> list[float]:
    """For each picture drawn, the milliseconds since the hand was where the picture shows it.

    A picture is the newest one that had been sent by then.
    """
    lags = []
    for seen in drawn:
        shown = [mark for mark in sent if mark[0] <= seen][-1]
        if shown[0] < moves[0][0]:
            continue  # that of a move before these
        nearest = min(moves, key=lambda move: math.dist(move[1:], shown[2:]))
        lags.append(seen - nearest[0])
    return lags


# ------------------------------------------------------------------------------------------- all


def opened(
    browser: Browser, server: Server, name: str, cells: Sequence[str], script: str = ""
) -> Page:
    """A notebook of these cells on a page of its own, all of them run."""
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(60_000)
    page.add_init_script(script)
    write_notebook(server.notebooks / name, *cells)
    open_notebook(page, server, name)
    run_all(page)
    return page


WAYS: dict[str, Callable[[Browser, Server, int], Figures]] = {
    "drag": drag,
    "slider": slider,
    "follow": follow,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=[*WAYS], help="default: all")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/browser.json"))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    results = json.loads(arguments.out.read_text()) if arguments.out.is_file() else {}
    results |= {
        "command": "python -m benchmarks.browser",
        "machine": f"{platform.machine()}, {psutil.cpu_count()} cores, browser included",
        "torch": torch.__version__,
    }
    home = Path(tempfile.mkdtemp())
    with jupyter_server("lab", home) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        for name in [arguments.what] if arguments.what else WAYS:
            results[name] = WAYS[name](browser, server, arguments.repeats)
        browser.close()
    shutil.rmtree(home, ignore_errors=True)
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
