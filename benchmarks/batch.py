"""How fast an edit is transferred, beside bare synthesis; and whether memory grows.

    python -m benchmarks.batch

Bare synthesis and transfer take turns in one process, with the same micro-batches, so that their
ratio depends little on what else the machine does; that of the processor's seconds hardly at all.
By default synthesis has one thread, so that of two cores the other encodes.
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
from typing import Any, NamedTuple

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
    parser.add_argument("--threads", type=int, default=1)
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
    bare: list[Spent] = []
    into: dict[str, list[Spent]] = {name: [] for name in SINKS}
    ratios: dict[str, list[Spent]] = {name: [] for name in SINKS}
    for round_ in range(rounds + 1):
        for name, make in SINKS.items():
            # Before and after, so that a machine that slows down harms both alike.
            first = bare_synthesis(generator)
            with tempfile.TemporaryDirectory() as folder:
                watch = Stopwatch()
                run(vector, range(PICTURES), make(Path(folder) / "out"), generator)
                taken = watch.spent()
            second = bare_synthesis(generator)
            if round_:  # the first isn't counted
                bare += [first, second]
                into[name].append(taken)
                both = zip(first, second, taken, strict=True)
                ratios[name].append(Spent(*((x + y) / 2 / t for x, y, t in both)))

    def a_second(spent: list[Spent]) -> dict[str, float]:
        seconds = (statistics.median(each) for each in zip(*spent, strict=True))
        return {
            name: round(PICTURES / s, 1) for name, s in zip(Spent._fields, seconds, strict=True)
        }

    def median(ratio: list[Spent]) -> dict[str, float]:
        medians = (statistics.median(each) for each in zip(*ratio, strict=True))
        return {name: round(m, 3) for name, m in zip(Spent._fields, medians, strict=True)}

    sinks_ = {n: {"a_second": a_second(into[n]), "of_bare": median(ratios[n])} for n in SINKS}
    return {"bare": a_second(bare), **sinks_}


class Spent(NamedTuple):
    """Seconds that something took: of the clock, and of the processor, all threads together."""

    clock: float
    processor: float


class Stopwatch:
    """Counts both from when it was made."""

    def __init__(self) -> None:
        self._began = Spent(time.perf_counter(), time.process_time())

    def spent(self) -> Spent:
        """Seconds since then."""
        clock, processor = self._began
        return Spent(time.perf_counter() - clock, time.process_time() - processor)


def bare_synthesis(generator: Generator) -> Spent:
    """Time for as many pictures, from latents that are there, to tensors."""
    ws = Seeds(range(PICTURES)).read(generator, 0, PICTURES).ws
    watch = Stopwatch()
    with torch.no_grad():
        for some in ws.split(micro_batch_for(generator)):
            generator.synthesis(some)
    return watch.spent()


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
