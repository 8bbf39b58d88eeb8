"""How long ways to drag take: against the number of pairs, and the resolution.

Optimisers: a step, the median of a few. One-pass methods: from points to picture, with weights that
were not trained where there are none; the time is the same. Seconds of one thread's processor.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from benchmarks.drag import random_generator
from nbdrag.editing.auto_draggan import auto_drag_batch
from nbdrag.editing.draggan import DragStep, drag
from nbdrag.editing.freedrag import free_drag
from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.editing.latent_transformer import TransformerConfig, look, untrained
from nbdrag.generators.stylegan2 import Generator

PAIRS, RESOLUTIONS = (1, 2, 5, 10, 20, 32), (128, 256, 512)
STEPS = 6  # of an optimiser; the first prepares
REPEATS = 5


def speed(small: Generator) -> dict[str, Any]:
    """Both tables: seconds by method, in the order of pairs and of resolutions."""
    by_pairs: dict[str, list[float]] = {}
    for pairs in PAIRS:
        for name, seconds in times(small, pairs).items():
            by_pairs.setdefault(name, []).append(round(seconds, 5))
        print("pairs", pairs, {name: row[-1] for name, row in by_pairs.items()}, flush=True)
    by_resolution: dict[str, list[float]] = {}
    for resolution in RESOLUTIONS:
        for name, seconds in times(random_generator(resolution), 1).items():
            by_resolution.setdefault(name, []).append(round(seconds, 4))
        print("px", resolution, {n: row[-1] for n, row in by_resolution.items()}, flush=True)
    return {
        "pairs": {"values": PAIRS, "seconds": by_pairs},
        "resolution": {"values": RESOLUTIONS, "seconds": by_resolution},
    }


def times(generator: Generator, pairs: int) -> dict[str, float]:
    """Seconds of every method, for so many pairs spread over the picture."""
    random = torch.Generator().manual_seed(pairs)
    ws = generator.mapping(torch.randn(1, generator.z_dim, generator=random), truncation=0.7)[0]
    size = torch.tensor([generator.width, generator.height])
    side = int(pairs**0.5 + 0.999)
    grid = torch.cartesian_prod(*[torch.linspace(0.25, 0.75, max(side, 2))] * 2)[:pairs]
    handles, targets = grid * size, (grid + 0.15) * size
    transformer = untrained(
        TransformerConfig.for_generator(generator), generator.content_hash, random
    ).eval()
    predictor = LatentPredictor(PredictorConfig.for_generator(generator), generator.content_hash)
    predictor.eval().requires_grad_(False)

    def told() -> Tensor:
        latents = auto_drag_batch(generator, ws[None], [handles], [targets], predictor=predictor)
        with torch.no_grad():
            return generator.synthesis(latents[:, -1]).image

    @torch.no_grad()
    def laid_out() -> Tensor:
        block = transformer.config.feature_block
        first = generator.synthesis(ws[None], until=block, taps=(block,)).features[block]
        seen = look(first, handles[None], transformer.config)
        latent = transformer(ws[None], seen, handles[None], (targets - handles)[None])
        return generator.synthesis(latent).image

    return {
        "DragGAN, a step": step(drag(generator, ws, handles, targets)),
        "FreeDrag, a step": step(free_drag(generator, ws, handles, targets)),
        "UserControllableLT": whole(laid_out),
        "Auto": whole(told),
    }


def step(edit: Iterator[DragStep]) -> float:
    taken = []
    while len(taken) < STEPS:
        began = time.process_time()
        if not list(islice(edit, 1)):
            break
        taken.append(time.process_time() - began)
    return statistics.median(taken[1:])


def whole(edit: Callable[[], Tensor]) -> float:
    edit()
    taken = []
    for _ in range(REPEATS):
        began = time.process_time()
        edit()
        taken.append(time.process_time() - began)
    return statistics.median(taken)
