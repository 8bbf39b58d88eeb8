"""Flat shapes as signed distances, so that one formula gives both a clean edge and exact labels.

Every function maps coordinates to an (approximate) signed distance: negative inside, positive
outside, in the units of the coordinates. For an implicit curve f = 0 the distance is taken as
f / |grad f|, which is exact to first order at the edge, the only place where it matters.
All arguments broadcast.
"""

from __future__ import annotations

import torch
from torch import Tensor


def coverage(distance: Tensor, pixels_per_unit: Tensor) -> Tensor:
    """Fraction of a pixel inside the shape: a ramp one pixel wide across the edge."""
    return (0.5 - distance * pixels_per_unit).clamp_(0, 1)


def ellipse(
    x: Tensor, y: Tensor, half_width: Tensor | float, half_height: Tensor | float
) -> Tensor:
    """Ellipse around the origin."""
    u, v = x / half_width, y / half_height
    radius = (u * u + v * v).sqrt_()
    slope = torch.hypot(u / half_width, v / half_height) / radius.clamp_min(1e-6)
    return (radius - 1) / slope.clamp_min(1e-6)


def lens(
    x: Tensor, y: Tensor, half_width: Tensor | float, up: Tensor | float, down: Tensor | float
) -> Tensor:
    """Between two parabolas that meet at (-half_width, 0) and (half_width, 0).

    The upper one rises to y = -up and the lower one falls to y = +down (y points down). Both
    positive is an eye or a mouth; `down` negative is a crescent, such as a brow.
    """
    s = x / half_width
    fall = 1 - s * s
    steep = -2 * s / half_width
    above = (-y - up * fall) * ((up * steep).square() + 1).rsqrt_()
    below = (y - down * fall) * ((down * steep).square() + 1).rsqrt_()
    return torch.maximum(above, below)


def rounded_box(
    x: Tensor, y: Tensor, half_width: Tensor | float, half_height: Tensor | float, corner: float
) -> Tensor:
    """Axis-aligned box around the origin whose corners have radius `corner`."""
    dx = x.abs() - half_width + corner
    dy = y.abs() - half_height + corner
    outside = torch.hypot(dx.clamp_min(0), dy.clamp_min(0))
    return outside + torch.maximum(dx, dy).clamp_max(0) - corner


def cone(
    x: Tensor,
    y: Tensor,
    start: tuple[Tensor, Tensor],
    end: tuple[Tensor, Tensor],
    start_radius: Tensor | float,
    end_radius: Tensor | float,
) -> Tensor:
    """A stroke from `start` to `end` whose radius changes evenly from one to the other."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    px, py = x - start[0], y - start[1]
    t = ((px * dx + py * dy) / (dx * dx + dy * dy).clamp_min(1e-9)).clamp_(0, 1)
    radius = start_radius + t * (end_radius - start_radius)
    return torch.hypot(px - t * dx, py - t * dy) - radius
