"""Latent Predictor: from points to the latents of a drag, without optimising any.

DragGAN finds the latent in which a handle is at its target by some twenty gradient steps. What
these steps come to can be learnt. A transformer looks at the features F_0 of the picture, coarsely
as a whole and closely, in patches of 7 x 7, about handles and targets (its encoder's tokens), and
then tells one latent after the other (its decoder's tokens):

    w_0, given  ->  w_1  ->  ...  ->  w_n, the answer.

Each step is short, so that little of the picture has to change at once, and each knows the ones
before (Eqs. 8-11). Every prediction goes through the Latent Regularizer, and on from there.

Some of what a network has learnt of answers is told whether it was asked for or not: of handles
that stay where they are, too, come latents that lead away. This *drift* is known, as one only has
to ask, and is taken off (`nbdrag.editing.latent_drift`). In the paper it isn't.

A pair of handle and target is one token: both patches, both places, and the way between them.
Tokens of pairs carry no number, so their order doesn't matter, and a batch with different numbers
of pairs is filled up with pairs that nobody hears.

References
----------
Cai et al., Auto DragGAN, MM 2024, Sec. 3.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, gelu, grid_sample

from nbdrag.editing.drag_options import usual_block
from nbdrag.editing.latent_predictor_layers import (
    DecoderLayer,
    EncoderLayer,
    Linear,
    Perceptron,
    normal,
)
from nbdrag.editing.latent_regularizer import LatentRegularizer
from nbdrag.generators.config import require_whole
from nbdrag.generators.stylegan2 import Generator

PATCH = 7  # cells of the feature map, in x and in y
FREQUENCIES = 6  # sines and cosines that a place is told by
FIRST_STEP = 0.02  # of the latents' deviations: about how far an untrained predictor goes


@dataclass(frozen=True)
class PredictorConfig:
    """Construction of a predictor. Defaults are the paper's, for 512-dimensional ws.

    Attributes
    ----------
    num_ws, w_dim, channels, feature_block, height, width : int
        Of the generator, its feature block and its pictures.
    movable : int
        So many first rows of ws are predicted (Sec. 3.1).
    steps : int
        n: so many latents are told, one after the other (Table 3).
    reach : float
        The longest way, as a share of the picture's height, that a handle is moved in one pass.
    grid : int
        F_0 as a whole is seen as grid x grid tokens.
    token_width, heads, encoder_layers, decoder_layers : int
        Of the predictor (Sec. 4.1).
    regularizer_width, regularizer_encoder_layers, regularizer_decoder_layers : int
        Of the regularizer (Sec. 4.1).
    """

    num_ws: int = 16
    w_dim: int = 512
    channels: int = 256
    feature_block: int = 128
    height: int = 512
    width: int = 512
    movable: int = 6
    steps: int = 5
    reach: float = 0.25
    grid: int = 16
    token_width: int = 512
    heads: int = 8
    encoder_layers: int = 6
    decoder_layers: int = 16
    regularizer_width: int = 512
    regularizer_encoder_layers: int = 6
    regularizer_decoder_layers: int = 6

    def __post_init__(self) -> None:
        for name, most in LARGEST.items():
            require_whole(name, getattr(self, name), 1, most)
        if not isinstance(self.reach, float) or not 0 < self.reach <= 2:
            raise ValueError(f"reach is {self.reach!r}; it must be a number above 0, at most 2.")
        if self.movable > self.num_ws:
            raise ValueError(f"movable is {self.movable}, of {self.num_ws} rows of ws.")
        for name in ("token_width", "regularizer_width"):
            if getattr(self, name) % self.heads:
                raise ValueError(f"{name} is {getattr(self, name)}; no multiple of {self.heads}.")

    @classmethod
    def for_generator(cls, generator: Generator) -> PredictorConfig:
        """A construction that suits a generator: the paper's, or less where ws are narrower."""
        block = usual_block(generator)
        common = {
            "num_ws": generator.num_ws,
            "w_dim": generator.w_dim,
            "channels": generator.config.channels(block),
            "feature_block": block,
            "height": generator.height,
            "width": generator.width,
            "movable": min(6, generator.num_ws),
        }
        if generator.w_dim >= 512:
            return cls(**common)
        return cls(
            **common,
            grid=4,
            token_width=96,
            heads=4,
            encoder_layers=2,
            decoder_layers=3,
            regularizer_width=64,
            regularizer_encoder_layers=1,
            regularizer_decoder_layers=1,
        )


LARGEST = {
    "num_ws": 64,
    "w_dim": 4096,
    "channels": 4096,
    "feature_block": 4096,
    "height": 4096,
    "width": 16384,
    "movable": 64,
    "steps": 64,
    "grid": 64,
    "token_width": 4096,
    "heads": 64,
    "encoder_layers": 64,
    "decoder_layers": 64,
    "regularizer_width": 4096,
    "regularizer_encoder_layers": 64,
    "regularizer_decoder_layers": 64,
}
"""Bounds of what a file may describe."""


Past: TypeAlias = "list[tuple[Tensor, Tensor] | None]"
"""Keys and values of earlier latents, for each layer of the decoder; None before the first."""


@dataclass(frozen=True, eq=False)
class Question:
    """A picture and its points, encoded: what the decoder's layers attend to.

    Attributes
    ----------
    answers : list of (Tensor, Tensor)
        Keys and values for each layer.
    mask : Tensor, shape [B, 1, 1, T], bool
        Which tokens are heard.
    """

    answers: list[tuple[Tensor, Tensor]]
    mask: Tensor


class LatentPredictor(nn.Module):
    """Predicts the latents of a drag.

    Parameters
    ----------
    config : PredictorConfig
    generator_hash : str
        `content_hash` of the generator it is for; empty if it is for none yet.
    rng : torch.Generator, optional
        Source of the first weights. Default: a new one, seeded with 0.

    Attributes
    ----------
    regularizer : LatentRegularizer
    w_mean : Tensor, shape [w_dim]
    w_deviation : Tensor, shape [1]
        Latents are seen in deviations from the mean.
    feature_mean, feature_deviation : Tensor, shape [channels]
        Likewise the features.
    """

    w_mean: Tensor
    w_deviation: Tensor
    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(
        self,
        config: PredictorConfig,
        generator_hash: str = "",
        rng: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        rng = rng or torch.Generator().manual_seed(0)
        self.config, self.generator_hash = config, generator_hash
        width, heads = config.token_width, config.heads
        channels, rows = config.channels, config.num_ws * config.w_dim
        self.register_buffer("w_mean", torch.zeros(config.w_dim))
        self.register_buffer("w_deviation", torch.ones(1))
        self.register_buffer("feature_mean", torch.zeros(channels))
        self.register_buffer("feature_deviation", torch.ones(channels))
        # F_seq: two strided convolutions, each token one place of the grid.
        self.whole_first = nn.Conv2d(channels, width, 3, 2, 1)
        self.whole_second = nn.Conv2d(width, width, 3, 2, 1)
        with torch.no_grad():
            for layer in (self.whole_first, self.whole_second):
                weight = torch.randn(layer.weight.shape, generator=rng)
                layer.weight.copy_(weight / math.sqrt(weight[0].numel()))
                layer.bias.zero_()  # type: ignore[union-attr]
        self.place = nn.Parameter(0.5 * torch.randn(config.grid**2, width, generator=rng))
        # P_seq: a token for each pair.
        places = 2 + 4 * FREQUENCIES
        self.handle_patch = Linear(channels * PATCH**2, width, rng)
        self.target_patch = Linear(channels * PATCH**2, width, rng)
        self.pair = Perceptron(2 * width + 3 * places, 2 * width, width, rng)
        self.along = Linear(width, 2 * width, rng)
        self.encoder = nn.ModuleList(
            EncoderLayer(width, heads, rng) for _ in range(config.encoder_layers)
        )
        self.latent = Perceptron(rows, 2 * width, width, rng)
        self.time = nn.Parameter(0.5 * torch.randn(config.steps, width, generator=rng))
        self.decoder = nn.ModuleList(
            DecoderLayer(width, heads, rng) for _ in range(config.decoder_layers)
        )
        self.out = Linear(width, config.movable * config.w_dim, rng, gain=FIRST_STEP)
        self.regularizer = LatentRegularizer(
            config.num_ws,
            config.w_dim,
            config.movable,
            config.regularizer_width,
            heads,
            config.regularizer_encoder_layers,
            config.regularizer_decoder_layers,
            rng,
        )

    def forward(
        self,
        ws: Tensor,
        features: Tensor,
        handles: Tensor,
        targets: Tensor,
        real: Tensor,
        *,
        regularize: bool = True,
    ) -> Tensor:
        """Tell the latents of drags.

        Parameters
        ----------
        ws : Tensor, shape [B, num_ws, w_dim]
            w_0, to start from.
        features : Tensor, shape [B, channels, h, w]
            F_0, of the feature block. Or one for each K rows of ws, [B / K, channels, h, w].
        handles, targets : Tensor, shape [B, P, 2]
            (x, y) in pixels of the picture.
        real : Tensor, shape [B, P], bool
            False where a pair only fills up its row.
        regularize : bool
            Whether predictions go through the regularizer.

        Returns
        -------
        Tensor, shape [B, steps, num_ws, w_dim]
            w_1, ..., w_n.
        """
        question = self.encode(features, handles, targets, real)
        rows = self.normalised(ws)
        told = []
        past: Past = [None] * len(self.decoder)
        for i in range(self.config.steps):
            rows, past = self.decode(rows, question, i, past)
            rows = self.regularizer(rows) if regularize else rows
            told.append(rows)
        return self.denormalised(torch.stack(told, dim=1))

    def encode(self, features: Tensor, handles: Tensor, targets: Tensor, real: Tensor) -> Question:
        """Encode picture and points; parameters are those of `forward`."""
        config = self.config
        features = features - self.feature_mean[:, None, None]
        features = features / self.feature_deviation[:, None, None]
        size = handles.new_tensor([config.width, config.height])
        shared = len(handles) // len(features)  # drags of one and the same picture
        coarse = adaptive_avg_pool2d(features, 4 * config.grid)
        coarse = self.whole_second(gelu(self.whole_first(coarse)))
        whole = coarse.flatten(2).transpose(1, 2) + self.place
        whole = whole.repeat_interleave(shared, dim=0)
        parts = [
            linear(patches(features, (points / size).unflatten(0, (-1, shared))).flatten(0, 1))
            for linear, points in (
                (self.handle_patch, handles),
                (self.target_patch, targets),
            )
        ]
        way = (targets - handles) / (config.reach * config.height)
        places = [waves(2 * points / size - 1) for points in (handles, targets)] + [waves(way)]
        pairs = self.pair(torch.cat([*parts, *places], dim=-1))
        # What a pair does to the latent is almost proportional to its way, by a factor of its own.
        factors = self.along(normal(pairs)).unflatten(-1, (2, -1))
        pairs = pairs + (factors * way[..., None]).sum(-2)
        tokens = torch.cat([whole, pairs], dim=1)
        heard = torch.cat([real.new_ones(len(real), whole.shape[1]), real], dim=1)[:, None, None]
        for layer in self.encoder:
            tokens = layer(tokens, heard)
        tokens = normal(tokens)
        layers: list[Any] = list(self.decoder)
        return Question([layer.to_memory.answers(tokens) for layer in layers], heard)

    def decode(self, rows: Tensor, question: Question, at: int, past: Past) -> tuple[Tensor, Past]:
        """The latent after `rows`, w_at, both [B, num_ws, w_dim]. Not regularised yet.

        `past` is what the decoder remembers of earlier latents, and is returned with this one's.
        """
        config = self.config
        tokens = (self.latent(rows.flatten(1)) + self.time[at])[:, None]
        remembered: Past = []
        for layer, answers, before in zip(self.decoder, question.answers, past, strict=True):
            tokens, own = layer(tokens, answers, question.mask, before)
            remembered.append(own)
        change = self.out(normal(tokens[:, 0])).unflatten(-1, (config.movable, config.w_dim))
        first = rows[:, : config.movable] + change
        return torch.cat([first, rows[:, config.movable :]], dim=1), remembered

    def normalised(self, ws: Tensor) -> Tensor:
        """Latents [..., w_dim] in deviations from the mean."""
        return (ws - self.w_mean) / self.w_deviation

    def denormalised(self, rows: Tensor) -> Tensor:
        """The other way round."""
        return rows * self.w_deviation + self.w_mean

    if TYPE_CHECKING:
        __call__ = forward


def patches(features: Tensor, places: Tensor) -> Tensor:
    """Patches of 7 x 7 cells about places in feature maps.

    Parameters
    ----------
    features : Tensor, shape [B, C, h, w]
    places : Tensor, shape [B, K, P, 2]
        (x, y) as shares of the picture's width and height. Beyond the border, it goes on as there.

    Returns
    -------
    Tensor, shape [B, K, P, C * 49]
    """
    height, width = features.shape[2:]
    axis = torch.arange(PATCH, device=features.device, dtype=features.dtype) - PATCH // 2
    offsets = torch.stack(torch.meshgrid(axis / width, axis / height, indexing="xy"), dim=-1)
    grid = 2 * (places[..., None, :] + offsets.flatten(0, 1)) - 1  # [B, K, P, 49, 2]
    found = grid_sample(
        features, grid.flatten(1, 2).flatten(1, 2)[:, None], padding_mode="border",
        align_corners=False,
    )  # fmt: skip
    found = found[:, :, 0].transpose(1, 2)  # [B, K * P * 49, C]
    by_place: Tensor = found.unflatten(1, (*places.shape[1:3], -1))
    return by_place.flatten(3)


def waves(values: Tensor) -> Tensor:
    """Numbers [..., 2], about -1 to 1, and their sines and cosines at doubling frequencies."""
    scale = math.pi / 2 * 2.0 ** torch.arange(FREQUENCIES, device=values.device)
    angles = (values[..., None] * scale).flatten(-2)
    return torch.cat([values, angles.sin(), angles.cos()], dim=-1)
