"""Pictures that are higher than wide: every size on its way from the generator to the page."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.widgets import panel
from nbdrag.widgets.inspect import PANEL, StepInspector
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.watching import SHORT, finish, pixels

PAIRS = ((8.0, 50.0, 12.0, 60.0), (30.0, 8.0, 25.5, 14.25))


@pytest.fixture(scope="module")
def generator() -> Generator:
    """32 pixels wide and 64 high."""
    config = StyleGAN2Config(64, 8, 8, mapping_layers=2, channel_base=256, base_width=2)
    generator = Generator(config, torch.Generator().manual_seed(1)).requires_grad_(False)
    for parameter in generator.mapping.parameters():
        parameter.mul_(100)
    return generator


@pytest.fixture
def session(generator: Generator) -> Session:
    return Session(Work.begin(generator, name="tall", seed=3, options=SHORT))


@pytest.fixture
def line(session: Session) -> Iterator[Line]:
    line = Line(session)
    yield line
    line.wire.close()


def test_points_may_lie_anywhere_in_it_and_nowhere_else(session: Session) -> None:
    session.set_points([[32, 64, 0, 64]])
    for outside in ([33, 8, 8, 8], [8, 8, 8, 65]):
        with pytest.raises(
            ValueError, match=r"x must be a number from 0 to 32, and y one .* to 64"
        ):
            session.set_points([outside])
    assert session.points == ((32, 64, 0, 64),)


def test_a_page_sees_it_whole(line: Line) -> None:
    page, session = line.page(), line.session
    model = page.wait_for_kind("snapshot")[0]["model"]
    assert (model["width"], model["height"]) == (32, 64)
    page.ask("set_points", points=[list(pair) for pair in PAIRS])
    page.ask("paint_mask", tool="brush", radius=3, path=[[2, 60], [30, 60]])
    mask, (bits,) = page.latest("mask")
    assert (mask["width"], mask["height"]) == (32, 64)
    rows = np.unpackbits(np.frombuffer(bits, np.uint8), bitorder="little").reshape(64, 32)
    assert np.array_equal(rows, session.mask)
    assert rows[57:63].any(axis=0).all()  # as wide as the picture, near its lower end
    assert not rows[:57].any()
    page.ask("edit_mask", op="clear")
    page.ask("start")
    moving, (data,) = page.wait_for(lambda m: m["kind"] == "frame" and not m["final"])
    assert (moving["width"], moving["height"]) == (32, 64)
    finish(session)
    still, (data,) = page.wait_for(lambda m: m["kind"] == "frame" and m["final"] and m["step"] == 4)
    assert (still["width"], still["height"]) == (32, 64)
    assert np.array_equal(pixels(data), session.image())
    assert session.image().size == (32, 64)


def test_a_large_one_is_previewed_in_its_own_shape(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nbdrag.runtime.synthesis.WHOLE_UP_TO", 32 * 32)
    page = line.page()
    page.ask("set_points", points=[list(pair) for pair in PAIRS])
    page.ask("start")
    moving, _ = page.wait_for(lambda m: m["kind"] == "frame" and not m["final"])
    assert (moving["width"], moving["height"]) == (16, 32)  # of block 32
    finish(line.session)


def test_its_drag_is_replayed_from_its_recipe(session: Session, generator: Generator) -> None:
    mask = np.zeros((64, 32), bool)
    mask[:, 3:] = True
    session.set_mask(mask)
    session.set_points(PAIRS)
    start, options = session.ws, session.options
    session.start()
    finish(session)
    handles, targets = [pair[:2] for pair in PAIRS], [pair[2:] for pair in PAIRS]
    *_, last = drag(generator, start, handles, targets, mask, options)
    assert session.ws.equal(last.ws)
    recipe = session.recipe()
    assert recipe.replay(generator).equal(last.ws)
    scope = {"load_generator": lambda name: generator, "generator": generator}
    exec(recipe.to_python(), scope)
    assert scope["image"].shape == (3, 64, 32)
    assert torch.equal(scope["ws"], last.ws)


def test_blocks_are_called_by_their_shape(generator: Generator) -> None:
    schema = panel.option_schema(generator, DragOptions.for_generator(generator))
    (blocks,) = [option for option in schema if option.name == "feature_block"]
    assert [choice.label for choice in blocks.choices][1:3] == ["2 × 4", "4 × 8"]


def test_the_inspector_draws_it_in_its_shape(generator: Generator, session: Session) -> None:
    inspector = StepInspector(generator, session.ws, [PAIRS[0][:2]], [PAIRS[0][2:]], limit=2)
    assert inspector._shown_size() == (PANEL, PANEL // 2)
    assert inspector.anatomy().colours_before.shape == (32, 16, 3)
