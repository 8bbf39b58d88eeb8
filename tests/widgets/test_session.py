import re
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime import pictures
from nbdrag.runtime.wishes import Sampled, sample
from nbdrag.widgets.from_page import PaintMask
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.work import Work
from tests.widgets.watching import LIMIT, PAIRS, Steps, finish, left_half, state

# ------------------------------------------------------------------------------------ at the start


def test_a_session_begins_with_a_picture_of_its_seed(session: Session) -> None:
    ws = sample(session.generator, 3, 0.7)
    assert session.ws.equal(ws)
    assert session.work.start == Sampled(3, 0.7)
    assert (session.points, session.mask, session.running) == ((), None, False)
    assert [entry.label for entry in session.entries] == ["seed 3"]
    with torch.no_grad():
        expected = pictures.to_pil(session.generator.synthesis(ws[None]).image[0])
    assert np.array_equal(session.image(), expected)


def test_options_suit_the_generator_but_for_those_named(generator: Generator) -> None:
    session = Session(Work.begin(generator, options={"max_steps": 7}))
    assert session.options == replace(DragOptions.for_generator(generator), max_steps=7)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"seed": -1}, "seed is -1; expected a whole number from 0"),
        ({"truncation": 2}, "truncation is 2; expected a number from 0 to 1"),
        ({"options": {"max_stepz": 1}}, "did you mean 'max_steps'"),
    ],
)
def test_a_session_refuses_to_begin_badly(
    generator: Generator, arguments: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        Session(Work.begin(generator, **arguments))


# --------------------------------------------------------------------------------- what is refused

Command = Callable[[Session], object]

REFUSED: list[tuple[str, Command, str]] = [
    ("points outside", lambda s: s.set_points([[8, 8, 33, 8]]), "points[0] has its target"),
    ("points NaN", lambda s: s.set_points([[8, np.nan, 3, 8]]), "points[0] has its handle"),
    ("unequal numbers", lambda s: s.set_points([[8, 8, 3]]), "points has shape [1, 3]"),
    ("a pair cut short", lambda s: s.set_points([[8, 8, 3, 4], [1]]), "points can't be read"),
    ("points as text", lambda s: s.set_points("face"), "points holds <U4 values"),
    ("mask all False", lambda s: s.set_mask(np.zeros((32, 32), bool)), "mask is False everywhere"),
    ("mask of another shape", lambda s: s.set_mask(np.ones((32, 31), bool)), "shape [32, 31]"),
    ("mask of numbers", lambda s: s.set_mask(np.ones((32, 32))), "write mask > 0"),
    ("mask of rags", lambda s: s.set_mask([[True], [True, False]]), "mask can't be read"),
    ("unknown option", lambda s: s.set_options({"speed": 1}), "unknown option 'speed'"),
    ("option NaN", lambda s: s.set_options({"learning_rate": np.nan}), "learning_rate is nan"),
    ("one bad of two", lambda s: s.set_options({"max_steps": 9, "space": 1}), "space is 1"),
    ("no such block", lambda s: s.set_options({"feature_block": 7}), "this generator has [None, 4"),
    ("no such layers", lambda s: s.set_options({"movable_layers": 60}), "for this generator it is"),
    ("no options", lambda s: s.set_options(7), "options is a int"),  # type: ignore[arg-type]
    ("seed too large", lambda s: s.sample(2**32, 0.7), "seed is 4294967296"),
    ("seed no number", lambda s: s.sample("3", 0.7), "seed is '3'"),  # type: ignore[arg-type]
    ("seed True", lambda s: s.sample(True, 0.7), "seed is True"),
    ("truncation NaN", lambda s: s.sample(3, float("nan")), "truncation is nan"),
    ("ws of a batch", lambda s: s.set_ws(s.ws[None]), "Take one picture of the batch: ws[0]"),
    ("ws in double", lambda s: s.set_ws(s.ws.double()), "ws is torch.float64"),
    ("ws of numpy", lambda s: s.set_ws(s.ws.numpy()), "expected a tensor"),  # type: ignore[arg-type]
    ("ws NaN", lambda s: s.set_ws(s.ws * torch.nan), "ws holds NaN"),
    ("ws too large", lambda s: s.set_ws(s.ws * 0 + 1e38), "the picture is not finite"),
    ("history empty", lambda s: s.set_history([]), "one at least"),
    ("history of text", lambda s: s.set_history(["a"]), "history[0] is a str"),  # type: ignore[list-item]
    ("redo at the last", lambda s: s.redo(), "there is nothing to redo"),
    ("no such entry", lambda s: s.go_to(2), "index is 2; expected 0 to 1"),
    ("no whole index", lambda s: s.go_to(0.5), "index is 0.5; expected 0 to 1"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("command", "complaint"), [c[1:] for c in REFUSED], ids=lambda v: "")
def test_what_is_refused_changes_nothing(edited: Session, command: Command, complaint: str) -> None:
    before, told = state(edited), []
    edited.listen(Listener(on_change=lambda: told.append(1)))
    with pytest.raises(ValueError, match=re.escape(complaint)):
        command(edited)
    assert state(edited) == before
    assert not told


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (Session.start, "there are no points; place a handle and its target"),
        (Session.undo, "there is nothing to undo"),
        (Session.invert_mask, "there is no mask to invert"),
    ],
)
def test_so_does_what_needs_something_first(
    session: Session, command: Command, complaint: str
) -> None:
    before = state(session)
    with pytest.raises(ValueError, match=complaint):
        command(session)
    assert state(session) == before


def test_nothing_starts_where_nothing_may_move(session: Session) -> None:
    session.set_points(PAIRS)
    everything = [(-9.0, 16.0), (40.0, 16.0)]
    session.paint_mask(PaintMask(id=1, tool="eraser", radius=99, path=everything))
    before = state(session)
    with pytest.raises(ValueError, match="mask is False everywhere"):
        session.start()
    assert state(session) == before


def test_the_history_of_another_kind_of_generator_is_refused(session: Session) -> None:
    config = StyleGAN2Config(16, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    other, before = Session(Work.begin(Generator(config))), state(session)
    with pytest.raises(ValueError, match=r"ws has shape"):
        session.set_history(other.entries)
    assert state(session) == before


# ---------------------------------------------------------------------------------- an edit's life


def test_an_edit_is_what_drag_does(session: Session) -> None:
    session.set_points(PAIRS)
    session.set_mask(left_half())
    steps, start = Steps(session), session.ws
    session.start()
    assert session.running
    finish(session)
    handles, targets = [p[:2] for p in PAIRS], [p[2:] for p in PAIRS]
    alone = list(drag(session.generator, start, handles, targets, left_half(), session.options))
    assert [step.ws.tolist() for step in steps.taken] == [step.ws.tolist() for step in alone]
    assert session.ws.equal(alone[-1].ws)
    assert [pair[:2] for pair in session.points] == [tuple(p) for p in alone[-1].points.tolist()]
    assert [pair[2:] for pair in session.points] == targets
    assert [picture.step for picture in steps.pictures] == [1, 2, 3, 4]
    assert session.progress is not None
    assert (session.progress.step, session.progress.max_steps) == (4, 4)
    assert session.progress.loss == alone[-1].loss
    assert (session.status.level, session.running) == ("warning", False)
    assert "4 steps, which is the limit" in session.status.text
    assert [entry.label for entry in session.entries] == ["seed 3", "drag, 4 steps"]


def test_targets_stay_as_they_were_placed(session: Session) -> None:
    session.set_points([[8, 8, 20.1, 12.3]])
    session.start()
    finish(session)
    assert session.points[0][2:] == (20.1, 12.3)


def test_handles_at_their_targets_are_nothing_to_do(session: Session) -> None:
    session.set_points([[8, 8, 8.25, 8]])
    ws = session.ws
    session.start()
    finish(session)
    assert len(session.entries) == 1
    assert session.ws.equal(ws)
    assert session.status.text == "Every handle is at its target already; move a target."


def test_stop_ends_it_and_keeps_what_there_is(running: Session) -> None:
    running.stop()
    finish(running)
    assert running.runner is not None
    assert running.runner.outcome is not None
    assert running.runner.outcome.reason == "stopped"
    steps = running.runner.outcome.steps
    assert running.entries[-1].label == f"drag, {steps} steps"
    assert running.ws.equal(running.entries[-1].ws)
    running.stop()  # once more does no harm


def test_an_edit_that_is_told_of_can_be_waited_for(session: Session) -> None:
    session.set_points(PAIRS)
    told = []
    session.listen(
        Listener(on_change=lambda: told.append(session.running and session.runner.running))
    )
    session.start()
    finish(session)
    assert told == [True, False]


def test_start_does_nothing_while_it_runs(running: Session) -> None:
    runner = running.runner
    running.start()
    assert running.runner is runner


def test_the_whole_picture_follows_if_it_is_small(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.set_options({"max_steps": 2})
    session.set_points(PAIRS)
    for limit, size in ((32 * 32, 32), (16 * 16, 16)):
        monkeypatch.setattr("nbdrag.runtime.synthesis.WHOLE_UP_TO", limit)
        steps = Steps(session)
        session.start()
        finish(session)
        assert [picture.image.shape for picture in steps.pictures] == [(3, size, size)] * 2


def test_without_previews_the_whole_picture_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nbdrag.runtime.synthesis.WHOLE_UP_TO", 16 * 16)
    config = StyleGAN2Config(32, 16, 16, mapping_layers=2, channel_base=256, architecture="resnet")
    session = Session(Work.begin(Generator(config).requires_grad_(False), options={"max_steps": 2}))
    session.set_points(PAIRS)
    steps = Steps(session)
    session.start()
    finish(session)
    assert [picture.image.shape for picture in steps.pictures] == [(3, 32, 32)] * 2


def test_the_picture_follows_while_it_runs(session: Session) -> None:
    session.set_points(PAIRS)
    steps = Steps(session, hold_at=2)
    before = session.image()
    session.start()
    steps.wait_for(2)
    with torch.no_grad():
        now = pictures.to_pil(session.generator.synthesis(steps.taken[-1].ws[None]).image[0])
    assert np.array_equal(session.image(), now)
    assert not np.array_equal(now, before)
    assert len(session.entries) == 1
    steps.go_on.set()
    finish(session)


@pytest.mark.parametrize(
    "command",
    [
        lambda s: s.set_mask(left_half()),
        lambda s: s.invert_mask(),
        lambda s: s.paint_mask(PaintMask(id=1, tool="brush", radius=3, path=[(4, 4)])),
        lambda s: s.set_options({"max_steps": 5}),
        lambda s: s.set_points(PAIRS[:1]),
        lambda s: s.set_points([]),
        lambda s: s.redo(),
    ],
)
def test_what_belongs_to_the_edit_is_refused_while_it_runs(
    running: Session, command: Command
) -> None:
    runner, options = running.runner, running.options
    with pytest.raises(RuntimeError, match="an edit is running"):
        command(running)
    assert running.runner is runner
    assert running.running
    assert (running.options, running.mask, len(running.points)) == (options, None, 2)


@pytest.mark.parametrize(
    "command",
    [
        lambda s: s.go_to(-1),
        lambda s: s.go_to(9),
        lambda s: s.go_to(0.5),
        lambda s: s.sample(-1, 0.7),
        lambda s: s.set_ws(s.ws[None]),
        lambda s: s.set_history([]),
        lambda s: s.set_points([[*PAIRS[0][:3], 99], PAIRS[1]]),
    ],
)
def test_what_is_bad_does_not_end_the_edit(running: Session, command: Command) -> None:
    runner = running.runner
    with pytest.raises(ValueError, match=r"expected|outside|one at least"):
        command(running)
    assert running.running
    assert running.runner is runner


@pytest.mark.parametrize(
    ("command", "labels", "cursor"),
    [
        (lambda s: s.sample(4, 0.7), ["seed 3", "drag", "seed 4"], 2),
        (lambda s: s.set_ws(torch.zeros_like(s.ws)), ["seed 3", "drag", "latent"], 2),
        (lambda s: s.undo(), ["seed 3", "drag"], 0),
        (lambda s: s.reset(), ["seed 3", "drag"], 0),
        (lambda s: s.go_to(0), ["seed 3", "drag"], 0),
    ],
)
def test_another_picture_ends_the_edit_and_keeps_its_result(
    running: Session, command: Command, labels: list[str], cursor: int
) -> None:
    command(running)
    assert not running.running
    assert [entry.label.split(",")[0] for entry in running.entries] == labels
    assert running.album.history.cursor == cursor
    assert running.ws.equal(running.entries[cursor].ws)


def test_targets_can_be_moved_while_it_runs(running: Session) -> None:
    first = running.runner
    assert first is not None
    running.set_points([(*pair[:2], 16.5, 16.5) for pair in PAIRS])
    assert [pair[2:] for pair in running.points] == [(16.5, 16.5)] * 2
    outcome = first.join(LIMIT)
    assert outcome.reason == "stopped"
    assert running.running
    assert running.runner is not first
    assert [pair[2:] for pair in running.points] == [(16.5, 16.5)] * 2
    assert [entry.label for entry in running.entries][1:] == [f"drag, {outcome.steps} steps"]
    running.stop()
    finish(running)
    first_edit, second_edit = running.recipe().edits
    assert first_edit.wish.points == PAIRS
    assert [pair[2:] for pair in second_edit.wish.points] == [(16.5, 16.5)] * 2
    assert running.recipe().replay(running.generator).equal(running.ws)


def test_a_callback_of_the_edit_may_move_targets(session: Session) -> None:
    session.set_points(PAIRS)
    moved = [(*pair[:2], 16.5, 16.5) for pair in PAIRS]
    session.listen(Listener(on_move=lambda step, picture: session.set_points(moved)))
    session.start()
    first = session.runner
    finish(session)
    assert session.runner is not first
    finish(session)
    assert [entry.label for entry in session.entries][1:] == ["drag, 1 step", "drag, 4 steps"]


def test_targets_moved_while_it_ends_are_gone_to(session: Session) -> None:
    session.set_options({"max_steps": 1})
    session.set_points(PAIRS)
    steps = Steps(session, hold_at=1)
    session.start()
    first = session.runner
    assert first is not None
    steps.wait_for(1)
    with session.lock:  # which the edit needs in order to end
        steps.go_on.set()
        while first.running:
            threading.Event().wait(0.001)
        session.set_points([(*pair[:2], 16.5, 16.5) for pair in PAIRS])
    assert first.join(LIMIT).reason == "limit"
    assert session.runner is not first
    finish(session)
    assert [pair[2:] for pair in session.recipe().edits[1].wish.points] == [(16.5, 16.5)] * 2


def test_moved_handles_alone_do_not_disturb_the_edit(running: Session) -> None:
    runner = running.runner
    running.set_points([(x + 1, y, *target) for x, y, *target in PAIRS])
    assert running.runner is runner
    assert running.running


def test_who_wants_it_to_stop_gets_no_other_edit(session: Session) -> None:
    session.set_points(PAIRS)
    steps = Steps(session, hold_at=1)
    session.start()
    steps.wait_for(1)
    session.stop()
    session.set_points([(*pair[:2], 16.5, 16.5) for pair in PAIRS])
    steps.go_on.set()
    finish(session)
    assert not session.running
    assert len(session.entries) == 2
    assert [pair[2:] for pair in session.points] == [(16.5, 16.5)] * 2


def test_a_callback_of_the_edit_can_not_replace_its_picture(session: Session) -> None:
    """It would have to wait for itself."""
    session.set_points(PAIRS)
    refusals = []

    def undo(*_: object) -> None:
        with pytest.raises(RuntimeError, match="can't wait for its end") as refusal:
            session.undo()
        refusals.append(refusal.value)

    session.listen(Listener(on_move=undo))
    session.start()
    finish(session)
    assert len(refusals) == 4  # it went on


def test_changes_are_told_with_the_lock_held(session: Session) -> None:
    told = []

    def taken_elsewhere() -> bool:
        free: list[bool] = []
        other = threading.Thread(target=lambda: free.append(session.lock.acquire(blocking=False)))
        other.start()
        other.join(LIMIT)
        return not free[0]

    session.listen(Listener(on_change=lambda: told.append((session.revision, taken_elsewhere()))))
    session.set_points(PAIRS)
    session.start()
    finish(session)
    assert told == [(1, True), (2, True), (3, True)]
