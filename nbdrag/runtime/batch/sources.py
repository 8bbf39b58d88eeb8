"""Where the pictures to be edited come from: seeds, files of latents, photographs, any iterable.

A source is a numbered list of latents. What can be asked of it is one thing: the latents from one
number to another, so that a thousand million seeds take no more memory than ten. An item that can't
be had, such as a damaged photograph, is no error but a `Problem` beside the others.

`source_of` makes a source of what people say: ``range(1000)``, ``"latents.npy"``, a folder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.items import Latents, Source, checked, numbered
from nbdrag.runtime.batch.latent_files import LatentFile
from nbdrag.runtime.batch.manifest import Fact, TransferError, digest
from nbdrag.runtime.batch.photographs import Photographs, Projector

__all__ = ["Photographs", "Rows", "Seeds", "Source", "Stream", "source_of"]

TRUNCATION = 0.7
LARGEST_SEED = 2**63 - 1


class Seeds(Source):
    """Latents drawn as `nbdrag.sample` draws them.

    Parameters
    ----------
    seeds : sequence of int
        From 0 to 2**63 - 1, none of them twice.
    truncation : float
        ψ, from 0 to 1.

    Raises
    ------
    TransferError
        If there are none, or one of them is no seed.
    """

    def __init__(self, seeds: Sequence[int], *, truncation: float = TRUNCATION) -> None:
        self.seeds = seeds if isinstance(seeds, range) else [int(seed) for seed in seeds]
        self.truncation = float(truncation)
        self.length = len(self.seeds)
        if not self.seeds:
            raise TransferError("seeds is empty; give at least one, such as range(100).")
        low, high = min_and_max(self.seeds)
        if low < 0 or high > LARGEST_SEED:
            raise TransferError(f"seeds go from {low} to {high}; expected 0 to 2**63 - 1.")
        if not 0 <= self.truncation <= 1:
            raise TransferError(f"truncation is {truncation!r}; expected a number from 0 to 1.")
        if not isinstance(self.seeds, range):
            seed, times = Counter(self.seeds).most_common(1)[0]
            if times > 1:
                raise TransferError(f"seeds has {seed} {times} times; give each of them once.")

    @property
    def facts(self) -> dict[str, Fact]:
        """Which seeds, and their truncation."""
        if isinstance(self.seeds, range):
            which = str(self.seeds)
        else:
            which = digest(np.array(self.seeds, dtype=np.int64))
        return {"seeds": which, "truncation": self.truncation}

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Draw some, all in one pass of the mapping."""
        seeds = self.seeds[start:stop]
        z = [
            torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed))
            for seed in seeds
        ]
        labels = None
        if generator.num_labels:  # of the first class, as `sample`
            labels = torch.eye(generator.num_labels)[[0] * len(seeds)].to(generator.w_avg)
        with torch.no_grad():
            ws = generator.mapping(
                torch.cat(z).to(generator.w_avg), labels, truncation=self.truncation
            )
        indices = list(range(start, start + len(seeds)))
        return Latents(indices, [f"{seed:09d}" for seed in seeds], ws, [])


class Rows(Source):
    """Latents in an array, or in a file that is read piece by piece.

    Parameters
    ----------
    rows : Tensor, array or LatentFile, shape [N, num_ws, w_dim] or [N, w_dim]
    """

    def __init__(self, rows: Tensor | NDArray[Any] | LatentFile) -> None:
        self.rows = rows.detach().cpu().float().numpy() if isinstance(rows, Tensor) else rows
        if len(self.rows.shape) not in (2, 3) or not self.rows.shape[0]:
            raise TransferError(
                f"the latents are of shape {list(self.rows.shape)}; expected "
                "[N, num_ws, w_dim] or [N, w_dim], and at least one."
            )
        self.length = self.rows.shape[0]
        self.travels = isinstance(rows, LatentFile)

    def check(self, generator: Generator) -> None:
        """Refuse a file that says that it is of another generator."""
        if isinstance(self.rows, LatentFile):
            self.rows.check(generator)

    @property
    def facts(self) -> dict[str, Fact]:
        """Their shape, and a digest of the first and the last."""
        ends = np.stack([self.rows[0:1], self.rows[len(self.rows) - 1 :]])
        return {"latents": "x".join(map(str, self.rows.shape)), "digest": digest(ends)}

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Read some rows."""
        rows = list(self.rows[start:stop])
        return checked(generator, [(start + i, numbered(start + i), r) for i, r in enumerate(rows)])


class Stream(Source):
    """Latents from an iterable, each asked for once. How many there are shows at the end.

    Parameters
    ----------
    latents : iterable of Tensor or array, shape [num_ws, w_dim] or [w_dim]
        A run that goes on where another was asks for all of them again, and passes over those that
        are done.
    """

    travels = False

    def __init__(self, latents: Iterable[Any]) -> None:
        self._latents: Iterator[Any] = iter(latents)
        self._next = 0

    @property
    def facts(self) -> dict[str, Fact]:
        """Nothing can be known of it."""
        return {"latents": "an iterable"}

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Ask for the next; those before `start` are passed over."""
        if start < self._next:
            raise TransferError(
                "the iterable was used already; make a new one, which begins with the first item."
            )
        passed = sum(1 for _ in islice(self._latents, start - self._next))
        some = list(islice(self._latents, stop - start))
        self._next += passed + len(some)
        return checked(generator, [(start + i, numbered(start + i), w) for i, w in enumerate(some)])


def source_of(wish: object, projector: Projector) -> Source:
    """Make a source of what somebody gave as one.

    Parameters
    ----------
    wish : object
        A source; whole numbers, which are seeds; the path of a .safetensors or .npy file, or of a
        folder of such .safetensors or of pictures; an array of latents, or any iterable of them.
    projector : callable
        For pictures; see `Photographs`.

    Raises
    ------
    TransferError
        If it is nothing of all that.
    """
    if isinstance(wish, Source):
        return wish
    if isinstance(wish, str | Path):
        return from_path(Path(wish).expanduser(), projector)
    if isinstance(wish, Tensor | np.ndarray):
        return Seeds(wish.tolist()) if is_seeds(wish) else Rows(wish)
    if isinstance(wish, range):
        return Seeds(wish)
    if isinstance(wish, Sequence) and wish and all(is_whole(each) for each in wish):
        return Seeds(wish)
    if isinstance(wish, Sequence) and not wish:
        raise TransferError("source is empty; there is nothing to edit.")
    if isinstance(wish, Iterable):
        return Stream(wish)
    raise TransferError(
        f"source is {type(wish).__name__}; expected seeds, the path of latents or pictures, or an "
        "iterable of latents."
    )


def from_path(path: Path, projector: Projector) -> Source:
    """A file of latents, or a folder."""
    if path.is_dir():
        files = sorted(path.glob("*.safetensors"))
        return Rows(LatentFile(files)) if files else Photographs(path, projector)
    if not path.exists():
        raise TransferError(f"there is no file or folder {str(path)!r}.")
    return Rows(LatentFile([path]))


def is_whole(value: object) -> bool:
    """Whether it is a whole number, Python's or numpy's."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_seeds(values: Tensor | NDArray[Any]) -> bool:
    """Whether an array is a list of whole numbers."""
    if isinstance(values, Tensor):
        values = values.cpu().numpy()
    return values.ndim == 1 and bool(np.issubdtype(values.dtype, np.integer))


def min_and_max(seeds: Sequence[int]) -> tuple[int, int]:
    """Of a range, without going through it."""
    if isinstance(seeds, range):
        return min(seeds[0], seeds[-1]), max(seeds[0], seeds[-1])
    return min(seeds), max(seeds)
