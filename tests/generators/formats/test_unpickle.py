"""Pickles are taken down, not obeyed; and they cost no more than they may."""

import argparse
import collections
import contextlib
import math
import pickle
import pickletools
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import recognise
from nbdrag.generators.formats.names import GLOBALS
from nbdrag.generators.formats.records import Allowance, Call, Global
from nbdrag.generators.formats.torchfile import read_bytes
from nbdrag.generators.formats.unpickle import STEPS, read_pickle, read_pickle_at
from tests.generators.formats import payloads
from tests.generators.formats.writing import EasyDict, modules_of

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

# ------------------------------------------------------------------------------------ plain things

numbers = st.integers(-(1 << 59), 1 << 59) | st.floats(allow_nan=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))  # whole characters
names = st.none() | st.booleans() | numbers | texts | st.binary(max_size=600)
members = names | st.tuples(numbers, texts)
trees = st.recursive(
    names | st.integers(-(1 << 200), 1 << 200) | st.sets(members) | st.frozensets(members),
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(members, inner)
        | st.dictionaries(members, inner).map(collections.OrderedDict)
        | st.dictionaries(members, inner).map(lambda d: collections.defaultdict(list, d))
        | st.binary().map(bytearray)
    ),
    max_leaves=20,
)


def plain(thing: object) -> object:
    """The same with dicts, bytes, tuples and lists as the reader gives them, types told apart."""
    if isinstance(thing, bytearray | memoryview):
        return bytes(thing)
    if isinstance(thing, dict):
        return {key: plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return type(thing)(plain(item) for item in thing)
    return thing


@settings(deadline=None)
@given(trees, st.sampled_from(PROTOCOLS))
def test_plain_things_are_read(tree, protocol):
    assert plain(read_pickle(pickle.dumps(tree, protocol))) == plain(tree)


@settings(deadline=None)
@given(trees)
def test_pickles_without_memo_are_read(tree):
    assert plain(read_pickle(pickletools.optimize(pickle.dumps(tree, 4)))) == plain(tree)


def test_python_2_wrote_bytes_for_texts():
    assert read_pickle(b"(dp0\nS'a'\np1\nI01\nsS'b'\nL12345678901234567890L\ns.") == {
        "a": True,
        "b": 12345678901234567890,
    }
    assert read_pickle(b"\x80\x02}U\x01aU\x02\xe9\xff0T\x03\0\0\0\x80abs.") == {"a": "\x80ab"}


def test_not_a_number_is_a_number():
    assert math.isnan(read_pickle(b"Fnan\n."))


def test_what_is_shared_stays_shared():
    shared = [1]
    first, second = read_pickle(pickle.dumps([shared, shared]))
    assert first is second


def test_what_contains_itself_contains_itself():
    inside: list = []
    inside.append(inside)
    found = read_pickle(pickle.dumps(inside))
    assert found[0] is found


def test_long_bytes_are_not_copied():
    data = bytearray(pickle.dumps([b"a" * 511, b"b" * 512], 4))
    short, long = read_pickle(data)
    assert short == b"a" * 511
    assert isinstance(long, memoryview)
    data[data.index(b"bbb")] = ord("c")
    assert bytes(long[:3]) == b"cbb"


def test_pickles_one_after_another():
    data = pickle.dumps([1]) + pickle.dumps("b", 0) + b"rest"
    first, position = read_pickle_at(data, 0)
    second, position = read_pickle_at(data, position)
    assert (first, second, data[position:]) == ([1], "b", b"rest")


def test_halves_of_characters_are_replaced():
    """They could not be printed."""
    for protocol in PROTOCOLS:
        found = read_pickle(pickle.dumps("a\ud800b", protocol))
        assert found.encode()  # raises for halves
        assert (found[0], found[-1]) == ("a", "b")


# ------------------------------------------------------------------------------------------ records


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_objects_become_calls(protocol):
    args = argparse.Namespace(size=64, path=PurePosixPath("a/b"))
    found = read_pickle(pickle.dumps(args, protocol))
    assert found.function == Global("argparse", "Namespace")
    assert found.args == ()
    assert found.state["size"] == 64
    path = found.state["path"]
    assert path.function.name == "PurePosixPath"
    assert "/".join(path.args) in ("a/b", "a/b")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_dicts_of_other_classes_keep_their_entries(protocol):
    with modules_of(dnnlib__util__EasyDict=EasyDict):
        found = read_pickle(pickle.dumps(EasyDict(a=1, b=[2]), protocol))
    assert found.function == Global("dnnlib.util", "EasyDict")
    assert found.entries == [("a", 1), ("b", [2])]


def test_lists_of_other_classes_keep_their_items():
    found = read_pickle(pickle.dumps(collections.deque([1, 2])))
    assert found.function == Global("collections", "deque")
    assert found.items == [1, 2]


def test_keywords_are_kept():
    data = b"\x80\x04\x8c\x05types\x8c\x0fSimpleNamespace\x93)}\x8c\x01aK\x01s\x92."
    found = read_pickle(data)
    assert (found.args, found.kwargs) == ((), {"a": 1})


def test_persistent_modules_keep_their_state_and_source():
    function = payloads.in_lines("torch_utils.persistence", "_reconstruct_persistent_obj")
    source = "raise SystemExit"
    content = pickle.dumps({"type": "class", "module_src": source, "state": {"a": [1]}}, 2)[2:-1]
    found = read_pickle(b"\x80\x02" + function + content + b"\x85R.")
    (meta,) = found.args
    assert meta == {"type": "class", "module_src": source, "state": {"a": [1]}}


def test_names_of_other_versions_are_today_s():
    assert read_pickle(b"c__builtin__\nobject\n.") == Global("builtins", "object")
    assert read_pickle(b"cnumpy._core.multiarray\nscalar\n.").module == "numpy.core.multiarray"


def test_makers_give_calls_a_meaning():
    """Twice: when the call is made, and when its state is set; the memo keeps up."""

    def make(call: Call, allowance: Allowance) -> object:
        return call if call.state is None else ["made", call.state]

    data = b"\x80\x02]q\x00(cargparse\nNamespace\n)Rq\x01K\x07bh\x01e."
    assert read_pickle(data, makers={Global("argparse", "Namespace"): make}) == [["made", 7]] * 2


def test_references_go_to_whom_it_concerns():
    assert read_pickle(b"\x80\x02K\x05Q.", persistent=lambda key: [key]) == [5]
    with pytest.raises(CheckpointError, match="refers to things outside"):
        read_pickle(b"\x80\x02K\x05Q.")


def test_records_of_endless_things_can_be_printed():
    found = read_pickle(b"cargparse\nNamespace\n)Rq\x00}X\x01\0\0\0ah\x00sb.")
    assert found.state["a"] is found
    assert repr(found) == "<call of argparse.Namespace with 0 arguments>"


# ------------------------------------------------------------------------------------- what is harm


@pytest.mark.parametrize("name", payloads.NAMES)
def test_other_names_are_refused_by_name(name):
    module, _, attribute = name.rpartition(".")
    for data in (
        payloads.in_lines(module, attribute) + b".",
        b"\x80\x04" + payloads.on_stack(module, attribute) + b".",
        b"\x80\x04" + payloads.on_stack(*name.partition(".")[::2]) + b".",
    ):
        with pytest.raises(CheckpointError, match="could run code") as raised:
            read_pickle(data)
        assert name.replace("__builtin__", "builtins") in str(raised.value)


@pytest.mark.parametrize("name", ["INST", "OBJ", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "DUP"])
def test_instructions_that_nobody_needs_are_refused_by_name(name):
    code = next(opcode.code for opcode in pickletools.opcodes if opcode.name == name)
    with pytest.raises(CheckpointError, match=f"instruction {name}"):
        read_pickle(b"\x80\x04(N" + code.encode("latin-1") + b"\x01os\nsystem\n\0\0.")


def test_no_known_name_is_dotted_or_a_way_to_others():
    assert not [name for name in GLOBALS if "." in name.name]
    for name in ("eval", "exec", "getattr", "open", "compile", "__import__", "type", "vars"):
        assert Global("builtins", name) not in GLOBALS


# ------------------------------------------------------------------------------ whatever may come

ARGUMENTS = {
    "PROTO": st.integers(0, 6).map(lambda n: bytes([n])),
    "FRAME": st.just(bytes(8)),
    "INT": st.sampled_from([b"1\n", b"00\n", b"x\n", b"-7\n"]),
    "LONG": st.sampled_from([b"5L\n", b"9999999999999999999999\n", b"L\n"]),
    "LONG1": st.binary(max_size=9).map(lambda b: bytes([len(b)]) + b),
    "LONG4": st.binary(max_size=9).map(lambda b: bytes([len(b), 0, 0, 0]) + b),
    "FLOAT": st.sampled_from([b"1.5\n", b"nan\n", b"one\n"]),
    "STRING": st.sampled_from([b"'a'\n", b"'\n", b"\n", b"'\\x00'\n"]),
    "UNICODE": st.sampled_from([b"a\n", b"\\ud800\n", b"\\u12\n", b"\xff\n"]),
    "GLOBAL": st.sampled_from(sorted(GLOBALS, key=str)).map(
        lambda name: f"{name.module}\n{name.name}\n".encode()
    ),
    "GET": st.integers(0, 9).map(lambda n: b"%d\n" % n),
    "PUT": st.integers(0, 9).map(lambda n: b"%d\n" % n),
    "BINGET": st.integers(0, 9).map(lambda n: bytes([n])),
    "BINPUT": st.integers(0, 9).map(lambda n: bytes([n])),
    "LONG_BINGET": st.integers(0, 9).map(lambda n: bytes([n, 0, 0, 0])),
    "LONG_BINPUT": st.integers(0, 9).map(lambda n: bytes([n, 0, 0, 0])),
    "INST": st.just(b"os\nsystem\n"),
    "PERSID": st.just(b"7\n"),
}
"""Arguments that make sense now and then. Of what isn't here, any bytes of the right length."""


def argument(opcode: pickletools.OpcodeInfo) -> st.SearchStrategy[bytes]:
    if opcode.name in ARGUMENTS:
        return ARGUMENTS[opcode.name]
    if opcode.arg is None:
        return st.just(b"")
    if opcode.arg.n >= 0:
        return st.binary(min_size=opcode.arg.n, max_size=opcode.arg.n)
    size = int(opcode.arg.name[-1])  # string1, bytes4, unicodestring8: of the length before it
    texts = st.binary(max_size=9) | st.sampled_from([b"builtins", b"set", b"latin1"])
    return texts.map(lambda text: len(text).to_bytes(size, "little") + text)


def instruction(opcode: pickletools.OpcodeInfo) -> st.SearchStrategy[bytes]:
    return argument(opcode).map(lambda rest: opcode.code.encode("latin-1") + rest)


carried_out = [instruction(opcode) for opcode in pickletools.opcodes if opcode.name in STEPS]
any_at_all = [instruction(opcode) for opcode in pickletools.opcodes]
streams = st.lists(
    st.one_of(carried_out) | st.one_of(carried_out) | st.one_of(any_at_all), max_size=60
)


@settings(max_examples=1000, deadline=None)
@given(streams, st.sampled_from([b".", b""]))
def test_instructions_in_any_order_end_in_a_thing_or_an_error(instructions, end):
    """With everything that reading a file makes of them."""
    data = memoryview(bytearray(b"\x80\x04" + b"".join(instructions) + end))
    with contextlib.suppress(CheckpointError):
        recognise(read_bytes(data))
