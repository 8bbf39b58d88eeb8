"""Painting a part map from numbers."""

from __future__ import annotations

import numpy as np
import pytest

from nbdrag.training.brushes import bent, box, brushed, filled, middle, scaled, shifted

SKIN, HAIR, EYE, LIPS = range(4)


def face() -> np.ndarray:
    """Skin with hair above, and a mouth six pixels wide and two high."""
    labels = np.full((20, 20), SKIN, np.uint8)
    labels[:4] = HAIR
    labels[12:14, 7:13] = LIPS
    return labels


def test_a_part_moves_and_what_it_leaves_is_filled_from_beside() -> None:
    labels = face()
    kept = labels.copy()
    moved = shifted(labels, [LIPS], 2, -3)
    assert box(moved, [LIPS]) == (9, 9, 15, 11)
    assert (moved == LIPS).sum() == 12
    assert (moved[12:14, 7:9] == SKIN).all()
    assert (moved[:4] == HAIR).all()
    assert (labels == kept).all()


def test_a_part_is_scaled_about_its_middle_or_another_point() -> None:
    assert box(scaled(face(), [LIPS], 2, 1), [LIPS]) == (4, 12, 16, 14)
    assert box(scaled(face(), [LIPS], 1, 3), [LIPS]) == (7, 10, 13, 16)
    assert box(scaled(face(), [LIPS], 1, 3, (10, 12)), [LIPS]) == (7, 12, 13, 18)
    assert middle(face(), [LIPS]) == (10, 13)


def test_what_leaves_the_picture_is_gone() -> None:
    moved = shifted(face(), [LIPS], 10, 0)
    assert box(moved, [LIPS]) == (17, 12, 20, 14)
    assert (moved[12:14, :3] == SKIN).all()  # nothing comes in on the other side


def test_a_mouth_is_bent_into_a_smile() -> None:
    smile = bent(face(), [LIPS], 6)
    rows = [np.flatnonzero(smile[:, column] == LIPS) for column in range(7, 13)]
    assert [len(found) for found in rows] == [2] * 6
    tops = [found[0] for found in rows]
    assert tops == tops[::-1]
    assert tops[0] < tops[1] < tops[2]
    frown = [np.flatnonzero(bent(face(), [LIPS], -6)[:, c] == LIPS)[0] for c in range(7, 13)]
    assert frown[0] > frown[1] > frown[2]


def test_a_stroke_covers_what_is_near_the_line_and_may_be_painted_over() -> None:
    labels = face()
    stroke = brushed(labels, EYE, [(5, 6), (15, 6)], 2)
    y, x = np.mgrid[0.5:20, 0.5:20]
    distance = np.hypot(x - x.clip(5, 15), y - 6)
    assert ((stroke == EYE) == (distance <= 2)).all()
    over = brushed(labels, EYE, [(10, 4)], 3, over=[SKIN])
    assert (over[:4] == HAIR).all()
    assert (over == EYE).sum() == ((np.hypot(x - 10, y - 4) <= 3) & (labels == SKIN)).sum()


def test_holes_take_the_part_of_the_nearest_pixel() -> None:
    labels = face()
    holes = np.zeros(labels.shape, bool)
    holes[2:7, 5] = True
    closed = filled(labels, holes)
    assert (closed[2:4, 5] == HAIR).all()
    assert (closed[4:7, 5] == SKIN).all()
    assert (closed == labels)[~holes].all()


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match=r"nothing of the parts \[2\]"):
        middle(face(), [EYE])
