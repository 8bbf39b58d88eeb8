"""Bundle the browser half of the widgets into the distributions.

Wheel and sdist carry `nbdrag/assets/js/`, so nobody who installs them needs Node. A build from a
git checkout finds that folder empty and runs npm once; a build from an sdist finds it filled and
runs nothing. An editable install never builds: it reads the working tree, where `make` puts the
bundle.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NAMES = ("drag.js", "drag.css", "paint.js", "paint.css", "batch.js", "batch.css")
BUNDLE = tuple(f"nbdrag/assets/js/{name}" for name in NAMES)


class BundleHook(BuildHookInterface[Any]):
    """Runs `npm ci` and `npm run build` in js/ unless the bundle is there."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the bundle if this build needs it and it is missing."""
        if version == "editable":
            return
        root = Path(self.root)
        if missing(root):
            build(root / "js")
        if still_missing := missing(root):
            raise RuntimeError(f"`npm run build` in js/ did not write {', '.join(still_missing)}")


def missing(root: Path) -> list[str]:
    """Which files of the bundle are not there."""
    return [name for name in BUNDLE if not (root / name).is_file()]


def build(js: Path) -> None:
    """Install the locked JavaScript dependencies and bundle the widgets."""
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "nbdrag/assets/js/ is not built, and building it from a git checkout needs Node 20 or "
            "newer with npm, which was not found. Install Node, or install a released nbdrag: its "
            "wheel brings the bundle along."
        )
    for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        subprocess.run([npm, *step], cwd=js, check=True)
