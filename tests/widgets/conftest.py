from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import nbdrag.widgets.widget as module
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.widgets.drag import DragEditor
from nbdrag.widgets.paint import PassingLibrary
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.page import fake_comms
from tests.widgets.painting import QUICK, with_parts
from tests.widgets.watching import ENDLESS, PAIRS, SHORT, Make, Steps, finish, left_half

__all__ = ["fake_comms"]


@pytest.fixture(scope="session")
def generator() -> Generator:
    """A generator of 32 px with random weights, the same in every run."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    generator = Generator(config).eval().requires_grad_(False)
    dice = torch.Generator().manual_seed(5)
    for parameter in generator.parameters():
        parameter.normal_(generator=dice)
    for parameter in generator.mapping.parameters():
        parameter.mul_(100)  # against its learning rate multiplier, so that w is of order 1
    return generator


@pytest.fixture
def session(generator: Generator) -> Session:
    return Session(Work.begin(generator, name="tiny", seed=3, options=SHORT))


@pytest.fixture
def edited(session: Session) -> Session:
    """A session with one edit, points and a mask behind it."""
    session.set_points(PAIRS)
    session.set_mask(left_half())
    session.start()
    finish(session)
    return session


@pytest.fixture
def running(session: Session) -> Iterator[Session]:
    """A session in the middle of an edit that doesn't end."""
    session.set_options(ENDLESS)
    session.set_points(PAIRS)
    steps = Steps(session)
    session.start()
    steps.wait_for(2)
    yield session
    session.stop()
    finish(session)


@pytest.fixture(scope="session")
def parted(generator: Generator) -> Generator:
    """The same generator with a segmenter."""
    return with_parts(generator)


@pytest.fixture
def paintable(parted: Generator) -> Iterator[Session]:
    """A session whose parts can be painted, with sliders."""
    work = Work.begin(parted, name="tiny", seed=3, options=SHORT, paint_options=QUICK)
    session = Session(work)
    session.listen(Listener(paints=True))
    session.set_library(PassingLibrary())
    yield session
    session.close()
    if session.runner is not None:
        finish(session)


@pytest.fixture
def line(generator: Generator) -> Iterator[Line]:
    line = Line(Session(Work.begin(generator, name="tiny", seed=3, options=SHORT)))
    yield line
    line.session.stop()
    if line.session.runner is not None:
        finish(line.session)
    line.wire.close()


@pytest.fixture
def make(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fake_comms: None
) -> Iterator[Make]:
    """Makes editors, with a browser half of two words."""
    for name in ("drag", "paint", "batch"):
        (tmp_path / f"{name}.js").write_text("export default {}")
        (tmp_path / f"{name}.css").write_text(".nbdrag {}")
    monkeypatch.setattr(module, "BUNDLE", tmp_path)
    editors: list[DragEditor] = []

    def make(of: object = generator, **arguments: Any) -> DragEditor:
        editors.append(DragEditor(of, **{"seed": 3, "options": SHORT, **arguments}))  # type: ignore[arg-type]
        return editors[-1]

    yield make
    for editor in editors:
        editor.stop()
        editor.close()


@pytest.fixture
def editor(make: Make) -> DragEditor:
    return make()
