"""Latents to train a Latent Predictor on: those to drag, and ways that a drag may take."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nbdrag.editing.latent_predictor import PredictorConfig
from nbdrag.generators.stylegan2 import Generator

WEAKEST, STRONGEST = 0.5, 1.0  # truncation
SPREAD = 0.5  # of the rows' own deviation, at most: so far are rows off W


@torch.no_grad()
def draw_latents(generator: Generator, count: int, rng: torch.Generator) -> Tensor:
    """Latents as edits meet them, [count, num_ws, w_dim]: of W, and of W+ about it.

    Every other one has rows of two pictures, since those of W alone, all equal, would teach a
    regularizer to copy the rows that don't move, and so to undo any drag. Rows also are a little
    apart, as edits leave them.
    """
    device, rows = generator.w_avg.device, torch.arange(generator.num_ws)
    truncation = WEAKEST + (STRONGEST - WEAKEST) * torch.rand(2, count, 1, 1, generator=rng)
    one, other = (
        generator.w_avg + psi.to(device) * (mapped(generator, count, rng) - generator.w_avg)
        for psi in truncation
    )
    crossing = torch.randint(1, generator.num_ws, (count, 1), generator=rng)
    is_other = (rows >= crossing) & (torch.rand(count, 1, generator=rng) < 0.5)
    ws = torch.where(is_other[..., None].to(device), other, one)
    spread = SPREAD * torch.rand(count, 1, 1, generator=rng).square() * float(one.std())
    return ws + (spread * torch.randn(ws.shape, generator=rng)).to(device)


def mapped(generator: Generator, count: int, rng: torch.Generator) -> Tensor:
    """Latents of W, [count, num_ws, w_dim], of any label."""
    device = generator.w_avg.device
    z = torch.randn(count, generator.z_dim, generator=rng).to(device)
    labels = None
    if generator.num_labels:
        chosen = torch.randint(generator.num_labels, (count,), generator=rng)
        labels = one_hot(chosen, generator.num_labels).to(z)
    return generator.mapping(z, labels)


def led_towards(ws: Tensor, others: Tensor, share: Tensor, config: PredictorConfig) -> Tensor:
    """Eq. 7: sequences [B, n + 1, num_ws, w_dim] that go a share [B] of the way to others.

    In equal steps, and by the first rows only. The paper's minus sign would lead away from them.
    """
    steps = torch.linspace(0, 1, config.steps + 1, device=ws.device)[:, None, None]
    way = (others - ws)[:, None] * share[:, None, None, None]
    rows = torch.arange(ws.shape[1], device=ws.device) < config.movable
    return ws[:, None] + steps * way * rows[:, None]


def draw_share(count: int, rng: torch.Generator) -> Tensor:
    """How much of the way to another latent sequences go, [count]: short ways and long ones."""
    return 0.15 + 0.85 * torch.rand(count, generator=rng)
