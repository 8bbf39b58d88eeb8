"""The command line: what it starts, what it writes, and what it says when it cannot."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from nbdrag import cli


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


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["recipe"], ["recipe", "replay", "a"]])
def test_an_unknown_wish_is_a_usage_error(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    assert ended.value.code == 2
    assert "usage: nbdrag" in capsys.readouterr().err
