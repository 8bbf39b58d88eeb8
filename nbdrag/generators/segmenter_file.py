"""Segmenters in files: .safetensors in half precision, with the construction as metadata.

Such a file is its own: it goes beside a generator's, and belongs to it by the generator's hash.
Nothing in it is executed, and nothing is believed before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.parts import Part
from nbdrag.generators.segmenter import Segmenter

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import Generator


def save_segmenter(
    segmenter: Segmenter, path: str | PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write a segmenter as .safetensors, in half precision.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    segmenter : Segmenter
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep in the file's metadata, such as how it was trained; "segmenter" is taken.

    Raises
    ------
    ValueError
        If the name ends otherwise, "segmenter" is among the metadata, or a weight isn't finite in
        half precision.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    if "segmenter" in (metadata or {}):
        raise ValueError('metadata contains "segmenter", which the segmenter itself fills in.')
    tensors = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in segmenter.state_dict().items()
    }
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ValueError(f"weights not finite in half precision: {', '.join(lost)}.")
    construction = {
        "parts": segmenter.parts,
        "hidden": segmenter.hidden,
        "members": segmenter.members,
        "generator_hash": segmenter.generator_hash,
    }
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(
            save(tensors, {**(metadata or {}), "segmenter": json.dumps(construction)})
        )
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_segmenter(
    path: str | PathLike[str], generator: Generator | None = None, *, force: bool = False
) -> Segmenter:
    """Read a segmenter from a file, in float32, frozen, on the CPU.

    Parameters
    ----------
    path : path-like
        A file that `save_segmenter` wrote.
    generator : Generator, optional
        The one that it is for. Give it the segmenter yourself:
        ``generator.segmenter = load_segmenter(path, generator)``.
    force : bool
        Whether a segmenter of another generator will do. One that was trained on from the same
        weights often shares enough of its features.

    Returns
    -------
    Segmenter

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is no such file, it is damaged or holds no segmenter, or the
        segmenter is that of another generator, and not `force`; or doesn't fit it at all.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}.")
    try:
        with safe_open(path, framework="pt") as file:
            construction = (file.metadata() or {}).get("segmenter")
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); fetch it anew.") from None
    if construction is None:
        raise CheckpointError(
            f'{path.name} holds no segmenter: there is no "segmenter" in its metadata.'
        )
    segmenter = construct(path, construction, weights)
    if generator is not None:
        check_generator(path, segmenter, generator, force)
    return segmenter


def construct(path: Path, construction: str, weights: Mapping[str, Tensor]) -> Segmenter:
    """Make the segmenter that a file describes, once all in it agrees."""
    try:
        found: Any = json.loads(construction)
        channels = {
            int(name.removeprefix("first.")): int(tensor.shape[1])
            for name, tensor in weights.items()
            if name.startswith("first.")
        }
        with torch.device("meta"):  # no memory, however large
            segmenter = Segmenter(
                channels,
                [Part(*part) for part in found["parts"]],
                hidden=tuple(found["hidden"]),
                members=found["members"],
                generator_hash=str(found["generator_hash"]),
            )
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise CheckpointError(f"{path.name} describes no segmenter: {error}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in segmenter.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != shapes:
        wrong = sorted(name for name in expected | shapes if expected.get(name) != shapes.get(name))
        raise CheckpointError(
            f"{path.name} doesn't hold the weights of the segmenter that it describes; missing, "
            f"unknown or of another shape: {', '.join(wrong[:5])}."
        )
    values = {name: tensor.float() for name, tensor in weights.items()}
    if wrong := [name for name, tensor in values.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"{path.name} holds values that are not finite, in {wrong[0]}.")
    segmenter.load_state_dict(values, assign=True)
    return segmenter.eval().requires_grad_(False)


def check_generator(path: Path, segmenter: Segmenter, generator: Generator, force: bool) -> None:
    """Refuse the segmenter of another generator."""
    config = generator.config
    channels = {r: config.channels(r) for r in config.block_resolutions}
    theirs = {r: segmenter.first[str(r)].shape[1] for r in segmenter.resolutions}
    if channels != theirs:
        raise CheckpointError(
            f"{path.name} is for a generator with the channels {theirs}, by block; this one has "
            f"{channels}."
        )
    if not force and segmenter.generator_hash != (own := generator.content_hash):
        raise CheckpointError(
            f"{path.name} was trained for the generator {segmenter.generator_hash or 'of nobody'}; "
            f"this one is {own}. Train one for it (python -m nbdrag.training.segmenter), or try "
            "this with force=True."
        )
