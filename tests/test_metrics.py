"""Metrics against closed forms and scipy."""

import numpy as np
import pytest
import scipy.linalg
import torch

from nbdrag.metrics import (
    frechet_distance,
    kernel_distance,
    mean_distance,
    part_ious,
    peak_signal_to_noise,
    precision_recall,
)


def test_mean_distance_of_known_triangles():
    points = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    targets = torch.tensor([[3.0, 4.0], [1.0, 1.0]])
    assert mean_distance(points, targets) == 2.5


def test_mean_distance_refuses_other_shapes():
    with pytest.raises(ValueError, match="must be"):
        mean_distance(torch.zeros(3, 2), torch.zeros(2, 2))


def test_frechet_distance_against_scipy():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(400, 6)) @ rng.normal(size=(6, 6)) + 1.0
    b = rng.normal(size=(300, 6)) @ rng.normal(size=(6, 6))
    cov_a, cov_b = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    want = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(want, rel=1e-6)


def test_frechet_distance_of_a_shift_is_its_square():
    rows = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    assert frechet_distance(rows + 2, rows) == pytest.approx(5 * 4, rel=1e-4)


def test_kernel_distance_against_the_sums_of_its_definition():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(9, 4)) + 0.5, rng.normal(size=(7, 4))

    def kernel(x, y):
        return (x @ y / 4 + 1) ** 3

    def mean_of_pairs(rows):
        values = [kernel(x, y) for i, x in enumerate(rows) for j, y in enumerate(rows) if i != j]
        return np.mean(values)

    between = np.mean([kernel(x, y) for x in a for y in b])
    want = mean_of_pairs(a) + mean_of_pairs(b) - 2 * between
    assert kernel_distance(torch.tensor(a), torch.tensor(b)) == pytest.approx(want, rel=1e-9)


def test_kernel_distance_does_not_depend_on_how_many_rows_there_are():
    random = torch.Generator().manual_seed(0)

    def distances(rows):
        drawn = [torch.randn(2, rows, 5, generator=random) for _ in range(200)]
        return torch.tensor([kernel_distance(a, b) for a, b in drawn])

    for few in (distances(4), distances(40)):
        assert few.mean().abs() < 3 * few.std() / 200**0.5
        assert (few < 0).any()
    with pytest.raises(ValueError, match="both need two or more"):
        kernel_distance(torch.zeros(1, 3), torch.zeros(4, 3))


def test_precision_and_recall_see_what_is_missing():
    random = torch.Generator().manual_seed(0)
    left = torch.randn(300, 2, generator=random)
    both = torch.cat([torch.randn(300, 2, generator=random), left + 20])
    precision, recall = precision_recall(left, both)
    assert precision > 0.9
    assert 0.4 < recall < 0.6
    assert precision_recall(left + 100, both) == (0.0, 0.0)


def test_sets_that_cannot_be_compared_are_refused():
    with pytest.raises(ValueError, match="expected"):
        frechet_distance(torch.zeros(3, 2), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="k is 9"):
        precision_recall(torch.zeros(3, 2), torch.zeros(3, 2), k=9)


def test_psnr_of_a_known_error():
    image = torch.zeros(1, 3, 4, 4)
    assert peak_signal_to_noise(image + 0.2, image) == pytest.approx(20.0)


def test_part_ious_of_known_maps():
    labels = torch.tensor([[0, 0, 1], [1, 1, 3]], dtype=torch.uint8)
    truth = torch.tensor([[0, 1, 1], [1, 0, 3]], dtype=torch.uint8)
    found = part_ious(labels, truth, 4)
    assert found[[0, 1, 3]].tolist() == pytest.approx([1 / 3, 2 / 4, 1.0])
    assert found[2].isnan()
    with pytest.raises(ValueError, match="same"):
        part_ious(labels, truth[:1], 4)
