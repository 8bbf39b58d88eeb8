"""Sheets of samples: which pictures they show, and how."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag.generators.sheet import TRUNCATION, samples, sheet_png, tiled, to_bytes
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

TINY = {"z_dim": 6, "w_dim": 8, "mapping_layers": 2, "channel_base": 512, "channel_max": 4}


def test_bytes_round_and_clamp() -> None:
    values = to_bytes(torch.tensor([-2.0, -1.0, 0.0, 0.999, 1.0, 3.0]))
    assert values.tolist() == [0, 0, 128, 255, 255, 255]


def test_tiles_read_like_text() -> None:
    images = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 3, 4, 2)
    pixels = np.asarray(tiled(images, columns=3))
    assert pixels.shape == (8, 6, 3)
    assert pixels[2::4, 1::2, 0].tolist() == [[0, 51, 102], [153, 204, 255]]


def test_samples_are_those_of_the_seed() -> None:
    generator = Generator(StyleGAN2Config(resolution=32, **TINY))
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        expected = generator(z, truncation=TRUNCATION)
    assert torch.allclose(samples(generator, 3, seed=5), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("architecture", "base_width", "size"),
    [("skip", 4, (128, 128)), ("skip", 2, (128, 64)), ("orig", 4, (256, 256))],
)
def test_large_generators_show_what_a_small_block_makes(
    architecture: str, base_width: int, size: tuple[int, int]
) -> None:
    generator = Generator(
        StyleGAN2Config(resolution=256, architecture=architecture, base_width=base_width, **TINY)  # type: ignore[arg-type]
    )
    assert samples(generator, 2).shape == (2, 3, *size)


def test_classes_come_in_turn() -> None:
    generator = Generator(StyleGAN2Config(resolution=8, num_labels=2, **TINY)).double()
    z = torch.randn(3, 6, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = generator(z, torch.eye(2)[[0, 1, 0]], truncation=TRUNCATION)
    assert torch.allclose(samples(generator, 3), expected)


def test_a_notebook_shows_eight_of_them_and_a_line() -> None:
    generator = Generator(StyleGAN2Config(resolution=16, base_width=3, **TINY))
    bundle = generator._repr_mimebundle_()
    assert bundle["text/plain"] == repr(generator)
    assert bundle["image/png"] == sheet_png(generator)
    with Image.open(BytesIO(bundle["image/png"])) as sheet:
        assert sheet.size == (8 * 12, 16)
        assert np.array_equal(np.asarray(sheet), tiled(samples(generator, 8), columns=8))
