"""Strokes on part maps, against the plainest loops that do the same."""

from collections import deque
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from nbdrag.widgets.from_page import MovePart, PaintLabels
from nbdrag.widgets.labels import (
    LabelArray,
    checked,
    filled,
    hanging_together,
    mirrors,
    moved,
    packed,
    painted,
    unpacked,
)

SIZE = (12, 17)
NAMES = ["skin", "left_eye", "right_eye", "ear-left", "ear-right", "Brow left", "left over"]
MIRRORED = mirrors(NAMES)


def noise(seed: int, parts: int = 7, size: tuple[int, int] = SIZE) -> LabelArray:
    return np.random.default_rng(seed).integers(0, parts, size, dtype=np.uint8)


def stroke(tool: str = "brush", **fields: object) -> PaintLabels:
    given = {"radius": 2.5, "path": [(4.0, 5.0), (9.5, 8.25)], "part": 1, **fields}
    return PaintLabels(id=1, tool=tool, **given)  # type: ignore[arg-type]


def move(parts: list[int], **fields: float) -> MovePart:
    return MovePart(id=1, parts=parts, **{"dx": 0.0, "dy": 0.0, **fields})  # type: ignore[arg-type]


coordinates = st.floats(-20, 40, allow_nan=False)
paths = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=6)
seeds = st.integers(0, 99)


# ----------------------------------------------------------------------------------- brush, eraser


def distance(x: float, y: float, path: list[tuple[float, float]]) -> float:
    """From a point to a line along a path, one segment after the other."""
    point, ends = complex(x, y), [complex(*p) for p in path]
    found = [abs(point - ends[0])]
    for a, b in pairwise(ends):
        along = b - a
        t = ((point - a) * along.conjugate()).real / max(abs(along) ** 2, 1e-30)
        found.append(abs(point - a - min(max(t, 0.0), 1.0) * along))
    return min(found)


@given(seeds, paths, st.floats(0.1, 15))
def test_a_brush_covers_the_pixels_near_its_path(seed: int, path: list, radius: float) -> None:
    labels = noise(seed)
    found = painted(labels, labels, stroke(path=path, radius=radius, part=6), MIRRORED)
    for row, column in np.ndindex(*SIZE):
        away = distance(column + 0.5, row + 0.5, path)
        if abs(away - radius) > 1e-6:
            assert found[row, column] == (6 if away < radius else labels[row, column])


@given(seeds, st.sampled_from(["eraser", "lasso_eraser"]), paths)
def test_an_eraser_brings_back_the_original_where_a_brush_would_paint(
    seed: int, tool: str, path: list
) -> None:
    labels, original = noise(seed), noise(seed + 1)
    brush = tool.replace("_eraser", "").replace("eraser", "brush")
    covered = painted(np.zeros_like(labels), labels, stroke(brush, path=path), MIRRORED) == 1
    found = painted(labels, original, stroke(tool, path=path, part=None), MIRRORED)
    assert np.array_equal(found, np.where(covered, original, labels))


def test_a_lasso_covers_what_it_winds_around() -> None:
    square = [(2.0, 3.0), (9.0, 3.0), (9.0, 8.0), (2.0, 8.0)]
    labels = np.zeros(SIZE, np.uint8)
    found = painted(labels, labels, stroke("lasso", path=square, part=3), MIRRORED)
    expected = labels.copy()
    expected[3:8, 2:9] = 3
    assert np.array_equal(found, expected)


@given(seeds, st.sampled_from(["brush", "eraser", "lasso"]), paths)
def test_mirrored_strokes_make_a_symmetric_map_symmetric(seed: int, tool: str, path: list) -> None:
    """With the parts of left and right exchanged."""

    def flipped(labels: LabelArray) -> LabelArray:
        return np.array(MIRRORED, np.uint8)[labels[:, ::-1]]

    half, width = noise(seed), SIZE[1]
    symmetric = np.where(np.arange(width) < width // 2, half, flipped(half))
    symmetric[:, width // 2] = 0
    path = [(x + 40, y) for x, y in path] if tool == "lasso" else path  # no pixel is on both sides
    path = [(max(x, width / 2 + 3), y) for x, y in path]
    found = painted(symmetric, symmetric * 0, stroke(tool, path=path, mirror=True), MIRRORED)
    assert np.array_equal(found, flipped(found))


# ---------------------------------------------------------------------------------------- the fill


@given(seeds, st.integers(1, 4), st.floats(0, 16.9), st.floats(0, 11.9))
def test_a_fill_takes_the_pixels_that_hang_together(
    seed: int, parts: int, x: float, y: float
) -> None:
    labels = noise(seed, parts)
    regions, _ = ndimage.label(labels == labels[int(y), int(x)])
    expected = regions == regions[int(y), int(x)]
    assert np.array_equal(hanging_together(labels, x, y), expected)
    found = painted(labels, labels, stroke("fill", path=[(x, y)], part=5), MIRRORED)
    assert np.array_equal(found, np.where(expected, 5, labels))


def test_a_fill_finds_its_way_through_a_maze() -> None:
    walls = np.zeros((9, 9), np.uint8)
    walls[1::4, :-1] = walls[3::4, 1:] = 1
    assert np.array_equal(hanging_together(walls, 0.5, 0.5), walls == 0)


def test_a_fill_beside_the_picture_fills_nothing() -> None:
    for x, y in [(-0.1, 3), (17, 3), (3, -1), (3, 12)]:
        assert not hanging_together(noise(0), x, y).any()


def test_a_mirrored_fill_fills_the_other_side() -> None:
    labels = np.zeros(SIZE, np.uint8)
    labels[4:6, 2:4] = labels[4:6, 13:15] = 6
    found = painted(labels, labels, stroke("fill", path=[(2.5, 4.5)], mirror=True), MIRRORED)
    assert np.array_equal(np.unique(found[:, :8]), [0, 1])
    assert np.array_equal(np.unique(found[:, 9:]), [0, 2])


# ------------------------------------------------------------------------------------- moving parts


def plainly_moved(labels: LabelArray, asked: MovePart) -> LabelArray:
    """The same, a pixel at a time."""
    height, width = labels.shape
    moving = {(r, c) for r, c in np.ndindex(height, width) if labels[r, c] in asked.parts}
    result = plainly_filled(labels, moving)
    rows, columns = [r for r, _ in moving], [c for _, c in moving]
    cx, cy = (min(columns) + max(columns) + 1) / 2, (min(rows) + max(rows) + 1) / 2
    for row, column in np.ndindex(height, width):
        x = cx + (column + 0.5 - cx - asked.dx) / asked.scale_x
        y = cy + (row + 0.5 - cy - asked.dy) / asked.scale_y
        source = int(np.floor(y)), int(np.floor(x))
        if source in moving:
            result[row, column] = labels[source]
    return result


def plainly_filled(labels: LabelArray, holes: set[tuple[int, int]]) -> LabelArray:
    height, width = labels.shape
    result, left = labels.copy(), set(holes)
    while left:
        ring = {}
        for r, c in left:
            beside = [(r - 1, c), (r, c - 1), (r, c + 1), (r + 1, c)]
            known = [
                p for p in beside if p not in left and 0 <= p[0] < height and 0 <= p[1] < width
            ]
            if known:
                ring[r, c] = result[known[0]]
        for place, label in ring.items():
            result[place] = label
        left -= ring.keys()
    return result


shifts = st.floats(-30, 30)
factors = st.floats(0.05, 8)


@given(seeds, st.sets(st.integers(0, 6), min_size=1, max_size=6), shifts, shifts, factors, factors)
def test_moving_is_what_it_says(
    seed: int, parts: set[int], dx: float, dy: float, scale_x: float, scale_y: float
) -> None:
    labels = noise(seed)
    asked = move(sorted(parts), dx=dx, dy=dy, scale_x=scale_x, scale_y=scale_y)
    assert np.array_equal(moved(labels, asked, MIRRORED), plainly_moved(labels, asked))


def test_a_part_moved_by_nothing_stays() -> None:
    labels = noise(3)
    assert np.array_equal(moved(labels, move([1, 4]), MIRRORED), labels)


def test_a_part_moves_by_whole_pixels_and_leaves_no_hole() -> None:
    labels = np.zeros(SIZE, np.uint8)
    labels[6:] = 2
    labels[4:8, 4:6] = 1
    expected = np.zeros(SIZE, np.uint8)
    expected[6:] = 2
    expected[3:7, 7:9] = 1
    assert np.array_equal(moved(labels, move([1], dx=3, dy=-1), MIRRORED), expected)


def test_a_part_grows_about_its_centre() -> None:
    labels = np.zeros(SIZE, np.uint8)
    labels[4:8, 4:6] = 1
    expected = np.zeros(SIZE, np.uint8)
    expected[2:10, 4:6] = 1
    assert np.array_equal(moved(labels, move([1], scale_y=2), MIRRORED), expected)


def test_a_hole_takes_the_nearest_label_that_is_known() -> None:
    labels = noise(8, size=(40, 30))
    holes = ndimage.binary_dilation(noise(2, 40, (40, 30)) == 0, iterations=4)
    assert holes.mean() > 0.5
    found = filled(labels, holes)
    steps = ndimage.distance_transform_cdt(holes, "taxicab")
    for row, column in np.argwhere(holes):
        candidates = {
            labels[r, c]
            for r, c in np.argwhere(~holes)
            if abs(r - row) + abs(c - column) == steps[row, column]
        }
        assert found[row, column] in candidates


def test_with_the_mirror_both_sides_move_apart_as_far_as_they_are_there() -> None:
    left, right = NAMES.index("left_eye"), NAMES.index("right_eye")
    one, both = noise(1), noise(1)
    for part, dx in ((left, 2), (right, -2)):
        one = moved(one, move([part], dx=dx, dy=1, scale_x=1.5), MIRRORED)
    asked = MovePart(id=1, parts=[left], dx=2, dy=1, scale_x=1.5, mirror=True)
    assert np.array_equal(moved(both, asked, MIRRORED), one)
    without = np.where(both == right, 0, both)
    assert np.array_equal(
        moved(without, asked, MIRRORED),
        moved(without, move([left], dx=2, dy=1, scale_x=1.5), MIRRORED),
    )
    together = MovePart(id=1, parts=[left, right], dx=2, dy=0, mirror=True)
    assert np.array_equal(
        moved(both, together, MIRRORED), moved(both, move([left, right], dx=2), MIRRORED)
    )


def test_where_nothing_else_is_nothing_moves() -> None:
    with pytest.raises(ValueError, match="nothing is left to fill their place"):
        moved(np.ones(SIZE, np.uint8), move([1], dx=3), MIRRORED)
    with pytest.raises(ValueError, match="nothing here is of the parts"):
        moved(np.ones(SIZE, np.uint8), move([2], dx=3), MIRRORED)


# ---------------------------------------------------------------------------------- what is refused


def test_unknown_parts_are_refused() -> None:
    labels = noise(1)
    with pytest.raises(ValueError, match="part is 7, but there are 7 parts, which count from 0"):
        painted(labels, labels, stroke(part=7), MIRRORED)
    with pytest.raises(ValueError, match="says no part to paint"):
        painted(labels, labels, stroke("fill", part=None), MIRRORED)
    with pytest.raises(ValueError, match="part is 9"):
        moved(labels, move([1, 9]), MIRRORED)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.zeros(SIZE), "labels has dtype float64; expected whole numbers"),
        (np.zeros(SIZE, bool), "labels has dtype bool"),
        (np.zeros((17, 12), int), r"labels has shape \[17, 12\], but the picture is \[12, 17\]"),
        (np.zeros((1, 12, 17), int), r"labels has shape \[1, 12, 17\]"),
        (np.full(SIZE, 7), "labels holds 7, but there are 7 parts"),
        (np.full(SIZE, -1), "labels holds -1, but there are 7 parts"),
        (np.full(SIZE, 2**40), "labels holds 1099511627776"),
        ([[1, 2], [3]], "labels can't be read as an array"),
        ("face", "labels has dtype <U4"),
        (None, "labels has dtype object"),
    ],
)
def test_a_bad_map_is_refused(labels: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(labels, SIZE, 7)  # type: ignore[arg-type]


def test_a_good_map_becomes_bytes_of_its_own() -> None:
    given = noise(4).astype(np.int64)
    found = checked(given.tolist(), SIZE, 7)
    assert (found.dtype, found.flags.owndata) == (np.uint8, True)
    assert np.array_equal(found, given)
    own = noise(4)
    assert not np.shares_memory(checked(own, SIZE, 7), own)


# ----------------------------------------------------------------------------------- sides, packing


def test_sides_are_told_by_names() -> None:
    assert MIRRORED == [0, 2, 1, 4, 3, 5, 6]  # "Brow left" and "left over" have no other side


@given(seeds)
def test_packing_is_undone_by_unpacking(seed: int) -> None:
    labels = noise(seed)[:, ::-1]
    found = unpacked(packed(labels), SIZE)
    assert np.array_equal(found, labels)
    assert not found.flags.writeable


def test_mirroring_twice_is_nothing() -> None:
    names = deque(["a_left", "a_right", "left_b", "right_b", "c"])
    for _ in range(5):
        names.rotate()
        there = mirrors(list(names))
        assert [there[i] for i in there] == list(range(5))
