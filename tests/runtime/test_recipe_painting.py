"""Recipes of what is painted, slid and refined."""

import json
import re
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.history import History
from nbdrag.runtime.recipe import METADATA_KEY, Recipe, RecipeError
from nbdrag.runtime.wishes import Edit, Sampled, Slide, Wish, begin, sample, slid
from tests.runtime.painting import with_parts

DRAG = {"learning_rate": 0.02, "patch_radius": 2, "search_radius": 4, "max_steps": 3}
PAINT = {"max_steps": 4, "learning_rate": 1e-3, "perceptual_weight": 1.0}


@pytest.fixture(scope="module")
def parted(generator: Generator) -> Generator:
    return with_parts(generator)


def done(generator: Generator, ws: torch.Tensor, wish: Wish, steps: int = 99) -> Edit:
    taken = list(islice(begin(generator, ws, wish), steps))
    return Edit(wish, len(taken), taken[-1].ws)


def some_slide(name: str, scale: float, seed: int, classes: tuple[str, ...] = ()) -> Slide:
    delta = torch.randn(8, 16, generator=torch.Generator().manual_seed(seed)) / 2
    return Slide(name, scale, delta, classes)


@pytest.fixture(scope="module")
def recipe(parted: Generator) -> Recipe:
    """A drag, a painting that was stopped, two sliders at once, and their refinement."""
    start = ws = sample(parted, 7, 0.7)
    edits = [done(parted, ws, Wish("drag", DRAG, ((10.0, 12.5, 20.25, 13.0),)))]
    ws = edits[-1].ws
    labels = parted.segment(ws[None]).labels[0].numpy()
    edited = labels.copy()
    edited[8:14, 10:25] = 3
    edits.append(done(parted, ws, Wish("paint", PAINT, labels=labels, edited=edited), 2))
    sliders = (some_slide("smile", 0.3, 1, ("lips",)), some_slide("it's \n\u2028 odd", -1.5, 2))
    edits.append(done(parted, edits[-1].ws, Wish("slide", vectors=sliders)))
    edits.append(done(parted, edits[-1].ws, Wish("refine", PAINT, vectors=sliders)))
    assert [edit.steps for edit in edits] == [3, 2, 1, 4]
    return Recipe("", generator_hash(parted), Sampled(7, 0.7), start, tuple(edits))


def same_edit(one: Edit, other: Edit) -> bool:
    a, b = one.wish, other.wish
    arrays = [(a.labels, b.labels), (a.edited, b.edited)]
    return (
        (a.method, a.options, a.points, one.steps) == (b.method, b.options, b.points, other.steps)
        and one.ws.equal(other.ws)
        and all(np.array_equal(x, y) if x is not None else y is None for x, y in arrays)
        and len(a.vectors) == len(b.vectors)
        and all(
            x[:2] == y[:2] and x.delta.equal(y.delta) and x.classes == y.classes
            for x, y in zip(a.vectors, b.vectors, strict=True)
        )
    )


def test_a_replay_is_the_same_bit_for_bit(parted: Generator, recipe: Recipe) -> None:
    assert recipe.replay(parted).equal(recipe.edits[-1].ws)


def test_a_slide_is_a_sum(recipe: Recipe) -> None:
    before, after = recipe.edits[1].ws, recipe.edits[2].ws
    smile, odd = recipe.edits[2].wish.vectors
    assert after.equal(before + 0.3 * smile.delta + -1.5 * odd.delta)


def test_what_is_loaded_is_what_was_saved(
    parted: Generator, recipe: Recipe, tmp_path: Path
) -> None:
    recipe.save(tmp_path / "r.safetensors")
    loaded = Recipe.load(tmp_path / "r.safetensors")
    assert all(map(same_edit, loaded.edits, recipe.edits))
    assert loaded.replay(parted).equal(recipe.edits[-1].ws)


def test_vectors_of_another_type_are_saved_as_they_are_added(tmp_path: Path) -> None:
    ws = torch.randn(8, 16)
    slides = [Slide("a", 2, torch.randn(8, 16, dtype=torch.float64))]
    edit = Edit(Wish("slide", vectors=slides), 1, slid(ws, slides))
    Recipe("", "", Sampled(7, 0.7), ws, (edit,)).save(tmp_path / "r.safetensors")
    (loaded,) = Recipe.load(tmp_path / "r.safetensors").edits
    assert slid(ws, loaded.wish.vectors).equal(edit.ws)


def test_a_wish_is_kept_as_it_was(recipe: Recipe) -> None:
    labels, delta = np.zeros((4, 4), np.uint8), torch.zeros(2, 2)
    wish = Wish("paint", labels=labels, edited=labels, vectors=[Slide("a", np.float32(1), delta)])
    labels[:] = 1
    delta[:] = 1
    assert not wish.labels.any()
    assert not wish.labels.flags.writeable
    assert not wish.vectors[0].delta.any()
    assert type(wish.vectors[0].scale) is float


def test_a_vector_of_another_generator_is_refused_at_once(parted: Generator) -> None:
    wish = Wish("slide", vectors=[Slide("smile", 1.0, torch.zeros(3, 16))])
    with pytest.raises(ValueError, match=r"the vector 'smile' is \[3, 16\], but ws \[8, 16\]"):
        begin(parted, sample(parted, 0, 0.7), wish)


def test_labels_tell_what_was_done(recipe: Recipe) -> None:
    history = History(Sampled(7, 0.7), recipe.ws)
    for edit in recipe.edits:
        history.add_edit(edit)
    labels = [entry.label for entry in history.entries]
    assert labels[:3] == ["seed 7", "drag, 3 steps", "paint, 2 steps"]
    assert labels[3] == "smile 0.3, it's \n\u2028 odd -1.5"
    assert labels[4] == "refine, 4 steps"


# ---------------------------------------------------------------------------------- hostile files


def content_of(path: Path) -> tuple[dict, dict]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[METADATA_KEY]), load_file(path)


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        ((1, "labels"), False, "don't agree, in edits.1.edited, edits.1.labels"),
        ((0, "labels"), True, "don't agree, in edits.0.edited, edits.0.labels"),
        ((1, "method"), "slide", "unknown option 'max_steps'"),
        ((1, "method"), "refine", "refine needs vectors, and there are none"),
        ((2, "method"), "paint", "paint needs labels, and there are none"),
        ((2, "vectors"), [], "don't agree, in edits.2.vectors.0"),
        ((2, "vectors", 0, "scale"), "much", "$.edits[2].vectors[0].scale"),
        ((2, "vectors", 0, "scale"), 1e300, "$.edits[2].vectors[0].scale"),
        ((2, "vectors", 0, "surprise"), 1, "unknown field `surprise`"),
        ((2, "vectors", 0, "classes"), [1], "$.edits[2].vectors[0].classes[0]"),
    ],
)
def test_the_message_names_the_place(
    recipe: Recipe, tmp_path: Path, place: tuple, value: object, complaint: str
) -> None:
    path = tmp_path / "r.safetensors"
    recipe.save(path)
    content, tensors = content_of(path)
    inside: Any = content["edits"]
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    save_file(tensors, path, {METADATA_KEY: json.dumps(content)})
    with pytest.raises(RecipeError, match=re.escape(complaint)):
        Recipe.load(path)


@pytest.mark.parametrize(
    ("name", "tensor", "complaint"),
    [
        ("edits.1.labels", torch.zeros(32, 32), "expected uint8 [H, W], alike"),
        ("edits.1.edited", torch.zeros(32, 31, dtype=torch.uint8), "uint8 [32, 31]"),
        ("edits.2.vectors.1", torch.zeros(3, 16), "edits.2.vectors.1 is torch.float32 [3, 16]"),
        ("edits.2.vectors.0", torch.full([8, 16], torch.inf), "holds NaN or infinity"),
    ],
)
def test_tensors_are_checked(
    recipe: Recipe, tmp_path: Path, name: str, tensor: torch.Tensor, complaint: str
) -> None:
    path = tmp_path / "r.safetensors"
    recipe.save(path)
    content, tensors = content_of(path)
    save_file({**tensors, name: tensor}, path, {METADATA_KEY: json.dumps(content)})
    with pytest.raises(RecipeError, match=re.escape(complaint)):
        Recipe.load(path)


# -------------------------------------------------------------------------------------- as Python


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_code_makes_the_same_picture(parted: Generator, recipe: Recipe, count: int) -> None:
    recipe = replace(recipe, edits=recipe.edits[:count])
    scope: dict[str, Any] = {"generator": parted}
    exec(compile(recipe.to_python(), "recipe", "exec"), scope)
    ws = recipe.edits[-1].ws
    assert scope["ws"].equal(ws)
    image = parted.synthesis(ws[None]).image[0]
    np.testing.assert_array_equal(np.asarray(scope["picture"]), pictures.to_pixels(image))


def test_the_code_reads_as_one_would_write_it(recipe: Recipe) -> None:
    code = recipe.to_python()
    shortened = re.sub(r"b64decode\(\n(    '[\w+/=]+'\n)+\)", "b64decode(...)", code)
    body = shortened.split("\n\n", 5)
    assert "from nbdrag import DragOptions, PaintOptions, drag, paint, refine" in body[1]
    assert shortened[shortened.index("# The parts") : shortened.index("\n\nwith")] == (
        """\
# The parts of the picture, and what was painted over them.
labels = zlib.decompress(base64.b64decode(...))
labels = np.frombuffer(labels, np.uint8).reshape(32, 32)
edited = zlib.decompress(base64.b64decode(...))
edited = np.frombuffer(edited, np.uint8).reshape(32, 32)
steps = paint(
    generator,
    ws,
    labels,
    edited,
    options=PaintOptions(learning_rate=0.001, max_steps=4, perceptual_weight=1.0),
)
for step in islice(steps, 2):
    ws = step.ws

# 'smile'
vector = zlib.decompress(base64.b64decode(...))
vector = np.frombuffer(vector, np.float32).reshape(8, 16)
vector = torch.from_numpy(vector.copy())
ws = ws + 0.3 * vector
# "it's \\n\\u2028 odd"
vector = zlib.decompress(base64.b64decode(...))
vector = np.frombuffer(vector, np.float32).reshape(8, 16)
vector = torch.from_numpy(vector.copy())
ws = ws + -1.5 * vector

original = ws
# 'smile'
vector = zlib.decompress(base64.b64decode(...))
vector = np.frombuffer(vector, np.float32).reshape(8, 16)
vector = torch.from_numpy(vector.copy())
original = original + -0.3 * vector
# "it's \\n\\u2028 odd"
vector = zlib.decompress(base64.b64decode(...))
vector = np.frombuffer(vector, np.float32).reshape(8, 16)
vector = torch.from_numpy(vector.copy())
original = original + 1.5 * vector
steps = refine(
    generator,
    original,
    ws,
    options=PaintOptions(learning_rate=0.001, max_steps=4, perceptual_weight=1.0),
    parts=['lips'],
)
for step in islice(steps, 4):
    ws = step.ws"""
    )
