import asyncio
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from nbdrag.editing.drag_options import DragOptions
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.runner import Outcome
from nbdrag.runtime.wishes import sample
from nbdrag.widgets.drag import DragEditor
from tests.widgets.page import Page
from tests.widgets.watching import (
    ENDLESS,
    LIMIT,
    PAIRS,
    SHORT,
    Make,
    dragged,
    left_half,
    pixels,
    whole,
)

# --------------------------------------------------------------------------------- as Python has it


def test_its_attributes_are_plain_objects(editor: DragEditor, generator: Generator) -> None:
    assert editor.generator is generator
    assert editor.ws.equal(sample(generator, 3, 0.7))
    assert (editor.image.size, editor.image.mode) == ((32, 32), "RGB")
    assert (editor.seed, editor.truncation) == (3, 0.7)
    assert (editor.points, editor.mask, editor.running, editor.cursor) == ((), None, False, 0)
    assert editor.options == DragOptions.for_generator(generator).updated(SHORT)
    assert editor.space == "w+"
    assert [entry.label for entry in editor.history] == ["seed 3"]


def test_they_can_be_set(editor: DragEditor) -> None:
    page = Page(editor)
    editor.points = torch.tensor(PAIRS)  # type: ignore[assignment]
    assert editor.points == PAIRS
    assert page.snapshot["points"] == [*PAIRS]
    editor.mask = left_half()
    assert editor.mask is not None
    assert np.array_equal(editor.mask, left_half())
    with pytest.raises(ValueError, match="read-only"):
        editor.mask[0, 0] = False
    editor.options = {"max_steps": 9}  # type: ignore[assignment]
    editor.space = "w"
    assert (editor.options.max_steps, editor.options.space) == (9, "w")
    editor.options = DragOptions(movable_layers=3)
    assert page.snapshot["options"]["movable_layers"] == 3
    editor.seed = 5
    assert (page.snapshot["seed"], editor.truncation) == (5, 0.7)
    editor.truncation = 0.5
    assert editor.ws.equal(sample(editor.generator, 5, 0.5))
    editor.ws = sample(editor.generator, 6, 1.0)
    assert editor.ws.equal(sample(editor.generator, 6, 1.0))
    assert (editor.seed, editor.truncation) == (None, None)
    editor.points, editor.mask = [], None  # type: ignore[assignment]
    assert (editor.points, editor.mask) == ((), None)
    editor.seed = 7
    assert editor.truncation == 0.7
    labels = [entry["label"] for entry in page.snapshot["history"]]
    assert labels == ["seed 3", "seed 5", "latent", "seed 7"]


def test_a_latent_that_was_taken_is_ones_own(editor: DragEditor) -> None:
    editor.ws.fill_(7)
    assert editor.ws.equal(sample(editor.generator, 3, 0.7))


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("points", [[8, 8, 8, 32.5]], "outside the picture"),
        ("points", [[8, 8], [9, 9]], "points has shape"),
        ("mask", np.zeros((32, 32), bool), "False everywhere"),
        ("mask", np.ones((32, 32), np.uint8), "write mask > 0"),
        ("options", {"learning_rat": 1}, "did you mean 'learning_rate'"),
        ("space", "z", "space is 'z'; expected one of 'w\\+', 'w'"),
        ("seed", 1.5, "seed is 1.5"),
        ("truncation", -1, "truncation is -1"),
        ("ws", torch.zeros(2, 2), "ws has shape"),
        ("history", (), "one at least"),
    ],
)
def test_what_is_bad_is_refused(
    editor: DragEditor, name: str, value: object, complaint: str
) -> None:
    before = whole(editor)
    with pytest.raises(ValueError, match=complaint):
        setattr(editor, name, value)
    assert whole(editor) == before


def test_so_is_what_can_not_be_done_yet(editor: DragEditor) -> None:
    before = whole(editor)
    for command, complaint in [
        (editor.start, "there are no points"),
        (editor.undo, "nothing to undo"),
        (editor.redo, "nothing to redo"),
        (lambda: editor.go_to(1), "index is 1"),
    ]:
        with pytest.raises(ValueError, match=complaint):
            command()
    assert whole(editor) == before
    editor.ws = editor.ws
    with pytest.raises(ValueError, match=r"set editor\.seed first"):
        editor.truncation = 0.5


def test_an_image_follows_from_its_latent(editor: DragEditor) -> None:
    with pytest.raises(AttributeError):
        editor.image = None  # type: ignore[misc]


# ---------------------------------------------------------------------------------------- dragging


def test_an_edit_can_be_awaited(editor: DragEditor) -> None:
    editor.points = PAIRS
    assert asyncio.run(editor.wait()) is None
    outcome = dragged(editor)
    assert (outcome.reason, outcome.steps, editor.running) == ("limit", 4, False)
    assert asyncio.run(editor.wait()) == outcome


def test_steps_can_be_looped_over(editor: DragEditor) -> None:
    editor.points = PAIRS

    async def main() -> list[int]:
        editor.start()
        return [step.index async for step in editor.steps()]

    indices = asyncio.run(asyncio.wait_for(main(), LIMIT))
    assert indices == sorted(set(indices))
    assert indices[-1] == 4


def test_the_loop_of_an_edit_that_has_ended_sees_its_last_step(editor: DragEditor) -> None:
    editor.points = PAIRS
    dragged(editor)

    async def main() -> list[int]:
        return [step.index async for step in editor.steps()]

    assert asyncio.run(main()) == [4]


def test_waiting_goes_on_through_moved_targets(editor: DragEditor) -> None:
    editor.points = PAIRS
    editor.options = ENDLESS  # type: ignore[assignment]
    seen = []

    async def main() -> Outcome | None:
        editor.start()
        waiting = asyncio.create_task(editor.wait())
        async for step in editor.steps():
            seen.append(step.targets[0].tolist())
            if len(seen) == 1:
                editor.points = [(*pair[:2], 16.5, 16.5) for pair in PAIRS]  # type: ignore[assignment]
            elif seen[-1] == [16.5, 16.5]:
                assert not waiting.done()
                editor.stop()
        return await waiting

    outcome = asyncio.run(asyncio.wait_for(main(), LIMIT))
    assert seen[0] == [20, 12]
    assert outcome is not None
    assert outcome.reason == "stopped"
    assert len(editor.history) == 3


def test_stop_waits_for_the_end(editor: DragEditor) -> None:
    editor.points = PAIRS
    editor.options = ENDLESS  # type: ignore[assignment]
    editor.stop()  # nothing runs
    started = threading.Event()
    editor.on_step(lambda _: started.set())
    editor.start()
    assert started.wait(LIMIT)
    assert editor.running
    editor.stop()
    assert not editor.running
    assert editor.ws.equal(editor.history[1].ws)


def test_callbacks_are_called_after_each_step(editor: DragEditor) -> None:
    editor.points = PAIRS
    first, second = [], []
    editor.on_step(lambda step: first.append(step.index))
    remove = editor.on_step(lambda step: second.append(step.index))
    dragged(editor)
    remove()
    dragged(editor)
    assert (first, second) == ([1, 2, 3, 4] * 2, [1, 2, 3, 4])


def test_a_callback_may_stop_the_edit(editor: DragEditor) -> None:
    editor.points = PAIRS
    editor.on_step(lambda step: step.index == 2 and editor.stop())
    assert dragged(editor) == Outcome("stopped", 2, "Stopped after 2 steps.")


def test_what_a_callback_raises_is_shown_and_nothing_more(editor: DragEditor) -> None:
    editor.points = PAIRS  # type: ignore[assignment]
    page, told = Page(editor), len(Page(editor).kinds())
    editor.on_step(lambda step: 1 // 0)
    assert dragged(editor).steps == 4
    error = "on_step: ZeroDivisionError: integer division or modulo by zero"
    page.wait_for(lambda m: m["kind"] == "snapshot" and m["status"]["text"] == error)
    status = {"level": "error", "text": f"Not there yet after 4 steps, which is the limit. {error}"}
    assert page.snapshot["status"].items() >= status.items()
    # At the start, once for all steps, and at the end.
    assert page.kinds()[told:].count("snapshot") == 3


def test_back_and_forth(editor: DragEditor) -> None:
    editor.points = PAIRS
    first, still = editor.ws, editor.still
    dragged(editor)
    second, moved = editor.ws, editor.still
    assert not second.equal(first)
    assert moved != still
    for command, ws, seen, cursor in [
        (editor.undo, first, still, 0),
        (editor.redo, second, moved, 1),
        (editor.reset, first, still, 0),
        (lambda: editor.go_to(1), second, moved, 1),
    ]:
        command()
        assert editor.ws.equal(ws)
        assert editor.still == seen
        assert editor.cursor == cursor
        assert np.array_equal(editor.image, pixels(seen))


def test_a_history_is_handed_on(editor: DragEditor, make: Make) -> None:
    editor.points = PAIRS
    dragged(editor)
    other = make(seed=9)
    page = Page(other)
    other.history = editor.history
    assert other.ws.equal(editor.ws)
    assert other.still == editor.still
    assert [e["label"] for e in page.snapshot["history"]] == ["seed 3", "drag, 4 steps"]
    other.undo()
    assert other.points == PAIRS


@pytest.mark.parametrize("given", [False, True])
def test_a_recipe_is_code_for_the_same_picture(make: Make, tmp_path: Path, given: bool) -> None:
    path = tmp_path / "tiny.safetensors"
    save_generator(make().generator, path)
    editor = make(path)
    if given:
        editor.ws = sample(editor.generator, 8, 1.0)
    editor.points = PAIRS
    dragged(editor)
    editor.mask, editor.space = left_half(), "w"  # type: ignore[assignment]
    editor.points = [(*pair[:2], 16.3, 3.7) for pair in editor.points]  # type: ignore[assignment]
    editor.on_step(lambda step: step.index == 3 and editor.stop())
    assert dragged(editor).steps == 3
    code = editor.recipe.to_python()
    scope: dict[str, Any] = {}
    exec(compile(code, "recipe", "exec"), scope)
    assert scope["ws"].equal(editor.ws)
    assert np.array_equal(scope["picture"], editor.image)
    reply, _ = Page(editor).ask("get_code")
    assert reply["code"] == code


def test_editors_of_one_generator_do_not_mix(make: Make) -> None:
    editors = [make(seed=3), make(seed=4), make(seed=3)]
    for editor in editors:
        editor.points = PAIRS

    async def main() -> None:
        for editor in editors:
            editor.start()
        await asyncio.gather(*(editor.wait() for editor in editors))

    asyncio.run(asyncio.wait_for(main(), LIMIT))
    assert editors[0].ws.equal(editors[2].ws)
    assert not editors[0].ws.equal(editors[1].ws)
    assert [editor._session.running for editor in editors] == [False] * 3
