"""Checkpoints of other projects: file -> construction and weights, running none of their code.

A file is first taken apart into an inert tree: containers, numbers, tensors, and records of what
it would have called. Then each format looks for what it knows, by names and shapes, never by the
name of the file:

- `nvidia`: StyleGAN2 of stylegan2-ada-pytorch and stylegan3, as a pickle, in a torch file (PTI),
  or as a plain state dict; oblong ones (StyleGAN-Human) too
- `tensorflow`: the pickles of the first StyleGAN2
- `rosinality`: stylegan2-pytorch and what is built on it (pSp, e4e, StyleGAN-NADA)
- `openmmlab`: mmgeneration and its followers

`foreign` says by name what a file is that we know and can't use.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import foreign, nvidia, openmmlab, rosinality, tensorflow
from nbdrag.generators.formats.contents import Contents, contents, find_network
from nbdrag.generators.formats.found import Checkpoint
from nbdrag.generators.formats.torchfile import read_inert

__all__ = ["Checkpoint", "read_checkpoint", "reader_of", "recognise"]

Reader = Callable[[Contents], Checkpoint]

# By the names that they know a generator by.
READERS: tuple[tuple[tuple[str, ...], Reader], ...] = (
    (nvidia.ANCHORS, nvidia.read),
    (rosinality.ANCHORS, rosinality.read),
    (openmmlab.ANCHORS, openmmlab.read),
)


def read_checkpoint(path: str | PathLike[str]) -> Checkpoint:
    """Read a generator from any supported file but .safetensors.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Checkpoint

    Raises
    ------
    CheckpointError
        If the file is damaged, holds no StyleGAN2 generator, or one of a kind that is not
        supported; the message says what it is.
    """
    path = Path(path)
    try:
        return recognise(read_inert(path))
    except CheckpointError as error:
        message = str(error)
    raise CheckpointError(message if path.name in message else f"{path.name}: {message}")


def recognise(tree: object) -> Checkpoint:
    """Find a generator in an inert tree, or say what else it is."""
    found = tensorflow.read(tree)
    if found is None:
        inside = contents(tree)
        found = reader_of(inside)(inside)
    return found


def reader_of(inside: Contents) -> Reader:
    """Choose who reads a file, by the names of its tensors alone; or say what else it is."""
    foreign.refuse(inside)
    for anchors, reader in READERS:
        if any(find_network(inside, anchor) for anchor in anchors):
            return reader
    raise CheckpointError(foreign.describe(inside))
