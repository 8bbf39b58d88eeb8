"""A direction: distances, strengths, the example's slider, files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vector_file import METADATA_KEY
from nbdrag.transfer.vectors import EditVector, VectorError
from tests.transfer.conftest import sampled

ROWS = 3


@pytest.fixture(scope="module")
def before(generator: Generator) -> Tensor:
    return sampled(generator, 1)


@pytest.fixture(scope="module")
def direction(generator: Generator, before: Tensor) -> EditDirection:
    after = before.clone()
    after[:ROWS] += 0.3 * torch.randn(ROWS, 16, generator=torch.Generator().manual_seed(5))
    return EditDirection.between(before, after, name="frontal", generator=generator)


@pytest.fixture(scope="module")
def album(generator: Generator) -> Tensor:
    return torch.stack([sampled(generator, seed) for seed in range(20, 30)])


def literal_strength(w: Tensor, example: Tensor, delta: Tensor, d: float = 0.0) -> float:
    """Eq. 5, one number at a time, in float64."""
    numbers = [x.double().flatten().tolist() for x in (w, example, delta)]
    length = sum(x * x for x in numbers[2]) ** 0.5
    return d + sum((e + s - x) * s / length for x, e, s in zip(*numbers, strict=True))


# ---------------------------------------------------------------------------------- the geometry


def test_strengths_are_those_of_equation_5(
    direction: EditDirection, before: Tensor, album: Tensor
) -> None:
    for target in (None, 0.0, 2.5, -1):
        wanted = [literal_strength(w, before, direction.delta, target or 0) for w in album]
        found = direction.strengths(album, target)
        torch.testing.assert_close(found, torch.tensor(wanted), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(direction.distances(album), -direction.strengths(album))


def test_the_example_is_edited_as_it_was(direction: EditDirection, before: Tensor) -> None:
    torch.testing.assert_close(direction.apply(before), before + direction.delta)
    assert float(direction.strengths(before)) == pytest.approx(direction.alpha, abs=1e-5)
    assert direction.alpha == pytest.approx(float(direction.delta.norm()))
    assert float(direction.distances(before + direction.delta)) == pytest.approx(0, abs=1e-5)


def test_all_arrive_in_one_hyperplane(direction: EditDirection, album: Tensor) -> None:
    edited = direction.apply(album)
    torch.testing.assert_close(direction.distances(edited), torch.zeros(10), atol=2e-5, rtol=0)
    elsewhere = direction.distances(direction.apply(album, target=1.5))
    torch.testing.assert_close(elsewhere, torch.full((10,), 1.5), atol=2e-5, rtol=0)
    half = direction.distances(direction.apply(album, 0.5))
    torch.testing.assert_close(half, direction.distances(album) / 2, atol=2e-5, rtol=0)


def test_only_the_rows_of_the_edit_move_and_count(direction: EditDirection, album: Tensor) -> None:
    assert direction.layers == tuple(range(ROWS))
    assert direction.apply(album)[:, ROWS:].equal(album[:, ROWS:])
    others = album.clone()
    others[:, ROWS:] += 1
    torch.testing.assert_close(direction.distances(others), direction.distances(album))


def test_in_w_it_is_the_projection_of_one_row(generator: Generator, album: Tensor) -> None:
    """Rows that all are w, moved by one vector: the way in W+ is that in W times sqrt(rows)."""
    w, d = album[0, 0], torch.linspace(-1, 1, 16)
    before = w.expand(8, -1)
    direction = EditDirection.between(before, before + d, name="in W", generator=generator)
    unit = (d / d.norm()).double()
    for other in album[1:]:
        in_w = (w + d - other[0]).double() @ unit
        found = direction.strengths(other)
        assert float(found) == pytest.approx(float(in_w) * 8**0.5, rel=1e-4)
        moved = direction.apply(other)
        torch.testing.assert_close(moved[0], other[0] + (in_w * unit).float(), atol=1e-5, rtol=0)
        torch.testing.assert_close(moved, moved[:1].expand(8, -1))


def test_shapes_of_one_of_many_and_of_none(direction: EditDirection, album: Tensor) -> None:
    assert direction.strengths(album[0]).shape == ()
    assert direction.strengths(album.view(2, 5, 8, 16)).shape == (2, 5)
    assert direction.strengths(album[:0]).shape == (0,)
    assert direction.apply(album[:0]).shape == (0, 8, 16)
    assert direction.apply(album.double()).dtype == torch.float64
    assert direction.apply(album.bfloat16()).dtype == torch.bfloat16
    torch.testing.assert_close(
        direction.strengths(album[0].expand(5000, -1, -1)),
        direction.strengths(album[0]).expand(5000),
    )


def test_strengths_of_ones_own(direction: EditDirection, album: Tensor) -> None:
    alphas = torch.linspace(-1, 1, 10)
    moved = direction.apply(album, alphas=alphas)
    torch.testing.assert_close(moved, album + alphas[:, None, None] * direction.normal)
    assert direction.apply(album, alphas=alphas.tolist()).equal(moved)
    torch.testing.assert_close(direction.apply(album, alphas=2), album + 2 * direction.normal)
    assert direction.apply(album, alphas=torch.zeros(10)).equal(album)


def test_scaling_the_example_moves_all_others(direction: EditDirection, album: Tensor) -> None:
    for factor in (2.0, 0.0, -0.5):
        scaled = direction.scaled(factor * direction.alpha)
        shift = (factor - 1) * direction.alpha
        torch.testing.assert_close(
            scaled.strengths(album), direction.strengths(album) + shift, atol=2e-5, rtol=1e-5
        )
        assert scaled.alpha == pytest.approx(factor * direction.alpha, abs=1e-6)
        assert scaled.normal.equal(direction.normal)
        torch.testing.assert_close((factor * direction).delta, scaled.delta)
    assert (2 * direction).name == "2 frontal"
    assert (-direction).alpha == pytest.approx(-direction.alpha)
    assert isinstance(direction + direction, EditVector)
    torch.testing.assert_close((direction + direction).delta, 2 * direction.delta)


def test_the_plane_goes_through_other_pictures(direction: EditDirection, album: Tensor) -> None:
    one = direction.through(album[0])
    assert float(one.distances(album[0])) == pytest.approx(0, abs=1e-5)
    assert one.normal.equal(direction.normal)
    several = direction.through(album)
    assert float(several.distances(album).mean()) == pytest.approx(0, abs=1e-5)
    same = direction.through(direction.example + direction.delta)
    assert same.alpha == pytest.approx(direction.alpha, abs=1e-5)
    with pytest.raises(ValueError, match=r"ws has shape \[10, 2, 16\]"):
        direction.through(album[:, :2])


# ---------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"normal": torch.zeros(8, 16)}, "an edit that changes nothing has no direction"),
        ({"normal": torch.ones(2, 16)}, r"normal is \[2, 16\]; expected a tensor \[8, 16\]"),
        ({"example": None}, "example is NoneType"),
        ({"example": torch.full((8, 16), torch.nan)}, "example must hold finite floats"),
        ({"normal": torch.ones(8, 16, dtype=torch.int32)}, "normal must hold finite floats"),
        ({"delta": torch.ones(8, 16)}, "delta is no multiple of normal"),
    ],
)
def test_what_is_no_direction_is_refused(
    direction: EditDirection, change: dict[str, Tensor], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        replace(direction, **change)  # type: ignore[arg-type]


def test_an_edit_that_changes_nothing_is_refused(generator: Generator, before: Tensor) -> None:
    with pytest.raises(ValueError, match="there is no edit to learn from"):
        EditDirection.between(before, before.clone(), name="nothing", generator=generator)


def test_what_does_not_fit_is_refused(
    direction: EditDirection, other: Generator, album: Tensor
) -> None:
    with pytest.raises(ValueError, match=r"ws has shape \[10, 16\]; the vector 'frontal' is for"):
        direction.strengths(album[:, 0])
    with pytest.raises(ValueError, match=r"alphas has shape \[3\]; expected \[10\]"):
        direction.apply(album, alphas=[1, 2, 3])
    with pytest.raises(ValueError, match="alphas holds NaN"):
        direction.apply(album, alphas=float("nan"))
    with pytest.raises(ValueError, match="alphas can't be read"):
        direction.apply(album, alphas=["far"])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="target and alphas"):
        direction.apply(album, target=1, alphas=1)
    for bad in (float("inf"), "1", True):
        with pytest.raises(ValueError, match=r"target is .*; expected a finite number"):
            direction.strengths(album, bad)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="alpha is "):
            direction.scaled(bad)  # type: ignore[arg-type]
    with pytest.raises(VectorError, match="'frontal' was learnt with the generator 'tiny'"):
        direction.check(other)
    assert isinstance(direction.check(other, force=True), EditDirection)


# ------------------------------------------------------------------------------------------ files


def same(one: EditVector, another: EditVector) -> bool:
    return (
        isinstance(one, EditDirection)
        and isinstance(another, EditDirection)
        and all(
            getattr(one, name).equal(getattr(another, name))
            for name in ("delta", "normal", "example")
        )
        and (one.name, one.learnt, one.preview) == (another.name, another.learnt, another.preview)
    )


def test_a_library_keeps_vectors_and_directions(
    direction: EditDirection, smile: EditVector, tmp_path: Path
) -> None:
    library = EditLibrary(tmp_path)
    library.add(direction)
    library.add(smile)
    library.add(direction.scaled(0).renamed("as it was"))
    again = EditLibrary(tmp_path)
    assert list(again) == ["as it was", "frontal", "smile"]
    assert same(again["frontal"], direction)
    assert type(again["smile"]) is EditVector
    assert again["as it was"].delta.norm() == 0
    assert again.problems == {}
    assert "EditDirection 'frontal' for tiny: rows 0 to 2" in repr(again["frontal"])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    rows=st.integers(1, 8),
    seed=st.integers(0, 2**31),
    length=st.floats(1e-3, 1e3),
    dtype=st.sampled_from([torch.float16, torch.float32, torch.float64]),
)
def test_a_saved_direction_is_the_same(
    tmp_path: Path, rows: int, seed: int, length: float, dtype: torch.dtype
) -> None:
    random = torch.Generator().manual_seed(seed)
    normal = torch.zeros(8, 16, dtype=torch.float64)
    normal[:rows] = torch.randn(rows, 16, generator=random)
    normal /= normal.norm()
    example = torch.randn(8, 16, generator=random)
    made = EditDirection(
        (length * normal).to(dtype), "made", "0" * 16, normal=normal, example=example
    )
    made.save(tmp_path / "v.safetensors")
    assert same(EditVector.load(tmp_path / "v.safetensors"), made)
    assert made.alpha == pytest.approx(length, rel=1e-3)


@pytest.mark.parametrize("missing", ["normal", "example"])
def test_half_a_direction_is_refused(
    direction: EditDirection, tmp_path: Path, missing: str
) -> None:
    file = tmp_path / "v.safetensors"
    direction.save(file)
    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata()
    tensors = load_file(file)
    assert set(metadata) == {METADATA_KEY}
    del tensors[missing]
    save_file(tensors, file, metadata)
    with pytest.raises(VectorError, match='in a direction "normal" and "example"'):
        EditVector.load(file)
    tensors[missing] = torch.zeros(3)
    save_file(tensors, file, metadata)
    with pytest.raises(VectorError, match=rf"{missing} is \[3\]"):
        EditVector.load(file)
