"""Reading a feature map equals resizing it to the picture and sampling that."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.editing.features import sample, sampling_weight


def literal_sample(features: Tensor, x: float, y: float, size: tuple[int, int]) -> Tensor:
    """Resize everything, then interpolate between the four pixels around (x, y)."""
    resized = interpolate(features[None], size=size, mode="bilinear", align_corners=False)[0]
    lowest, rightmost = size[0] - 1, size[1] - 1
    column, row = min(max(x - 0.5, 0), rightmost), min(max(y - 0.5, 0), lowest)
    left, top = min(int(column), rightmost - 1), min(int(row), lowest - 1)
    a, b = column - left, row - top
    return (
        (1 - b) * ((1 - a) * resized[:, top, left] + a * resized[:, top, left + 1])
        + b * (1 - a) * resized[:, top + 1, left]
        + b * a * resized[:, top + 1, left + 1]
    )


def random_map(channels: int, height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(channels, height, width, dtype=torch.float64, generator=generator)


@given(
    height=st.sampled_from([4, 8, 16]),
    width=st.sampled_from([2, 4, 12]),
    scale=st.sampled_from([1, 2, 4]),
    x=st.floats(-0.1, 1.1),
    y=st.floats(-0.1, 1.1),
)
def test_sampling_equals_resizing_first(
    height: int, width: int, scale: int, x: float, y: float
) -> None:
    features, size = random_map(3, height, width, seed=height), (height * scale, width * scale)
    x, y = x * size[1], y * size[0]
    found = sample(features, torch.tensor([x, y], dtype=torch.float64), size)
    torch.testing.assert_close(found, literal_sample(features, x, y, size), rtol=0, atol=1e-12)


@pytest.mark.parametrize("size", [(32, 32), (32, 16), (16, 40)])
def test_pixel_centres_give_the_resized_map_itself(size: tuple[int, int]) -> None:
    features = random_map(5, size[0] // 4, size[1] // 4, seed=0)
    down, across = (torch.arange(length, dtype=torch.float64) + 0.5 for length in size)
    grid = torch.stack(torch.meshgrid(across, down, indexing="xy"), dim=-1)
    resized = interpolate(features[None], size=size, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(sample(features, grid, size).permute(2, 0, 1), resized)


def test_the_gradient_is_that_of_resizing_first() -> None:
    ours, theirs = (random_map(2, 8, 8, seed=1).requires_grad_() for _ in range(2))
    points = torch.tensor([[3.2, 30.9], [0.0, 0.1], [17.5, 16.0]], dtype=torch.float64)
    sample(ours, points, (32, 32)).square().sum().backward()
    literal = torch.stack([literal_sample(theirs, x, y, (32, 32)) for x, y in points.tolist()])
    literal.square().sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_memory_layout_does_not_matter(layout: torch.memory_format) -> None:
    features = random_map(3, 8, 8, seed=2)
    point = torch.tensor([[5.3, 2.7]], dtype=torch.float64)
    laid_out = features[None].contiguous(memory_format=layout)[0]
    assert torch.equal(sample(laid_out, point, (16, 16)), sample(features, point, (16, 16)))


@pytest.mark.parametrize("size", [(4, 4), (8, 4), (4, 24), (16, 24)])
def test_sampling_weight_is_the_transpose_of_resizing(size: tuple[int, int]) -> None:
    region = (random_map(1, 16, 24, seed=3)[0] > 0).double()
    features = random_map(1, *size, seed=4)
    resized = interpolate(features[None], size=(16, 24), mode="bilinear", align_corners=False)
    weight = sampling_weight(region, size)
    torch.testing.assert_close((features[0] * weight).sum(), (resized[0, 0] * region).sum())
    torch.testing.assert_close(weight.sum(), region.sum())
    assert (weight >= 0).all()


def test_sampling_weight_at_full_size_is_the_region() -> None:
    region = (random_map(1, 8, 4, seed=5)[0] > 0).double()
    torch.testing.assert_close(sampling_weight(region, (8, 4)), region)
