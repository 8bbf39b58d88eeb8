"""The examples that the packaged segmenter was trained from, and how it is judged."""

import pytest
import torch

from nbdrag import toonfaces
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces.labeller import load_labeller
from nbdrag.training.toonface_parts import (
    EXAMPLES_SEED,
    HELD_OUT_SEED,
    PARTS,
    draw,
    ious,
    samples,
    sheet,
)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


def test_examples_mix_two_styles_and_come_with_their_parts(generator):
    examples = draw(generator, 3)
    assert examples.parts == PARTS
    assert examples.labels.shape == (3, 128, 128)
    sources = samples(generator, 6, EXAMPLES_SEED, 1.0)
    for i, ws in enumerate(examples.ws):
        from_one, from_other = ((ws == sources[j]).all(1) for j in (i, i + 3))
        assert (from_one ^ from_other).all()
        assert from_one.any()
        assert from_other.any()
    picture = generator.synthesis(examples.ws[:1]).image.clamp(-1, 1)
    assert torch.equal(load_labeller().labels(picture)[0], examples.labels[0])


def test_the_packaged_segmenter_sees_what_the_labeller_sees(generator):
    image, _, labels = generator.segment(samples(generator, 12, HELD_OUT_SEED, 0.7))
    found = ious(labels, load_labeller().labels(image.clamp(-1, 1)))
    assert list(found) == ["mean", *toonfaces.PARTS]
    assert found["mean"] > 0.7
    for part in ("background", "hair", "skin", "shirt", "neck", "inner_mouth"):
        assert found[part] > 0.75, part


def test_a_sheet_shows_pictures_above_their_parts(generator):
    picture = sheet(generator, columns=2)
    assert picture.size == (256, 256)
    shown = {picture.getpixel((x, y)) for x in range(0, 256, 5) for y in range(128, 256, 5)}
    assert shown <= {tuple(bytes.fromhex(part.colour[1:])) for part in PARTS}
