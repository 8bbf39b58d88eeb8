"""Editing vectors as files: one .safetensors each.

It holds the tensor "delta", perhaps a "preview" (the bytes of a WebP), and everything else as JSON
in the metadata under "nbdrag.vector". One that knows where it leads, an `EditDirection`, has the
tensors "normal" and "example", too. Such a file may come from anywhere. Nothing in it is executed,
and nothing is believed before it is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import torch
from msgspec import Meta, Struct
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

METADATA_KEY = "nbdrag.vector"
LARGEST_PREVIEW = (1 << 20, 4096)  # bytes; pixels wide or high

Text = Annotated[str, Meta(max_length=1000)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]  # not NaN
Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Fact = str | int | float | bool | None


class VectorError(ValueError):
    """A file is no editing vector, or it belongs elsewhere; the message says why."""


class Facts(Struct, forbid_unknown_fields=True):
    """What a file says of its vector; see `EditVector`. `nbdrag` is the version that wrote it."""

    version: Annotated[int, Meta(ge=1, le=1)]
    name: Text
    generator_hash: Text
    generator: Text
    classes: Annotated[list[Text], Meta(max_length=1000)]
    scale_range: tuple[Number, Number]
    nbdrag: Text
    learnt: Annotated[dict[Text, bool | Whole | Number | Text | None], Meta(max_length=100)]


class Content(NamedTuple):
    """What a file holds; `normal` and `example` for a direction only."""

    facts: Facts
    delta: Tensor
    preview: bytes
    normal: Tensor | None = None
    example: Tensor | None = None


def write_vector(path: Path, content: Content) -> None:
    """Write a file. It is complete or not there.

    Raises
    ------
    ValueError
        If the name doesn't end in .safetensors, or the content couldn't be read again.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
    tensors = {"delta": content.delta.contiguous()}
    if content.normal is not None and content.example is not None:
        tensors["normal"] = content.normal.contiguous()
        tensors["example"] = content.example.contiguous()
    if content.preview:
        tensors["preview"] = torch.frombuffer(bytearray(content.preview), dtype=torch.uint8)
    text = msgspec.json.encode(content.facts).decode()
    try:
        checked(text, tensors)
    except ValueError as error:
        name = content.facts.name
        raise ValueError(f"the vector {name[:100]!r} can't be saved: {error}") from None
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(save(tensors, {METADATA_KEY: text}))
    unfinished.replace(path)


def read_vector(path: Path) -> Content:
    """Read a file.

    Raises
    ------
    VectorError
        If there is none, or it is damaged, or holds something else.
    """
    if not path.is_file():
        raise VectorError(f"there is no file {str(path)!r}.")
    try:
        with safe_open(path, framework="pt") as file:
            text = (file.metadata() or {}).get(METADATA_KEY)
            if text is None:
                raise VectorError(
                    f'{path.name} is no editing vector: its metadata have no "{METADATA_KEY}".'
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise VectorError(f"{path.name} is damaged, or no .safetensors file ({error}).") from None
    try:
        return checked(text, tensors)
    except ValueError as error:
        raise VectorError(f"{path.name} is no vector to be used: {error}") from None


def checked(text: str, tensors: Mapping[str, Tensor]) -> Content:
    """The content of a file. Raises ValueError, of which msgspec's errors are some."""
    facts = msgspec.json.decode(text, type=Facts)
    if set(tensors) - {"preview"} not in ({"delta"}, {"delta", "normal", "example"}):
        raise ValueError(
            f'its tensors are {sorted(tensors)[:5]}; expected "delta" and "preview", and in a '
            'direction "normal" and "example".'
        )
    preview = checked_preview(tensors["preview"]) if "preview" in tensors else b""
    return Content(facts, tensors["delta"], preview, tensors.get("normal"), tensors.get("example"))


def checked_preview(content: Tensor) -> bytes:
    """The bytes of a small WebP; only its head is read here."""
    most, widest = LARGEST_PREVIEW
    if content.dtype != torch.uint8 or content.ndim != 1 or not 0 < len(content) <= most:
        raise ValueError(
            f"preview is {content.dtype} {list(content.shape)}; expected the bytes of a WebP, at "
            f"most {most}."
        )
    preview = content.numpy().tobytes()
    try:
        with Image.open(BytesIO(preview), formats=["WEBP"]) as picture:
            size = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ValueError("preview is no WebP.") from None
    if max(size) > widest:
        raise ValueError(f"preview has {size[0]} x {size[1]} pixels, more than {widest}.")
    return preview
