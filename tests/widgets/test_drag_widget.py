import asyncio
import base64
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nbdrag.widgets.drag import DragEditor
from tests.widgets.page import FakeComm, Page
from tests.widgets.watching import (
    ENDLESS,
    LIMIT,
    PAIRS,
    Make,
    dragged,
    pixels,
    whole,
)


def test_it_opens_with_what_a_static_page_shows(editor: DragEditor) -> None:
    comm = editor.comm
    assert isinstance(comm, FakeComm)
    state = comm.opened["state"]
    assert (state["_esm"], state["_css"]) == ("export default {}", ".nbdrag {}")
    assert state["saved"]["history"][0]["label"] == "seed 3"
    assert np.array_equal(pixels(editor.still), editor.image)
    bundle, _ = editor._repr_mimebundle_()  # type: ignore[misc]
    assert "text/html" not in bundle
    assert np.array_equal(pixels(base64.b64decode(bundle["image/png"])), editor.image)
    json.dumps(editor.saved, allow_nan=False)


def test_traits_are_set_on_the_thread_that_made_it(make: Make) -> None:
    setters: list[tuple[str, threading.Thread]] = []

    async def main() -> DragEditor:
        editor = make()
        editor.observe(
            lambda change: setters.append((change["name"], threading.current_thread())),
            ["still", "saved"],
        )
        editor.points = PAIRS
        editor.start()
        await asyncio.wait_for(editor.wait(), LIMIT)
        page = Page(editor)
        other = threading.Thread(target=page.ask, args=("undo",))  # as from a subshell
        other.start()
        await asyncio.to_thread(other.join, LIMIT)
        await asyncio.sleep(0)  # what was handed to this loop is done first
        return editor

    editor = asyncio.run(main())
    assert [name for name, _ in setters] == ["still", "saved"] * 2
    assert {thread for _, thread in setters} == {threading.current_thread()}
    assert np.array_equal(pixels(editor.still), editor.image)
    assert (editor.saved["cursor"], editor.saved["running"]) == (0, False)


def test_without_a_loop_they_follow_with_the_next_call(editor: DragEditor) -> None:
    editor.points = PAIRS
    before = editor.still
    editor.start()
    runner = editor._session.runner
    assert runner is not None
    runner.join(LIMIT)
    assert editor.still == before
    editor.points = []  # type: ignore[assignment]
    assert np.array_equal(pixels(editor.still), editor.image)


def test_while_an_edit_runs_nothing_is_saved(make: Make) -> None:
    async def main() -> None:
        editor = make(options=ENDLESS)
        editor.points = PAIRS
        editor.start()
        editor.points = [(*pair[:2], 16.5, 16.5) for pair in PAIRS]  # type: ignore[assignment]
        async for step in editor.steps():
            if step.targets[0, 0] == 16.5:
                await asyncio.sleep(0)
                assert editor.saved["running"] is False
                editor.stop()

    asyncio.run(asyncio.wait_for(main(), LIMIT))


def test_a_page_drags_it(editor: DragEditor) -> None:
    page, other = Page(editor), Page(editor)
    page.tell(kind="ready")
    page.wait_for(lambda m: m["kind"] == "frame")
    other.tell(kind="ready")
    assert page.ask("set_points", points=[[*pair] for pair in PAIRS])[0]["ok"]
    assert editor.points == PAIRS
    assert other.ask("start")[0]["ok"]
    frame, (data,) = page.wait_for(lambda m: m["kind"] == "frame" and m["step"] == 4 and m["final"])
    assert np.array_equal(pixels(data), editor.image)
    assert page.snapshot["history"] == other.snapshot["history"]
    assert len(editor.history) == 2
    assert np.allclose(frame["points"], editor.points)


def test_a_message_that_is_none_is_answered(editor: DragEditor) -> None:
    page, before = Page(editor), whole(editor)
    for content in (None, 7, "x", [], {}, {"kind": []}, {"kind": "start", "id": "1"}):
        page.send(content)
        reply, _ = page.wait_for_kind("reply")
        assert (reply["ok"], reply["id"]) == (False, None)
    assert whole(editor) == before


def test_it_goes_on_when_nobody_can_be_reached(editor: DragEditor) -> None:
    editor.points = PAIRS
    comm = editor.comm
    assert isinstance(comm, FakeComm)
    comm.broken = True
    assert dragged(editor).steps == 4
    editor.undo()
    comm.broken = False
    comm.arrived.clear()
    page = Page(editor)
    page.tell(kind="ready")
    snapshot, _ = page.wait_for_kind("snapshot")
    assert (len(snapshot["history"]), snapshot["cursor"]) == (2, 0)
    page.wait_for(lambda m: m["kind"] == "frame" and m["final"])


def test_closing_ends_the_edit(editor: DragEditor) -> None:
    editor.points = PAIRS
    editor.options = ENDLESS  # type: ignore[assignment]
    editor.start()
    runner = editor._session.runner
    editor.close()
    assert runner is not None
    assert runner.join(LIMIT).reason == "stopped"
    assert editor.comm is None
    editor.close()


def test_a_missing_browser_half_says_what_to_do(make: Make, tmp_path: Path) -> None:
    (tmp_path / "drag.css").unlink()
    with pytest.raises(FileNotFoundError, match=r"drag\.css is missing; run `make build`"):
        make()


def test_an_unknown_generator_says_what_there_is(make: Make) -> None:
    with pytest.raises(ValueError, match="id you mean 'toonfaces-128'"):
        make("toonface")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"truncation": 1.1}, "truncation is 1.1"),
        ({"options": {"space": "y"}}, "space is 'y'"),
        ({"options": [1]}, "options is a list"),
    ],
)
def test_it_can_not_begin_badly(make: Make, arguments: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        make(**arguments)


def test_options_of_numpy_reach_the_page(make: Make) -> None:
    editor = make(options={"learning_rate": np.float64(0.5), "max_steps": np.int64(7)})
    assert Page(editor).ask("set_points", points=[])[0]["ok"]
    assert Page(editor).snapshot["options"]["max_steps"] == 7
