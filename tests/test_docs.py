"""The code in the docs runs, from top to bottom of each page."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGED = ROOT / "nbdrag" / "assets" / "toonfaces-128.safetensors"
PAGES = (
    "README.md",
    "docs/auto-draggan.md",
    "docs/batch.md",
    "docs/drag.md",
    "docs/editor.md",
    "docs/generators.md",
    "docs/one-for-all.md",
    "docs/paint.md",
    "docs/scale.md",
    "docs/segmenter.md",
    "docs/toonfaces.md",
    "docs/vectors.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_the_code_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    assert blocks
    # Pages speak of a reader's own file; a generator is one under any name.
    shutil.copy(PACKAGED, tmp_path / "cats.pkl")
    monkeypatch.chdir(tmp_path)
    asyncio.run(run(blocks, {}))


async def run(blocks: list[str], names: dict[str, Any]) -> None:
    """Run code as a notebook would: `await` is allowed, and the event loop turns between cells."""
    for block in blocks:
        code = compile(block, "<page>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        result = eval(code, names)
        if inspect.isawaitable(result):
            await result


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        links = re.findall(r'\]\(([^)#]+)|(?:src|srcset)="([^"]+)"', page.read_text())
        for link in (first or second for first, second in links):
            if not link.startswith("http"):
                assert (page.parent / link).exists(), f"{page.name}: {link}"
