"""Files from the web, fetched once and the same ever after."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pooch

from nbdrag.generators.progress import Progress


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache, or what NBDRAG_CACHE names."""
    return Path(os.environ.get("NBDRAG_CACHE") or pooch.os_cache("nbdrag"))


def cached(url: str) -> Path:
    """Where the file behind an address is, or would be after a download."""
    return cache_folder() / PurePosixPath(urlsplit(url).path).name


def fetch(url: str, sha256: str | None, progress: Progress) -> Path:
    """Give the file behind an address: the one in the cache, else a download."""
    file = cached(url)
    if not file.is_file():
        progress(f"downloading {file.name}", None)
        pooch.retrieve(url, sha256, file.name, file.parent)
    return file
