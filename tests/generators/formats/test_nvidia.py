"""Generators of stylegan2-ada-pytorch and stylegan3, as trainings, PTI and others save them."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from torch import nn

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import nvidia, read_checkpoint
from nbdrag.generators.formats.contents import contents
from tests.generators.formats.states import (
    OBLONG,
    OTHER_WIDTHS,
    SMALL,
    assert_same,
    canonical,
    configs,
    make_state,
)
from tests.generators.formats.writing import (
    EasyDict,
    nvidia_module,
    nvidia_pickle,
    nvidia_snapshot,
    pti_file,
)

CLAMPED = dataclasses.replace(SMALL, conv_clamp=256)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("config", [SMALL, OTHER_WIDTHS, OBLONG])
def test_snapshots_give_the_averaged_generator(tmp_path, config, protocol):
    state = make_state(config)
    found = read_checkpoint(nvidia_snapshot(state, config, tmp_path / "x", protocol=protocol))
    assert found.config == config
    assert found.kind == "NVIDIA StyleGAN2, G_ema"
    assert found.notes == ()
    assert_same(found, state)


@pytest.mark.parametrize("archive", [True, False])
def test_tuned_generators_are_read(tmp_path, archive):
    state = make_state(OTHER_WIDTHS)
    found = read_checkpoint(pti_file(state, OTHER_WIDTHS, tmp_path / "x.pt", archive=archive))
    assert found.config == OTHER_WIDTHS
    assert_same(found, state)


@pytest.mark.parametrize("version", [1, 5, 6])
@pytest.mark.parametrize("code", ["stylegan2-ada-pytorch", "stylegan3"])
def test_what_layers_do_not_say_is_taken_from_the_arguments(tmp_path, code, version):
    """The two codes nest their arguments differently."""
    state = make_state(OTHER_WIDTHS)
    module = nvidia_module(state, OTHER_WIDTHS, code=code, version=version, says=False)
    found = read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))
    assert found.config == OTHER_WIDTHS
    assert_same(found, state)


def test_layers_count_more_than_arguments(tmp_path):
    module = nvidia_module(make_state(SMALL), SMALL, conv_clamp=32)
    assert read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl")).config.conv_clamp == 32


def test_arguments_of_the_discriminator_do_not_count(tmp_path):
    path = tmp_path / "x.pkl"
    assert read_checkpoint(nvidia_snapshot(make_state(SMALL), SMALL, path)).config == SMALL


@given(config=configs())
@settings(max_examples=20, deadline=None)
def test_any_construction_makes_the_trip(tmp_path_factory, config: StyleGAN2Config):
    path = tmp_path_factory.mktemp("trip") / "x.pkl"
    state = make_state(config)
    found = read_checkpoint(nvidia_snapshot(state, config, path))
    assert canonical(found.config) == canonical(config)
    assert_same(found, state)


# --------------------------------------------------------------------- the many ways to save it


def nested(state):
    """A dict of dicts, level by level."""
    tree = {}
    for name, tensor in state.items():
        *path, last = name.split(".")
        level = tree
        for part in path:
            level = level.setdefault(part, {})
        level[last] = tensor
    return tree


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {f"module.{name}": t for name, t in state.items()},
        lambda state: {f"G_ema.{name}": t for name, t in state.items()} | {"G.epoch": 3},
        lambda state: {"G_ema": state, "D": {"b4.out.weight": torch.ones(2)}, "step": 7},
        lambda state: {"models": [{"net": "G"}, {"state_dict": state}]},
        lambda state: nested(state),
        lambda state: {"G": {name: t + 1 for name, t in state.items()}, "ema": nested(state)},
        lambda state: state | {"optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}},
        lambda state: {"G_ema": EasyDict(state), "losses": [0.5] * 10_000},
    ],
)
def test_state_dicts_are_found_wherever_they_lie(tmp_path, wrap):
    state = make_state(SMALL)
    path = tmp_path / "x.bin"
    wrapped = wrap(state)
    if any(isinstance(part, EasyDict) for part in wrapped.values()):
        nvidia_pickle(wrapped, path)
    else:
        torch.save(wrapped, path)
    found = read_checkpoint(path)
    assert found.config == SMALL
    assert_same(found, state)


def test_arguments_beside_a_state_dict_count(tmp_path):
    arguments = {"synthesis_kwargs": {"conv_clamp": 256}, "c_dim": 0}
    others = {"D_kwargs": {"synthesis_kwargs": {"conv_clamp": 3}}}
    torch.save({"G_ema": make_state(SMALL), "G_kwargs": arguments} | others, tmp_path / "x.pt")
    assert read_checkpoint(tmp_path / "x.pt").config == CLAMPED


def test_weights_keep_their_type(tmp_path):
    state = {name: t.half() for name, t in make_state(SMALL).items()}
    found = read_checkpoint(nvidia_snapshot(state, SMALL, tmp_path / "x.pkl"))
    assert {t.dtype for t in found.weights.values()} == {torch.float16}
    assert_same(found, state)


def test_frozen_weights_are_buffers_and_fleeting_buffers_count_if_needed(tmp_path):
    state = make_state(SMALL)
    module = nvidia_module(state, SMALL)
    layer = module.get_submodule("mapping.fc0")
    weight = layer._parameters.pop("weight").detach()
    layer.register_buffer("weight", weight)
    block = module.get_submodule("synthesis.b8")
    block.register_buffer("doubling", torch.ones(3), persistent=False)
    block._non_persistent_buffers_set.add("resample_filter")
    assert_same(read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl")), state)


def test_numbers_of_numpy_among_the_facts(tmp_path):
    module = nvidia_module(make_state(SMALL), SMALL, conv_clamp=np.float64(256))
    assert read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl")).config == CLAMPED


def test_what_a_module_refers_to_without_having_it_is_no_part_of_it(tmp_path):
    state = make_state(SMALL)
    module = nvidia_module(state, SMALL)
    layer = module.get_submodule("mapping.fc0")
    layer.__dict__["parent"] = [module]
    layer.__dict__["last_input"] = torch.ones(3)
    assert_same(read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl")), state)


# ----------------------------------------------------------------------------- what may be missing


def read_state(state):
    return nvidia.read(contents(state))


def test_missing_filters_are_the_usual_ones():
    state = make_state(SMALL)
    few = {name: t for name, t in state.items() if not name.endswith("resample_filter")}
    assert_same(read_state(few), state)


def test_generators_without_noise_get_noise_of_no_strength():
    state = make_state(SMALL)
    found = read_state({name: t for name, t in state.items() if "noise" not in name})
    assert found.weights.keys() == state.keys()
    assert all(not t.any() for name, t in found.weights.items() if "noise" in name)
    assert found.notes == ()


def test_a_lack_of_fixed_noise_is_noted():
    found = read_state({n: t for n, t in make_state(SMALL).items() if "noise_const" not in n})
    assert not found.weights["synthesis.b8.conv0.noise_const"].any()
    assert "fixed noise isn't in the file" in found.notes[0]


# ------------------------------------------------------------------------------------ what can't be


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ({"activation": "relu"}, r"activation 'relu' in .*; only '(lrelu|linear)' is supported"),
        ({"bias_gain": 0.5}, r"bias_gain 0\.5 in .*(affine|embed); only 1 is supported"),
        ({"conv_clamp": "often"}, "conv_clamp is 'often'; it must be a number"),
        ({"conv_clamp": -1}, r"construction is not supported: conv_clamp is -1"),
    ],
)
def test_variants_are_refused_by_name(tmp_path, layer, said):
    module = nvidia_module(make_state(SMALL), SMALL, **layer)
    with pytest.raises(CheckpointError, match=said):
        read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))


@pytest.mark.parametrize("taps", [[1, 2, 1], None])
def test_other_filters_are_refused_by_name(tmp_path, taps):
    module = nvidia_module(make_state(SMALL), SMALL)
    module.get_submodule("synthesis.b8")._init_kwargs["resample_filter"] = taps
    with pytest.raises(CheckpointError, match=r"resample_filter .* in synthesis\.b8\._init_kwargs"):
        read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))


def test_layers_that_disagree_are_refused(tmp_path):
    module = nvidia_module(make_state(CLAMPED), CLAMPED)
    module.get_submodule("synthesis.b8.conv1").conv_clamp = None
    with pytest.raises(CheckpointError, match=r"different conv_clamp \(.*256.*\)"):
        read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1 << 59, -1, 16384.0])
def test_channels_are_those_of_the_weights(tmp_path, value):
    """Whatever the arguments say."""
    module = nvidia_module(make_state(SMALL), SMALL)
    module._init_kwargs["synthesis_kwargs"]["channel_base"] = value
    found = read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))
    assert canonical(found.config) == canonical(SMALL)


def test_half_a_generator_is_refused(tmp_path):
    state = make_state(SMALL)
    module = nvidia_module(state, SMALL).get_submodule("synthesis")
    with pytest.raises(CheckpointError, match=r"synthesis network alone.*Save the whole generator"):
        read_checkpoint(nvidia_pickle(module, tmp_path / "x.pkl"))
    with pytest.raises(CheckpointError, match="no mapping network"):
        read_state({name: t for name, t in state.items() if name.startswith("synthesis")})


def test_errors_name_the_file(tmp_path):
    module = nvidia_module(make_state(SMALL), SMALL, activation="selu")
    with pytest.raises(CheckpointError, match=r"faces\.pkl: .*selu"):
        read_checkpoint(nvidia_pickle(module, tmp_path / "faces.pkl"))


def test_modules_written_here_are_torch_modules():
    """The writer's module has the state dict that NVIDIA's has."""
    module = nvidia_module(make_state(OTHER_WIDTHS), OTHER_WIDTHS)
    assert isinstance(module, nn.Module)
    assert module.state_dict().keys() == make_state(OTHER_WIDTHS).keys()
