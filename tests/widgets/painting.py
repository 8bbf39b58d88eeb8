"""Painting in tests: options, strokes, vectors."""

from __future__ import annotations

import numpy as np

from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.from_page import PaintLabels
from nbdrag.widgets.labels import LabelArray
from nbdrag.widgets.session import Session
from tests.runtime.painting import PARTS, with_parts

__all__ = ["PARTS", "with_parts"]

QUICK = {"max_steps": 3, "learning_rate": 1e-3, "perceptual_weight": 0}
PATIENT = {"max_steps": 10_000, "learning_rate": 1e-4, "perceptual_weight": 0}
"""Options of an edit that runs until somebody stops it."""


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
