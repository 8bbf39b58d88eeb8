"""A training in its folder: resuming, rolling back, stopping, small checkpoints, options."""

from __future__ import annotations

import json
import shlex
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import Tensor

from nbdrag.generators.checkpoint import read_generator
from nbdrag.generators.stylegan2 import StyleGAN2Config
from nbdrag.training import gan
from nbdrag.training.adversarial import Measures, Stage, Training, TrainingOptions, measure_w_avg
from nbdrag.training.gan import Budget, Interrupt
from nbdrag.training.quality import training_of

TINY = TrainingOptions(
    stages=(Stage(8, 8, 0.5), Stage(16, 4, 1.0)),
    generator=StyleGAN2Config(
        resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8
    ),
    discriminator_channel_base=64,
    discriminator_channel_max=8,
    r1_interval=2,
    dtype="float32",
)


def coloured_squares(count: int, size: int, random: torch.Generator) -> Tensor:
    return (torch.rand(count, 3, 1, 1, generator=random) * 2 - 1).expand(-1, -1, size, size)


def tiny() -> Training:
    return Training(TINY, coloured_squares)


def weights(training: Training) -> dict[str, Tensor]:
    return {
        f"{network}.{name}": tensor
        for network in gan.NETWORKS
        for name, tensor in getattr(training, network).state_dict().items()
    }


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


class AfterSteps(Interrupt):
    """An interrupt that comes by itself after so many looks at it."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    @property
    def wished(self) -> bool:  # type: ignore[override]
        self.left -= 1
        return self.left < 0


@pytest.fixture
def signals() -> Iterator[None]:
    """Put the process's signal handlers back afterwards."""
    names = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(name) for name in names]
    yield
    for name, handler in zip(names, before, strict=True):
        signal.signal(name, handler)


def test_resuming_equals_never_stopping(tmp_path: Path) -> None:
    """Bit for bit, across the growth from 8 to 16 pixels, optimisers' moments included."""
    whole = tiny()
    gan.train(whole, tmp_path / "whole", Budget(pictures=96))
    assert whole.pictures == 96

    first = tiny()
    gan.train(first, tmp_path / "parts", Budget(pictures=96), interrupt=AfterSteps(4))
    assert first.pictures == 32
    second = tiny()
    gan.restore(second, tmp_path / "parts" / "checkpoint.pt")
    gan.train(second, tmp_path / "parts", Budget(pictures=96), interrupt=AfterSteps(5))
    assert 32 < second.pictures < 96
    third = tiny()
    gan.restore(third, tmp_path / "parts" / "checkpoint.pt")
    gan.train(third, tmp_path / "parts", Budget(pictures=96))

    assert third.pictures == 96
    assert_same(weights(third), weights(whole))
    assert torch.equal(third.random.get_state(), whole.random.get_state())
    assert third.step(1.0) == whole.step(1.0)


def test_a_folder_holds_checkpoint_log_and_sheet(tmp_path: Path) -> None:
    gan.train(tiny(), tmp_path, Budget(pictures=64), log_every=4)
    assert {p.name for p in tmp_path.iterdir()} == {"checkpoint.pt", "log.jsonl", "sheet.png"}
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["steps"] for line in lines] == [4, 8, 12]
    assert lines[0]["resolution"] == 8
    assert lines[-1]["resolution"] == 16
    assert {"g", "d", "r1", "pictures_per_second", "rate"} <= lines[0].keys()
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (160, 80)


def test_a_bad_number_rolls_back_to_the_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = tiny()
    step = training.step
    calls = 0

    def step_that_fails_once(progress: float) -> Measures:
        nonlocal calls
        calls += 1
        measures = step(progress)
        if calls == 3:
            with torch.no_grad():
                next(training.generator.parameters()).fill_(float("nan"))
            return measures | {"g": float("nan")}
        return measures

    monkeypatch.setattr(training, "step", step_that_fails_once)
    gan.train(training, tmp_path, Budget(pictures=64))
    assert training.pictures >= 64
    assert all(tensor.isfinite().all() for tensor in weights(training).values())
    logged = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert logged[0]["rolled_back_to"] == 0
    assert logged[0]["because"]["g"] == "nan"


def test_a_training_that_keeps_diverging_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = tiny()
    monkeypatch.setattr(training, "step", lambda _progress: {"g": float("inf")})
    with pytest.raises(RuntimeError, match="Lower its learning rates or raise r1_weight"):
        gan.train(training, tmp_path, Budget(pictures=64))


def test_a_compact_checkpoint_is_small_and_close(tmp_path: Path) -> None:
    training = tiny()
    gan.train(training, tmp_path, Budget(pictures=64))
    path = tmp_path / "small.safetensors"
    gan.save_compact(tmp_path / "checkpoint.pt", path)
    assert path.stat().st_size < (tmp_path / "checkpoint.pt").stat().st_size / 4

    again = tiny()
    gan.restore(again, path)
    assert (again.pictures, again.steps) == (training.pictures, training.steps)
    for name, tensor in weights(training).items():
        torch.testing.assert_close(weights(again)[name], tensor, rtol=1e-3, atol=1e-3)
    assert again.step(0.9)["g"] > 0


def test_what_is_exported_is_the_average_with_its_centre(tmp_path: Path) -> None:
    training = tiny()
    gan.write_options(TINY, tmp_path)
    gan.train(training, tmp_path, Budget(pictures=64))
    path = tmp_path / "packaged.safetensors"
    gan.export(tmp_path, path, {"drag": {"learning_rate": 0.02}})

    packaged = read_generator(path)
    z = torch.randn(4, 8)
    expected = training.average.synthesis(training.average.mapping(z)).image
    image = packaged.synthesis(packaged.mapping(z)).image
    torch.testing.assert_close(image, expected, atol=0.02, rtol=0.02)
    torch.testing.assert_close(
        packaged.w_avg, measure_w_avg(training.average), atol=2e-3, rtol=2e-3
    )
    assert packaged.recommended["drag"] == {"learning_rate": 0.02}
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["training"])["pictures"] == 64


def test_signals_are_wishes(signals: None) -> None:
    interrupt = Interrupt()
    assert not interrupt.wished
    signal.raise_signal(signal.SIGTERM)
    assert interrupt.wished


def test_a_budget_is_in_pictures_or_in_minutes() -> None:
    training = tiny()
    training.pictures, training.seconds = 25, 90.0
    assert Budget(pictures=100).progress(training) == 0.25
    assert Budget(minutes=6).progress(training) == 0.25
    for wrong in ({}, {"pictures": 1, "minutes": 1.0}):
        with pytest.raises(ValueError, match="one of the two"):
            Budget(**wrong)  # type: ignore[arg-type]


def test_options_survive_their_file(tmp_path: Path) -> None:
    options = replace(TINY, learning_rate_g=1e-3, seed=4)
    gan.write_options(options, tmp_path)
    assert gan.read_options(tmp_path) == options


def test_unknown_options_are_named() -> None:
    with pytest.raises(ValueError, match="learning_rat"):
        gan.make_options({"learning_rat": 1})


def test_a_larger_generator_is_one_option() -> None:
    usual = gan.make_options({}).generator
    larger = gan.make_options({"generator": {"resolution": 256}}).generator
    assert larger == replace(usual, resolution=256)
    assert usual.resolution == 128


def test_stages_are_read_from_text() -> None:
    options = gan.make_options({"stages": gan.parse_stages("16:32:0.25,128:8:1")})
    assert options.stages == (Stage(16, 32, 0.25), Stage(128, 8, 1.0))


def test_the_command_line_trains_resumes_and_keeps(tmp_path: Path, signals: None) -> None:
    threads = torch.get_num_threads()
    out = tmp_path / "run"
    generator = {
        "resolution": 16,
        "z_dim": 8,
        "w_dim": 8,
        "mapping_layers": 2,
        "channel_base": 64,
        "channel_max": 8,
    }
    command = ["train", "--out", str(out), "--pool", "16", "--dtype", "float32"]
    new = ["--stages", "8:8:0.5,16:4:1", "--set", f"generator={json.dumps(generator)}"]
    try:
        gan.main([*command, *new, "--pictures", "16"])
        with pytest.raises(SystemExit, match="add --resume"):
            gan.main([*command, *new, "--pictures", "16"])
        gan.main([*command, "--resume", "--pictures", "32"])
    finally:
        torch.set_num_threads(threads)
        torch.set_flush_denormal(False)
    assert torch.load(out / "checkpoint.pt", weights_only=True)["pictures"] == 32
    pool = np.load(out / "pool.npy")
    assert (pool.shape, pool.dtype) == ((16, 3, 16, 16), np.uint8)

    gan.main(["compact", str(out), str(tmp_path / "small.safetensors")])
    with safe_open(tmp_path / "small.safetensors", framework="pt") as file:
        assert json.loads(file.metadata()["counters"])["pictures"] == 32

    gan.main(["export", str(out), str(tmp_path / "whole.safetensors")])
    told = training_of(str(tmp_path / "whole.safetensors"))["training"]
    assert (told["pictures"], told["seed"]) == (32, 0)
    first, second = (shlex.split(line) for line in told["commands"])
    assert first[:3] == ["python", "-m", "nbdrag.training.gan"]
    assert first[3:] == [*command, *new, "--pictures", "16"]
    assert second[3:] == [*command, "--resume", "--pictures", "32"]
