"""Watching a session or an editor: its state, to compare, and its steps, to wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from nbdrag.editing.step import Step
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.runner import Outcome
from nbdrag.widgets import from_kernel
from nbdrag.widgets.drag import DragEditor
from nbdrag.widgets.models import Models
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.wire import Wire

LIMIT = 60.0  # seconds; a limit, not a pause

SHORT = {"max_steps": 4, "learning_rate": 0.02, "patch_radius": 2, "search_radius": 3}
ENDLESS = {**SHORT, "max_steps": 10_000, "learning_rate": 1e-4, "tracking": False}
"""Options of an edit that runs until somebody stops it: its handles never come nearer."""

PAIRS = ((8.0, 8.0, 20.0, 12.0), (20.0, 20.0, 10.5, 24.25))


Make = Callable[..., DragEditor]


def left_half() -> np.ndarray:
    mask = np.zeros((32, 32), dtype=bool)
    mask[:, :16] = True
    return mask


def state(session: Session) -> dict[str, Any]:
    """All that pages and Python can see of a session, as things that can be compared."""
    wire = Wire(session, Models(session), lambda content, buffers: None)
    try:
        snapshot = from_kernel.encode(wire.snapshot())
    finally:
        wire.close()
    album = session.album
    return {
        "snapshot": snapshot,
        "ws": session.ws.numpy().tobytes(),
        "mask": None if session.mask is None else session.mask.tobytes(),
        "still": album.still(album.current),
        "still_version": session.still_version,
        "points of entries": [entry.points for entry in session.entries],
        "thumbnails": [entry.thumbnail for entry in session.entries],
    }


class Steps:
    """Listens to the steps of a session's edits; can make the edit wait after a step."""

    def __init__(self, session: Session, hold_at: int | None = None) -> None:
        self.taken: list[Step] = []
        self.pictures: list[Picture] = []
        self.hold_at, self.go_on, self._news = hold_at, threading.Event(), threading.Condition()
        session.listen(Listener(on_move=self))

    def __call__(self, step: Step, picture: Picture) -> None:
        with self._news:
            self.taken.append(step)
            self.pictures.append(picture)
            self._news.notify_all()
        if step.index == self.hold_at:
            assert self.go_on.wait(LIMIT)

    def wait_for(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.taken) >= count, LIMIT)


def finish(session: Session) -> None:
    """Wait for the end of the edit."""
    assert session.runner is not None
    session.runner.join(LIMIT)


def whole(editor: DragEditor) -> list[object]:
    """All that can be seen of an editor at rest."""
    mask = editor.mask
    return [
        from_kernel.encode(editor._wire.snapshot()),
        editor.ws.tolist(),
        None if mask is None else mask.tolist(),
        [(entry.id, entry.points) for entry in editor.history],
        editor.still,
        editor.saved,
    ]


def dragged(editor: DragEditor) -> Outcome:
    """Drag from here, and wait for the end."""

    async def main() -> Outcome | None:
        editor.start()
        return await asyncio.wait_for(editor.wait(), LIMIT)

    outcome = asyncio.run(main())
    assert outcome is not None
    return outcome


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))
