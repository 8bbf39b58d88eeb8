"""Generators by name, path or address.

The table below says where the weights that others have published are to be had, and under which
licence; to keep to that is up to who uses them. Nothing is fetched before it is asked for.
"""

from __future__ import annotations

import html
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from pathlib import Path

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.download import cache_folder, cached, fetch
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.hub import fetch_from_hub
from nbdrag.generators.progress import Progress, drawn
from nbdrag.generators.resume import readable
from nbdrag.generators.segmenter_file import load_segmenter
from nbdrag.generators.stylegan2 import Generator

ASSETS = Path(__file__).parent.parent / "assets"
SUFFIXES = (".pkl", ".pt", ".pth", ".safetensors")  # a hint; what a file holds is what counts

NVIDIA = "NVIDIA, non-commercial"  # the NVIDIA Source Code License-NC
NGC = "https://api.ngc.nvidia.com/v2/models/nvidia/research/stylegan2/versions/1/files"
CONFIG_F = "https://nvlabs-fi-cdn.nvidia.com/stylegan2/networks"
SELF_DISTILLED = "https://storage.googleapis.com/self-distilled-stylegan"

# About, in bytes: a file with a generator, its average and a discriminator, at full width.
FULL = {1024: 382_000_000, 512: 364_000_000, 256: 357_000_000}


@dataclass(frozen=True)
class Known:
    """A generator with a name.

    Attributes
    ----------
    name : str
        What `load_generator` knows it by; ends in the height of its pictures.
    title : str
        What it draws.
    resolution : int
        Height of its pictures, in pixels. All of these are square.
    source : str
        Who trained it.
    licence : str
        Of the weights.
    url : str, optional
        Where it is to be had; None for what comes with the package.
    size : int, optional
        Of the file to download, in bytes, about; None where nobody says.
    sha256 : str, optional
        Of the file. No publisher says, but here and there two copies that people have put up
        elsewhere agree. None: the first download counts.
    """

    name: str
    title: str
    resolution: int
    source: str
    licence: str
    url: str | None = None
    size: int | None = None
    sha256: str | None = None

    @property
    def file(self) -> Path:
        """Where its file is, or would be after a download."""
        if self.url is None:
            return ASSETS / f"{self.name}.safetensors"
        return cache_folder() / self.url.rpartition("/")[2]

    @property
    def segmenter_file(self) -> Path:
        """Where its segmenter is, if one comes with the package."""
        return ASSETS / f"{self.name}-parts.safetensors"

    @property
    def at_hand(self) -> bool:
        """Whether it can be loaded without a download."""
        return self.file.is_file()

    @property
    def file_size(self) -> int | None:
        """How large its file is, in bytes: the one at hand, or else about."""
        return self.file.stat().st_size if self.at_hand else self.size

    @property
    def whereabouts(self) -> str:
        """Where it is, and how large: "packaged, 2.4 MB", "in the cache, ..." or "to download"."""
        place = "in the cache" if self.at_hand else "to download"
        place = place if self.url else "packaged"
        return place + (f", {readable(self.file_size)}" if self.file_size else "")


def _ours() -> Iterator[Known]:
    yield Known("toonfaces-128", "drawn portraits", 128, "nbdrag", "Apache-2.0")


def _ada() -> Iterator[Known]:
    """Karras et al., NeurIPS 2020 and 2021: the PyTorch files."""
    for data, resolution, title in (
        ("ffhq", 1024, "faces"),
        ("ffhq", 512, "faces"),
        ("ffhq", 256, "faces"),
        ("ffhqu", 1024, "faces, unaligned"),
        ("ffhqu", 256, "faces, unaligned"),
        ("celebahq", 256, "faces of celebrities"),
        ("metfaces", 1024, "faces in paintings"),
        ("metfacesu", 1024, "faces in paintings, unaligned"),
        ("afhqcat", 512, "cats"),
        ("afhqdog", 512, "dogs"),
        ("afhqwild", 512, "wild animals"),
        ("afhqv2", 512, "cats, dogs and wild animals"),
        ("lsundog", 256, "dogs, from near and far"),
        ("brecahad", 512, "breast tissue under the microscope"),
        ("cifar10", 32, "ten classes of things"),
    ):
        yield Known(
            f"{data}-{resolution}",
            title,
            resolution,
            "NVIDIA, StyleGAN2-ADA",
            NVIDIA,
            f"{NGC}/stylegan2-{data}-{resolution}x{resolution}.pkl",
            FULL[resolution] if resolution >= 512 else None,  # the small ones are narrower
        )


def _config_f() -> Iterator[Known]:
    """Karras et al., CVPR 2020: TensorFlow's files."""
    for name, file, resolution, title, sha256 in (
        ("ffhq-config-f-1024", "ffhq", 1024, "faces", None),
        ("lsuncar-512", "car", 512, "cars", None),
        (
            "lsuncat-256",
            "cat",
            256,
            "cats, from near and far",
            "08940fd616cfaf6bc7b0286b5d1a0b3f70febb26e136d64716c8d3f5e9bd3883",
        ),
        ("lsunchurch-256", "church", 256, "churches", None),
        ("lsunhorse-256", "horse", 256, "horses, from near and far", None),
    ):
        yield Known(
            name,
            title,
            resolution,
            "NVIDIA, StyleGAN2",
            NVIDIA,
            f"{CONFIG_F}/stylegan2-{file}-config-f.pkl",
            FULL[resolution],
            sha256,
        )


def _self_distilled() -> Iterator[Known]:
    """Mokady et al., SIGGRAPH 2022: trained on photos from the internet."""
    for data, resolution, sha256 in (
        ("dogs", 1024, "c9e93090d02916165a602c728c0e37458fc0c58fbc58e4d75bcd096bb81c7e8c"),
        ("elephants", 512, None),
        ("lions", 512, "0a01ff8344521171b1a2eff1e9a51c1acbc48221bdc2594919187f66a3942bcc"),
        ("giraffes", 512, None),
        ("parrots", 512, None),
        ("horses", 256, "f100dc32e2731a293f3b31a9038416f72aa5cc30555b3315a82e19c065f81b0c"),
        ("bicycles", 256, None),
    ):
        yield Known(
            f"{data}-{resolution}",
            data,
            resolution,
            "Self-Distilled StyleGAN",
            "Apache-2.0",
            f"{SELF_DISTILLED}/{data}_{resolution}_pytorch.pkl",
            FULL[resolution],
            sha256,
        )


ZOO = {
    known.name: known for group in (_ours, _ada, _config_f, _self_distilled) for known in group()
}
"""Every generator with a name, by its name."""


# ------------------------------------------------------------------------------------------ listing


class Names(list[str]):
    """Names of generators, shown as a table: aligned text, or HTML in a notebook."""

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(map(str.ljust, row, widths)).rstrip()  # columns as wide as they need
            for row in rows
        )

    def _repr_html_(self) -> str:
        head, *body = ([html.escape(cell) for cell in row] for row in self._rows())
        lines = [f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in body]
        return (
            f"<table><thead><tr><th>{'</th><th>'.join(head)}</th></tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table>"
        )

    def _rows(self) -> list[tuple[str, ...]]:
        known = [ZOO[name] for name in self if name in ZOO]  # a list can be added to
        head = ("name", "pixels", "draws", "source", "licence", "where")
        return [
            head,
            *(
                (k.name, str(k.resolution), k.title, k.source, k.licence, k.whereabouts)
                for k in known
            ),
        ]


def list_generators() -> list[str]:
    """Names that `load_generator` knows.

    Returns
    -------
    list of str
        Shown as a table of what they draw, how large, who trained them, under which licence, and
        whether they are at hand or have to be downloaded.
    """
    return Names(ZOO)


# ------------------------------------------------------------------------------------------ loading


def load_generator(
    source: str | PathLike[str] = "toonfaces-128", *, progress: Progress | None = None
) -> Generator:
    """Load a generator, by name, from a file or from an address.

    Parameters
    ----------
    source : str or path-like
        One of `list_generators`; the path of a checkpoint; its address (``https://...``); or
        ``"hf:owner/name/file"``, a file on the Hugging Face Hub.
    progress : callable, optional
        Called with what is going on and the fraction of it that is done, None where nobody
        knows. What it raises ends the loading and goes through; what has been downloaded by
        then is kept, and the next call goes on from there. Default: a bar is drawn.

    Returns
    -------
    Generator
        A new one at every call: float32, frozen, in evaluation mode, on the CPU. If the package
        has a segmenter for it, it comes along.

    Raises
    ------
    CheckpointError
        A `ValueError`. If nothing goes by that name, it could not be downloaded, or the file
        holds no generator.
    """
    with drawn(progress) as tell:
        path = find_file(source, tell)
        tell(f"reading {path.name}", None)
        generator = read_generator(path)
    if source in ZOO:
        generator.source = str(source)
        parts = ZOO[str(source)].segmenter_file
        generator.segmenter = load_segmenter(parts, generator) if parts.is_file() else None
    return generator


def find_file(source: str | PathLike[str], progress: Progress) -> Path:
    """Give the file that holds a generator, after a download if need be.

    Parameters and errors are those of `load_generator`.
    """
    name = os.fsdecode(source)
    known = next((known for known in ZOO.values() if name in (known.name, known.url)), None)
    if known:
        if known.url:
            fetch(known.url, known.file, progress, sha256=known.sha256)
        return known.file
    if name.lower().startswith("hf:"):
        return fetch_from_hub(name, progress)
    if re.match(r"[a-z][a-z0-9+.-]*://", name, re.IGNORECASE):
        file = cached(name)
        fetch(name, file, progress)
        return file
    return local_file(name)


def local_file(name: str) -> Path:
    """Check that there is a file, and tell what else could be meant."""
    try:
        path = Path(name).expanduser()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, ValueError, RuntimeError) as error:  # no permission, no path, no such user
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise CheckpointError(f"{name!r} can't be read: {reason}.") from None
    if not name:
        raise CheckpointError("the name of the generator is empty; list_generators() shows names.")
    if is_folder:
        found = [str(file) for file in files_in(path) if file.suffix in SUFFIXES]
        such = f", such as {found[0]!r}" if found else f"; they end in {', '.join(SUFFIXES)}"
        raise CheckpointError(f"{name!r} is a folder; give a file in it{such}.")
    if not is_file:
        kind = "file" if path.suffix or path.name != name else "generator"
        meant = f" Did you mean {' or '.join(map(repr, near))}?" if (near := similar(path)) else ""
        raise CheckpointError(
            f"there is no {kind} {name!r}.{meant} list_generators() shows the names; the path of a "
            "checkpoint, an https:// address and hf:owner/name/file will do, too."
        )
    return path


def similar(path: Path) -> list[str]:
    """Names and files that a misspelt path could mean, the likeliest first."""
    meanings: dict[str, str] = {}
    for known in ZOO.values():
        meanings |= dict.fromkeys((known.name, known.file.stem), known.name)
    meanings |= {file.name.lower(): str(file) for file in files_in(path.parent)}
    near = get_close_matches(path.name.lower(), meanings, n=6)
    return list(dict.fromkeys(meanings[name] for name in near))[:3]


def files_in(folder: Path) -> list[Path]:
    """The first files of a folder, in order; none where there is no folder."""
    with suppress(OSError):
        return [path for path in sorted(folder.iterdir())[:1000] if path.is_file()]
    return []
