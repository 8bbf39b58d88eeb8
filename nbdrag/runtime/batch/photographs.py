"""A folder of pictures as a source: each is projected, and what is no picture is skipped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from nbdrag.editing.step import EditDiverged
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.items import Latents, Source, checked
from nbdrag.runtime.batch.manifest import Fact, TransferError, digest

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")

Projector: TypeAlias = Callable[[Generator, Tensor], Tensor]
"""From a picture [3, H, W] in [-1, 1] to its latent, [num_ws, w_dim]."""


class Photographs(Source):
    """Pictures in a folder and the folders in it, each projected to a latent.

    Parameters
    ----------
    folder : path-like
        Hidden files are passed over; any other that is no picture is a `Problem`.
    projector : callable, (generator, image [3, H, W]) -> ws [num_ws, w_dim]
        A picture is cut to the generator's format in the middle and resized first.

    Raises
    ------
    TransferError
        If there are no files.
    """

    at_once = 1  # a projection takes seconds; so tell of each

    def __init__(self, folder: str | Path, projector: Projector) -> None:
        self.folder, self.projector = Path(folder).expanduser(), projector
        self.files = visible_files(self.folder)
        if not any(file.suffix.lower() in PICTURES for file in self.files):
            raise TransferError(
                f"there are no pictures in {self.folder}: no file's name ends in "
                f"{', '.join(PICTURES)}."
            )
        self.keys = keys_of([file.relative_to(self.folder).as_posix() for file in self.files])
        self.length = len(self.files)

    @property
    def facts(self) -> dict[str, Fact]:
        """How many, and a digest of their names."""
        names = "\n".join(file.relative_to(self.folder).as_posix() for file in self.files)
        return {"pictures": len(self.files), "digest": digest(names.encode())}

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        """Project some."""
        found: list[tuple[int, str, object]] = []
        for index in range(start, min(stop, len(self.files))):
            file = self.files[index]
            try:
                image = picture(file, generator)
            except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                # Pillow's decoders raise all of these on damaged files.
                latent: object = TransferError(f"{file.name} can't be read as a picture: {error}")
            else:
                try:
                    latent = self.projector(generator, image)
                except (EditDiverged, ValueError) as error:
                    latent = TransferError(f"{file.name} can't be projected: {error}")
            found.append((index, self.keys[index], latent))
        return checked(generator, found)


def picture(file: Path, generator: Generator) -> Tensor:
    """A file as the generator's pictures are: [3, H, W] in [-1, 1], cut to its format."""
    with Image.open(file) as opened:
        upright = ImageOps.exif_transpose(opened).convert("RGB")
    fitted = ImageOps.fit(upright, (generator.width, generator.height), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.array(fitted)).permute(2, 0, 1)
    return (pixels / 127.5 - 1).to(generator.w_avg)


def visible_files(folder: Path) -> list[Path]:
    """All files of a folder and the folders in it, but for hidden ones, in order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def keys_of(names: Sequence[str]) -> list[str]:
    """A key for each file: its path without the ending, or with it where two would be the same."""
    short = [dotless(PurePosixPath(name).with_suffix("")) for name in names]
    often = Counter(key.casefold() for key in short)
    keys = [
        key if often[key.casefold()] == 1 else dotless(PurePosixPath(name))
        for key, name in zip(short, names, strict=True)
    ]
    often = Counter(key.casefold() for key in keys)
    return [
        key if often[key.casefold()] == 1 else f"{key}_{index}" for index, key in enumerate(keys)
    ]


def dotless(path: PurePosixPath) -> str:
    """To a reader of WebDatasets, what follows a name's first dot is its kind."""
    return path.as_posix().replace(".", "_")
