"""What identifies a generator, and what describes it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

TINY = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8
)


def test_hash_knows_construction_and_weights() -> None:
    generator = Generator(TINY)
    identity = generator_hash(generator)
    assert len(identity) == 16
    assert set(identity) <= set("0123456789abcdef")
    assert generator.content_hash == identity == generator_hash(Generator(TINY).double())
    clamped = Generator(dataclasses.replace(TINY, conv_clamp=256.0))
    assert clamped.content_hash != identity
    with torch.no_grad():
        generator.synthesis.b4.const[0, 0, 0] += 1
    assert generator.content_hash != identity


def test_hash_is_of_the_construction_however_it_is_said() -> None:
    spelt = dataclasses.replace(
        TINY, channel_base=80, channel_max=9, block_channels=(8, 8, 4), mapping_width=8
    )
    assert Generator(spelt).content_hash == Generator(TINY).content_hash
    wider = dataclasses.replace(TINY, block_channels=(8, 8, 5))
    assert Generator(wider).content_hash != Generator(TINY).content_hash


def test_hash_stays_what_it_was() -> None:
    """Recipes name it: a change here makes all that were saved before speak of other generators."""
    generator = Generator(TINY)
    for tensor in generator.state_dict().values():
        tensor.fill_(0.5)
    assert generator.content_hash == "48494417804c39dd"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {},
            "<Generator: 16x16 px, z of 6, 6 ws of 8, 2 + 5 layers of 4 to 8 channels>",
        ),
        (
            {"base_width": 2, "num_labels": 3},
            "<Generator: 8x16 px, 3 classes, z of 6, 6 ws of 8, 2 + 5 layers of 4 to 8 channels>",
        ),
    ],
)
def test_one_line_says_what_it_is(changes: dict[str, int], said: str) -> None:
    assert repr(Generator(dataclasses.replace(TINY, **changes))) == said


def test_the_line_names_the_source() -> None:
    generator = Generator(TINY)
    generator.source = "cats.pkl"
    assert repr(generator).startswith("<Generator from 'cats.pkl': 16x16 px")
