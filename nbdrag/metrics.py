"""How good an edit, or a set of pictures, is.

Distances between points and pictures judge an edit; distances between sets of features judge a
generator. Everything takes tensors and returns plain numbers or tensors; nothing is downloaded.
"""

from __future__ import annotations

import torch
from torch import Tensor


def mean_distance(points: Tensor, targets: Tensor) -> Tensor:
    """Mean Euclidean distance (MD) of points [..., P, 2] to their targets, in their unit: [...].

    Pan et al., Drag Your GAN, Sec. 4.2: landmarks of the edited picture to those asked for.
    """
    if points.shape != targets.shape or points.shape[-1] != 2:
        raise ValueError(
            f"points has shape {tuple(points.shape)} and targets {tuple(targets.shape)}; "
            "both must be [..., P, 2]."
        )
    distance: Tensor = (points - targets).norm(dim=-1).mean(-1)
    return distance


def frechet_distance(features: Tensor, reference: Tensor) -> float:
    """Fréchet distance of two sets of feature rows, [N, D] and [M, D], taken as Gaussians.

    With an Inception network's features this is the FID of Heusel et al., GANs Trained by a Two
    Time-Scale Update Rule, NeurIPS 2017, Eq. 6. Needs more rows than columns to mean something.
    """
    _check_sets(features, reference)
    a, b = features.double(), reference.double()
    mean = (a.mean(0) - b.mean(0)).square().sum()
    cov_a, cov_b = a.T.cov(), b.T.cov()
    # trace of sqrt(A B) = sum of the roots of the eigenvalues of sqrt(A) B sqrt(A), symmetric.
    values, vectors = torch.linalg.eigh(cov_a)
    root = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    cross = torch.linalg.eigvalsh(root @ cov_b @ root).clamp_min(0).sqrt().sum()
    return float(mean + cov_a.trace() + cov_b.trace() - 2 * cross)


def kernel_distance(features: Tensor, reference: Tensor) -> float:
    """Squared maximum mean discrepancy of two sets of feature rows, [N, D] and [M, D].

    The kernel is (x·y / D + 1)³. With an Inception network's features this is the KID of Bińkowski
    et al., Demystifying MMD GANs, ICLR 2018, Sec. 4, of all rows at once. Unbiased, unlike the
    Fréchet distance: its expectation doesn't depend on how many rows there are, and for two sets
    of one kind it is 0, so that it may come out negative.
    """
    _check_sets(features, reference)
    n, m = len(features), len(reference)
    if n < 2 or m < 2:
        raise ValueError(f"features has {n} rows and reference {m}; both need two or more.")
    x, y = features.double(), reference.double()

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b.T / a.shape[1] + 1) ** 3

    def among(rows: Tensor) -> Tensor:
        values = kernel(rows, rows)
        return (values.sum() - values.trace()) / (len(rows) * (len(rows) - 1))

    return float(among(x) + among(y) - 2 * kernel(x, y).mean())


def precision_recall(features: Tensor, reference: Tensor, k: int = 3) -> tuple[float, float]:
    """Share of `features` that look real, and share of `reference` that is covered.

    A row lies on a set's manifold when it is nearer to some member than that member's k-th
    neighbour. Kynkäänniemi et al., Improved Precision and Recall Metric, NeurIPS 2019, Sec. 2.
    """
    _check_sets(features, reference)
    if not 0 < k < min(len(features), len(reference)):
        raise ValueError(
            f"k is {k}; with {len(features)} and {len(reference)} rows it must lie between 1 and "
            f"{min(len(features), len(reference)) - 1}."
        )
    between = torch.cdist(features, reference)
    precision = (between <= _reach(reference, k)).any(1).float().mean().item()
    recall = (between <= _reach(features, k)[:, None]).any(0).float().mean().item()
    return precision, recall


def part_ious(labels: Tensor, reference: Tensor, parts: int) -> Tensor:
    """Intersection over union of every part, [parts]: all pixels of all pictures taken together.

    Labels are indices of parts, of any shape that both share; NaN where a part is in neither.
    """
    if labels.shape != reference.shape:
        raise ValueError(
            f"labels has shape {tuple(labels.shape)} and reference {tuple(reference.shape)}; both "
            "must have the same."
        )
    pairs = labels.flatten().long() * parts + reference.flatten().long()
    count = torch.bincount(pairs, minlength=parts * parts).view(parts, parts).double()
    both = count.diagonal()
    return both / (count.sum(0) + count.sum(1) - both)


def peak_signal_to_noise(image: Tensor, reference: Tensor) -> float:
    """PSNR in dB of pictures in [-1, 1] (a range of 2)."""
    error = (image.double() - reference.double()).square().mean()
    return float(10 * torch.log10(4 / error))


def _reach(rows: Tensor, k: int) -> Tensor:
    """Distance of each row to its k-th nearest other row."""
    return torch.cdist(rows, rows).kthvalue(k + 1, dim=1).values


def _check_sets(features: Tensor, reference: Tensor) -> None:
    if features.ndim != 2 or reference.ndim != 2 or features.shape[1] != reference.shape[1]:
        raise ValueError(
            f"features has shape {tuple(features.shape)} and reference {tuple(reference.shape)}; "
            "expected [N, D] and [M, D]."
        )
