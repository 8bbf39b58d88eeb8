"""Writing and reading generators, and everything that can be wrong with a file."""

import dataclasses
import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from nbdrag.generators.checkpoint import (
    CheckpointError,
    read_generator,
    save_generator,
)
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

TINY = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=128, channel_max=8
)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_generator(Generator(TINY), path)
    return path


def rewrite(path: Path, tensors: dict[str, Tensor], config: Any) -> None:
    save_file(tensors, path, {"config": config if isinstance(config, str) else json.dumps(config)})


def test_what_was_saved_is_read(saved):
    original, read = Generator(TINY), read_generator(saved)
    assert read.config == original.config
    assert list(read.state_dict()) == list(original.state_dict())
    for name, tensor in read.state_dict().items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, original.state_dict()[name].half().float()), name
    assert not read.training
    assert not any(parameter.requires_grad for parameter in read.parameters())
    ws = read.mapping(torch.ones(1, 6))
    assert read.synthesis(ws).image.isfinite().all()


def test_every_architecture_makes_the_trip(tmp_path):
    for architecture in ("skip", "resnet", "orig"):
        config = dataclasses.replace(
            TINY, architecture=architecture, num_labels=2, conv_clamp=256.0
        )
        path = tmp_path / f"{architecture}.safetensors"
        save_generator(Generator(config), path)
        assert read_generator(path).config == config


def test_weights_are_in_half_precision_and_metadata_is_kept(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_generator(Generator(TINY).half(), path, {"training": '{"pictures": 7}'})
    assert {tensor.dtype for tensor in load_file(path).values()} == {torch.float16}
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["training"]) == {"pictures": 7}
    assert json.loads(metadata["config"]) == dataclasses.asdict(TINY)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_file_is_known_by_the_hash_of_what_was_saved(saved):
    assert read_generator(saved).content_hash == Generator(TINY).content_hash


def test_saving_refuses_what_could_not_be_read(tmp_path, saved):
    content = saved.read_bytes()
    generator = Generator(TINY)
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        save_generator(generator, tmp_path / "tiny.pt")
    with pytest.raises(ValueError, match='metadata contains "config"'):
        save_generator(generator, saved, {"config": "mine"})
    with torch.no_grad():
        generator.synthesis.b4.const[0, 0, 0] = 1e6  # beyond float16
    with pytest.raises(ValueError, match=r"float16: synthesis\.b4\.const"):
        save_generator(generator, saved)
    assert saved.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == [saved.name]


# ------------------------------------------------------------------------------- faults in a file


def test_every_tensor_is_accounted_for(saved):
    config, tensors = dataclasses.asdict(TINY), load_file(saved)
    tensors["extra.weight"] = tensors.pop("mapping.fc1.weight")
    tensors["synthesis.b4.const"] = tensors["synthesis.b4.const"][:, :2].contiguous()
    rewrite(saved, tensors, config)
    with pytest.raises(CheckpointError) as caught:
        read_generator(saved)
    assert "missing: mapping.fc1.weight" in str(caught.value)
    assert "unknown: extra.weight" in str(caught.value)
    assert "synthesis.b4.const (8, 2, 4) instead of (8, 4, 4)" in str(caught.value)


def test_long_lists_are_shortened(saved):
    rewrite(saved, {"a": torch.zeros(1)}, dataclasses.asdict(TINY))
    with pytest.raises(CheckpointError, match=r"b4\.const, .* and \d+ more; unknown: a\."):
        read_generator(saved)


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        (torch.float16, torch.nan),
        (torch.float32, -torch.inf),
        (torch.float64, 1e300),
        (torch.float8_e4m3fn, torch.nan),
    ],
)
def test_values_that_are_not_finite_in_float32_are_warned_of(saved, dtype, value):
    tensors = load_file(saved)
    tensors["mapping.fc0.bias"] = torch.full_like(tensors["mapping.fc0.bias"], value, dtype=dtype)
    rewrite(saved, tensors, dataclasses.asdict(TINY))
    with pytest.warns(UserWarning, match=r"not finite in float32, in mapping\.fc0\.bias"):
        generator = read_generator(saved)
    assert not generator.mapping.fc0.bias.isfinite().any()


def test_float32_keeps_every_bit(tmp_path):
    generator = Generator(TINY)
    save_generator(generator, tmp_path / "g.safetensors", dtype=torch.float32)
    again = read_generator(tmp_path / "g.safetensors").state_dict()
    assert all(tensor.equal(again[name]) for name, tensor in generator.state_dict().items())


def test_other_resampling_filters_are_refused(saved):
    tensors = load_file(saved)
    tensors["synthesis.b8.conv0.resample_filter"] *= 2
    rewrite(saved, tensors, dataclasses.asdict(TINY))
    with pytest.raises(CheckpointError, match=r"\[1, 3, 3, 1\] in synthesis\.b8\.conv0"):
        read_generator(saved)


def test_whole_numbers_are_no_weights(saved):
    tensors = load_file(saved)
    tensors["mapping.fc0.bias"] = tensors["mapping.fc0.bias"].to(torch.int32)
    rewrite(saved, tensors, dataclasses.asdict(TINY))
    with pytest.raises(CheckpointError, match=r"mapping\.fc0\.bias"):
        read_generator(saved)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([], "must be an object"),
        ({"resolution": 16, "depth": 3}, "no other keys than resolution"),
        ({"resolution": 10**9}, "resolution is 1000000000"),
        ({"resolution": "16"}, "resolution is '16'"),
        ({"mapping_layers": 10**6}, "mapping_layers is 1000000"),
        ({"conv_clamp": 10**400}, "conv_clamp is 1000"),
        ({"conv_clamp": True}, "conv_clamp is True"),
    ],
)
def test_absurd_constructions_are_refused(saved, config, said):
    rewrite(saved, load_file(saved), config)
    with pytest.raises(CheckpointError, match=said):
        read_generator(saved)


def test_a_gigantic_construction_costs_no_memory(saved):
    """A terabyte of weights by its config; refused before any is allocated."""
    config = {"resolution": 4096, "channel_base": 1 << 20, "channel_max": 65536, "w_dim": 65536}
    rewrite(saved, load_file(saved), config)
    with pytest.raises(CheckpointError, match="does not hold the weights"):
        read_generator(saved)


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(CheckpointError, match="there is no file"):
        read_generator(path)
    for content in (b"not a checkpoint", b"", bytes(range(256))):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"other\.safetensors"):
            read_generator(path)
    path.write_bytes((20).to_bytes(8, "little") + b"{" + b" " * 30)
    with pytest.raises(CheckpointError, match="damaged"):
        read_generator(path)
    with pytest.raises(CheckpointError, match="is a folder"):
        read_generator(tmp_path)
    save_file({"weight": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r'no known generator: weight.* "config"'):
        read_generator(path)


@given(data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_cut_and_flipped_files_are_refused_or_read_whole(saved, data):
    content = bytearray(saved.read_bytes())
    damaged = saved.with_name("damaged.safetensors")
    if data.draw(st.booleans(), label="cut"):
        damaged.write_bytes(content[: data.draw(st.integers(0, len(content) - 1), label="length")])
        with pytest.raises(CheckpointError):
            read_generator(damaged)
        return
    position = data.draw(st.integers(0, len(content) - 1) | st.integers(0, 400), label="position")
    content[position] ^= 1 << data.draw(st.integers(0, 7), label="bit")
    damaged.write_bytes(content)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            generator = read_generator(damaged)
        except CheckpointError:
            return
    finite = all(tensor.isfinite().all() for tensor in generator.state_dict().values())
    assert finite or "not finite" in str(warned[-1].message)


def test_recommended_options_travel_with_the_weights(tmp_path):
    generator = Generator(TINY)
    generator.recommended = {"drag": {"learning_rate": 0.02}}
    save_generator(generator, tmp_path / "g.safetensors")
    assert read_generator(tmp_path / "g.safetensors").recommended == generator.recommended


@pytest.mark.parametrize("recommended", ["{", "[]", '{"drag": 3}', "[" * 100_000, "1" * 5000])
def test_strange_recommendations_are_refused(tmp_path, recommended):
    path = tmp_path / "g.safetensors"
    save_generator(Generator(TINY), path)
    metadata = {"config": json.dumps(dataclasses.asdict(TINY)), "recommended": recommended}
    save_file(load_file(path), path, metadata)
    with pytest.raises(CheckpointError, match="recommends"):
        read_generator(path)
