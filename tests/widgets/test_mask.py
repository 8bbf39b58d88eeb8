import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Polygon

from nbdrag.widgets.from_page import PaintMask
from nbdrag.widgets.mask import bits, checked, inside, near, painted

SIZE = HEIGHT, WIDTH = 24, 16
AREA = HEIGHT * WIDTH
CENTRES = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), axis=-1) + 0.5

coordinates = st.floats(-40, 60, allow_nan=False).map(lambda x: round(x, 2))
paths = st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=8)


def distance_to_piece(
    point: np.ndarray, start: tuple[float, float], end: tuple[float, float]
) -> float:
    along = np.subtract(end, start)
    t = 0.0 if not along.any() else float(np.dot(point - start, along) / np.dot(along, along))
    return float(np.linalg.norm(point - (start + min(max(t, 0.0), 1.0) * along)))


@settings(max_examples=60)
@given(paths, st.floats(0.1, 30))
def test_near_is_the_distance_to_the_line(path: list[tuple[float, float]], radius: float) -> None:
    region = near(np.array(path), radius, SIZE)
    for row in range(0, HEIGHT, 4):
        for column in range(0, WIDTH, 3):
            pieces = zip(path[:1] + path[:-1], path, strict=True)
            distance = min(distance_to_piece(CENTRES[row, column], a, b) for a, b in pieces)
            if abs(distance - radius) > 1e-6:
                assert region[row, column] == (distance < radius)


@given(st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=3))
def test_inside_a_triangle(path: list[tuple[float, float]]) -> None:
    region = inside(np.array(path), SIZE).ravel()
    points = CENTRES.reshape(-1, 2)
    closed = Polygon([*path, path[0]])
    sure = np.ones(len(points), bool)
    for a, b in zip(path, path[1:] + path[:1], strict=True):
        sure &= [distance_to_piece(point, a, b) > 1e-6 for point in points]
    assert (region == closed.contains_points(points))[sure].all()


def test_a_square_holds_the_centres_in_it() -> None:
    region = inside(np.array([(2, 3), (6, 3), (6, 5), (2, 5)], float), SIZE)
    expected = np.zeros(SIZE, bool)
    expected[3:5, 2:6] = True
    assert (region == expected).all()


def test_a_lasso_that_crosses_itself_has_no_hole() -> None:
    twice = [(2, 2), (12, 2), (12, 12), (2, 12)] * 2
    assert inside(np.array(twice, float), SIZE)[5, 5]


def stroke(tool: str, path: list[tuple[float, float]], radius: float = 2.0) -> PaintMask:
    return PaintMask(id=1, tool=tool, radius=radius, path=path)  # type: ignore[arg-type]


def test_the_first_stroke_decides_what_it_starts_from() -> None:
    dot = [(8.0, 8.0)]
    assert painted(None, stroke("brush", dot), SIZE).sum() == 12
    assert painted(None, stroke("eraser", dot), SIZE).sum() == AREA - 12
    square = [(2.0, 2.0), (4.0, 2.0), (4.0, 4.0), (2.0, 4.0)]
    assert painted(None, stroke("lasso", square), SIZE).sum() == 4
    assert painted(None, stroke("lasso_eraser", square), SIZE).sum() == AREA - 4


def test_strokes_add_up_and_leave_the_old_mask_alone() -> None:
    first = painted(None, stroke("brush", [(4.0, 4.0)]), SIZE)
    kept = first.copy()
    both = painted(first, stroke("brush", [(12.0, 12.0)]), SIZE)
    assert (first == kept).all()
    assert both.sum() == 24
    assert (painted(both, stroke("eraser", [(12.0, 12.0)]), SIZE) == first).all()


def test_bits_come_back() -> None:
    mask = np.random.default_rng(0).random(SIZE) < 0.5
    buffer = np.frombuffer(bits(mask), np.uint8)
    assert buffer.size == AREA // 8
    assert (np.unpackbits(buffer, bitorder="little").reshape(SIZE) == mask).all()


def test_a_given_mask_is_copied() -> None:
    mask = np.ones(SIZE, bool)
    copy = checked(mask, SIZE)
    assert copy is not None
    mask[:] = False
    assert copy.all()
    assert checked(None, SIZE) is None


@pytest.mark.parametrize(
    ("mask", "complaint"),
    [
        (np.ones(SIZE), "dtype float64"),
        (np.ones((WIDTH, HEIGHT), bool), r"shape \[16, 24\], but the picture is \[24, 16\]"),
        (np.ones((1, *SIZE), bool), "shape"),
        (np.zeros(SIZE, bool), "False everywhere"),
        ("face", "dtype"),
        ([[True, False], [True]], "mask can't be read"),
    ],
)
def test_a_bad_mask_is_refused(mask: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        checked(mask, SIZE)  # type: ignore[arg-type]
