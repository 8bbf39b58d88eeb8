"""Latent Predictors in files: .safetensors in half precision, the construction as metadata.

Such a file belongs to a generator by its hash. Nothing in it is executed, and nothing is believed
before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.stylegan2 import Generator

KEY = "latent_predictor"  # of the metadata
ASSETS = Path(__file__).parent.parent / "assets"
PACKAGED = {"toonfaces-128": ASSETS / "toonfaces-128-predictor.safetensors"}
"""Predictors that come with the package, by the name of their generator."""

# A generator's hash takes longer than a prediction, and a file too. Both are needed but once.
ACCEPTED: WeakKeyDictionary[LatentPredictor, ref[Generator]] = WeakKeyDictionary()
PACKAGED_FOR: WeakKeyDictionary[Generator, LatentPredictor] = WeakKeyDictionary()


def save_predictor(
    predictor: LatentPredictor,
    path: str | PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a predictor and its regularizer as .safetensors, in half precision.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    predictor : LatentPredictor
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep, such as how it was trained; "latent_predictor" is taken.

    Raises
    ------
    ValueError
        If the name ends otherwise, "latent_predictor" is among the metadata, or a weight isn't
        finite in half precision.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    if KEY in (metadata or {}):
        raise ValueError(f'metadata contains "{KEY}", which the predictor itself fills in.')
    tensors = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in predictor.state_dict().items()
    }
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ValueError(f"weights not finite in half precision: {', '.join(lost)}.")
    construction = {**asdict(predictor.config), "generator_hash": predictor.generator_hash}
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(save(tensors, {**(metadata or {}), KEY: json.dumps(construction)}))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_predictor(
    path: str | PathLike[str], generator: Generator | None = None
) -> LatentPredictor:
    """Read a predictor from a file, in float32, frozen, on the generator's device.

    Parameters
    ----------
    path : path-like
        A file that `save_predictor` wrote.
    generator : Generator, optional
        The one that it is for.

    Returns
    -------
    LatentPredictor

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is no such file, it is damaged or holds no predictor, or the
        predictor is that of another generator.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}.")
    try:
        with safe_open(path, framework="pt") as file:
            construction = (file.metadata() or {}).get(KEY)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); fetch it anew.") from None
    if construction is None:
        raise CheckpointError(f'{path.name} holds no predictor: no "{KEY}" in its metadata.')
    predictor = construct(path, construction, weights)
    if generator is not None:
        check_predictor(predictor, generator, path.name)
        predictor.to(generator.w_avg.device)
    return predictor


def predictor_of(generator: Generator) -> LatentPredictor:
    """The packaged predictor of a generator.

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is none; it says how to train one.
    """
    if generator in PACKAGED_FOR:
        return PACKAGED_FOR[generator]
    path = PACKAGED.get(generator.source)
    if path is None or not path.is_file():
        raise CheckpointError(
            f"there is no predictor for the generator {generator.source or 'of this file'!r}. "
            "Train one (python -m nbdrag.training.auto_draggan GENERATOR FOLDER --out "
            "FILE.safetensors) and hand it over: predictor=load_predictor(FILE, generator)."
        )
    PACKAGED_FOR[generator] = load_predictor(path, generator)
    return PACKAGED_FOR[generator]


def construct(path: Path, construction: str, weights: Mapping[str, Tensor]) -> LatentPredictor:
    """Make the predictor that a file describes, once all in it agrees."""
    try:
        found: Any = json.loads(construction)
        own_hash = str(found.pop("generator_hash"))
        if unknown := set(found) ^ {each.name for each in fields(PredictorConfig)}:
            raise ValueError(f"missing or unknown: {', '.join(sorted(unknown))}.")
        config = PredictorConfig(**found)
        with torch.device("meta"):  # no memory, however large
            predictor = LatentPredictor(config, own_hash)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path.name} describes no predictor: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in predictor.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != shapes:
        wrong = sorted(name for name in expected | shapes if expected.get(name) != shapes.get(name))
        raise CheckpointError(
            f"{path.name} doesn't hold the weights of the predictor that it describes; missing, "
            f"unknown or of another shape: {', '.join(wrong[:5])}."
        )
    values = {name: tensor.float() for name, tensor in weights.items()}
    if wrong := [name for name, tensor in values.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"{path.name} holds values that are not finite, in {wrong[0]}.")
    predictor.load_state_dict(values, assign=True)
    return predictor.eval().requires_grad_(False)


def check_predictor(
    predictor: LatentPredictor, generator: Generator, name: str = "the predictor"
) -> None:
    """Refuse the predictor of another generator. One that was accepted before is so at once."""
    accepted = ACCEPTED.get(predictor)
    if accepted is not None and accepted() is generator:
        return
    if predictor.generator_hash != (own := generator.content_hash):
        raise CheckpointError(
            f"{name} was trained for the generator {predictor.generator_hash or 'of nobody'}; this "
            f"one is {own}. Train one for it (python -m nbdrag.training.auto_draggan)."
        )
    ACCEPTED[predictor] = ref(generator)
