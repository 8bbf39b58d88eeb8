"""Generators in files: one .safetensors holds the weights in half precision and the construction.

The file's metadata carries the construction as JSON under "config", beside whatever else the
writer wants remembered (how it was trained, say). Reading trusts nothing: the construction is
checked first, and only when every name and shape in the file agrees with it is memory taken. So a
damaged or absurd file costs a message, not a kernel.

.safetensors files contain no code; reading one runs none.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from os import PathLike
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nbdrag.generators.identity import half_precision
from nbdrag.generators.layers import binomial_filter
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config


class CheckpointError(ValueError):
    """A file is no generator; the message says why."""


def save_generator(
    generator: Generator, path: str | PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a generator as .safetensors, in half precision.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    generator : Generator
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep in the file's metadata; "config" and "recommended" are taken.

    Raises
    ------
    ValueError
        If the name ends otherwise, a taken name is among the metadata, or a weight is not finite
        in half precision.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    own = {"config": config_json(generator), "recommended": json.dumps(generator.recommended)}
    if taken := own.keys() & (metadata or {}).keys():
        raise ValueError(f'metadata contains "{min(taken)}", which the generator itself fills in.')
    tensors = half_precision(generator)
    lost = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if lost:
        raise ValueError(f"weights not finite in half precision: {listing(lost)}.")
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(save(tensors, {**(metadata or {}), **own}))
    unfinished.replace(path)


def read_generator(path: str | PathLike[str]) -> Generator:
    """Read a generator from .safetensors, in float32, frozen, on the CPU.

    Parameters
    ----------
    path : path-like
        Written by `save_generator`.

    Returns
    -------
    Generator
        In evaluation mode, its parameters requiring no gradients.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged or of another kind, or tensors are missing,
        unknown, of another shape, or not finite.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}.")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            config = parse_config(path, metadata)
            shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
            compare(path, shapes, config)
            weights = {name: file.get_tensor(name) for name in shapes}
    except SafetensorError as error:
        raise CheckpointError(
            f"{path.name} is damaged, or no .safetensors file ({error}); fetch it anew."
        ) from None
    check_values(path, weights)
    generator = Generator(config)
    generator.load_state_dict(weights)
    generator.recommended = parse_recommended(path, metadata)
    return generator.eval().requires_grad_(False)


# ------------------------------------------------------------------------------------ the pieces


def config_json(generator: Generator) -> str:
    """Give the construction as JSON, always in the same order."""
    return json.dumps(asdict(generator.config))


def parse_config(path: Path, metadata: Mapping[str, str]) -> StyleGAN2Config:
    """Read the construction from a file's metadata."""
    if "config" not in metadata:
        raise CheckpointError(
            f'{path.name} is no generator of ours: its metadata have no "config". '
            f"Files written by save_generator have one."
        )
    try:
        values = json.loads(metadata["config"])
    except (ValueError, RecursionError):
        raise CheckpointError(f'{path.name}: "config" in its metadata is no JSON.') from None
    known = [field.name for field in fields(StyleGAN2Config)]
    if not isinstance(values, dict) or not set(values) <= set(known):
        raise CheckpointError(
            f'{path.name}: "config" in its metadata must be an object with no other keys than '
            f"{', '.join(known)}."
        )
    try:
        return StyleGAN2Config(**values)
    except ValueError as error:
        raise CheckpointError(f"{path.name}: {error}") from None


def parse_recommended(path: Path, metadata: Mapping[str, str]) -> dict[str, dict[str, object]]:
    """Read the options that come with the weights; they are checked where they are used."""
    try:
        recommended = json.loads(metadata.get("recommended", "{}"))
    except (ValueError, RecursionError):
        raise CheckpointError(f"{path.name} recommends options that are no JSON.") from None
    if not isinstance(recommended, dict) or not all(
        isinstance(options, dict) for options in recommended.values()
    ):
        raise CheckpointError(
            f"{path.name} recommends something else than options by method, as in "
            '{"drag": {"learning_rate": 0.02}}.'
        )
    return recommended


def compare(path: Path, shapes: Mapping[str, tuple[int, ...]], config: StyleGAN2Config) -> None:
    """Account for every tensor of a file, by name and shape."""
    with torch.device("meta"):  # no memory, however large
        generator = Generator(config)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    faults = []
    if missing := [name for name in expected if name not in shapes]:
        faults.append(f"missing: {listing(missing)}")
    if unknown := [name for name in shapes if name not in expected]:
        faults.append(f"unknown: {listing(unknown)}")
    both = [name for name in expected if name in shapes]
    if misshapen := [name for name in both if shapes[name] != expected[name]]:
        described = [f"{name} {shapes[name]} instead of {expected[name]}" for name in misshapen]
        faults.append(f"of another shape: {listing(described)}")
    if faults:
        raise CheckpointError(f"{path.name} does not fit its own config; {'; '.join(faults)}.")


def check_values(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Refuse weights not finite in float32, and resampling filters other than ours."""
    strange = [
        name
        for name, tensor in weights.items()
        if not tensor.is_floating_point() or not tensor.float().isfinite().all()
    ]
    if strange:
        raise CheckpointError(
            f"{path.name} holds values that are not finite in {listing(strange)}."
        )
    ours = binomial_filter()
    filters = {name: t for name, t in weights.items() if name.endswith("resample_filter")}
    if other := [name for name, tensor in filters.items() if not torch.equal(tensor.float(), ours)]:
        raise CheckpointError(
            f"{path.name} resamples with another filter than [1, 3, 3, 1] in {listing(other)}; "
            f"such generators are not supported."
        )


def listing(names: Iterable[str], most: int = 5) -> str:
    """Join names by commas, and count those beyond the first few."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
