"""What a batch preview is made of: the many ways to say which edit, and which pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from os import PathLike, fsdecode
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.batch.items import Source
from nbdrag.runtime.batch.manifest import Problem
from nbdrag.runtime.batch.photographs import Photographs
from nbdrag.runtime.batch.sources import Seeds, source_of
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.edit_one_for_all import DirectionStep, find_direction, latent_of
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.batch_messages import MAX_ITEMS
from nbdrag.widgets.editor import Editor

DEFAULT_GENERATOR = "toonfaces-128"
DEFAULT_PICTURES = range(240)
FARTHEST = 1e6  # from 0, in units of w: beyond, numbers of 32 bits are at their end


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which edit, and how to find a better direction for it.

    Attributes
    ----------
    generator : Generator
    direction : EditDirection
        To begin with.
    search : iterator of DirectionStep, or None
        None: there is nothing to look for.
    most : int
        How many steps it takes at most.
    """

    generator: Generator
    direction: EditDirection
    search: Iterator[DirectionStep] | None = None
    most: int = 0


def wanted_edit(
    edit: Any,
    generator: Generator | str | PathLike[str] | None,
    options: DirectionOptions | None,
    name: str | None,
) -> Wanted:
    """Which edit somebody means by a direction, a pair of latents, or an editor.

    Raises
    ------
    ValueError
        If it is nothing of these, changes nothing, or is another generator's.
    """
    if isinstance(edit, EditDirection):
        if options is not None:
            raise ValueError(
                "options are for finding a direction, and this is one; give the pair of latents "
                "that it was found from, or leave options out."
            )
        named = edit if name is None else edit.renamed(name)
        return Wanted(loaded(generator or edit.generator or DEFAULT_GENERATOR), named)
    if isinstance(edit, Editor):
        ws, edited_ws, own, label = edit_in(edit)
        if generator is not None and loaded(generator).content_hash != own.content_hash:
            raise ValueError("generator is another one than the editor's; leave it out.")
        generator, edit, name = own, (ws, edited_ws), name or label
    if isinstance(edit, EditVector):
        raise ValueError(
            f"an EditVector such as {edit.name!r} knows no example; say on which picture: "
            "BatchPreview((ws, vector), ...)."
        )
    if not isinstance(edit, tuple | list) or len(edit) != 2:
        raise ValueError(
            f"direction is a {type(edit).__name__}; expected an EditDirection, an editor, or a "
            "pair (ws, edited_ws) of latents [num_ws, w_dim]."
        )
    if generator is None:
        generator = whose(edit) or DEFAULT_GENERATOR
    network = loaded(generator)
    before, after = edit
    start = latent_of(network, before, "ws")
    end = after.check(network).apply(start) if isinstance(after, EditVector) else after
    delta = latent_of(network, end, "edited_ws") - start
    options = DirectionOptions.for_generator(network, delta) if options is None else options
    search = find_direction(network, before, after, options, name=name or "edit")
    naive = EditDirection(
        delta,
        name or "edit",
        network.content_hash,
        network.source,
        scale_range=(0.0, 1.0),
        normal=delta,
        example=start,
    )
    return Wanted(network, naive, search, options.max_steps)


def edit_in(editor: Editor) -> tuple[Tensor, Tensor, Generator, str]:
    """The edit that an editor shows: latents before and after, the generator, what led there.

    Raises
    ------
    ValueError
        If nothing is edited.
    """
    session = editor._session
    with session.lock:
        ws, edited, generator = session.album.first.ws, session.ws, session.generator
        label = session.album.current.label
    if torch.equal(ws, edited):
        raise ValueError(
            "there is no edit to send to a batch: this is the picture as it was drawn. Drag, paint "
            "or slide first."
        )
    return ws.clone(), edited.clone(), generator, label


def whose(edit: Any) -> str:
    """The name of the generator that one of a pair says it belongs to; empty if none does."""
    names = (getattr(one, "generator", "") for one in edit)
    return next((name for name in names if isinstance(name, str) and name), "")


def loaded(generator: Generator | str | PathLike[str]) -> Generator:
    """A generator, or the one of this name or path."""
    return generator if isinstance(generator, Generator) else load_generator(fsdecode(generator))


@dataclass(frozen=True, eq=False)
class Pictures:
    """Latents [N, num_ws, w_dim], their names for files and for people, and what can't be had."""

    ws: Tensor
    keys: list[str]
    names: list[str]
    problems: list[Problem]


def pictures_of(given: Any, generator: Generator) -> Pictures:
    """The pictures that somebody means by seeds, latents, a file of them, or any iterable.

    Raises
    ------
    ValueError
        If there are none, or too many, or none of them is this generator's.
    """
    source = source_of(DEFAULT_PICTURES if given is None else given, _cant_project)
    if isinstance(source, Photographs):
        raise ValueError(
            "photographs must be projected first, which takes its time: nbdrag.project gives the "
            "latent of each. transfer_edit does both."
        )
    if (source.length or 0) > MAX_ITEMS:
        raise ValueError(
            f"{source.length} pictures are too many to look at; give {MAX_ITEMS} at most, and use "
            "transfer_edit for the rest."
        )
    source.check(generator)
    found = source.read(generator, 0, source.length or MAX_ITEMS + 1)
    if len(found.indices) > MAX_ITEMS:
        raise ValueError(f"there are more than {MAX_ITEMS} pictures; give fewer.")
    problems = list(found.problems)
    farthest = found.ws.abs().flatten(1).amax(1).tolist() if found.indices else []
    for index, key, far in zip(found.indices, found.keys, farthest, strict=True):
        if far > FARTHEST:
            problems.append(Problem(index, key, f"is no latent: it goes up to {far:g}"))
    kept = [i for i, far in enumerate(farthest) if far <= FARTHEST]
    if not kept:
        why = f"; {problems[0]}" if problems else ""
        raise ValueError(f"none of the pictures can be shown{why}.")
    keys = [found.keys[i] for i in kept]
    return Pictures(compact(found.ws[kept]), keys, names_of(source, keys), problems)


def names_of(source: Source, keys: list[str]) -> list[str]:
    """What to call pictures: by their seeds, or their numbers."""
    what = "seed" if isinstance(source, Seeds) else "latent"
    return [f"{what} {int(key)}" if key.isdigit() else key for key in keys]


def compact(ws: Tensor) -> Tensor:
    """The same latents in less memory, where all rows are alike, as those of W are."""
    alike = ws[:, :1].expand_as(ws)
    return ws[:, :1].clone().expand_as(ws) if torch.equal(ws, alike) else ws


def _cant_project(generator: Generator, image: Tensor) -> Tensor:
    raise ValueError("photographs must be projected first.")


def usual_path(name: str) -> str:
    """A name for an export, made of an edit's."""
    words = "".join(c if c.isalnum() else " " for c in name).split()
    return Path("-".join(words).lower()[:60] or "edit").name
