"""What is measured of a predictor is what it says."""

import json

import pytest
import torch
from PIL import Image

from nbdrag.editing.latent_predictor import PredictorConfig
from nbdrag.editing.latent_predictor_file import save_predictor
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.metrics import mean_distance
from nbdrag.toonfaces.reader import Reader, load_reader
from nbdrag.training import auto_draggan_quality as quality
from nbdrag.training.auto_draggan_start import untrained


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


def test_drags_are_drawn_alike_and_of_landmarks_that_show(generator, reader):
    case, again, other = (quality.draw_case(generator, reader, seed, 3) for seed in (0, 0, 1))
    assert torch.equal(case.ws, again.ws)
    assert not torch.equal(case.ws, other.ws)
    reading = reader(generator.synthesis(case.ws[None]).image.clamp(-1, 1))
    torch.testing.assert_close(
        reading.landmarks[0, case.chosen], case.handles, atol=1e-3, rtol=1e-3
    )
    assert (reading.confidence[0, case.chosen] > quality.SURE).all()


def test_no_edit_leaves_all_of_the_way_and_changes_nothing(generator, reader):
    cases = [quality.draw_case(generator, reader, seed, 2) for seed in range(3)]
    table = quality.measure(generator, reader, {"no edit": lambda case: case.ws}, cases)
    expected = torch.stack([mean_distance(case.handles, case.targets) for case in cases])
    assert table["no edit"]["mean_distance"] == pytest.approx(expected.mean().item(), abs=2e-3)
    assert table["no edit"]["fid"] == pytest.approx(0, abs=1e-3)


def test_the_command_writes_report_and_sheet(generator, tmp_path, monkeypatch):
    config = PredictorConfig.for_generator(generator)
    path = tmp_path / "p.safetensors"
    save_predictor(untrained(generator, config, 0), path, {"training": '{"steps": 0}'})
    monkeypatch.setattr(quality, "LIMIT", 1)
    monkeypatch.setattr(quality, "SHOWN", 2)
    arguments = ["--predictor", str(path), "--runs", "2", "--points", "1", "--refine", "1"]
    quality.main(arguments)
    report = json.loads((tmp_path / "p.json").read_text())
    assert report["training"] == {"steps": 0}
    assert list(report["points"]) == ["1"]
    ways = ["no edit", "one pass", "one pass, not regularised"]
    assert list(report["points"]["1"])[:3] == ways
    with Image.open(tmp_path / "p.png") as sheet:
        assert sheet.size == (2 * 128, 4 * 128)
