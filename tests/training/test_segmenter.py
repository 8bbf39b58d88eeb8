"""Training looks features up exactly, learns what can be learnt, and says what is wrong."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.segmenter import Part, Segmenter, framed, surroundings
from nbdrag.generators.segmenter_file import load_segmenter
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training import segmenter as training
from nbdrag.training.examples import UNKNOWN, Examples, write_examples
from nbdrag.training.segmenter import Pixels, fold, member_logits, train

TINY = StyleGAN2Config(
    resolution=16, z_dim=6, w_dim=6, mapping_layers=1, channel_base=64, base_width=2
)
PARTS = (Part("dark", "#000000"), Part("light", "#ffffff"))


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(TINY, torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.fixture(scope="module")
def examples(generator) -> Examples:
    """Pictures whose light pixels are those where one block's feature exceeds another's."""
    ws = generator.mapping(torch.randn(16, 6, generator=torch.Generator().manual_seed(1)))
    return Examples(ws, truth(generator, ws), PARTS)


def truth(generator: Generator, ws: Tensor) -> Tensor:
    features = generator.synthesis(ws, taps=(8, 16)).features
    coarse = functional.interpolate(features[8][:, :1], scale_factor=2, mode="bilinear")
    return (coarse > features[16][:, 1:2]).squeeze(1).to(torch.uint8)


def stacked(generator: Generator, ws: Tensor, looks: Sequence[int] = ()) -> Tensor:
    """Every block's features, and colours, doubled to full size, pixels as rows."""
    maps = []
    image, features = generator.synthesis(ws, taps=TINY.block_resolutions)
    colours = [surroundings(framed(image, r)) for r in looks]
    for x in [*features.values(), *colours]:
        while x.shape[2] < TINY.resolution:
            x = functional.interpolate(x, scale_factor=2, mode="bilinear")
        maps.append(x)
    return torch.cat(maps, dim=1).permute(0, 2, 3, 1).flatten(0, 2)


@pytest.mark.parametrize("looks", [(), (8, 16)])
def test_features_of_pixels_are_those_of_the_whole_stack(generator, examples, looks):
    pixels = Pixels.of(generator, examples, looks)
    everything = torch.arange(len(pixels.labels))
    assert pixels.size == (16, 8)
    torch.testing.assert_close(
        pixels.features(everything), stacked(generator, examples.ws, looks), rtol=1e-5, atol=1e-5
    )
    assert torch.equal(pixels.labels, examples.labels.flatten())


def test_pixels_without_a_label_are_never_drawn(generator, examples):
    labels = examples.labels.clone()
    labels[:, :, 3:] = UNKNOWN
    pixels = Pixels.of(generator, examples._replace(labels=labels))
    drawn = pixels.draw(500, torch.Generator().manual_seed(0))
    assert (pixels.places[drawn] % 8 < 3).all()
    known = stacked(generator, examples.ws)[labels.flatten() != UNKNOWN]
    torch.testing.assert_close(pixels.features(drawn), known[drawn], rtol=1e-5, atol=1e-5)


def test_normalising_folds_into_the_first_layer(generator, examples):
    rng = torch.Generator().manual_seed(2)
    channels = {r: TINY.channels(r) for r in TINY.block_resolutions}
    segmenter = Segmenter(channels, PARTS, hidden=(7, 5), members=3, looks=2, rng=rng)
    x = stacked(generator, examples.ws, segmenter.looks)
    mean, deviation = torch.randn(x.shape[1], generator=rng), torch.rand(x.shape[1], generator=rng)
    deviation += 0.5
    expected = member_logits(segmenter, (x - mean) / deviation).mean(0)
    fold(segmenter, mean, deviation)
    image, features = generator.synthesis(examples.ws, taps=TINY.block_resolutions)
    found = segmenter(features, image).permute(0, 2, 3, 1).flatten(0, 2)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


def test_learns_from_a_few_pictures_what_holds_for_others(generator, examples, capsys):
    segmenter = train(
        generator, examples, looks=1, steps=300, batch=256, hidden=(16, 8), rate=1e-2, noise=0.05
    )
    assert segmenter.generator_hash == generator.content_hash
    assert segmenter.parts == PARTS
    assert not any(p.requires_grad for p in segmenter.parameters())
    z = torch.randn(8, 6, generator=torch.Generator().manual_seed(3))
    ws = generator.mapping(z)
    image, features = generator.synthesis(ws, taps=TINY.block_resolutions)
    right = (segmenter(features, image).argmax(1) == truth(generator, ws)).float().mean()
    assert 0.1 < examples.labels.float().mean() < 0.9
    assert right > 0.9
    assert capsys.readouterr().out == ""  # fewer steps than a line of progress stands for


def test_the_same_seed_trains_the_same(generator, examples):
    a, b = (train(generator, examples, steps=5, log_every=0).state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def run(monkeypatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["segmenter", *map(str, arguments)])
    threads = torch.get_num_threads()
    try:
        training.main()
    finally:
        torch.set_num_threads(threads)


def test_command_line(tmp_path, monkeypatch, generator, examples, capsys):
    save_generator(generator, tmp_path / "g.safetensors", dtype=torch.float32)
    write_examples(tmp_path / "examples", examples, list("abcdefghijklmnop"))
    out: Path = tmp_path / "parts.safetensors"
    run(monkeypatch, tmp_path / "g.safetensors", tmp_path / "examples", out, "--steps", 4)
    assert load_segmenter(out, generator).parts == PARTS
    assert "2 parts" in capsys.readouterr().out


def test_command_line_tells_errors_without_a_traceback(tmp_path, monkeypatch, generator, capsys):
    save_generator(generator, tmp_path / "g.safetensors", dtype=torch.float32)
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, tmp_path / "g.safetensors", tmp_path / "none", tmp_path / "p.safetensors")
    assert "there is no folder" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        run(monkeypatch, "no-such-generator", tmp_path, tmp_path / "p.safetensors")
    assert "no-such-generator" in capsys.readouterr().err
