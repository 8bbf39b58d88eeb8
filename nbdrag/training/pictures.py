"""What a training looks at, and what it shows: a pool of rendered portraits, and sample sheets.

Drawing a portrait at 128 pixels takes longer than one training step spends on it. So a pool is
drawn once, into a memory-mapped file of bytes, and every batch after that is a look-up and a
box filter down to the size that is trained.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from nbdrag import toonfaces
from nbdrag.generators.sheet import tiled, to_bytes

Bytes = NDArray[np.uint8]


def open_pool(
    path: Path, *, count: int, size: int, seed: int = 20_000, device: str = "cpu"
) -> Bytes:
    """Open the pool in `path`, drawing it first (on `device`) where it doesn't exist.

    Returns
    -------
    ndarray, shape [count, 3, size, size], uint8
        Memory-mapped; 0 is black and 255 is white.

    Raises
    ------
    ValueError
        If the file holds fewer or smaller pictures than asked for.
    """
    if not path.exists():
        _draw_pool(path, count, size, seed, device)
    pool: Bytes = np.load(path, mmap_mode="r")
    if pool.ndim != 4 or pool.shape[0] < count or pool.shape[2:] != (size, size):
        raise ValueError(
            f"{path} holds pictures of shape {pool.shape}; [{count}, 3, {size}, {size}] are needed."
            " Delete it to have it drawn anew."
        )
    return pool[:count]


def _draw_pool(path: Path, count: int, size: int, seed: int, device: str) -> None:
    factors = toonfaces.sample_factors(count, generator=torch.Generator().manual_seed(seed))
    unfinished = path.with_suffix(".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    pool = open_memmap(unfinished, "w+", dtype=np.uint8, shape=(count, 3, size, size))
    for start in range(0, count, 64):
        images = toonfaces.render(factors[start : start + 64].to(device), size).image
        pool[start : start + 64] = to_bytes(images)
    pool.flush()
    unfinished.replace(path)


def take(pool: Bytes, indices: Tensor, size: int, device: torch.device) -> Tensor:
    """Fetch pictures of the pool at a smaller size, [N, 3, size, size] in [-1, 1]."""
    images = torch.from_numpy(pool[indices.numpy()]).to(device).float() / 127.5 - 1
    return functional.avg_pool2d(images, pool.shape[-1] // size)


def save_sheet(path: Path, images: Tensor, *, columns: int) -> None:
    """Write pictures [N, 3, S, S] as one PNG, row by row; a crash leaves the old sheet whole."""
    unfinished = path.with_name("unfinished-" + path.name)
    tiled(images, columns=columns).save(unfinished)
    unfinished.replace(path)
