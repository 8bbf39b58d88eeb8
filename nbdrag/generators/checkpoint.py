"""Generators in files: reading one of any known kind, and writing our own.

Reading trusts nothing. What kind of file it is shows in its content, not in its name; the
construction is checked first, and only when every name and shape in the file agrees with it is
memory taken. So a damaged or absurd file costs a message, not a kernel; and whatever code a file
may carry, none of it runs (see `nbdrag.generators.formats`).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path

import torch
from safetensors.torch import save

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import Checkpoint, read_checkpoint
from nbdrag.generators.layers import binomial_filter
from nbdrag.generators.saved import config_json, is_saved, read_saved
from nbdrag.generators.stylegan2 import Generator

__all__ = ["CheckpointError", "read_generator", "save_generator"]


def read_generator(path: str | PathLike[str]) -> Generator:
    """Read a generator from a file, in float32, frozen, on the CPU.

    Parameters
    ----------
    path : path-like
        A file that `save_generator` wrote, or one of the kinds that
        `nbdrag.generators.formats` lists, under any name.

    Returns
    -------
    Generator
        In evaluation mode, its parameters requiring no gradients.

    Raises
    ------
    CheckpointError
        If there is no such file, it is damaged or of another kind, or tensors are missing, unknown,
        of another shape, or of a type that weights can't have.

    Warns
    -----
    UserWarning
        If weights are not finite, or something had to be filled in.
    """
    path = Path(path)
    return build(path, read_contents(path))


def read_contents(path: Path) -> Checkpoint:
    """Read what a file holds of a generator, and check that it is all there. See `read_generator`.

    Weights still have the type that they were stored in.
    """
    if path.is_dir():
        raise CheckpointError(f"{str(path)!r} is a folder; name the file in it.")
    if not path.is_file():
        raise CheckpointError(f"there is no file {str(path)!r}.")
    found = read_saved(path) if is_saved(path) else read_checkpoint(path)
    account_for(path, found)
    check_values(path, found)
    for note in found.notes:
        warnings.warn(f"{path.name}: {note}", stacklevel=3)
    return found


def build(path: Path, found: Checkpoint) -> Generator:
    """Make the generator whose weights have been read from `path`."""
    generator = Generator(found.config)
    generator.load_state_dict(found.weights)
    generator.source = path.name
    generator.recommended = {method: dict(wish) for method, wish in found.recommended.items()}
    return generator.eval().requires_grad_(False)


def save_generator(
    generator: Generator,
    path: str | PathLike[str],
    metadata: Mapping[str, str] | None = None,
    *,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a generator as .safetensors.

    The file is complete or not there: it is written beside its place and then moved.

    Parameters
    ----------
    generator : Generator
    path : path-like
        Ends in ``.safetensors``. An existing file is replaced.
    metadata : mapping of str to str, optional
        What else to keep in the file's metadata; "config" and "recommended" are taken.
    dtype : torch.dtype
        Of the weights in the file. Half precision changes pictures by less than a level of their
        256; with float32 they are identical.

    Raises
    ------
    ValueError
        If the name ends otherwise, a taken name is among the metadata, or a weight is not finite
        in that type.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    own = {
        "config": config_json(generator.config),
        "recommended": json.dumps(generator.recommended),
    }
    if taken := own.keys() & (metadata or {}).keys():
        raise ValueError(f'metadata contains "{min(taken)}", which the generator itself fills in.')
    state = generator.state_dict()
    tensors = {name: t.detach().to("cpu", dtype).contiguous() for name, t in state.items()}
    lost = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if lost:
        raise ValueError(f"weights not finite in {dtype}: {listing(lost)}.")
    unfinished = path.with_name(path.name + ".part")
    try:
        unfinished.write_bytes(save(tensors, {**(metadata or {}), **own}))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------ the pieces


def account_for(path: Path, found: Checkpoint) -> None:
    """Compare every tensor of a file with the construction, by name and shape."""
    with torch.device("meta"):  # no memory, however large
        generator = Generator(found.config)
    expected = {name: tuple(tensor.shape) for name, tensor in generator.state_dict().items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in found.weights.items()}
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
        raise CheckpointError(
            f"{path.name} ({found.kind}) does not hold the weights of the generator that it "
            f"describes; {'; '.join(faults)}."
        )


def check_values(path: Path, found: Checkpoint) -> None:
    """Refuse what is no weight and filters other than ours; warn of what is not finite."""
    if strange := [n for n, tensor in found.weights.items() if not tensor.is_floating_point()]:
        raise CheckpointError(
            f"{path.name} holds whole numbers where weights should be, in {listing(strange)}."
        )
    ours = binomial_filter()
    filters = {name: t for name, t in found.weights.items() if name.endswith("resample_filter")}
    if other := [name for name, t in filters.items() if not torch.allclose(t.float(), ours)]:
        raise CheckpointError(
            f"{path.name} resamples with another filter than [1, 3, 3, 1] in {listing(other)}; "
            f"such generators are not supported."
        )
    damaged = [n for n, tensor in found.weights.items() if not tensor.float().isfinite().all()]
    if damaged:
        warnings.warn(
            f"{path.name} holds values that are not finite in float32, in {listing(damaged)}: its "
            f"training may have failed, and pictures may be black or missing.",
            stacklevel=4,
        )


def listing(names: Iterable[str], most: int = 5) -> str:
    """Join names by commas, and count those beyond the first few."""
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
