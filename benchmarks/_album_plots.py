"""Figures 7 and 8 of the Edit One for All paper: pictures, and yaw beside distance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator


def scatter(plots: Mapping[str, Tensor], path: Path) -> None:
    """Figure 8: yaw against the distance to the hyperplane, before and after; and how it spreads.

    Parameters
    ----------
    plots : mapping
        Distances "naive", "found" and "moved"; yaw "before" and "after", in degrees. [N] each.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 3.4), dpi=110, layout="constrained")
    left, middle, right = figure.subplots(1, 3, sharey=True, width_ratios=[1.3, 1.3, 1])
    for name, label, colour in (
        ("naive", "naive", "#9aa0a8"),
        ("found", "optimised", "tab:blue"),
    ):
        r2 = torch.corrcoef(torch.stack([plots[name], plots["before"]]))[0, 1].square()
        label = f"{label}, R² {r2:.2f}"
        left.scatter(plots[name], plots["before"], s=4, alpha=0.5, color=colour, label=label)
    for name, value, colour in (
        ("found", "before", "tab:blue"),
        ("moved", "after", "tab:red"),
    ):
        middle.scatter(plots[name], plots[value], s=4, alpha=0.5, color=colour, label=value)
        mae = plots[value].abs().mean()
        right.hist(
            plots[value],
            bins=torch.arange(-30, 31, 2).tolist(),
            orientation="horizontal",
            alpha=0.6,
            color=colour,
            label=f"{value}, MAE {mae:.1f}°",
        )
    left.set(ylabel="yaw, degrees", xlabel="distance to the hyperplane, units of w")
    middle.set(xlabel="distance to the hyperplane, units of w")
    right.set(xlabel="portraits")
    for each in (left, middle, right):
        each.legend(frameon=False, fontsize=8)
        each.grid(alpha=0.3)
        each.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


@torch.no_grad()
def strip(generator: Generator, ws: Tensor, path: Path) -> None:
    """Figure 7: the example and portraits; as they are, naive, optimised, with strength.

    Parameters
    ----------
    ws : Tensor, shape [4 * n, num_ws, w_dim]
    """
    images = torch.cat([generator.synthesis(rows).image for rows in ws.split(8)])
    tiled(images, columns=len(ws) // 4).save(path, quality=90)
