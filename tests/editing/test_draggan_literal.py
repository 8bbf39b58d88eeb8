"""Dragging equals the paper read literally: everything resized, one pixel after another, slowly."""

import dataclasses
import math
from collections.abc import Iterator, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.generators.stylegan2 import Generator

Points = Sequence[tuple[float, float]]

HANDLES, TARGETS = [(9.5, 20.5), (22.3, 11.8)], [(14.5, 24.5), (18.3, 1.4)]


def pixel(resized: Tensor, x: float, y: float) -> Tensor:
    """Bilinear interpolation of a map as large as the picture."""
    lowest, rightmost = resized.shape[1] - 1, resized.shape[2] - 1
    column, row = min(max(x - 0.5, 0), rightmost), min(max(y - 0.5, 0), lowest)
    left, top = min(int(column), rightmost - 1), min(int(row), lowest - 1)
    a, b = column - left, row - top
    above = (1 - a) * resized[:, top, left] + a * resized[:, top, left + 1]
    below = (1 - a) * resized[:, top + 1, left] + a * resized[:, top + 1, left + 1]
    return (1 - b) * above + b * below


def pixels_around(
    x: float, y: float, reach: int, size: tuple[int, int]
) -> Iterator[tuple[float, float]]:
    height, width = size
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            if 0 <= x + dx <= width and 0 <= y + dy <= height:
                yield x + dx, y + dy


def literal_drag(
    generator: Generator,
    ws: Tensor,
    handles: Points,
    targets: Points,
    mask: Tensor | None,
    options: DragOptions,
    block: int,
) -> Iterator[tuple[Tensor, float, list[tuple[float, float]]]]:
    """Resize everything, loop over points and pixels; yields ws, loss and points."""
    size = (generator.height, generator.width)

    def resize(features: Tensor) -> Tensor:
        return interpolate(features, size=size, mode="bilinear", align_corners=False)[0]

    rows = 1 if options.space == "w" else options.movable_layers
    movable = ws[:rows].clone().requires_grad_()
    optimizer = torch.optim.Adam([movable], lr=options.learning_rate)
    points, first, wanted = list(handles), None, []
    for _ in range(options.max_steps):
        head = movable.expand(options.movable_layers, -1)
        latent = torch.cat([head, ws[options.movable_layers :]])
        raw = generator.synthesis(latent[None], until=block, taps=[block]).features[block]
        F = resize(raw)
        if first is None:
            first = raw.detach()
            wanted = [pixel(F.detach(), *p) for p in points]
        loss = torch.zeros([], dtype=torch.float64)
        for (px, py), (tx, ty) in zip(points, targets, strict=True):
            distance = math.hypot(tx - px, ty - py)
            if distance <= 1:
                continue
            dx, dy = (tx - px) / distance, (ty - py) / distance
            for qx, qy in pixels_around(px, py, 10, size):
                if math.hypot(qx - px, qy - py) < options.patch_radius:
                    here, ahead = pixel(F.detach(), qx, qy), pixel(F, qx + dx, qy + dy)
                    loss = loss + (here - ahead).abs().sum()
        if mask is not None:
            changed = resize((raw - first).abs())
            patch = [q for q in pixels_around(8, 8, 7, size) if math.dist(q, (8, 8)) < 2.5]
            mean = changed[:, ~mask].sum() / mask.numel()
            loss = loss + options.mask_weight * len(patch) * mean
        (movable.grad,) = torch.autograd.grad(loss, movable)
        optimizer.step()

        head = movable.detach().expand(options.movable_layers, -1)
        latent = torch.cat([head, ws[options.movable_layers :]])
        raw = generator.synthesis(latent[None], until=block, taps=[block]).features[block]
        F = resize(raw.detach())
        for i, (px, py) in enumerate(points):
            nearest = math.inf
            for qx, qy in pixels_around(px, py, 10, size):
                if max(abs(qx - px), abs(qy - py)) < options.search_radius:
                    found = (pixel(F, qx, qy) - wanted[i]).abs().sum().item()
                    if found < nearest:
                        nearest, points[i] = found, (qx, qy)
        yield latent, loss.item(), list(points)


@pytest.mark.parametrize("block", [16, 32])
@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
@pytest.mark.parametrize("space", ["w+", "w"])
def test_the_trajectory_is_the_papers(
    generator: Generator, ws: Tensor, block: int, masked: bool, space: str
) -> None:
    options = DragOptions(
        learning_rate=0.02,
        mask_weight=20,
        patch_radius=2.5,
        search_radius=3,
        max_steps=5,
        movable_layers=5,
        space=space,
        feature_block=block,
    )
    start = ws if space == "w+" else ws[:1].repeat(generator.num_ws, 1)
    mask = left_of(19, generator) if masked else None
    check_agreement(generator, start, HANDLES, TARGETS, mask, options, block)


@pytest.mark.parametrize("base_width", [2, 7])
@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
def test_so_it_is_in_pictures_that_are_not_square(
    generator: Generator, ws: Tensor, base_width: int, masked: bool
) -> None:
    config = dataclasses.replace(generator.config, base_width=base_width)
    oblong = Generator(config, torch.Generator().manual_seed(5)).double()
    size = oblong.width  # 16 or 56, and 32 high
    handles, targets = [(5.5, 27.5), (size - 2.3, 11.8)], [(9.5, 31.5), (size - 6.3, 1.4)]
    options = DragOptions(
        learning_rate=0.02,
        patch_radius=2.5,
        search_radius=3,
        max_steps=4,
        movable_layers=5,
        feature_block=16,
    )
    mask = left_of(10, oblong) if masked else None
    check_agreement(oblong, ws, handles, targets, mask, options, 16)


def left_of(column: int, generator: Generator) -> Tensor:
    mask = torch.zeros(generator.height, generator.width, dtype=torch.bool)
    mask[:, :column] = True
    return mask


def check_agreement(
    generator: Generator,
    start: Tensor,
    handles: Points,
    targets: Points,
    mask: Tensor | None,
    options: DragOptions,
    block: int,
) -> None:
    ours = list(drag(generator, start, handles, targets, mask, options))
    literal = list(literal_drag(generator, start, handles, targets, mask, options, block))
    assert len(ours) == len(literal) == options.max_steps
    for step, (latent, loss, points) in zip(ours, literal, strict=True):
        assert step.loss == pytest.approx(loss, rel=1e-9)
        torch.testing.assert_close(step.ws, latent, rtol=0, atol=1e-9)
        assert [tuple(p) for p in step.points.tolist()] == [pytest.approx(p) for p in points]
