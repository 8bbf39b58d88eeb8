"""A folder of photographs, from files to edited pictures, by the projector that comes with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from nbdrag.editing.step import EditDiverged
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.projection.optimize import ProjectOptions
from nbdrag.runtime.batch import transfer
from nbdrag.runtime.batch.sinks import LatentShards
from nbdrag.runtime.pictures import to_pil
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.library import EditLibrary
from nbdrag.transfer.vectors import EditVector

BRIEF = ProjectOptions(max_steps=12, candidates=24)


@pytest.fixture(scope="module")
def portraits() -> Generator:
    return load_generator("toonfaces-128")


@torch.no_grad()
def made(generator: Generator, ws: Tensor) -> Image.Image:
    return to_pil(generator.synthesis(ws[None]).image[0])


def difference(a: Image.Image, b: Image.Image) -> float:
    return float(np.square(np.asarray(a, float) - np.asarray(b, float)).mean())


def test_photographs_are_projected_edited_and_written(
    tmp_path: Path, portraits: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "ProjectOptions", lambda: BRIEF)
    folder, out = tmp_path / "photos", tmp_path / "out"
    folder.mkdir()
    latents = {f"portrait-{seed}": sample(portraits, seed, 0.7) for seed in (27, 31)}
    for name, ws in latents.items():
        # As a camera's: larger, of another format, compressed.
        picture = made(portraits, ws).resize((200, 200), Image.Resampling.BICUBIC)
        frame = Image.new("RGB", (260, 200))
        frame.paste(picture, (30, 0))
        frame.save(folder / f"{name}.jpg", quality=92)
    (folder / "holiday.jpg").write_bytes((folder / "portrait-27.jpg").read_bytes()[:900])
    edit = EditLibrary.packaged(portraits)["longer hair"]

    progress = list(transfer.transfer_edit(edit, folder, out, generator=portraits))
    assert (progress[-1].done, progress[-1].failed, progress[-1].ended) == (2, 1, True)
    [problem] = [problem for each in progress for problem in each.problems]
    assert problem.key == "holiday"
    assert "can't be read as a picture" in problem.why
    assert sorted(path.name for path in out.glob("*.png")) == [f"{name}.png" for name in latents]
    for name, ws in latents.items():
        found = Image.open(out / f"{name}.png")
        wanted, before = made(portraits, edit.apply(ws)), made(portraits, ws)
        others = [made(portraits, edit.apply(o)) for o in latents.values() if o is not ws]
        assert difference(found, wanted) < difference(found, before)
        assert difference(found, wanted) < min(difference(found, other) for other in others) / 4


def test_one_that_cant_be_projected_is_skipped(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        Image.new("RGB", (32, 32), (200, 200, 200)).save(folder / name)
    seen: list[Tensor] = []

    def projector(generator: Generator, image: Tensor) -> Tensor:
        seen.append(image)
        if len(seen) == 2:
            raise EditDiverged("the projection left the finite numbers")
        return torch.zeros(generator.num_ws, generator.w_dim)

    sink = LatentShards(tmp_path / "out")
    progress = transfer.transfer_edit(
        vector, folder, sink, generator=generator, projector=projector
    )
    *before, last = progress
    assert (last.done, last.failed) == (2, 1)
    [problem] = [problem for each in before for problem in each.problems]
    assert problem.key == "b"
    assert "can't be projected: the projection left" in problem.why
