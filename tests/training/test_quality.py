"""The quality report must rank what is known to be better above what is known to be worse."""

import pytest
import torch

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training.quality import measure


@pytest.fixture(scope="module")
def report():
    config = StyleGAN2Config(
        64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16
    )
    noise = Generator(config, torch.Generator().manual_seed(0)).requires_grad_(False)
    return measure(noise, load_reader(), images=160, truncation=0.7)


def test_renders_are_best_and_an_untrained_generator_is_worst(report):
    best, blurred = report["renders"], report["blurred renders"]
    worst = report["samples, psi 0.7"]
    assert best["fid"] < blurred["fid"] < worst["fid"]
    assert best["confidence"] > blurred["confidence"] > worst["confidence"]


def test_precision_and_recall_are_high_only_for_renders(report):
    assert report["renders"]["precision"] > 0.6
    assert report["renders"]["recall"] > 0.6
    assert report["samples, psi 0.7"]["precision"] < 0.2
