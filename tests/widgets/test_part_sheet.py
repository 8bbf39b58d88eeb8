"""The picture of a painter where there is no widget."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageColor

from nbdrag.generators.segmenter import Part
from nbdrag.widgets.part_sheet import GAP, LEAST, PAPER, coloured, part_sheet

PARTS = [Part("background", "#dfe3ea"), Part("left_eye", "#3a7bd5"), Part("lips", "#c94f6d")]


def map_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, len(PARTS), (height, width), dtype=np.uint8)


def test_each_part_has_its_colour() -> None:
    labels = map_of(5, 7)
    found = np.asarray(coloured(labels, PARTS))
    for index, part in enumerate(PARTS):
        assert (found[labels == index] == ImageColor.getrgb(part.colour)).all()


@pytest.mark.parametrize(("height", "width", "factor"), [(32, 32, 10), (400, 300, 1), (64, 32, 5)])
def test_picture_map_and_legend_stand_side_by_side(height: int, width: int, factor: int) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (height, width, 3), dtype=np.uint8)
    labels = map_of(height, width)
    sheet = part_sheet(Image.fromarray(pixels, "RGB"), labels, PARTS)
    assert sheet.height == height * factor >= LEAST
    shown = np.asarray(sheet)
    if factor == 1:
        assert np.array_equal(shown[:, :width], pixels)
    left = width * factor + GAP
    centres = shown[factor // 2 :: factor, left + factor // 2 : left + width * factor : factor]
    assert np.array_equal(centres, np.asarray(coloured(labels, PARTS)))
    legend = shown[:, left + width * factor :].reshape(-1, 3)
    for colour in [PAPER, *(part.colour for part in PARTS)]:
        assert (legend == ImageColor.getrgb(colour)).all(1).sum() > 50


def test_a_long_legend_has_columns_and_an_empty_one_none() -> None:
    many = [Part(f"part_{i}", "#c94f6d") for i in range(100)]
    picture, labels = Image.new("RGB", (32, 32)), np.zeros((32, 32), np.uint8)
    wide = part_sheet(picture, labels, many)
    assert wide.height == part_sheet(picture, labels, PARTS).height
    assert wide.width > 5 * 60 + 2 * (LEAST + GAP)
