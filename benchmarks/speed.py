"""What a laptop has to give: drag steps a second, seconds to the first picture, memory.

    python -m benchmarks.speed

Steps are timed in this process, after a warm-up, as the median of several drags. The rest is
measured in fresh kernels, as a notebook starts them: the first fills the disk cache and isn't
counted. Ratios to a plain forward pass of the same generator travel better between machines than
the times do.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import torch
from jupyter_client.manager import start_new_kernel

from nbdrag import toonfaces
from nbdrag.editing.draggan import drag
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator

STEPS = 30
FIRST_PICTURE = """
import time; began = time.perf_counter()
import nbdrag
editor = nbdrag.DragEditor()
picture = editor.image
print(time.perf_counter() - began)
"""
FIRST_STEP = """
import asyncio
editor.points = [[64, 90, 64, 100]]
async def first():
    began = time.perf_counter()
    editor.start()
    async for step in editor.steps():
        break
    seconds = time.perf_counter() - began
    editor.stop(); await editor.wait()
    return seconds
print(await first())
"""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/speed.json"))
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    generator = load_generator("toonfaces-128")
    results = {
        "command": "python -m benchmarks.speed",
        "machine": f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores",
        "torch": torch.__version__,
        "drag": {
            f"{threads} thread{'s' * (threads > 1)}": drag_speed(
                generator, threads, arguments.repeats
            )
            for threads in (1, 2)
        },
        "render": render_speed(arguments.repeats),
        "kernel": kernel_figures(arguments.repeats),
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def drag_speed(generator: Generator, threads: int, repeats: int) -> dict[str, float]:
    """Steps a second with one pair and with five, and one step in forward passes."""
    torch.set_num_threads(threads)
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(0))
    ws = generator.mapping(z, truncation=0.7)[0]
    size = generator.resolution
    handles = torch.tensor([[0.3, 0.4], [0.7, 0.4], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]]) * size
    targets = handles + torch.tensor([0.2, 0.1]) * size  # far enough not to arrive
    with torch.no_grad():
        whole = median_seconds(lambda: generator.synthesis(ws[None]), 4 * repeats)
    figures = {"forward_ms": round(1000 * whole, 2)}
    for count in (1, 5):
        seconds = []
        for _ in range(repeats + 1):
            edit = drag(generator, ws, handles[:count], targets[:count])
            next(edit)
            began = time.perf_counter()
            taken = sum(1 for _ in islice(edit, STEPS))
            seconds.append((time.perf_counter() - began) / taken)
        step = statistics.median(seconds[1:])
        name = f"{count} pair{'s' * (count > 1)}"
        figures[f"steps_per_second, {name}"] = round(1 / step, 1)
        figures[f"step_in_forward_passes, {name}"] = round(step / whole, 2)
    return figures


def render_speed(repeats: int) -> dict[str, float]:
    """Toonfaces a second at 128 pixels, on two threads."""
    torch.set_num_threads(2)
    factors = toonfaces.sample_factors(64, generator=torch.Generator().manual_seed(0))
    seconds = median_seconds(lambda: toonfaces.render(factors, 128), repeats)
    return {"images_per_second, 2 threads": round(len(factors) / seconds)}


def median_seconds(call: Any, repeats: int) -> float:
    """Median time of `call`, after one that isn't counted."""
    call()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def kernel_figures(repeats: int) -> dict[str, float]:
    """Medians over fresh kernels with an editor open."""
    pictures, steps, resident = [], [], []
    for round_ in range(repeats + 1):
        manager, client = start_new_kernel(kernel_name="python3")
        try:
            picture = float(printed(client, FIRST_PICTURE))
            step = float(printed(client, FIRST_STEP))
            process = psutil.Process(int(printed(client, "import os; print(os.getpid())")))
            if round_:
                pictures.append(picture)
                steps.append(step)
                resident.append(process.memory_info().rss / 2**20)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    return {
        "import_to_first_picture_s": round(statistics.median(pictures), 2),
        "start_to_first_step_s": round(statistics.median(steps), 3),
        "resident_mib": round(statistics.median(resident)),
    }


def printed(client: Any, code: str) -> str:
    """Run code in a kernel and return what it printed."""
    lines: list[str] = []

    def note(message: dict[str, Any]) -> None:
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stdout":
            lines.append(content["text"])

    reply = client.execute_interactive(code, output_hook=note, timeout=120)
    if reply["content"]["status"] != "ok":
        raise RuntimeError("\n".join(reply["content"]["traceback"]))
    return "".join(lines)


if __name__ == "__main__":
    main()
