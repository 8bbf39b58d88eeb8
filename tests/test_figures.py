"""The figures in the docs are those that were measured."""

from __future__ import annotations

from tools import figures


def test_the_page_is_that_of_the_committed_results() -> None:
    assert figures.PAGE.read_text() == figures.page()
