"""Latent transformers in files; see `nbdrag.generators.module_file`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from weakref import WeakKeyDictionary, ref

from safetensors import safe_open
from torch import Tensor

from nbdrag.editing.latent_transformer import LatentTransformer, TransformerConfig
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.module_file import filled, read_module, write_module
from nbdrag.generators.stylegan2 import Generator

KEY, WHAT = "latent_transformer", "latent transformer"
ASSETS = Path(__file__).parent.parent / "assets"
PACKAGED = (ASSETS / "toonfaces-128-latent-transformer.safetensors",)

# A generator's hash takes longer than a pass, and a file too. Both are needed but once.
FOUND: WeakKeyDictionary[Generator, LatentTransformer] = WeakKeyDictionary()
ACCEPTED: WeakKeyDictionary[LatentTransformer, ref[Generator]] = WeakKeyDictionary()


def save_transformer(
    transformer: LatentTransformer,
    path: str | PathLike[str],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a latent transformer as .safetensors, in half precision.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    transformer : LatentTransformer
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep, such as how it was trained; "latent_transformer" is taken.

    Raises
    ------
    ValueError
        If the name ends otherwise, "latent_transformer" is among the metadata, or a weight isn't
        finite in half precision.
    """
    construction = {**asdict(transformer.config), "generator_hash": transformer.generator_hash}
    write_module(
        transformer, path, key=KEY, what=WHAT, construction=construction, metadata=metadata
    )


def load_transformer(
    path: str | PathLike[str], generator: Generator | None = None
) -> LatentTransformer:
    """Read a latent transformer from a file, in float32, frozen, on the CPU.

    Parameters
    ----------
    path : path-like
        A file that `save_transformer` wrote.
    generator : Generator, optional
        The one that it is for.

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is no such file, it is damaged or holds no latent transformer, or
        that is another generator's.
    """
    path = Path(path)
    construction, weights = read_module(path, key=KEY, what=WHAT)
    transformer = construct(path, construction, weights)
    if generator is not None:
        check_fit(transformer, generator)
    return transformer


def construct(path: Path, construction: str, weights: Mapping[str, Tensor]) -> LatentTransformer:
    """Make the transformer that a file describes, once all in it agrees."""
    try:
        found = json.loads(construction)
        generator_hash = str(found.pop("generator_hash"))
        config = TransformerConfig(**found)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f"{path.name} describes no latent transformer: {error}") from None
    transformer = LatentTransformer(config, generator_hash)  # takes no memory, however large
    return filled(transformer, weights, path, what=WHAT)


def check_fit(transformer: LatentTransformer, generator: Generator) -> None:
    """Refuse the transformer of another generator. One that was accepted before is so at once."""
    accepted = ACCEPTED.get(transformer)
    if accepted is not None and accepted() is generator:
        return
    config = transformer.config
    theirs = (config.num_ws, config.w_dim, config.height, config.width)
    own = (generator.num_ws, generator.w_dim, generator.height, generator.width)
    if theirs != own or transformer.generator_hash != generator.content_hash:
        raise CheckpointError(
            f"the latent transformer was trained for the generator "
            f"{transformer.generator_hash or 'of nobody'}; this one is {generator.content_hash}. "
            "Train one for it: python -m nbdrag.training.latent_transformer GENERATOR OUT."
        )
    ACCEPTED[transformer] = ref(generator)


def transformer_of(generator: Generator) -> LatentTransformer:
    """The packaged latent transformer of a generator.

    Raises
    ------
    CheckpointError
        If there is none; the message says how to train one.
    """
    if generator in FOUND:
        return FOUND[generator]
    for path in filter(Path.is_file, PACKAGED):
        with safe_open(path, framework="pt") as file:
            construction = json.loads(file.metadata()[KEY])
        if construction["generator_hash"] == generator.content_hash:
            FOUND[generator] = load_transformer(path, generator).to(generator.w_avg)
            return FOUND[generator]
    raise CheckpointError(
        "no latent transformer comes with this generator. Train one: python -m "
        "nbdrag.training.latent_transformer GENERATOR OUT.safetensors, and give it as "
        "transformer=load_transformer(OUT)."
    )
