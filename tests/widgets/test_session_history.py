from copy import deepcopy
from dataclasses import asdict

import numpy as np
import pytest

from nbdrag.runtime.wishes import Given, Sampled, sample
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.watching import PAIRS, SHORT, finish, left_half, state


def test_undo_brings_back_the_very_picture(session: Session) -> None:
    session.set_points(PAIRS)
    session.set_mask(left_half())
    first = state(session)
    session.start()
    finish(session)
    second = state(session)
    assert second["ws"] != first["ws"]
    assert second["still"] != first["still"]
    session.undo()
    back = state(session)
    for what in ("ws", "still", "mask"):
        assert back[what] == first[what]
    assert session.points == PAIRS
    session.redo()
    for what in ("ws", "still", "mask"):
        assert state(session)[what] == second[what]
    session.reset()
    assert state(session)["still"] == first["still"]
    session.go_to(1)
    assert state(session)["still"] == second["still"]


def test_what_was_placed_comes_back_with_its_picture(edited: Session) -> None:
    after = edited.points
    edited.set_mask(None)
    edited.undo()
    assert edited.points == PAIRS
    assert edited.mask is not None
    assert edited.mask.sum() == 512
    edited.set_points([])
    edited.redo()
    assert (edited.points, edited.mask) == (after, None)
    edited.undo()
    assert edited.points == ()


def test_reset_leads_to_the_last_start(edited: Session) -> None:
    edited.sample(9, 0.5)
    edited.start()
    finish(edited)
    edited.reset()
    assert edited.album.history.cursor == 2
    assert edited.work.start == Sampled(9, 0.5)
    edited.go_to(1)
    assert edited.work.start == Sampled(3, 0.7)


def test_truncations_of_one_seed_are_one_entry(session: Session) -> None:
    session.sample(5, 0.7)
    for truncation in (0.1, 0.5, 0.9):
        session.sample(5, truncation)
    assert [entry.change for entry in session.entries] == [Sampled(3, 0.7), Sampled(5, 0.9)]
    session.sample(5, 0.9)
    assert len(session.entries) == 2


def test_a_latent_can_be_set(session: Session) -> None:
    ws = sample(session.generator, 8, 1.0)
    session.set_points(PAIRS)
    session.set_ws(ws)
    assert session.ws.equal(ws)
    assert session.ws is not ws
    assert session.work.start is None
    assert session.points == PAIRS
    assert session.recipe().start == Given()
    session.undo()
    assert session.work.start == Sampled(3, 0.7)


def test_a_history_can_be_set(edited: Session) -> None:
    other = Session(Work.begin(edited.generator, options=SHORT))
    other.set_history(edited.entries)
    assert other.ws.equal(edited.ws)
    assert other.points == edited.points
    assert np.array_equal(other.mask, edited.mask)  # type: ignore[arg-type]
    assert np.array_equal(other.image(), edited.image())
    assert other.recipe().replay(other.generator).equal(edited.ws)
    other.undo()
    assert other.points == PAIRS


def test_a_history_of_another_generator_is_refused(edited: Session) -> None:
    """It has the same shapes; but its recipe would make other pictures."""
    other = deepcopy(edited.generator)
    other.mapping.fc0.weight.mul_(2)  # type: ignore[union-attr, operator]
    session = Session(Work.begin(other))
    before = state(session)
    with pytest.raises(ValueError, match=r"history\[0\], seed 3, was drawn by another generator"):
        session.set_history(edited.entries)
    assert state(session) == before


def test_a_recipe_is_the_history_up_to_here(edited: Session) -> None:
    recipe = edited.recipe()
    assert recipe.replay(edited.generator).equal(edited.ws)
    (edit,) = recipe.edits
    assert (edit.steps, edit.wish.points) == (4, PAIRS)
    assert edit.wish.options == asdict(edited.options)
    edited.undo()
    assert edited.recipe().edits == ()
