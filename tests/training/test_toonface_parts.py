"""The examples that the packaged segmenter was trained from, and how it is judged."""

import pytest
import torch

from nbdrag import toonfaces
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.projection.optimize import ProjectOptions
from nbdrag.toonfaces.labeller import load_labeller
from nbdrag.training import toonface_parts
from nbdrag.training.toonface_parts import (
    EXAMPLES_SEED,
    HELD_OUT_SEED,
    PARTS,
    draw,
    embedded,
    ious,
    render,
    samples,
    sheet,
    telling,
)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


def test_examples_are_embedded_renders_with_their_parts(generator, tmp_path, monkeypatch):
    quick = ProjectOptions(max_steps=2, candidates=2)
    monkeypatch.setattr(toonface_parts, "STRAYING", quick)
    examples = draw(generator, 2, tmp_path, candidates=4)
    assert examples.parts == PARTS
    assert examples.labels.shape == (2, 128, 128)
    rendered = render(generator, 4, EXAMPLES_SEED)
    chosen = rendered.image[telling(rendered.labels, 2)]
    assert torch.equal(embedded(generator, chosen, tmp_path, quick), examples.ws)
    assert len([*tmp_path.iterdir()]) == 2
    picture = generator.synthesis(examples.ws[1:]).image.clamp(-1, 1)
    assert torch.equal(load_labeller().labels(picture)[0], examples.labels[1])


def test_what_was_embedded_is_not_embedded_again(generator, tmp_path, monkeypatch):
    quick = ProjectOptions(max_steps=1, candidates=1)
    pictures = render(generator, 1, EXAMPLES_SEED).image
    first = embedded(generator, pictures, tmp_path, quick)
    monkeypatch.setattr(toonface_parts, "project", None)
    assert torch.equal(embedded(generator, pictures, tmp_path, quick), first)


def test_chosen_are_the_maps_that_show_rare_parts():
    skin, left, right = map(toonfaces.PARTS.index, ("skin", "left_ear", "right_ear"))
    maps = torch.full((4, 8, 8), skin, dtype=torch.uint8)
    maps[1, 0, :2] = left
    maps[2, 0, :6] = left
    maps[3, 0, :1] = right
    # The other ear's first pixel then counts for more than two of an ear that is known.
    assert telling(maps, 3) == [2, 3, 1]


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
