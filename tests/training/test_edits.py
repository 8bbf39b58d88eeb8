"""The library of editing vectors that ships, and the paintings that it is learnt from."""

from __future__ import annotations

import json
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import ASSETS, load_generator
from nbdrag.runtime.wishes import sample
from nbdrag.toonfaces import FACTORS, PARTS, render, sample_factors
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training.edits import EXAMPLES, Example
from nbdrag.transfer.library import EditLibrary

BY_NAME = [pytest.param(example, id=example.name) for example in EXAMPLES]


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


@pytest.fixture(scope="module")
def library(generator: Generator) -> EditLibrary:
    return EditLibrary.packaged(generator)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """An exact part map: everything that is painted is there to be seen."""
    factors = torch.full_like(sample_factors(1), 0.5)
    factors[0, FACTORS.index("hair_length")] = 0.3
    return render(factors, 128).labels[0].numpy()


@pytest.mark.parametrize("example", BY_NAME)
def test_a_painting_changes_its_parts_and_nothing_far_from_them(
    example: Example, portrait: np.ndarray
) -> None:
    painted = example.painted(portrait)
    assert painted.shape == portrait.shape
    assert painted.dtype == np.uint8
    changed = painted != portrait
    about = np.isin(portrait, [PARTS.index(p) for p in example.parts])
    about |= np.isin(painted, [PARTS.index(p) for p in example.parts])
    assert 10 < changed.sum() < 0.2 * changed.size
    assert about[changed].all()


def test_the_library_that_ships_is_complete(generator: Generator, library: EditLibrary) -> None:
    assert library.problems == {}
    assert sorted(library) == sorted(example.name for example in EXAMPLES)
    report = json.loads((ASSETS / "toonfaces-128-edits.json").read_text())
    for example in EXAMPLES:
        vector = library[example.name]
        assert vector.check(generator) is vector
        assert vector.generator == "toonfaces-128"
        assert vector.classes == example.parts
        assert vector.scale_range == example.scales
        assert vector.learnt["seed"] == report["vectors"][example.name]["seed"] == example.seed
        assert Image.open(BytesIO(vector.preview)).size == (256, 128)
    size = sum(file.stat().st_size for file in library.folder.iterdir())
    assert size < 500_000


def test_vectors_do_what_their_names_say(generator: Generator, library: EditLibrary) -> None:
    """On eight portraits that none was learnt from: the factor moves the right way."""
    reader = load_reader()
    ws = torch.stack([sample(generator, seed, 0.7) for seed in range(100, 108)])

    def read(latents: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return reader(generator.synthesis(latents).image).factors

    before = read(ws)
    for example in EXAMPLES:
        column = FACTORS.index(example.factor.lstrip("-"))
        sign = -1 if example.factor.startswith("-") else 1
        change = sign * (read(library[example.name].apply(ws)) - before)[:, column]
        assert change.mean() > 0.05, example.name
        assert (change > 0).sum() >= 6, example.name
