"""How far a transfer is, as it is told and as it is drawn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nbdrag.runtime.batch.manifest import Problem
from nbdrag.runtime.batch.progress import TOLD, TransferProgress, watch


def pieces(count: int, bad: int = 0) -> Iterator[TransferProgress]:
    """A transfer that was begun before: two items were done then."""
    yield TransferProgress(2, 0, None)
    for i in range(1, count + 1):
        problems = (Problem(i, f"{i:03d}", "is no picture"),) if i <= bad else ()
        failed = min(i, bad)
        yield TransferProgress(2 + i - failed, failed, None, i - failed, 0.1 * i, problems)
    yield TransferProgress(2 + count - bad, bad, 2 + count, count - bad, 0.1 * count, (), True)


def test_a_progress_says_how_fast_it_is_and_how_long_it_takes() -> None:
    progress = TransferProgress(50, 10, 100, made=40, seconds=8.0)
    assert progress.rate == 5
    assert progress.remaining == 8
    assert str(progress) == "50 of 100 done, 10 skipped, 5.0 a second"
    assert TransferProgress(0, 0, None).remaining is None


def test_watching_runs_to_the_end_and_tells_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    last = watch(pieces(8, bad=1))
    assert (last.done, last.failed, last.total, last.ended) == (9, 1, 10, True)
    said = capsys.readouterr()
    assert "10/10" in said.err
    assert "skipped 001: is no picture" in said.out


def test_of_many_that_are_skipped_a_few_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    watch(pieces(3 * TOLD, bad=3 * TOLD))
    assert capsys.readouterr().out.count("skipped") == TOLD


def test_an_error_of_the_transfer_is_the_watchers() -> None:
    def broken() -> Iterator[TransferProgress]:
        yield TransferProgress(0, 0, 3)
        raise OSError("no room")

    with pytest.raises(OSError, match="no room"):
        watch(broken())
