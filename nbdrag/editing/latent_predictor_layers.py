"""Transformer layers of the Latent Predictor and the Latent Regularizer.

Attention mixes tokens, a perceptron changes each; both add to what was there, and both first bring
tokens to mean 0 and deviation 1 (Vaswani et al., Attention Is All You Need, NeurIPS 2017, with the
normalisation first, which trains without a warm-up).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm, scaled_dot_product_attention


class Linear(nn.Linear):
    """A linear layer whose first weights come from a generator given."""

    def __init__(self, inputs: int, outputs: int, rng: torch.Generator, gain: float = 1.0) -> None:
        super().__init__(inputs, outputs)
        with torch.no_grad():
            weight = torch.randn(outputs, inputs, generator=rng)  # always on the processor
            self.weight.copy_(weight * (gain / math.sqrt(inputs)))
            self.bias.zero_()


class Perceptron(nn.Module):
    """Two linear layers with a smooth rectifier between: MLP of the paper's equations."""

    def __init__(
        self, inputs: int, hidden: int, outputs: int, rng: torch.Generator, gain: float = 1.0
    ) -> None:
        super().__init__()
        self.first = Linear(inputs, hidden, rng)
        self.second = Linear(hidden, outputs, rng, gain)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., inputs] to [..., outputs]."""
        y: Tensor = self.second(gelu(self.first(x)))
        return y

    if TYPE_CHECKING:
        __call__ = forward


class Attention(nn.Module):
    """Tokens ask, others answer: softmax(q k / sqrt(d)) v, by several heads."""

    def __init__(self, width: int, heads: int, rng: torch.Generator) -> None:
        super().__init__()
        self.heads = heads
        self.query = Linear(width, width, rng)
        self.key_value = Linear(width, 2 * width, rng)
        self.out = Linear(width, width, rng)

    def answers(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of tokens [B, T, width]: [B, heads, T, width / heads] each."""
        key, value = self.key_value(tokens).chunk(2, dim=-1)
        return self.split(key), self.split(value)

    def forward(
        self, tokens: Tensor, answers: tuple[Tensor, Tensor], mask: Tensor | None = None
    ) -> Tensor:
        """What tokens [B, Q, width] learn of answers. `mask` says who is heard, [B, 1, Q, T]."""
        mixed = scaled_dot_product_attention(self.split(self.query(tokens)), *answers, mask)
        y: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return y

    def split(self, tokens: Tensor) -> Tensor:
        """Give every head its part of the tokens."""
        heads: Tensor = tokens.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)

    if TYPE_CHECKING:
        __call__ = forward


class EncoderLayer(nn.Module):
    """Self-attention, then a perceptron."""

    def __init__(self, width: int, heads: int, rng: torch.Generator) -> None:
        super().__init__()
        self.attention = Attention(width, heads, rng)
        self.perceptron = Perceptron(width, 2 * width, width, rng)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """Mix tokens [B, T, width]."""
        seen = normal(tokens)
        tokens = tokens + self.attention(seen, self.attention.answers(seen), mask)
        return tokens + self.perceptron(normal(tokens))

    if TYPE_CHECKING:
        __call__ = forward


class DecoderLayer(nn.Module):
    """Self-attention to tokens so far, attention to a memory, then a perceptron."""

    def __init__(self, width: int, heads: int, rng: torch.Generator) -> None:
        super().__init__()
        self.to_itself = Attention(width, heads, rng)
        self.to_memory = Attention(width, heads, rng)
        self.perceptron = Perceptron(width, 2 * width, width, rng)

    def forward(
        self,
        tokens: Tensor,
        memory: tuple[Tensor, Tensor],
        memory_mask: Tensor | None = None,
        past: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Change a token [B, 1, width]; `memory` is `to_memory.answers(...)`.

        Of the tokens before, keys and values are remembered, `past`; with its own they are returned
        for the next one. None comes later, so that none has to be hidden.
        """
        seen = normal(tokens)
        own = self.to_itself.answers(seen)
        if past is not None:
            own = torch.cat([past[0], own[0]], dim=2), torch.cat([past[1], own[1]], dim=2)
        tokens = tokens + self.to_itself(seen, own)
        tokens = tokens + self.to_memory(normal(tokens), memory, memory_mask)
        return tokens + self.perceptron(normal(tokens)), own

    if TYPE_CHECKING:
        __call__ = forward


def normal(tokens: Tensor) -> Tensor:
    """Tokens with mean 0 and deviation 1; the linear layer that follows can scale them."""
    return layer_norm(tokens, tokens.shape[-1:])
