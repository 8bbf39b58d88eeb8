"""Segmenters in files; see `nbdrag.generators.module_file`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.module_file import filled, read_module, write_module
from nbdrag.generators.parts import Part
from nbdrag.generators.segmenter import Segmenter

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import Generator


def save_segmenter(
    segmenter: Segmenter, path: str | PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a segmenter as .safetensors, in half precision.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    segmenter : Segmenter
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep in the file's metadata, such as how it was trained; "segmenter" is taken.

    Raises
    ------
    ValueError
        If the name ends otherwise, "segmenter" is among the metadata, or a weight isn't finite in
        half precision.
    """
    construction = {
        "parts": segmenter.parts,
        "hidden": segmenter.hidden,
        "members": segmenter.members,
        "looks": len(segmenter.looks),
        "generator_hash": segmenter.generator_hash,
    }
    write_module(
        segmenter,
        path,
        key="segmenter",
        what="segmenter",
        construction=construction,
        metadata=metadata,
    )


def load_segmenter(
    path: str | PathLike[str], generator: Generator | None = None, *, force: bool = False
) -> Segmenter:
    """Read a segmenter from a file, in float32, frozen, on the CPU.

    Parameters
    ----------
    path : path-like
        A file that `save_segmenter` wrote.
    generator : Generator, optional
        The one that it is for. Give it the segmenter yourself:
        ``generator.segmenter = load_segmenter(path, generator)``.
    force : bool
        Whether a segmenter of another generator will do. One that was trained on from the same
        weights often shares enough of its features.

    Returns
    -------
    Segmenter

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is no such file, it is damaged or holds no segmenter, or the
        segmenter is that of another generator, and not `force`; or doesn't fit it at all.
    """
    path = Path(path)
    construction, weights = read_module(path, key="segmenter", what="segmenter")
    segmenter = construct(path, construction, weights)
    if generator is not None:
        check_generator(path, segmenter, generator, force)
    return segmenter


def construct(path: Path, construction: str, weights: Mapping[str, Tensor]) -> Segmenter:
    """Make the segmenter that a file describes, once all in it agrees."""
    try:
        found: Any = json.loads(construction)
        channels = {
            int(name.removeprefix("first.")): int(tensor.shape[1])
            for name, tensor in weights.items()
            if name.startswith("first.")
        }
        with torch.device("meta"):  # no memory, however large
            segmenter = Segmenter(
                channels,
                [Part(*part) for part in found["parts"]],
                hidden=tuple(found["hidden"]),
                members=found["members"],
                looks=found.get("looks", 0),
                generator_hash=str(found["generator_hash"]),
            )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise CheckpointError(f"{path.name} describes no segmenter: {error}") from None
    return filled(segmenter, weights, path, what="segmenter")


def check_generator(path: Path, segmenter: Segmenter, generator: Generator, force: bool) -> None:
    """Refuse the segmenter of another generator."""
    config = generator.config
    channels = {r: config.channels(r) for r in config.block_resolutions}
    theirs = {r: segmenter.first[str(r)].shape[1] for r in segmenter.resolutions}
    if channels != theirs:
        raise CheckpointError(
            f"{path.name} is for a generator with the channels {theirs}, by block; this one has "
            f"{channels}."
        )
    if not force and segmenter.generator_hash != (own := generator.content_hash):
        raise CheckpointError(
            f"{path.name} was trained for the generator {segmenter.generator_hash or 'of nobody'}; "
            f"this one is {own}. Train one for it (python -m nbdrag.training.segmenter), or try "
            "this with force=True."
        )
