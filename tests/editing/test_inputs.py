"""What a user hands to an edit is checked before anything is computed."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from nbdrag.editing.inputs import (
    check_labels,
    check_mask,
    check_pairs,
    check_points,
    check_ws,
)
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

LIKE = torch.zeros(1)
SIZE = 32, 24
HEIGHT, WIDTH = SIZE


def points(values: object) -> torch.Tensor:
    return check_points("handles", values, SIZE, LIKE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        [(3.5, 32), (24, 0)],
        np.array([[3.5, 32], [24, 0]], dtype=np.float32),
        torch.tensor([[3.5, 32], [24, 0]], requires_grad=True),
        torch.tensor([[3.5, 32], [24, 0]], dtype=torch.bfloat16),
        [torch.tensor([3.5, 32]), torch.tensor([24, 0])],
    ],
    ids=["tuples", "numpy", "tensor", "bfloat16", "tensors"],
)
def test_points_may_come_as_any_array(values: object) -> None:
    found = points(values)
    assert found.dtype == LIKE.dtype
    assert not found.requires_grad
    assert found.tolist() == [[3.5, 32], [24, 0]]


@pytest.mark.parametrize("values", [np.ones((2, 2), np.float32), torch.ones(2, 2)])
def test_points_are_copied(values: object) -> None:
    points(values).zero_()
    assert values.sum() == 4  # type: ignore[attr-defined]


@given(st.lists(st.tuples(st.floats(0, WIDTH), st.floats(0, HEIGHT)), min_size=1, max_size=5))
def test_every_point_of_the_picture_is_taken(values: list[tuple[float, float]]) -> None:
    assert torch.equal(points(values), torch.tensor(values))


def outside(most: int) -> st.SearchStrategy[float]:
    below, above = st.floats(max_value=0, exclude_max=True), st.floats(most, exclude_min=True)
    return below | above | st.just(math.nan)


@given(
    st.tuples(outside(WIDTH), st.floats(0, HEIGHT))
    | st.tuples(st.floats(0, WIDTH), outside(HEIGHT))
)
def test_a_point_outside_is_named(point: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"handles\[1\] is \(.*from 0 to 24, .*from 0 to 32"):
        points([(1, 1), point])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "handles is empty; place at least one"),
        (np.zeros((0, 2)), "handles is empty"),
        ((3, 4), r"handles has shape \[2\]; expected \[P, 2\]"),
        ([(1, 2, 3)], r"handles has shape \[1, 3\]"),
        ([[[1, 2]]], r"handles has shape \[1, 1, 2\]"),
        ([(1, 2), (3,)], "handles can't be read as an array"),
        ([("1", "2")], "handles holds <U1 values; expected pixel coordinates"),
        ([(True, False)], "handles holds bool values"),
        ([(1j, 2)], "handles holds complex128 values"),
        (None, "handles holds object values"),
        ([(None, 2)], "handles holds object values"),
        ({"x": 1}, "handles holds object values"),
    ],
)
def test_what_are_no_points_is_explained(values: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        points(values)


def test_every_handle_needs_a_target() -> None:
    with pytest.raises(ValueError, match="handles has 2 points and targets 1; every handle needs"):
        check_pairs([(1, 1), (2, 2)], [(3, 3)], SIZE, LIKE)
    with pytest.raises(ValueError, match="targets is empty"):
        check_pairs([(1, 1)], [], SIZE, LIKE)


@given(arrays.arrays(bool, SIZE))
def test_a_mask_becomes_numbers(mask: np.ndarray) -> None:
    mask[3, 4] = True
    expected = torch.from_numpy(mask).float()
    for form in (mask, torch.from_numpy(mask), mask.tolist()):
        assert torch.equal(check_mask(form, SIZE, LIKE), expected)


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros(SIZE, bool), "mask is False everywhere.*set it to True where"),
        (np.ones((WIDTH, HEIGHT), bool), r"mask has shape \[24, 32\]; .*\[32, 24\]"),
        (np.ones((1, *SIZE), bool), r"mask has shape \[1, 32, 24\]"),
        (np.ones(SIZE, np.uint8), "mask holds uint8 values; expected a bool array, True"),
        (np.ones(SIZE), "mask holds float64 values"),
        ("face", "mask holds <U4 values"),
    ],
)
def test_what_is_no_mask_is_explained(mask: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_mask(mask, SIZE, LIKE)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(StyleGAN2Config(8, z_dim=4, w_dim=4, channel_base=32, channel_max=4))


def test_ws_are_copied(generator: Generator) -> None:
    ws = torch.ones(4, 4)
    check_ws(generator, ws).zero_()
    assert ws.sum() == 16


@pytest.mark.parametrize(
    ("ws", "message"),
    [
        (torch.zeros(1, 4, 4), r"ws has shape \[1, 4, 4\]; expected \[4, 4\]. .*: ws\[0\]"),
        (torch.zeros(4, 5), r"ws has shape \[4, 5\]; expected \[4, 4\]\.$"),
        (torch.zeros(4, 4).double(), "ws is torch.float64 on cpu, the generator torch.float32"),
        (torch.zeros(4, 4).long(), "ws is torch.int64"),
        (torch.full((4, 4), math.nan), "ws holds NaN or infinity"),
        (np.zeros((4, 4)), "ws is a ndarray; expected a tensor"),
    ],
)
def test_what_are_no_ws_is_explained(generator: Generator, ws: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_ws(generator, ws)  # type: ignore[arg-type]


NAMES = ["wall", "hair", "skin"]


@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int64, np.int8, np.uint16, np.float32, np.bool_]),
        st.sampled_from([(3, 4), (4, 3), (1, 3, 4), (12,), (0, 4)]),
        elements={"min_value": 0, "max_value": 1},
    ),
    st.integers(-2, 5),
)
def test_a_part_map_is_taken_as_it_is_or_refused_by_name(values, label) -> None:
    if values.size and values.dtype.kind in "iu" and (label >= 0 or values.dtype.kind == "i"):
        values.flat[0] = label
    fits = values.shape == (3, 4) and values.dtype.kind in "iu" and (0 <= values.flat[0] <= 2)
    if fits:
        found = check_labels("labels", values, (3, 4), NAMES, torch.device("cpu"))
        assert found.dtype == torch.int64
        assert np.array_equal(found.numpy(), values)
    else:
        with pytest.raises(ValueError, match=r"^labels"):
            check_labels("labels", values, (3, 4), NAMES, torch.device("cpu"))
