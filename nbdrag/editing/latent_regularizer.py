"""Latent Regularizer: bring outlying latents back to where the generator knows its way.

A predicted latent is never exact, and a small error can lead out of the region that the generator
was trained in: the picture breaks. What a latent should be like can be learnt without a picture.
Its movable first rows w'_1 are spoilt, a quarter of their numbers set to nought and noise added to
all of them (Eq. 1), and a transformer restores them from what is left and from the clean other rows
w'_2 (Eqs. 2-5): the former answer, the latter ask. What it learns thereby is how the numbers of a
latent depend on each other.

Here it corrects, instead of replacing: what it computes is added to w'_1, so that a latent that is
fine already can pass through unchanged. To it is added a weighted mean of the rows, as they are: in
W all of them are equal, so what one has lost the others still know, and no token, narrower than a
row, could carry it over. And where the paper's queries alone have a position embedding, the rows
that answer have one too; else it couldn't be told which of them is which.

References
----------
Cai et al., Auto DragGAN, MM 2024, Sec. 3.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from nbdrag.editing.latent_predictor_layers import (
    Attention,
    EncoderLayer,
    Linear,
    Perceptron,
    normal,
)

MASKED = 0.25  # share of the numbers that are set to nought in training
NOISE = 1.0  # deviation of the noise, at most, in the latents' own


class LatentRegularizer(nn.Module):
    """From normalised latents to normalised latents; the last rows stay.

    Parameters
    ----------
    num_ws, w_dim : int
        Of the generator.
    movable : int
        So many first rows are restored.
    width, heads, encoder_layers, decoder_layers : int
        Of the transformer.
    rng : torch.Generator
        Source of the first weights.
    """

    def __init__(
        self,
        num_ws: int,
        w_dim: int,
        movable: int,
        width: int,
        heads: int,
        encoder_layers: int,
        decoder_layers: int,
        rng: torch.Generator,
    ) -> None:
        super().__init__()
        self.movable = movable
        self.fewer = Linear(max(1, num_ws - movable), movable, rng)  # tokens, not channels
        self.asking = Perceptron(w_dim, width, width, rng)
        self.answering = Perceptron(w_dim, width, width, rng)
        self.query_place = nn.Parameter(0.5 * torch.randn(movable, width, generator=rng))
        self.answer_place = nn.Parameter(0.5 * torch.randn(movable, width, generator=rng))
        self.encoder = nn.ModuleList(EncoderLayer(width, heads, rng) for _ in range(encoder_layers))
        self.decoder = nn.ModuleList(Restoring(width, heads, rng) for _ in range(decoder_layers))
        # At first, nothing is corrected.
        self.mean = nn.Parameter(torch.zeros(movable, num_ws))
        self.out = Linear(width, w_dim, rng, gain=0.0)

    def forward(self, rows: Tensor) -> Tensor:
        """Correct the first rows of latents [B, num_ws, w_dim], in deviations from the mean."""
        first, rest = rows[:, : self.movable], rows[:, self.movable :]
        if not rest.shape[1]:  # all rows move; nothing clean is left to ask
            rest = torch.zeros_like(rows[:, :1])
        queries = self.asking(self.fewer(rest.transpose(1, 2)).transpose(1, 2)) + self.query_place
        tokens = self.answering(first) + self.answer_place
        for layer in self.encoder:
            tokens = layer(tokens)
        tokens = normal(tokens)
        for layer in self.decoder:
            queries = layer(queries, tokens)
        restored = first + self.mean @ rows + self.out(normal(queries))
        return torch.cat([restored, rows[:, self.movable :]], dim=1)

    if TYPE_CHECKING:
        __call__ = forward


class Restoring(nn.Module):
    """The clean rows' tokens ask the spoilt rows', then a perceptron."""

    def __init__(self, width: int, heads: int, rng: torch.Generator) -> None:
        super().__init__()
        self.attention = Attention(width, heads, rng)
        self.perceptron = Perceptron(width, 2 * width, width, rng)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Eqs. 2-5: queries [B, movable, width] learn of tokens [B, movable, width]."""
        queries = queries + self.attention(normal(queries), self.attention.answers(tokens))
        return queries + self.perceptron(normal(queries))

    if TYPE_CHECKING:
        __call__ = forward


def spoilt(rows: Tensor, movable: int, rng: torch.Generator) -> Tensor:
    """Eq. 1: latents [B, num_ws, w_dim] with noughts and noise in their first rows.

    They are in deviations from the mean, so nought is the mean. How strong the noise is differs
    from latent to latent, up to `NOISE`, and some aren't masked: the errors of predictions differ
    too.
    """
    first, rest = rows[:, :movable], rows[:, movable:]

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=rng).to(rows)

    batch = len(rows)
    share = MASKED * (uniform(batch, 1, 1) < 0.5)
    kept = uniform(*first.shape) >= share
    noise = torch.randn(first.shape, generator=rng).to(rows) * NOISE * uniform(batch, 1, 1)
    return torch.cat([first * kept + noise, rest], dim=1)
