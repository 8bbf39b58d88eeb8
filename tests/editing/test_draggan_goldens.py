"""The parts of our drag, put together in another implementation's way, walk its trajectory.

That implementation deviates from the paper, so what it does differently stands here: patches are
chosen on `linspace(0, H, H)`, off centre by up to 0.9 pixels; the loss is a mean over channels and
pixels; tracking goes by L2 distance over pixels, clipped at the borders.
"""

import pytest
import torch
from torch import Tensor

from nbdrag.editing.adam import Adam
from nbdrag.editing.draggan import motion_supervision
from nbdrag.editing.features import sample
from tests.goldens.reading import read_arrays, read_config, read_generator, relative_error

LAYERS, BLOCK = 6, 128


def pixel_centres(indices: Tensor) -> Tensor:
    """(row, column) to (x, y)."""
    return indices.flip(-1) + 0.5


def nearest_pixel(
    features: Tensor, wanted: Tensor, point: Tensor, radius: int, size: int
) -> Tensor:
    (top, left), (bottom, right) = (
        (point - radius).clamp(min=0),
        (point + radius + 1).clamp(max=size),
    )
    pixels = torch.cartesian_prod(torch.arange(top, bottom), torch.arange(left, right))
    found = sample(features, pixel_centres(pixels), (size, size))
    return pixels[(found - wanted).norm(dim=1).argmin()]


@pytest.mark.parametrize("name", ["drag_p1", "drag_p1_resize"])
def test_trajectory(name: str) -> None:
    generator, golden = read_generator(name).requires_grad_(False), read_arrays(f"{name}/io.npz")
    size, config = generator.resolution, read_config(name)["drag"]
    patch_radius, search_radius = (round(config[r] / 512 * size) for r in ("r1", "r2"))
    lines = torch.linspace(0, size, size)
    start, point, target = golden["ws0"][0], golden["points0"][0], golden["targets"][0]
    wanted: Tensor | None = None
    offset, adam = torch.zeros(LAYERS, generator.w_dim), Adam(config["lr"])
    for i, expected_loss in enumerate(golden["loss"].tolist()):
        offset.requires_grad_()
        ws = torch.cat([start[:LAYERS] + offset, start[LAYERS:]])
        features = generator.synthesis(ws[None], until=BLOCK, taps=[BLOCK]).features[BLOCK][0]
        if wanted is None:
            wanted = sample(features.detach(), pixel_centres(point), (size, size))
        point = nearest_pixel(features.detach(), wanted, point, search_radius, size)
        assert torch.equal(point, golden["points_tracked"][i, 0])

        off_centre = (lines[:, None] - point[0]).hypot(lines - point[1])
        patch = (torch.nonzero(off_centre < patch_radius) - point).flip(-1)
        here, there = pixel_centres(point)[None], pixel_centres(target)[None]
        loss = motion_supervision(features, here, there, patch, (size, size))
        loss = loss / (len(patch) * len(features))
        (gradient,) = torch.autograd.grad(loss, offset)
        offset = offset.detach() - adam.step(gradient)

        assert loss.item() == pytest.approx(expected_loss, rel=1e-5)
        assert relative_error(gradient, golden["grad_w"][i, 0, :LAYERS]) < 1e-5
        moved = torch.cat([start[:LAYERS] + offset, start[LAYERS:]]) - start
        assert relative_error(moved, golden["w_after_step"][i, 0] - start) < 1e-5
