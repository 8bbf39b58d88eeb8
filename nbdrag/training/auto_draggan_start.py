"""What a training of a Latent Predictor begins with: untrained weights, and drags to learn from."""

from __future__ import annotations

from pathlib import Path

import torch

from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training.auto_draggan_drags import LandmarkDrags, Source
from nbdrag.training.auto_draggan_landmarks import known_landmarks, read_portraits
from nbdrag.training.auto_draggan_matches import MatchedDrags
from nbdrag.training.auto_draggan_options import TrainingOptions


@torch.no_grad()
def untrained(generator: Generator, config: PredictorConfig, seed: int) -> LatentPredictor:
    """A predictor that knows the scale of its generator's latents and features, no more."""
    rng = torch.Generator().manual_seed(seed)
    predictor = LatentPredictor(config, generator.content_hash, rng)
    device = generator.w_avg.device
    z = torch.randn(MEASURED, generator.z_dim, generator=rng).to(device)
    ws = generator.mapping(z, truncation=0.7)
    block = config.feature_block
    maps = [
        generator.synthesis(row, until=block, taps=(block,)).features[block] for row in ws.split(8)
    ]
    deviation, mean = torch.std_mean(torch.cat(maps), dim=(0, 2, 3))
    predictor.to(device)
    predictor.w_mean.copy_(generator.w_avg)
    predictor.w_deviation.fill_(float(ws[:, 0].std(0).mean()))
    predictor.feature_mean.copy_(mean)
    predictor.feature_deviation.copy_(deviation.clamp_min(1e-4 * float(deviation.max())))
    return predictor


MEASURED = 64  # pictures that means and deviations are taken from


def make_source(
    generator: Generator, config: PredictorConfig, options: TrainingOptions, out: Path, way: str
) -> Source:
    """Drags by landmarks or by matches."""
    if way == "matches":
        return MatchedDrags(generator, config, pictures=options.pictures, drags=options.drags)
    device = generator.w_avg.device
    reader = load_reader().to(device)
    portraits = read_portraits(
        generator, reader, out / "portraits", options.portraits, options.seed
    )
    portraits = type(portraits)(*(each.to(device) for each in portraits))
    known = known_landmarks(portraits, out, options.seed)
    return LandmarkDrags(
        generator,
        config,
        portraits,
        known,
        reader,
        pictures=options.pictures,
        drags=options.drags,
        asked=options.asked,
    )
