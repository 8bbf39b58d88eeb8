from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nbdrag.generators.stylegan2 import Generator
from nbdrag.widgets import from_page
from nbdrag.widgets.session import Session
from nbdrag.widgets.work import Work
from tests.widgets.line import Line
from tests.widgets.watching import PAIRS, SHORT, state


def test_a_refusal_is_answered_and_shown(line: Line) -> None:
    page, before = line.page(), state(line.session)
    reply, buffers = page.ask("start")
    assert (reply["ok"], buffers) == (False, [])
    assert "there are no points" in reply["error"]
    status, _ = page.wait_for_kind("status")
    assert status == {"kind": "status", "level": "error", "text": reply["error"]}
    assert state(line.session) == before


@pytest.mark.parametrize(
    ("message", "complaint"),
    [
        ({"kind": "set_points", "points": [[1, 2, 3, 99]]}, "outside the picture"),
        ({"kind": "set_points", "points": [[1, 2, 3, float("nan")]]}, "not understood"),
        ({"kind": "set_points", "points": [[1, 2, 3]]}, "not understood"),
        ({"kind": "set_options", "options": {"speed": 1}}, "unknown option 'speed'"),
        ({"kind": "edit_mask", "op": "invert"}, "there is no mask"),
        ({"kind": "sample", "seed": 0.5, "truncation": 0.5}, "not understood"),
        ({"kind": "go_to", "index": 7}, "index is 7"),
        ({"kind": "undo"}, "nothing to undo"),
        ({"kind": "dance"}, "dance"),
    ],
)
def test_bad_requests_change_nothing(line: Line, message: dict[str, Any], complaint: str) -> None:
    page, before = line.page(), state(line.session)
    reply, _ = page.ask(**message)
    assert complaint in reply["error"]
    assert state(line.session) == before


def test_an_error_of_our_own_is_told_too(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(line.session, "undo", fail)
    reply, _ = line.page().ask("undo")
    assert reply["error"] == "MemoryError: no room"


@pytest.fixture(scope="module")
def fuzzed(generator: Generator) -> Iterator[Line]:
    """A line with something to lose."""
    line = Line(Session(Work.begin(generator, seed=3, options=SHORT)))
    line.session.set_points(PAIRS)
    line.session.set_mask(np.tri(32, dtype=bool))
    line.session.sample(4, 0.7)
    yield line
    line.wire.close()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
numbers = st.integers(-5, 40) | st.floats() | st.sampled_from([2**53, -(2**63), 10**30])
REQUESTS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "set_points": {"points": st.lists(st.lists(numbers, min_size=3, max_size=5), max_size=3)},
    "paint_mask": {
        "tool": st.sampled_from(["brush", "eraser", "lasso", "lasso_eraser", "axe"]),
        "radius": numbers,
        "path": st.lists(st.lists(numbers, min_size=1, max_size=3), max_size=3),
    },
    "edit_mask": {"op": st.sampled_from(["invert", "clear", "fill", ""])},
    "set_options": {
        "options": st.dictionaries(
            st.sampled_from(["learning_rate", "max_steps", "space", "tolerance", "speed"]),
            numbers | json_values,
        )
    },
    "sample": {"seed": numbers, "truncation": numbers},
    "undo": {"now": json_values},
    "reset": {},
    "go_to": {"index": numbers | json_values},
    "get_code": {},
    "": {},
}
near_valid = st.sampled_from([*REQUESTS]).flatmap(
    lambda kind: st.fixed_dictionaries(
        {"kind": st.just(kind), "id": st.integers(0, 9) | json_values}, optional=REQUESTS[kind]
    )
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=json_values | near_valid)
def test_whatever_comes_is_answered_once(fuzzed: Line, content: object) -> None:
    before, read = state(fuzzed.session), len(fuzzed.arrived)
    fuzzed.wire.receive(content)
    (reply,) = [m for m, _ in fuzzed.arrived[read:] if m["kind"] == "reply"]
    if reply["ok"]:
        assert from_page.decode(content).id == reply["id"]  # type: ignore[union-attr]
    else:
        assert reply["error"]
        assert state(fuzzed.session) == before
    assert all(0 <= value <= 32 for pair in fuzzed.session.points for value in pair)
