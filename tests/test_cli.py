"""The command line: what it starts, what it writes, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from nbdrag import cli
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.pictures import to_pil
from nbdrag.runtime.recipe import Recipe
from nbdrag.runtime.wishes import Edit, Sampled, Wish, begin, sample


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
