"""StepInspector without a browser: what it computes, when, and what it says."""

import pytest
import torch

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.widgets.inspect import StepInspector, heat

HANDLES, TARGETS = [(20.0, 30.0)], [(28.0, 24.0)]
OPTIONS = DragOptions(learning_rate=0.02, patch_radius=3, search_radius=4)


@pytest.fixture(scope="module")
def generator() -> Generator:
    config = StyleGAN2Config(
        64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16
    )
    return Generator(config, torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.fixture
def ws(generator):
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    return generator.mapping(z)[0]


@pytest.fixture
def inspector(generator, ws):
    return StepInspector(generator, ws, HANDLES, TARGETS, options=OPTIONS, limit=6)


def test_iterations_are_computed_when_looked_at(inspector):
    assert len(inspector.steps) == 1
    inspector.index = 4
    assert len(inspector.steps) == 4
    inspector.index = 2
    assert len(inspector.steps) == 4
    assert inspector.index == 2


def test_it_shows_the_drag_itself(inspector, generator, ws):
    inspector.index = 5
    plain = drag(generator, ws, HANDLES, TARGETS, None, OPTIONS)
    for mine, step in zip(inspector.steps, plain, strict=False):
        assert torch.equal(mine.ws, step.ws)
        assert torch.equal(mine.points, step.points)


def test_the_buttons_step(inspector):
    _, back, onwards, _ = inspector.children[1].children
    onwards.click()
    onwards.click()
    assert inspector.index == 3
    back.click()
    assert inspector.index == 2
    assert "Iteration 2" in inspector.children[2].value


def test_a_drag_that_ends_ends_the_slider(generator, ws):
    options = DragOptions(learning_rate=0.02, patch_radius=3, search_radius=4, max_steps=2)
    inspector = StepInspector(generator, ws, HANDLES, TARGETS, options=options, limit=6)
    inspector.index = 5
    assert inspector.index == 2
    assert "ended" in inspector.children[2].value
    with pytest.raises(ValueError, match="expected 1 to 2"):
        inspector.index = 5


def test_a_drag_that_diverges_says_so(generator, ws, monkeypatch):
    inspector = StepInspector(generator, ws, HANDLES, TARGETS, options=OPTIONS, limit=6)
    right = generator.synthesis.forward

    def nothing(*arguments, **named):
        image, features = right(*arguments, **named)
        return image * torch.nan, features

    monkeypatch.setattr(generator.synthesis, "forward", nothing)
    inspector._advance()
    monkeypatch.undo()
    inspector.index = 4
    assert inspector.index == 1
    assert "Here the drag left the finite numbers in step 2" in inspector.children[2].value


def test_several_handles_are_drawn(generator, ws):
    handles = [(10.0, 10.0), (50.0, 50.0), (30.0, 30.0)]
    targets = [(14.0, 10.0), (50.0, 44.0), (33.0, 33.0)]
    inspector = StepInspector(generator, ws, handles, targets, options=OPTIONS, limit=3)
    assert inspector.anatomy().windows.shape[0] == 3


def test_wishes_that_make_no_sense_are_refused(generator, ws):
    with pytest.raises(ValueError, match="limit is 0"):
        StepInspector(generator, ws, HANDLES, TARGETS, limit=0)
    with pytest.raises(ValueError, match="handles"):
        StepInspector(generator, ws, [(200.0, 3.0)], TARGETS)


def test_heat_goes_from_bright_to_dark():
    colours = heat(torch.linspace(0, 1, 9).numpy()[None])[0].astype(int)
    assert (colours.sum(-1)[1:] < colours.sum(-1)[:-1]).all()
