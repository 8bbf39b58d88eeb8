"""The ways to drag: chosen, with options of their own, run, remembered."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from nbdrag.editing.auto_draggan import AutoDragOptions, auto_drag
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.freedrag import free_drag
from nbdrag.editing.freedrag_options import FreeDragOptions
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import predictor_hash
from nbdrag.editing.layout_drag import LayoutDragOptions
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Edit
from nbdrag.widgets.methods import DRAG_METHODS, missing
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.editing.predictors import tiny_predictor
from tests.widgets.line import Line
from tests.widgets.page import Page
from tests.widgets.watching import PAIRS, SHORT, Make, finish, left_half, state

HANDLES, TARGETS = [pair[:2] for pair in PAIRS], [pair[2:] for pair in PAIRS]
FREE = {"max_steps": 4, "learning_rate": 0.02, "patch_radius": 2}


@pytest.fixture(scope="module")
def predictor(generator: Generator) -> LatentPredictor:
    return tiny_predictor(generator)


@pytest.fixture
def predicting(session: Session, predictor: LatentPredictor) -> Session:
    """A session that drags in one pass, with a predictor of its own."""
    session.set_predictor(predictor)
    session.set_drag_method("auto_drag")
    session.set_points(PAIRS)
    return session


def another_generator() -> Generator:
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    return Generator(config, rng=torch.Generator().manual_seed(1)).eval().requires_grad_(False)


def run(session: Session) -> Edit:
    session.start()
    finish(session)
    change = session.album.current.change
    assert isinstance(change, Edit)
    return change


# ----------------------------------------------------------------------------------------- running


def test_free_drag_runs_as_it_does_elsewhere(session: Session) -> None:
    session.set_drag_method("free_drag")
    session.set_options(FREE)
    session.set_points(PAIRS)
    session.set_mask(left_half())
    ws, options = session.ws, session.options
    edit = run(session)
    expected = run_to_end(free_drag(session.generator, ws, HANDLES, TARGETS, left_half(), options))
    assert session.ws.equal(expected.ws)
    assert (edit.wish.method, edit.steps, dict(edit.wish.options)) == (
        "free_drag",
        4,
        asdict(options),
    )
    assert session.entries[-1].label == "FreeDrag, 4 steps"
    assert session.points[0][:2] == tuple(expected.points[0].tolist())


def test_so_does_one_pass(predicting: Session, predictor: LatentPredictor) -> None:
    ws = predicting.ws
    edit = run(predicting)
    # Both ways are longer than a quarter of the picture, so there are two hops.
    (*_, last) = auto_drag(predicting.generator, ws, HANDLES, TARGETS, predictor=predictor)
    assert predicting.ws.equal(last.ws)
    assert (edit.steps, edit.wish.predictor) == (6, predictor_hash(predictor))
    assert predicting.entries[-1].label == "one pass, 6 steps"
    assert predicting.status.level == "info"
    assert predicting.status.text == "Predicted in 6 steps."
    predicting.undo()
    assert predicting.ws.equal(ws)


def test_and_one_pass_with_refinement(predicting: Session, predictor: LatentPredictor) -> None:
    predicting.set_drag_method("auto_drag_refined")
    assert predicting.options.refine == 4
    predicting.set_options({"refine": 2, "learning_rate": 0.02})
    ws, options = predicting.ws, predicting.options
    assert run(predicting).steps == 8
    told = auto_drag(
        predicting.generator, ws, HANDLES, TARGETS, options=options, predictor=predictor
    )
    assert predicting.ws.equal(run_to_end(told).ws)


def test_targets_can_be_moved_whatever_the_method(session: Session) -> None:
    session.set_drag_method("free_drag")
    session.set_options({**FREE, "max_steps": 10_000, "learning_rate": 1e-4})
    session.set_points(PAIRS)
    session.start()
    first = session.runner
    moved = [(*pair[:2], 4.0, 4.0) for pair in PAIRS]
    session.set_points(moved)
    first.join(60)
    assert session.running
    assert session.runner is not first
    assert [pair[2:] for pair in session.points] == [(4.0, 4.0)] * 2
    session.stop()
    finish(session)


# ---------------------------------------------------------------------------------------- choosing


def test_each_method_keeps_options_of_its_own(session: Session) -> None:
    assert type(session.options) is DragOptions
    session.set_drag_method("free_drag")
    assert session.options == FreeDragOptions.for_generator(session.generator)
    session.set_options({"reach": 2.5})
    session.set_drag_method("drag")
    assert {name: getattr(session.options, name) for name in SHORT} == SHORT
    session.set_drag_method("free_drag")
    assert session.options.reach == 2.5


def test_a_session_can_begin_with_one(generator: Generator) -> None:
    session = Session(Work.begin(generator, method="free_drag", options={"reach": 2.0}))
    assert (session.work.way.name, session.options.reach) == ("free_drag", 2.0)
    with pytest.raises(ValueError, match="There is no predictor for this generator"):
        Work.begin(generator, method="auto_drag")
    with pytest.raises(ValueError, match="unknown option 'reach'"):
        Work.begin(generator, options={"reach": 2.0})
    with pytest.raises(ValueError, match="options is a AutoDragOptions; expected DragOptions"):
        Work.begin(generator, options=AutoDragOptions.for_generator(generator))


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("warp", "method is 'warp'; expected one of drag, free_drag, auto_drag"),
        (None, "method is None"),
        (["drag"], r"method is \['drag'\]"),
        ("auto_drag", "One pass: There is no predictor .* python -m nbdrag.training.auto_draggan"),
        ("auto_drag_refined", r"editor.predictor = load_predictor\(FILE, editor.generator\)"),
        ("layout_drag", "No latent transformer .* python -m nbdrag.training.latent_transformer"),
    ],
)
def test_a_method_that_is_not_there_changes_nothing(
    edited: Session, name: object, complaint: str
) -> None:
    before = state(edited)
    with pytest.raises(ValueError, match=complaint):
        edited.set_drag_method(name)
    assert state(edited) == before


def test_a_predictor_of_another_generator_is_refused(
    edited: Session, predictor: LatentPredictor
) -> None:
    before = state(edited)
    with pytest.raises(ValueError, match=r"was trained for the generator .*; this one is"):
        edited.set_predictor(tiny_predictor(another_generator()))
    with pytest.raises(ValueError, match="predictor is a str; expected a LatentPredictor"):
        edited.set_predictor("predictor.safetensors")
    assert state(edited) == before
    edited.set_predictor(predictor)
    assert state(edited) != before  # its methods can be chosen now


def test_while_an_edit_runs_neither_changes(running: Session, predictor: LatentPredictor) -> None:
    for command in (
        lambda: running.set_drag_method("free_drag"),
        lambda: running.set_predictor(predictor),
    ):
        with pytest.raises(RuntimeError, match="an edit is running; stop it first"):
            command()
    assert running.running


def test_a_predictor_that_is_taken_away_is_missed_at_the_start(predicting: Session) -> None:
    predicting.set_predictor(None)
    before = state(predicting)
    with pytest.raises(ValueError, match="there is no predictor for the generator"):
        predicting.start()
    assert state(predicting) == before


def test_handles_closer_than_a_pixel_leave_the_picture_as_it_was(predicting: Session) -> None:
    predicting.set_points([[8, 8, 20, 12], [8.5, 8.5, 4, 4]])
    before = state(predicting)
    with pytest.raises(ValueError, match=r"handles\[0\] and handles\[1\] are 0.71 pixels apart"):
        predicting.start()
    assert state(predicting) == before


def test_methods_stay_through_the_history(predicting: Session) -> None:
    run(predicting)
    predicting.set_drag_method("free_drag")
    predicting.undo()
    assert predicting.work.way.name == "free_drag"
    predicting.redo()
    assert predicting.work.way.name == "free_drag"


def test_each_generator_has_its_own(predicting: Session) -> None:
    predicting.go_on_with(Work.begin(another_generator(), name="other"))
    assert predicting.work.way.name == "drag"
    assert missing(DRAG_METHODS["auto_drag"], predicting.generator, None) is not None
    predicting.go_back()
    assert predicting.work.way.name == "auto_drag"
    assert predicting.work.predictor is not None


# -------------------------------------------------------------------------------------- remembered


def test_a_recipe_replays_bit_for_bit(
    predicting: Session, predictor: LatentPredictor, tmp_path: Path
) -> None:
    generator = predicting.generator
    run(predicting)
    predicting.set_drag_method("free_drag")
    predicting.set_options(FREE)
    predicting.set_points([(8.0, 8.0, 12.0, 8.0)])
    run(predicting)
    path = tmp_path / "recipe.safetensors"
    predicting.recipe().save(path)
    recipe = Recipe.load(path)
    assert [edit.wish.method for edit in recipe.edits] == ["auto_drag", "free_drag"]
    assert recipe.replay(generator, predictor=predictor).equal(predicting.ws)
    for other in (None, tiny_predictor(generator, token_width=16)):
        with pytest.raises(ValueError, match="which did not come with nbdrag"):
            recipe.replay(generator, predictor=other)
    scope = {"generator": generator, "predictor": predictor}
    code = recipe.to_python()
    assert f"# predictor: yours, with the hash {predictor_hash(predictor)!r}" in code
    assert "from nbdrag import AutoDragOptions, FreeDragOptions, auto_drag, free_drag" in code
    exec(code, scope)
    assert scope["ws"].equal(predicting.ws)


def test_what_is_packaged_needs_no_name() -> None:
    """On the real model, whose predictor and transformer come along."""
    generator = load_generator("toonfaces-128")
    work = Work.begin(generator, source="toonfaces-128", seed=27, method="auto_drag")
    session = Session(work)
    session.set_points([(66.0, 88.0, 66.0, 94.0)])
    run(session)
    session.set_drag_method("layout_drag")
    assert session.options == LayoutDragOptions()
    run(session)
    recipe = session.recipe()
    assert [(e.wish.method, e.wish.predictor, e.steps) for e in recipe.edits] == [
        ("auto_drag", "", 5),
        ("layout_drag", "", 1),
    ]
    assert recipe.replay(session.generator).equal(session.ws)
    scope: dict = {}
    exec(recipe.to_python(), scope)
    assert scope["ws"].equal(session.ws)


# ---------------------------------------------------------------------------------------- the page


def test_a_page_chooses(session: Session) -> None:
    line = Line(session)
    page = line.page()
    reply, _ = page.ask("set_method", method="free_drag")
    assert reply["ok"]
    snapshot = page.snapshot
    assert snapshot["drag_method"] == "free_drag"
    assert {"difference", "reach"} <= set(snapshot["options"])
    assert "reach" in [option["name"] for option in snapshot["schema"]]
    reply, _ = page.ask("set_method", method="auto_drag")
    assert not reply["ok"]
    assert "Train one: python -m nbdrag.training.auto_draggan GENERATOR" in reply["error"]
    (lack,) = {m["missing"] for m in snapshot["drag_methods"] if m["name"].startswith("auto_drag")}
    assert lack in reply["error"]
    line.wire.close()


def test_an_editor_says_and_takes_it_all(make: Make, predictor: LatentPredictor) -> None:
    editor = make(method="free_drag", options=FREE)
    page = Page(editor)
    assert (editor.method, editor.options.max_steps, editor.space) == ("free_drag", 4, "w+")
    assert editor.saved["drag_method"] == "free_drag"
    assert (editor.predictor, editor.follow) == (None, False)
    editor.predictor = predictor
    assert editor.predictor is predictor
    editor.method, editor.follow = "auto_drag", True
    assert (page.snapshot["drag_method"], page.snapshot["follow"]) == ("auto_drag", True)
    assert [option["name"] for option in page.snapshot["schema"]] == ["regularize", "steady"]
    assert {method["missing"] for method in page.snapshot["drag_methods"][:4]} == {None}
    start = editor.ws
    editor.hold([[8, 8, 11, 9]])
    assert editor.ws.equal(start)
    editor.let_go()
    editor.release([[8, 8, 11, 9]])
    asyncio.run(editor.wait())
    assert [entry.label for entry in editor.history] == ["seed 3", "one pass, 3 steps"]
    assert editor.saved["drag_method"] == "auto_drag"
    assert editor.saved["follow"] is True
    # A page that comes up anew is told.
    again = Page(editor)
    again.read = len(again.comm.arrived)
    again.tell(kind="ready")
    snapshot, _ = again.wait_for_kind("snapshot")
    assert (snapshot["drag_method"], snapshot["follow"]) == ("auto_drag", True)


def test_a_transformer_has_no_space(make: Make) -> None:
    editor = make("toonfaces-128", method="layout_drag", options={"strength": 1.5})
    with pytest.raises(ValueError, match="layout_drag has no spaces to choose from"):
        _ = editor.space
    assert editor.predictor is not None
