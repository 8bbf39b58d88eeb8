"""Sliders: editing vectors added to a picture, learnt from an edit, and refined."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nbdrag.editing.editgan import refine
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime.frames import Picture
from nbdrag.runtime.synthesis import glance
from nbdrag.runtime.wishes import Edit, sample
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector
from nbdrag.widgets.session import Session
from nbdrag.widgets.state import Listener
from nbdrag.widgets.work import Work
from tests.widgets.painting import brush, some_vector, with_parts
from tests.widgets.watching import PAIRS, finish, state


@pytest.fixture
def sliding(paintable: Session) -> Session:
    """A session with two sliders."""
    paintable.library.add(some_vector(paintable, "smile", 1))
    paintable.library.add(some_vector(paintable, "blink", 2))
    paintable.look_for_vectors()
    return paintable


def labels(session: Session) -> list[str]:
    return [entry.label for entry in session.entries]


# ---------------------------------------------------------------------------------------- sliding


def test_a_picture_is_the_one_before_plus_scale_times_vector(sliding: Session) -> None:
    ws = sliding.ws
    smile, blink = sliding.vectors["smile"].delta, sliding.vectors["blink"].delta
    sliding.slide({"smile": 0.5})
    assert sliding.ws.equal(ws + 0.5 * smile)
    sliding.slide({"smile": -1.5, "blink": 2})
    torch.testing.assert_close(sliding.ws, ws + 2 * blink - 1.5 * smile)
    assert sliding.scales == {"smile": -1.5, "blink": 2.0}
    with torch.no_grad():
        expected = sliding.generator.synthesis(sliding.ws[None]).image[0]
    pixels = np.rint((expected.permute(1, 2, 0).numpy() + 1) * 127.5).clip(0, 255)
    assert np.array_equal(np.asarray(sliding.image()), pixels)


def test_however_far_sliders_are_moved_it_is_one_entry(sliding: Session) -> None:
    for scale in (0.1, 0.2, 0.9, -0.4):
        sliding.slide({"smile": scale})
    assert labels(sliding) == ["seed 3", "smile -0.4"]
    change = sliding.album.current.change
    assert isinstance(change, Edit)
    assert [(s.name, s.scale, s.classes) for s in change.wish.vectors] == [
        ("smile", -0.4, ("lips",))
    ]


def test_sliders_back_at_zero_leave_the_picture_before(sliding: Session) -> None:
    before = sliding.ws, sliding.album.still(sliding.album.current)
    sliding.slide({"smile": 0.4})
    sliding.slide({})
    assert (sliding.ws.equal(before[0]), sliding.scales) == (True, {})
    assert sliding.album.still(sliding.album.current) == before[1]
    sliding.redo()
    assert sliding.scales == {"smile": 0.4}
    sliding.slide({"smile": 0.0, "blink": 0.0})
    assert sliding.scales == {}


def test_a_picture_is_shown_in_passing_and_told_at_rest(sliding: Session) -> None:
    seen: list[Picture] = []
    told: list[int] = []
    sliding.listen(
        Listener(on_change=lambda: told.append(sliding.revision), on_pass=seen.append, paints=True)
    )
    sliding._resting.wait()
    told.clear()
    for scale in (0.2, 0.4):
        sliding.slide({"smile": scale})
    assert len(seen) == 2
    assert seen[-1].image.equal(glance(sliding.generator, sliding.ws))
    sliding._resting.wait()
    assert told[-1] == sliding.revision
    assert sliding.album.is_whole(sliding.album.current)
    assert sliding.part_map is not None


def test_a_value_again_is_no_news(sliding: Session) -> None:
    sliding.slide({"smile": 0.4})
    entry = sliding.album.current.id
    sliding.slide({"smile": 0.4, "blink": 0.0})
    assert sliding.album.current.id == entry


def test_anything_else_starts_from_there_with_sliders_at_zero(sliding: Session) -> None:
    sliding.slide({"smile": 0.4})
    sliding.set_points(PAIRS)
    sliding.start()
    finish(sliding)
    assert (labels(sliding)[1:], sliding.scales) == (["smile 0.4", "drag, 4 steps"], {})
    dragged = sliding.ws
    sliding.slide({"smile": 0.4})
    assert sliding.ws.equal(dragged + 0.4 * sliding.vectors["smile"].delta)
    assert labels(sliding)[2:] == ["drag, 4 steps", "smile 0.4"]


def test_so_does_painting_and_no_stroke_is_lost(sliding: Session) -> None:
    sliding.slide({"smile": 0.4})
    slid = sliding.ws
    sliding.paint_labels(brush(1))
    assert sliding.scales == {}
    sliding.slide({"blink": 0.5})
    assert labels(sliding) == ["seed 3", "smile 0.4", "blink 0.5"]
    assert sliding.ws.equal(slid + 0.5 * sliding.vectors["blink"].delta)
    sliding.undo()
    assert (sliding.known_parts().strokes, sliding.scales) == (1, {})
    sliding.undo()
    assert (sliding.known_parts().strokes, sliding.scales) == (0, {"smile": 0.4})


def test_undo_moves_the_sliders_back(sliding: Session) -> None:
    sliding.slide({"smile": 0.4})
    sliding.sample(8, 0.7)
    sliding.slide({"blink": 0.7})
    for expected in ({}, {"smile": 0.4}, {}):
        sliding.undo()
        assert sliding.scales == expected
    sliding.redo()
    sliding.slide({"smile": 0.5})  # goes on where it was
    assert labels(sliding) == ["seed 3", "smile 0.5"]


def test_sliding_replays(sliding: Session) -> None:
    sliding.slide({"smile": 0.3, "blink": -1.1})
    assert sliding.recipe().replay(sliding.generator).equal(sliding.ws)


def test_sliding_ends_an_edit_and_keeps_its_result(sliding: Session) -> None:
    sliding.set_paint_options({"max_steps": 10_000, "learning_rate": 1e-4})
    sliding.paint_labels(brush(1))
    sliding.start_paint()
    sliding.slide({"smile": 0.4})
    assert not sliding.running
    assert labels(sliding)[0] == "seed 3"
    assert labels(sliding)[-1] == "smile 0.4"


@pytest.mark.parametrize(
    ("scales", "complaint"),
    [
        ({"smil": 1.0}, "there is no vector 'smil'; did you mean 'smile'?"),
        ({"": 1.0}, "there is no vector ''; see vectors"),
        ({"smile": float("nan")}, "the scale of 'smile' is nan; expected a number from -10 to 10"),
        ({"blink": 1.0, "smile": 11}, "the scale of 'smile' is 11"),
        ({"smile": True}, "the scale of 'smile' is True"),
        ({"smile": "1"}, "the scale of 'smile' is '1'"),
        ([("smile", 1)], "scales is a list"),
    ],
)
def test_what_is_refused_changes_nothing(sliding: Session, scales: object, complaint: str) -> None:
    sliding.slide({"smile": 0.4})
    before = state(sliding)
    with pytest.raises(ValueError, match=re.escape(complaint)):
        sliding.slide(scales)  # type: ignore[arg-type]
    assert state(sliding) == before


def test_numbers_of_numpy_are_numbers(sliding: Session) -> None:
    sliding.slide({"smile": np.float32(0.5)})
    assert sliding.scales == {"smile": 0.5}
    assert "np" not in sliding.recipe().to_python().split("vector")[-1].split("\n")[0]


def test_a_picture_that_cannot_be_made_changes_nothing(sliding: Session) -> None:
    vector = sliding.vectors["smile"]
    sliding.library.add((vector * 1e37).renamed("too far"))
    sliding.look_for_vectors()
    sliding.slide({"smile": 0.4})
    before = state(sliding)
    with pytest.raises(ValueError, match="not finite"):
        sliding.slide({"too far": 10})
    assert state(sliding) == before


# --------------------------------------------------------------------------------------- learning


def test_what_an_edit_did_becomes_a_vector(paintable: Session) -> None:
    before = paintable.ws
    original = paintable.known_parts().original
    paintable.paint_labels(brush(1))
    painted = paintable.known_parts().edited
    paintable.start_paint()
    finish(paintable)
    vector = paintable.learn(" bigger eye ")
    assert vector.delta.equal(paintable.ws - before)
    touched = {*original[original != painted], *painted[original != painted]}
    assert set(vector.classes) == {paintable.parts[label].name for label in touched}
    assert vector.preview[8:12] == b"WEBP"
    vector.check(paintable.generator)
    assert paintable.vectors == {"bigger eye": vector}
    paintable.sample(8, 0.7)
    paintable.slide({"bigger eye": 1.0})
    torch.testing.assert_close(paintable.ws, sample(paintable.generator, 8, 0.7) + vector.delta)


def test_drags_and_sliders_can_be_learnt_too(sliding: Session) -> None:
    sliding.set_points(PAIRS)
    sliding.start()
    finish(sliding)
    assert sliding.learn("pull").classes == ()
    sliding.slide({"smile": 1.0, "blink": 1.0})
    assert sliding.learn("both").classes == ("lips",)
    total = sliding.vectors["smile"].delta + sliding.vectors["blink"].delta
    torch.testing.assert_close(sliding.vectors["both"].delta, total, atol=1e-6, rtol=1e-5)


def test_a_name_that_is_taken_or_none_is_refused(sliding: Session) -> None:
    sliding.slide({"smile": 1.0})
    before = state(sliding), sorted(sliding.vectors)
    for name, complaint in [("smile", "already"), ("Smile", "already"), ("a/b", "can't be kept")]:
        with pytest.raises(ValueError, match=complaint):
            sliding.learn(name)
    assert (state(sliding), sorted(sliding.vectors)) == before


def test_vectors_are_kept_in_a_folder_and_forgotten_from_it(
    sliding: Session, tmp_path: Path
) -> None:
    sliding.slide({"smile": 1.0})
    sliding.set_library(EditLibrary(tmp_path / "mine"))
    assert sliding.vectors == {}
    sliding.learn("grin")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["grin.safetensors"]
    assert EditLibrary(tmp_path / "mine")["grin"].delta.equal(sliding.vectors["grin"].delta)
    with pytest.raises(ValueError, match="there is no vector 'smile' to forget"):
        sliding.forget("smile")
    sliding.forget("grin")
    assert list((tmp_path / "mine").iterdir()) == []
    assert sliding.vectors == {}
    assert sliding.recipe().replay(sliding.generator).equal(sliding.ws)  # which has its own copy


def test_vectors_of_other_generators_have_no_slider(sliding: Session) -> None:
    own = sliding.vectors["smile"]
    other = EditVector(own.delta, "other", "0123456789abcdef")
    sliding.library.add(other)
    sliding.look_for_vectors()
    assert sorted(sliding.vectors) == ["blink", "smile"]


def test_a_damaged_file_hides_nothing(sliding: Session) -> None:
    (sliding.library.folder / "broken.safetensors").write_bytes(b"no")
    sliding.look_for_vectors()
    assert sorted(sliding.vectors) == ["blink", "smile"]


def test_vectors_that_come_with_nbdrag_stay(
    sliding: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packaged = EditLibrary(tmp_path)
    packaged.add(some_vector(sliding, "frown"))
    monkeypatch.setattr(EditLibrary, "packaged", lambda generator: packaged)
    session = Session(Work.begin(sliding.generator))
    session.set_library(sliding.library)
    assert sorted(session.vectors) == ["blink", "frown", "smile"]
    with pytest.raises(ValueError, match="'frown' came with nbdrag, and stays"):
        session.forget("frown")
    session.slide({"smile": 1.0})
    with pytest.raises(ValueError, match="there is a vector 'frown' already"):
        session.learn("frown")
    session.close()


# ---------------------------------------------------------------------------------------- refining


def test_refining_is_what_refine_does(sliding: Session) -> None:
    ws = sliding.ws
    sliding.slide({"smile": 1.5})
    slid = sliding.ws
    sliding.start_refine()
    finish(sliding)
    options = PaintOptions.for_refinement(sliding.generator)
    before = slid - 1.5 * sliding.vectors["smile"].delta
    torch.testing.assert_close(before, ws)
    steps = list(refine(sliding.generator, before, slid, options, parts=["lips"]))
    assert len(steps) == 30
    assert sliding.ws.equal(steps[-1].ws)
    assert labels(sliding) == ["seed 3", "smile 1.5", "refine, 30 steps"]
    assert sliding.recipe().replay(sliding.generator).equal(sliding.ws)
    sliding.undo()
    assert sliding.ws.equal(slid)


def test_what_shows_no_other_parts_cannot_be_refined(sliding: Session) -> None:
    sliding.slide({"smile": 1e-9})
    before = state(sliding)
    with pytest.raises(ValueError, match="nothing to refine"):
        sliding.start_refine()
    assert state(sliding) == before


# -------------------------------------------------------------------------------- other generators


def other_generator() -> Generator:
    config = StyleGAN2Config(16, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256)
    return Generator(config).eval().requires_grad_(False)


def test_sliders_are_those_of_the_generator(sliding: Session) -> None:
    work = Work.begin(with_parts(other_generator()), name="other")
    sliding.go_on_with(work)
    assert sliding.vectors == {}
    sliding.library.add(some_vector(sliding, "wink"))
    sliding.look_for_vectors()
    sliding.slide({"wink": 1.0})
    sliding.go_back()
    assert sorted(sliding.vectors) == ["blink", "smile"]
    assert sliding.scales == {}
    sliding.go_back()
    assert sliding.scales == {"wink": 1.0}


def test_a_generator_without_segmenter_can_slide_but_not_be_painted(sliding: Session) -> None:
    sliding.go_on_with(Work.begin(other_generator(), name="other"))
    assert sliding.status.level == "warning"
    assert "has no segmenter, so its parts can't be painted" in sliding.status.text
    assert (sliding.parts, sliding.part_map) == ((), None)
    with pytest.raises(ValueError, match="load_segmenter"):
        sliding.paint_labels(brush(1))
    sliding.library.add(some_vector(sliding, "wink"))
    sliding.look_for_vectors()
    sliding.slide({"wink": 1.0})
    assert sliding.scales == {"wink": 1.0}
    sliding.undo()
    sliding.go_back()
    sliding.paint_labels(brush(1))


def test_whoever_only_drags_is_told_nothing_of_segmenters(session: Session) -> None:
    session.listen(Listener())
    session.go_on_with(Work.begin(other_generator(), name="other"))
    assert session.status.level == "info"
    session.close()
