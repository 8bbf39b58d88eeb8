import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.widgets.part_map import LIMIT, PartMap

SIZE = (3, 4)


def filled_with(label: int) -> np.ndarray:
    return np.full(SIZE, label, np.uint8)


@given(st.lists(st.integers(-2, 5), max_size=30))
def test_strokes_are_a_line_with_a_cursor(commands: list[int]) -> None:
    """Against a list: a number is painted, -1 undoes and -2 does again."""
    part_map, line, cursor = PartMap.found(filled_with(0)), [0], 0
    for command in commands:
        if command >= 0:
            if command != line[cursor]:
                line, cursor = [*line[: cursor + 1], command], cursor + 1
            part_map = part_map.painted(filled_with(command))
        elif command == -1 and cursor > 0:
            part_map, cursor = part_map.undone(), cursor - 1
        elif command == -2 and cursor < len(line) - 1:
            part_map, cursor = part_map.redone(), cursor + 1
        assert np.array_equal(part_map.edited, filled_with(line[cursor]))
        assert (part_map.strokes, part_map.strokes_ahead) == (cursor, len(line) - 1 - cursor)
        assert part_map.is_edited == (line[cursor] != 0)
    assert np.array_equal(part_map.original, filled_with(0))


def test_no_two_maps_have_the_same_version() -> None:
    found = PartMap.found(filled_with(0))
    painted = found.painted(filled_with(1))
    maps = [found, painted, painted.undone(), painted.undone().redone()]
    assert len({part_map.version for part_map in maps}) == 4
    assert painted.painted(filled_with(1)) is painted


def test_a_stroke_on_strokes_undone_forgets_them() -> None:
    painted = PartMap.found(filled_with(0)).painted(filled_with(1)).painted(filled_with(2))
    again = painted.undone().painted(filled_with(3))
    assert (again.strokes, again.strokes_ahead) == (2, 0)
    assert np.array_equal(again.undone().edited, filled_with(1))
    assert np.array_equal(painted.edited, filled_with(2))


def test_the_oldest_stroke_is_kept_for_good_beyond_the_limit() -> None:
    part_map = PartMap.found(filled_with(0))
    for stroke in range(LIMIT + 5):
        part_map = part_map.painted(filled_with(1 + stroke % 7))
    assert part_map.strokes == LIMIT
    for _ in range(LIMIT):
        part_map = part_map.undone()
    assert not part_map.edited.any()
    assert np.array_equal(part_map.redone().edited, filled_with(1 + 5 % 7))


def test_maps_are_kept_as_they_are_sent() -> None:
    part_map = PartMap.found(filled_with(0)).painted(filled_with(9))
    assert zlib.decompress(part_map.maps[1]) == bytes([9] * 12)
