"""Toonfaces must be exact: these tests check the truth that other tests will lean on."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.toonfaces import FACTOR_TABLE, FACTORS, LANDMARKS, PARTS, render, sample_factors

MIDDLE = torch.full((1, len(FACTORS)), 0.5)


def portrait(size: int = 128, **values: float):
    """Render the middle of every range, but for the named factors."""
    factors = MIDDLE.clone()
    for name, value in values.items():
        factors[0, FACTORS.index(name)] = value
    return render(factors, size)


def place(rendering, name: str) -> torch.Tensor:
    return rendering.landmarks[0, LANDMARKS.index(name)]


def area(rendering, *parts: str) -> float:
    size = rendering.labels.shape[-1]
    chosen = torch.tensor([PARTS.index(part) for part in parts])
    return torch.isin(rendering.labels, chosen).sum().item() / size**2


def test_enough_is_known_about_every_picture():
    assert len(FACTORS) >= 26
    assert len(set(FACTORS)) == len(FACTORS)
    assert len(PARTS) >= 13
    assert len(LANDMARKS) >= 24


def test_shapes_and_ranges():
    factors = sample_factors(5, generator=torch.Generator().manual_seed(0))
    image, labels, landmarks, visible = render(factors, 64)
    assert image.shape == (5, 3, 64, 64)
    assert image.dtype == torch.float32
    assert image.min() >= -1
    assert image.max() <= 1
    assert labels.shape == (5, 64, 64)
    assert labels.dtype == torch.uint8
    assert landmarks.shape == (5, len(LANDMARKS), 2)
    assert visible.shape == (5, len(LANDMARKS))
    assert visible.dtype == torch.bool


def test_every_part_occurs():
    labels = render(sample_factors(32, generator=torch.Generator().manual_seed(1)), 64).labels
    assert sorted(labels.unique().tolist()) == list(range(len(PARTS)))


def test_a_portrait_does_not_depend_on_its_neighbours():
    factors = sample_factors(40, generator=torch.Generator().manual_seed(2))
    together = render(factors, 64)
    alone = render(factors[23:24], 64)
    assert torch.equal(together.image[23:24], alone.image)
    assert torch.equal(together.labels[23:24], alone.labels)


def test_no_portraits():
    assert render(sample_factors(0), 16).image.shape == (0, 3, 16, 16)


def test_sampling_repeats_with_a_seed_and_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    one = sample_factors(3, generator=torch.Generator().manual_seed(7))
    two = sample_factors(3, generator=torch.Generator().manual_seed(7))
    assert torch.equal(one, two)
    assert torch.equal(before, torch.get_rng_state())


def test_resolution_changes_sharpness_only():
    """A finer picture, averaged down, is the coarser one but for its edges."""
    factors = sample_factors(6, generator=torch.Generator().manual_seed(3))
    coarse, fine = render(factors, 64), render(factors, 256)
    averaged = torch.nn.functional.avg_pool2d(fine.image, 4)
    assert (averaged - coarse.image).abs().mean() < 0.015
    torch.testing.assert_close(fine.landmarks / 4, coarse.landmarks)


def test_edges_are_antialiased_against_supersampling():
    """The worst a one-pixel ramp may err at an edge is far below a jagged edge's error."""
    factors = sample_factors(4, generator=torch.Generator().manual_seed(4))
    smooth = render(factors, 64).image
    truth = torch.nn.functional.avg_pool2d(render(factors, 512).image, 8)
    jagged = render(factors, 512).image[..., 4::8, 4::8]
    assert (smooth - truth).square().mean() < 0.25 * (jagged - truth).square().mean()


def test_double_precision_agrees():
    factors = sample_factors(3, generator=torch.Generator().manual_seed(5))
    single, double = render(factors, 48), render(factors.double(), 48)
    assert double.image.dtype == torch.float64
    # Where an edge is a pixel wide, rounding is magnified by its steepness, but no further.
    torch.testing.assert_close(single.image.double(), double.image, atol=2e-3, rtol=0)


@pytest.mark.parametrize(
    ("factor", "landmark", "axis", "sign"),
    [
        ("yaw", "nose_tip", 0, 1),
        ("pitch", "nose_tip", 1, 1),
        ("shift_x", "chin", 0, 1),
        ("shift_y", "chin", 1, 1),
        ("face_height", "chin", 1, 1),
        ("mouth_open", "lip_bottom", 1, 1),
        ("smile", "mouth_left", 1, -1),
        ("mouth_width", "mouth_right", 0, 1),
        ("eye_opening", "left_eye_top", 1, -1),
        ("eye_spacing", "left_iris", 0, -1),
        ("gaze_x", "right_iris", 0, 1),
        ("gaze_y", "right_iris", 1, 1),
        ("brow_height", "left_brow_peak", 1, -1),
        ("brow_tilt", "left_brow_inner", 1, 1),
        ("brow_tilt", "right_brow_inner", 1, 1),
        ("nose_length", "nose_tip", 1, 1),
        ("nose_width", "nose_left", 0, -1),
        ("fringe", "hairline", 1, -1),
    ],
)
def test_factors_move_landmarks_the_way_they_say(factor, landmark, axis, sign):
    low, high = portrait(**{factor: 0.0}), portrait(**{factor: 1.0})
    moved = (place(high, landmark) - place(low, landmark))[axis].item()
    assert sign * moved > 0.9


@pytest.mark.parametrize(
    ("factor", "parts"),
    [
        ("hair_length", ["hair"]),
        ("hair_volume", ["hair"]),
        ("eye_opening", ["left_sclera", "left_iris"]),
        ("eye_size", ["right_sclera", "right_iris"]),
        ("mouth_open", ["inner_mouth"]),
        ("lip_fullness", ["lips"]),
        ("brow_thickness", ["left_brow", "right_brow"]),
        ("nose_width", ["nose"]),
    ],
)
def test_factors_grow_parts_the_way_they_say(factor, parts):
    assert area(portrait(**{factor: 1.0}), *parts) > 1.1 * area(portrait(**{factor: 0.0}), *parts)


@pytest.mark.parametrize("factor", [factor.name for factor in FACTOR_TABLE])
def test_every_factor_shows(factor):
    low, high = (portrait(64, **({"hair_length": 0.0} | {factor: u})) for u in (0.0, 1.0))
    assert (low.image - high.image).abs().max() > 0.05


def test_frontal_portrait_mirrors_its_landmarks():
    found = portrait(yaw=0.5, roll=0.5, shift_x=0.5)
    for pair in ("ear", "jaw", "iris"):
        left, right = place(found, f"left_{pair}"), place(found, f"right_{pair}")
        if pair == "iris":  # the gaze is straight in the middle of its range
            assert found.visible[0, LANDMARKS.index("left_iris")]
        assert abs((left[0] + right[0]).item() - 128) < 1e-3
        assert abs((left[1] - right[1]).item()) < 1e-3


def test_landmarks_lie_on_the_parts_they_name():
    found = render(sample_factors(64, generator=torch.Generator().manual_seed(6)), 128)
    for side in ("left", "right"):
        index = LANDMARKS.index(f"{side}_iris")
        seen = found.visible[:, index].nonzero().flatten()
        assert len(seen) > 32
        x, y = found.landmarks[seen, index].long().unbind(-1)
        assert (found.labels[seen, y, x] == PARTS.index(f"{side}_iris")).all()


def test_hair_hides_the_ears():
    ears = [LANDMARKS.index("left_ear"), LANDMARKS.index("right_ear")]
    assert portrait(hair_length=0.0, yaw=0.5).visible[0, ears].all()
    assert not portrait(hair_length=1.0, yaw=0.5).visible[0, ears].any()


def test_visible_landmarks_lie_inside_the_picture():
    found = render(sample_factors(64, generator=torch.Generator().manual_seed(8)), 64)
    shown = found.landmarks[found.visible]
    assert (shown >= 0).all()
    assert (shown < 64).all()
    assert found.visible.float().mean() > 0.8


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=len(FACTORS), max_size=len(FACTORS)))
def test_any_factors_give_a_whole_face(values):
    found = render(torch.tensor([values]), 64)
    assert found.image.isfinite().all()
    assert found.landmarks.isfinite().all()
    present = set(found.labels.unique().tolist())
    assert {"skin", "hair", "nose", "lips", "shirt"} <= {PARTS[i] for i in present}


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        (torch.zeros(2, 3), "expected \\[N, 37\\]"),
        (torch.zeros(len(FACTORS)), "expected \\[N, 37\\]"),
        (torch.zeros(1, len(FACTORS), dtype=torch.int64), "floating"),
        (torch.full((1, len(FACTORS)), 1.5), "yaw = 1.5"),
        (torch.full((1, len(FACTORS)), torch.nan), "yaw = nan"),
    ],
)
def test_bad_factors_are_named(factors, message):
    with pytest.raises(ValueError, match=message):
        render(factors, 64)


def test_bad_sizes_and_counts_are_named():
    with pytest.raises(ValueError, match="size is 4"):
        render(MIDDLE, 4)
    with pytest.raises(ValueError, match="n is -1"):
        sample_factors(-1)
