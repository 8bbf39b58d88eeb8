"""The command line: what it starts, what it writes, and what it says when it cannot."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from nbdrag import cli
from nbdrag.generators.checkpoint import read_contents, save_generator
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.segmenter_file import load_segmenter, save_segmenter
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.pictures import to_pil
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Edit, Sampled, Wish, begin, sample
from tests.runtime.painting import with_parts


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The programs that would have been started."""
    commands: list[list[str]] = []

    def run(command: list[str], cwd: Path | None = None) -> int:
        commands.append(command)
        return 0

    monkeypatch.setattr(cli, "run", run)
    return commands


def test_lab_opens_jupyterlab_on_the_notebook(tmp_path: Path, started: list[list[str]]) -> None:
    notebook = tmp_path / "a.ipynb"
    notebook.touch()
    status = cli.main(
        ["lab", str(notebook), "--port", "9000", "--no-browser", "--ServerApp.ip=127.0.0.1"]
    )
    assert status == 0
    [command] = started
    assert command[:4] == [sys.executable, "-m", "jupyterlab", str(notebook)]
    assert command[4:] == ["--ServerApp.port=9000", "--no-browser", "--ServerApp.ip=127.0.0.1"]


def test_lab_needs_no_notebook(started: list[list[str]]) -> None:
    assert cli.main(["lab", "--port", "9000"]) == 0
    assert started == [[sys.executable, "-m", "jupyterlab", "--ServerApp.port=9000"]]


def test_lab_says_which_notebook_is_not_there(
    started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["lab", "no-such.ipynb"]) == 2
    assert started == []
    assert capsys.readouterr().err == "nbdrag: there is no notebook 'no-such.ipynb'\n"


def test_lab_says_how_to_get_jupyterlab(
    started: list[list[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.main(["lab"]) == 2
    assert started == []
    assert "pip install 'nbdrag[lab]'" in capsys.readouterr().err


def test_bench_lists_what_can_be_measured(
    started: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bench"]) == 0
    names = capsys.readouterr().out.split()
    folder = Path(__file__).parents[1] / "benchmarks"
    assert names
    assert all((folder / f"{name}.py").is_file() for name in names)
    assert cli.main(["bench", names[0], "--quick=1"]) == 0
    assert started == [[sys.executable, "-m", f"benchmarks.{names[0]}", "--quick=1"]]


def test_bench_names_the_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["bench", "nonsense"]) == 2
    assert "there is no benchmark 'nonsense'; there are: " in capsys.readouterr().err


def test_bench_needs_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "__file__", str(tmp_path / "site-packages" / "nbdrag" / "cli.py"))
    assert cli.main(["bench"]) == 2
    assert "checkout of its repository" in capsys.readouterr().err


def test_the_exit_status_is_that_of_the_program(tmp_path: Path) -> None:
    assert cli.run([sys.executable, "-c", "raise SystemExit(3)"], cwd=tmp_path) == 3


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, Path, Recipe]:
    """A recipe with one edit of three steps, in a file beside its generator."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    save_generator(Generator(config), tmp_path / "generator.safetensors", {})
    generator = load_generator(tmp_path / "generator.safetensors")
    ws = sample(generator, 7, 0.7)
    wish = Wish("drag", {"max_steps": 3, "tolerance": 0.5}, ((10.0, 12.0, 20.0, 12.0),))
    *_, last = begin(generator, ws, wish)
    recipe = Recipe(
        str(tmp_path / "generator.safetensors"),
        generator_hash(generator),
        Sampled(7, 0.7),
        ws,
        (Edit(wish, 3, last.ws),),
    )
    recipe.save(tmp_path / "edit.safetensors")
    return tmp_path / "edit.safetensors", tmp_path / "out.png", recipe


def picture_of(recipe: Recipe) -> bytes:
    """The picture at the end of a recipe, straight from its last latent."""
    with torch.no_grad():
        image = load_generator(recipe.generator).synthesis(recipe.edits[-1].ws[None]).image[0]
    return to_pil(image).tobytes()


def test_recipe_replay_writes_the_picture(
    saved: tuple[Path, Path, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, recipe = saved
    assert cli.main(["recipe", "replay", str(path), str(out)]) == 0
    assert capsys.readouterr().out == f"{out}: edits replayed: 1\n"
    with Image.open(out) as picture:
        assert picture.tobytes() == picture_of(recipe)


def test_recipe_replay_takes_a_generator_that_has_moved(
    saved: tuple[Path, Path, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, recipe = saved
    replace(recipe, generator="").save(path)
    assert cli.main(["recipe", "replay", str(path), str(out)]) == 2
    assert "does not say which generator" in capsys.readouterr().err
    assert not out.exists()
    moved = ["--generator", recipe.generator]
    assert cli.main(["recipe", "replay", str(path), str(out), *moved]) == 0
    assert out.is_file()


def test_recipe_replay_takes_the_parts_that_were_painted(
    saved: tuple[Path, Path, Recipe], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out, recipe = saved
    generator = with_parts(load_generator(recipe.generator))
    parts = path.with_name("parts.safetensors")
    save_segmenter(generator.segmenter, parts)
    generator.segmenter = load_segmenter(parts, generator)  # in half precision, as it was saved
    labels = generator.segment(recipe.ws[None]).labels[0].numpy()
    options = {"max_steps": 2, "learning_rate": 1e-3, "perceptual_weight": 0}
    wish = Wish("paint", options, labels=labels, edited=(labels + 1) % 4)
    *_, last = begin(generator, recipe.ws, wish)
    recipe = replace(recipe, edits=(Edit(wish, 2, last.ws),))
    recipe.save(path)
    assert cli.main(["recipe", "replay", str(path), str(out)]) == 2
    assert "has no segmenter" in capsys.readouterr().err
    assert cli.main(["recipe", "replay", str(path), str(out), "--segmenter", str(parts)]) == 0
    with Image.open(out) as picture:
        assert picture.tobytes() == picture_of(recipe)


@pytest.mark.parametrize(
    ("recipe", "picture", "complaint"),
    [
        ("no-such.safetensors", "out.png", "there is no file"),
        ("generator.safetensors", "out.png", "is no recipe"),
        ("edit.safetensors", "out.jpg", "must end in .png"),
        ("edit.safetensors", "no-such-folder/out.png", "there is no folder"),
    ],
)
def test_recipe_replay_says_what_is_wrong(
    saved: tuple[Path, Path, Recipe],
    capsys: pytest.CaptureFixture[str],
    recipe: str,
    picture: str,
    complaint: str,
) -> None:
    folder = saved[0].parent
    assert cli.main(["recipe", "replay", str(folder / recipe), str(folder / picture)]) == 2
    assert complaint in capsys.readouterr().err
    assert not (folder / picture).exists()


def test_recipe_replay_hands_nothing_on(saved: tuple[Path, Path, Recipe]) -> None:
    path, out, _ = saved
    with pytest.raises(SystemExit):
        cli.main(["recipe", "replay", str(path), str(out), "--sharpen"])


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["recipe"], ["recipe", "replay", "a"]])
def test_an_unknown_wish_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: nbdrag" in capsys.readouterr().err


# ------------------------------------------------------------------------------ info and convert


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A generator in a file of ours, in half precision."""
    config = StyleGAN2Config(
        resolution=16, z_dim=6, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8,
        base_width=2, num_labels=3, conv_clamp=256.0,
    )  # fmt: skip
    generator = Generator(config)
    generator.recommended = {"drag": {"learning_rate": 0.25}}
    save_generator(generator, tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


def test_info_tells_what_a_file_holds(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["info", str(small), "--sheet", str(tmp_path / "sheet.png")]) == 0
    said = capsys.readouterr().out
    digest = hashlib.sha256(small.read_bytes()).hexdigest()
    assert digest in said.replace("\n", "").replace(" ", "")
    for fact in (
        "8 x 16 pixels", "classes             3", "6 rows of 8", "2 layers", "5 convolutions",
        "8 at 4, 8 at 8, 4 at 16", "256", "learning_rate 0.25",
        load_generator(small).content_hash,
    ):  # fmt: skip
        assert fact in said
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (8 * 8, 16)


def test_info_draws_nothing_unasked(small: Path, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    assert cli.main(["info", str(small)]) == 0
    assert sorted(tmp_path.iterdir()) == before


def test_a_converted_generator_is_the_same(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    assert cli.main(["convert", str(small), str(first)]) == 0
    assert cli.main(["convert", str(first), str(second)]) == 0
    z = torch.randn(2, 6, generator=torch.Generator().manual_seed(0))
    pictures = [load_generator(p)(z, torch.eye(3)[:2]) for p in (small, first, second)]
    assert pictures[0].equal(pictures[1])
    assert pictures[0].equal(pictures[2])
    digest = hashlib.sha256(small.read_bytes()).hexdigest()
    for path in (first, second):
        origin = read_contents(path).origin
        assert origin == {"file": small.name, "kind": "nbdrag .safetensors", "sha256": digest}
    assert "converted from      small.safetensors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["info", "{tmp}/no-such.pkl"], "there is no file"),
        (["info", "{small}", "--sheet", "sheet.jpg"], "must end in .png"),
        (["convert", "{tmp}/no-such.pkl", "{tmp}/out.safetensors"], "there is no file"),
        (["convert", "{small}", "{tmp}/out.pkl"], "must end in .safetensors"),
        (["convert", "{small}", "{small}"], "would replace the file"),
        (["convert", "{small}", "{tmp}/no-such/out.safetensors"], "No such file"),
    ],
)
def test_info_and_convert_say_what_is_wrong_and_write_nothing(
    arguments: list[str],
    said: str,
    small: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = small.read_bytes()
    filled = [argument.format(tmp=tmp_path, small=small) for argument in arguments]
    assert cli.main(filled) == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [small]
    assert small.read_bytes() == before


def test_info_takes_no_strange_options(small: Path) -> None:
    with pytest.raises(SystemExit):
        cli.main(["info", str(small), "--verbose"])
