"""The page draws strokes by the kernel's rules: both are held against one list of examples.

`strokes.json` has part maps, strokes, and what comes of them; js/test/paint/labels.test.ts reads
it too. When the rules change, `python -m tests.widgets.test_strokes_on_both_sides` writes it anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from nbdrag.widgets.from_page import MovePart, PaintLabels
from nbdrag.widgets.labels import LabelArray, moved, painted

EXAMPLES = Path(__file__).with_name("strokes.json")
MIRRORED = [0, 2, 1, 3, 4]
BEND = [(3.2, 2.4), (19.7, 4.9), (8.1, 14.3), (2.2, 7.7)]
LOOP = [(2.1, 2.2), (20.3, 13.4), (20.6, 2.3), (2.4, 13.1), (11.7, 15.2), (12.2, 0.3)]


def examples() -> list[dict[str, Any]]:
    """Strokes of every kind on a part map of blobs, some of them off its edges."""
    rng = np.random.default_rng(4)
    coarse = rng.integers(0, 5, (4, 6), dtype=np.uint8)
    labels = coarse.repeat(4, 0).repeat(4, 1)
    labels[rng.random(labels.shape) < 0.04] = 3
    original = np.roll(labels, 5, axis=1)
    strokes: list[dict[str, Any]] = [
        {"kind": "paint_labels", "tool": tool, "radius": radius, "path": path, "mirror": mirror}
        | ({} if "eraser" in tool else {"part": 1})
        for tool, radius, path in (
            ("brush", 2.6, [(7.3, 8.1)]),
            ("brush", 1.5, [(-4.2, 3.3), (30.1, 12.7)]),
            ("brush", 3.0, [(4.0, 4.0), (10.0, 4.0)]),
            ("eraser", 2.6, BEND),
            ("lasso", 1, LOOP),
            ("lasso", 1, [(3.5, 2.5), (11.5, 2.5), (11.5, 9.5), (3.5, 9.5)]),
            ("lasso_eraser", 1, LOOP),
            ("fill", 1, [(5.5, 5.5)]),
            ("fill", 1, [(12.0, 0.0)]),
        )
        for mirror in (False, True)
    ]
    strokes += [
        {"kind": "move_part", "parts": parts, "dx": dx, "dy": dy, "scale_x": sx, "scale_y": sy}
        | {"mirror": mirror}
        for parts, dx, dy, sx, sy in (
            ([1], 3, -2, 1, 1),
            ([2, 4], 0.5, 1.25, 1.3, 0.8),
            ([3], -30, 0, 1, 1),
            ([0, 1, 2, 3], 1, 1, 0.5, 0.5),
        )
        for mirror in (False, True)
    ]
    return [
        {
            "labels": rows(labels),
            "original": rows(original),
            "mirrored": MIRRORED,
            "stroke": stroke,
            "expected": rows(done(labels, original, stroke)),
        }
        for stroke in strokes
    ]


def done(labels: LabelArray, original: LabelArray, stroke: dict[str, Any]) -> LabelArray:
    fields = {key: value for key, value in stroke.items() if key != "kind"} | {"id": 1}
    if stroke["kind"] == "move_part":
        return moved(labels, msgspec.convert(fields, MovePart), MIRRORED)
    return painted(labels, original, msgspec.convert(fields, PaintLabels), MIRRORED)


def rows(labels: LabelArray) -> list[str]:
    return ["".join(map(str, row)) for row in labels.tolist()]


def test_the_kernel_paints_as_the_page_does() -> None:
    assert json.loads(EXAMPLES.read_text()) == json.loads(json.dumps(examples()))


if __name__ == "__main__":
    lines = ",\n".join(json.dumps(example) for example in examples())
    EXAMPLES.write_text(f"[\n{lines}\n]\n")
