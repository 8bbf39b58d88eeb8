"""Colours as RGB in [-1, 1], the range of a generator's pictures."""

from __future__ import annotations

import torch
from torch import Tensor

SKIN = ((255, 224, 200), (243, 196, 160), (216, 160, 118), (160, 108, 74), (98, 64, 46))
HAIR = ((34, 26, 28), (84, 52, 34), (128, 60, 36), (196, 100, 44), (226, 180, 96), (158, 154, 158))
IRIS = ((96, 58, 34), (128, 98, 46), (70, 132, 70), (60, 122, 176), (110, 128, 146))


def along(palette: tuple[tuple[int, int, int], ...], position: Tensor) -> Tensor:
    """Read a palette of 8-bit colours at `position` in [0, 1]: [N] -> [N, 3, 1, 1]."""
    colours = torch.tensor(palette, dtype=position.dtype, device=position.device) / 127.5 - 1
    place = position * (len(palette) - 1)
    left = place.floor().long().clamp(0, len(palette) - 2)
    mixed = torch.lerp(colours[left], colours[left + 1], (place - left)[:, None])
    return mixed[:, :, None, None]


def hsv(hue: Tensor, saturation: float, value: Tensor) -> Tensor:
    """Hue and value in [0, 1] ([N] each) to RGB, [N, 3, 1, 1]."""
    offsets = torch.tensor([5.0, 3.0, 1.0], dtype=hue.dtype, device=hue.device)
    k = (offsets + 6 * hue[:, None]) % 6
    rgb = value[:, None] * (1 - saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return (2 * rgb - 1)[:, :, None, None]


def shade(colour: Tensor, brightness: Tensor | float) -> Tensor:
    """Multiply the light of a colour: 1 leaves it, 0 is black. Broadcasts."""
    return (colour + 1) * brightness - 1
