"""Predictors in files: read back the same, or refused with the reason."""

import json
from dataclasses import asdict

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from nbdrag.editing.latent_predictor_file import (
    check_predictor,
    load_predictor,
    predictor_of,
    save_predictor,
)
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from tests.editing.predictors import tiny_config, tiny_predictor

SMALL = StyleGAN2Config(16, z_dim=4, w_dim=4, mapping_layers=1, channel_base=64)


@pytest.fixture(scope="module")
def small() -> Generator:
    return Generator(SMALL).requires_grad_(False)


def saved(tmp_path, generator):
    predictor = tiny_predictor(generator)
    path = tmp_path / "predictor.safetensors"
    save_predictor(predictor, path, {"training": "none"})
    return predictor, path


def test_a_file_gives_the_same_predictor(tmp_path, small):
    predictor, path = saved(tmp_path, small)
    found = load_predictor(path, small)
    assert found.config == predictor.config
    assert found.generator_hash == small.content_hash
    assert not found.training
    assert not any(each.requires_grad for each in found.parameters())
    for name, value in found.state_dict().items():
        assert torch.equal(value, predictor.state_dict()[name].half().float()), name


def test_the_predictor_of_another_generator_is_refused(tmp_path, small):
    predictor, path = saved(tmp_path, small)
    other = Generator(SMALL, torch.Generator().manual_seed(9))
    with pytest.raises(CheckpointError, match=f"{small.content_hash}.*{other.content_hash}.*Train"):
        load_predictor(path, other)
    check_predictor(predictor, small)
    check_predictor(predictor, small)  # remembered
    with pytest.raises(CheckpointError, match="the predictor was trained for"):
        check_predictor(predictor, other)


def test_where_there_is_none_it_says_how_to_train_one(small):
    with pytest.raises(CheckpointError, match=r"python -m nbdrag\.training\.auto_draggan"):
        predictor_of(small)


def test_files_that_hold_no_predictor(tmp_path, small):
    save_generator(small, tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match="holds no predictor"):
        load_predictor(tmp_path / "g.safetensors")
    with pytest.raises(CheckpointError, match="no file"):
        load_predictor(tmp_path / "nothing.safetensors")
    _, path = saved(tmp_path, small)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(CheckpointError, match="damaged"):
        load_predictor(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, w: d.update(steps=4), "another shape: time"),
        (lambda d, w: d.update(steps="many"), "steps is 'many'"),
        (lambda d, w: d.update(token_width=10**30), "describes no predictor"),
        (lambda d, w: d.update(reach=None), "reach is None"),
        (lambda d, w: d.pop("grid"), "missing or unknown: grid"),
        (lambda d, w: d.update(code="x"), "missing or unknown: code"),
        (lambda d, w: d.pop("generator_hash"), "describes no predictor"),
        (lambda d, w: w.pop("place"), "missing.*place"),
        (lambda d, w: w.update(extra=torch.zeros(1)), "extra"),
        (lambda d, w: w["time"].fill_(torch.nan), "not finite, in time"),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, small, change, message):
    _, path = saved(tmp_path, small)
    description = {**asdict(tiny_config(small)), "generator_hash": ""}
    weights = load_file(path)
    change(description, weights)
    save_file(weights, path, {"latent_predictor": json.dumps(description)})
    with pytest.raises(CheckpointError, match=message):
        load_predictor(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)
known = dict.fromkeys((*asdict(tiny_config(Generator(SMALL))), "generator_hash"), json_values)
descriptions = st.text() | (json_values | st.fixed_dictionaries(known)).map(json.dumps)


@settings(max_examples=100, deadline=None)
@given(description=descriptions)
def test_any_description_is_read_or_refused(tmp_path_factory, description):
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    save_file({"place": torch.zeros(4, 8)}, path, {"latent_predictor": description})
    with pytest.raises(CheckpointError, match=r"any\.safetensors"):
        load_predictor(path)


def test_saving_checks_first(tmp_path, small):
    predictor = tiny_predictor(small)
    with pytest.raises(ValueError, match="must end in"):
        save_predictor(predictor, tmp_path / "p.pt")
    with pytest.raises(ValueError, match="fills in"):
        save_predictor(predictor, tmp_path / "p.safetensors", {"latent_predictor": "x"})
    predictor.out.bias.fill_(1e9)
    with pytest.raises(ValueError, match=r"half precision: out\.bias"):
        save_predictor(predictor, tmp_path / "p.safetensors")
    assert not list(tmp_path.iterdir())
