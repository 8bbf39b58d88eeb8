"""Our own files: one .safetensors holds the weights, and the construction in its metadata.

The metadata carries the construction as JSON under "config", options that suit the weights under
"recommended", for a converted file "origin", and whatever else the writer wants remembered (how it
was trained, say).

.safetensors files contain no code; reading one runs none. Without a "config", it may still be the
state dict of another project's generator, and is read as such.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import Checkpoint, reader_of, recognise
from nbdrag.generators.formats.contents import contents


def is_saved(path: Path) -> bool:
    """Tell whether a file begins as .safetensors do: with the length of a JSON object, and it."""
    with path.open("rb") as file:
        start = file.read(9)
    return start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size


def read_saved(path: Path) -> Checkpoint:
    """Read a .safetensors file.

    Raises
    ------
    CheckpointError
        If it is damaged, or its metadata are not those of a generator.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "config" not in metadata:
                return read_unlabelled(path, file)
            config = parse_config(path, metadata)
            recommended = parse_recommended(path, metadata)
            origin = parse_origin(path, metadata)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); fetch it anew.") from None
    return Checkpoint(
        config, weights, "nbdrag .safetensors", recommended=recommended, origin=origin
    )


def read_unlabelled(path: Path, file: Any) -> Checkpoint:
    """Read a state dict with the names of another project; or say what else is in the file.

    That shows in the names, so that no large file is read for nothing.
    """
    names = list(file.keys())
    shapes = {n: torch.empty(file.get_slice(n).get_shape(), device="meta") for n in names}
    try:
        reader_of(contents(shapes))
        return recognise({name: file.get_tensor(name) for name in names})
    except CheckpointError as error:
        message = str(error)
    raise CheckpointError(f'{path.name}: {message} Ours have a "config" in their metadata.')


def config_json(config: StyleGAN2Config) -> str:
    """Give a construction as JSON, always in the same order."""
    return json.dumps(asdict(config))


def parse_config(path: Path, metadata: Mapping[str, str]) -> StyleGAN2Config:
    """Read the construction from a file's metadata."""
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


def parse_origin(path: Path, metadata: Mapping[str, str]) -> dict[str, str]:
    """Read what a converted file says of the one that it was made from."""
    try:
        origin = json.loads(metadata.get("origin", "{}"))
    except (ValueError, RecursionError):
        origin = None
    if not isinstance(origin, dict) or not all(isinstance(v, str) for v in origin.values()):
        raise CheckpointError(f'{path.name}: "origin" in its metadata must be JSON: names, texts.')
    return origin
