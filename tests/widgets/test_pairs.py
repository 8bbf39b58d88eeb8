import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nbdrag.widgets.pairs import checked

SIZE = HEIGHT, WIDTH = 32, 24

xs, ys = st.floats(0, WIDTH), st.floats(0, HEIGHT)
distinct_pairs = st.lists(
    st.tuples(xs, ys, xs, ys),
    max_size=8,
    unique_by=lambda pair: pair[:2],
)


@given(distinct_pairs)
def test_pairs_inside_the_picture_are_taken_as_they_are(
    pairs: list[tuple[float, float, float, float]],
) -> None:
    assert checked(pairs, SIZE) == tuple(pairs)
    assert checked(np.array(pairs), SIZE) == tuple(pairs)
    assert checked(np.array(pairs).reshape(-1, 2, 2), SIZE) == tuple(pairs)
    assert checked(torch.tensor(pairs, dtype=torch.float64), SIZE) == tuple(pairs)


def test_they_are_plain_numbers() -> None:
    for rows in ([[1, 2, 3, 4]], np.array([[1, 2, 3, 4]], np.uint8), torch.tensor([[1, 2, 3, 4]])):
        (pair,) = checked(rows, SIZE)
        assert pair == (1, 2, 3, 4)
        assert all(type(value) is float for value in pair)


def test_there_may_be_none() -> None:
    for rows in ([], (), np.empty((0, 4)), torch.empty(0, 4)):
        assert checked(rows, SIZE) == ()


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ([[1, 2, 3, 33]], "points[0] has its target at (3, 33), outside the picture"),
        ([[1, 2, 25, 3]], "x must be a number from 0 to 24, and y one from 0 to 32"),
        ([[1, 2, 3, 4], [-1, 2, 3, 4]], "points[1] has its handle at (-1, 2)"),
        ([[1, 2, 3, float("nan")]], "target at (3, nan)"),
        ([[float("inf"), 2, 3, 4]], "handle at (inf, 2)"),
        ([[1, 2, 3]], "points has shape [1, 3]"),
        ([1, 2, 3, 4], "points has shape [4]"),
        ([[[1, 2], [3, 4]]] * 2 + [[[1, 2]]], "points can't be read as an array"),
        ([[1, 2, 3, 4], [1, 2]], "points can't be read as an array"),
        (7, "points has shape []"),
        ([["1", "2", "3", "4"]], "values; expected rows of [handle x, handle y"),
        ([[True, False, True, True]], "points holds bool values"),
        ([[1j, 2, 3, 4]], "points holds complex128 values"),
        ([[10**400, 2, 3, 4]], "points holds object values"),
        ([[None, 2, 3, 4]], "points holds object values"),
        (object(), "points holds object values"),
        (torch.ones(1, 4, requires_grad=True), "points can't be read as an array"),
        ([[i % 32, i // 32, 0, 0] for i in range(65)], "points has 65 pairs; 64 are the most"),
        ([[1, 2, 3, 4], [1, 2, 5, 6]], "points has 2 handles at (1, 2)"),
    ],
)
def test_a_refusal_names_value_and_remedy(points: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        checked(points, SIZE)  # type: ignore[arg-type]


def test_handles_that_tracking_led_together_may_stay_so() -> None:
    met = [(5.0, 5.0, 9.0, 9.0), (5.0, 5.0, 1.0, 1.0)]
    assert checked(met, SIZE, met) == tuple(met)
    assert checked(met[:1], SIZE, met) == tuple(met[:1])
    with pytest.raises(ValueError, match="3 handles"):
        checked([*met, (5, 5, 2, 2)], SIZE, met)
    elsewhere = [(6.0, 6.0, *pair[2:]) for pair in met]
    with pytest.raises(ValueError, match=r"2 handles at \(6, 6\)"):
        checked(elsewhere, SIZE, met)


@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_, np.complex64]),
        hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)
def test_whatever_is_accepted_lies_in_the_picture(points: np.ndarray) -> None:
    try:
        accepted = checked(points, SIZE)
    except ValueError:
        return
    assert all(0 <= x <= WIDTH for pair in accepted for x in pair[::2])
    assert all(0 <= y <= HEIGHT for pair in accepted for y in pair[1::2])
    assert len(accepted) == (len(points) if points.size else 0)
