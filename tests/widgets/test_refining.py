"""Large pictures: a glance at once, the whole of them at rest, and nobody waits for that."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.rest import AtRest
from nbdrag.runtime.turns import generator_lock
from nbdrag.widgets import state as module
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.watching import LIMIT, PAIRS, SHORT, Make, dragged, finish, pixels


class Refining:
    """Takes the place of `AtRest`: does what is due when the test says so."""

    def __init__(self, do: Callable[[Callable[[], bool]], object]) -> None:
        self.do, self.due, self.turn = do, False, 0

    def settle(self) -> None:
        self.turn += 1
        self.due = True

    def move(self) -> None:
        self.turn += 1
        self.due = False

    def close(self) -> None:
        self.move()

    def now(self) -> None:
        assert self.due, "nothing was to be done"
        self.due, turn = False, self.turn
        self.do(lambda: self.turn != turn)


@pytest.fixture(autouse=True)
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 pixels are many."""
    monkeypatch.setattr("nbdrag.runtime.synthesis.WHOLE_UP_TO", 31 * 31)
    monkeypatch.setattr(module, "AtRest", Refining)


@pytest.fixture
def line(generator: Generator) -> Iterator[Line]:
    line = Line(Session(Work.begin(generator, seed=3, options=SHORT)))
    yield line
    line.session.close()
    if line.session.runner is not None:
        finish(line.session)
    line.wire.close()


def refining(session: Session) -> Refining:
    assert isinstance(session._resting, Refining)
    return session._resting


def is_final(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and message["final"]


def is_moving(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and not message["final"]


def whole(session: Session) -> np.ndarray:
    with torch.no_grad():
        image = session.generator.synthesis(session.ws[None]).image[0]
    return np.asarray(pictures.to_pil(image))


def test_the_real_one_waits_150_ms(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AtRest", AtRest)
    session = Session(Work.begin(generator, seed=3))
    changed = threading.Event()
    session.sample(4, 0.7)
    session.listen(Listener(on_change=changed.set))
    assert session._resting._pause == 0.15
    assert changed.wait(LIMIT)
    assert session.album.is_whole(session.album.current)
    session.close()


def test_a_sample_is_seen_at_once_and_whole_at_rest(line: Line) -> None:
    page, session = line.page(), line.session
    page.wait_for(is_final)
    assert not refining(session).due
    page.tell(kind="sample", id=1, seed=5, truncation=0.7)
    glance, (data,) = page.wait_for(is_moving)
    assert (glance["width"], glance["height"], pixels(data).shape) == (16, 16, (16, 16, 3))
    assert pixels(page.latest("before")[1][0]).shape == (16, 16, 3)
    refining(session).now()
    still, (data,) = page.wait_for(is_final)
    assert (still["width"], still["height"]) == (32, 32)
    assert np.array_equal(pixels(data), whole(session))
    assert np.array_equal(pixels(page.latest("before")[1][0]), whole(session))
    assert not refining(session).due


def test_so_is_the_end_of_an_edit(line: Line) -> None:
    page, session = line.page(), line.session
    page.wait_for(is_final)
    page.ask("set_points", points=[list(pair) for pair in PAIRS])
    page.tell(kind="start", id=1)
    finish(session)
    page.wait_for(lambda m: is_moving(m) and m["step"] == 4)
    assert not page.snapshot["running"]
    assert len(session.entries) == 2
    refining(session).now()
    still, (data,) = page.wait_for(is_final)
    assert (still["step"], still["width"]) == (4, 32)
    assert np.array_equal(pixels(data), whole(session))
    # Undo leads to a picture that was whole already, redo to this one.
    page.tell(kind="undo", id=2)
    page.wait_for(is_final)
    page.tell(kind="redo", id=3)
    _, (again,) = page.wait_for(is_final)
    assert again == data
    assert not refining(session).due


def test_nothing_is_held_up_by_it(line: Line) -> None:
    """In the middle of the whole picture, another edit begins; the lock was free all the while."""
    session, begun, go_on = line.session, threading.Event(), threading.Event()

    def halt(*_: object) -> None:
        begun.set()
        assert go_on.wait(LIMIT)

    session.sample(5, 0.7)
    session.set_points(PAIRS)
    hook = session.generator.synthesis.b8.register_forward_pre_hook(halt)
    at_rest = threading.Thread(target=refining(session).now)
    at_rest.start()
    assert begun.wait(LIMIT)
    assert session.lock.acquire(timeout=LIMIT)
    session.lock.release()
    session.start()  # returns although the generator is not free yet
    go_on.set()
    at_rest.join(LIMIT)
    finish(session)
    hook.remove()
    assert not session.album.is_whole(session.entries[1])  # given up
    assert session.entries[-1].label == "drag, 4 steps"
    assert refining(session).due


def test_what_moved_on_is_not_shown_any_more(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even if the whole picture was just finished."""
    session, real = line.session, module.whole

    def late(generator: Generator, ws: torch.Tensor, unwanted: Callable[[], bool]) -> Any:
        picture = real(generator, ws)
        session.undo()
        return picture

    session.sample(5, 0.7)
    monkeypatch.setattr(module, "whole", late)
    refining(session).now()
    assert session.album.history.cursor == 0
    assert not session.album.is_whole(session.entries[1])


def test_a_whole_picture_that_cannot_be_made_is_said_and_the_glance_stays(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("too little memory")

    page, session = line.page(), line.session
    session.sample(5, 0.7)
    monkeypatch.setattr(module, "whole", fail)
    refining(session).now()
    assert page.snapshot["status"] == {
        "kind": "status",
        "level": "error",
        "text": "The whole picture can't be shown: MemoryError: too little memory",
    }
    assert not session.album.is_whole(session.album.current)
    session.undo()
    assert session.album.is_whole(session.album.current)


def test_python_gets_the_whole_picture_whenever_it_asks(line: Line) -> None:
    session = line.session
    session.sample(5, 0.7)
    assert np.array_equal(session.image(), whole(session))
    page = line.page()
    reply, (png,) = page.ask("get_png")
    assert reply["ok"]
    assert np.array_equal(pixels(png), whole(session))


def test_who_asks_while_it_is_being_made_does_not_make_it_twice(line: Line) -> None:
    session, lock = line.session, generator_lock(line.session.generator)
    session.sample(5, 0.7)
    found: list[Any] = []
    asking = threading.Thread(target=lambda: found.append(session.image()))
    with lock:
        asking.start()
        picture = session.generator.synthesis(session.ws[None]).image[0]
        with session.lock:
            session.album.keep(session.album.current, module.Shot.of(picture, whole=True))
    asking.join(LIMIT)
    assert np.array_equal(found[0], pictures.to_pil(picture))


def test_the_notebook_keeps_whole_pictures_only(make: Make) -> None:
    editor = make()
    editor.points = PAIRS
    assert pixels(editor.still).shape == (32, 32, 3)
    before = editor.still
    dragged(editor)
    assert editor.still == before
    assert editor.saved["cursor"] == 0
    refining(editor._session).now()
    assert pixels(editor.still).shape == (32, 32, 3)
    assert editor.still != before
    assert editor.saved["cursor"] == 1


def test_another_history_is_taken_over_at_a_glance(session: Session, generator: Generator) -> None:
    session.set_points(PAIRS)
    session.start()
    finish(session)
    other = Session(Work.begin(generator, seed=9))
    other.set_history(session.entries)
    assert [other.album.is_whole(entry) for entry in other.entries] == [False, False]
    refining(other).now()
    assert [other.album.is_whole(entry) for entry in other.entries] == [True, True]
