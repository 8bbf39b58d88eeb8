"""Where edited pictures go: a folder, shards for training, an array, or their latents alone.

A sink is a folder, too, whatever it holds. A transfer hands it one shard after the other, and a
shard's files appear whole or not at all: each is written under another name and renamed when it is
complete. So a reader may look at any time, and what a killed run leaves behind is never taken for
a picture.

==================  ================================  ==========================================
`PictureFolder`     ``<key>.png``                     to look at; up to some hundred thousand
`Shards`            ``shard-000000.tar``, ...         to train on: WebDataset's format
`Zarr`              ``pictures.zarr``                 to index as one array
`LatentShards`      ``latents-000000.safetensors``    no pictures: thousands of items a second
==================  ================================  ==========================================
"""

from __future__ import annotations

import io
import json
import math
import os
import tarfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import save

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.latent_files import METADATA_KEY
from nbdrag.runtime.batch.manifest import PARTIAL, Fact, TransferError
from nbdrag.runtime.batch.png import fast_png
from nbdrag.runtime.pictures import webp

ENCODINGS = ("png", "webp")
GROUP = "pictures.zarr"
CHUNK_BYTES = 16_000_000  # of pictures in one chunk of an array


class Edited(NamedTuple):
    """An item as it goes into a sink.

    Attributes
    ----------
    number : int
        Which item of the source; the first is 0.
    key : str
        Its name.
    ws : array, shape [num_ws, w_dim]
        The edited latent.
    strength : float
        How much of the edit it got.
    pixels : uint8 array, shape [H, W, 3], or None
        The picture, if the sink wants pictures.
    """

    number: int
    key: str
    ws: NDArray[np.float32]
    strength: float
    pixels: NDArray[np.uint8] | None


Add: TypeAlias = Callable[[Any], None]
"""Puts the next item into a shard that is being written, as `Sink.prepare` gave it."""


class Sink(ABC):
    """A place for edited pictures.

    Parameters
    ----------
    folder : path-like
        Where it is; one that isn't there yet is made.

    Attributes
    ----------
    wants_pictures : bool
        Whether anything but latents and strengths is of use to it.
    """

    wants_pictures = True

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()

    @property
    @abstractmethod
    def facts(self) -> dict[str, Fact]:
        """What is written, for a manifest."""

    def shard_size(self, generator: Generator) -> int:
        """How many items a shard has, unless somebody says."""
        return 1000

    def begin(  # noqa: B027
        self, generator: Generator, length: int | None, shard_size: int
    ) -> None:
        """Make ready for so many items, in a folder that is there; also where some are done."""

    def prepare(self, item: Edited) -> Any:
        """Do for an item what takes time. Called on several threads at once."""
        return item

    @abstractmethod
    def shard(self, number: int, start: int, stop: int) -> AbstractContextManager[Add]:
        """Begin a shard; it is there once the block ends, unless an error ends it."""


class PictureFolder(Sink):
    """A picture file for each item.

    Parameters
    ----------
    folder : path-like
    encoding : {"png", "webp"}
        Both without loss; WebP is the smaller, PNG the faster.
    """

    def __init__(self, folder: str | Path, *, encoding: str = "png") -> None:
        super().__init__(folder)
        self.encoding = checked_encoding(encoding)

    @property
    def facts(self) -> dict[str, Fact]:
        """Its kind and encoding."""
        return {"kind": "folder", "encoding": self.encoding}

    def shard_size(self, generator: Generator) -> int:
        """Few: nothing but a line in the manifest is gained by more."""
        return 64

    def prepare(self, item: Edited) -> None:
        """Encode a picture and write it."""
        name = f"{item.key}.{self.encoding}"
        if "/" in name:
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder, name) as file:
            file.write(encoded(item, self.encoding))

    @contextmanager
    def shard(self, number: int, start: int, stop: int) -> Iterator[Add]:
        """Nothing is left to be done."""
        yield lambda prepared: None


class Shards(Sink):
    """Tar files of pictures, each with its strength and number as JSON: a WebDataset.

    Parameters
    ----------
    folder : path-like
    encoding : {"png", "webp"}
    """

    def __init__(self, folder: str | Path, *, encoding: str = "png") -> None:
        super().__init__(folder)
        self.encoding = checked_encoding(encoding)

    @property
    def facts(self) -> dict[str, Fact]:
        """Its kind and encoding."""
        return {"kind": "shards", "encoding": self.encoding}

    def prepare(self, item: Edited) -> dict[str, bytes]:
        """Give the files of an item, by name."""
        facts = {"index": item.number, "key": item.key, "strength": round(item.strength, 6)}
        return {
            f"{item.key}.{self.encoding}": encoded(item, self.encoding),
            f"{item.key}.json": json.dumps(facts).encode(),
        }

    @contextmanager
    def shard(self, number: int, start: int, stop: int) -> Iterator[Add]:
        """One tar: the same bytes every time, since it knows no dates and no owner."""
        with (
            whole_file(self.folder, f"shard-{number:06d}.tar", synced=True) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar,
        ):

            def add(files: dict[str, bytes]) -> None:
                for name, data in files.items():
                    entry = tarfile.TarInfo(name)
                    entry.size = len(data)
                    tar.addfile(entry, io.BytesIO(data))

            yield add


class LatentShards(Sink):
    """Edited latents alone: "ws" [N, num_ws, w_dim], "strengths" and "indices" [N] in each file.

    What is read where latents are asked for reads these, one file or the folder. The keys, and
    which generator they belong to, stand in the metadata, as JSON under "nbdrag.latents".

    Parameters
    ----------
    folder : path-like
    """

    wants_pictures = False

    @property
    def facts(self) -> dict[str, Fact]:
        """Its kind."""
        return {"kind": "latents"}

    def begin(self, generator: Generator, length: int | None, shard_size: int) -> None:
        """Note which generator's they will be."""
        self._generator = generator.content_hash

    @contextmanager
    def shard(self, number: int, start: int, stop: int) -> Iterator[Add]:
        """One file, written at the end."""
        items: list[Edited] = []
        yield items.append
        if items:
            arrays: dict[str, NDArray[Any]] = {
                "ws": np.stack([item.ws for item in items]),
                "strengths": np.array([item.strength for item in items], np.float32),
                "indices": np.array([item.number for item in items], np.int64),
            }
            facts = latent_facts(items, self._generator)
            name = f"latents-{number:06d}.safetensors"
            with whole_file(self.folder, name, synced=True) as file:
                file.write(save(arrays, metadata=facts))


def latent_facts(items: list[Edited], generator_hash: str) -> dict[str, str]:
    """What a file of latents says of them beside the numbers: one entry, so that bytes repeat."""
    keys = [item.key for item in items]
    return {METADATA_KEY: json.dumps({"generator_hash": generator_hash, "keys": keys})}


class Zarr(Sink):
    """Arrays in a Zarr group: "pictures" [N, H, W, 3], "strengths" [N], "ws" [N, num_ws, w_dim].

    Format 2, which every reader knows: a description in JSON, and a file of compressed bytes for
    each chunk of rows. An item that was skipped leaves its row zero, and NaN for its strength.

    Parameters
    ----------
    folder : path-like
        The group is ``pictures.zarr`` in it.

    References
    ----------
    Zarr storage specification, version 2.
    """

    @property
    def facts(self) -> dict[str, Fact]:
        """Its kind."""
        return {"kind": "zarr"}

    def shard_size(self, generator: Generator) -> int:
        """As many as a chunk of moderate size holds."""
        return max(1, CHUNK_BYTES // (3 * generator.height * generator.width))

    def begin(self, generator: Generator, length: int | None, shard_size: int) -> None:
        """Describe the arrays. No chunk is there yet, which says that all of it is fill."""
        if length is None:
            raise TransferError(
                "an array must know how many pictures there will be, and an iterable doesn't say. "
                "Give a list, or take another sink."
            )
        size, latent = (generator.height, generator.width, 3), (generator.num_ws, generator.w_dim)
        descriptions: dict[str, dict[str, object]] = {".zgroup": {"zarr_format": 2}}
        for name, row, kind, fill in (
            ("pictures", size, "|u1", 0),
            ("strengths", (), "<f4", "NaN"),
            ("ws", latent, "<f4", 0),
        ):
            descriptions[f"{name}/.zarray"] = {
                "zarr_format": 2,
                "shape": [length, *row],
                "chunks": [shard_size, *row],
                "dtype": kind,
                "fill_value": fill,
                "order": "C",
                "filters": None,
                "compressor": {"id": "zlib", "level": 1},
            }
        for name, description in descriptions.items():
            self._write(name, json.dumps(description, indent=1).encode())

    @contextmanager
    def shard(self, number: int, start: int, stop: int) -> Iterator[Add]:
        """One chunk of each array, written at the end; the last is as long as the others."""
        items: list[Edited] = []
        yield items.append
        if items:
            size = self._rows_of_a_chunk()
            rows = [item.number - start for item in items]
            for name, values, fill in (
                ("pictures", np.stack([pixels_of(item) for item in items]), 0),
                ("strengths", np.array([item.strength for item in items], "<f4"), math.nan),
                ("ws", np.stack([item.ws for item in items]).astype("<f4"), 0),
            ):
                chunk = np.full((size, *values.shape[1:]), fill, values.dtype)
                chunk[rows] = values
                place = ".".join(map(str, (number, *[0] * (chunk.ndim - 1))))
                self._write(f"{name}/{place}", zlib.compress(chunk.data, 1))

    def _rows_of_a_chunk(self) -> int:
        description = json.loads((self.folder / GROUP / "strengths" / ".zarray").read_bytes())
        return int(description["chunks"][0])

    def _write(self, name: str, data: bytes) -> None:
        (self.folder / GROUP / name).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder, f"{GROUP}/{name}", synced=True) as file:
            file.write(data)


def sink_of(wish: object) -> Sink:
    """Make a sink of what somebody gave as one: a sink, or the path of a folder for pictures.

    Raises
    ------
    TransferError
        If it is neither.
    """
    if isinstance(wish, str | Path):
        return PictureFolder(wish)
    if isinstance(wish, Sink):
        return wish
    raise TransferError(f"sink is {type(wish).__name__}; expected a path, or one of nbdrag.sinks.")


# ------------------------------------------------------------------------------------------- files


@contextmanager
def whole_file(folder: Path, name: str, *, synced: bool = False) -> Iterator[BinaryIO]:
    """A file that is there under its name once it is complete.

    It is made under a name of its own, so that two attempts at the same shard can't meet. `synced`
    waits until it is on the disk itself.
    """
    unfinished = folder / PARTIAL / uuid4().hex
    try:
        with unfinished.open("xb") as file:
            yield file
            if synced:
                file.flush()
                os.fsync(file.fileno())
        unfinished.replace(folder / name)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def encoded(item: Edited, encoding: str) -> bytes:
    """The bytes of a picture file."""
    pixels = pixels_of(item)
    return fast_png(pixels) if encoding == "png" else webp(Image.fromarray(pixels))


def pixels_of(item: Edited) -> NDArray[np.uint8]:
    """The picture, which is there where the sink wants pictures."""
    if item.pixels is None:
        raise TransferError(f"{item.key} has no picture, though the sink wants one.")
    return item.pixels


def checked_encoding(encoding: str) -> str:
    """One of those that can be written."""
    if encoding not in ENCODINGS:
        raise TransferError(f"encoding is {encoding!r}; expected {' or '.join(ENCODINGS)}.")
    return encoding
