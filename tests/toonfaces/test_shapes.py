"""Signed distances against the shapes' own definitions, evaluated densely in float64."""

import math

import pytest
import torch

from nbdrag.toonfaces.shapes import cone, coverage, ellipse, lens, rounded_box

AXIS = torch.linspace(-1, 1, 401, dtype=torch.float64)
Y, X = torch.meshgrid(AXIS, AXIS, indexing="ij")


def edge_distance(inside: torch.Tensor, at: tuple[int, int]) -> float:
    """Distance from a grid point to the nearest point on the other side, by brute force."""
    other = inside != inside[at]
    return torch.hypot(X[other] - X[at], Y[other] - Y[at]).min().item()


SHAPES = {
    "ellipse": (ellipse(X, Y, 0.6, 0.4), (X / 0.6) ** 2 + (Y / 0.4) ** 2 < 1),
    "lens": (
        lens(X, Y, 0.7, 0.3, 0.2),
        (Y > -0.3 * (1 - (X / 0.7) ** 2)) & (Y < 0.2 * (1 - (X / 0.7) ** 2)),
    ),
    "crescent": (
        lens(X, Y, 0.7, 0.5, -0.3),
        (Y > -0.5 * (1 - (X / 0.7) ** 2)) & (Y < -0.3 * (1 - (X / 0.7) ** 2)),
    ),
    "box": (
        rounded_box(X, Y, torch.tensor(0.503), torch.tensor(0.303), 0.0),
        (X.abs() < 0.503) & (Y.abs() < 0.303),
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_sign_is_inside_and_outside(name):
    distance, inside = SHAPES[name]
    sure = distance.abs() > 1e-9
    assert torch.equal((distance < 0)[sure], inside[sure])


@pytest.mark.parametrize("name", SHAPES)
def test_distance_is_right_near_the_edge(name):
    """Within five pixels of a 128-px picture, where an edge is drawn, it is a true distance."""
    distance, inside = SHAPES[name]
    near = ((distance.abs() > 0.02) & (distance.abs() < 0.04) & (X.abs() < 0.35)).nonzero()
    for row, column in near[:: max(1, len(near) // 25)].tolist():
        exact = edge_distance(inside, (row, column))
        assert abs(distance[row, column].abs().item() - exact) < 0.012


def test_cone_is_a_circle_at_both_ends():
    zero = torch.zeros((), dtype=torch.float64)
    distance = cone(X, Y, (zero, zero - 0.5), (zero, zero + 0.5), 0.1, 0.3)
    assert math.isclose(distance[100 - 20, 200].item(), 0.0, abs_tol=1e-9)  # 0.1 above the start
    assert math.isclose(distance[300 + 60, 200].item(), 0.0, abs_tol=1e-9)  # 0.3 below the end


def test_coverage_is_a_ramp_of_one_pixel():
    distance = torch.tensor([-1.0, -0.25, 0.0, 0.25, 1.0])
    covered = coverage(distance, torch.tensor(1.0))
    assert torch.equal(covered, torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
