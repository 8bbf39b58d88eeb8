"""Bad messages, sent by the page's own connection, change nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from tests.browser.editor import editor_on, place_pair, points
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.servers import Server

# -------------------------------------------------------------------------------------- what is bad

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e9, 1e9)
    | st.text(max_size=8),
    lambda values: (
        st.lists(values, max_size=4) | st.dictionaries(st.text(max_size=8), values, max_size=4)
    ),
    max_leaves=12,
)

GOOD: list[dict[str, Any]] = [
    {"kind": "ack", "seq": 1},
    {"kind": "set_points", "id": 1, "points": [[10, 10, 20, 20]]},
    {"kind": "paint_mask", "id": 1, "tool": "brush", "radius": 5, "path": [[10, 10], [20, 20]]},
    {"kind": "edit_mask", "id": 1, "op": "invert"},
    {"kind": "set_options", "id": 1, "options": {"learning_rate": 0.01}},
    {"kind": "sample", "id": 1, "seed": 5, "truncation": 0.5},
    {"kind": "go_to", "id": 1, "index": 0},
]

# Well-formed, but impossible in an editor of 128 pixels that has made no edit.
IMPOSSIBLE: list[dict[str, Any]] = [
    {"kind": "set_points", "id": 1, "points": [[-1, 10, 20, 20]]},
    {"kind": "set_points", "id": 1, "points": [[10, 10, 20, 128.5]]},
    {"kind": "set_points", "id": 1, "points": [[10, 10, 20, 20]] * 1000},
    {"kind": "set_options", "id": 1, "options": {"no_such_option": 1}},
    {"kind": "set_options", "id": 1, "options": {"learning_rate": -1}},
    {"kind": "set_options", "id": 1, "options": {"max_steps": "many"}},
    {"kind": "sample", "id": 1, "seed": 5, "truncation": 7},
    {"kind": "sample", "id": 1, "seed": -5, "truncation": 0.5},
    {"kind": "go_to", "id": 1, "index": 99},
    {"kind": "undo", "id": 1},
    {"kind": "redo", "id": 1},
]


def without_a_kind(message: Any) -> bool:
    return not (isinstance(message, dict) and isinstance(message.get("kind"), str))


@st.composite
def spoiled(draw: st.DrawFn) -> dict[str, Any]:
    """A good message with a field missing, of a wrong type, or one too many."""
    message = dict(draw(st.sampled_from(GOOD)))
    field = draw(st.sampled_from([name for name in message if name != "kind"]))
    match draw(st.sampled_from(["missing", "wrong", "extra", "unknown"])):
        case "missing":
            del message[field]
        case "wrong":
            message[field] = draw(st.sampled_from([None, {"a": 1}, [[]], [["x"]], "\N{SNOWMAN}"]))
        case "extra":
            message["extra"] = draw(JSON)
        case "unknown":
            message["kind"] = draw(st.text(max_size=12).map(lambda text: text + "!"))
    return message


BAD = JSON.filter(without_a_kind) | spoiled() | st.sampled_from(IMPOSSIBLE)

# ----------------------------------------------------------------------------------- how it is sent

STATE = """dict(
    ws=hashlib.sha256(editor.ws.numpy().tobytes()).hexdigest(),
    image=hashlib.sha256(editor.image.tobytes()).hexdigest(),
    mask=None if editor.mask is None else hashlib.sha256(np.packbits(editor.mask)).hexdigest(),
    points=np.asarray(editor.points).tolist(),
    options=repr(editor.options),
    seed=editor.seed,
    history=len(editor.history),
    running=editor.running,
)"""

SEND = """([comm, messages]) => {
    const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    for (const content of messages) {
        kernel.sendShellMessage({
            header: {
                msg_id: crypto.randomUUID(), msg_type: "comm_msg", session: kernel.clientId,
                username: "", date: new Date().toISOString(), version: "5.3",
            },
            parent_header: {}, metadata: {}, buffers: [], channel: "shell",
            content: { comm_id: comm, data: { method: "custom", content } },
        }, false, false);
    }
}"""


@pytest.fixture
def editor_page(lab: Server, page: Page) -> Page:
    write_notebook(
        lab.notebooks / "bad-messages.ipynb",
        "import hashlib\nimport numpy as np\nfrom nbdrag import DragEditor",
        "editor = DragEditor(seed=3)\neditor",
    )
    open_notebook(page, lab, "bad-messages.ipynb")
    run_all(page)
    return page


def test_bad_messages_change_nothing(editor_page: Page) -> None:
    page = editor_page
    editor = editor_on(page)
    place_pair(editor, (40, 40), (60, 50))
    comm = kernel_eval(page, "editor.comm.comm_id")
    before = kernel_eval(page, STATE)
    shown = points(editor)

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(BAD, min_size=1, max_size=12))
    def send(messages: list[Any]) -> None:
        page.evaluate(SEND, [comm, messages])
        assert kernel_eval(page, STATE) == before, json.dumps(messages)

    send()
    assert points(editor) == shown
    expect(editor).to_have_attribute("data-state", "error")  # the last one's answer
    # It is as alive as before.
    place_pair(editor, (80, 80), (90, 90))
    expect(editor).to_have_attribute("data-state", "idle")
    assert len(kernel_eval(page, STATE)["points"]) == 2
