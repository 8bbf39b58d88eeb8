"""One shard, from latents to files: the same work whichever engine does it.

    source ──► ws ──► edited ws ──► pictures ──► pixels ──► encoded ──► file
               └─────── this thread, a micro-batch at a time ──┘└─ a few others ─┘

While the device makes one micro-batch, threads encode the one before. They lag by two at most:
then this thread waits, so that memory holds three micro-batches however long the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator as Yielding
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.generators.prepared import Prepared, prepare
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.items import Latents, Source
from nbdrag.runtime.batch.manifest import Problem, Shard
from nbdrag.runtime.batch.sinks import Add, Edited, Sink
from nbdrag.runtime.turns import generator_lock

LAG = 2  # micro-batches
CPU_BYTES = 32e6  # of features in a micro-batch: about what caches hold
GPU_SHARE = 0.1  # of the memory that is free
LARGEST_MICRO_BATCH = 64


class Direction(Protocol):
    """An edit for any latent."""

    def apply(self, ws: Tensor, *, alphas: Tensor | None = None) -> Tensor:
        """Edit latents [N, num_ws, w_dim]; with strengths [N] that somebody else has chosen."""

    def strengths(self, ws: Tensor) -> Tensor:
        """How much of the edit each gets, [N]."""


@dataclass(frozen=True)
class Job:
    """All that a shard is made from, but for the generator."""

    direction: Direction
    source: Source
    sink: Sink
    shard_size: int
    micro_batch: int

    def bounds(self, number: int) -> tuple[int, int]:
        """First item of a shard, and the one after its last."""
        start = number * self.shard_size
        length = self.source.length
        stop = start + self.shard_size
        return start, stop if length is None else min(stop, length)


class Portion(NamedTuple):
    """What one micro-batch came to: how many were made, and what was skipped."""

    made: int
    problems: list[Problem]


class Maker:
    """Makes pictures with one generator, whose layers are prepared once, where that pays.

    On a processor that saves a twentieth of the time at 128 px and a quarter at 256; pictures
    agree with the generator's own to within rounding.
    """

    def __init__(self, generator: Generator) -> None:
        self.generator = generator

    @cached_property
    def prepared(self) -> Prepared | None:
        """The layers; None where they run as they are."""
        network = self.generator.synthesis
        if self.generator.w_avg.device.type != "cpu":
            return None
        ws = self.generator.w_avg.expand(self.generator.num_ws, -1)
        return prepare(network, ws, movable=len(ws))

    def make(self, ws: Tensor) -> Tensor:
        """Pictures [N, 3, H, W]; by halves, where the device has no room for all at once."""
        try:
            return self.generator.synthesis(ws, prepared=self.prepared).image
        except torch.cuda.OutOfMemoryError:
            if len(ws) == 1:
                raise
        return torch.cat([self.make(half) for half in ws.chunk(2)])


def edit_shard(
    job: Job, maker: Maker, number: int, pool: Executor
) -> Yielding[Portion | Shard, None, None]:
    """Make one shard.

    Yields
    ------
    Portion
        After each micro-batch.
    Shard
        At last, when its files are there. A source that ended before the shard began gives none.
    """
    start, stop = job.bounds(number)
    failed: list[Problem] = []
    end = start
    with job.sink.shard(number, start, stop) as add, Encoding(job.sink, add, pool) as encoding:
        while end < stop:
            latents = job.source.read(maker.generator, end, min(end + job.micro_batch, stop))
            if not latents.looked_at:
                break
            made, problems = edited(job, maker, latents)
            encoding.put(made)
            problems = sorted([*latents.problems, *problems], key=lambda problem: problem.index)
            failed += problems
            end += latents.looked_at
            yield Portion(len(made), problems)
        encoding.finish()
    if end > start:
        yield Shard(number, start, end, failed)


def edited(job: Job, maker: Maker, latents: Latents) -> tuple[list[Edited], list[Problem]]:
    """Edit some latents, and make their pictures if they are wanted."""
    if not latents.indices:
        return [], []
    ws = latents.ws
    pixels: Any = [None] * len(ws)
    with generator_lock(maker.generator), torch.no_grad():
        if latents.strengths is None:
            strengths = job.direction.strengths(ws)
            ws = job.direction.apply(ws)
        else:
            strengths = latents.strengths
            ws = job.direction.apply(ws, alphas=strengths)
        good = ws.flatten(1).sum(1).isfinite()
        if job.sink.wants_pictures:
            images = maker.make(ws)
            good &= images.flatten(1).sum(1).isfinite()
            pixels = as_pixels(images)
        rows = ws.float().cpu().numpy()
        alphas, fine = strengths.tolist(), good.tolist()
    items: list[Edited] = []
    problems: list[Problem] = []
    for i, (index, key) in enumerate(zip(latents.indices, latents.keys, strict=True)):
        if fine[i]:
            items.append(Edited(index, key, rows[i], alphas[i], pixels[i]))
        else:
            problems.append(Problem(index, key, "its edited picture is not finite"))
    return items, problems


def as_pixels(images: Tensor) -> NDArray[np.uint8]:
    """Pictures [N, 3, H, W] as bytes [N, H, W, 3]; as `to_pixels`, but where the pictures are."""
    scaled = ((images + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
    pixels: NDArray[np.uint8] = scaled.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return pixels


def micro_batch_for(generator: Generator) -> int:
    """How many pictures to make at once: few for a processor's caches, many for a GPU."""
    config = generator.config
    largest = max(config.channels(r) * r * config.width_at(r) * 4 for r in config.block_resolutions)
    device = generator.w_avg.device
    if device.type == "cuda":
        budget = GPU_SHARE * torch.cuda.mem_get_info(device)[0]
    else:
        budget = CPU_BYTES
    return int(max(1, min(LARGEST_MICRO_BATCH, budget // (4 * largest))))


class Encoding:
    """Hands items to threads that prepare them, and adds what they made to the shard, in order."""

    def __init__(self, sink: Sink, add: Add, pool: Executor) -> None:
        self._sink, self._add, self._pool = sink, add, pool
        self._waiting: deque[Future[list[Any]]] = deque()

    def __enter__(self) -> Encoding:
        return self

    def put(self, items: list[Edited]) -> None:
        """Take one micro-batch, once there are few enough before it."""
        self._waiting.append(self._pool.submit(prepared, self._sink, items))
        self._write(LAG)

    def finish(self) -> None:
        """Wait for all."""
        self._write(0)

    def _write(self, lag: int) -> None:
        while len(self._waiting) > lag:
            for each in self._waiting[0].result():
                self._add(each)
            self._waiting.popleft()

    def __exit__(self, *_: object) -> None:
        for future in self._waiting:
            future.cancel()
        for future in self._waiting:  # what runs already must not write after the shard is given up
            if not future.cancelled():
                future.exception()


def prepared(sink: Sink, items: list[Edited]) -> list[Any]:
    """Prepare one micro-batch."""
    return [sink.prepare(item) for item in items]
