"""Valid files with a few bytes changed: a generator, or an error that says why; nothing else."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import recognise
from nbdrag.generators.formats.torchfile import read_bytes
from tests.generators.formats.corpus import write_corpus

pieces = st.binary(max_size=8) | st.sampled_from(
    [b"(", b".", b"R", b"b", b"Q", b"\x85", b"\x94", b"q\x00", b"h\x00", b"h\x01", b"\xff" * 4]
)
changes = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 8), pieces | st.floats(0, 1)), min_size=1, max_size=4
)
"""Where, how many bytes to replace, and by what; a number: by as many from there in the file."""


def changed(data: bytes, places: list[tuple[float, int, bytes | float]]) -> bytes:
    for where, length, piece in places:
        start = int(where * len(data))
        if isinstance(piece, float):
            other = int(piece * len(data))
            piece = data[other : other + length]
        data = data[:start] + piece + data[start + length :]
    return data


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> list[bytes]:
    return [path.read_bytes() for path in write_corpus(tmp_path_factory.mktemp("corpus"))]


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_changed_files_end_in_a_generator_or_an_error(corpus, data):
    original = data.draw(st.sampled_from(corpus))
    mutant = changed(original, data.draw(changes))
    with contextlib.suppress(CheckpointError):
        recognise(read_bytes(memoryview(bytearray(mutant))))
