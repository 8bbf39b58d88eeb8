import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.step import Step
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime import pictures
from nbdrag.runtime.history import History
from nbdrag.runtime.recipe import METADATA_KEY, Recipe, RecipeError
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import Edit, Given, Sampled, Wish, begin, kept, sample

OPTIONS = {"learning_rate": 0.02, "patch_radius": 2, "search_radius": 4, "max_steps": 12}
PAIRS = ((10.0, 12.5, 20.25, 13.0), (5.5, 25.5, 5.5, 20.0))


def half_mask(size: int = 32) -> np.ndarray:
    mask = np.zeros((size, size), dtype=bool)
    mask[:, : size // 2] = True
    mask[3, 20] = True
    return mask


def edited(generator: Generator, ws: torch.Tensor, wish: Wish, steps: int) -> Edit:
    taken = list(islice(begin(generator, ws, wish), steps))
    return Edit(wish, len(taken), taken[-1].ws)


def stopped_after(count: int, generator: Generator, edit: Iterator[Step]) -> Runner[Step]:
    runner = Runner(
        edit,
        lock=generator_lock(generator),
        on_step=lambda step: step.index >= count and runner.stop(),
    )
    runner.start()
    assert runner.join(60).steps == count
    return runner


@pytest.fixture(scope="module")
def recipe(generator: Generator) -> Recipe:
    """A start and two edits: one stopped early and with a mask, one run to its limit."""
    ws = sample(generator, 7, 0.7)
    first = edited(generator, ws, Wish("drag", OPTIONS, PAIRS, half_mask()), 5)
    second = edited(generator, first.ws, Wish("drag", {**OPTIONS, "space": "w"}, PAIRS[:1]), 99)
    assert (first.steps, second.steps) == (5, 12)
    name = "some generator"
    return Recipe(name, generator_hash(generator), Sampled(7, 0.7), ws, (first, second))


# -------------------------------------------------------------------------------------- replaying


def test_a_replay_is_the_same_bit_for_bit(generator: Generator, recipe: Recipe) -> None:
    assert recipe.replay(generator).equal(recipe.edits[-1].ws)
    assert not recipe.edits[-1].ws.equal(recipe.ws)


def test_so_is_the_replay_of_an_edit_that_was_stopped(generator: Generator) -> None:
    """Stopped by a user, who cannot know after how many steps."""
    ws = sample(generator, 3, 0.7)
    history = History(Sampled(3, 0.7), ws)
    for count in (1, 4):
        wish = Wish("drag", {**OPTIONS, "max_steps": 1000, "tolerance": 0.5}, PAIRS)
        runner = stopped_after(count, generator, begin(generator, history.current.ws, wish))
        history.add_edit(Edit(wish, runner.outcome.steps, runner.last_step.ws))
    recipe = history.recipe("g", generator_hash(generator))
    assert recipe.replay(generator).equal(history.current.ws)
    history.undo()
    recipe = history.recipe("g", generator_hash(generator))
    assert recipe.replay(generator).equal(history.current.ws)


def test_without_edits_the_replay_is_the_start(generator: Generator, recipe: Recipe) -> None:
    bare = replace(recipe, edits=())
    assert bare.replay(generator).equal(recipe.ws)
    with pytest.raises(ValueError, match=r"ws has shape \[3, 16\]"):
        replace(bare, ws=recipe.ws[:3]).replay(generator)


def test_a_replay_from_another_start(generator: Generator, recipe: Recipe) -> None:
    other = sample(generator, 8, 0.7)
    expected = edited(generator, other, recipe.edits[0].wish, 5)
    expected = edited(generator, expected.ws, recipe.edits[1].wish, 12)
    assert recipe.replay(generator, other).equal(expected.ws)


def test_another_generator_is_refused_unless_the_start_is_given(recipe: Recipe) -> None:
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    other = Generator(config, rng=torch.Generator().manual_seed(1)).requires_grad_(False)
    with pytest.raises(ValueError, match=f"made with {recipe.generator_hash}, 'some generator'"):
        recipe.replay(other)
    ws = sample(other, 1, 0.5)
    assert recipe.replay(other, ws).shape == ws.shape


def test_a_wish_that_cannot_be_met_is_refused_at_once(generator: Generator) -> None:
    ws = sample(generator, 1, 1.0)
    with pytest.raises(ValueError, match="method is 'warp'; this nbdrag knows drag, paint, slide"):
        begin(generator, ws, Wish("warp"))
    with pytest.raises(ValueError, match="paint needs labels, and there are none"):
        begin(generator, ws, Wish("paint"))
    with pytest.raises(ValueError, match="slide needs vectors, and there are none"):
        begin(generator, ws, Wish("slide"))
    with pytest.raises(ValueError, match="handles is empty"):
        begin(generator, ws, Wish("drag"))
    with pytest.raises(ValueError, match="unknown option 'learning_rat'"):
        begin(generator, ws, Wish("drag", {"learning_rat": 1.0}, PAIRS))


def test_a_wish_is_kept_as_it_was() -> None:
    options, mask = dict(OPTIONS), half_mask()
    wish = Wish("drag", options, [np.float32([1, 2, 3, 4])], mask)
    options.clear()
    mask[:] = False
    assert wish.options == OPTIONS
    assert wish.points == ((1.0, 2.0, 3.0, 4.0),)
    np.testing.assert_array_equal(wish.mask, half_mask())


def test_sampling(generator: Generator) -> None:
    ws = sample(generator, 7, 0.7)
    assert ws.shape == (generator.num_ws, generator.w_dim)
    assert ws.equal(sample(generator, 7, 0.7))
    assert not ws.equal(sample(generator, 8, 0.7))
    assert ws.equal(sample(generator, np.int64(7), np.float64(0.7)))  # type: ignore[arg-type]
    assert sample(generator, 7, 0.0).equal(generator.w_avg.expand_as(ws))
    state = torch.random.get_rng_state()
    sample(generator, 9, 1.0)
    assert torch.random.get_rng_state().equal(state)


@pytest.mark.parametrize(
    ("seed", "truncation"),
    [
        (-1, 0.5),
        (2**63, 0.5),
        (np.float64(1), 0.5),
        (1.5, 0.5),
        ("1", 0.5),
        (True, 0.5),
        (1, -0.1),
        (1, float("nan")),
    ],
)
def test_sampling_refuses_what_is_out_of_range(generator: Generator, seed, truncation) -> None:
    with pytest.raises(ValueError, match=r"seed is .* and truncation .*; expected"):
        sample(generator, seed, truncation)


@pytest.fixture
def conditional() -> Generator:
    return Generator(
        StyleGAN2Config(8, z_dim=4, w_dim=4, channel_base=32, channel_max=4, num_labels=3)
    )


def test_sampling_a_class(conditional: Generator) -> None:
    z = torch.randn(1, 4, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        for label in range(3):
            expected = conditional.mapping(z, torch.eye(3)[[label]], truncation=0.5)[0]
            assert sample(conditional, 5, 0.5, label).equal(expected)
    assert sample(conditional, 5, 0.5).equal(sample(conditional, 5, 0.5, 0))


@pytest.mark.parametrize("label", [3, -1, 1.0, True, "cat"])
def test_sampling_refuses_a_class_that_is_not_there(conditional: Generator, label: object) -> None:
    with pytest.raises(ValueError, match=r"label .*3 classes, which count from 0"):
        sample(conditional, 0, 0.7, label)  # type: ignore[arg-type]


def test_a_generator_without_classes_takes_no_label(generator: Generator) -> None:
    with pytest.raises(ValueError, match="label is 0, but the generator has no classes"):
        sample(generator, 0, 0.7, 0)


def test_a_recipe_remembers_the_class(conditional: Generator, tmp_path: Path) -> None:
    ws = sample(conditional, 5, 0.5, 2)
    recipe = Recipe("", conditional.content_hash, Sampled(5, 0.5, 2), ws, ())
    recipe.save(tmp_path / "r.safetensors")
    assert Recipe.load(tmp_path / "r.safetensors").start == Sampled(5, 0.5, 2)
    assert run_code(recipe.to_python(), generator=conditional)["ws"].equal(ws)


def test_a_mask_is_copied_once() -> None:
    mask = half_mask()
    copy = kept(mask)
    assert not np.shares_memory(copy, mask)
    assert kept(copy) is copy
    view = half_mask()[:]
    view.flags.writeable = False
    assert kept(view) is not view  # its base can be written to
    assert Wish("drag", {}, PAIRS, copy).mask is copy


# ------------------------------------------------------------------------------- saving and loading


def same(one: Recipe, other: Recipe) -> bool:
    return (
        (one.generator, one.generator_hash, one.start)
        == (other.generator, other.generator_hash, other.start)
        and one.ws.equal(other.ws)
        and len(one.edits) == len(other.edits)
        and all(map(same_edit, one.edits, other.edits))
    )


def same_edit(one: Edit, other: Edit) -> bool:
    a, b = one.wish, other.wish
    masks = (a.mask is None, b.mask is None)
    return (
        (a.method, a.options, a.points, one.steps) == (b.method, b.options, b.points, other.steps)
        and one.ws.equal(other.ws)
        and (all(masks) or (not any(masks) and np.array_equal(a.mask, b.mask)))
    )


def test_what_is_loaded_replays_as_what_was_saved(
    generator: Generator, recipe: Recipe, tmp_path: Path
) -> None:
    path = tmp_path / "face.safetensors"
    recipe.save(path)
    loaded = Recipe.load(path)
    assert same(loaded, recipe)
    assert loaded.replay(generator).equal(recipe.edits[-1].ws)
    recipe.save(path)  # over the old one
    assert [file.name for file in tmp_path.iterdir()] == ["face.safetensors"]


finite = st.floats(-65536, 65536)
changed_options = st.fixed_dictionaries(
    {},
    optional={
        "learning_rate": st.floats(1e-5, 1.0),
        "max_steps": st.integers(1, 10_000),
        "tolerance": st.none() | st.floats(0.5, 64),
        "space": st.sampled_from(["w", "w+"]),
        "tracking": st.booleans(),
        "feature_block": st.none() | st.integers(4, 1024),
    },
)
some_masks = st.none() | st.builds(
    lambda size, seed: np.random.default_rng(seed).random((size, size)) < 0.5,
    st.integers(1, 20),
    st.integers(0, 99),
)
some_ws = st.integers(0, 99).map(
    lambda seed: torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))
)
some_edits = st.builds(
    Edit,
    st.builds(
        Wish,
        st.just("drag"),
        changed_options,
        st.lists(st.tuples(finite, finite, finite, finite), max_size=4),
        some_masks,
    ),
    st.integers(1, 1_000_000),
    some_ws,
)
some_recipes = st.builds(
    Recipe,
    st.text(max_size=20),
    st.text(max_size=16),
    st.builds(Sampled, st.integers(0, 2**63 - 1), st.floats(0, 1), st.none() | st.integers(0, 9))
    | st.builds(Given),
    some_ws,
    st.lists(some_edits, max_size=3).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(some_recipes)
def test_round_trip(tmp_path: Path, recipe: Recipe) -> None:
    path = tmp_path / "recipe.safetensors"
    recipe.save(path)
    assert same(Recipe.load(path), recipe)


def test_a_latent_expanded_from_one_row_can_be_saved(tmp_path: Path) -> None:
    recipe = Recipe("g", "h", Given(), torch.randn(1, 4).expand(3, 4))
    recipe.save(tmp_path / "r.safetensors")
    assert same(Recipe.load(tmp_path / "r.safetensors"), recipe)


def test_the_file_must_be_named_for_what_it_is(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        recipe.save(tmp_path / "recipe.json")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------- hostile files


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="there is no file"):
        Recipe.load(tmp_path / "none.safetensors")
    with pytest.raises(RecipeError, match="there is no file"):
        Recipe.load(tmp_path)


def test_a_generator_is_no_recipe(generator: Generator, tmp_path: Path) -> None:
    save_generator(generator, tmp_path / "g.safetensors")
    with pytest.raises(RecipeError, match=r'g\.safetensors is no recipe: .* no "nbdrag\.recipe"'):
        Recipe.load(tmp_path / "g.safetensors")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=200), st.integers(0, 10_000), st.data())
def test_damaged_files_raise_recipe_errors(
    recipe: Recipe, tmp_path: Path, noise: bytes, place: int, data: st.DataObject
) -> None:
    path = tmp_path / "recipe.safetensors"
    recipe.save(path)
    good = path.read_bytes()
    place %= len(good)
    damaged = data.draw(
        st.sampled_from([noise, good[:place], good[:place] + noise + good[place + len(noise) :]])
    )
    path.write_bytes(damaged)
    loaded = None
    with suppress(RecipeError):  # and no other
        loaded = Recipe.load(path)
    if loaded is not None:  # what was hit were numbers within their range
        assert loaded.ws.isfinite().all()
        assert loaded.ws.shape == recipe.ws.shape


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
places = [
    ["version"], ["generator"], ["generator_hash"], ["start"], ["start", "type"], ["start", "seed"],
    ["start", "truncation"], ["edits"], ["edits", 0], ["edits", 0, "method"],
    ["edits", 0, "options"], ["edits", 0, "options", "learning_rate"], ["edits", 0, "points"],
    ["edits", 0, "points", 0], ["edits", 0, "points", 0, 2], ["edits", 0, "steps"],
    ["edits", 0, "mask"], ["surprise"], ["edits", 0, "surprise"],
]  # fmt: skip


def test_a_mask_that_is_not_square_comes_back(recipe: Recipe, tmp_path: Path) -> None:
    for height, width in ((32, 13), (5, 32)):
        mask = np.random.default_rng(0).random((height, width)) < 0.5
        edit = replace(recipe.edits[0], wish=replace(recipe.edits[0].wish, mask=mask))
        replace(recipe, edits=(edit,)).save(tmp_path / "r.safetensors")
        (found,) = Recipe.load(tmp_path / "r.safetensors").edits
        assert np.array_equal(found.wish.mask, mask)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sampled_from(places), anything)
def test_fuzzed_metadata(recipe: Recipe, tmp_path: Path, place: list, value: object) -> None:
    path = tmp_path / "fuzzed.safetensors"
    content = metadata(recipe)
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    write(path, recipe, content)
    loaded = None
    with suppress(RecipeError):  # and no other
        loaded = Recipe.load(path)
    if loaded is not None:
        # Whatever gets through is within the limits, and can be written and shown.
        for edit in loaded.edits:
            DragOptions.from_dict(edit.wish.options)
            assert np.isfinite(edit.wish.points).all()
            assert edit.steps >= 1
        loaded.save(path)
        compile(loaded.to_python(), "code", "exec")


@pytest.mark.parametrize(
    ("place", "value", "complaint"),
    [
        (["version"], 2, "version"),
        (["edits", 0, "method"], "warp", "method is 'warp'; this nbdrag knows drag"),
        (["edits", 0, "options", "no"], 1, "unknown option 'no'"),
        (["edits", 0, "options", "max_steps"], 0, "max_steps is 0"),
        (["edits", 0, "steps"], 0, r"\$\.edits\[0\]\.steps"),
        (["edits", 0, "points", 0, 0], 1e9, r"\$\.edits\[0\]\.points\[0\]\[0\]"),
        (["edits", 0, "mask"], False, r"don't agree, in edits\.0\.mask"),
        (["edits", 1, "mask"], True, r"don't agree, in edits\.1\.mask"),
        (["edits", 0, "mask_width"], 20, r"uint8 \[32, 4\]; expected bits, 20 in a row"),
        (["edits", 0, "mask_width"], 0, r"\$\.edits\[0\]\.mask_width"),
        (["start", "seed"], -1, r"\$\.start\.seed"),
        (["surprise"], 1, "unknown field `surprise`"),
    ],
)
def test_the_message_names_the_place(
    recipe: Recipe, tmp_path: Path, place: list, value: object, complaint: str
) -> None:
    content = metadata(recipe)
    inside = content
    for key in place[:-1]:
        inside = inside[key]
    inside[place[-1]] = value
    write(tmp_path / "r.safetensors", recipe, content)
    with pytest.raises(RecipeError, match=complaint):
        Recipe.load(tmp_path / "r.safetensors")


@pytest.mark.parametrize(
    ("name", "tensor", "complaint"),
    [
        ("ws", torch.zeros(3), r"ws is torch\.float32 \[3\]"),
        ("ws", torch.zeros(2, 2, dtype=torch.int32), "expected floats"),
        ("edits.0.ws", torch.zeros(2, 2), r"edits\.0\.ws is torch\.float32 \[2, 2\]"),
        ("edits.1.ws", torch.full([8, 16], torch.nan), r"edits\.1\.ws holds NaN"),
        ("ws", torch.full([8, 16], torch.nan).to(torch.float8_e4m3fn), "ws holds NaN"),
        ("edits.0.mask", torch.zeros(32, 32, dtype=torch.uint8), "expected bits of a square"),
        ("edits.0.mask", torch.zeros(32, 4), "expected bits of a square"),
        ("edits.9.ws", torch.zeros(8, 16), r"don't agree, in edits\.9\.ws"),
    ],
)
def test_tensors_are_checked(
    recipe: Recipe, tmp_path: Path, name: str, tensor: torch.Tensor, complaint: str
) -> None:
    write(tmp_path / "r.safetensors", recipe, metadata(recipe), {name: tensor})
    with pytest.raises(RecipeError, match=complaint):
        Recipe.load(tmp_path / "r.safetensors")


def metadata(recipe: Recipe) -> dict:
    """What a file's metadata hold, written out by hand: the format, as a promise."""
    start = recipe.start
    return {
        "version": 1,
        "generator": recipe.generator,
        "generator_hash": recipe.generator_hash,
        "start": {"type": "sampled", "seed": start.seed, "truncation": start.truncation},
        "edits": [
            {
                "method": edit.wish.method,
                "options": dict(edit.wish.options),
                "points": [list(pair) for pair in edit.wish.points],
                "steps": edit.steps,
                "mask": edit.wish.mask is not None,
            }
            for edit in recipe.edits
        ],
    }


def write(path: Path, recipe: Recipe, content: dict, tensors: dict | None = None) -> None:
    good = {"ws": recipe.ws}
    for i, edit in enumerate(recipe.edits):
        good[f"edits.{i}.ws"] = edit.ws
        if edit.wish.mask is not None:
            bits = np.packbits(edit.wish.mask, axis=1)
            good[f"edits.{i}.mask"] = torch.from_numpy(bits)
    save_file({**good, **(tensors or {})}, path, {METADATA_KEY: json.dumps(content)})


def test_the_format_is_as_promised(recipe: Recipe, tmp_path: Path) -> None:
    write(tmp_path / "r.safetensors", recipe, metadata(recipe))
    assert same(Recipe.load(tmp_path / "r.safetensors"), recipe)


# -------------------------------------------------------------------------------------- as Python


def run_code(code: str, **names: object) -> dict:
    scope = dict(names)
    exec(compile(code, "recipe", "exec"), scope)
    return scope


@pytest.mark.parametrize("given_start", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_code_makes_the_same_picture(
    generator: Generator, recipe: Recipe, count: int, given_start: bool
) -> None:
    start = Given() if given_start else recipe.start
    recipe = replace(recipe, generator="", start=start, edits=recipe.edits[:count])
    scope = run_code(recipe.to_python(), generator=generator)
    ws = recipe.edits[-1].ws if count else recipe.ws
    assert scope["ws"].equal(ws)
    image = generator.synthesis(ws[None]).image[0]
    assert scope["image"].equal(image)
    np.testing.assert_array_equal(np.asarray(scope["picture"]), pictures.to_pixels(image))


def test_the_code_runs_in_a_process_of_its_own(
    generator: Generator, recipe: Recipe, tmp_path: Path
) -> None:
    """With the generator in a file; half precision changes it, so the edits are made anew."""
    save_generator(generator, tmp_path / "g.safetensors")
    recipe = replace(recipe, generator=str(tmp_path / "g.safetensors"))
    loaded = load_generator(recipe.generator)
    expected = recipe.replay(loaded, sample(loaded, 7, 0.7))
    code = recipe.to_python() + "picture.save('out.png'); torch.save(ws, 'ws.pt')\n"
    subprocess.run(
        [sys.executable, "-W", "error", "-c", code], check=True, cwd=tmp_path, timeout=120
    )
    assert torch.load(tmp_path / "ws.pt", weights_only=True).equal(expected)
    assert (tmp_path / "out.png").is_file()


def test_the_code_reads_as_one_would_write_it(recipe: Recipe) -> None:
    wish = Wish("drag", {"learning_rate": 0.02, "max_steps": 300}, PAIRS)
    recipe = replace(recipe, edits=(Edit(wish, 57, recipe.ws),))
    assert recipe.to_python() == (
        """\
from itertools import islice

import torch
from nbdrag import DragOptions, drag, load_generator
from PIL import Image

generator = load_generator('some generator')
dice = torch.Generator().manual_seed(7)
z = torch.randn(1, generator.z_dim, generator=dice)
ws = generator.mapping(z, truncation=0.7)[0]

steps = drag(
    generator,
    ws,
    handles=[(10.0, 12.5), (5.5, 25.5)],
    targets=[(20.25, 13.0), (5.5, 20.0)],
    options=DragOptions(learning_rate=0.02),
)
for step in islice(steps, 57):
    ws = step.ws

with torch.no_grad():
    image = generator.synthesis(ws[None]).image[0]  # [3, H, W], from -1 to 1
pixels = ((image + 1) * 127.5).round().clamp(0, 255).byte()
picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
"""
    )


def test_a_mask_used_twice_is_written_once(recipe: Recipe) -> None:
    first = recipe.edits[0]
    code = replace(recipe, edits=(first, first)).to_python()
    assert code.count("b64decode(") == 1
    assert code.count("mask=mask") == 2


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.text(max_size=50) | st.sampled_from(["')\nboom()#", '"""\nboom()', "a\\", "\u2028boom()"])
)
def test_a_name_cannot_smuggle_code_in(recipe: Recipe, name: str) -> None:
    code = replace(recipe, generator=name, generator_hash=name, edits=()).to_python()
    tree = ast.parse(code)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    loads = [node for node in calls if ast.unparse(node.func) == "load_generator"]
    assert [ast.literal_eval(node.args[0]) for node in loads] == ([name] if name else [])
    assert "boom" not in {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
