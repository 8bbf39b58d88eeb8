"""Latent Predictors in files; see `nbdrag.generators.module_file`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

import torch
from torch import Tensor

from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.module_file import filled, read_module, write_module
from nbdrag.generators.stylegan2 import Generator

KEY, WHAT = "latent_predictor", "predictor"
ASSETS = Path(__file__).parent.parent / "assets"
PACKAGED = {"toonfaces-128": ASSETS / "toonfaces-128-predictor.safetensors"}
"""Predictors that come with the package, by the name of their generator."""

# A generator's hash takes longer than a prediction, and a file too. Both are needed but once.
ACCEPTED: WeakKeyDictionary[LatentPredictor, ref[Generator]] = WeakKeyDictionary()
HASHES: WeakKeyDictionary[LatentPredictor, str] = WeakKeyDictionary()
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
    construction = {**asdict(predictor.config), "generator_hash": predictor.generator_hash}
    write_module(predictor, path, key=KEY, what=WHAT, construction=construction, metadata=metadata)


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
    construction, weights = read_module(path, key=KEY, what=WHAT)
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
    if not has_predictor(generator):
        raise CheckpointError(
            f"there is no predictor for the generator {generator.source or 'of this file'!r}. "
            "Train one (python -m nbdrag.training.auto_draggan GENERATOR FOLDER --out "
            "FILE.safetensors) and hand it over: predictor=load_predictor(FILE, generator)."
        )
    PACKAGED_FOR[generator] = load_predictor(PACKAGED[generator.source], generator)
    return PACKAGED_FOR[generator]


def has_predictor(generator: Generator) -> bool:
    """Whether a predictor comes with the package for a generator of this name."""
    path = PACKAGED.get(generator.source)
    return path is not None and path.is_file()


def predictor_hash(predictor: LatentPredictor) -> str:
    """Identify a predictor by its weights, in half precision, as its file has them.

    Returns
    -------
    str
        The first 16 hexadecimal digits of a SHA-256.
    """
    if predictor not in HASHES:
        digest = hashlib.sha256()
        for name, tensor in sorted(predictor.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().to("cpu", torch.float16).contiguous().numpy().tobytes())
        HASHES[predictor] = digest.hexdigest()[:16]
    return HASHES[predictor]


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
    return filled(predictor, weights, path, what=WHAT)


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
