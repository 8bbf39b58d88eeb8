"""Making batch previews of the tiny generator, and watching them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.widgets.batch import BatchPreview
from tests.widgets.page import Page

MakeBatch = Callable[..., BatchPreview]

BRIEF = DirectionOptions(portraits=2, max_steps=3, block=8, space="w", movable_layers=4)
"""How to find a direction in no time."""

PATIENT = DirectionOptions(portraits=1, max_steps=10_000, block=8, movable_layers=4)
"""Until somebody stops it."""


def see(page: Page, *items: int) -> dict[tuple[int, bool], tuple[float, bytes]]:
    """Look at pictures, and wait until all of them have come: (strength, JPEG) of each."""
    page.tell(kind="look", view=1, items=list(items))
    return seen(page, {(item, after) for item in items for after in (False, True)})


def seen(page: Page, wanted: set[tuple[int, bool]]) -> dict[tuple[int, bool], tuple[float, bytes]]:
    """The next pictures of these."""
    found: dict[tuple[int, bool], tuple[float, bytes]] = {}
    while wanted - found.keys():
        message, buffers = page.wait_for_kind("tiles")
        page.tell(kind="ack", seq=message["seq"])
        for tile, data in zip(message["tiles"], buffers, strict=True):
            found[tile["item"], tile["after"]] = (tile["alpha"], data)
    return found


def numbers(page: Page, kind: str) -> Any:
    """The newest message of a kind, and its buffer."""
    message, buffers = page.latest(kind)
    return message, buffers[0] if buffers else b""
