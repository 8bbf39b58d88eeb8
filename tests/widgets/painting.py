"""What can be painted in tests: a generator with a segmenter, both of random weights."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import torch

from nbdrag.generators.segmenter import Part, Segmenter
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.from_page import PaintLabels
from nbdrag.widgets.labels import LabelArray
from nbdrag.widgets.session import Session

PARTS = [
    Part("background", "#dfe3ea"),
    Part("left_eye", "#3a7bd5"),
    Part("right_eye", "#7bd53a"),
    Part("lips", "#c94f6d"),
]

QUICK = {"max_steps": 3, "learning_rate": 1e-3, "perceptual_weight": 0}
PATIENT = {"max_steps": 10_000, "learning_rate": 1e-4, "perceptual_weight": 0}
"""Options of an edit that runs until somebody stops it."""


def with_parts(generator: Generator) -> Generator:
    """The same generator, in whose pictures parts are told; some of each in every picture."""
    config = generator.config
    channels = {r: config.channels(r) for r in config.block_resolutions}
    parted = deepcopy(generator)
    segmenter = Segmenter(channels, PARTS, hidden=(8, 8), members=1)
    parted.segmenter = segmenter.requires_grad_(False)
    ws = torch.stack([sample(generator, seed, 0.7) for seed in range(8)])
    segmenter.third /= parted.segment(ws).logits.std(dim=(0, 2, 3))
    segmenter.third_bias -= parted.segment(ws).logits.mean(dim=(0, 2, 3))
    return parted


def brush(part: int | None = 3, tool: str = "brush", **fields: object) -> PaintLabels:
    given = {"radius": 4.0, "path": [(8.0, 8.0), (20.0, 8.0)], **fields}
    return PaintLabels(id=1, tool=tool, part=part, **given)  # type: ignore[arg-type]


def found_labels(session: Session) -> LabelArray:
    """The parts of the picture shown, asked of the generator."""
    return session.generator.segment(session.ws[None]).labels[0].numpy()


def some_vector(session: Session, name: str, seed: int = 0) -> EditVector:
    delta = np.random.default_rng(seed).normal(size=tuple(session.ws.shape)) / 4
    return EditVector(
        session.ws.new_tensor(delta), name, session.work.generator_hash, classes=("lips",)
    )
