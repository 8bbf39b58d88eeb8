from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.widgets.batch_messages import EXAMPLE, MAX_ITEMS, Request, decode
from nbdrag.widgets.from_page import ProtocolError

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(anything)
def test_only_protocol_errors_come_out_of_decode(content: object) -> None:
    with pytest.raises(ProtocolError, match="not understood"):
        decode(content)


@given(
    st.sampled_from(get_args(Request)).map(lambda message: message.__struct_config__.tag),
    st.dictionaries(
        st.sampled_from([n for message in get_args(Request) for n in message.__struct_fields__]),
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
    "message",
    [
        {"kind": "set_strength", "id": 1, "strength": 10.5},
        {"kind": "set_strength", "id": 1, "strength": float("nan")},
        {"kind": "set_alpha", "id": 1, "item": -1, "alpha": 0.0},
        {"kind": "set_alpha", "id": 1, "item": 0, "alpha": 2e6},
        {"kind": "include", "id": 1, "items": [MAX_ITEMS], "included": True},
        {"kind": "look", "view": 1, "items": [EXAMPLE - 1]},
        {"kind": "look", "view": 1, "items": [0] * 513},
        {"kind": "export", "id": 1, "format": "tar", "path": "x"},
        {"kind": "export", "id": 1, "format": "zip", "path": ""},
        {"kind": "fetch", "id": 1, "file": 1, "offset": -1},
        {"kind": "fetch", "id": 1, "file": "/etc/passwd", "offset": 0},
        {"kind": "stop", "id": 1, "more": 2},
    ],
)
def test_what_is_out_of_range_is_not_understood(message: dict[str, object]) -> None:
    with pytest.raises(ProtocolError) as refusal:
        decode(message)
    assert refusal.value.id == message.get("id")
