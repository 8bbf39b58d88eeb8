"""User-controllable latent transformer: points and arrows in, a latent out.

What an optimiser looks for step by step can be guessed at once, by a network that has seen many
pairs of pictures, each with the latents of both and the motion of some of the points between them.

The user's points become *tokens*: what the generator's features say is at the point, where it is,
and the arrow, by which it is to move. An arrow of no length is an *anchor*: stay. An encoder lets
the tokens see each other. The rows of the latent are tokens as well; a decoder lets them see each
other, and the points, and what comes out is added to the rows that shape the picture:

    w' = w + strength * f(w, U),    U = {(feature, place, arrow) of each point}

The order of the points doesn't matter, nor does their number: nothing numbers them. f starts at
zero, so that an untrained transformer leaves the picture as it is.

It is fast, but it never looks at what it made: a point lands about where it was sent. And of all
the ways in which one arrow can be meant it chooses the mean, which goes less far than any.

References
----------
Endo, User-Controllable Latent Transformer for StyleGAN Image Layout Editing, Computer Graphics
Forum 41(7), 2022, Sec. 3. arXiv:2208.12408
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from nbdrag.editing.features import sample
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class TransformerConfig:
    """Construction of a latent transformer. Defaults are the paper's, for 512-dimensional ws.

    Attributes
    ----------
    num_ws, w_dim, height, width : int
        Of the generator.
    feature_block, channels : int
        Resolution (height) of the block whose features describe the points, and its channels.
    grid : int
        The features are averaged to grid x grid cells first, or as many as there are.
    movable : int
        So many first rows of ws change.
    token_width, heads, encoder_layers, decoder_layers : int
        Of the transformer.
    """

    num_ws: int = 16
    w_dim: int = 512
    height: int = 512
    width: int = 512
    feature_block: int = 64
    channels: int = 512
    grid: int = 16
    movable: int = 6
    token_width: int = 512
    heads: int = 8
    encoder_layers: int = 6
    decoder_layers: int = 6

    def __post_init__(self) -> None:
        for name, most in LARGEST.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"{name} is {value!r}; expected a whole number from 1 to {most}.")
        if self.movable > self.num_ws:
            raise ValueError(f"movable is {self.movable}, of {self.num_ws} rows of ws.")
        if self.token_width % self.heads:
            raise ValueError(f"token_width is {self.token_width}; no multiple of {self.heads}.")

    @classmethod
    def for_generator(cls, generator: Generator) -> TransformerConfig:
        """A construction that suits a generator: the paper's, or less where ws are narrower."""
        block = min(64, generator.resolution // 4)
        small = generator.w_dim < 512
        return cls(
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
            height=generator.height,
            width=generator.width,
            feature_block=block,
            channels=generator.config.channels(block),
            movable=min(6, generator.num_ws),
            token_width=96 if small else 512,
            heads=4 if small else 8,
            encoder_layers=2 if small else 6,
            decoder_layers=2 if small else 6,
        )


LARGEST = {
    "num_ws": 64,
    "w_dim": 4096,
    "height": 4096,
    "width": 16384,
    "feature_block": 4096,
    "channels": 4096,
    "grid": 256,
    "movable": 64,
    "token_width": 4096,
    "heads": 64,
    "encoder_layers": 64,
    "decoder_layers": 64,
}
"""Bounds of what a file may describe."""


class LatentTransformer(nn.Module):
    """Latent, points and arrows to a latent. Made without weights: see `untrained`.

    Parameters
    ----------
    config : TransformerConfig
    generator_hash : str
        `content_hash` of the generator it is for; empty if it is for none yet.

    Attributes
    ----------
    w_mean, w_deviation : Tensor, shape [w_dim]
        Latents are seen in deviations from the mean; what is added is in deviations, too.
    feature_mean, feature_deviation : Tensor, shape [channels]
        Likewise the features.
    """

    w_mean: Tensor
    w_deviation: Tensor
    feature_mean: Tensor
    feature_deviation: Tensor

    def __init__(self, config: TransformerConfig, generator_hash: str = "") -> None:
        super().__init__()
        self.config, self.generator_hash = config, generator_hash
        width, heads = config.token_width, config.heads
        with torch.device("meta"):  # no memory, nor numbers from the global source of random ones
            self.read_point = nn.Sequential(
                nn.Linear(config.channels + 4, width), nn.GELU(), nn.Linear(width, width)
            )
            self.read_row = nn.Linear(config.w_dim, width)
            self.row_names = nn.Parameter(torch.empty(config.movable, width))
            encoder = nn.TransformerEncoderLayer(
                width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.encoder = nn.TransformerEncoder(
                encoder, config.encoder_layers, nn.LayerNorm(width), enable_nested_tensor=False
            )
            decoder = nn.TransformerDecoderLayer(
                width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
            )
            self.decoder = nn.TransformerDecoder(
                decoder, config.decoder_layers, nn.LayerNorm(width)
            )
            self.write_row = nn.Linear(width, config.w_dim)
            for name, length in (("w", config.w_dim), ("feature", config.channels)):
                self.register_buffer(f"{name}_mean", torch.zeros(length))
                self.register_buffer(f"{name}_deviation", torch.ones(length))

    def forward(self, ws: Tensor, features: Tensor, points: Tensor, arrows: Tensor) -> Tensor:
        """Move points of pictures by arrows.

        Parameters
        ----------
        ws : Tensor, shape [N, num_ws, w_dim]
        features : Tensor, shape [N, K, channels]
            At the points, as `look` gives them.
        points : Tensor, shape [N, K, 2]
            Where they are, (x, y) in pixels of the picture.
        arrows : Tensor, shape [N, K, 2]
            By how much they are to move, in pixels.

        Returns
        -------
        Tensor, shape [N, num_ws, w_dim]
            The latents; rows from the config's `movable` on are as they were.
        """
        config = self.config
        size = points.new_tensor([config.width, config.height])
        seen = (features - self.feature_mean) / self.feature_deviation
        # Places from -1 to 1; arrows in tenths of the height, so that all inputs are about one.
        asked = torch.cat([seen, 2 * points / size - 1, arrows * (10 / config.height)], dim=-1)
        memory = self.encoder(self.read_point(asked))
        rows = ws[:, : config.movable]
        tokens = self.read_row((rows - self.w_mean) / self.w_deviation) + self.row_names
        change: Tensor = self.write_row(self.decoder(tokens, memory)) * self.w_deviation
        return torch.cat([rows + change, ws[:, config.movable :]], dim=1)

    if TYPE_CHECKING:
        __call__ = forward


def look(features: Tensor, points: Tensor, config: TransformerConfig) -> Tensor:
    """What the features say is at the points.

    Parameters
    ----------
    features : Tensor, shape [N, channels, h, w]
        Output of the feature block.
    points : Tensor, shape [N, K, 2]
        (x, y) in pixels of the picture.

    Returns
    -------
    Tensor, shape [N, K, channels]
    """
    cells = min(config.grid, features.shape[2]), min(config.grid, features.shape[3])
    coarse, size = adaptive_avg_pool2d(features, cells), (config.height, config.width)
    return torch.stack([sample(f, p, size) for f, p in zip(coarse, points, strict=True)])


@torch.no_grad()
def untrained(
    config: TransformerConfig, generator_hash: str, rng: torch.Generator
) -> LatentTransformer:
    """Make one with random weights, which leaves latents as they are.

    Matrices are 1 / sqrt(inputs) wide, biases 0, norms 1, and the last layer is 0.
    """
    transformer = LatentTransformer(config, generator_hash).to_empty(device="cpu")
    for name, tensor in transformer.state_dict().items():
        if tensor.ndim == 2 and not name.startswith("write_row"):
            tensor.copy_(torch.randn(tensor.shape, generator=rng) / tensor.shape[1] ** 0.5)
        elif name.endswith("deviation") or ("norm" in name and name.endswith("weight")):
            tensor.fill_(1)
        else:
            tensor.zero_()
    return transformer
