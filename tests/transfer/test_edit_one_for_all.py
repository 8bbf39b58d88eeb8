"""Finding a direction: Eqs. 3 and 4 beside their literal form, both variants, any example."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from nbdrag.editing.step import EditDiverged, run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.edit_one_for_all import find_direction, off_plane
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector, VectorError
from tests.transfer.conftest import CONFIG, sampled

PAPER = DirectionOptions.as_in_paper()
AS_FOUND = replace(PAPER, plane="found")
FEW = {"max_steps": 3, "portraits": 2}


@pytest.fixture(scope="module")
def exact() -> Generator:
    """A tiny generator in float64."""
    rng = torch.Generator().manual_seed(7)
    generator = Generator(CONFIG, rng=rng).double().eval().requires_grad_(False)
    generator.mapping.w_avg.normal_(generator=rng)
    return generator


@pytest.fixture(scope="module")
def before(exact: Generator) -> Tensor:
    return sampled(exact, 1)


@pytest.fixture(scope="module")
def delta(exact: Generator) -> Tensor:
    random = torch.Generator().manual_seed(2)
    moved = torch.zeros(exact.num_ws, exact.w_dim, dtype=torch.float64)
    moved[:3] = 0.3 * torch.randn(3, exact.w_dim, generator=random, dtype=torch.float64)
    return moved


# ------------------------------------------------------------------------------ literal reference


def literal_loss(
    generator: Generator,
    latents: list[Tensor],
    alphas: list[float],
    example: Tensor,
    delta: Tensor,
    found: Tensor,
    options: DirectionOptions,
) -> Tensor:
    """λ L_att + L_img, one picture, one coordinate at a time."""
    squares = []
    for w, alpha in zip(latents, alphas, strict=True):
        wanted = generator.synthesis((w + alpha * delta)[None]).image
        made = generator.synthesis((w + alpha * found)[None]).image
        squares.append(((made - wanted) ** 2).sum() / made.numel())
    image_loss = sum(squares, torch.zeros(())) / len(squares)
    along, length = torch.zeros(()), torch.zeros(())
    for row in range(len(example)):
        for column in range(example.shape[1]):
            d = found[row, column]
            along = along + (example[row, column] + d) * d
            length = length + d * d
    if options.distance:
        along = along - options.distance * length.sqrt()
    return image_loss + options.attribute_weight * abs(along)


def by_adamw(
    generator: Generator, example: Tensor, delta: Tensor, options: DirectionOptions
) -> list[tuple[float, Tensor]]:
    """The search by PyTorch's own AdamW: losses, and what was found after each step."""
    rows = options.movable_layers or 3
    part = (torch.zeros_like if options.start == "zero" else torch.clone)(delta[:rows])
    part = part.requires_grad_()
    adam = torch.optim.AdamW([part], lr=options.learning_rate)
    random = torch.Generator().manual_seed(options.seed)
    steps = []
    for _ in range(options.max_steps):
        latents, alphas = [example], [1.0]
        if options.portraits:
            z = torch.randn(options.portraits, generator.z_dim, generator=random)
            latents = list(generator.mapping(z.double(), truncation=options.truncation))
            alphas = (2 * torch.rand(options.portraits, 1, 1, generator=random) - 1).flatten()
            alphas = alphas.tolist()
        rest = torch.zeros(len(delta) - rows, delta.shape[1], dtype=delta.dtype)
        origin = generator.w_avg if options.origin == "mean" else 0
        found = torch.cat([part, rest])
        loss = literal_loss(generator, latents, alphas, example - origin, delta, found, options)
        adam.zero_grad()
        loss.backward()
        adam.step()
        steps.append((loss.item(), torch.cat([part.detach().clone(), rest])))
    return steps


@pytest.mark.parametrize(
    "options",
    [
        replace(AS_FOUND, movable_layers=3, max_steps=4),
        replace(AS_FOUND, movable_layers=3, max_steps=4, distance=0.7, origin="mean", start="edit"),
        DirectionOptions(movable_layers=3, max_steps=4, portraits=3),
        DirectionOptions(movable_layers=2, max_steps=3, portraits=1, attribute_weight=1.0, seed=9),
    ],
)
def test_steps_are_those_of_the_literal_form(
    exact: Generator, before: Tensor, delta: Tensor, options: DirectionOptions
) -> None:
    wanted = by_adamw(exact, before, delta, options)
    steps = list(find_direction(exact, before, before + delta, options))
    assert [step.index for step in steps] == list(range(1, options.max_steps + 1))
    for step, (loss, found) in zip(steps, wanted, strict=True):
        assert step.loss == pytest.approx(loss, rel=1e-9)
        torch.testing.assert_close(step.direction.delta, found, rtol=1e-5, atol=1e-8)
        assert step.loss == pytest.approx(
            step.image_loss + options.attribute_weight * step.attribute_loss
        )
    assert [step.done for step in steps] == [False] * (len(steps) - 1) + [True]


def test_the_attribute_loss_is_zero_in_the_plane() -> None:
    """On the sphere of which -w0 is a diameter, every Δ* is at right angles to w0 + Δ*."""
    start = torch.tensor([[3.0, 4.0]], dtype=torch.float64)
    for angle in (0.3, 1.0, 2.0):
        ray = torch.tensor([[math.cos(angle), math.sin(angle)]], dtype=torch.float64)
        found = -(start * ray).sum() * ray
        assert float(off_plane(start, found)) == pytest.approx(0, abs=1e-12)
        further = found + 1.5 * torch.nn.functional.normalize(found)
        assert float(off_plane(start, further, 1.5)) == pytest.approx(0, abs=1e-12)


# ------------------------------------------------------------------------------------ what is found


def test_the_plane_goes_through_the_edited_example_or_what_was_found(
    exact: Generator, before: Tensor, delta: Tensor
) -> None:
    """The same normal; the example's strength is <Δ, n> (Eq. 5), or the length of Δ*."""
    after = before + delta
    options = DirectionOptions.for_generator(exact).updated({**FEW, "space": "w+"})
    as_it_is = run_to_end(find_direction(exact, before, after, options))
    found = run_to_end(find_direction(exact, before, after, options.updated({"plane": "found"})))
    normal = as_it_is.direction.normal
    assert normal.equal(found.direction.normal)
    assert float(as_it_is.direction.distances(after)) == pytest.approx(0, abs=1e-9)
    assert as_it_is.direction.alpha == pytest.approx(float((delta * normal).sum()))
    assert found.direction.alpha == pytest.approx(float(found.direction.delta.norm()))
    assert abs(float(found.direction.distances(after))) > 0.01
    for last in (as_it_is, found):
        torch.testing.assert_close(last.ws, before + last.direction.delta)


@pytest.mark.parametrize(("origin", "distance"), [("mean", 0.0), ("mean", 1.5), ("zero", -0.5)])
def test_the_plane_may_be_at_a_distance_that_the_user_knows(
    exact: Generator, before: Tensor, delta: Tensor, origin: str, distance: float
) -> None:
    """Where L_att of Eq. 4 is zero, whatever the example's own place is."""
    wish = {**FEW, "space": "w+", "plane": "origin", "origin": origin, "distance": distance}
    options = DirectionOptions.for_generator(exact).updated(wish)
    last = run_to_end(find_direction(exact, before, before + delta, options))
    direction = last.direction
    centre = exact.w_avg.expand_as(before) if origin == "mean" else torch.zeros_like(before)
    album = torch.stack([before, before + delta, centre, before.flip(0)])
    for w in (*direction.apply(album), last.ws):
        assert float(((w - centre) * direction.normal).sum()) == pytest.approx(distance, abs=1e-9)
    torch.testing.assert_close(last.ws, before + direction.delta)
    if distance == 0 and origin == "mean":
        through = replace(direction, delta=3 * direction.delta).through(centre)
        torch.testing.assert_close(through.delta, direction.delta)


def test_from_zero_it_comes_to_make_the_picture_of_the_edit(
    exact: Generator, before: Tensor, delta: Tensor
) -> None:
    options = DirectionOptions.for_generator(exact).updated(
        {"portraits": 0, "max_steps": 60, "space": "w+", "plane": "found"}
    )
    steps = list(find_direction(exact, before, before + delta, options))
    assert steps[-1].image_loss < 0.05 * steps[0].image_loss
    last = steps[-1]
    assert last.ws.equal(before + last.direction.delta)
    small = exact.synthesis(last.ws[None], until=32).image[0]
    torch.testing.assert_close(last.preview, small)
    assert last.direction.layers == (0, 1, 2)
    assert last.direction.name == "edit"
    assert last.direction.learnt["portraits"] == 0


def test_what_does_not_show_does_not_enter(generator: Generator) -> None:
    """A coordinate that the generator ignores: Δ has it, a Δ* that began at zero hasn't."""
    deaf = Generator(CONFIG).eval().requires_grad_(False)
    for module in deaf.synthesis.modules():
        if hasattr(module, "affine"):
            module.affine.weight[:, 5] = 0
    before = sampled(deaf, 1)
    delta = torch.zeros_like(before)
    delta[:3, :8] = 0.5
    for options in (
        DirectionOptions.for_generator(deaf).updated(FEW),
        replace(PAPER, max_steps=3, movable_layers=3, attribute_weight=0.0),
    ):
        found = run_to_end(find_direction(deaf, before, before + delta, options)).direction
        assert found.normal[:, 5].abs().max() == 0
        assert found.normal[:3, :5].abs().min() > 0


def test_in_w_all_rows_move_alike(generator: Generator) -> None:
    before = sampled(generator, 1)
    options = DirectionOptions.for_generator(generator).updated({**FEW, "space": "w"})
    for start in ("zero", "edit"):
        found = run_to_end(
            find_direction(
                generator, before, sampled(generator, 2), options.updated({"start": start})
            )
        ).direction
        assert found.normal.equal(found.normal[:1].expand(8, -1))


def test_a_seed_says_it_all(generator: Generator) -> None:
    before, after = sampled(generator, 1), sampled(generator, 2)
    options = DirectionOptions.for_generator(generator).updated(FEW)

    def found(seed: int) -> Tensor:
        edit = find_direction(generator, before, after, replace(options, seed=seed))
        return run_to_end(edit).direction.delta

    assert found(1).equal(found(1))
    assert not found(1).equal(found(2))


def test_generators_with_classes_have_portraits_of_all_classes() -> None:
    config = replace(CONFIG, num_labels=3)
    generator = Generator(config).eval().requires_grad_(False)
    with torch.no_grad():
        before, after = generator.mapping(torch.randn(2, 16), torch.eye(3)[:2])
    options = DirectionOptions.for_generator(generator).updated(FEW)
    assert run_to_end(find_direction(generator, before, after, options)).done


# ------------------------------------------------------------------------------- what may be given


def test_any_edit_is_an_example(generator: Generator, smile: EditVector, tmp_path: Path) -> None:
    before = sampled(generator, 1)
    after = smile.apply(before)
    options = DirectionOptions.for_generator(generator).updated(FEW)
    step, start = SimpleNamespace(ws=after), SimpleNamespace(ws=before)
    wanted = run_to_end(find_direction(generator, before, after, options)).direction
    for one, another in ((before, step), (start, step), (start, smile)):
        found = run_to_end(find_direction(generator, one, another, options)).direction
        assert found.delta.equal(wanted.delta)
    library = EditLibrary(tmp_path)
    library.add(wanted.previewed(generator))
    again = library["edit"]
    assert isinstance(again, EditDirection)
    assert again.preview
    assert again.check(generator).strengths(before).equal(wanted.strengths(before))


def test_a_detailed_edit_is_where_its_search_starts(generator: Generator) -> None:
    """A vector whose rows go ways of their own is kept; one in W is looked for in W."""
    before = sampled(generator, 1)
    rows = torch.randn(before.shape, generator=torch.Generator().manual_seed(3))
    vector = EditVector.between(before, before + rows, name="rows", generator=generator)
    edit = find_direction(generator, before, vector)
    first = next(edit).direction
    assert first.learnt["start"] == "edit"
    assert torch.nn.functional.cosine_similarity(first.normal.ravel(), rows.ravel(), 0) > 0.9
    plain = next(find_direction(generator, before, before + rows[:1])).direction
    assert plain.normal.equal(plain.normal[:1].expand(8, -1))


def test_a_recipe_is_an_example(generator: Generator) -> None:
    recipe = SimpleNamespace(
        ws=sampled(generator, 1),
        generator_hash=generator.content_hash,
        edits=[SimpleNamespace(ws=sampled(generator, 2))],
    )
    options = DirectionOptions.for_generator(generator).updated(FEW)
    found = run_to_end(find_direction(generator, recipe, recipe.edits[-1], options))
    assert found.direction.example.equal(recipe.ws)
    recipe.generator_hash = "f" * 16
    with pytest.raises(ValueError, match=r"ws was made with the generator f{16}; this one is"):
        find_direction(generator, recipe, recipe.edits[-1], options)


def test_what_cannot_be_used_is_refused_at_once(
    generator: Generator, other: Generator, smile: EditVector
) -> None:
    before, after = sampled(generator, 1), sampled(generator, 2)
    with pytest.raises(ValueError, match="edited_ws is the same as ws: an edit that changes"):
        find_direction(generator, before, before.clone())
    with pytest.raises(ValueError, match=r"ws has shape \[4, 16\]; expected \[8, 16\]"):
        find_direction(generator, before[:4], after)
    with pytest.raises(ValueError, match="edited_ws holds NaN"):
        find_direction(generator, before, after * torch.nan)
    with pytest.raises(ValueError, match="edited_ws is a list; expected a latent"):
        find_direction(generator, before, [1.0])  # type: ignore[arg-type]
    with pytest.raises(VectorError, match="'smile' was learnt with the generator"):
        find_direction(other, before, smile)
    with pytest.raises(ValueError, match="options is a dict; expected DirectionOptions"):
        find_direction(generator, before, after, {})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"movable_layers is 9; this generator has 8"):
        find_direction(generator, before, after, replace(PAPER, movable_layers=9))
    late = before.clone()
    late[6] += 1
    with pytest.raises(ValueError, match=r"changes rows of ws from 6 on only; give 7, or None"):
        find_direction(generator, before, late, PAPER)
    with pytest.raises(ValueError, match=r"block is 6; pictures come from \[4, 8, 16, 32\]"):
        find_direction(generator, before, after, replace(PAPER, block=6))


def test_a_search_that_leaves_the_numbers_says_so(generator: Generator) -> None:
    broken = Generator(CONFIG).eval().requires_grad_(False)
    before, after = sampled(broken, 1), sampled(broken, 2)
    broken.synthesis.b32.torgb.bias.fill_(torch.inf)
    edit = find_direction(broken, before, after, replace(PAPER, max_steps=2))
    with pytest.raises(EditDiverged, match="left the finite numbers in step 1"):
        next(edit)


# ---------------------------------------------------------------------------------------- options


def test_options_of_a_generator(generator: Generator) -> None:
    assert (PAPER.portraits, PAPER.start) == (0, "zero")
    published = DirectionOptions()
    assert (published.portraits, published.start, published.attribute_weight) == (16, "edit", 0.02)
    assert (published.learning_rate, published.max_steps, published.movable_layers) == (1e-3, 60, 6)
    wide = torch.ones(8, 16)
    narrow = torch.nn.functional.pad(torch.randn(6, 16), (0, 0, 0, 2))
    for delta in (None, wide, narrow, 0 * wide):
        options = DirectionOptions.for_generator(generator, delta)
        assert (options.start, options.space, options.plane) == ("zero", "w", "example")
    detailed = torch.randn(8, 16, generator=torch.Generator().manual_seed(1))
    options = DirectionOptions.for_generator(generator, detailed)
    assert (options.start, options.space, options.block) == ("edit", "w+", None)
    own = Generator(CONFIG)
    own.recommended = {"direction": {"attribute_weight": 0.5}}
    assert DirectionOptions.for_generator(own).attribute_weight == 0.5
    own.recommended = {"direction": {"weight": 0.5}}
    with pytest.raises(ValueError, match=r'recommended\["direction"\] can\'t be used'):
        DirectionOptions.for_generator(own)
    residual = Generator(replace(CONFIG, resolution=64, architecture="resnet"))
    assert DirectionOptions.for_generator(residual).block is None
