"""What holds for the package as a whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

import nbdrag

ROOT = Path(__file__).parents[1]


def test_import_loads_nothing_heavy() -> None:
    code = "import json, sys, nbdrag; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    heavy = {"torch", "numpy", "PIL", "matplotlib", "ipywidgets", "anywidget", "ipycanvas", "scipy"}
    assert loaded & heavy == set()


def test_every_public_name_is_there_and_explained() -> None:
    assert len(nbdrag.__all__) == len(set(nbdrag.__all__))
    assert set(nbdrag.__all__) <= set(dir(nbdrag))
    for name in nbdrag.__all__:
        assert getattr(nbdrag, name).__doc__, f"nbdrag.{name} has no docstring"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        nbdrag.no_such_name  # noqa: B018


def test_imports_point_one_way() -> None:
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_one_version_everywhere() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    changelog = (ROOT / "CHANGELOG.md").read_text()
    package = json.loads((ROOT / "js" / "package.json").read_text())
    assert package["version"] == version("nbdrag")
    assert nbdrag.__version__ == version("nbdrag")
    assert f"\nversion: {version('nbdrag')}\n" in citation
    assert re.search(r"^## (\S+?),? ", changelog, re.MULTILINE)[1] == version("nbdrag")


def test_the_lock_file_names_no_download_host() -> None:
    lock = json.loads((ROOT / "js" / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert [name for name, entry in packages.items() if "resolved" in entry] == []
    assert [name for name, entry in packages.items() if "integrity" not in entry] == []
