"""A tiny generator with random weights, another of the same shape, and vectors of the first."""

import pytest
import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.transfer.vectors import EditVector

CONFIG = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)


def sampled(generator: Generator, seed: int) -> Tensor:
    z = torch.randn(1, generator.z_dim, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        return generator.mapping(z)[0]


@pytest.fixture(scope="session")
def generator() -> Generator:
    generator = Generator(CONFIG).eval().requires_grad_(False)
    generator.source = "tiny"
    return generator


@pytest.fixture(scope="session")
def other() -> Generator:
    rng = torch.Generator().manual_seed(1)
    return Generator(CONFIG, rng=rng).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def smile(generator: Generator) -> EditVector:
    return learnt(generator, 1, "smile", ("lips", "inner_mouth"))


@pytest.fixture(scope="session")
def blink(generator: Generator) -> EditVector:
    return learnt(generator, 2, "close eyes", ("left_sclera", "lips"))


def learnt(generator: Generator, seed: int, name: str, classes: tuple[str, ...]) -> EditVector:
    ws = sampled(generator, seed)
    noise = torch.randn(ws.shape, generator=torch.Generator().manual_seed(seed))
    facts = {"method": "paint", "seed": seed, "truncation": 0.7, "live": False, "note": None}
    return EditVector.between(
        ws,
        ws + 0.1 * noise,
        name=name,
        generator=generator,
        classes=classes,
        scale_range=(-1, 1.5),
        learnt=facts,
    )
