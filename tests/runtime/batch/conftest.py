"""An edit for the tiny generator, and eyes for what a transfer leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.manifest import NAME
from nbdrag.transfer.vectors import EditVector


@pytest.fixture(scope="session")
def vector(generator: Generator) -> EditVector:
    delta = torch.randn(
        generator.num_ws, generator.w_dim, generator=torch.Generator().manual_seed(5)
    )
    return EditVector(0.3 * delta, "nudge", generator.content_hash)


def files_of(folder: Path) -> dict[str, bytes]:
    """Everything in a sink but the manifest, by name."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    }
