"""Running an edit without a notebook."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError

import pytest
import torch

from nbdrag.editing.step import Step, run_to_end


def counting(count: int) -> Iterator[Step]:
    for i in range(1, count + 1):
        yield Step(torch.zeros(2, 3), i, float(i), i == count)


def test_run_to_end_gives_the_last_step() -> None:
    last = run_to_end(counting(5))
    assert (last.index, last.done) == (5, True)


def test_an_exhausted_edit_is_an_error() -> None:
    edit = counting(2)
    run_to_end(edit)
    with pytest.raises(ValueError, match="already run to its end"):
        run_to_end(edit)


def test_a_step_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        next(counting(1)).index = 3  # type: ignore[misc]
