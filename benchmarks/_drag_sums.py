"""Sums of `benchmarks.drag_methods`: from the rows of a method to its line of a table."""

from __future__ import annotations

import torch

from benchmarks._rows import Row
from nbdrag.metrics import frechet_distance

GRID = [0.01 * 1.25**i for i in range(25)]  # seconds, to 2.1


def landmark_summary(rows: list[Row], before: list[Row]) -> Row:
    """A line of the table of landmarks. `before` are the rows of no edit."""
    means = {key: mean(rows, key) for key in ("distance", "outside", "steps", "seconds")}
    features, first = (torch.tensor([row["features"] for row in each]) for each in (rows, before))
    enough = len(rows) > features.shape[1]
    return {
        "tests": len(rows),
        "mean_distance": round(means["distance"], 3),
        "median_distance": round(sorted(row["distance"] for row in rows)[len(rows) // 2], 3),
        "fid": round(frechet_distance(features, first[: len(rows)]), 3) if enough else None,
        "change_outside_mask": round(means["outside"], 4),
        "steps": round(means["steps"], 1),
        "seconds": round(means["seconds"], 4),
    }


def reconstruction_summary(rows: list[Row]) -> Row:
    return {
        "tests": len(rows),
        "mse": round(mean(rows, "mse"), 5),
        "perceptual": round(mean(rows, "perceptual"), 5),
        "seconds": round(mean(rows, "seconds"), 4),
    }


def decay_summary(rows: list[Row]) -> Row:
    """What is left after so many seconds: 1 before the first step, and at last as it ended."""
    curve = []
    for moment in GRID:
        left = []
        for row in rows:
            steps = [x for t, x in zip(row["seconds"], row["left"], strict=True) if t <= moment]
            left.append(steps[-1] if steps else 1.0)
        curve.append(round(sum(left) / len(left), 4))
    return {"tests": len(rows), "left": curve}


def mean(rows: list[Row], key: str) -> float:
    return sum(row[key] for row in rows) / len(rows)
