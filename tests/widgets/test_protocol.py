from pathlib import Path
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.widgets.from_kernel import Reply, Status, encode
from nbdrag.widgets.from_page import ProtocolError, Request, decode
from nbdrag.widgets.typescript import BATCH, main, typescript

GENERATED = Path(__file__).parents[2] / "js/src/shared/protocol.gen.ts"

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def test_typescript_is_up_to_date() -> None:
    assert GENERATED.read_text() == typescript(), (
        "run `python -m nbdrag.widgets.protocol --typescript > js/src/shared/protocol.gen.ts`"
    )


def test_typescript_of_the_batch_is_up_to_date() -> None:
    written = GENERATED.parents[1] / "batch" / "protocol.gen.ts"
    assert written.read_text() == typescript(BATCH), (
        "run `python -m nbdrag.widgets.protocol --typescript batch > js/src/batch/protocol.gen.ts`"
    )


def test_typescript_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--typescript"]) == 0
    assert capsys.readouterr().out == typescript()
    assert main(["--typescript", "batch"]) == 0
    assert capsys.readouterr().out == typescript(BATCH)
    assert main([]) == 2
    assert main(["--typescript", "all"]) == 2
    assert "usage" in capsys.readouterr().err


@given(anything)
def test_only_protocol_errors_come_out_of_decode(content: object) -> None:
    with pytest.raises(ProtocolError, match="not understood"):
        decode(content)


@given(
    st.sampled_from(get_args(Request)).map(lambda message: message.__struct_config__.tag),
    st.dictionaries(
        st.sampled_from(
            [name for message in get_args(Request) for name in message.__struct_fields__]
        ),
        anything,
    ),
)
def test_what_decodes_is_within_the_limits(kind: str, fields: dict[str, object]) -> None:
    try:
        message = decode({"kind": kind, **fields})
    except ProtocolError:
        return
    assert decode(msgspec.to_builtins(message)) == message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"kind": "set_points", "id": 1, "points": [[1, 2, 3, float("nan")]]}, r"points\[0\]\[3\]"),
        ({"kind": "set_points", "id": 1, "points": [[1, 2, 3, float("inf")]]}, r"points\[0\]\[3\]"),
        ({"kind": "set_points", "id": 1, "points": [[1, 2, 3]]}, "length 4"),
        ({"kind": "set_points", "id": 1, "points": [[1, 2, 3, True]]}, "bool"),
        ({"kind": "set_points", "id": 1, "points": [[0, 0, 0, 0]] * 65}, "length <= 64"),
        ({"kind": "paint_mask", "id": 1, "tool": "brush", "radius": 0, "path": [[1, 1]]}, "radius"),
        ({"kind": "paint_mask", "id": 1, "tool": "brush", "radius": 3, "path": []}, "path"),
        (
            {"kind": "paint_mask", "id": 1, "tool": "brush", "radius": 3, "path": [[0, 0]] * 4097},
            "4096",
        ),
        ({"kind": "paint_mask", "id": 1, "tool": "axe", "radius": 3, "path": [[0, 0]]}, "axe"),
        ({"kind": "sample", "id": 1, "seed": -1, "truncation": 0.5}, "seed"),
        ({"kind": "sample", "id": 1, "seed": 2**32, "truncation": 0.5}, "seed"),
        ({"kind": "sample", "id": 1, "seed": 1, "truncation": 1.5}, "truncation"),
        ({"kind": "set_options", "id": 1, "options": {"x": float("nan")}}, "options"),
        ({"kind": "set_options", "id": 1, "options": {"x": [1]}}, "options"),
        ({"kind": "set_options", "id": 1, "options": {"x" * 65: 1}}, "64"),
        ({"kind": "stop", "id": 1, "now": True}, "unknown field `now`"),
        ({"kind": "dance", "id": 1}, "dance"),
        ({"kind": "sample", "id": 1, "seed": 1, "truncation": 1, "label": -1}, "label"),
        ({"kind": "load_model", "id": 1, "source": ""}, "source"),
        ({"kind": "load_model", "id": 1, "source": "x" * 2001}, "2000"),
        ({"kind": "upload", "id": 1, "name": "x", "size": 2**32 + 1}, "size"),
        ({"kind": "upload", "id": 1, "name": "x" * 256, "size": 1}, "255"),
        ({"kind": "chunk", "id": 1, "upload": 1, "offset": -1}, "offset"),
    ],
)
def test_a_refusal_says_what_is_wrong(content: dict[str, object], complaint: str) -> None:
    with pytest.raises(ProtocolError, match=complaint) as refusal:
        decode(content)
    assert refusal.value.id == 1


def test_an_unreadable_id_is_none() -> None:
    for bad in (True, -1, 1.5, "1", 2**53, None):
        with pytest.raises(ProtocolError) as refusal:
            decode({"kind": "start", "id": bad})
        assert refusal.value.id is None


def test_a_kernel_message_becomes_json() -> None:
    status = Status(level="info", text="ready")
    assert encode(status) == {"kind": "status", "level": "info", "text": "ready"}
    assert encode(Reply(id=3, ok=True)) == {
        "kind": "reply",
        "id": 3,
        "ok": True,
        "error": None,
        "code": None,
        "filename": None,
        "models": None,
    }
