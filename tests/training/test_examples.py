"""Folders of labelled examples: read as written, or refused with the file's name and a remedy."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from nbdrag.generators.segmenter import Part
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training.examples import (
    UNKNOWN,
    Examples,
    read_examples,
    read_labels,
    read_latent,
    read_parts,
    write_examples,
)

TINY = StyleGAN2Config(resolution=16, z_dim=4, w_dim=6, mapping_layers=1, channel_base=64)
PARTS = (Part("sky", "#80a0ff"), Part("sea", "#203080"), Part("sand", "#e0d090"))


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(TINY)


@pytest.fixture
def examples(generator) -> Examples:
    rng = torch.Generator().manual_seed(0)
    ws = torch.randn(2, generator.num_ws, 6, generator=rng)
    labels = torch.randint(3, (2, 16, 16), generator=rng).to(torch.uint8)
    labels[0, :3] = UNKNOWN
    return Examples(ws, labels, PARTS)


@pytest.fixture
def folder(tmp_path, examples) -> Path:
    write_examples(tmp_path, examples, ["anna", "ben"])
    return tmp_path


def no_embedding(picture: Tensor) -> Tensor:
    raise AssertionError("nothing was to be embedded")


def test_examples_are_read_as_they_were_written(folder, generator, examples):
    found = read_examples(folder, generator, no_embedding)
    assert torch.equal(found.ws, examples.ws)
    assert torch.equal(found.labels, examples.labels)
    assert found.parts == PARTS
    assert {path.name for path in folder.iterdir()} == {
        "parts.json", "anna.npy", "anna.labels.png", "ben.npy", "ben.labels.png"
    }  # fmt: skip


def test_a_part_map_shows_its_colours(folder):
    shown = np.array(Image.open(folder / "ben.labels.png").convert("RGB"))
    labels = np.array(Image.open(folder / "ben.labels.png"))
    assert [tuple(shown[labels == k][0]) for k in range(3)] == [
        (128, 160, 255), (32, 48, 128), (224, 208, 144)
    ]  # fmt: skip


def test_pictures_are_embedded(folder, generator, examples):
    (folder / "ben.npy").unlink()
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    Image.fromarray(pixels).save(folder / "ben.png")
    asked = []

    def embed(picture: Tensor) -> Tensor:
        asked.append(picture)
        return examples.ws[1] + 1

    found = read_examples(folder, generator, embed)
    assert torch.equal(found.ws[1], examples.ws[1] + 1)
    (picture,) = asked
    assert torch.equal(picture, torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1)


@pytest.mark.parametrize("shape", [(6,), (10, 6), (1, 10, 6)])
@pytest.mark.parametrize("suffix", [".npy", ".safetensors"])
def test_latents_of_several_shapes(tmp_path, generator, shape, suffix):
    array = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    generator = Generator(StyleGAN2Config(64, z_dim=4, w_dim=6, channel_base=64))
    path = tmp_path / f"x{suffix}"
    if suffix == ".npy":
        np.save(path, array.double().numpy())
    else:
        save_file({"ws": array}, path)
    found = read_latent(path, generator)
    assert found.shape == (10, 6) or shape != (6,)
    torch.testing.assert_close(found, array.view(-1, 6).expand(found.shape))


def rename(folder, old, new):
    (folder / old).rename(folder / new)


def save_labels(folder, array, mode="L"):
    Image.fromarray(np.asarray(array, dtype=np.uint8)).convert(mode).save(folder / "ben.labels.png")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "parts.json").unlink(), r"holds no parts\.json.*#e6e6eb"),
        (lambda f: (f / "parts.json").write_text("{"), r"parts\.json names no parts"),
        (lambda f: (f / "parts.json").write_text('{"a": "#000000"}'), "2 to 255"),
        (lambda f: (f / "parts.json").write_text('{"a": "#000000", "a": "#000001"}'), "called 'a'"),
        (lambda f: (f / "parts.json").write_text('{"a": "black", "b": "#000001"}'), "colour"),
        (lambda f: [p.unlink() for p in f.glob("*.labels.png")], "holds no part maps"),
        (lambda f: (f / "ben.npy").unlink(), r"ben\.labels\.png has nothing.*ben\.png"),
        (lambda f: rename(f, "ben.npy", "ben.png"), r"ben\.png is no picture"),
        (lambda f: rename(f, "ben.npy", "ben.safetensors"), r"ben\.safetensors can't be read"),
        (lambda f: (f / "ben.npy").write_bytes(b""), r"ben\.npy can't be read"),
        (lambda f: np.save(f / "ben.npy", np.zeros((3, 3))), r"\[3, 3\]; expected a latent"),
        (lambda f: np.save(f / "ben.npy", np.full(6, np.nan)), "NaN"),
        (lambda f: np.save(f / "ben.npy", np.array(["a"])), r"ben\.npy can't be read"),
        (lambda f: np.save(f / "ben.npy", np.array([{}])), r"ben\.npy can't be read"),
        (lambda f: save_labels(f, np.zeros((8, 16))), "16 x 8 pixels.*nearest"),
        (lambda f: save_labels(f, np.zeros((16, 16)), "RGB"), "mode RGB"),
        (lambda f: save_labels(f, np.full((16, 16), 3)), "label 3; there are 3 parts"),
        (lambda f: save_labels(f, np.full((16, 16), 255)), "labels no pixel"),
    ],
)
def test_bad_folders_are_refused(folder, generator, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        read_examples(folder, generator, no_embedding)


def test_a_safetensors_file_without_ws_is_refused(tmp_path, generator):
    save_file({"w": torch.zeros(6)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=r'no tensor "ws", but \[\'w\'\]'):
        read_latent(tmp_path / "x.safetensors", generator)


def test_no_folder(tmp_path, generator):
    with pytest.raises(ValueError, match="no folder"):
        read_examples(tmp_path / "nowhere", generator, no_embedding)


def test_everything_is_checked_before_anything_is_embedded(folder, generator):
    (folder / "anna.npy").unlink()
    Image.new("RGB", (16, 16)).save(folder / "anna.png")
    np.save(folder / "ben.npy", np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"ben\.npy"):
        read_examples(folder, generator, no_embedding)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None)
@given(text=st.text() | json_values.map(json.dumps))
def test_any_parts_file_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "parts.json"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    with pytest.raises(ValueError, match=r"parts\.json"):
        read_parts(path)


@settings(max_examples=60, deadline=None)
@given(data=st.binary(max_size=200), cut=st.integers(0, 120))
def test_any_part_map_is_read_or_refused(tmp_path_factory, data, cut):
    path = tmp_path_factory.getbasetemp() / "any.labels.png"
    Image.new("L", (16, 16)).save(path)
    path.write_bytes(path.read_bytes()[:cut] + data)
    try:
        found = read_labels(path, (16, 16), PARTS)
    except ValueError as error:
        assert "any.labels.png" in str(error)  # noqa: PT017
    else:
        assert found.shape == (16, 16)
        assert found.dtype == torch.uint8
