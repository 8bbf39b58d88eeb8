import pytest
import torch

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


@pytest.fixture(scope="session")
def generator() -> Generator:
    """A generator of 32 px with random weights, the same in every run."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    generator = Generator(config).eval().requires_grad_(False)
    dice = torch.Generator().manual_seed(5)
    for parameter in generator.parameters():
        parameter.normal_(generator=dice)
    return generator
