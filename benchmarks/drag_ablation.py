"""What each of the ways to make a drag step fast is worth: a step without it.

    python -m benchmarks.drag_ablation

At 512 px with the random generator of `benchmarks.drag`, one pair, one thread, in seconds that the
processor worked, which hardly depend on what else it does. All variants take turns in one process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.drag import begin, machine, random_generator
from nbdrag.generators import prepared

CPU = torch.device("cpu")
PREPARED = "nbdrag.generators.prepared."
Replacements = dict[str, Any]

VARIANTS: dict[str, tuple[str, Replacements]] = {
    "bfloat16": ("bfloat16", {}),
    "rounding features, not increments": (
        "bfloat16",
        {"nbdrag.editing.draggan.prepare_increments": prepared.prepare},
    ),
    "without Winograd": ("bfloat16", {PREPARED + "winograd_pays": lambda layer: False}),
    "going back everywhere": (
        "bfloat16",
        {PREPARED + "where_nonzero": lambda back, *gradients: back(*gradients)},
    ),
    "without folding styles into weights": (
        "bfloat16",
        {PREPARED + "fixed": lambda layer, w, *wish: prepared.steered(layer, *wish)},
    ),
    "float32": ("float32", {}),
    "float32 without Winograd": ("float32", {PREPARED + "winograd_pays": lambda layer: False}),
    "float32, nothing prepared": (
        "float32",
        {"nbdrag.editing.draggan._synthesis": lambda *wish: unprepared(*wish)},  # noqa: PLW0108
    ),
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/drag_ablation.json"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    generator = random_generator(512)
    seconds: dict[str, dict[str, list[float]]] = {}
    for _ in range(arguments.rounds):
        for name, (precision, replacements) in VARIANTS.items():
            for way in ("free", "masked"):
                case = {"resolution": 512, "pairs": 1, "mask": way == "masked"}
                with ExitStack() as stack:
                    for target, replacement in replacements.items():
                        stack.enter_context(patch(target, replacement))
                    steps = begin(precision, generator, case)
                    taken = []
                    for _ in range(8):
                        began = time.process_time()
                        next(steps)
                        taken.append(time.process_time() - began)
                seconds.setdefault(name, {}).setdefault(way, []).extend(taken[2:])
                print(name, way, round(min(taken[2:]), 3), flush=True)
    results = {
        "command": "python -m benchmarks.drag_ablation",
        "machine": machine(CPU),
        "torch": torch.__version__,
        "seconds": {
            name: {way: round(statistics.median(taken), 3) for way, taken in ways.items()}
            for name, ways in seconds.items()
        },
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def unprepared(generator: Any, start: Any, block: int, options: Any) -> Callable[..., Any]:
    """Synthesis by the layers as they are."""
    return lambda ws: generator.synthesis(ws, until=block, taps=(block,))


if __name__ == "__main__":
    main()
