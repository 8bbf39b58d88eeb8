"""What can be chosen about training a Latent Predictor, and how its folder remembers it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from nbdrag.editing.latent_predictor import PredictorConfig
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class TrainingOptions:
    """How to train. Defaults are the paper's (Sec. 4.1), whose epochs are taken as 1,000 steps.

    But for `steady`: there is no drift taken off in the paper, nor is it in the loss (`epsilon`).

    Attributes
    ----------
    regularizer_steps, regularizer_batch, regularizer_rate
        First stage.
    steps : int
        Second stage.
    rate, least_rate : float
        Step size of Adam for the predictor: first and last, along half a cosine.
    joint_rate : float
        Step size for the regularizer in the second stage, falling in proportion.
    alpha, beta, gamma, delta, epsilon : float
        Weights of L_pred, L_drag, L_reg, L_stay and the drift in the second stage; the last three
        are ours.
    pictures, drags : int
        A batch has so many drags of each of so many pictures.
    portraits : int
        With landmarks: so many portraits are read first.
    asked : int
        With landmarks: so many drags of a batch are read off the picture in the last part.
    regularize : int
        1, or 0 to train predictions that don't go through the regularizer: an ablation.
    steady : int
        1 to train predictions less their drift, as they are used; 0 as in the paper, for
        predictions that are used so (`AutoDragOptions.steady`). Then there is no `epsilon`.
    seed : int
    """

    regularizer_steps: int = 50_000
    regularizer_batch: int = 64
    regularizer_rate: float = 1e-3
    steps: int = 150_000
    rate: float = 1e-5
    least_rate: float = 1e-7
    joint_rate: float = 1e-5
    alpha: float = 0.1
    beta: float = 1.0
    gamma: float = 0.1
    delta: float = 0.0
    epsilon: float = 0.5
    pictures: int = 8
    drags: int = 1
    portraits: int = 10_752
    asked: int = 8
    regularize: int = 1
    steady: int = 1
    seed: int = 0

    @classmethod
    def for_generator(cls, generator: Generator) -> TrainingOptions:
        """The paper's, or for a small generator what a processor can do in two hours."""
        if generator.w_dim >= 512:
            return cls()
        return cls(
            regularizer_steps=800,
            regularizer_rate=2e-3,
            steps=5000,
            rate=1e-3,
            least_rate=1e-5,
            joint_rate=1e-4,
            delta=8.0,
            pictures=8,
            drags=8,
        )


UNSTEADY = {"steady": 0, "epsilon": 0.0}
"""Of trainings from before there was a choice."""


def settled(
    file: Path,
    generator: Generator,
    given: dict[str, Any],
    construction: Sequence[str],
    first: PredictorConfig | None = None,
) -> tuple[TrainingOptions, PredictorConfig]:
    """What a training goes by: what the file remembers, or suits the generator, and what is given.

    The construction is that of the predictor which is there at `first`, if there is any. The file
    is written anew.

    Raises
    ------
    ValueError
        If something unknown or impossible is given, or a construction other than it was begun with.
    """
    options = TrainingOptions.for_generator(generator)
    config = first or PredictorConfig.for_generator(generator)
    begun = json.loads(file.read_text()) if file.exists() else {}
    if begun:
        options = TrainingOptions(**{**UNSTEADY, **begun["training"]})
        config = PredictorConfig(**begun["construction"])
    changes: dict[str, float] = {}
    for each in construction:
        name, _, value = each.partition("=")
        kept = getattr(config, name, None)
        if kept is None or not value:
            known = ", ".join(field.name for field in dataclasses.fields(config))
            raise ValueError(f"construction has {each!r}; expected NAME=NUMBER, of {known}.")
        changes[name] = float(value) if isinstance(kept, float) else int(value)
    wanted = dataclasses.replace(config, **changes)  # type: ignore[arg-type]
    if begun and wanted != config:
        raise ValueError(f"{file} has a training of another construction; take another folder.")
    if first and wanted != first:
        raise ValueError(
            "the predictor to begin with has another construction, which stays as it is; leave out "
            "--construction, or --begin."
        )
    options = dataclasses.replace(options, **given)
    kept_now = {"training": dataclasses.asdict(options), "construction": dataclasses.asdict(wanted)}
    file.write_text(json.dumps(kept_now, indent=1) + "\n")
    return options, wanted


def training_of(path: Path) -> dict[str, Any]:
    """How a predictor was trained, as its file says."""
    with safe_open(path, framework="pt") as file:
        found: dict[str, Any] = json.loads((file.metadata() or {}).get("training", "{}"))
    return found


def as_trained(path: Path) -> dict[str, bool]:
    """The options of `AutoDragOptions` that a predictor is to be used with."""
    trained = {"regularize": 1, **UNSTEADY, **training_of(path).get("options", {})}
    return {name: trained[name] > 0 for name in ("regularize", "steady")}
