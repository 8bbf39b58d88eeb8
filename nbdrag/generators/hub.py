"""Files on the Hugging Face Hub, fetched and kept by its own library.

That library has a cache of its own, which other programs share, and knows every file by the commit
that it belongs to. It is not installed by default: ``pip install 'nbdrag[hub]'``. Its settings
hold here, too: HF_HOME, HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

from tqdm import tqdm

from nbdrag.generators.download import offline
from nbdrag.generators.progress import Progress
from nbdrag.generators.resume import DownloadError, standing

ADDRESS = re.compile(
    r"hf:(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[^/@]+))?/(?P<file>[^/]+(/[^/]+)*)"
)


def fetch_from_hub(address: str, progress: Progress) -> Path:
    """Give the file behind an address on the Hub.

    Parameters
    ----------
    address : str
        ``hf:owner/name/file`` or ``hf:owner/name@revision/folder/file``, where revision is a
        branch, a tag or a commit.
    progress : callable
        Told of the download. What it raises ends it; the next one goes on from there.

    Raises
    ------
    DownloadError
        If the address is of another form, the library is not installed, or the file can't be had.
    """
    parts = ADDRESS.fullmatch(address)
    if not parts or ".." in parts["file"].split("/"):
        raise DownloadError(
            f"{address!r} is no address on the Hugging Face Hub; one reads hf:owner/name/file or "
            "hf:owner/name@revision/folder/file."
        )
    try:
        from huggingface_hub import hf_hub_download
    except ImportError:
        raise DownloadError(
            f"{address} needs the library of the Hugging Face Hub; add it with: "
            "pip install 'nbdrag[hub]'"
        ) from None
    name = Path(parts["file"]).name
    raised: list[BaseException] = []

    def tell(have: int, total: int | None) -> None:
        if not raised:
            try:
                progress(*standing(name, have, total))
            except BaseException as error:
                raised.append(error)
                raise

    try:
        path = hf_hub_download(
            parts["repository"],
            parts["file"],
            revision=unquote(parts["revision"]) if parts["revision"] else None,
            local_files_only=offline(),
            endpoint=os.environ.get("HF_ENDPOINT"),  # also where it was set only after the import
            tqdm_class=bar_that(tell),
        )
    except Exception as error:
        if not raised:
            raise DownloadError(f"{address} can't be downloaded: {why(error)}") from None
    if raised:  # also where another thread of the library met with it
        raise raised[0]
    return Path(path)


def bar_that(tell: Callable[[int, int | None], None]) -> type[tqdm[NoReturn]]:
    """Give a kind of progress bar that tells how far it is, instead of drawing that."""

    class Bar(tqdm):  # type: ignore[type-arg]
        def __init__(self, *, total: int | None = None, initial: int = 0, **_: object) -> None:
            super().__init__(total=total, initial=initial, file=StringIO())

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            tell(int(self.n), int(self.total) if self.total else None)
            return drawn

        def update_transfer(self, n: int) -> None:
            """Leave it at bytes of the file; where they differ, those of the network go here."""

    return Bar


def why(error: Exception) -> str:
    """Say what an error of the library means to the user."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return "its owner asks you to accept conditions on its page first, and then to log in."
    if isinstance(error, errors.RepositoryNotFoundError):
        return "there is no such repository, or it is private and you are not logged in."
    if isinstance(error, errors.RevisionNotFoundError):
        return "the repository has no such revision."
    if isinstance(error, errors.LocalEntryNotFoundError):
        if offline():
            return "NBDRAG_OFFLINE forbids it, and it is not in the cache of the Hub's library."
        response = getattr(error.__cause__, "response", None)
        if response is not None:
            return f"the Hub answers {response.status_code}."
        return f"the Hub can't be reached ({error.__cause__ or error})."
    if isinstance(error, errors.EntryNotFoundError):
        return "the repository has no such file."
    return f"{error}".strip() or type(error).__name__
