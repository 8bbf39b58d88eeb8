"""How long something takes, told while it happens: to a function, or as a bar that draws itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, float | None], None]
"""Called with what is going on and the fraction of it that is done, or None where nobody knows.

What it raises ends the work.
"""


DELAY = 0.5  # seconds: what is done by then needs no bar


@contextmanager
def drawn(progress: Progress | None) -> Iterator[Progress]:
    """Give the function itself, or, for None, one that draws a bar on the terminal or in the cell.

    The bar appears once there is something to wait for, and leaves nothing behind.
    """
    if progress is not None:
        yield progress
        return

    from tqdm.auto import tqdm  # the one that suits the place: widget or text

    form = "{desc} |{bar}| {percentage:3.0f}% [{elapsed}<{remaining}]"
    with tqdm(
        total=1.0, delay=DELAY, leave=False, bar_format=form, mininterval=0, miniters=0
    ) as bar:

        def draw(what: str, fraction: float | None) -> None:
            bar.set_description_str(what, refresh=False)
            bar.update(0 if fraction is None else fraction - bar.n)

        yield draw
