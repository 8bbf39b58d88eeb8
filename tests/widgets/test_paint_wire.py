"""A painter's session on its wire: what pages are sent, may ask, and what comes of many slides."""

import threading
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from nbdrag.generators.stylegan2 import Generator
from nbdrag.widgets import session as sessions
from nbdrag.widgets.paint import PassingLibrary
from nbdrag.widgets.paint_wire import PaintWire
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.page import Page
from tests.widgets.painting import PARTS, PATIENT, QUICK, some_vector
from tests.widgets.watching import LIMIT, SHORT, finish, pixels

STROKE = {"tool": "brush", "radius": 4, "path": [[8, 8], [20, 8]], "part": 1}


@pytest.fixture
def painting(parted: Generator) -> Iterator[Line]:
    """A session with two sliders on a painter's wire."""
    work = Work.begin(parted, name="tiny", seed=3, options=SHORT, paint_options=QUICK)
    session = Session(work)
    session.set_library(PassingLibrary())
    for seed, name in enumerate(["smile", "blink"]):
        session.library.add(some_vector(session, name, seed))
    session.look_for_vectors()
    session.known_parts()
    line = Line(session, PaintWire)
    yield line
    session.stop()
    if session.runner is not None:
        finish(session)
    line.wire.close()
    session.close()


def is_final(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and message["final"]


def map_of(message: dict[str, Any], buffers: list[bytes]) -> np.ndarray:
    (data,) = buffers
    pixels = np.frombuffer(zlib.decompress(data), np.uint8)
    return pixels.reshape(message["height"], message["width"])


def labels_seen(page: Page, original: bool) -> list[tuple[dict[str, Any], list[bytes]]]:
    messages = [m for m in page.seen if m[0]["kind"] == "labels"]
    return [m for m in messages if m[0]["original"] is original]


# ------------------------------------------------------------------------------------ a page comes


def test_a_page_that_is_ready_gets_it_all(painting: Line) -> None:
    session = painting.session
    page = painting.page()
    page.ask("paint_labels", **STROKE)
    for _ in range(2):  # a page that comes up late, and a reload
        page = painting.page()
        page.wait_for_kind("snapshot")
        page.wait_for(is_final)  # one for the page before may come late, ahead of the snapshot
        parts = [m for m, _ in page.seen if m["kind"] == "parts"]
        assert parts[-1]["parts"] == [
            {"name": "background", "colour": "#dfe3ea", "mirrored": 0},
            {"name": "left_eye", "colour": "#3a7bd5", "mirrored": 2},
            {"name": "right_eye", "colour": "#7bd53a", "mirrored": 1},
            {"name": "lips", "colour": "#c94f6d", "mirrored": 3},
        ]
        known = session.known_parts()
        assert np.array_equal(map_of(*labels_seen(page, True)[-1]), known.original)
        assert np.array_equal(map_of(*labels_seen(page, False)[-1]), known.edited)
        assert page.snapshot["labels_version"] == labels_seen(page, False)[-1][0]["version"]
        assert (page.snapshot["strokes"], page.snapshot["strokes_ahead"]) == (1, 0)
        vectors, previews = next(m for m in page.seen if m[0]["kind"] == "vectors")
        assert vectors["vectors"] == [
            {
                "name": name,
                "classes": ["lips"],
                "scale_low": -2.0,
                "scale_high": 2.0,
                "packaged": False,
            }
            for name in ("blink", "smile")
        ]
        assert previews == [b"", b""]
        assert page.snapshot["paint_options"]["max_steps"] == 3
        names = {option["name"] for option in page.snapshot["paint_schema"]}
        assert names == set(page.snapshot["paint_options"])


def test_a_page_that_drags_is_told_of_no_parts(painting: Line) -> None:
    session = painting.session
    line = Line(session)
    page = line.page()
    page.wait_for(is_final)
    assert not {"parts", "labels", "vectors"} & set(page.kinds())
    reply, _ = page.ask("paint_labels", **STROKE)
    assert (reply["ok"], "SegmentationPainter" in reply["error"]) == (False, True)
    line.wire.close()


# ------------------------------------------------------------------------------------ what it asks


def test_what_is_asked_for_is_done(painting: Line) -> None:
    page, session = painting.page(), painting.session

    def ask(kind: str, **fields: Any) -> None:
        reply, _ = page.ask(kind, **fields)
        assert (reply["ok"], reply["error"]) == (True, None)
        if page.snapshot["revision"] != session.revision:  # of a slide it is told at rest
            page.wait_for(lambda m: m["kind"] == "snapshot" and m["revision"] >= session.revision)

    ask("paint_labels", **STROKE)
    ask("move_part", parts=[3], dx=3.0, dy=1.0, scale_x=1.5)
    ask("edit_labels", op="restore")
    assert page.snapshot["strokes"] == session.known_parts().strokes == 3
    ask("undo")
    ask("undo")
    assert (page.snapshot["strokes"], page.snapshot["strokes_ahead"]) == (1, 2)
    assert np.array_equal(map_of(*page.latest("labels")), session.known_parts().edited)
    ask("set_paint_options", options={"max_steps": 2})
    assert page.snapshot["paint_options"]["max_steps"] == session.paint_options.max_steps == 2
    ask("start_paint")
    finish(session)
    assert page.snapshot["history"][-1]["label"] == "paint, 2 steps"
    assert (page.snapshot["strokes"], page.snapshot["method"]) == (0, None)
    assert page.snapshot["progress"]["agreement"] == session.progress.agreement
    ask("learn_vector", name="bigger")
    vectors, previews = page.latest("vectors")
    assert [v["name"] for v in vectors["vectors"]] == ["bigger", "blink", "smile"]
    assert [bool(preview) for preview in previews] == [True, False, False]
    ask("slide", scales={"bigger": 0.5})
    assert page.snapshot["scales"] == {"bigger": 0.5}
    assert page.snapshot["history"][-1]["label"] == "bigger 0.5"
    ask("forget_vector", name="bigger")
    assert [v["name"] for v in page.latest("vectors")[0]["vectors"]] == ["blink", "smile"]
    ask("slide", scales={"smile": 2.0})
    ask("start_refine")
    ask("stop")
    finish(session)
    ask("set_live", live=True)
    assert page.snapshot["live"] is True
    ask("set_live", live=False)
    reply, _ = page.ask("get_code")
    assert "ws = ws + 2.0 * vector" in reply["code"]


@pytest.mark.parametrize(
    ("kind", "fields", "complaint"),
    [
        ("paint_labels", {**STROKE, "part": 4}, "part is 4, but there are 4 parts"),
        ("paint_labels", {**STROKE, "part": None}, "says no part to paint"),
        ("paint_labels", {**STROKE, "part": 256}, "not understood"),
        ("paint_labels", {**STROKE, "tool": "axe"}, "not understood"),
        ("move_part", {"parts": [], "dx": 1, "dy": 1}, "not understood"),
        ("move_part", {"parts": [1], "dx": 1, "dy": 1, "scale_x": 0}, "not understood"),
        ("edit_labels", {"op": "explode"}, "not understood"),
        ("start_paint", {}, "nothing is painted over"),
        ("start_refine", {}, "nothing to refine"),
        ("slide", {"scales": {"frown": 1}}, "there is no vector 'frown'"),
        ("slide", {"scales": {"smile": 99}}, "not understood"),
        ("learn_vector", {"name": "x"}, "there is no edit to learn from"),
        ("learn_vector", {"name": ""}, "not understood"),
        ("forget_vector", {"name": "x"}, "there is no vector 'x' to forget"),
        ("set_paint_options", {"options": {"speed": 1}}, "unknown option 'speed'"),
    ],
)
def test_what_is_refused_is_told_and_changes_nothing(
    painting: Line, kind: str, fields: dict[str, Any], complaint: str
) -> None:
    page = painting.page()
    page.wait_for(is_final)
    revision = painting.session.revision
    reply, _ = page.ask(kind, **fields)
    assert reply["ok"] is False
    assert complaint in reply["error"]
    assert page.wait_for_kind("status")[0]["level"] == "error"
    assert painting.session.revision == revision


def test_only_what_changed_is_sent(painting: Line) -> None:
    page = painting.page()
    page.wait_for(is_final)
    page.ask("paint_labels", **STROKE)
    page.ask("undo")
    assert len(labels_seen(page, True)) == 1
    assert len(labels_seen(page, False)) == 3
    before = len(page.kinds())
    page.ask("set_live", live=False)
    assert not {"parts", "labels", "vectors"} & set(page.kinds()[before:])


def test_the_frames_of_an_edit_tell_how_it_goes(painting: Line) -> None:
    painting.session.set_paint_options(PATIENT)
    page = painting.page()
    page.ask("paint_labels", **STROKE)
    page.ask("start_paint")
    frame, _ = page.wait_for(lambda m: m["kind"] == "frame" and not m["final"])
    assert 0 <= frame["agreement"] <= 1
    assert 0 <= frame["outside"] <= 1
    assert frame["distances"] == []
    assert page.snapshot["method"] == "paint"
    assert page.snapshot["labels_version"] is not None
    page.ask("stop")


# --------------------------------------------------------------------------------- many slides


class Slow:
    """Takes the place of `Session.slide`: waits in the first one until it is told to go on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[dict[str, float]] = []
        self.in_first, self.go_on = threading.Event(), threading.Event()
        slide = sessions.Session.slide

        def slowly(session: Session, scales: dict[str, float]) -> None:
            self.in_first.set()
            assert self.go_on.wait(LIMIT)
            slide(session, scales)
            self.done.append(scales)

        monkeypatch.setattr(sessions.Session, "slide", slowly)


def test_of_many_slides_the_newest_is_made(painting: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, page = Slow(monkeypatch), painting.page()
    page.tell(kind="slide", id=1, scales={"smile": 0.1})
    assert slow.in_first.wait(LIMIT)
    for number in range(2, 9):  # while the first one is being made
        page.tell(kind="slide", id=number, scales={"smile": number / 10})
    slow.go_on.set()
    unanswered = set(range(1, 9))
    while unanswered:
        reply, _ = page.wait_for(lambda m: m.get("id") in unanswered)
        assert reply["ok"]
        unanswered.remove(reply["id"])
    assert slow.done == [{"smile": 0.1}, {"smile": 0.8}]
    assert painting.session.scales == {"smile": 0.8}
    assert len(painting.session.entries) == 2


def test_a_slide_is_shown_first_and_told_at_rest(painting: Line) -> None:
    page, session = painting.page(), painting.session
    page.wait_for(is_final)
    for scale in (0.3, 0.5):
        read = len(page.kinds())
        page.ask("slide", scales={"smile": scale})
        # Whatever came of the time before: the picture is there before the answer.
        assert "frame" in page.kinds()[read:]
    passing, _ = page.latest("frame")
    assert not passing["final"]
    page.wait_for(lambda m: m["kind"] == "snapshot" and m["scales"] == {"smile": 0.5})
    still, data = page.wait_for(is_final)
    assert still["seq"] > passing["seq"]
    assert np.array_equal(pixels(data[0]), np.asarray(session.image()))
    assert page.snapshot["labels_version"] == page.latest("labels")[0]["version"]
    assert [entry["label"] for entry in page.snapshot["history"]] == ["seed 3", "smile 0.5"]
    page.ask("slide", scales={})
    assert page.snapshot["scales"] == {}  # that picture is there already, and so is all of it


def test_nothing_overtakes_a_slide(painting: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, page, session = Slow(monkeypatch), painting.page(), painting.session
    page.tell(kind="slide", id=1, scales={"smile": 0.1})
    assert slow.in_first.wait(LIMIT)
    page.tell(kind="slide", id=2, scales={"smile": 0.9})
    asking = threading.Thread(target=page.tell, kwargs={**STROKE, "kind": "paint_labels", "id": 3})
    asking.start()
    slow.go_on.set()
    asking.join(LIMIT)
    assert slow.done[-1] == {"smile": 0.9}
    assert session.album.current.label == "smile 0.9"
    assert session.known_parts().strokes == 1  # on the picture that the sliders made
    assert session.ws.equal(session.album.current.ws)


def test_parts_have_names_and_colours(painting: Line) -> None:
    assert [part.name for part in painting.session.parts] == [part.name for part in PARTS]
