"""What there is to say of a file with a generator, for `nbdrag info`; and its conversion."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch

from nbdrag.generators.checkpoint import build, read_contents, save_generator
from nbdrag.generators.formats import Checkpoint
from nbdrag.generators.stylegan2 import Generator

PIECE = 1 << 20  # bytes


def read_card(path: Path) -> tuple[Generator, dict[str, str]]:
    """Read a file, and tell about it: a name and a text for every fact, in order.

    Raises
    ------
    CheckpointError
        As `nbdrag.generators.checkpoint.read_generator` does.
    """
    found = read_contents(path)
    generator = build(path, found)
    return generator, {**about_file(path, found), **about_generator(generator)}


def convert(path: Path, out: Path) -> None:
    """Write the generator in a file as .safetensors, with the very same weights.

    The new file remembers the name, the kind and the SHA-256 of the old one, or, if that was
    converted itself, those of the first.

    Raises
    ------
    CheckpointError
        If the file cannot be read.
    ValueError
        If `out` doesn't end in .safetensors, or is the file itself.
    OSError
        If it cannot be written; nothing is, then.
    """
    if out.suffix != ".safetensors":
        raise ValueError(
            f"the converted file is to be {str(out)!r}; its name must end in .safetensors"
        )
    if out.exists() and out.samefile(path):
        raise ValueError(f"{str(out)!r} would replace the file that is converted; name another")
    found = read_contents(path)
    origin = found.origin or {"file": path.name, "kind": found.kind, "sha256": sha256(path)}
    metadata = {"origin": json.dumps(dict(origin))}
    save_generator(build(path, found), out, metadata, dtype=torch.float32)


def about_file(path: Path, found: Checkpoint) -> dict[str, str]:
    """What the file is, and what it was made from."""
    facts = {
        "file": str(path),
        "kind": found.kind,
        "size": f"{path.stat().st_size / 1e6:.3g} MB",
        "SHA-256": sha256(path),
    }
    if found.origin:
        origin = found.origin
        facts["converted from"] = f"{origin.get('file', '?')} ({origin.get('kind', '?')})"
        facts["its SHA-256"] = origin.get("sha256", "?")
    return facts


def about_generator(generator: Generator) -> dict[str, str]:
    """What the generator makes, and how it is built."""
    config = generator.config
    blocks = config.block_resolutions
    facts = {
        "picture": f"{generator.width} x {generator.height} pixels",
        "classes": str(config.num_labels) if config.num_labels else "none",
        "latents": f"z of {config.z_dim}; ws: {config.num_ws} rows of {config.w_dim}",
        "mapping": f"{config.mapping_layers} layers",
        "synthesis": f"{config.num_ws - 1} convolutions, {config.architecture!r}",
        "channels": ", ".join(f"{config.channels(r)} at {r}" for r in blocks),
        "clamp": "none" if config.conv_clamp is None else f"{config.conv_clamp:g}",
        "parameters": f"{sum(p.numel() for p in generator.parameters()) / 1e6:.3g} million",
        "content hash": generator.content_hash,
    }
    for method, options in generator.recommended.items():
        wishes = ", ".join(f"{name} {value}" for name, value in options.items())
        facts[f"recommended, {method}"] = wishes
    return facts


def sha256(path: Path) -> str:
    """Hash a file, however large."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
