"""A tiny generator that can be painted: random weights, and a segmenter of one linear layer."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from nbdrag.generators.segmenter import Part
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

PARTS = tuple(
    Part(name, colour)
    for name, colour in [
        ("background", "#dfe3ea"),
        ("hair", "#6b4423"),
        ("skin", "#f1c27d"),
        ("lips", "#c94f6d"),
    ]
)


class LinearSegmenter(nn.Module):
    """Every block's features, enlarged to the picture, times a matrix; and a bias."""

    parts = PARTS
    resolutions = (4, 8, 16, 32)
    generator_hash = ""

    def __init__(self, channels: Sequence[int], source: torch.Generator) -> None:
        super().__init__()
        self.weights = [
            torch.randn(len(PARTS), c, dtype=torch.float64, generator=source) / c for c in channels
        ]
        self.bias = torch.zeros(len(PARTS), 1, 1, dtype=torch.float64)

    def forward(
        self, features: Mapping[int, Tensor], image: Tensor, learning: slice | None = None
    ) -> Tensor:
        logits = self.bias
        for resolution, weight in zip(self.resolutions, self.weights, strict=True):
            x = features[resolution]
            while x.shape[2] < 32:
                x = interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            logits = logits + torch.einsum("kc,nchw->nkhw", weight, x)
        return logits


def paintable(seed: int = 0) -> Generator:
    """A generator of 32 pixels in float64, with the parts above."""
    source = torch.Generator().manual_seed(seed)
    config = StyleGAN2Config(32, z_dim=8, w_dim=8, channel_base=128, channel_max=8)
    generator = Generator(config).double()
    for name, parameter in generator.named_parameters():
        parameter.data.normal_(generator=source)
        if "torgb" in name:
            parameter.data.mul_(0.1)  # so that colours lie about [-1, 1]
    generator.segmenter = LinearSegmenter([config.channels(r) for r in (4, 8, 16, 32)], source)
    # No part is to be likelier than the others from the outset.
    _, logits, _ = generator.segment(some_ws(generator)[None])
    generator.segmenter.bias = -logits.mean(dim=(0, 2, 3))[:, None, None].detach()
    return generator


def some_ws(generator: Generator) -> Tensor:
    """A latent of such a generator."""
    source = torch.Generator().manual_seed(4)
    return torch.randn(generator.num_ws, 8, dtype=torch.float64, generator=source)


def random_stages(source: torch.Generator) -> list[tuple[Tensor, Tensor]]:
    """Weights and channel weights of a network of two convolutions, to see with."""
    shapes = [(5, 3, 3, 3), (7, 5, 3, 3)]
    return [
        (
            torch.randn(*shape, dtype=torch.float64, generator=source) / 3,
            torch.rand(shape[0], dtype=torch.float64, generator=source),
        )
        for shape in shapes
    ]


def see(image: Tensor, weights: Sequence[tuple[Tensor, Tensor]]) -> list[Tensor]:
    """The stages of that network."""
    features, x = [], image
    for weight, _ in weights:
        x = conv2d(x, weight, stride=2, padding=1).relu()
        features.append(x)
    return features
