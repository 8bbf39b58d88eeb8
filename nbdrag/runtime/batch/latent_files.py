"""Latents in files, read piece by piece: NumPy's .npy, and .safetensors, one file or several.

Both formats are a header and then the numbers, row after row. So a piece is read from its place
with one call, and nothing is mapped into memory: of a mapped file each page that was ever touched
would count as the program's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import prod
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.manifest import TransferError

LARGEST_HEADER = 100_000_000  # bytes, as safetensors has it
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bfloat16"}
METADATA_KEY = "nbdrag.latents"
NAMES = ("ws", "w", "latents")
"""What the latents may be called in a .safetensors that holds other tensors besides."""


Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Place(Struct):
    """What a .safetensors file's header says of a tensor."""

    dtype: str
    shape: tuple[Count, ...]
    data_offsets: tuple[Count, Count]


HEADER = msgspec.json.Decoder(dict[str, Any])


class Layout(NamedTuple):
    """Where a file's numbers are: from the byte `offset` on, of NumPy's type `dtype`.

    `generator_hash` names whose latents they are, if the file says so, as ours do.
    """

    path: Path
    offset: int
    dtype: str
    shape: tuple[int, ...]
    generator_hash: str | None = None


class LatentFile:
    """Rows of one file, or of several one after the other.

    Parameters
    ----------
    paths : sequence of path
        Of .npy or .safetensors files whose rows have one shape.

    Attributes
    ----------
    shape : tuple of int
        [N, num_ws, w_dim] or [N, w_dim].

    Raises
    ------
    TransferError
        If one of them holds no latents, or they don't go together.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self.layouts = [layout_of(path) for path in paths]
        first = self.layouts[0]
        for layout in self.layouts:
            if layout.shape[1:] != first.shape[1:]:
                raise TransferError(
                    f"latents in {layout.path} are {list(layout.shape[1:])}, but in "
                    f"{first.path.name} {list(first.shape[1:])}; they don't go together."
                )
        self.ends = list(accumulate(layout.shape[0] for layout in self.layouts))
        self.shape = (self.ends[-1], *first.shape[1:])

    def check(self, generator: Generator) -> None:
        """Raise TransferError if one of them says that its latents are another generator's."""
        for path, *_, whose in self.layouts:
            if whose not in (None, generator.content_hash):
                raise TransferError(
                    f"{path} holds latents of the generator {whose}; this one is "
                    f"{generator.content_hash}. Load that one."
                )

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        """Read some rows, as a slice without a step says."""
        start, stop, _ = rows.indices(len(self))
        stop = max(start, stop)
        pieces = [np.empty((0, *self.shape[1:]), np.float32)]
        for layout, end in zip(self.layouts, self.ends, strict=True):
            begin = end - layout.shape[0]
            if begin < stop and start < end:
                pieces.append(piece(layout, max(start, begin) - begin, min(stop, end) - begin))
        return np.concatenate(pieces)


def piece(layout: Layout, start: int, stop: int) -> NDArray[Any]:
    """Rows of one file, as float32."""
    kind = np.dtype("<u2" if layout.dtype == "bfloat16" else layout.dtype)
    width = prod(layout.shape[1:])
    flat = np.fromfile(
        layout.path,
        kind,
        count=(stop - start) * width,
        offset=layout.offset + start * width * kind.itemsize,
    )
    if layout.dtype == "bfloat16":  # the upper half of a float32
        flat = (flat.astype("<u4") << 16).view("<f4")
    return flat.astype(np.float32).reshape(-1, *layout.shape[1:])


def layout_of(path: Path) -> Layout:
    """Read a file's header, and believe it only where the file's size agrees."""
    readers = {".npy": npy_layout, ".safetensors": safetensors_layout}
    if path.suffix.lower() not in readers:
        raise TransferError(
            f"{path} is neither .npy nor .safetensors; latents are read from these. Pictures are "
            "given as the folder that they are in."
        )
    try:
        layout = readers[path.suffix.lower()](path)
    except OSError as error:
        raise TransferError(f"{path} can't be read: {error.strerror or error}.") from None
    if len(layout.shape) not in (2, 3) or min(layout.shape) < 1:
        raise TransferError(
            f"{path} holds an array of shape {list(layout.shape)}; expected latents, "
            "[N, num_ws, w_dim] or [N, w_dim]."
        )
    size = 2 if layout.dtype == "bfloat16" else np.dtype(layout.dtype).itemsize
    if path.stat().st_size < layout.offset + prod(layout.shape) * size:
        raise TransferError(f"{path} is shorter than its header says: a copy that was cut off?")
    return layout


def npy_layout(path: Path) -> Layout:
    """Of NumPy's format; arrays of objects, which would have to be executed, are refused."""
    form = np.lib.format
    with path.open("rb") as file:
        try:
            version = form.read_magic(file)
            read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
            shape, fortran, dtype = read(file)
        except ValueError as error:
            raise TransferError(f"{path} is no .npy file: {error}") from None
        offset = file.tell()
    if dtype.kind != "f" or (fortran and len(shape) > 1):
        order = "columns first" if fortran else "rows first"
        raise TransferError(
            f"{path} holds {dtype}, {order}; expected floats, rows first, as "
            "np.save(path, np.ascontiguousarray(ws)) writes them."
        )
    return Layout(path, offset, dtype.str, shape)


def safetensors_layout(path: Path) -> Layout:
    """Of the tensor "ws" of a .safetensors file, or of the only one in it."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        text = file.read(length) if length <= LARGEST_HEADER else b""
    try:
        tensors = HEADER.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TransferError(f"{path} is no .safetensors file.") from None
    whose = generator_in(tensors.pop("__metadata__", None))
    name = next((name for name in NAMES if name in tensors), None)
    if name is None and len(tensors) == 1:
        (name,) = tensors
    try:
        found = msgspec.convert(tensors.get(name or ""), Place)
    except msgspec.ValidationError:
        raise TransferError(
            f"{path} holds {', '.join(tensors) or 'nothing'}; the latents in it are to be called "
            "ws, and to be a tensor."
        ) from None
    if found.dtype not in TYPES:
        raise TransferError(f"{path} holds {found.dtype}; expected floats.")
    start = 8 + length + found.data_offsets[0]
    return Layout(path, start, TYPES[found.dtype], found.shape, whose)


class Facts(Struct):
    """What our files say of their latents in the metadata; the keys are for people."""

    generator_hash: str


def generator_in(metadata: object) -> str | None:
    """Whose latents they are, as a file's metadata say; None where they don't."""
    text = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        return None
    try:
        return msgspec.json.decode(text, type=Facts).generator_hash
    except msgspec.DecodeError:  # somebody else's
        return None
