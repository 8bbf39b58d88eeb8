"""What every editing method yields, and how an edit is run without a notebook.

An edit is a plain iterator of `Step`. One `next` is one update of the latent; not calling `next`
is stopping. A step owns its tensors: nothing an edit does later changes a step already yielded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Step:
    """State of an edit after an update of its latent.

    Attributes
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        The latent, detached.
    index : int
        Number of updates made so far; 0 when there was nothing to do.
    loss : float
        The loss whose gradient led here.
    done : bool
        Whether the wish is met. The last step of an edit that ran into its step limit says False.
    """

    ws: Tensor
    index: int
    loss: float
    done: bool


class EditDiverged(FloatingPointError):
    """The optimisation left the finite numbers; the last step yielded is still good."""


AnyStep = TypeVar("AnyStep", bound=Step)


def run_to_end(edit: Iterator[AnyStep]) -> AnyStep:
    """Exhaust an edit and return its last step.

    Raises
    ------
    ValueError
        If the edit yields nothing, as one that was already run to its end does.
    """
    last = deque(edit, maxlen=1)
    if not last:
        raise ValueError("edit yielded no step; it was already run to its end. Make a new one.")
    return last[0]
