"""Generators of stylegan2-pytorch, and of the projects that follow it."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import openmmlab, read_checkpoint, rosinality
from nbdrag.generators.formats.contents import contents
from nbdrag.generators.stylegan2 import Generator
from tests.generators.formats.states import assert_same, canonical, configs, make_state
from tests.generators.formats.writing_rosinality import (
    basicsr_file,
    encoder_file,
    openmmlab_file,
    rosinality_file,
    rosinality_name,
    rosinality_state,
    rosinality_training_file,
)

SMALL = StyleGAN2Config(
    resolution=32, z_dim=8, w_dim=8, mapping_layers=2, channel_base=256, channel_max=32
)
OBLONG = dataclasses.replace(SMALL, base_width=2)


@pytest.mark.parametrize("archive", [True, False])
@pytest.mark.parametrize("config", [SMALL, OBLONG])
def test_files_to_sample_from(tmp_path, config, archive):
    state = make_state(config)
    found = read_checkpoint(rosinality_file(state, tmp_path / "x", archive=archive))
    assert found.config == config
    assert found.kind == "rosinality StyleGAN2, g_ema"
    assert_same(found, state)


def test_training_files_give_the_averaged_generator(tmp_path):
    state = make_state(SMALL)
    found = read_checkpoint(rosinality_training_file(state, tmp_path / "x.pt"))
    assert found.config == SMALL
    assert found.kind == "rosinality StyleGAN2, g_ema, average w sampled"
    assert found.notes == ()
    assert_same(found, state, "mapping.w_avg")


def test_encoders_have_a_generator_for_decoder(tmp_path):
    state = make_state(SMALL)
    found = read_checkpoint(encoder_file(state, tmp_path / "e4e.pt"))
    assert found.config == SMALL
    assert_same(found, state)


@pytest.mark.parametrize("prefix", ["generator_ema.", "generator.", ""])
@pytest.mark.parametrize("config", [SMALL, OBLONG])
def test_files_of_openmmlab(tmp_path, config, prefix):
    state = make_state(config)
    found = read_checkpoint(openmmlab_file(state, tmp_path / "x.pth", prefix=prefix))
    assert found.config == config
    assert found.kind.startswith("OpenMMLab StyleGAN2")
    assert_same(found, state, "mapping.w_avg")


def test_files_of_basicsr(tmp_path):
    state = make_state(SMALL)
    found = read_checkpoint(basicsr_file(state, tmp_path / "x.pth"))
    assert found.kind == "BasicSR StyleGAN2, params_ema, average w sampled"
    assert_same(found, state, "mapping.w_avg")


@pytest.mark.parametrize("multiplier", [1, 2, 3, 4])
def test_any_channel_multiplier(multiplier):
    """A multiple of the channels from block 64 on, and 512 before."""
    channels = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256 * multiplier, 128: 128 * multiplier}
    config = StyleGAN2Config(
        resolution=128, mapping_layers=1, block_channels=tuple(channels.values())
    )
    with torch.device("meta"):
        state = Generator(config).state_dict()
    state["mapping.w_avg"] = torch.zeros(512)
    # Shapes are all that is read here; large numbers would only take time.
    state = {name: torch.zeros(()).expand(t.shape) for name, t in state.items()}
    found = rosinality.read(contents({"g_ema": rosinality_state(state)} | {"latent_avg": 0}))
    assert {r: found.config.channels(r) for r in config.block_resolutions} == channels
    by_rule = {1: (16384, 512), 2: (32768, 512)}.get(multiplier)
    if by_rule:
        assert (found.config.channel_base, found.config.channel_max) == by_rule
    assert (found.config.block_channels is None) == (by_rule is not None)


@given(
    config=configs(
        num_labels=0,
        architecture="skip",
        conv_clamp=None,
        mapping_learning_rate=0.01,
    )
)
@settings(max_examples=20, deadline=None)
def test_any_construction_makes_the_trip(tmp_path_factory, config: StyleGAN2Config):
    path = tmp_path_factory.mktemp("trip") / "x.pt"
    state = make_state(config)
    found = read_checkpoint(rosinality_file(state, path))
    assert canonical(found.config) == canonical(config)
    assert_same(found, state)


def test_the_average_w_is_sampled_as_their_code_does():
    state = make_state(SMALL)
    found = rosinality.read(contents({"g_ema": rosinality_state(state)}))
    generator = Generator(SMALL)
    generator.load_state_dict(state)
    with torch.no_grad():
        w = generator.mapping(torch.randn(20_000, 8, generator=torch.Generator().manual_seed(5)))
    error = (found.weights["mapping.w_avg"] - w[:, 0].mean(0)).norm() / w[:, 0].std()
    assert error < 0.05


@pytest.mark.parametrize("key", ["g_ema", "g", "generator", "model.net"])
@pytest.mark.parametrize("wrapper", ["", "module."])
def test_state_dicts_are_found_wherever_they_lie(key, wrapper):
    state = make_state(SMALL)
    wrapped = {wrapper + name: t for name, t in rosinality_state(state).items()}
    tree = {key: wrapped, "latent_avg": state["mapping.w_avg"], "epoch": 5}
    found = rosinality.read(contents(tree))
    assert_same(found, state)
    bare = rosinality.read(contents(wrapped | {"latent_avg": state["mapping.w_avg"]}))
    assert_same(bare, state)


def test_weights_may_lie_in_any_order_of_axes(tmp_path):
    config = dataclasses.replace(SMALL, channel_base=4096, channel_max=256)
    state = make_state(config)
    laid_out = {
        name: t.to(memory_format=torch.channels_last) if t.ndim == 4 else t.T.clone().T
        for name, t in state.items()
        if t.ndim in (2, 4)
    }
    found = read_checkpoint(rosinality_file(state | laid_out, tmp_path / "x.pt"))
    assert_same(found, state)


def test_averages_of_w_that_differ_by_row_are_averaged():
    state = make_state(SMALL)
    rows = torch.stack([state["mapping.w_avg"] - 1, state["mapping.w_avg"] + 1])
    found = rosinality.read(contents({"g_ema": rosinality_state(state), "latent_avg": rows}))
    assert_same(found, state)


def test_unknown_and_missing_tensors_stay_so():
    state = rosinality_state(make_state(SMALL))
    state["convs.1.noise.other"] = torch.ones(2)
    del state["convs.0.conv.weight"]
    found = rosinality.read(contents({"g_ema": state}))
    assert "convs.1.noise.other" in found.weights
    assert "synthesis.b8.conv0.weight" not in found.weights


def test_one_weight_under_two_names_is_refused():
    state = rosinality_state(make_state(SMALL))
    state["style.01.weight"] = state["style.1.weight"]
    found = rosinality.read(contents({"g_ema": state}))
    assert "style.01.weight" in found.weights
    mixed = {f"g_ema.{name}": t for name, t in state.items()}
    mixed["g_ema.constant_input.input"] = state["input.input"]
    with pytest.raises(CheckpointError, match=r"holds synthesis\.b4\.const twice"):
        openmmlab.read(contents(mixed))


def test_generators_from_other_sizes_are_refused():
    state = rosinality_state(make_state(SMALL))
    state["input.input"] = torch.zeros(1, 32, 16, 16)
    with pytest.raises(CheckpointError, match="learned constant has 16 rows; 4 are supported"):
        rosinality.read(contents({"g_ema": state}))


def test_names_are_those_of_the_original():
    """By hand, for a generator of 16 pixels."""
    names = {
        "synthesis.b4.conv1.weight": "conv1.conv.weight",
        "synthesis.b4.conv1.noise_const": "noises.noise_0",
        "synthesis.b4.torgb.affine.bias": "to_rgb1.conv.modulation.bias",
        "synthesis.b8.conv0.weight": "convs.0.conv.weight",
        "synthesis.b8.conv1.noise_strength": "convs.1.noise.weight",
        "synthesis.b8.conv0.noise_const": "noises.noise_1",
        "synthesis.b8.resample_filter": "to_rgbs.0.upsample.kernel",
        "synthesis.b16.conv0.resample_filter": "convs.2.conv.blur.kernel",
        "synthesis.b16.conv1.bias": "convs.3.activate.bias",
        "synthesis.b16.torgb.bias": "to_rgbs.1.bias",
        "synthesis.b16.conv1.noise_const": "noises.noise_4",
        "mapping.fc0.weight": "style.1.weight",
    }
    for ours, theirs in names.items():
        assert rosinality.our_name(theirs) == ours
        assert rosinality_name(ours) == theirs
