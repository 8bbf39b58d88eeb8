"""What a source is: a numbered list of latents, asked for piece by piece."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.manifest import Fact, Problem


class Latents(NamedTuple):
    """Some items of a source.

    Attributes
    ----------
    indices : list of int
        Their numbers in the source.
    keys : list of str
        Their names: no two the same, of a path's characters, without dots.
    ws : Tensor, shape [N, num_ws, w_dim]
    problems : list of Problem
        Those that couldn't be had, and aren't among the others.
    strengths : Tensor, shape [N], or None
        How much of the edit each gets, where that isn't up to the direction.
    """

    indices: list[int]
    keys: list[str]
    ws: Tensor
    problems: list[Problem]
    strengths: Tensor | None = None

    @property
    def looked_at(self) -> int:
        """How many items they are, with those that couldn't be had."""
        return len(self.indices) + len(self.problems)


class Source(ABC):
    """A numbered list of latents.

    Attributes
    ----------
    length : int or None
        How many; None where nobody knows before the end.
    at_once : int or None
        How many to ask for at most; None for any number.
    travels : bool
        Whether it can be pickled, is small, and can be read on another machine that sees the same
        files.
    """

    length: int | None = None
    at_once: int | None = None
    travels: bool = True

    @property
    @abstractmethod
    def facts(self) -> dict[str, Fact]:
        """What it is, for a manifest: the same for the same source."""

    def check(self, generator: Generator) -> None:  # noqa: B027
        """Raise TransferError at once, if it can be told that these are another generator's."""

    @abstractmethod
    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Give the items from `start` to `stop`; fewer only where the source ends."""


class Held(Source):
    """Items that were read already, so that they can be sent where their source can't be read."""

    def __init__(self, start: int, latents: Latents) -> None:
        self.latents = latents._replace(ws=latents.ws.cpu())
        self.length = start + latents.looked_at

    @property
    def facts(self) -> dict[str, Fact]:
        """No manifest is to know of it."""
        return {}

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Give those from `start` to `stop`."""
        indices, keys, ws, problems, strengths = self.latents
        here = [i for i, index in enumerate(indices) if start <= index < stop]
        return Latents(
            [indices[i] for i in here],
            [keys[i] for i in here],
            ws[here].to(generator.w_avg),
            [problem for problem in problems if start <= problem.index < stop],
            None if strengths is None else strengths[here],
        )


def checked(generator: Generator, found: Sequence[tuple[int, str, object]]) -> Latents:
    """Take what are this generator's latents, and say what is wrong with the others."""
    shape = (generator.num_ws, generator.w_dim)
    latents = Latents([], [], torch.empty(0), [])
    rows: list[Tensor] = []
    for index, key, given in found:
        why = ""
        ws = torch.empty(0)
        if isinstance(given, Exception):
            why = str(given)
        else:
            try:
                ws = torch.as_tensor(given).detach().to(generator.w_avg)
            except (TypeError, ValueError, RuntimeError):
                why = f"is {type(given).__name__} and no latent"
            else:
                if ws.shape == shape[1:]:
                    ws = ws.expand(shape)
                if ws.shape != shape:
                    why = f"has shape {list(ws.shape)}; this generator's latents are {list(shape)}"
                elif not ws.isfinite().all():
                    why = "holds NaN or infinity"
        if why:
            latents.problems.append(Problem(index, key, why))
        else:
            latents.indices.append(index)
            latents.keys.append(key)
            rows.append(ws)
    ws = torch.stack(rows) if rows else generator.w_avg.new_empty(0, *shape)
    return latents._replace(ws=ws)


def numbered(index: int) -> str:
    """The key of an item that has no other name."""
    return f"{index:09d}"
