"""What every reader gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from nbdrag.generators.config import StyleGAN2Config


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
        What the file is, in a few words: "NVIDIA StyleGAN2, G_ema".
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
