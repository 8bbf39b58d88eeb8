"""Who makes the shards that are missing: this process, or the workers of a Dask cluster.

Both do the same work, `edit_shard`, and note it in the same manifest, which only this process
writes. So a run may be begun by the one and ended by the other.

On a cluster a shard is a task. Dask sends a task elsewhere when its worker dies, and may in rare
cases let two do it; since a shard's files come out the same and appear by renaming, neither harms.
Generator and edit are a task's result, too: they reach each worker once, stay in its memory, and
are sent again to one that is started anew. Only as many tasks are sent out as keep the workers
busy, so that a hundred thousand shards take no more of the scheduler's memory than a hundred.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

import torch

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.items import Held, Latents
from nbdrag.runtime.batch.manifest import Manifest, Shard, TransferError
from nbdrag.runtime.batch.shard import Job, Maker, Portion, edit_shard

AHEAD = 2  # tasks for each thread of the cluster
RETRIES = 2  # of a task that raises; Dask counts deaths of workers by itself
MOST_LOST = 10  # shards: when so many can't be made, more won't be tried


def here(job: Job, generator: Generator, manifest: Manifest, threads: int) -> Iterator[Portion]:
    """Make all that is missing in this process, a micro-batch at a time."""
    maker = Maker(generator)
    with ThreadPoolExecutor(threads, "nbdrag-encoder") as pool:
        for number in manifest.missing(job.source.length):
            start, stop = job.bounds(number)
            with closing(edit_shard(job, maker, number, pool)) as work:
                for news in work:
                    if isinstance(news, Shard):
                        manifest.add(news)
                        start = news.stop
                    else:
                        yield news
            if start < stop:
                return  # the source has ended


def on_cluster(
    client: Any, job: Job, generator: Generator, manifest: Manifest, threads: int
) -> Iterator[Portion]:
    """Make all that is missing on a cluster, a shard at a time.

    Raises
    ------
    TransferError
        At the end, if there are shards that no worker could make; the others are done.
    """
    wait, quietly = dask()
    with quietly:  # a task's result and no scattered data: that dies with the worker that holds it
        tools = client.submit(Tools, without_items(job), on_cpu(generator), threads, pure=False)
    numbered = to_send(job, generator, manifest)
    sent: set[Any] = set()
    lost: list[str] = []
    try:
        while len(lost) < MOST_LOST:
            room = AHEAD * max(1, sum(client.nthreads().values())) - len(sent)
            for number, items in islice(numbered, max(0, room)):
                task = client.submit(make_shard, tools, number, items, retries=RETRIES, pure=False)
                sent.add(task)
            if not sent:
                break
            finished, sent = wait(sent, return_when="FIRST_COMPLETED")
            for task in finished:
                if task.status == "finished":
                    shard: Shard = task.result()
                    manifest.add(shard)
                    made = shard.stop - shard.start - len(shard.failed)
                    yield Portion(made, shard.failed)
                else:
                    lost.append(why_lost(task))
    finally:
        client.cancel([*sent, tools])
    if lost:
        raise TransferError(
            f"shards that no worker could make: {len(lost)}. What is done is kept, and resume=True "
            f"tries the others again. The first said: {lost[0]}"
        )


def to_send(
    job: Job, generator: Generator, manifest: Manifest
) -> Iterator[tuple[int, Held | None]]:
    """Number the shards that are missing, each with its items where workers can't read them."""
    for number in manifest.missing(job.source.length):
        start, stop = job.bounds(number)
        held = None
        if not job.source.travels:
            held = Held(start, job.source.read(generator, start, stop))
            if held.length == start:
                return  # the source has ended
        yield number, held


def why_lost(task: Any) -> str:
    """What a task ended with; a full disk ends all, since the others would meet it, too."""
    error = task.exception()
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        raise error
    return f"{type(error).__name__}: {error}"


def without_items(job: Job) -> Job:
    """The same job, for workers: without a source that they can't read."""
    if job.source.travels:
        return job
    return replace(job, source=Held(0, Latents([], [], torch.empty(0), [])))


def on_cpu(generator: Generator) -> Generator:
    """A generator as it can be sent anywhere."""
    return generator if generator.w_avg.device.type == "cpu" else deepcopy(generator).cpu()


def dask() -> tuple[Any, Any]:
    """Dask's `wait`, and a context in which it doesn't warn that weights are large."""
    try:
        import dask as settings
        from distributed import wait
    except ImportError:
        raise TransferError(
            "Dask's distributed is not installed; add it with: pip install 'nbdrag[scale]'"
        ) from None
    return wait, settings.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})


# ------------------------------------------------------------------------------------- on a worker


class Tools:
    """What a worker makes shards with. It is sent as it was made, without what a worker adds."""

    def __init__(self, job: Job, generator: Generator, threads: int) -> None:
        self.job, self.generator, self.threads = job, generator, threads

    @cached_property
    def maker(self) -> Maker:
        """The generator where this worker computes."""
        if torch.cuda.is_available():
            return Maker(deepcopy(self.generator).cuda())
        return Maker(self.generator)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "maker"}


def make_shard(tools: Tools, number: int, items: Held | None) -> Shard:
    """Make one shard, whole."""
    job = tools.job if items is None else replace(tools.job, source=items)
    with ThreadPoolExecutor(tools.threads, "nbdrag-encoder") as pool:
        *_, shard = edit_shard(job, tools.maker, number, pool)
    if not isinstance(shard, Shard):
        raise TransferError(f"shard {number} has no items; is the source another one here?")
    return shard
