"""How many threads compute while the page needs the processor, too."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_core_left() -> Iterator[None]:
    """Compute what this thread computes meanwhile on all cores but one, which is the browser's.

    Where the browser runs on the same machine it draws each picture while the next is made. On two
    cores, threads that share the work of a small network then wait for one another longer than they
    help. Whoever has set fewer threads keeps to them.

    The last digits of a sum depend on how many threads it was shared by: so this is for what is
    shown, not for what is kept.
    """
    before = torch.get_num_threads()
    fewer = max(1, min(before, (os.cpu_count() or 1) - 1))
    if fewer == before:
        yield
        return
    torch.set_num_threads(fewer)
    try:
        yield
    finally:
        torch.set_num_threads(before)
