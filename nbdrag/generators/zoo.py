"""Generators by name."""

from __future__ import annotations

from os import PathLike, fspath
from pathlib import Path

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.stylegan2 import Generator

ASSETS = Path(__file__).parent.parent / "assets"
PACKAGED = ("toonfaces-128",)  # one .safetensors each


def list_generators() -> list[str]:
    """Names that `load_generator` knows."""
    return list(PACKAGED)


def load_generator(name_or_path: str | PathLike[str] = "toonfaces-128") -> Generator:
    """Load a generator, by name or from a file.

    Parameters
    ----------
    name_or_path : str or path-like
        One of `list_generators`, or a .safetensors file written by `save_generator`.

    Returns
    -------
    Generator
        A new one at every call: float32, frozen, in evaluation mode, on the CPU.

    Raises
    ------
    ValueError
        If it is neither a known name nor a file.
    CheckpointError
        If the file holds no generator.
    """
    name = fspath(name_or_path)
    if name in PACKAGED:
        return read_generator(ASSETS / f"{name}.safetensors")
    if name.endswith(".safetensors") or Path(name).is_file():
        return read_generator(name)
    raise ValueError(
        f"there is no generator {name!r}. Known names: {', '.join(PACKAGED)}; or give the path of "
        f"a .safetensors file."
    )
