"""Transfer one edit to any number of pictures, and go on where a killed run was.

`transfer_edit` is an iterator of progress, as an edit is an iterator of steps: stopping is not
asking for more. What is done is in the sink and in its manifest, and a second call with
``resume=True`` goes on from there. Memory holds a few micro-batches and, of latents or an array,
one shard, however many items there are.

References
----------
Nguyen et al., Edit One for All: Interactive Batch Image Editing, CVPR 2024, Sec. 3.2.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from nbdrag import __version__
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.projection.optimize import ProjectOptions, project
from nbdrag.runtime.batch.engines import here, on_cluster
from nbdrag.runtime.batch.manifest import (
    NAME,
    PARTIAL,
    Manifest,
    Run,
    TransferError,
    earlier_run,
)
from nbdrag.runtime.batch.progress import TransferProgress
from nbdrag.runtime.batch.shard import Direction, Job, micro_batch_for
from nbdrag.runtime.batch.sinks import Sink, sink_of
from nbdrag.runtime.batch.sources import source_of
from nbdrag.transfer.vectors import EditVector, checked_scale

__all__ = ["TransferError", "TransferProgress", "transfer_edit"]

PROBES = 3  # latents that an edit is recognised by
MOST_ENCODERS = 8
LATENTS_AT_ONCE = 256


def transfer_edit(
    direction: Any,
    source: Any,
    sink: Any,
    engine: Any = None,
    *,
    generator: Generator | str | None = None,
    strength: float | None = None,
    resume: bool = False,
    shard_size: int | None = None,
    micro_batch: int | None = None,
    encoders: int | None = None,
    projector: Callable[[Generator, Tensor], Tensor] | None = None,
) -> Iterator[TransferProgress]:
    """Edit any number of pictures as one was edited.

    Parameters
    ----------
    direction : EditDirection or EditVector
        The edit. A direction gives each picture as much of it as it needs to end up where the
        example did (Eq. 5); a vector gives all the same.
    source : object
        Seeds, such as ``range(100_000)``; the path of latents (.safetensors, .npy) or of a folder
        of pictures; an array of latents, or any iterable of them. Or one of `nbdrag.sources`.
    sink : path-like or one of `nbdrag.sinks`
        A path is a folder for PNG files.
    engine : distributed.Client, optional
        A Dask cluster whose workers share the sink's folder. Default: this process.
    generator : Generator or str, optional
        Default: the one that the direction was learnt with, by its name.
    strength : float, optional
        How much of an EditVector; 1 by default. An EditDirection finds its own.
    resume : bool
        Go on in a sink that has been begun. Nothing that is done is done again.
    shard_size : int, optional
        How many items are noted as done at once: what a killed run loses at most. Default: as it
        suits the sink.
    micro_batch : int, optional
        How many pictures are made at once. Default: as it suits the device.
    encoders : int, optional
        Threads that encode and write. Default: one for each core but one, eight at most.
    projector : callable, (generator, image [3, H, W]) -> ws [num_ws, w_dim], optional
        For a folder of pictures. Default: `nbdrag.project`, run to its end.

    Yields
    ------
    TransferProgress
        One before the first item, one after each micro-batch (of a cluster: each shard), and one
        when all is done.

    Raises
    ------
    TransferError
        A `ValueError`. At once, if the sink exists and `resume` is False, there is nothing to
        edit, the edit changes nothing or is another generator's, or what was begun differs. While
        it runs, if the sink can't be written to; what is done is safe.

    Examples
    --------
    >>> for progress in transfer_edit(smile, range(1000), "smiling"):  # doctest: +SKIP
    ...     print(progress)
    """
    model = generator_for(direction, generator)
    edit = steadied(direction, strength, model)
    items = source_of(source, projector or projected)
    items.check(model)
    place = sink_of(sink)
    there = begun(place, resume)
    for name, number in (
        ("shard_size", shard_size),
        ("micro_batch", micro_batch),
        ("encoders", encoders),
    ):
        if number is not None and (not isinstance(number, int) or number < 1):
            raise TransferError(f"{name} is {number!r}; expected a whole number from 1.")
    size = shard_size or (there.shard_size if there else place.shard_size(model))
    batch = micro_batch or (there.micro_batch if there else usual_batch(model, place))
    job = Job(edit, items, place, size, min(batch, size, items.at_once or batch))
    run = Run(
        version=1,
        nbdrag=__version__,
        generator=model.content_hash,
        direction=recognised(edit, model),
        source=items.facts,
        sink=place.facts,
        shard_size=job.shard_size,
        micro_batch=job.micro_batch,
    )
    manifest = Manifest(place.folder, run)
    threads = encoders or max(1, min(MOST_ENCODERS, (os.cpu_count() or 2) - 1))
    return _transferred(job, model, manifest, threads, engine)


def _transferred(
    job: Job, generator: Generator, manifest: Manifest, threads: int, cluster: Any
) -> Iterator[TransferProgress]:
    with explained(job.sink), manifest:
        began = time.perf_counter()
        job.sink.begin(generator, job.source.length, job.shard_size)
        progress = TransferProgress(manifest.done, manifest.failed, job.source.length)
        yield progress
        if not manifest.ended:
            engine = partial(on_cluster, cluster) if cluster is not None else here
            for made, problems in engine(job, generator, manifest, threads):
                progress = replace(
                    progress,
                    done=progress.done + made,
                    failed=progress.failed + len(problems),
                    made=progress.made + made,
                    seconds=time.perf_counter() - began,
                    problems=tuple(problems),
                )
                yield progress
        manifest.end(manifest.done + manifest.failed)
        yield replace(progress, total=progress.done + progress.failed, problems=(), ended=True)


# ------------------------------------------------------------------------------- what is to be done


@dataclass(frozen=True)
class Steady:
    """A vector as a direction: everybody gets the same strength of it."""

    vector: EditVector
    strength: float

    def apply(self, ws: Tensor, *, alphas: Tensor | None = None) -> Tensor:
        """Edit latents [N, num_ws, w_dim]."""
        if alphas is None:
            return self.vector.apply(ws, self.strength)
        return ws + alphas.to(ws)[:, None, None] * self.vector.delta.to(ws)

    def strengths(self, ws: Tensor) -> Tensor:
        """The same for each, [N]."""
        return ws.new_full((len(ws),), self.strength)


def steadied(direction: Any, strength: float | None, generator: Generator) -> Direction:
    """Make sure that it is an edit for this generator, and that strengths can be had of it."""
    if not hasattr(direction, "apply"):
        raise TransferError(
            f"direction is {type(direction).__name__}; expected an EditDirection or an EditVector."
        )
    if hasattr(direction, "check"):
        direction.check(generator)
    if hasattr(direction, "strengths"):
        if strength is not None:
            raise TransferError(
                f"strength is {strength!r}, but this direction finds the strength for each picture "
                "by itself; direction.scaled(...) moves all of them."
            )
        found: Direction = direction
        return found
    return Steady(direction, 1.0 if strength is None else checked_scale(strength))


def generator_for(direction: Any, generator: Generator | str | None) -> Generator:
    """Give the generator that was named, or else the direction's own."""
    if isinstance(generator, Generator):
        return generator
    name = generator or getattr(direction, "generator", "")
    if not name:
        raise TransferError(
            "the direction doesn't say which generator it is for; name it: generator=..."
        )
    return load_generator(name)


def recognised(direction: Direction, generator: Generator) -> list[float]:
    """What an edit does to some fixed latents, in nine numbers. Another edit has others.

    Raises
    ------
    TransferError
        If it does nothing.
    """
    rng = torch.Generator().manual_seed(0)
    shape = (PROBES, generator.num_ws, generator.w_dim)
    ws = generator.w_avg + torch.randn(shape, generator=rng).to(generator.w_avg)
    with torch.no_grad():
        change = (direction.apply(ws) - ws).flatten(1).double().cpu()
        strengths = direction.strengths(ws).double().cpu()
    if not change.isfinite().all():
        raise TransferError("the direction makes latents that are not finite.")
    if not change.any():
        raise TransferError(
            "the edit changes nothing: its direction, or its strength, is zero. Take another."
        )
    seen = change @ torch.randn(change.shape[1], generator=rng, dtype=torch.float64)
    return [round(each, 6) for each in torch.cat([strengths, change.norm(dim=1), seen]).tolist()]


def usual_batch(generator: Generator, sink: Sink) -> int:
    """How many items to edit at once: what synthesis likes, or many where there is none."""
    return micro_batch_for(generator) if sink.wants_pictures else LATENTS_AT_ONCE


def projected(generator: Generator, image: Tensor) -> Tensor:
    """The latent of a picture [3, H, W], by optimisation."""
    return run_to_end(project(generator, image, ProjectOptions())).ws


def begun(sink: Sink, resume: bool) -> Run | None:
    """The run that a sink was begun by; None where there is nothing.

    Raises
    ------
    TransferError
        If there is something and `resume` is False, or it is no run's.
    """
    folder = sink.folder
    if folder.exists() and not folder.is_dir():
        raise TransferError(f"{folder} is a file; name a folder that isn't there yet.")
    found = {path.name for path in folder.iterdir()} - {PARTIAL} if folder.is_dir() else set()
    if found and not resume:
        raise TransferError(
            f"{folder} is there already and isn't empty; take another name, or go on with what "
            "was begun in it: resume=True, or --resume on the command line."
        )
    run = earlier_run(folder)
    if found - {NAME} and run is None:
        raise TransferError(f"{folder} holds other things than a transfer; take another name.")
    return run


@contextmanager
def explained(sink: Sink) -> Iterator[None]:
    """Say what to do when files can't be written or read."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            why = f"there is no room left for {sink.folder}. Make room"
        else:
            why = f"the transfer to {sink.folder} can't go on: {error}. Mend that"
        raise TransferError(
            f"{why}, and call it again with resume=True; what is done is kept."
        ) from error
