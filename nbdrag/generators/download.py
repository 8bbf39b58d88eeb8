"""Files from the web, fetched once and the same ever after.

No publisher of generators says what its files should hash to. So the first download is trusted: its
SHA-256 is written down beside the file, in ``NAME.json``, and checked whenever the file is used,
and also when it was deleted and has to be downloaded again. Whoever changes the file, here or on
the server, is found out.

A file appears under its name when it is complete and checked, never before. Before, it is a part,
see `resume`. One process at a time downloads a file; others wait for it.

NBDRAG_CACHE moves the folder. NBDRAG_OFFLINE=1 forbids the network.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256 as sha256_of
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

import filelock
import pooch

from nbdrag.generators.progress import Progress
from nbdrag.generators.resume import (
    TIMEOUT,
    DownloadError,
    Timeout,
    discard,
    download,
    on_disk,
    shown,
    unwritable,
)


def cache_folder() -> Path:
    """Where downloads are kept: the user's cache, or what NBDRAG_CACHE names."""
    return Path(os.environ.get("NBDRAG_CACHE") or pooch.os_cache("nbdrag")).expanduser()


def offline() -> bool:
    """Whether NBDRAG_OFFLINE forbids the network."""
    return os.environ.get("NBDRAG_OFFLINE", "").lower() not in ("", "0", "no", "false", "off")


def fetch(
    url: str,
    file: Path,
    progress: Progress,
    *,
    sha256: str | None = None,
    timeout: Timeout = TIMEOUT,
) -> None:
    """See to it that a file is there, and what it was when it was first downloaded.

    Parameters
    ----------
    url : str
        http or https.
    file : path
        Where it is kept.
    progress : callable
        Told of the download. What it raises ends it; the next one goes on from there.
    sha256 : str, optional
        What it must be. Default: what it was the first time.
    timeout : tuple of float
        Seconds to wait for a connection, and for the next bytes.

    Raises
    ------
    DownloadError
        If it can't be had, can't be written, or is another file than it was.
    """
    if not file.is_file():
        if offline():
            raise DownloadError(
                f"{file.name} is not in the cache, and NBDRAG_OFFLINE forbids downloading it. "
                f"Download {shown(url)} elsewhere and put it at {file}, or unset NBDRAG_OFFLINE."
            )
        with turn(file, progress):
            if not file.is_file():  # nobody else was faster
                retrieve(url, file, progress, sha256, timeout)
                return
    progress(f"checking {file.name}", None)
    actual = pooch.file_hash(str(file))
    expected = sha256 or recorded(file)
    if expected is None:  # somebody put it there
        with suppress(DownloadError):  # a cache that is shared need not be writable
            record(file, url, actual)
    elif actual != expected:
        raise DownloadError(
            f"{file} has changed: its SHA-256 is {actual} instead of {expected}. Delete it, "
            f"and it will be downloaded again{trusting(file, sha256)}."
        )


def retrieve(
    url: str, file: Path, progress: Progress, sha256: str | None, timeout: Timeout
) -> None:
    """Download, check, write down what it is, and only then give the file its name."""
    part, expected = file.with_name(file.name + ".part"), sha256 or recorded(file)
    download(url, part, progress, timeout)
    actual = pooch.file_hash(str(part))
    if expected not in (None, actual):
        discard(part)
        raise DownloadError(
            f"{shown(url)} has changed: its SHA-256 is {actual} instead of {expected}. The "
            f"new file was not kept{trusting(file, sha256)}."
        )
    record(file, url, actual)

    def hand_over(url: str, place: str, _: object) -> None:
        part.replace(place)

    with on_disk(file), quiet(pooch.get_logger()):
        pooch.retrieve(url, actual, file.name, file.parent, downloader=hand_over)
    discard(part)


# -------------------------------------------------------------------------------------- addresses


def cached(url: str) -> Path:
    """Where the file behind any address is kept.

    The name is the one in the address, and a few digits so that no two addresses share a file.

    Raises
    ------
    DownloadError
        If it is no http or https address, or names a server but no file.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        raise DownloadError(f"{url!r} is no address.") from None
    if parts.scheme.lower() not in ("http", "https"):
        raise DownloadError(
            f"{shown(url)} is not to be loaded: addresses begin with https://, http:// or hf:. For "
            "a file on this machine, give its path."
        )
    name = re.sub(r"[^\w.-]+", "_", PurePosixPath(unquote(parts.path)).name)[-100:].lstrip(".-")
    if not host or not name or parts.path.endswith("/"):
        raise DownloadError(
            f"{shown(url)} names no file; an address reads https://server/folder/file.pkl"
        )
    digest = sha256_of(urldefrag(url).url.encode()).hexdigest()[:8]
    stem, dot, suffix = name.rpartition(".")
    return cache_folder() / (f"{stem}-{digest}.{suffix}" if dot else f"{name}-{digest}")


# ----------------------------------------------------------------------------- what is remembered


def recorded(file: Path) -> str | None:
    """Give what a file was when it was first downloaded; None if it never was."""
    path = record_of(file)
    try:
        if not path.exists():
            return None
        sha256 = json.loads(path.read_text())["sha256"]
    except (OSError, ValueError, TypeError, KeyError):
        sha256 = None
    if not isinstance(sha256, str):
        raise DownloadError(
            f"{path}, which says what {file.name} was when it was downloaded, is damaged. Delete "
            "it if you trust the file as it is; or delete both, and it will be downloaded again."
        )
    return sha256


def record(file: Path, url: str, sha256: str) -> None:
    """Write down what a file is."""
    path = record_of(file)
    unfinished = path.with_name(path.name + ".part")
    with on_disk(path):
        unfinished.write_text(json.dumps({"url": shown(url), "sha256": sha256}, indent=2) + "\n")
        unfinished.replace(path)


def record_of(file: Path) -> Path:
    """Where it is written down what a file is."""
    return file.with_name(file.name + ".json")


def trusting(file: Path, pinned: str | None) -> str:
    """Say how the user can take a file in spite of its hash."""
    if pinned:
        return "; if you trust it all the same, download it yourself and load it by its path"
    return f"; if you trust the change, delete {record_of(file).name} there, too"


# ------------------------------------------------------------------------- beside other processes


@contextmanager
def turn(file: Path, progress: Progress) -> Iterator[None]:
    """Wait until nobody else is downloading a file, and keep others from it."""
    locks = file.parent / ".locks"
    with on_disk(file):
        locks.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(locks / f"{file.name}.lock")
    while not acquired(lock):
        progress(f"waiting for another download of {file.name}", None)
    try:
        yield
    finally:
        lock.release()


def acquired(lock: filelock.BaseFileLock) -> bool:
    """Try for a moment to get a lock."""
    try:
        lock.acquire(timeout=0.2, poll_interval=0.05)
    except filelock.Timeout:
        return False
    except OSError as error:
        raise unwritable(Path(lock.lock_file).parent, error) from None
    return True


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep a library from printing what is no warning."""

    def matters(message: logging.LogRecord) -> bool:
        return message.levelno >= logging.WARNING

    logger.addFilter(matters)
    try:
        yield
    finally:
        logger.removeFilter(matters)
