import threading
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from nbdrag.widgets import from_kernel
from nbdrag.widgets.protocol import PROTOCOL
from tests.widgets.line import Line
from tests.widgets.page import Page
from tests.widgets.watching import ENDLESS, LIMIT, PAIRS, finish, pixels

ROWS = [list(pair) for pair in PAIRS]


def is_final(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and message["final"]


def is_moving(message: dict[str, Any]) -> bool:
    return message["kind"] == "frame" and not message["final"]


# ------------------------------------------------------------------------------------ a page comes


def everything(page: Page) -> dict[str, list[tuple[dict[str, Any], list[bytes]]]]:
    """What a page has been sent until it saw the picture at rest, by kind."""
    page.wait_for(is_final)
    kinds: dict[str, list[tuple[dict[str, Any], list[bytes]]]] = {}
    for message, buffers in page.seen:
        kinds.setdefault(message["kind"], []).append((message, buffers))
    return kinds


def test_a_page_that_is_ready_gets_it_all(line: Line) -> None:
    session = line.session
    session.set_points(PAIRS)
    session.start()
    finish(session)
    session.set_mask(np.tri(32, dtype=bool))
    for _ in range(2):  # a page that comes up late, and a reload
        got = everything(line.page())
        assert set(got) == {"snapshot", "mask", "before", "thumbnail", "frame"}
        (snapshot, _), (mask, bits) = got["snapshot"][-1], got["mask"][-1]
        assert snapshot == from_kernel.encode(line.wire.snapshot())
        assert [entry["label"] for entry in snapshot["history"]] == ["seed 3", "drag, 4 steps"]
        assert snapshot["mask_version"] == mask["version"]
        assert (mask["width"], mask["height"], mask["everywhere"]) == (32, 32, False)
        bools = np.unpackbits(np.frombuffer(bits[0], np.uint8), bitorder="little")
        assert np.array_equal(bools.reshape(32, 32), np.tri(32))
        ids = [entry["id"] for entry in snapshot["history"]]
        assert sorted(message["entry"] for message, _ in got["thumbnail"]) == ids
        assert all(pixels(data).shape == (32, 32, 3) for _, (data,) in got["thumbnail"])
        _, (before,) = got["before"][0]
        assert before == session.album.still(session.entries[0])
        frame, (still,) = got["frame"][-1]
        assert np.array_equal(pixels(still), session.image())
        assert (frame["format"], frame["step"], frame["width"]) == ("image/webp", 4, 32)
        assert np.allclose(frame["points"], session.points)


def test_without_a_mask_there_are_no_bits(line: Line) -> None:
    page = line.page()
    mask, bits = page.wait_for_kind("mask")
    assert (mask["everywhere"], bits) == (True, [])


def test_the_snapshot_tells_of_the_model_and_its_options(line: Line) -> None:
    snapshot, _ = line.page().wait_for_kind("snapshot")
    generator = line.session.generator
    assert snapshot["protocol"] == PROTOCOL
    assert snapshot["model"] == {
        "name": "tiny",
        "width": 32,
        "height": 32,
        "num_ws": generator.num_ws,
        "num_labels": 0,
    }
    assert {option["name"] for option in snapshot["schema"]} == set(snapshot["options"])
    assert snapshot["options"]["max_steps"] == 4


def test_a_page_that_comes_up_during_an_edit_sees_it_move(line: Line) -> None:
    line.session.set_points(PAIRS)
    line.session.set_options(ENDLESS)
    first = line.page()
    first.ask("start")
    first.wait_for(is_moving)
    second = line.page()
    assert second.wait_for_kind("snapshot")[0]["running"]
    frame, (data,) = second.wait_for(is_moving)
    assert (frame["format"], pixels(data).shape[2]) == ("image/jpeg", 3)
    second.ask("stop")
    frame, (data,) = second.wait_for(is_final)
    assert np.array_equal(pixels(data), line.session.image())


def test_a_heartbeat_is_answered_with_the_revision(line: Line) -> None:
    page = line.page()
    line.session.set_points(PAIRS)
    page.tell(kind="heartbeat")
    beat, _ = page.wait_for_kind("beat")
    assert beat["revision"] == page.snapshot["revision"] == 1


# ------------------------------------------------------------------------------------ what it asks


def test_what_is_asked_for_is_done(line: Line) -> None:
    page, session = line.page(), line.session

    def ask(kind: str, **fields: Any) -> tuple[dict[str, Any], list[bytes]]:
        reply, buffers = page.ask(kind, **fields)
        assert (reply["ok"], reply["error"]) == (True, None)
        assert page.snapshot["revision"] == session.revision
        return reply, buffers

    ask("set_points", points=ROWS)
    assert session.points == PAIRS
    assert page.snapshot["points"] == [*PAIRS]
    ask("paint_mask", tool="brush", radius=4, path=[[8, 8], [20, 8]])
    assert session.mask is not None
    painted = session.mask.sum()
    assert 0 < painted < 512
    ask("edit_mask", op="invert")
    assert session.mask.sum() == 1024 - painted
    ask("edit_mask", op="clear")
    assert session.mask is None
    ask("set_options", options={"space": "w", "max_steps": 3})
    assert (session.options.space, page.snapshot["options"]["max_steps"]) == ("w", 3)
    ask("sample", seed=9, truncation=0.5)
    assert (session.work.start.seed, page.snapshot["seed"], page.snapshot["truncation"]) == (
        9,
        9,
        0.5,
    )
    ask("start")
    finish(session)
    assert page.snapshot["history"][-1]["label"] == "drag, 3 steps"
    ask("stop")
    for kind, fields, cursor in [
        ("undo", {}, 1),
        ("undo", {}, 0),
        ("redo", {}, 1),
        ("go_to", {"index": 2}, 2),
        ("reset", {}, 1),
    ]:
        ask(kind, **fields)
        assert page.snapshot["cursor"] == session.album.history.cursor == cursor
    ask("redo")
    reply, _ = ask("get_code")
    assert reply["code"] == session.recipe().to_python()
    reply, (png,) = ask("get_png")
    assert reply["filename"] == "tiny-seed9-1edits.png"
    assert Image.open(BytesIO(png)).format == "PNG"
    assert np.array_equal(pixels(png), session.image())


def test_only_what_changed_is_sent(line: Line) -> None:
    page = line.page()
    page.wait_for(is_final)
    page.ask("set_points", points=ROWS)
    sent = [message["kind"] for message, _ in line.arrived[-2:]]
    assert sent == ["snapshot", "reply"]
    before = len(line.arrived)
    page.ask("paint_mask", tool="lasso", radius=1, path=[[1, 1], [9, 1], [9, 9]])
    sent = [message["kind"] for message, _ in line.arrived[before:]]
    assert sent == ["mask", "snapshot", "reply"]  # the mask is there when its version is named


def test_a_new_start_brings_another_picture_to_compare_with(line: Line) -> None:
    page = line.page()
    page.wait_for(is_final)
    page.ask("sample", seed=4, truncation=0.7)
    session = line.session
    assert page.latest("before")[1] == [session.album.still(session.entries[1])]
    page.ask("undo")
    assert page.latest("before")[1] == [session.album.still(session.entries[0])]
    assert line.wire.snapshot().history[0].id != line.wire.snapshot().history[1].id


def test_an_edit_is_seen_step_by_step_and_at_rest(line: Line) -> None:
    page = line.page()
    page.wait_for(is_final)
    page.ask("set_points", points=ROWS)
    page.ask("start")
    frame, (data,) = page.wait_for(is_final)
    frames = [message for message, _ in page.seen if message["kind"] == "frame"]
    assert [f["seq"] for f in frames] == sorted({f["seq"] for f in frames})
    moving = [f for f in frames if not f["final"]]
    assert [f["step"] for f in moving] == sorted({f["step"] for f in moving})
    assert all(0 < len(f["points"]) == len(f["distances"]) == 2 for f in frames[1:])
    assert np.array_equal(pixels(data), line.session.image())
    assert frame["loss"] == page.snapshot["progress"]["loss"]
    assert (page.snapshot["running"], page.snapshot["progress"]["step"]) == (False, 4)
    assert page.latest("thumbnail")[0]["entry"] == page.snapshot["history"][1]["id"]


def test_pages_agree(line: Line) -> None:
    first, second = line.page(), line.page()
    first.ask("set_points", points=ROWS)
    reply, _ = second.ask("start")
    assert reply["ok"]
    finish(line.session)
    second.ask("undo")
    revision = line.session.revision
    snapshot, _ = first.wait_for(lambda m: m["kind"] == "snapshot" and m["revision"] == revision)
    assert snapshot == second.snapshot == from_kernel.encode(line.wire.snapshot())


# ------------------------------------------------------------------------------- nobody is there


def test_an_edit_goes_on_without_a_page(line: Line) -> None:
    line.broken = True
    line.session.set_points(PAIRS)
    line.session.start()
    finish(line.session)
    assert line.session.entries[-1].label == "drag, 4 steps"
    line.broken = False
    assert set(everything(line.page())) == {"snapshot", "mask", "before", "thumbnail", "frame"}


def test_an_edit_goes_on_without_acknowledgements(line: Line) -> None:
    """Then few frames are sent; who says ready again sees the present."""
    line.session.set_points(PAIRS)
    line.session.set_options({**ENDLESS, "max_steps": 300})
    page = line.page(acks=False)
    said = len(line.arrived)  # what was sent before the page said ready counts as seen
    page.ask("start")
    finish(line.session)
    frames = [message for message, _ in line.arrived[said:] if message["kind"] == "frame"]
    assert 0 < len(frames) <= 30 < 300
    assert line.session.entries[-1].label == "drag, 300 steps"
    back = line.page()
    frame, (data,) = back.wait_for(is_final)
    while frame["step"] != 300:  # the picture before the edit may have been under way
        frame, (data,) = back.wait_for(is_final)
    assert np.array_equal(pixels(data), line.session.image())


def test_a_closed_wire_sends_no_frames(line: Line) -> None:
    line.page().wait_for(is_final)
    line.wire.close()
    line.session.set_points(PAIRS)
    line.session.start()
    finish(line.session)
    frames = [message for message, _ in line.arrived if message["kind"] == "frame"]
    assert len(frames) <= 2


def test_commands_from_many_pages_are_all_answered(line: Line) -> None:
    pages = [line.page(acks=False) for _ in range(4)]
    answers: list[bool] = []

    def talk(page: Page, seed: int) -> None:
        for i in range(5):
            answers.append(page.ask("sample", seed=seed, truncation=i / 5)[0]["ok"])

    threads = [
        threading.Thread(target=talk, args=(page, seed)) for seed, page in enumerate(pages, 10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert answers == [True] * 20
    assert pages[0].snapshot == from_kernel.encode(line.wire.snapshot())
