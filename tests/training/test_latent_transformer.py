"""Training a latent transformer: pairs, progress, and going on after a break."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from nbdrag.editing.latent_transformer import TransformerConfig, untrained
from nbdrag.editing.latent_transformer_file import load_transformer, save_transformer
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training import latent_transformer as training
from nbdrag.training import latent_transformer_quality as quality
from nbdrag.training.latent_transformer import (
    Pairs,
    draw_count,
    draw_latents,
    draw_pairs,
    held_out_shares,
    lead,
    make_pairs,
    miss,
    remember,
    train,
)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def generator() -> Generator:
    config = StyleGAN2Config(32, 8, 8, channel_base=128, channel_max=8, mapping_layers=2)
    return Generator(config, rng(1))


def made_up(count: int) -> Pairs:
    """Pairs whose answer is plain: the first row moves by the mean arrow."""
    source = rng(2)
    ws = torch.randn(count, 8, 8, generator=source)
    points = 32 * torch.rand(count, training.KEPT, 2, generator=source)
    arrows = 3 * torch.randn(count, 1, 2, generator=source).expand(-1, training.KEPT, -1)
    rows = ws[:, :6].clone()
    rows[:, :, :2] += arrows[:, :1]
    features = torch.randn(count, training.KEPT, 8, generator=source)
    return Pairs(ws, rows, points, arrows.contiguous(), features)


def test_pairs_are_led_in_their_first_rows_alone(generator: Generator) -> None:
    pairs = draw_pairs(generator, 3, rng())
    assert pairs.ws.shape == (3, 8, 8)
    assert pairs.rows.shape == (3, 6, 8)
    assert pairs.points.shape == pairs.arrows.shape == (3, training.KEPT, 2)
    assert pairs.features.shape[:2] == (3, training.KEPT)
    assert ((pairs.points >= 0) & (pairs.points <= 32)).all()
    assert (pairs.rows != pairs.ws[:, :6]).any(2).all()
    ws, others = torch.zeros(2, 8, 8), torch.ones(2, 8, 8)
    led = lead(ws, others, 6, rng(), least=0.4)
    assert (led[:, 6:] == 0).all()
    assert ((led[:, :6] >= 0.4) & (led[:, :6] <= 1)).all()


def test_every_other_latent_is_off_w(generator: Generator) -> None:
    ws = draw_latents(generator, 4, 6, rng())
    assert (ws[::2] == ws[::2, :1]).all()
    assert (ws[1::2, 0] != ws[1::2, 7]).any()


def test_points_that_go_far_are_given_more_often() -> None:
    pairs = made_up(4)
    pairs.arrows[:] = 0
    pairs.arrows[:, 0] = 30
    asked: list[torch.Tensor] = []

    class Remembering(torch.nn.Module):
        w_deviation = feature_deviation = torch.ones(8)

        def forward(self, ws, features, points, arrows):
            asked.append(arrows)
            return ws

    source = rng()
    for _ in range(100):
        miss(Remembering(), pairs, torch.arange(4), 5, source)  # type: ignore[arg-type]
    shares = torch.stack([arrows.norm(dim=-1).amax(1) > 0 for arrows in asked]).float().mean()
    assert shares > 0.8  # 5 of 48 would be a tenth
    assert all(arrows.shape == (4, 5, 2) for arrows in asked)


def test_counts_go_from_one_to_most() -> None:
    source = rng()
    counts = [draw_count(source) for _ in range(600)]
    assert set(counts) >= {1, 2, 3, 30, training.MOST_POINTS}
    assert set(counts) <= set(range(1, training.MOST_POINTS + 1))
    assert sum(count == 1 for count in counts) > 90


def test_what_arrows_mean_is_learnt(generator: Generator, tmp_path: Path) -> None:
    pairs = made_up(400)
    usual = TransformerConfig.for_generator(generator)
    config = replace(usual, token_width=32, encoder_layers=1, decoder_layers=1)
    transformer = train(generator, pairs, tmp_path, config=config, steps=200, batch=32, rate=5e-3)
    shares = held_out_shares(transformer, pairs)
    assert set(shares) == {1, 5, 32}
    assert max(shares.values()) < 0.3
    before = held_out_shares(untrained(config, "", rng()), pairs)
    assert before == {1: 1, 5: 1, 32: 1}


def test_broken_off_and_gone_on_with_it_is_the_same(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, wish = made_up(80), {"batch": 8, "save_every": 0}
    whole = train(generator, pairs, tmp_path / "whole", steps=8, **wish)

    count = 0

    def breaking(*arguments):
        nonlocal count
        count += 1
        if count > 4:
            raise KeyboardInterrupt
        return miss(*arguments)

    folder = tmp_path / "broken"
    # Shares of what is held out are asked after every save; only training is to break.
    monkeypatch.setattr(training, "held_out_shares", lambda *_: {})
    monkeypatch.setattr(training, "miss", breaking)
    with pytest.raises(KeyboardInterrupt):
        train(generator, pairs, folder, steps=8, **wish)
    monkeypatch.setattr(training, "miss", miss)
    again = train(generator, pairs, folder, steps=8, **wish)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, again.state_dict()[name]), name


def test_pairs_lie_in_files_and_are_made_but_once(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "CHUNK", 4)
    monkeypatch.setattr(training, "BATCH", 2)
    whole = make_pairs(generator, tmp_path, 7, seed=0)
    assert len(whole.ws) == 7
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["pairs-0000.safetensors", "pairs-0001.safetensors"]
    files[1].unlink()
    again = make_pairs(generator, tmp_path, 7, seed=0)
    assert all(map(torch.equal, whole, again))


def test_the_command_writes_the_file(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "it.safetensors"
    monkeypatch.setattr(training, "load_generator", lambda name: generator)
    monkeypatch.setattr(training, "CHUNK", 32)
    words = f"x tiny {out} --work {tmp_path / 'work'} --pairs 32 --steps 2 --batch 4".split()
    monkeypatch.setattr("sys.argv", words)
    training.main()
    assert load_transformer(out, generator).generator_hash == generator.content_hash


def test_quality_is_measured_and_shown(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrained transformer moves nothing: all of the change is missed, none of the way gone."""
    file = tmp_path / "it.safetensors"
    config = TransformerConfig.for_generator(generator)
    save_transformer(untrained(config, generator.content_hash, rng()), file)
    monkeypatch.setattr(quality, "load_generator", lambda name: generator)
    words = f"x {file} --pairs 16 --portraits 2 --shown 2"
    monkeypatch.setattr("sys.argv", words.split())
    quality.main()
    report = json.loads(file.with_suffix(".json").read_text())
    missed = report["share of the latent's change that is missed, by points"]
    assert missed == {"1": 1, "5": 1, "32": 1}
    for figures in report["landmarks sent, in shares of the way"].values():
        assert figures == {"off": pytest.approx(1, abs=1e-3), "went": pytest.approx(0, abs=1e-3)}
    with Image.open(file.with_suffix(".jpg")) as sheet:
        assert sheet.size == (8 * 32, 32)


def test_commands_of_all_sittings_are_remembered(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "commands.txt"
    for command in ("a --steps 3", "a --steps 3", "a --steps 5", "a --steps 3"):
        found = remember(file, command)
    assert found == ["a --steps 3", "a --steps 5", "a --steps 3"]
