"""A library of editing vectors: a folder of .safetensors, one for each.

The name of a vector in a library is the name of its file, so that a folder can be tidied with any
file manager. A file that is damaged, or is something else, hides nothing: the others are there, and
`problems` says what is wrong with it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from urllib.parse import unquote

from nbdrag.generators.download import offline
from nbdrag.generators.hub import why
from nbdrag.generators.resume import DownloadError
from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.gallery import gallery_png
from nbdrag.transfer.vectors import EditVector, VectorError

ASSETS = Path(__file__).parent.parent / "assets"
SUFFIX = ".safetensors"
LONGEST_NAME = 80
NAME = re.compile(r"\w([\w +.,'()-]*[\w)'])?")  # what every file system takes
ADDRESS = re.compile(
    r"(hf:)?(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[^/@]+))?(?P<folder>(/[^/]+)*)"
)


class EditLibrary(Mapping[str, EditVector]):
    """Editing vectors by name, kept in a folder.

    Parameters
    ----------
    folder : path-like
        Where they are. One that isn't there yet is an empty library, and made with the first vector
        that is added.
    writable : bool
        Whether vectors may be added and removed.

    Examples
    --------
    >>> library = EditLibrary("my-edits")  # doctest: +SKIP
    >>> library.add(vector)  # doctest: +SKIP
    >>> library["smile"].apply(ws, 0.7)  # doctest: +SKIP
    """

    def __init__(self, folder: str | PathLike[str], *, writable: bool = True) -> None:
        self.folder = Path(folder).expanduser()
        self.writable = writable
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"folder is {str(folder)!r}, which is a file; name a folder.")
        self._read: dict[Path, tuple[tuple[int, int], EditVector | VectorError]] = {}

    @staticmethod
    def packaged(generator: Generator) -> EditLibrary:
        """Give the vectors that ship with nbdrag for a generator; an empty library if none do."""
        found = generator.content_hash
        for folder in sorted(ASSETS.glob("*-edits")):
            library = EditLibrary(folder, writable=False)
            if any(vector.generator_hash == found for vector in library.values()):
                return library
        return EditLibrary(ASSETS / "no-edits", writable=False)

    # ------------------------------------------------------------------------------- as a mapping

    def __getitem__(self, name: str) -> EditVector:
        """Give a vector by its name.

        Raises
        ------
        KeyError
            If there is none of that name.
        VectorError
            If its file can't be used.
        """
        file = self._files().get(name)
        if file is None:
            near = get_close_matches(name, self, n=3)
            there = " or ".join(map(repr, near)) if near else ", ".join(map(repr, self)) or "none"
            raise KeyError(f"there is no vector {name!r} in {self.folder}; there is {there}")
        found = self._contents(file)
        if isinstance(found, VectorError):
            raise found
        return found

    def __iter__(self) -> Iterator[str]:
        for name, file in self._files().items():
            if isinstance(self._contents(file), EditVector):
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in list(self)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong with the files that can't be used, by name."""
        found = {name: self._contents(file) for name, file in self._files().items()}
        return {name: str(error) for name, error in found.items() if isinstance(error, VectorError)}

    # ------------------------------------------------------------------------------------ changing

    def add(self, vector: EditVector) -> None:
        """Keep a vector under its name.

        Raises
        ------
        ValueError
            If the name is taken or no file can have it, or the library is not writable. Nothing
            changes then.
        """
        self._check_writable()
        name = checked_name(vector.name)
        for other in self._files():
            if other.casefold() == name.casefold():  # to some file systems the same
                raise ValueError(
                    f"there is a vector {other!r} in {self.folder} already; remove it first, or "
                    "give this one another name: library.add(vector.renamed(...))."
                )
        self.folder.mkdir(parents=True, exist_ok=True)
        vector.renamed(name).save(self.folder / f"{name}{SUFFIX}")

    def remove(self, name: str) -> None:
        """Delete a vector's file.

        Raises
        ------
        KeyError
            If there is none of that name.
        ValueError
            If the library is not writable.
        """
        self._check_writable()
        file = self._files().get(name)
        if file is None:
            raise KeyError(f"there is no vector {name!r} in {self.folder}")
        file.unlink()

    # ------------------------------------------------------------------------------------- showing

    def __repr__(self) -> str:
        names = ", ".join(self) or "empty"
        broken = "".join(f"\n  {error}" for error in self.problems.values())
        return f"<EditLibrary {str(self.folder)!r}: {names}>{broken}"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """What a notebook shows: before | after of each vector."""
        bundle: dict[str, object] = {"text/plain": repr(self)}
        if previews := [(name, vector.preview) for name, vector in self.items()]:
            bundle["image/png"] = gallery_png(previews)
        return bundle

    # ------------------------------------------------------------------------------------- sharing

    @staticmethod
    def from_hub(address: str) -> EditLibrary:
        """Give a library on the Hugging Face Hub.

        Parameters
        ----------
        address : str
            ``"owner/name"``, or ``"owner/name@revision"``, where revision is a branch, a tag or a
            commit; a folder may follow, as in ``"owner/name/faces"``. "hf:" may stand before it.

        Returns
        -------
        EditLibrary
            Kept in the cache of the Hub's own library, and not writable. To change it, add its
            vectors to a library of yours.

        Raises
        ------
        DownloadError
            If it can't be had, or holds no vectors.
        """
        parts = ADDRESS.fullmatch(address)
        if not parts or ".." in parts["folder"].split("/"):
            raise DownloadError(
                f"{address!r} is no library on the Hugging Face Hub; one reads owner/name or "
                "owner/name@revision."
            )
        folder = parts["folder"].strip("/")
        pattern = f"{folder}/*{SUFFIX}" if folder else f"*{SUFFIX}"
        try:
            from huggingface_hub import snapshot_download
        except ImportError:
            raise DownloadError(needs_library(address)) from None
        try:
            snapshot = snapshot_download(
                parts["repository"],
                revision=unquote(parts["revision"]) if parts["revision"] else None,
                allow_patterns=pattern,
                local_files_only=offline(),
                endpoint=os.environ.get("HF_ENDPOINT"),  # also where it was set only later
            )
        except Exception as error:
            raise DownloadError(f"{address} can't be downloaded: {why(error)}") from None
        library = EditLibrary(Path(snapshot) / folder, writable=False)
        if not library:
            raise DownloadError(
                "\n".join([f"{address} holds no editing vectors.", *library.problems.values()])
            )
        return library

    def push_to_hub(self, repository: str, *, private: bool | None = None) -> str:
        """Put the library on the Hugging Face Hub, as a model repository.

        You must be logged in there (``hf auth login``, or HF_TOKEN). What else the repository holds
        stays; a README is written only where there is none.

        Parameters
        ----------
        repository : str
            ``"owner/name"``; made if it isn't there.
        private : bool, optional
            Whether others may not see it; for a new repository. Default: as your account has it.

        Returns
        -------
        str
            The address of its page.

        Raises
        ------
        ValueError
            If the library is empty.
        DownloadError
            If the Hub refuses, or can't be reached.
        """
        if not self:
            raise ValueError(f"{self.folder} holds no vectors; add one before you share it.")
        try:
            from huggingface_hub import CommitOperationAdd, HfApi
        except ImportError:
            raise DownloadError(needs_library(repository)) from None
        files: dict[str, Path | bytes] = {f"{name}{SUFFIX}": self._files()[name] for name in self}
        try:
            hub = HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
            hub.create_repo(repository, private=private, exist_ok=True)
            if not hub.file_exists(repository, "README.md"):
                files |= {"README.md": self._readme(repository).encode()}
                files |= {"gallery.png": gallery_png([(n, v.preview) for n, v in self.items()])}
            hub.create_commit(
                repository,
                [CommitOperationAdd(name, content) for name, content in files.items()],
                commit_message=f"Add editing vectors: {', '.join(self)}"[:200],
            )
        except Exception as error:
            raise DownloadError(f"{repository} can't be shared: {why(error)}") from None
        return f"{hub.endpoint}/{repository}"

    def _readme(self, repository: str) -> str:
        """The page of a library on the Hub."""
        whose = sorted({v.generator or v.generator_hash for v in self.values()})
        rows = [
            f"| {name} | {', '.join(v.classes)} | {v.scale_range[0]:g} to {v.scale_range[1]:g} |"
            for name, v in self.items()
        ]
        return "\n".join(
            [
                "---",
                "library_name: nbdrag",
                "tags: [nbdrag, editgan, editing-vectors]",
                "---",
                f"# {repository.rpartition('/')[2]}",
                "",
                f"Editing vectors for {', '.join(whose)}. Add one to a latent, and the picture has",
                "the edit:",
                "",
                "```python",
                "from nbdrag import EditLibrary",
                "",
                f'library = EditLibrary.from_hub("{repository}")',
                f'ws = library["{next(iter(self))}"].apply(ws, 1.0)',
                "```",
                "",
                "![before and after each edit](gallery.png)",
                "",
                "| vector | parts | scales |",
                "|---|---|---|",
                *rows,
                "",
            ]
        )

    # ------------------------------------------------------------------------------------- reading

    def _files(self) -> dict[str, Path]:
        """All files that could be vectors, by name, in the order of the alphabet."""
        if not self.folder.is_dir():
            return {}
        files = {unicodedata.normalize("NFC", f.stem): f for f in self.folder.glob(f"*{SUFFIX}")}
        return dict(sorted(files.items()))

    def _contents(self, file: Path) -> EditVector | VectorError:
        """What is in a file, read once for as long as it stays the same."""
        try:
            status = file.stat()
        except OSError as error:
            return VectorError(f"{file.name} can't be read: {error.strerror}.")
        state = status.st_mtime_ns, status.st_size
        known = self._read.get(file)
        if known is None or known[0] != state:
            found: EditVector | VectorError
            try:
                found = EditVector.load(file).renamed(unicodedata.normalize("NFC", file.stem))
            except VectorError as error:
                found = error
            known = self._read[file] = state, found
        return known[1]

    def _check_writable(self) -> None:
        if not self.writable:
            raise ValueError(
                f"the library {self.folder.name!r} can't be changed; make one of your own, "
                'EditLibrary("my-edits"), and add to that.'
            )


def checked_name(name: str) -> str:
    """A name that a file can have wherever the library goes."""
    name = unicodedata.normalize("NFC", name.strip())
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise ValueError(
            f"a vector named {name!r} can't be kept as a file: begin with a letter or a digit, and "
            f"use letters, digits, spaces and +.,'()-, {LONGEST_NAME} at most. Give it another "
            "name: vector.renamed(...)."
        )
    return name


def needs_library(address: str) -> str:
    """Say how to get the library of the Hub."""
    return (
        f"{address} needs the library of the Hugging Face Hub; add it with: "
        "pip install 'nbdrag[hub]'"
    )
