"""The page's section on transfers: what was measured, and no more."""

from __future__ import annotations

from tools.figures_of_transfers import transfers

YAW = {
    "source": "a drag",
    "portraits": 1000,
    "unit": "degrees",
    "examples": [{}, {}],
    "means": {
        "mae": {"random": 11.065, "optimised, d = 0": 2.05},
        "r2": {"naive": 0.84, "optimised": 0.92},
        "seconds of one thread": {
            "edit": 0.5,
            "search": 3.0,
            "strengths": 0.01,
            "synthesis of one": 0.01,
            "edit one by itself": 0.25,
        },
    },
}
SMILE = {
    **YAW,
    "unit": "shares of the range",
    "means": {**YAW["means"], "mae": {"random": 0.2}, "r2": {}},  # type: ignore[dict-item]
}
HEAD = {"command": "do it", "factors": {}}


def test_without_results_there_is_a_title_alone() -> None:
    assert "|" not in "\n".join(transfers(HEAD))


def test_every_factor_has_a_column_and_its_own_unit() -> None:
    page = "\n".join(transfers({**HEAD, "factors": {"yaw": YAW, "smile": SMILE}}))
    assert "| random | 11.06 | 0.200 |" in page
    assert "| optimised, d = 0 | 2.05 |  |" in page
    assert "| optimised | 0.92 |  |" in page
    assert "Yaw: a drag, 1,000 portraits, 2 examples. Smile: a drag" in page
    assert "| transferred | 3.5 | 14 | 1 |" in page
    assert "| dragged one by one | 0.25 | 250 | 1,000 |" in page


def test_other_examples_are_told_of_where_there_are_any() -> None:
    others = {"examples": 10, "portraits": 60, "random": 12, "with strength": 4.32, "d = 0": 2.88}
    page = "\n".join(transfers({**HEAD, "factors": {"yaw": {**YAW, "other examples": others}}}))
    assert "off by 12.0: 4.3 with the example's own plane, 2.9 with d = 0." in page


def test_landmarks() -> None:
    row = {"distance": 1.234, "fid": 5.678, "annotations of ten": 10}
    parts = {"landmarks": {"repeats": 30, "points": 6, "ways": {"dragged": row}}}
    page = "\n".join(transfers({**HEAD, **parts}))
    assert "| dragged | 1.23 | 5.68 | 10 |" in page
    assert "30 groups" in page
