"""What the segmentation branch costs: time and memory, beside the naive way.

    python -m benchmarks.segmenter

At config f, 512 px, with random weights, which cost what trained ones cost, and 34 classes, as many
as the published faces have. The naive way enlarges every block's features to the picture's size,
stacks them and classifies the stack, as published; the perceptrons are the same.

Times are of one process, in which the contestants take turns, so that what else the machine does
befalls all of them alike; what counts is the seconds that the processor worked. Memory is a whole
process's at its peak; every contestant has a process of its own, and what the head takes is the
difference to synthesis alone. Both ways compute in float32 and give the same logits, as is checked.

Then the packaged generator: a picture of 128 px with its parts, in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.drag import machine, random_generator
from nbdrag.generators.segmenter import Part, Segmentation, Segmenter, surroundings
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator

CLASSES = 34
CONTESTANTS = ("synthesis", "segment", "naive")
TURNS = 5  # in a round; the naive way has one of them


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/segmenter.json"))
    parser.add_argument("--memory", choices=CONTESTANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print(memory(arguments.memory))
        return
    results = {
        "command": "python -m benchmarks.segmenter",
        "machine": machine(torch.device("cpu")),
        "torch": torch.__version__,
        "threads": arguments.threads,
        "resolution": 512,
        "classes": CLASSES,
        **compare(arguments.rounds, arguments.threads),
        "toonfaces-128": toonfaces(),
    }
    arguments.out.write_text(json.dumps(results, indent=2) + "\n")
    print(json.dumps(results, indent=2))


@torch.no_grad()
def compare(rounds: int, threads: int) -> dict[str, Any]:
    """Seconds and MiB of the contestants."""
    # First, since a process starts with the peak of the one that starts it.
    peaks = {}
    for contestant in CONTESTANTS:
        command = [sys.executable, "-m", "benchmarks.segmenter", "--threads", str(threads)]
        command += ["--memory", contestant]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[contestant] = float(done.stdout)
    print(peaks, flush=True)
    generator, ws = prepare()
    error = disagreement(generator, ws)
    seconds: dict[str, list[float]] = {contestant: [] for contestant in CONTESTANTS}
    for turn in range(TURNS * rounds):
        for contestant in CONTESTANTS:
            if contestant != "naive" or turn % TURNS == 0:
                seconds[contestant].append(cpu_seconds(lambda c=contestant: run(c, generator, ws)))
        print({name: round(min(taken), 3) for name, taken in seconds.items()}, flush=True)
    alone = statistics.median(seconds["synthesis"])
    # Each is compared with the synthesis of its own turn, since the machine changes its pace.
    more = {
        name: statistics.median(
            taken - bare
            for taken, bare in zip(
                seconds[name], seconds["synthesis"][:: TURNS if name == "naive" else 1], strict=True
            )
        )
        for name in ("segment", "naive")
    }
    segmenter = generator.segmenter
    assert segmenter is not None
    return {
        "members": segmenter.members,
        "hidden": segmenter.hidden,
        "synthesis_cpu_seconds": round(alone, 3),
        "synthesis_peak_mib": round(peaks["synthesis"]),
        "largest_difference_of_logits": error,
        **{
            name: {
                "cpu_seconds": round(more[name], 3),
                "of_synthesis": round(more[name] / alone, 3),
                "mib": round(peaks[name] - peaks["synthesis"]),
            }
            for name in ("segment", "naive")
        },
    }


def prepare() -> tuple[Generator, Tensor]:
    """The generator with a random head, and a latent."""
    generator = random_generator(512)
    channels = {r: generator.config.channels(r) for r in generator.block_resolutions}
    parts = [Part(f"part {i}", f"#{i:06x}") for i in range(CLASSES)]
    generator.segmenter = Segmenter(channels, parts).requires_grad_(False)
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(0))
    return generator, generator.mapping(z)


def run(contestant: str, generator: Generator, ws: Tensor) -> Any:
    """One picture."""
    ways: dict[str, Callable[[Tensor], Any]] = {
        "synthesis": generator.synthesis,
        "segment": generator.segment,
        "naive": lambda ws: naive(generator, ws),
    }
    return ways[contestant](ws)


def naive(generator: Generator, ws: Tensor) -> Segmentation:
    """As published: the stack of all features at full size, classified by one member at a time."""
    segmenter = generator.segmenter
    assert segmenter is not None
    image, features = generator.synthesis(ws, taps=segmenter.resolutions)
    height, width = image.shape[2:]
    seen = [*features.values(), *map(surroundings, segmenter.seen(image).values())]
    stacked = image.new_empty(sum(x.shape[1] for x in seen), height, width)
    filled = 0
    for x in seen:
        while x.shape[2] < height:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
        stacked[filled : filled + x.shape[1]] = x[0]
        filled += x.shape[1]
    pixels = stacked.flatten(1).T
    weight = torch.cat(segmenter.slices, dim=1)
    total = torch.zeros(())
    wide = segmenter.hidden[0]
    for m in range(segmenter.members):
        rows = slice(m * wide, (m + 1) * wide)
        x = torch.addmm(segmenter.first_bias[rows], pixels, weight[rows].T).relu_()
        x = torch.addmm(segmenter.second_bias[m], x, segmenter.second[m]).relu_()
        total = total + torch.addmm(segmenter.third_bias[m], x, segmenter.third[m])
    logits = (total / segmenter.members).T.reshape(1, -1, height, width)
    return Segmentation(image, logits, logits.argmax(1).to(torch.uint8))


def disagreement(generator: Generator, ws: Tensor) -> float:
    """The largest difference of both ways' logits, as a share of the largest logit."""
    ours, theirs = (run(way, generator, ws).logits for way in ("segment", "naive"))
    return float(((ours - theirs).abs().max() / theirs.abs().max()).item())


@torch.no_grad()
def memory(contestant: str) -> float:
    """The greatest memory of this process, in MiB, after a picture."""
    generator, ws = prepare()
    run(contestant, generator, ws)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@torch.no_grad()
def toonfaces() -> dict[str, Any]:
    """Milliseconds for a picture of the packaged generator, with its parts and without."""
    generator = load_generator("toonfaces-128")
    ws = generator.mapping(torch.randn(1, 64, generator=torch.Generator().manual_seed(0)))
    seconds: dict[str, list[float]] = {"synthesis": [], "segment": []}
    for _ in range(50):
        for way, taken in seconds.items():
            taken.append(cpu_seconds(lambda way=way: run(way, generator, ws)))
    return {f"{way}_cpu_ms": round(1000 * statistics.median(t), 2) for way, t in seconds.items()}


def cpu_seconds(call: Callable[[], Any]) -> float:
    """How long the processor works on it."""
    began = time.process_time()
    call()
    return time.process_time() - began


if __name__ == "__main__":
    main()
