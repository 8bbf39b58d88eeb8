"""Checking what a user hands to an edit, before anything is computed.

Each function returns a copy of its own, of the latent's dtype and on its device, or raises a
ValueError that names the argument, the value and the remedy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from nbdrag.editing.features import Size
from nbdrag.generators.stylegan2 import Generator

# Lists of tuples, numpy arrays and tensors alike.
Array: TypeAlias = "ArrayLike | Tensor"


def check_ws(generator: Generator, ws: Tensor, name: str = "ws") -> Tensor:
    """The latent of one picture, [num_ws, w_dim], finite, as the generator wants it."""
    expected = (generator.num_ws, generator.w_dim)
    if not isinstance(ws, Tensor):
        raise ValueError(f"{name} is a {type(ws).__name__}; expected a tensor {list(expected)}.")
    if ws.shape != expected:
        remedy = f" Take one picture of the batch: {name}[0]." if ws.shape[1:] == expected else ""
        raise ValueError(f"{name} has shape {list(ws.shape)}; expected {list(expected)}.{remedy}")
    like = generator.w_avg
    if ws.dtype != like.dtype or ws.device != like.device:
        raise ValueError(
            f"{name} is {ws.dtype} on {ws.device}, the generator {like.dtype} on {like.device}; "
            "convert one with .to()."
        )
    if not ws.isfinite().all():
        raise ValueError(f"{name} holds NaN or infinity; sample or load it anew.")
    return ws.detach().clone()


def check_points(name: str, points: Array, size: Size, like: Tensor) -> Tensor:
    """Points [P, 2] inside a picture of this size, at least one; `name` is the argument's."""
    height, width = size
    found = _read(name, points, "iuf", "pixel coordinates [[x, y], ...]")
    if found.numel() == 0:
        raise ValueError(f"{name} is empty; place at least one handle and its target.")
    if found.ndim != 2 or found.shape[1] != 2:
        raise ValueError(f"{name} has shape {list(found.shape)}; expected [P, 2]: [[x, y], ...].")
    for i, (x, y) in enumerate(found.tolist()):
        if not (0 <= x <= width and 0 <= y <= height):  # False for NaN, too
            raise ValueError(
                f"{name}[{i}] is ({x:g}, {y:g}), outside the picture; x must be a number from 0 to "
                f"{width}, and y one from 0 to {height}."
            )
    return found.to(like)


def check_pairs(handles: Array, targets: Array, size: Size, like: Tensor) -> tuple[Tensor, Tensor]:
    """Handles and targets [P, 2], as many of one as of the other."""
    checked_handles = check_points("handles", handles, size, like)
    checked_targets = check_points("targets", targets, size, like)
    if len(checked_handles) != len(checked_targets):
        raise ValueError(
            f"handles has {len(checked_handles)} points and targets {len(checked_targets)}; "
            "every handle needs one target."
        )
    return checked_handles, checked_targets


def check_mask(mask: Array, size: Size, like: Tensor) -> Tensor:
    """A mask [H, W] of the picture, True where it may move, as numbers 1 and 0."""
    found = _read("mask", mask, "b", "a bool array, True where the picture may move")
    if found.shape != size:
        raise ValueError(
            f"mask has shape {list(found.shape)}; expected that of the picture, {list(size)}."
        )
    if not found.any():
        raise ValueError(
            "mask is False everywhere, so nothing may move; set it to True where the picture may "
            "move, or leave it out."
        )
    return found.to(like)


def check_labels(
    name: str, labels: Array, size: Size, parts: Sequence[str], device: torch.device
) -> Tensor:
    """A part map [H, W] of the picture: whole numbers, each the place of a name among `parts`."""
    wanted = f"whole numbers from 0 to {len(parts) - 1}, one a pixel"
    found = _read(name, labels, "iu", wanted)
    if found.shape != size:
        remedy = " Take one map of the batch: {name}[0]." if found.shape[1:] == size else ""
        raise ValueError(
            f"{name} has shape {list(found.shape)}; expected that of the picture, {list(size)}."
            + remedy.format(name=name)
        )
    unknown = (found < 0) | (found >= len(parts))
    if unknown.any():
        row, column = unknown.nonzero()[0].tolist()
        raise ValueError(
            f"{name}[{row}, {column}] is {found[row, column]:g}, a part that is unknown; there are "
            f"0 ({parts[0]}) to {len(parts) - 1} ({parts[-1]})."
        )
    return found.to(device, torch.int64)


def _read(name: str, values: Array, kinds: str, wanted: str) -> Tensor:
    """Any array as a tensor, if its numpy kind is among `kinds`."""
    try:
        if isinstance(values, Tensor):
            values = values.detach().cpu()
            # bfloat16 is a tensor's own affair; numpy has no such type.
            values = values.double() if values.is_floating_point() else values
        array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} can't be read as an array ({error}); expected {wanted}."
        ) from None
    if array.size and array.dtype.kind not in kinds:
        raise ValueError(f"{name} holds {array.dtype} values; expected {wanted}.")
    return torch.from_numpy(array.astype(bool if kinds == "b" else np.float64))
