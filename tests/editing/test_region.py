"""Where a painted map lets the picture change, and how well a map fits another."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from nbdrag.editing.region import (
    agreement,
    check_parts,
    edited_parts,
    edited_region,
    touched_parts,
    widened,
)

NAMES = ["wall", "skin", "sclera", "iris"]
MAPS = st.lists(st.integers(0, 3), min_size=63, max_size=63).map(
    lambda values: torch.tensor(values).view(7, 9)
)


def face() -> Tensor:
    """An eye of 3 x 7 pixels with an iris of 3 x 3, in skin."""
    labels = torch.ones(20, 20, dtype=torch.int64)
    labels[:2] = 0
    labels[8:11, 6:13] = 2
    labels[8:11, 8:11] = 3
    return labels


def test_an_eye_that_looks_aside_is_about_the_eye() -> None:
    before, after = face(), face()
    after[8:11, 8] = 2
    after[8:11, 11] = 3
    assert touched_parts(before, after) == edited_parts(before, after) == [2, 3]
    eye = (before == 2) | (before == 3)
    assert torch.equal(edited_region(before, after, 0), eye)


def test_skin_that_is_painted_over_is_not_what_the_edit_is_about() -> None:
    before, after = face(), face()
    after[11, 6:13] = 2
    assert touched_parts(before, after) == [1, 2]
    assert edited_parts(before, after) == [2]
    eye = (before == 2) | (after == 2)
    assert torch.equal(edited_region(before, after, 0), eye)  # the iris isn't about to change


def test_a_closed_eye_is_about_the_eye_that_was() -> None:
    before, after = face(), face()
    after[8:11, 6:13] = 1
    assert edited_parts(before, after) == [2, 3]
    assert torch.equal(edited_region(before, after, 0), before >= 2)


def test_a_dab_on_something_large_is_the_dab() -> None:
    before, after = face(), face()
    after[15:17, 3:5] = 0
    assert edited_parts(before, after) == []
    assert torch.equal(edited_region(before, after, 0), before != after)


def test_parts_given_are_what_it_is_about() -> None:
    before, after = face(), face()
    after[11, 6:13] = 2
    assert torch.equal(edited_region(before, after, 0, [3]), before == 3)


@given(MAPS, MAPS, st.integers(0, 4), st.lists(st.integers(0, 3), unique=True))
def test_the_region_is_equation_1(before: Tensor, after: Tensor, margin: int, parts: list) -> None:
    region = edited_region(before, after, margin, parts)
    for i in range(7):
        for j in range(9):
            near = [
                (k, m) for k in range(7) for m in range(9) if max(abs(k - i), abs(m - j)) <= margin
            ]
            expected = any(before[p] in parts or after[p] in parts for p in near)
            assert region[i, j] == expected


@given(MAPS, MAPS)
def test_what_was_painted_is_in_the_region(before: Tensor, after: Tensor) -> None:
    assert not ((before != after) & ~edited_region(before, after, 0)).any()


def test_widening_goes_to_the_edge_and_no_further() -> None:
    region = torch.zeros(5, 6, dtype=torch.bool)
    region[0, 5] = True
    assert widened(region, 2).nonzero().tolist() == [[i, j] for i in range(3) for j in (3, 4, 5)]


@given(MAPS, MAPS, MAPS)
def test_agreement_is_the_mean_iou(found: Tensor, wanted: Tensor, elsewhere: Tensor) -> None:
    region = elsewhere < 2
    shares = []
    for part in (1, 3):
        here = {p for p in range(63) if region.flatten()[p] and found.flatten()[p] == part}
        there = {p for p in range(63) if region.flatten()[p] and wanted.flatten()[p] == part}
        if here | there:
            shares.append(len(here & there) / len(here | there))
    expected = sum(shares) / len(shares) if shares else 1.0
    assert agreement(found, wanted, [1, 3], region) == pytest.approx(expected)


def test_parts_go_by_name_and_by_label() -> None:
    assert check_parts(["iris", 0, "wall"], NAMES) == [0, 3]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ("iris", r"parts is 'iris'; expected a list of names: \['iris'\]"),
        (["irsi"], r"parts holds 'irsi', which is unknown; did you mean 'iris'\?"),
        (["zzz"], r"'zzz', which is unknown; there are wall, skin, sclera, iris"),
        ([4], r"parts holds 4; expected a name, or a whole number from 0 to 3"),
        ([-1], r"parts holds -1"),
        ([True], r"parts holds True"),
        ([1.0], r"parts holds 1\.0"),
        ([], r"parts is empty"),
    ],
)
def test_unknown_parts_are_refused(parts, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_parts(parts, NAMES)
