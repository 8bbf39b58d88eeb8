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

from collections.abc import Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath

from torch import Tensor

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds of a generator.

    Attributes
    ----------
    config : StyleGAN2Config
        The construction, as told by the shapes of the weights and by what the file says of itself.
    weights : dict of str to Tensor
        Under the names of our state dict, in the type they were stored in. Tensors of the generator
        that the construction doesn't expect are among them, under the names they have in the file,
        so that a comparison can name them.
    kind : str
        What the file is, in a few words: "NVIDIA pickle, G_ema".
    notes : tuple of str
        What had to be filled in or left out, a sentence each.
    recommended : mapping
        Options that suit the weights, by method; files of ours have them.
    origin : mapping of str to str
        What the file says of where it comes from; converted files do.
    """

    config: StyleGAN2Config
    weights: dict[str, Tensor]
    kind: str
    notes: tuple[str, ...] = ()
    recommended: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    origin: Mapping[str, str] = field(default_factory=dict)


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
