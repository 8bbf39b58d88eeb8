"""Generators of the TensorFlow codes."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch.nn import functional

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import read_checkpoint
from nbdrag.generators.layers import binomial_filter, upsampling_conv
from tests.generators.formats.states import (
    OTHER_WIDTHS,
    SMALL,
    assert_same,
    canonical,
    configs,
    make_state,
)
from tests.generators.formats.writing_tensorflow import (
    tensorflow_array,
    tensorflow_networks,
    tensorflow_pickle,
)

ORIG = dataclasses.replace(SMALL, architecture="orig")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_every_protocol(tmp_path, protocol):
    state = make_state(SMALL)
    networks = tensorflow_networks(state, SMALL)
    found = read_checkpoint(tensorflow_pickle(networks, tmp_path / "x", protocol=protocol))
    assert found.config == SMALL
    assert found.kind == "TensorFlow StyleGAN2, Gs"
    assert found.notes == ()
    assert_same(found, state)


@pytest.mark.parametrize("config", [OTHER_WIDTHS, ORIG])
def test_every_construction(tmp_path, config):
    state = make_state(config)
    found = read_checkpoint(tensorflow_pickle(tensorflow_networks(state, config), tmp_path / "x"))
    assert found.config == config
    assert_same(found, state)


def test_one_network_by_itself(tmp_path):
    state = make_state(SMALL)
    *_, average = tensorflow_networks(state, SMALL)
    assert_same(read_checkpoint(tensorflow_pickle(average, tmp_path / "x.pkl")), state)


@given(config=configs(base_width=4))
@settings(max_examples=20, deadline=None)
def test_any_construction_makes_the_trip(tmp_path_factory, config: StyleGAN2Config):
    path = tmp_path_factory.mktemp("trip") / "x.pkl"
    state = make_state(config)
    found = read_checkpoint(tensorflow_pickle(tensorflow_networks(state, config), path))
    assert canonical(found.config) == canonical(config)
    assert_same(found, state)


def test_the_half_turn_makes_convolutions_alike():
    """Of a convolution between zeros, as TensorFlow's code has it, pixel by pixel."""
    rng = torch.Generator().manual_seed(0)
    weight, x = torch.randn(2, 3, 3, 3, generator=rng), torch.randn(1, 3, 5, 5, generator=rng)
    ours = upsampling_conv(x, weight, binomial_filter())
    stored = torch.from_numpy(np.ascontiguousarray(tensorflow_array("b8.conv0.weight", weight)))
    spread = torch.zeros(1, 3, 13, 13)
    spread[:, :, 2:11:2, 2:11:2] = x
    # A correlation with the weights as they are stored: rows, columns, inputs, outputs.
    doubled = functional.conv2d(spread, stored.permute(3, 2, 0, 1))
    kernel = (4 * binomial_filter()).expand(2, 1, 4, 4)
    assert torch.allclose(ours, functional.conv2d(doubled, kernel, padding=1, groups=2), atol=1e-5)


def test_generators_that_grew_have_rgb_at_the_end(tmp_path):
    """Configurations B to D of the paper name RGB by how often it still has to be doubled."""
    state = make_state(ORIG)
    networks = tensorflow_networks(state, ORIG)
    synthesis = networks[2].state["components"]["synthesis"].state
    renamed = [(n.replace("16x16/ToRGB", "ToRGB_lod0"), v) for n, v in synthesis["variables"]]
    smaller = [("ToRGB_lod1/weight", np.ones((1, 1, 16, 3), np.float32)), ("lod", np.float32(0))]
    synthesis["variables"] = renamed + smaller
    found = read_checkpoint(tensorflow_pickle(networks, tmp_path / "x.pkl"))
    assert found.config == ORIG
    assert_same(found, state)
    synthesis["variables"][-1] = ("lod", np.float32(1.5))
    with pytest.raises(CheckpointError, match="still growing"):
        read_checkpoint(tensorflow_pickle(networks, tmp_path / "x.pkl"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"nonlinearity": "relu"}, "has nonlinearity 'relu'; only 'lrelu' is supported"),
        ({"mapping_nonlinearity": "relu"}, "has mapping_nonlinearity 'relu'"),
        ({"resample_kernel": [1, 2, 1]}, r"has resample_kernel \[1, 2, 1\]"),
        ({"resample_kernel": None}, "has resample_kernel None"),
        ({"resample_kernel": np.ones((2, 2))}, r"has resample_kernel \[\[1\.0"),
        ({"normalize_latents": False}, "has normalize_latents False"),
        ({"conv_clamp": "much"}, "conv_clamp is 'much'"),
        ({"mapping_lrmul": None}, "mapping_learning_rate is None"),
        ({"version": 3}, "a StyleGAN1 or an older network"),
    ],
)
def test_variants_are_refused_by_name(tmp_path, arguments, said):
    networks = tensorflow_networks(make_state(SMALL), SMALL, **arguments)
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(tensorflow_pickle(networks, tmp_path / "x.pkl"))


def test_arguments_may_be_arrays(tmp_path):
    state = make_state(SMALL)
    kernel = np.array([1, 3, 3, 1], np.float32)
    networks = tensorflow_networks(state, SMALL, resample_kernel=kernel, conv_clamp=np.float64(9))
    found = read_checkpoint(tensorflow_pickle(networks, tmp_path / "x.pkl"))
    assert found.config == dataclasses.replace(SMALL, conv_clamp=9)


def test_other_networks_are_refused_by_name(tmp_path):
    _, discriminator, average = tensorflow_networks(make_state(SMALL), SMALL)
    with pytest.raises(CheckpointError, match="no generator among them"):
        read_checkpoint(tensorflow_pickle(discriminator, tmp_path / "x.pkl"))
    parts = average.state["components"]
    mapping = parts["mapping"].state["variables"]
    mapping.append(("LabelConcat/weight", np.ones((3, 8), np.float32)))
    with pytest.raises(CheckpointError, match="appends labels to z"):
        read_checkpoint(tensorflow_pickle(average, tmp_path / "x.pkl"))
    mapping.pop()
    styled = ("8x8/Conv1/StyleMod/weight", np.ones((8, 8), np.float32))
    parts["synthesis"].state["variables"].append(styled)
    with pytest.raises(CheckpointError, match="StyleGAN1"):
        read_checkpoint(tensorflow_pickle(average, tmp_path / "x.pkl"))


def test_unknown_variables_stay_as_they_are(tmp_path):
    state = make_state(SMALL)
    *_, average = tensorflow_networks(state, SMALL)
    variables = average.state["components"]["synthesis"].state["variables"]
    variables.append(("8x8/Conv2/weight", np.ones((3, 3, 8, 8), np.float32)))
    found = read_checkpoint(tensorflow_pickle(average, tmp_path / "x.pkl"))
    assert found.weights.keys() - state.keys() == {"synthesis/8x8/Conv2/weight"}
