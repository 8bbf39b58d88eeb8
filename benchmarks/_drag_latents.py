"""How far a predictor's latents go in `benchmarks.drag_methods`, and what its regularizer does.

Lengths are of the movable rows, in the latents' own deviations, and means over a few drags.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from benchmarks._drag_cases import landmark_case
from nbdrag.editing.auto_draggan import auto_drag_batch
from nbdrag.editing.latent_predictor_file import load_predictor
from nbdrag.editing.latent_regularizer import spoilt
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces.reader import Reader

SEEDS = range(600, 632)  # of drags of one landmark, none of them among the tests


@torch.no_grad()
def lengths(
    generator: Generator, reader: Reader, path: Path, *, steady: bool = True
) -> dict[str, float]:
    """Of latents, of errors before and after they are restored, and of drags.

    Drags less the drift, if `steady`; and the drift, which is what a drag of no length comes to.
    """
    predictor = load_predictor(path, generator)
    cases = [landmark_case(generator, reader, seed, 1) for seed in SEEDS]
    ws = torch.stack([case.ws for case in cases])
    rows = predictor.normalised(ws)
    worse = spoilt(rows, predictor.config.movable, torch.Generator().manual_seed(0))

    def length(change: Tensor) -> float:
        mean = change[:, : predictor.config.movable].norm(dim=(1, 2)).mean()
        return round(mean.item(), 2)

    handles, targets = ([getattr(c, of) for c in cases] for of in ("handles", "targets"))

    def drags(to: list[Tensor], *, regularize: bool = True, steady: bool = steady) -> Tensor:
        how = {"regularize": regularize, "steady": steady}
        told = auto_drag_batch(generator, ws, handles, to, predictor=predictor, **how)
        return predictor.normalised(told[:, -1]) - rows

    return {
        "latent": length(rows),
        "spoilt": length(worse - rows),
        "restored": length(predictor.regularizer(worse) - rows),
        "good_restored": length(predictor.regularizer(rows) - rows),
        "drag": length(drags(targets)),
        "drag_without": length(drags(targets, regularize=False)),
        "drift": length(drags(handles, steady=False)),
    }
