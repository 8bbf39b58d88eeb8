"""Winograd's convolution is a convolution."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nbdrag.generators import winograd
from nbdrag.generators.winograd import seen_at_points, winograd_conv


def case(*shape: int, outputs: int = 5) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(*shape, dtype=torch.float64, generator=source)
    return x, torch.randn(outputs, shape[1], 3, 3, dtype=torch.float64, generator=source)


@pytest.mark.parametrize("shape", [(1, 3, 4, 4), (1, 3, 12, 8), (2, 4, 8, 24)])
@pytest.mark.parametrize("strip", [1, 100, 10_000])
def test_it_convolves(shape, strip, monkeypatch):
    monkeypatch.setattr(winograd, "STRIP", strip)
    x, weight = case(*shape)
    filters = seen_at_points(weight, torch.float64)
    assert filters.shape == (36, shape[1], 5)
    y = winograd_conv(x, filters)
    assert y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y, functional.conv2d(x, weight, padding=1), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 2e-6), (torch.bfloat16, 0.02)])
def test_rounding_errors_are_small(dtype, bound):
    x, weight = case(1, 64, 32, 32, outputs=64)
    exact = functional.conv2d(x, weight, padding=1)
    y = winograd_conv(x.to(dtype), seen_at_points(weight, dtype))
    assert y.dtype == dtype
    assert (y - exact).norm() < bound * exact.norm()
