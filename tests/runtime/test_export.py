import csv
import errno
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import export as module
from nbdrag.runtime import pictures
from nbdrag.runtime.batch.manifest import TransferError
from nbdrag.runtime.batch.progress import TransferProgress
from nbdrag.runtime.batch.sources import source_of
from nbdrag.runtime.export import Chosen, destination, export
from tests.runtime.batch_of_tiles import a_direction, latents

ALPHAS = np.array([0.5, -1.25, 0.0, 2.0])
KEYS = ["000000003", "000000004", "000000007", "000000009"]
NUMBERS = [0, 1, 4, 6]


@pytest.fixture
def chosen(generator: Generator) -> Chosen:
    return Chosen(latents(generator, 4), KEYS, ALPHAS, NUMBERS)


@pytest.fixture
def edited(generator: Generator, chosen: Chosen) -> torch.Tensor:
    """The latents that must come out, from the definition."""
    normal = a_direction(generator).normal
    return chosen.ws + torch.tensor(ALPHAS, dtype=torch.float32)[:, None, None] * normal


def run(steps: Iterator[TransferProgress]) -> TransferProgress:
    last = None
    for last in steps:
        assert last.total == 4
    assert last is not None
    assert last.ended
    assert last.done == 4
    return last


def check_pictures(files: dict[str, bytes], generator: Generator, edited: torch.Tensor) -> None:
    with torch.no_grad():
        images = generator.synthesis(edited).image
    for key, image in zip(KEYS, images, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(files[f"{key}.png"])))
        assert abs(pixels.astype(int) - pictures.to_pixels(image)).max() <= 1
    rows = list(csv.reader(io.StringIO(files["strengths.csv"].decode())))
    assert rows[0] == ["index", "key", "strength"]
    assert [row[:2] for row in rows[1:]] == [
        [str(n), k] for n, k in zip(NUMBERS, KEYS, strict=True)
    ]
    assert [float(row[2]) for row in rows[1:]] == ALPHAS.tolist()


def test_a_folder_has_pictures_of_these_strengths_and_goes_on(
    generator: Generator, chosen: Chosen, edited: torch.Tensor, tmp_path: Path
) -> None:
    place = tmp_path / "faces"
    direction = a_direction(generator)
    next(export(chosen, direction, generator, place))
    with pytest.raises(TransferError, match="resume=True"):
        export(chosen, direction, generator, place)
    run(export(chosen, direction, generator, place, resume=True))
    files = {path.name: path.read_bytes() for path in place.iterdir()}
    check_pictures(files, generator, edited)
    assert set(files) == {*(f"{key}.png" for key in KEYS), "strengths.csv", "manifest.jsonl"}


def test_other_strengths_are_another_export(
    generator: Generator, chosen: Chosen, tmp_path: Path
) -> None:
    direction = a_direction(generator)
    run(export(chosen, direction, generator, tmp_path / "faces"))
    other = Chosen(chosen.ws, KEYS, ALPHAS + 1, NUMBERS)
    with pytest.raises(TransferError):
        list(export(other, direction, generator, tmp_path / "faces", resume=True))


def test_a_zip_has_the_same_pictures(
    generator: Generator, chosen: Chosen, edited: torch.Tensor, tmp_path: Path
) -> None:
    run(export(chosen, a_direction(generator), generator, tmp_path / "faces.zip"))
    with zipfile.ZipFile(tmp_path / "faces.zip") as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    check_pictures(files, generator, edited)
    assert [path.name for path in tmp_path.iterdir()] == ["faces.zip"]


def test_latents_are_read_where_latents_are_asked_for(
    generator: Generator, chosen: Chosen, edited: torch.Tensor, tmp_path: Path
) -> None:
    place = tmp_path / "faces.safetensors"
    run(export(chosen, a_direction(generator), generator, place))
    again = source_of(place, lambda *_: torch.empty(0)).read(generator, 0, 10)
    torch.testing.assert_close(again.ws, edited)
    with safe_open(place, "numpy") as file:
        assert file.get_tensor("strengths").tolist() == ALPHAS.tolist()
        assert file.get_tensor("indices").tolist() == NUMBERS
        facts = json.loads(file.metadata()["nbdrag.latents"])
    assert facts == {"generator_hash": generator.content_hash, "keys": KEYS}


def test_strengths_alone(generator: Generator, chosen: Chosen, tmp_path: Path) -> None:
    run(export(chosen, a_direction(generator), generator, tmp_path / "faces", "csv"))
    lines = (tmp_path / "faces.csv").read_text().splitlines()
    assert lines[2] == "1,000000004,-1.25"


@pytest.mark.parametrize("name", ["faces.zip", "faces.safetensors"])
def test_who_stops_on_the_way_finds_nothing(
    generator: Generator, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LATENTS_AT_ONCE", 2)
    monkeypatch.setattr(module, "micro_batch_for", lambda _: 2)
    chosen = Chosen(latents(generator, 4), KEYS, ALPHAS, NUMBERS)
    steps = export(chosen, a_direction(generator), generator, tmp_path / name)
    assert next(steps).done == 2
    assert [path.suffix for path in tmp_path.iterdir()] == [".partial"]
    steps.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_disk_is_full_at_the_end_can_be_gone_on_with(
    generator: Generator, chosen: Chosen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "strengths_csv", full)
        with pytest.raises(TransferError, match=r"Make room, .* resume=True"):
            run(export(chosen, a_direction(generator), generator, tmp_path / "faces"))
    assert not (tmp_path / "faces" / "strengths.csv").exists()
    run(export(chosen, a_direction(generator), generator, tmp_path / "faces", resume=True))
    assert (tmp_path / "faces" / "strengths.csv").read_bytes() == module.strengths_csv(chosen)
    assert not list((tmp_path / "faces").glob(".*"))


def test_a_full_disk_is_said_so_and_leaves_nothing(
    generator: Generator, chosen: Chosen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> bytes:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "encoded", full)
    with pytest.raises(TransferError, match="no room left"):
        list(export(chosen, a_direction(generator), generator, tmp_path / "faces.zip"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(generator: Generator, chosen: Chosen, tmp_path: Path) -> None:
    place = tmp_path / "faces.zip"
    place.write_text("mine")
    with pytest.raises(TransferError, match="is there already"):
        export(chosen, a_direction(generator), generator, place)
    with pytest.raises(TransferError, match="only a folder"):
        export(chosen, a_direction(generator), generator, tmp_path / "a.csv", resume=True)
    steps = export(chosen, a_direction(generator), generator, tmp_path / "late.zip")
    next(steps)
    (tmp_path / "late.zip").write_text("mine, too")
    with pytest.raises(TransferError, match="meanwhile"):
        list(steps)
    assert (tmp_path / "late.zip").read_text() == "mine, too"


def test_a_destination_is_a_format_and_its_ending(tmp_path: Path) -> None:
    def named(name: str, wished: str | None = None) -> tuple[str, str]:
        found, place = destination(tmp_path / name, wished)
        return found, place.name

    assert named("faces") == ("folder", "faces")
    assert named("v1.2") == ("folder", "v1.2")
    assert named("faces.ZIP") == ("zip", "faces.ZIP")
    assert named("faces.safetensors") == ("latents", "faces.safetensors")
    assert named("faces", "zip") == ("zip", "faces.zip")
    assert named("v1.2", "csv") == ("csv", "v1.2.csv")
    with pytest.raises(TransferError, match="expected one of folder"):
        named("faces", "tar")
    with pytest.raises(TransferError, match="no folder"):
        named("nowhere/faces.zip")


def test_nothing_chosen_is_refused(generator: Generator) -> None:
    with pytest.raises(TransferError, match="nothing is included"):
        Chosen(latents(generator, 0), [], np.array([]), [])
