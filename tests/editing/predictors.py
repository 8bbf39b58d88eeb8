"""A tiny predictor, untrained, for a tiny generator."""

import torch
from torch import Tensor

from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.generators.stylegan2 import Generator


def tiny_config(generator: Generator, **changes: object) -> PredictorConfig:
    given: dict[str, object] = {
        "num_ws": generator.num_ws,
        "w_dim": generator.w_dim,
        "channels": generator.config.channels(16),
        "feature_block": 16,
        "height": generator.height,
        "width": generator.width,
        "movable": 4,
        "steps": 3,
        "grid": 2,
        "token_width": 8,
        "heads": 2,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "regularizer_width": 8,
        "regularizer_encoder_layers": 1,
        "regularizer_decoder_layers": 1,
        **changes,
    }
    return PredictorConfig(**given)  # type: ignore[arg-type]


def tiny_predictor(generator: Generator, **changes: object) -> LatentPredictor:
    """All weights random, those that start at nought too."""
    rng = torch.Generator().manual_seed(7)
    config = tiny_config(generator, **changes)
    predictor = LatentPredictor(config, generator.content_hash, rng)
    for parameter in predictor.regularizer.parameters():
        parameter.data.normal_(std=0.2, generator=rng)
    return predictor.eval().requires_grad_(False)


def question(generator: Generator, pairs: int, batch: int = 2) -> tuple[Tensor, ...]:
    """Drags of random pictures: ws, features, handles, targets, and which of them are real."""
    rng = torch.Generator().manual_seed(pairs)
    ws = generator.mapping(torch.randn(batch, 8, generator=rng))
    features = generator.synthesis(ws, taps=(16,)).features[16]
    points = 32 * torch.rand(2, batch, pairs, 2, generator=rng)
    return ws, features, *points, torch.ones(batch, pairs, dtype=torch.bool)
