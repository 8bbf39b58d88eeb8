"""The page's section on ways to drag: every table that was measured, and no other."""

from __future__ import annotations

from tools.figures_of_drags import ways_to_drag

ROW = {
    "tests": 3,
    "mean_distance": 1.234,
    "median_distance": 1.1,
    "fid": 2.5,
    "change_outside_mask": 0.01,
    "steps": 12.0,
    "seconds": 0.25,
}
PICTURE = {"tests": 2, "mse": 0.0123, "perceptual": 0.04567, "seconds": 0.5}
HEAD = {"command": "do it", "step_limit": 100}


def section(**tables: object) -> str:
    return "\n\n".join(ways_to_drag({**HEAD, **tables}))


def test_without_tables_there_is_a_title_alone() -> None:
    page = section(ablation={})
    assert page.startswith("## ")
    assert "do it" in page
    assert "|" not in page


def test_ways_that_lack_a_number_of_points_leave_their_cells_empty() -> None:
    page = section(landmarks={"1": {"A": {**ROW, "fid": None}, "B": ROW}, "all": {"B": ROW}})
    assert "| A | 1.23 |  |  |  | 0.250 |  | 0.010 | 3 / - |" in page
    assert "| B | 1.23 | 1.23 | 2.50 | 2.50 | 0.250 | 0.250 | 0.010 | 3 / 3 |" in page


def test_every_table_has_its_place() -> None:
    page = section(
        reconstruction={"A": PICTURE},
        ablation={"n = 5": {"training_steps": 9, "1": ROW, "5": ROW, "reconstruction": PICTURE}},
        block={"16": ROW},
        patch={"3": ROW},
        decay={"seconds": [0.1], "ways": {"A": {"tests": 4, "left": [0.5]}}},
        speed={
            "pairs": {"values": [1, 2], "seconds": {"A": [0.01, 0.0212]}},
            "resolution": {"values": [128], "seconds": {"A": [0.1]}},
        },
        sheet={"seeds": [1, 2], "points": 5},
    )
    for line in (
        "| A | 1.23 | 0.457 | 0.500 | 2 |",
        "| n = 5 | 9 | 1.23 | 2.50 | 1.23 | 2.50 | 1.23 | 0.457 | 3 |",
        "| 16 | 1.23 | 1.10 | 12 | 0.250 | 3 |",
        "| A | 0.01 | 0.0212 |",
        "| | 128 px |".replace("| |", "|  |"),
        "mean of 4 drags",
        "images/drag-methods.jpg",
    ):
        assert line in page, line
