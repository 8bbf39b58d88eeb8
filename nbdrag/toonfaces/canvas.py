"""What a portrait is painted on: the canvas, the turned head, and the marks left for landmarks.

Each shape is a signed distance (`shapes.py`). Painting it blends a colour in by its coverage and
writes its part label where the pixel's centre lies inside, so picture and labels cannot disagree.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nbdrag.toonfaces.shapes import coverage

# "left" and "right" are those of the picture, not of the person in it.
PARTS: tuple[str, ...] = (
    "background",
    "hair",
    "neck",
    "shirt",
    "left_ear",
    "right_ear",
    "skin",
    "nose",
    "left_sclera",
    "left_iris",
    "right_sclera",
    "right_iris",
    "left_brow",
    "right_brow",
    "lips",
    "inner_mouth",
)

PART_COLOURS: dict[str, str] = {
    "background": "#e6e6eb",
    "hair": "#7a5030",
    "neck": "#c29580",
    "shirt": "#7aaadc",
    "left_ear": "#dc9678",
    "right_ear": "#e3a287",
    "skin": "#f0bfa2",
    "nose": "#e6a98a",
    "left_sclera": "#fdfdfd",
    "left_iris": "#4682b4",
    "right_sclera": "#f2f6fa",
    "right_iris": "#5a96c8",
    "left_brow": "#50301e",
    "right_brow": "#644129",
    "lips": "#c85064",
    "inner_mouth": "#5a1420",
}
"""What each part has in a map of the parts; no two are the same."""


class Canvas:
    """Pictures under the brush, their labels, and how many pixels make one unit of length."""

    def __init__(self, background: Tensor, labels: Tensor, pixels_per_unit: Tensor) -> None:
        self.image, self.labels, self.pixels_per_unit = background, labels, pixels_per_unit

    def paint(self, distance: Tensor, colour: Tensor, part: str) -> None:
        """Cover with a shape of its own part."""
        self.tint(distance, colour)
        self.labels.masked_fill_(distance < 0, PARTS.index(part))

    def tint(self, distance: Tensor, colour: Tensor, strength: float = 1.0) -> None:
        """Colour the inside of a shape and leave the labels: a detail of what lies below."""
        alpha = coverage(distance, self.pixels_per_unit)
        self.blend(alpha if strength == 1 else alpha.mul_(strength), colour)

    def blend(self, alpha: Tensor, colour: Tensor) -> None:
        """Mix a colour in by `alpha` [N, size, size]."""
        self.image = torch.lerp(self.image, colour, alpha.unsqueeze(1))


class Head(NamedTuple):
    """The turned ellipsoid; every field is [N, 1, 1]."""

    half_width: Tensor
    half_height: Tensor
    sin_yaw: Tensor
    cos_yaw: Tensor
    sin_pitch: Tensor
    cos_pitch: Tensor

    def place(
        self, x: Tensor | float, y: Tensor | float, lift: float = 0.0
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where the frontal point (x, y) lands, and how narrow things look there.

        `lift` raises it above the surface. Returns x, y and the horizontal foreshortening, which
        falls to 0 where the surface turns away.
        """
        depth = 0.9 * self.half_width
        u, v = x / self.half_width, y / self.half_height
        surface = depth * (1 - u * u - v * v).clamp_min(0.04).sqrt()
        slope = -depth * depth * u / (self.half_width * surface)
        z = surface + lift
        turned = z * self.cos_yaw - x * self.sin_yaw
        return (
            x * self.cos_yaw + z * self.sin_yaw,
            y * self.cos_pitch + turned * self.sin_pitch,
            (self.cos_yaw + slope * self.sin_yaw).clamp_min(0.05),
        )


class Mark(NamedTuple):
    """A landmark in head coordinates and the part that must show there (None: any but hair)."""

    x: Tensor
    y: Tensor
    facing: Tensor | None = None
    part: str | None = None
