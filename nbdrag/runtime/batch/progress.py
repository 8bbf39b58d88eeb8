"""How far a transfer is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nbdrag.runtime.batch.manifest import Problem

TOLD = 20  # skipped items that a bar tells of; all are in the manifest


@dataclass(frozen=True)
class TransferProgress:
    """How far a transfer is.

    Attributes
    ----------
    done, failed : int
        Items made, and items skipped; those of earlier runs among them. The newest of those made
        may still be on their way into the sink.
    total : int or None
        How many there are; None where nobody knows before the end.
    made : int
        How many this run has made.
    seconds : float
        For how long it has been running.
    problems : tuple of Problem
        What was skipped since the progress before.
    ended : bool
        Whether all is done.
    """

    done: int
    failed: int
    total: int | None
    made: int = 0
    seconds: float = 0.0
    problems: tuple[Problem, ...] = ()
    ended: bool = False

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.made / self.seconds if self.seconds else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds to go, if it goes on as it went; None where nobody knows."""
        if self.total is None or not self.rate:
            return None
        return (self.total - self.done - self.failed) / self.rate

    def __str__(self) -> str:
        of = "" if self.total is None else f" of {self.total}"
        skipped = f", {self.failed} skipped" if self.failed else ""
        return f"{self.done}{of} done{skipped}, {self.rate:.1f} a second"


def watch(progress: Iterator[TransferProgress]) -> TransferProgress:
    """Run a transfer to its end with a bar that tells how far it is, in a notebook or a terminal.

    Parameters
    ----------
    progress : iterator of TransferProgress
        What `transfer_edit` gives.

    Returns
    -------
    TransferProgress
        The last one. Interrupted on the way, the transfer can be gone on with.

    Examples
    --------
    >>> watch(transfer_edit(smile, range(1000), "smiling"))  # doctest: +SKIP
    """
    from tqdm.auto import tqdm  # the one that suits the place: widget or text

    last = next(progress)
    told = 0
    with tqdm(total=last.total, initial=last.done + last.failed, unit=" items") as bar:
        for last in progress:
            for problem in last.problems[: max(0, TOLD - told)]:
                bar.write(f"skipped {problem}")
            told += len(last.problems)
            bar.total = last.total
            bar.update(last.done + last.failed - bar.n)
    return last
