"""A tiny generator with random weights."""

import pytest
import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


@pytest.fixture(scope="module")
def generator() -> Generator:
    """A tiny generator of 32 pixels with random weights, in float64."""
    config = StyleGAN2Config(32, z_dim=8, w_dim=8, channel_base=128, channel_max=8)
    generator = Generator(config).double()
    source = torch.Generator().manual_seed(3)
    for parameter in generator.parameters():
        parameter.data.normal_(generator=source)
    for name, buffer in generator.named_buffers():
        if name.endswith("noise_const"):
            buffer.normal_(generator=source)
    return generator


@pytest.fixture(scope="module")
def ws(generator: Generator) -> Tensor:
    source = torch.Generator().manual_seed(4)
    return torch.randn(generator.num_ws, 8, dtype=torch.float64, generator=source)


@pytest.fixture(scope="module")
def small() -> Generator:
    config = StyleGAN2Config(32, z_dim=8, w_dim=8, mapping_layers=1, channel_base=64)
    return Generator(config).requires_grad_(False)
