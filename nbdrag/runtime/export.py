"""Writing down a batch of edited pictures: to a folder, or into one file.

A folder is written by `transfer_edit`, and goes on later where it was stopped. A file is there
whole or not at all: it is made under another name beside its place and renamed at the end, and who
stops it on the way finds nothing. Either way it is an iterator of progress, and stopping it is not
asking for more.

============  ==========================================================================
"folder"      ``<key>.png`` for each picture, ``strengths.csv``, ``manifest.jsonl``
"zip"         the same pictures and strengths in one archive
"latents"     a .safetensors with "ws", "strengths" and "indices", as `LatentShards` has
"csv"         strengths alone
============  ==========================================================================
"""

from __future__ import annotations

import csv
import errno
import io
import time
import zipfile
from collections.abc import Generator as Yielding
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from uuid import uuid4

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.items import Latents, Source
from nbdrag.runtime.batch.manifest import Fact, TransferError, digest
from nbdrag.runtime.batch.progress import TransferProgress
from nbdrag.runtime.batch.shard import Job, Maker, edited, micro_batch_for
from nbdrag.runtime.batch.sinks import (
    Edited,
    LatentShards,
    PictureFolder,
    Sink,
    encoded,
    latent_facts,
    whole_file,
)
from nbdrag.runtime.batch.transfer import explained, transfer_edit
from nbdrag.transfer.direction import EditDirection

FORMATS = {"folder": "", "zip": ".zip", "latents": ".safetensors", "csv": ".csv"}
"""What a batch can be written to, and how such files end."""

STRENGTHS = "strengths.csv"
LATENTS_AT_ONCE = 256


class Chosen(Source):
    """Latents that were chosen one by one, each with the strength that it is to have.

    Parameters
    ----------
    ws : Tensor, shape [N, num_ws, w_dim]
    keys : sequence of str
        Their names, no two the same.
    alphas : array, shape [N]
        How much of the edit each gets, in units of w.
    indices : sequence of int
        Their numbers where they were chosen from.
    """

    travels = False

    def __init__(
        self, ws: Tensor, keys: Sequence[str], alphas: NDArray[np.float64], indices: Sequence[int]
    ) -> None:
        if not len(ws):
            raise TransferError("nothing is included, so there is nothing to write; include some.")
        self.ws, self.keys, self.alphas, self.indices = ws, keys, alphas, indices
        self.length = len(ws)

    @property
    def facts(self) -> dict[str, Fact]:
        """Digests of the latents, and of all strengths."""
        return {
            "chosen": len(self.ws),
            "latents": digest(self.ws[[0, -1]].float().cpu().numpy()),
            "keys": digest("\n".join(self.keys).encode()),
            "strengths": digest(self.alphas),
        }

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Give those from `start` to `stop`."""
        ws = self.ws[start:stop].to(generator.w_avg)
        return Latents(
            list(range(start, start + len(ws))),
            list(self.keys[start:stop]),
            ws,
            [],
            torch.from_numpy(self.alphas[start:stop]).to(ws),
        )


class Task(NamedTuple):
    """What is written, and where to."""

    chosen: Chosen
    direction: EditDirection
    generator: Generator
    path: Path


def export(
    chosen: Chosen,
    direction: EditDirection,
    generator: Generator,
    path: str | Path,
    format: str | None = None,  # noqa: A002
    *,
    resume: bool = False,
) -> Yielding[TransferProgress, None, None]:
    """Write edited pictures, latents or strengths.

    Parameters
    ----------
    chosen : Chosen
    direction : EditDirection
    generator : Generator
    path : path-like
        A file or folder that isn't there yet; its folder must be. The format's ending is added
        where it is missing.
    format : "folder", "zip", "latents" or "csv", optional
        Default: as the path ends.
    resume : bool
        Go on in a folder that was begun.

    Yields
    ------
    TransferProgress

    Raises
    ------
    TransferError
        At once, if the format is unknown, the place is taken or not there. While it runs, if it
        can't be written to; then there is no file.
    """
    format, place = destination(path, format)  # noqa: A001
    task = Task(chosen, direction, generator, place)
    if format == "folder":
        pieces = transfer_edit(
            direction, chosen, PictureFolder(place), generator=generator, resume=resume
        )
        return with_strengths(task, pieces)
    if resume:
        raise TransferError("only a folder can be gone on with; leave resume out.")
    if place.exists():
        raise TransferError(f"{place} is there already; take another name.")
    return WRITERS[format](task)


def destination(
    path: str | Path,
    format: str | None = None,  # noqa: A002
) -> tuple[str, Path]:
    """The format, and the place with the format's ending. Raises TransferError as `export` does."""
    place = Path(path).expanduser()
    format = format or next(  # noqa: A001
        (name for name, end in FORMATS.items() if end and place.suffix.lower() == end), "folder"
    )
    if format not in FORMATS:
        raise TransferError(f"format is {format!r}; expected one of {', '.join(FORMATS)}.")
    if FORMATS[format] and place.suffix.lower() != FORMATS[format]:
        place = place.with_name(place.name + FORMATS[format])
    if not place.parent.is_dir():
        raise TransferError(f"there is no folder {str(place.parent)!r} to write {place.name} into.")
    return format, place


def with_strengths(
    task: Task, pieces: Iterator[TransferProgress]
) -> Yielding[TransferProgress, None, None]:
    """A folder of pictures, and at last their strengths."""
    for progress in pieces:
        if progress.ended:
            sink = PictureFolder(task.path)
            with explained(sink), whole_file(sink.folder, STRENGTHS) as file:
                file.write(strengths_csv(task.chosen))
        yield progress


def to_zip(task: Task) -> Yielding[TransferProgress, None, None]:
    """An archive of pictures, which are compressed as they are, and of their strengths."""
    with new_file(task.path) as file, zipfile.ZipFile(file, "w") as archive:
        for items, progress in made(task, PictureFolder(task.path)):
            for item in items:
                archive.writestr(f"{item.key}.png", encoded(item, "png"))
            yield progress
        archive.writestr(STRENGTHS, strengths_csv(task.chosen))
    yield replace(progress, ended=True)


def to_latents(task: Task) -> Yielding[TransferProgress, None, None]:
    """One file of edited latents, which is read where latents are asked for."""
    everything: list[Edited] = []
    with new_file(task.path) as file:
        for items, progress in made(task, LatentShards(task.path)):
            everything += items
            yield progress
        if not everything:
            raise TransferError("none of the edited latents is finite; lower the strength.")
        numbers = [task.chosen.indices[item.number] for item in everything]
        arrays: dict[str, NDArray[Any]] = {
            "ws": np.stack([item.ws for item in everything]),
            "strengths": np.array([item.strength for item in everything], np.float32),
            "indices": np.array(numbers, np.int64),
        }
        file.write(save(arrays, latent_facts(everything, task.generator.content_hash)))
    yield replace(progress, ended=True)


def to_csv(task: Task) -> Yielding[TransferProgress, None, None]:
    """Strengths, with the names and numbers of their pictures."""
    with new_file(task.path) as file:
        file.write(strengths_csv(task.chosen))
    count = len(task.chosen.ws)
    yield TransferProgress(count, 0, count, count, ended=True)


WRITERS = {"zip": to_zip, "latents": to_latents, "csv": to_csv}


def made(task: Task, sink: Sink) -> Iterator[tuple[list[Edited], TransferProgress]]:
    """Edit all, a micro-batch at a time. The sink says what is wanted, and takes nothing."""
    maker = Maker(task.generator)
    size = micro_batch_for(task.generator) if sink.wants_pictures else LATENTS_AT_ONCE
    job = Job(task.direction, task.chosen, sink, size, size)
    total = len(task.chosen.ws)
    began = time.perf_counter()
    progress = TransferProgress(0, 0, total)
    for start in range(0, total, size):
        items, problems = edited(job, maker, task.chosen.read(task.generator, start, start + size))
        progress = replace(
            progress,
            done=progress.done + len(items),
            failed=progress.failed + len(problems),
            made=progress.made + len(items),
            seconds=time.perf_counter() - began,
            problems=tuple(problems),
        )
        yield items, progress


def strengths_csv(chosen: Chosen) -> bytes:
    """A row for each picture: its number, its name, its strength."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("index", "key", "strength"))
    for row in zip(chosen.indices, chosen.keys, chosen.alphas.tolist(), strict=True):
        rows.writerow((*row[:2], f"{row[2]:.6g}"))
    return text.getvalue().encode()


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A file that is there under its name once it is complete, and never in another's place."""
    unfinished = path.with_name(f".{uuid4().hex}.partial")
    try:
        try:
            with unfinished.open("xb") as file:
                yield file
            if path.exists():
                raise TransferError(f"{path} has come into being meanwhile; take another name.")
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "there is no room left for it; make room" if full else f"{error}; mend that"
        raise TransferError(f"{path.name} can't be written: {why}, and export again.") from error
