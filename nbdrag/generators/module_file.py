"""Small networks in files: .safetensors in half precision, with the construction as metadata.

So is kept what goes beside a generator: its segmenter, and networks that edit its latents. Such a
file is its own, and belongs to a generator by the hash that the construction holds. Nothing in it
is executed, and nothing is believed before it is checked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from nbdrag.generators.errors import CheckpointError

Network = TypeVar("Network", bound=nn.Module)


def write_module(
    module: nn.Module,
    path: str | PathLike[str],
    *,
    key: str,
    what: str,
    construction: Mapping[str, object],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write a network. The file is complete or not there: it is moved to its place at the end.

    Parameters
    ----------
    module : Module
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    key : str
        Of the metadata, where the construction goes.
    what : str
        The network is called that in errors.
    construction : mapping
        What is needed to make the network anew, but for the weights; it goes into JSON.
    metadata : mapping of str to str, optional
        What else to keep, such as how it was trained.

    Raises
    ------
    ValueError
        If the name ends otherwise, `key` is among the metadata, or a weight isn't finite in half
        precision.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    if key in (metadata or {}):
        raise ValueError(f'metadata contains "{key}", which the {what} itself fills in.')
    tensors = {
        name: tensor.detach().to("cpu", torch.float16).contiguous()
        for name, tensor in module.state_dict().items()
    }
    if lost := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ValueError(f"weights not finite in half precision: {', '.join(lost)}.")
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(save(tensors, {**(metadata or {}), key: json.dumps(construction)}))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def read_module(path: Path, *, key: str, what: str) -> tuple[str, dict[str, Tensor]]:
    """Read the construction, as JSON, and the weights by name, as they are in the file.

    Raises
    ------
    CheckpointError
        A `ValueError`. If there is no such file, it is damaged, or it holds something else.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}.")
    try:
        with safe_open(path, framework="pt") as file:
            construction = (file.metadata() or {}).get(key)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path.name} is damaged ({error}); fetch it anew.") from None
    if construction is None:
        raise CheckpointError(f'{path.name} holds no {what}: there is no "{key}" in its metadata.')
    return construction, weights


def filled(module: Network, weights: Mapping[str, Tensor], path: Path, *, what: str) -> Network:
    """A network, made on the device "meta", with its weights: in float32, frozen, on the CPU.

    Raises
    ------
    CheckpointError
        A `ValueError`. If weights are missing, unknown, of another shape, or not finite.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != shapes:
        wrong = sorted(name for name in expected | shapes if expected.get(name) != shapes.get(name))
        raise CheckpointError(
            f"{path.name} doesn't hold the weights of the {what} that it describes; missing, "
            f"unknown or of another shape: {', '.join(wrong[:5])}."
        )
    values = {name: tensor.float() for name, tensor in weights.items()}
    if wrong := [name for name, tensor in values.items() if not tensor.isfinite().all()]:
        raise CheckpointError(f"{path.name} holds values that are not finite, in {wrong[0]}.")
    module.load_state_dict(values, assign=True)
    return module.eval().requires_grad_(False)
