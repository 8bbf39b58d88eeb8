"""Refining portraits together does to each what `refine` does."""

import pytest
import torch

from benchmarks._refine_together import refine_together
from nbdrag.editing.editgan import refine
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.library import EditLibrary


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128").double()


def test_each_portrait_takes_the_way_that_it_takes_alone(generator: Generator) -> None:
    vector = EditLibrary.packaged(load_generator("toonfaces-128"))["smile"]
    ws = torch.stack([sample(generator, seed, 0.7) for seed in (3, 5)])
    edited = vector.apply(ws)
    wishes = {"max_steps": 2, "learning_rate": 0.002}  # so small that the loss falls at once
    options = PaintOptions.for_refinement(generator).updated(wishes)
    *_, together = refine_together(generator, ws, edited, options, vector.classes)
    for before, start, found in zip(ws, edited, together, strict=True):
        *_, alone = refine(generator, before, start, options, parts=vector.classes)
        assert not torch.equal(alone.ws, start)
        torch.testing.assert_close(found, alone.ws, rtol=0, atol=1e-6)


def test_logits_of_some_rows_are_those_of_the_whole(generator: Generator) -> None:
    ws = sample(generator, 1, 0.7)[None]
    segmenter = generator.segmenter
    image, features = generator.synthesis(ws, taps=segmenter.resolutions)
    whole = segmenter(features, image).permute(0, 2, 3, 1)
    colours = segmenter.seen(image)
    h = segmenter.coarse(features, colours)
    rows = segmenter.rows(h, features, colours, 40, 62)
    torch.testing.assert_close(rows, whole[:, 40:62], rtol=1e-9, atol=1e-9)
