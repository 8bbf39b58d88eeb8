"""How fast an edit is transferred, beside bare synthesis; and whether memory grows.

    python -m benchmarks.batch

Bare synthesis and transfer take turns in one process, with the same micro-batches, so that their
ratio depends little on what else the machine does. Latents and pictures are made with the packaged
generator, on all cores.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch
from PIL import Image

from nbdrag import sinks
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.batch.png import fast_png
from nbdrag.runtime.batch.shard import as_pixels, micro_batch_for
from nbdrag.runtime.batch.sources import Seeds
from nbdrag.runtime.batch.transfer import transfer_edit
from nbdrag.runtime.pictures import webp
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector

PICTURES = 192
LATENTS = 100_000
SINKS: dict[str, Callable[[Path], sinks.Sink]] = {
    "folder of PNG": sinks.PictureFolder,
    "folder of WebP": lambda folder: sinks.PictureFolder(folder, encoding="webp"),
    "shards of PNG": sinks.Shards,
    "zarr": sinks.Zarr,
}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/batch.json"))
    parser.add_argument("--threads", type=int, default=psutil.cpu_count())
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    generator = load_generator("toonfaces-128")
    vector = EditLibrary.packaged(generator)["smile"]
    results = {
        "command": "python -m benchmarks.batch",
        "machine": f"{platform.processor() or platform.machine()}, {psutil.cpu_count()} cores",
        "load_before": round(psutil.getloadavg()[0], 1),
        "torch": torch.__version__,
        "threads": arguments.threads,
        "micro_batch": micro_batch_for(generator),
        "pictures": speeds(generator, vector, arguments.rounds),
        "bytes_a_picture": sizes(generator, vector),
        "latents": latents_only(generator, vector),
        "load_after": round(psutil.getloadavg()[0], 1),
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


def speeds(generator: Generator, vector: EditVector, rounds: int) -> dict[str, Any]:
    """Pictures a second, bare and into each sink, and the ratios, as medians of several rounds."""
    bare: list[float] = []
    into: dict[str, list[float]] = {name: [] for name in SINKS}
    ratios: dict[str, list[float]] = {name: [] for name in SINKS}
    for round_ in range(rounds + 1):
        for name, make in SINKS.items():
            # Before and after, so that a machine that slows down harms both alike.
            first = bare_synthesis(generator)
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                run(vector, range(PICTURES), make(Path(folder) / "out"), generator)
                taken = time.perf_counter() - began
            second = bare_synthesis(generator)
            if round_:  # the first isn't counted
                bare += [PICTURES / first, PICTURES / second]
                into[name].append(PICTURES / taken)
                ratios[name].append((first + second) / 2 / taken)
    return {
        "bare": round(statistics.median(bare), 1),
        **{
            name: {
                "a_second": round(statistics.median(into[name]), 1),
                "of_bare": round(statistics.median(ratios[name]), 3),
            }
            for name in SINKS
        },
    }


def bare_synthesis(generator: Generator) -> float:
    """Seconds for as many pictures, from latents that are there, to tensors."""
    ws = Seeds(range(PICTURES)).read(generator, 0, PICTURES).ws
    began = time.perf_counter()
    with torch.no_grad():
        for some in ws.split(micro_batch_for(generator)):
            generator.synthesis(some)
    return time.perf_counter() - began


def sizes(generator: Generator, vector: EditVector) -> dict[str, float]:
    """Bytes of a picture and of a latent, as means over edited seeds."""
    ws = vector.apply(Seeds(range(64)).read(generator, 0, 64).ws)
    with torch.no_grad():
        pixels = as_pixels(generator.synthesis(ws).image)
    return {
        "png": round(statistics.mean(len(fast_png(each)) for each in pixels)),
        "webp": round(statistics.mean(len(webp(Image.fromarray(each))) for each in pixels)),
        "latent": ws[0].numel() * ws.element_size(),
    }


def latents_only(generator: Generator, vector: EditVector) -> dict[str, float]:
    """Items a second without pictures, and by how much memory grows from item 1,000 to the end."""
    process, resident = psutil.Process(), 0
    most = 0
    with tempfile.TemporaryDirectory() as folder:
        sink = sinks.LatentShards(Path(folder) / "out")
        for progress in transfer_edit(vector, range(LATENTS), sink, generator=generator):
            if progress.done >= 1000:
                now = process.memory_info().rss
                resident, most = resident or now, max(most, now)
    return {
        "items": progress.done,
        "a_second": round(progress.rate),
        "resident_mb_at_1000": round(resident / 1e6, 1),
        "growth_mb": round((most - resident) / 1e6, 1),
    }


def run(vector: EditVector, seeds: range, sink: sinks.Sink, generator: Generator) -> None:
    """Transfer to the end."""
    for _ in transfer_edit(vector, seeds, sink, generator=generator):
        pass


if __name__ == "__main__":
    main()
