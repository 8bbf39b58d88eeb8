"""Edits as they are really made: each as the example of a direction, and what an album becomes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import drag
from nbdrag.editing.editgan import paint
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.editing.step import run_to_end
from nbdrag.generators.sheet import tiled
from nbdrag.generators.stylegan2 import Generator
from nbdrag.projection.optimize import ProjectOptions, project
from nbdrag.runtime.batch.photographs import picture
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Sampled
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.edit_one_for_all import Example, find_direction
from nbdrag.transfer.vectors import EditVector
from tests.editing.painting import paintable

Pair = tuple[Example, "Example | EditVector", Tensor, Tensor]
"""A source as it is given, before and after; and the two latents that it stands for."""


@pytest.fixture(scope="module")
def painted() -> Generator:
    return paintable()


def latent(generator: Generator, seed: int) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(generator.num_ws, 8, dtype=torch.float64, generator=random)


def brightness(reference: Tensor) -> Callable[[Tensor], Tensor]:
    """Stands in for a network that compares pictures."""
    return lambda image: mse_loss(image.mean(1), reference.mean(1))


def dragged(generator: Generator, folder: Path) -> Pair:
    """The last step of a drag."""
    before = latent(generator, 0)
    options = DragOptions(patch_radius=2, search_radius=4, max_steps=3, learning_rate=0.05)
    last = run_to_end(drag(generator, before, [(12, 16)], [(20, 16)], options=options))
    return before, last, before, last.ws


def painting(generator: Generator, folder: Path) -> Pair:
    """The last step of painting a part map."""
    before = latent(generator, 0)
    labels = generator.segment(before[None]).labels[0]
    wanted = labels.clone()
    wanted[8:20, 8:20] = 3
    last = run_to_end(
        paint(
            generator,
            before,
            labels,
            wanted,
            PaintOptions(max_steps=3),
            perceptual=brightness,
        )
    )
    return before, last, before, last.ws


def vector(generator: Generator, folder: Path) -> Pair:
    """A vector in a file, applied to the example."""
    before, other = latent(generator, 0), latent(generator, 1)
    EditVector.between(other, 1.1 * other, name="more", generator=generator).save(
        folder / "more.safetensors"
    )
    loaded = EditVector.load(folder / "more.safetensors")
    return before, loaded, before, loaded.apply(before)


def two_latents(generator: Generator, folder: Path) -> Pair:
    """Those of two generated pictures."""
    before, after = latent(generator, 0), latent(generator, 1)
    return before, after, before, after


def recipe(generator: Generator, folder: Path) -> Pair:
    """The start of a recipe, and another latent."""
    before, after = latent(generator, 0), latent(generator, 1)
    start = Recipe("tiny", generator.content_hash, Sampled(0, 0.7), before)
    return start, after, start.ws, after


def two_projected_pictures(generator: Generator, folder: Path) -> Pair:
    """A picture and an edited one, both from files, both projected."""
    steps = []
    for seed in (0, 1):
        with torch.no_grad():
            made = generator.synthesis(latent(generator, seed)[None]).image
        tiled(made, columns=1).save(folder / f"{seed}.png")
        image = picture(folder / f"{seed}.png", generator)
        options = ProjectOptions(max_steps=4, candidates=4)
        steps.append(run_to_end(project(generator, image, options, perceptual=brightness)))
    with Image.open(folder / "0.png") as file:
        assert file.size == (32, 32)
    return *steps, *(step.ws for step in steps)


@pytest.mark.parametrize(
    "source", [dragged, painting, vector, two_latents, recipe, two_projected_pictures]
)
def test_whatever_made_it_an_edit_brings_an_album_to_its_final_state(
    painted: Generator, source: Callable[[Generator, Path], Pair], tmp_path: Path
) -> None:
    start, end, before, after = source(painted, tmp_path)
    options = DirectionOptions.for_generator(painted, after - before)
    few = options.updated({"max_steps": 3, "portraits": 2, "plane": "example"})
    last = run_to_end(find_direction(painted, start, end, few, name="edit"))
    direction = last.direction
    assert direction.example.equal(before)
    assert (direction.generator_hash, direction.name) == (painted.content_hash, "edit")
    assert direction.alpha == pytest.approx(float(((after - before) * direction.normal).sum()))
    assert abs(float(direction.distances(after))) < 1e-6
    album = torch.stack([latent(painted, seed) for seed in range(2, 6)])
    edited = direction.apply(album)
    assert direction.distances(edited).abs().max() < 1e-6
    assert (painted.synthesis(edited).image - painted.synthesis(album).image).abs().max() > 1e-3
