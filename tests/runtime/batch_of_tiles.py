"""A small batch for tests: a direction for the tiny generator, and latents to apply it to."""

from __future__ import annotations

import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.direction import EditDirection


def a_direction(generator: Generator, *, size: float = 0.6, seed: int = 7) -> EditDirection:
    dice = torch.Generator().manual_seed(seed)
    example, delta = torch.randn(2, generator.num_ws, generator.w_dim, generator=dice)
    delta = delta * (size / delta.norm())
    return EditDirection(
        delta, "nudge", generator.content_hash, scale_range=(0, 1), normal=delta, example=example
    )


def latents(generator: Generator, count: int = 6) -> Tensor:
    dice = torch.Generator().manual_seed(9)
    return torch.randn(count, generator.num_ws, generator.w_dim, generator=dice)
