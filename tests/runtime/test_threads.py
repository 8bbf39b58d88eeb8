"""Threads: as many as there are cores but one, for as long as it is said, and then as before."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest
import torch

from nbdrag.runtime.threads import one_core_left


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("cores", "threads", "fewer"), [(2, 2, 1), (8, 8, 7), (8, 4, 4), (1, 1, 1), (None, 1, 1)]
)
def test_one_core_is_left(
    monkeypatch: pytest.MonkeyPatch, cores: int | None, threads: int, fewer: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    torch.set_num_threads(threads)
    with one_core_left():
        assert torch.get_num_threads() == fewer
    assert torch.get_num_threads() == threads


def test_an_error_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    torch.set_num_threads(4)
    with pytest.raises(ValueError, match="no"), one_core_left():
        raise ValueError("no")
    assert torch.get_num_threads() == 4


def test_threads_that_compute_already_keep_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """An edit on another thread isn't slowed down by a hand."""
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    torch.set_num_threads(2)
    found: list[int] = []
    computing, left = threading.Event(), threading.Event()

    def compute() -> None:
        torch.ones(2).sum()
        found.append(torch.get_num_threads())
        computing.set()
        left.wait(10)
        found.append(torch.get_num_threads())

    other = threading.Thread(target=compute)
    other.start()
    assert computing.wait(10)
    with one_core_left():
        assert torch.get_num_threads() == 1
        left.set()
        other.join(10)
    assert found == [2, 2]
