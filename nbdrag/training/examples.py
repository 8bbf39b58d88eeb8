"""Labelled examples: a folder of pictures or latents, each with a map of its parts.

    parts.json           {"skin": "#f0bfa2", "hair": "#7a5030", ...}: the parts, in label order
    anna.png             a picture, as large as the generator's; or
    anna.npy             its latent: one w, [w_dim], or a row for every layer, [num_ws, w_dim]; or
    anna.safetensors     the same, as a tensor "ws"
    anna.labels.png      its part map, as large: greyscale, or with a palette. A pixel's value is
                         its part's place in parts.json, or 255 where nobody knows
    ben.npy, ...

Pictures have to be embedded in the generator's latent space, which takes a while; latents don't.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from nbdrag.generators.parts import Part, check_parts
from nbdrag.generators.stylegan2 import Generator

PARTS_FILE, LABELS = "parts.json", ".labels.png"
UNKNOWN = 255  # a label that stands for none
LATENTS, PICTURES = (".npy", ".safetensors"), (".png", ".jpg", ".jpeg", ".webp")


class Examples(NamedTuple):
    """What a segmenter learns from.

    ws : [n, num_ws, w_dim]
    labels : [n, height, width] uint8; indices of parts, or `UNKNOWN`
    parts : what the labels stand for
    """

    ws: Tensor
    labels: Tensor
    parts: tuple[Part, ...]


def read_examples(
    folder: Path, generator: Generator, embed: Callable[[Tensor], Tensor]
) -> Examples:
    """Read all examples in a folder, in the order of their names.

    Everything is checked before the first picture is embedded.

    Parameters
    ----------
    folder : path
    generator : Generator
        The one that the latents belong to.
    embed : callable
        Finds the latent [num_ws, w_dim] of a picture [3, height, width] in [-1, 1].

    Raises
    ------
    ValueError
        If there are no examples, or one has a part missing, of another size, or that isn't what its
        name says; the message names the file.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {str(folder)!r}.")
    parts = read_parts(folder / PARTS_FILE)
    maps = sorted(folder.glob("*" + LABELS))
    if not maps:
        raise ValueError(
            f"{folder} holds no part maps; they are called like the picture or latent that they "
            f"belong to, but end in {LABELS}: anna.npy, anna{LABELS}."
        )
    size = generator.height, generator.width
    labels = [read_labels(path, size, parts) for path in maps]
    sources = [source_of(path) for path in maps]
    found = [
        read_latent(path, generator) if path.suffix in LATENTS else read_picture(path, size)
        for path in sources
    ]
    ws = [x if path.suffix in LATENTS else embed(x) for path, x in zip(sources, found, strict=True)]
    return Examples(torch.stack(ws), torch.stack(labels), parts)


def write_examples(folder: Path, examples: Examples, names: Sequence[str]) -> None:
    """Write examples with their latents, as `read_examples` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = {part.name: part.colour for part in examples.parts}
    (folder / PARTS_FILE).write_text(json.dumps(colours, indent=2) + "\n")
    palette = b"".join(bytes.fromhex(part.colour[1:]) for part in examples.parts)
    palette = palette.ljust(3 * 256, b"\x80")  # whole, or `UNKNOWN` wouldn't fit
    for name, ws, labels in zip(names, examples.ws, examples.labels, strict=True):
        np.save(folder / f"{name}.npy", ws.numpy(), allow_pickle=False)
        picture = Image.fromarray(labels.numpy())
        picture.putpalette(palette)  # anyone can look at it; the values stay what they are
        picture.save(folder / (name + LABELS))


def read_parts(path: Path) -> tuple[Part, ...]:
    """Read the names and colours of parts."""
    if not path.is_file():
        raise ValueError(
            f"{path.parent} holds no {PARTS_FILE}; it names the parts, in the order of their "
            'labels, with their colours: {"background": "#e6e6eb", "skin": "#f0bfa2"}.'
        )
    try:
        found = json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=list)
        # Pairs rather than a dict: there a part that stands twice would be lost.
        return check_parts([Part(*pair) for pair in found])
    except (ValueError, TypeError, RecursionError) as error:
        raise ValueError(
            f'{path} names no parts ({error}); expected {{"background": "#e6e6eb", ...}}.'
        ) from None


def read_labels(path: Path, size: tuple[int, int], parts: Sequence[Part]) -> Tensor:
    """Read a part map, [height, width] uint8."""
    picture = open_picture(path)
    if picture.mode not in ("L", "P"):
        raise ValueError(
            f"{path} is a picture of mode {picture.mode}; expected greyscale of 8 bits or a "
            "palette, where a pixel's value is its label."
        )
    check_size(path, picture, size)
    labels = torch.from_numpy(np.array(picture, dtype=np.uint8))
    strange = labels[(labels >= len(parts)) & (labels != UNKNOWN)]
    if len(strange):
        raise ValueError(
            f"{path} holds the label {int(strange[0])}; there are {len(parts)} parts, labelled 0 "
            f"to {len(parts) - 1}, and {UNKNOWN} stands for unknown."
        )
    if (labels == UNKNOWN).all():
        raise ValueError(f"{path} labels no pixel; all are {UNKNOWN}, unknown.")
    return labels


def source_of(labels: Path) -> Path:
    """The latent or picture that a part map belongs to; the latent, if there are both."""
    name = labels.name.removesuffix(LABELS)
    candidates = [labels.with_name(name + suffix) for suffix in (*LATENTS, *PICTURES)]
    for path in candidates:
        if path.is_file():
            return path
    raise ValueError(
        f"{labels} has nothing to belong to; expected one of "
        f"{', '.join(path.name for path in candidates)} beside it."
    )


def read_latent(path: Path, generator: Generator) -> Tensor:
    """Read a latent, [num_ws, w_dim]."""
    try:
        if path.suffix == ".npy":
            ws = torch.from_numpy(np.load(path, allow_pickle=False)).float()
        else:
            tensors = load_file(path)
            ws = tensors["ws"].float()
    except (OSError, ValueError, TypeError, EOFError, SafetensorError) as error:
        raise ValueError(f"{path} can't be read as an array: {error}") from None
    except KeyError:
        raise ValueError(f'{path} holds no tensor "ws", but {sorted(tensors)}.') from None
    wanted = (generator.num_ws, generator.w_dim)
    if ws.shape == wanted[1:]:
        ws = ws.expand(wanted)
    if ws.shape == (1, *wanted):
        ws = ws[0]
    if ws.shape != wanted or not ws.isfinite().all():
        raise ValueError(
            f"{path} holds an array of shape {list(ws.shape)}"
            f"{'' if ws.shape != wanted else ' with NaN or infinity'}; expected a latent of this "
            f"generator, {list(wanted)} or [{wanted[1]}], of finite numbers."
        )
    return ws.to(generator.w_avg)


def read_picture(path: Path, size: tuple[int, int]) -> Tensor:
    """Read a picture, [3, height, width] in [-1, 1]."""
    picture = open_picture(path)
    check_size(path, picture, size)
    pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1)
    return pixels.float() / 127.5 - 1


def open_picture(path: Path) -> Image.Image:
    """Open a picture and decode it."""
    try:
        with path.open("rb") as file:
            picture = Image.open(file)
            picture.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        kind = "no picture" if isinstance(error, UnidentifiedImageError) else "damaged"
        raise ValueError(f"{path} is {kind}: {error}") from None
    return picture


def check_size(path: Path, picture: Image.Image, size: tuple[int, int]) -> None:
    """Refuse a picture of another size than the generator's."""
    height, width = size
    if picture.size != (width, height):
        raise ValueError(
            f"{path} is {picture.width} x {picture.height} pixels; the generator's pictures are "
            f"{width} x {height}. Resize it first; part maps without blending labels (nearest)."
        )
