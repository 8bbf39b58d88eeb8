"""The wheel as a user gets it: built where there is no Node, and installed where there is none."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hatch_build
from tools import release_check

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the sdist, with nothing but Python on PATH."""
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=False,
        env={"PATH": "/nonexistent", "HOME": str(folder)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [wheel] = folder.glob("*.whl")
    return wheel


def test_the_wheel_is_complete_and_works_without_node(wheel: Path) -> None:
    assert release_check.contents_problems(wheel) == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(release_check, "IMPORT_LIMIT", float("inf"))  # a busy machine is not a fault
        release_check.main(wheel)


@pytest.mark.parametrize("lost", ["drag.js", "paint.css", "toonfaces-128.safetensors"])
def test_the_check_notices_a_missing_file(wheel: Path, tmp_path: Path, lost: str) -> None:
    poorer = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(poorer, "w") as target:
        for entry in source.infolist():
            if not entry.filename.endswith(lost):
                target.writestr(entry, source.read(entry))
    [problem] = release_check.contents_problems(poorer)
    assert lost in problem
    assert "missing" in problem


def test_the_check_notices_what_should_not_be_there(wheel: Path, tmp_path: Path) -> None:
    richer = shutil.copy(wheel, tmp_path)
    with zipfile.ZipFile(richer, "a") as archive:
        archive.writestr("tests/test_something.py", "")
    assert release_check.contents_problems(Path(richer)) == [
        "tests/test_something.py should not be there"
    ]


def test_building_without_bundle_and_without_node_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(RuntimeError, match="needs Node 20 or newer"):
        hatch_build.build(tmp_path / "js")


def test_a_bundle_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    for name in hatch_build.BUNDLE:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert hatch_build.missing(tmp_path) == []
    (tmp_path / hatch_build.BUNDLE[1]).unlink()
    assert hatch_build.missing(tmp_path) == [hatch_build.BUNDLE[1]]
