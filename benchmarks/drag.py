"""One step of a drag, beside the same done the published way: time and memory.

    python -m benchmarks.drag

Generators are of the usual large kind (config f: channel_base 32768, channel_max 512) with random
weights, which cost what trained ones cost. `benchmarks._plain_drag` is the published way, in
float32, as it was published. Ours runs in float32 and in bfloat16; "auto" would choose the latter
where it is faster.

Every measurement has a process of its own, which reports its greatest resident memory; the rounds
go through the contestants in turn, so that what else the machine does befalls all of them. A step
is the median over all rounds; ratios to the plain way travel better between machines than seconds.
Where others use the machine too, take `--threads 1`, and mind the seconds that the processor
worked rather than those that passed.

Last, bfloat16's end points and pictures are compared with float32's: on trained weights, where
drags arrive, and on random ones, after a number of steps. For a scale, so are float64's, and those
of float32 from a start a millionth away; and on random weights the plain way's, which differs from
ours in the order of sums alone.

On a GPU (`--device cuda`) ours is measured alone, with events; one more contestant replays the
synthesis and its way back as CUDA graphs. It writes benchmarks/drag-cuda.json.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import torch
from torch import Tensor

from benchmarks._plain_drag import plain_drag
from benchmarks.drag_accuracy import portraits
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config, Synthesis
from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces.reader import load_reader

IMPORTED_MIB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

PLAIN = "plain"
CONTESTANTS = (PLAIN, "float32", "bfloat16")
GPU_CONTESTANTS = ("float32", "bfloat16", "bfloat16, graphs")
CASES = (
    {"resolution": 512, "pairs": 1, "mask": False},
    {"resolution": 512, "pairs": 1, "mask": True},
    {"resolution": 512, "pairs": 5, "mask": False},
    {"resolution": 512, "pairs": 5, "mask": True},
    {"resolution": 256, "pairs": 1, "mask": False},
    {"resolution": 256, "pairs": 1, "mask": True},
    {"resolution": 1024, "pairs": 1, "mask": False},
    {"resolution": 1024, "pairs": 1, "mask": True},
)
STEPS = {PLAIN: 3}  # in a round, after two that aren't counted; of ours, 12
AGREEMENT_STEPS = 15
TRAINED_STEPS = 100
NUDGE = 1e-6  # of w; float32 rounds by up to 6e-8

Case = dict[str, Any]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    if arguments.measure:
        contestant, case = arguments.measure
        print(json.dumps(measure(contestant, json.loads(case), device)))
        return
    on_gpu = device.type == "cuda"
    results = {
        "command": " ".join(["python -m benchmarks.drag", *(["--device cuda"] * on_gpu)]),
        "machine": machine(device),
        "threads": arguments.threads,
        "load_before": round(psutil.getloadavg()[0], 2),
        "torch": torch.__version__,
        "rounds": arguments.rounds,
        "cases": [
            case | compare(case, GPU_CONTESTANTS if on_gpu else CONTESTANTS, arguments)
            for case in CASES
        ],
        "agreement_steps": AGREEMENT_STEPS,
        "agreement": {} if on_gpu else agreement(),
    }
    name = "drag-cuda.json" if on_gpu else "drag.json"
    (arguments.out or Path("benchmarks", name)).write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))


def machine(device: torch.device) -> str:
    """What ran, in a few words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    known = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if f" {f} " in flags + " "]
    return f"{platform.machine()}, {psutil.cpu_count()} cores, {' '.join(known)}"


def compare(case: Case, contestants: tuple[str, ...], arguments: argparse.Namespace) -> Case:
    """Each contestant's figures, from processes of their own, in turn."""
    found: dict[str, list[Case]] = {contestant: [] for contestant in contestants}
    for _ in range(arguments.rounds):
        for contestant in contestants:
            command = [sys.executable, "-m", "benchmarks.drag", "--device", arguments.device]
            command += ["--threads", str(arguments.threads)]
            command += ["--measure", contestant, json.dumps(case)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[contestant].append(json.loads(done.stdout))
    figures = {}
    for contestant, rounds in found.items():
        seconds = [s for each in rounds for s in each["seconds"]]
        figures[contestant] = {
            "seconds": round(statistics.median(seconds), 4),
            "least_seconds": round(min(seconds), 4),
            "cpu_seconds": round(statistics.median(s for r in rounds for s in r["cpu"]), 4),
            "first_step_seconds": round(statistics.median(r["first"] for r in rounds), 2),
            **{
                name: round(max(each[name] for each in rounds))
                for name in ("imported_mib", "loaded_mib", "peak_mib")
            },
        }
        if PLAIN in figures and contestant != PLAIN:
            for name in ("seconds", "least_seconds", "cpu_seconds"):
                ratio = figures[PLAIN][name] / figures[contestant][name]
                figures[contestant][name.replace("seconds", "times_faster")] = round(ratio, 1)
        print(case, contestant, figures[contestant], flush=True)
    return {"contestants": figures}


def measure(contestant: str, case: Case, device: torch.device) -> Case:
    """Time steps in this process, and see how much memory it took."""
    generator = random_generator(case["resolution"]).to(device)
    loaded = peak_mib(device)
    steps = begin(contestant, generator, case)
    first, _ = timed(steps, device), timed(steps, device)
    taken = [timed(steps, device) for _ in range(STEPS.get(contestant, 12))]
    return {
        "seconds": [seconds for seconds, _ in taken],
        "cpu": [cpu for _, cpu in taken],
        "first": first[0],
        "imported_mib": IMPORTED_MIB,
        "loaded_mib": loaded,
        "peak_mib": peak_mib(device),
    }


def peak_mib(device: torch.device) -> float:
    """The greatest memory so far: of the process, or on the GPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(steps: Iterator[Any], device: torch.device) -> tuple[float, float]:
    """Seconds that the next step takes, and those of them that the processor's cores work.

    On a GPU, the former are those between two events in its stream.
    """
    began, began_cpu = time.perf_counter(), time.process_time()
    if device.type == "cuda":
        before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before.record()
        next(steps)
        after.record()
        after.synchronize()
        seconds = before.elapsed_time(after) / 1000
    else:
        next(steps)
        seconds = time.perf_counter() - began
    return seconds, time.process_time() - began_cpu


# --------------------------------------------------------------------------------- what is dragged


def random_generator(resolution: int) -> Generator:
    """Config f with random weights."""
    return Generator(StyleGAN2Config(resolution)).requires_grad_(False)


def begin(
    contestant: str, generator: Generator, case: Case, seed: int = 1
) -> Iterator[tuple[Tensor, Tensor]]:
    """Begin a drag that won't arrive soon; gives ws and points, step after step."""
    size = case["resolution"]
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    ws = generator.mapping(z.to(generator.w_avg.device), truncation=0.7)[0]
    handles = torch.tensor([[0.3, 0.4], [0.7, 0.4], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]])
    handles = handles[: case["pairs"]] * size
    targets = handles + torch.tensor([0.2, 0.1]) * size
    mask = None
    if case["mask"]:
        mask = torch.zeros(size, size, dtype=torch.bool)
        mask[size // 4 : 3 * size // 4, size // 4 : 3 * size // 4] = True
    options = DragOptions.for_generator(generator).updated({"max_steps": 10_000})
    if contestant == PLAIN:
        steps = plain_drag(generator, ws, handles, targets, mask, options)
        return ((ws, points) for ws, points, _ in steps)
    precision, *rest = contestant.split(", ")
    options = options.updated({"precision": precision})
    dragged: Any = Graphed(generator, options) if rest else generator
    return ((s.ws, s.points) for s in drag(dragged, ws, handles, targets, mask, options))


class Graphed:
    """A generator whose synthesis, there and back, is replayed as CUDA graphs.

    A graph launches its hundreds of small kernels at once, from addresses that stay; so what it
    gives is copied before the next replay overwrites it.
    """

    def __init__(self, generator: Generator, options: DragOptions) -> None:
        self.generator, self.options = generator, options
        self.graph: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)

    def synthesis(self, ws: Tensor, *, until: int, taps: tuple[int, ...]) -> Synthesis:
        """Synthesise one picture, as far as a block."""
        if self.graph is None:
            self.graph = self.captured(ws, until)
        image, features = self.graph(ws)
        return Synthesis(image.clone(), dict.fromkeys(taps, features.clone()))

    def captured(self, ws: Tensor, until: int) -> Any:
        """Capture both ways, for pictures that differ from this one in their movable rows."""
        from nbdrag.editing.precision import computing_type
        from nbdrag.generators.prepared import prepare

        network = self.generator.synthesis
        dtype = computing_type(self.generator, until, self.options.precision)
        movable = self.options.movable_layers
        ready = prepare(network, ws[0], movable=movable, until=until, dtype=dtype)

        def run(ws: Tensor) -> tuple[Tensor, Tensor]:
            image, features = network(ws, until=until, taps=(until,), prepared=ready)
            return image.detach(), features[until]

        example = ws.detach().clone().requires_grad_()
        return torch.cuda.make_graphed_callables(run, (example,))


# ---------------------------------------------------------------------------------- how exact it is


def agreement() -> Case:
    """How far apart drags end that ought to end alike."""
    return trained_agreement() | random_agreement(CONTESTANTS)


def trained_agreement() -> Case:
    """Drags to their ends, or as far as `TRAINED_STEPS`, beside those in float32.

    In bfloat16; in float64, which tells how exact float32 is; and in float32 from a start that
    differs by some roundings, which tells how far a drag takes such a difference.
    """
    generator, reader = load_generator("toonfaces-128"), load_reader()
    exact = copy.deepcopy(generator).double()
    rows: dict[str, list[tuple[float, float]]] = {}
    for pairs in (1, 5):
        for seed in range(20):
            start, _, handles, targets, _, mask = portraits(generator, reader, seed, pairs, 0.7)
            noise = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed))
            ends = [
                trained_end(*way, handles, targets, mask if seed % 2 else None)
                for way in (
                    (generator, "float32", start),
                    (generator, "bfloat16", start),
                    (exact, "float32", start.double()),
                    (generator, "float32", start * (1 + NUDGE * noise)),
                )
            ]
            for name, end in zip(("bfloat16", "float64", "nudged"), ends[1:], strict=True):
                title = f"toonfaces-128, {pairs} pair{'s' * (pairs > 1)}, {name}"
                rows.setdefault(title, []).append(difference(generator, ends[0], end))
            print(pairs, seed, *(each[-1] for each in rows.values()), flush=True)
    return {name: summary(each) for name, each in rows.items()}


def trained_end(
    generator: Generator,
    precision: str,
    start: Tensor,
    handles: Tensor,
    targets: Tensor,
    mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Where a drag ends: ws and points, in float32."""
    options = DragOptions.for_generator(generator)
    options = options.updated({"max_steps": TRAINED_STEPS, "precision": precision})
    end = run_to_end(drag(generator, start, handles, targets, mask, options))
    return end.ws.float(), end.points.float()


def random_agreement(contestants: tuple[str, ...]) -> Case:
    """Drags on random weights, after `AGREEMENT_STEPS`, beside ours in float32."""
    found, generator = {}, random_generator(512)
    for pairs, mask in ((1, False), (1, True), (5, False)):
        case = {"resolution": 512, "pairs": pairs, "mask": mask}
        ends = {
            contestant: list(islice(begin(contestant, generator, case), AGREEMENT_STEPS))[-1]
            for contestant in {"float32", *contestants}
        }
        for contestant in contestants:
            if contestant != "float32":
                apart = difference(generator, ends["float32"], ends[contestant])
                name = f"random 512, {pairs} pair{'s' * (pairs > 1)}{', mask' * mask}"
                found[f"{name}, {contestant}"] = summary([apart])
    return found


@torch.no_grad()
def difference(
    generator: Generator, one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]
) -> tuple[float, float]:
    """Pixels between the points that are farthest apart, and the pictures' PSNR in dB."""
    images = [generator.synthesis(ws[None]).image.clamp(-1, 1) for ws, _ in (one, other)]
    error = (images[0] - images[1]).square().mean().sqrt().item()
    psnr = 20 * math.log10(2 / max(error, 2e-5))  # 100 dB at most
    return (one[1] - other[1]).norm(dim=1).max().item(), psnr


def summary(rows: list[tuple[float, float]]) -> Case:
    """Of several drags."""
    pixels, psnr = zip(*rows, strict=True)
    return {
        "drags": len(rows),
        "median_px": round(statistics.median(pixels), 2),
        "within_1_px": round(sum(p <= 1 for p in pixels) / len(rows), 2),
        "median_psnr_db": round(statistics.median(psnr), 1),
        "at_least_35_db": round(sum(p >= 35 for p in psnr) / len(rows), 2),
    }


# -------------------------------------------------------------------------------------- for reading


def table(results: Case) -> str:
    """The results as text."""
    lines = [
        f"{results['machine']}, {results['threads']} threads, torch {results['torch']}",
        f"{'px':>5} {'pairs':>5} {'mask':>5} {'':18} {'s/step':>8} {'faster':>7} "
        f"{'cpu s':>8} {'faster':>7} {'peak MiB':>9}",
    ]
    for case in results["cases"]:
        for contestant, row in case["contestants"].items():
            faster, less = (
                f"{row[name]:.1f}x" if name in row else ""
                for name in ("times_faster", "cpu_times_faster")
            )
            lines.append(
                f"{case['resolution']:5} {case['pairs']:5} {'yes' if case['mask'] else 'no':>5} "
                f"{contestant:18} {row['seconds']:8.3f} {faster:>7} "
                f"{row['cpu_seconds']:8.3f} {less:>7} {row['peak_mib']:9}"
            )
    for name, row in results["agreement"].items():
        lines.append(
            f"{name:35} {row['median_px']:5} px {row['median_psnr_db']:6} dB apart (median of "
            f"{row['drags']}; within 1 px {row['within_1_px']:.0%}, "
            f"35 dB or more {row['at_least_35_db']:.0%})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
