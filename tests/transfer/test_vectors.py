"""Editing vectors: sums, files, and whose they are."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

import nbdrag
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.transfer.vector_file import METADATA_KEY, checked_preview
from nbdrag.transfer.vectors import EditVector, VectorError
from tests.transfer.conftest import sampled

# ------------------------------------------------------------------------------------- applying


def test_scale_one_is_the_edit_that_was_learnt(generator: Generator) -> None:
    before, after = sampled(generator, 1), sampled(generator, 2)
    vector = EditVector.between(before, after, name="other", generator=generator)
    torch.testing.assert_close(vector.apply(before), after)
    assert vector.apply(before, 0).equal(before)
    torch.testing.assert_close(vector.apply(after, -1), before)
    half = vector.apply(before, np.float32(0.5))  # type: ignore[arg-type]
    torch.testing.assert_close(half, (before + after) / 2)


def test_a_batch_is_edited_alike_and_not_changed(generator: Generator, smile: EditVector) -> None:
    batch = torch.stack([sampled(generator, seed) for seed in range(3)])
    kept = batch.clone()
    edited = smile.apply(batch, 1.3)
    assert batch.equal(kept)
    assert all(edited[i].equal(smile.apply(batch[i], 1.3)) for i in range(3))
    assert smile.apply(batch.double()).dtype == torch.float64


def test_a_vector_keeps_what_it_was_given() -> None:
    delta, facts = torch.ones(2, 3, requires_grad=True), {"seed": 1}
    vector = EditVector(delta, "v", "0" * 16, learnt=facts)
    with torch.no_grad():
        delta += 1
    facts.clear()
    assert vector.delta.equal(torch.ones(2, 3))
    assert not vector.delta.requires_grad
    assert vector.learnt == {"seed": 1}


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), "1", None, True, 1j])
def test_scales_that_are_no_numbers_are_refused(smile: EditVector, scale: object) -> None:
    with pytest.raises(ValueError, match=r"scale is .*; expected a finite number"):
        smile.apply(torch.zeros_like(smile.delta), scale)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scale is "):
        smile * scale  # type: ignore[operator]


def test_latents_of_another_shape_are_refused(smile: EditVector) -> None:
    with pytest.raises(ValueError, match=r"ws has shape \[3, 16\]; the vector 'smile' is for"):
        smile.apply(torch.zeros(3, 16))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"delta": torch.zeros(2, 3, dtype=torch.int64)}, r"delta is torch.int64 \[2, 3\]"),
        ({"delta": torch.zeros(3)}, r"delta is torch.float32 \[3\]; expected"),
        ({"delta": [[1.0]]}, "delta is list"),
        ({"delta": torch.full((1, 2), torch.nan)}, "NaN"),
        ({"name": " "}, "name is ' '"),
        ({"scale_range": (1, 1)}, "low < high"),
        ({"scale_range": (0, float("inf"))}, "scale_range"),
    ],
)
def test_what_is_no_vector_is_refused(
    smile: EditVector, change: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        replace(smile, **change)  # type: ignore[arg-type]


def test_an_edit_that_changes_nothing_is_refused(generator: Generator) -> None:
    ws = sampled(generator, 1)
    with pytest.raises(ValueError, match="there is no edit to learn from"):
        EditVector.between(ws, ws.clone(), name="nothing", generator=generator)
    with pytest.raises(ValueError, match=r"ws_after has shape \[2, 16\]; expected \[8, 16\]"):
        EditVector.between(ws, ws[:2], name="short", generator=generator)


# ----------------------------------------------------------------------------------- composition


def test_vectors_are_added_and_scaled_like_numbers(
    generator: Generator, smile: EditVector, blink: EditVector
) -> None:
    ws = sampled(generator, 9)
    both = smile + 0.5 * blink
    torch.testing.assert_close(both.apply(ws, 2), blink.apply(smile.apply(ws, 2), 1))
    torch.testing.assert_close((smile - blink).delta, smile.delta - blink.delta)
    torch.testing.assert_close((-smile).delta, -smile.delta)
    assert (smile * 2).delta.equal((2 * smile).delta)
    assert both.classes == ("lips", "inner_mouth", "left_sclera")
    assert (both.generator_hash, both.generator) == (generator.content_hash, "tiny")
    assert both.preview == b""


def test_what_is_made_says_of_what(smile: EditVector, blink: EditVector) -> None:
    assert (smile + 0.5 * blink).name == "smile + 0.5 close eyes"
    assert (-smile).name == "-smile"
    assert (--smile).name == "smile"  # noqa: B002
    assert (1 * smile).name == "smile"
    assert (2 * (smile + blink)).name == "2 (smile + close eyes)"
    assert (smile - blink).name == "smile + -close eyes"
    assert (smile + blink).learnt == {"made": "smile + close eyes"}
    assert smile.renamed("grin").name == "grin"
    assert smile.renamed("grin").delta.equal(smile.delta)


def test_vectors_of_different_generators_are_not_added(smile: EditVector) -> None:
    stranger = replace(smile, generator_hash="f" * 16)
    with pytest.raises(VectorError, match=r"different generators, .* and f{16}; their sum means"):
        smile + stranger
    with pytest.raises(TypeError):
        smile + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        smile - 1  # type: ignore[operator]


# ------------------------------------------------------------------------------ whose vector it is


def test_a_vector_of_another_generator_is_refused_unless_forced(
    generator: Generator, other: Generator, smile: EditVector
) -> None:
    assert smile.check(generator) is smile
    assert smile.check(generator, force=True) is smile
    with pytest.raises(
        VectorError,
        match=rf"'smile' was learnt with the generator 'tiny', {generator.content_hash}; this one "
        rf"is {other.content_hash}.*check\(generator, force=True\)",
    ):
        smile.check(other)
    taken = smile.check(other, force=True)
    assert taken.check(other) is taken
    assert taken.delta.equal(smile.delta)
    assert smile.generator_hash == generator.content_hash


def test_force_does_not_help_where_shapes_differ(smile: EditVector) -> None:
    small = Generator(StyleGAN2Config(8, z_dim=4, w_dim=4, channel_base=32, channel_max=4))
    for force in (False, True):
        with pytest.raises(VectorError, match=r"its latents are \[4, 4\] instead of \[8, 16\]"):
            smile.check(small, force=force)


# ------------------------------------------------------------------------------------------ files


def same(one: EditVector, another: EditVector) -> bool:
    def facts(v: EditVector) -> tuple[object, ...]:
        return v.name, v.generator_hash, v.generator, v.classes, v.scale_range, v.learnt, v.preview

    return one.delta.equal(another.delta) and facts(one) == facts(another)


def test_a_saved_vector_is_the_same(smile: EditVector, tmp_path: Path) -> None:
    for vector in (smile, replace(smile, delta=smile.delta.T.contiguous().T, preview=b"")):
        vector.save(tmp_path / "v.safetensors")
        assert same(EditVector.load(tmp_path / "v.safetensors"), vector)
    assert [file.name for file in tmp_path.iterdir()] == ["v.safetensors"]


def test_the_metadata_say_what_it_is(smile: EditVector, tmp_path: Path) -> None:
    smile.save(tmp_path / "v.safetensors")
    with safe_open(tmp_path / "v.safetensors", framework="pt") as file:
        facts = json.loads(file.metadata()[METADATA_KEY])
        assert set(file.keys()) == {"delta", "preview"}
    assert facts == {
        "version": 1,
        "name": "smile",
        "generator_hash": smile.generator_hash,
        "generator": "tiny",
        "classes": ["lips", "inner_mouth"],
        "scale_range": [-1.0, 1.5],
        "nbdrag": nbdrag.__version__,
        "learnt": dict(smile.learnt),
    }


def test_another_ending_is_refused(smile: EditVector, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        smile.save(tmp_path / "smile.pt")
    assert list(tmp_path.iterdir()) == []


def test_what_could_not_be_read_again_is_not_written(smile: EditVector, tmp_path: Path) -> None:
    smile.save(tmp_path / "v.safetensors")
    for bad in (replace(smile, preview=b"GIF89a"), smile.renamed("x" * 1001)):
        with pytest.raises(ValueError, match="can't be saved: "):
            bad.save(tmp_path / "v.safetensors")
    assert same(EditVector.load(tmp_path / "v.safetensors"), smile)


def test_files_that_are_something_else(smile: EditVector, tmp_path: Path) -> None:
    path = tmp_path / "v.safetensors"
    with pytest.raises(VectorError, match="there is no file"):
        EditVector.load(path)
    path.write_bytes(b"")
    with pytest.raises(VectorError, match=r"v\.safetensors is damaged, or no \.safetensors"):
        EditVector.load(path)
    save_file({"delta": smile.delta}, path)
    with pytest.raises(VectorError, match="no editing vector: its metadata have no"):
        EditVector.load(path)
    smile.save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(VectorError, match="is damaged"):
        EditVector.load(path)


def parts(vector: EditVector, path: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    vector.save(path)
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return json.loads(file.metadata()[METADATA_KEY]), tensors


@pytest.mark.parametrize(
    ("facts", "tensors", "words"),
    [
        ({"version": 2}, {}, "version"),
        ({"name": ""}, {}, "name is ''"),
        ({"name": 1}, {}, "name"),
        ({"surprise": 1}, {}, "surprise"),
        ({"scale_range": [2, 1]}, {}, "low < high"),
        ({"learnt": {"a": [1]}}, {}, "learnt"),
        ({}, {"delta": None}, 'expected "delta"'),
        ({}, {"more": torch.zeros(1)}, "its tensors are"),
        ({}, {"delta": torch.zeros(2, 2, dtype=torch.int8)}, "torch.int8"),
        ({}, {"delta": torch.full((2, 2), torch.inf)}, "infinity"),
        ({}, {"preview": torch.zeros(4)}, "expected the bytes of a WebP"),
        ({}, {"preview": torch.zeros(4, dtype=torch.uint8)}, "preview is no WebP"),
    ],
)
def test_content_that_is_no_vector(
    smile: EditVector,
    tmp_path: Path,
    facts: dict[str, object],
    tensors: dict[str, Tensor | None],
    words: str,
) -> None:
    path = tmp_path / "v.safetensors"
    good, found = parts(smile, path)
    changed = {name: t for name, t in {**found, **tensors}.items() if t is not None}
    save_file(changed, path, {METADATA_KEY: json.dumps({**good, **facts})})
    with pytest.raises(VectorError, match=rf"v\.safetensors is no vector to be used.*{words}"):
        EditVector.load(path)


def test_a_preview_as_large_as_a_wall_is_refused() -> None:
    file = BytesIO()
    Image.new("L", (5000, 1)).save(file, "WEBP")
    content = torch.frombuffer(bytearray(file.getvalue()), dtype=torch.uint8)
    with pytest.raises(ValueError, match="5000 x 1 pixels"):
        checked_preview(content)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_a_damaged_file_is_told_from_a_vector(
    smile: EditVector, tmp_path: Path, data: st.DataObject
) -> None:
    """Whatever happens to its bytes, it is a vector that works, or a clear error."""
    path = tmp_path / "v.safetensors"
    smile.save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path.write_bytes(content)
    try:
        found = EditVector.load(path)
    except VectorError:
        event("refused")
        return
    event("taken")
    assert found.apply(torch.zeros_like(found.delta)).isfinite().all()
    assert found._repr_mimebundle_()["text/plain"] == repr(found)


# ---------------------------------------------------------------------------------------- showing


def test_the_preview_shows_before_and_after(generator: Generator) -> None:
    before, after = sampled(generator, 1), sampled(generator, 5)
    vector = EditVector.between(before, after, name="other", generator=generator)
    picture = np.asarray(Image.open(BytesIO(vector.preview)), dtype=float)
    assert picture.shape == (32, 64, 3)
    with torch.no_grad():
        images = generator.synthesis(torch.stack([before, after])).image.clamp(-1, 1)
    wanted = torch.cat([*images], dim=2).permute(1, 2, 0).add(1).mul(127.5).numpy()
    # WebP keeps colours at half the resolution, so brightness is what can be compared.
    assert np.abs(picture.mean(2) - wanted.mean(2)).mean() < 8
    assert np.abs(picture.mean(2) - wanted[:, ::-1].mean(2)).mean() > 16


def test_a_notebook_shows_it(smile: EditVector) -> None:
    bundle = smile._repr_mimebundle_()
    assert bundle["text/plain"] == (
        "<EditVector 'smile' for tiny: lips, inner_mouth; scales -1 to 1.5>"
    )
    with Image.open(BytesIO(bundle["image/png"])) as picture:  # type: ignore[arg-type]
        assert picture.mode == "RGBA"
        assert picture.getpixel((picture.width - 1, picture.height - 1))[3] == 0  # see-through
    assert "image/png" not in (2 * smile)._repr_mimebundle_()
