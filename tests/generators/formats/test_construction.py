"""From shapes to a construction, and what may be left out."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.construction import complete, construction
from nbdrag.generators.stylegan2 import Generator
from tests.generators.formats.states import OTHER_WIDTHS, SMALL, canonical, configs, make_state


def shapes(config):
    """The weights of a generator, however large, for their shapes."""
    with torch.device("meta"):
        return Generator(config).state_dict()


@given(config=configs())
@settings(max_examples=40, deadline=None)
def test_shapes_tell_the_construction(config):
    found = construction(
        shapes(config),
        architecture=config.architecture,
        conv_clamp=config.conv_clamp,
        learning_rate=config.mapping_learning_rate,
    )
    assert canonical(found) == canonical(config)
    again = construction(
        shapes(config),
        architecture=config.architecture,
        conv_clamp=config.conv_clamp,
        learning_rate=config.mapping_learning_rate,
        rule=(config.channel_base, config.channel_max),
    )
    if config.block_channels is None:
        rule = (again.channel_base, again.channel_max)
        assert rule == (config.channel_base, config.channel_max)


@pytest.mark.parametrize("resolution", [4, 32, 256, 1024])
@pytest.mark.parametrize("rule", [(32768, 512), (16384, 512), (16384, 64), (1000 * 1024, 300)])
def test_usual_channels_are_told_by_their_rule(resolution, rule):
    base, most = rule
    config = StyleGAN2Config(resolution=resolution, channel_base=base, channel_max=most)
    found = construction(shapes(config))
    assert found.block_channels is None
    assert canonical(found) == canonical(config)


def test_unusual_channels_are_listed():
    config = dataclasses.replace(SMALL, block_channels=(16, 20, 3))
    assert construction(shapes(config)).block_channels == (16, 20, 3)


@pytest.mark.parametrize("missing", ["b4.const", "b8.conv1.bias", "b8.torgb.weight", "fc0.weight"])
def test_one_weight_less_changes_nothing_else(missing):
    """Which one it is will be told by comparing with what is expected."""
    weights = {name: t for name, t in shapes(SMALL).items() if not name.endswith(missing)}
    assert len(weights) == len(shapes(SMALL)) - 1
    assert construction(weights) == SMALL


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_set_of_names_and_shapes_is_told_or_refused(data):
    weights = dict(shapes(data.draw(st.sampled_from([SMALL, OTHER_WIDTHS]))))
    for _ in range(data.draw(st.integers(1, 6))):
        name = data.draw(st.sampled_from(sorted(weights)))
        if data.draw(st.booleans()) and len(weights) > 1:
            del weights[name]
        shape = data.draw(st.lists(st.integers(0, 1 << 12), max_size=5))
        other = data.draw(
            st.sampled_from(["mapping.fc7.weight", "synthesis.b48.conv1.bias", name])
            | st.from_regex(r"(mapping\.fc|synthesis\.b)\d{1,9}\.conv1\.bias", fullmatch=True)
        )
        weights[other] = torch.zeros(()).expand(shape)
    try:
        config = construction(weights)
    except CheckpointError as error:
        message = str(error)
    else:
        message = repr(config)
    assert "synthesis" in message or "the generator" in message or "resolution" in message


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("synthesis.b48.conv1.bias", [3], r"has a block 48; .* a power of two from 4 to 4096"),
        ("synthesis.b64.conv1.bias", [3], r"has a block 64, but of block 32 no convolution"),
        ("synthesis.b8192.conv1.bias", [3], r"has a block 8192; .* from 4 to 4096"),
        ("synthesis.b4.const", [16, 8, 8], r"constant has 8 rows; 4 are supported"),
        ("synthesis.b4.const", [16, 4, 99], r"not supported: base_width is 99"),
        ("synthesis.b8.torgb.weight", [1, 16, 1, 1], r"pictures of 1 channels; 3, for RGB"),
        ("mapping.embed.weight", [8, 3], r"takes no z, labels alone"),
        ("mapping.fc99.weight", [8, 8], r"not supported: mapping_layers is 100"),
    ],
)
def test_what_is_not_supported_is_named(name, shape, said):
    with pytest.raises(CheckpointError, match=said):
        construction({**shapes(SMALL), name: torch.zeros(shape)})


@pytest.mark.parametrize("network", ["mapping", "synthesis"])
def test_both_networks_are_needed(network):
    half = {name: t for name, t in shapes(SMALL).items() if not name.startswith(network)}
    with pytest.raises(CheckpointError, match=f"no {network} network"):
        construction(half)


# ----------------------------------------------------------------------------- what may be left out


def test_nothing_is_added_to_what_is_complete():
    state = make_state(SMALL)
    weights, notes = complete(state, SMALL)
    assert weights == state
    assert notes == ()


def test_unknown_weights_stay():
    weights, _ = complete(make_state(SMALL) | {"mapping.extra": torch.ones(1)}, SMALL)
    assert "mapping.extra" in weights


@pytest.mark.parametrize("config", [SMALL, OTHER_WIDTHS])
def test_only_what_may_be_missing_is_added(config):
    weights, _ = complete({}, config)
    assert weights.keys() == {
        name
        for name in make_state(config)
        if name.endswith(("resample_filter", "noise_const", "noise_strength", "w_avg"))
    }
    assert not weights["mapping.w_avg"].any()  # neither weights nor labels are known


def test_the_mean_w_needs_weights_that_fit():
    state = make_state(SMALL)
    del state["mapping.w_avg"]
    assert complete(state, SMALL)[0]["mapping.w_avg"].any()
    state["mapping.fc1.weight"] = torch.zeros(3, 3)
    assert not complete(state, SMALL)[0]["mapping.w_avg"].any()


def test_sampling_leaves_the_global_generator_alone():
    state = make_state(SMALL)
    del state["mapping.w_avg"]
    before = torch.get_rng_state()
    first, second = (complete(state, SMALL)[0]["mapping.w_avg"] for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_that_is_missing_takes_no_memory():
    large = StyleGAN2Config(resolution=4096)
    weights, _ = complete({}, large)
    assert weights["synthesis.b4096.conv1.noise_const"].untyped_storage().nbytes() == 4
