import pytest

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


@pytest.fixture(scope="session")
def generator() -> Generator:
    """A generator of 32 px with random weights: small, but its features can be dragged."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    return Generator(config).eval().requires_grad_(False)
