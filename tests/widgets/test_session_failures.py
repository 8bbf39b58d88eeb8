import threading
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from itertools import islice
from typing import Any

import pytest
import torch

from nbdrag.editing.draggan import drag
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.watching import LIMIT, PAIRS, SHORT, finish, state

Command = Callable[[Session], object]


def spoilt(generator: Generator, when: Callable[[int, object], bool]) -> Generator:
    """A copy whose syntheses are NaN when `when(count, until)` says so."""
    copy = deepcopy(generator)
    right, count = copy.synthesis.forward, iter(range(10_000))

    def forward(ws: torch.Tensor, **options: Any) -> Any:
        image, features = right(ws, **options)
        bad = torch.nan if when(next(count), options.get("until")) else 1.0
        return type(right(ws))(image * bad, {r: f * bad for r, f in features.items()})

    copy.synthesis.forward = forward  # type: ignore[method-assign]
    return copy


def test_nan_rolls_back_and_says_so(generator: Generator) -> None:
    # One synthesis for the first picture, one to begin the edit, two for each step.
    session = Session(Work.begin(spoilt(generator, lambda i, _: i == 6), seed=3, options=SHORT))
    session.set_points(PAIRS)
    start = session.ws
    session.start()
    finish(session)
    assert session.status.level == "error"
    assert "in step 3" in session.status.text
    assert "The picture is that of step 2" in session.status.text
    handles, targets = [p[:2] for p in PAIRS], [p[2:] for p in PAIRS]
    steps = islice(drag(generator, start, handles, targets, None, session.options), 2)
    assert session.ws.equal(list(steps)[-1].ws)
    assert session.entries[-1].label == "drag, 2 steps"
    session.undo()
    assert session.ws.equal(start)


def test_nan_at_once_leaves_everything_in_place(generator: Generator) -> None:
    session = Session(Work.begin(spoilt(generator, lambda i, _: i == 2), seed=3, options=SHORT))
    session.set_points(PAIRS)
    start = session.ws
    session.start()
    finish(session)
    assert "The picture is that of the start" in session.status.text
    assert session.ws.equal(start)
    assert (session.points, len(session.entries), session.running) == (PAIRS, 1, False)


def test_an_edit_whose_whole_picture_is_nan_is_taken_back(generator: Generator) -> None:
    """The blocks below the last one were fine."""
    session = Session(
        Work.begin(spoilt(generator, lambda i, until: i > 0 and not until), options=SHORT)
    )
    session.set_points(PAIRS)
    start = session.ws
    session.start()
    finish(session)
    assert session.status.level == "error"
    assert "the picture is not finite" in session.status.text
    assert session.ws.equal(start)
    assert (session.points, len(session.entries)) == (PAIRS, 1)


def test_a_truncation_without_a_picture_leaves_the_one_before(generator: Generator) -> None:
    """Whose place it would take."""
    session = Session(Work.begin(spoilt(generator, lambda i, _: i == 2), seed=3))
    session.sample(4, 0.7)
    before = state(session)
    with pytest.raises(ValueError, match="the picture is not finite"):
        session.sample(4, 0.3)
    assert state(session) == before


def test_two_editors_of_one_generator_take_turns(generator: Generator) -> None:
    options = {**SHORT, "max_steps": 12}
    sessions = [Session(Work.begin(generator, seed=seed, options=options)) for seed in (3, 4)]
    for session in sessions:
        session.set_points(PAIRS)
        session.start()
    for session in sessions:
        finish(session)
        handles, targets = [p[:2] for p in PAIRS], [p[2:] for p in PAIRS]
        first = session.entries[0].ws
        alone = run_to_end(drag(generator, first, handles, targets, None, session.options))
        assert session.ws.equal(alone.ws)


def test_many_threads_may_command_at_once(session: Session) -> None:
    session.set_points(PAIRS)
    commands: list[Command] = [
        Session.start,
        Session.stop,
        Session.undo,
        lambda s: s.sample(5, 0.7),
        lambda s: s.set_points([(*pair[:2], 16.5, 3.5) for pair in PAIRS]),
        lambda s: s.image(),
    ]
    failures: list[BaseException] = []

    def keep_at(command: Command) -> None:
        for _ in range(8):
            try:
                with suppress(RuntimeError):  # refused while an edit runs
                    command(session)
            except ValueError as refusal:
                if "nothing to undo" not in str(refusal):
                    failures.append(refusal)
            except BaseException as error:
                failures.append(error)

    threads = [threading.Thread(target=keep_at, args=(command,)) for command in commands]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
        assert not thread.is_alive()
    session.stop()
    if session.runner is not None:
        finish(session)
    assert not failures
    assert not session.running
    assert session.ws.equal(session.album.current.ws)
    assert len(session.points) == 2
