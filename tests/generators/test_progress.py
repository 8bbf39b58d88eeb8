"""Progress: told to a function, or drawn."""

from __future__ import annotations

import pytest

from nbdrag.generators import progress
from nbdrag.generators.progress import drawn


def test_a_function_is_told_itself(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, float | None]] = []
    with drawn(lambda *what: told.append(what)) as tell:
        tell("reading", None)
    assert told == [("reading", None)]
    assert capfd.readouterr() == ("", "")


def test_without_a_function_a_bar_is_drawn(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "DELAY", 0)
    with drawn(None) as tell:
        tell("downloading x", 0.25)
        tell("downloading x", 1.0)
        tell("reading x", None)
    written = capsys.readouterr()
    assert written.out == ""
    assert "downloading x |" in written.err
    assert "| 100% [" in written.err
    assert "reading x" in written.err
    assert written.err.rpartition("\r")[2].strip() == ""  # cleared


def test_what_is_soon_done_draws_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with drawn(None) as tell:
        tell("downloading x", 0.5)
        tell("reading x", None)
    assert capsys.readouterr() == ("", "")
