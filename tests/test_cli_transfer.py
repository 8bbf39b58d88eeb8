"""`nbdrag transfer`: from an edit in a file to pictures in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag import cli
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.batch import transfer
from nbdrag.runtime.batch.progress import TransferProgress
from nbdrag.runtime.pictures import to_pixels
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.vectors import EditVector


@pytest.fixture
def edit(tmp_path: Path) -> Path:
    """A vector in a file, which says where its generator is."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    save_generator(Generator(config), tmp_path / "generator.safetensors", {})
    generator = load_generator(tmp_path / "generator.safetensors")
    delta = torch.randn(config.num_ws, 16, generator=torch.Generator().manual_seed(1))
    name = str(tmp_path / "generator.safetensors")
    EditVector(delta, "nudge", generator.content_hash, name).save(tmp_path / "nudge.safetensors")
    return tmp_path / "nudge.safetensors"


def test_seeds_become_pictures(edit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = edit.parent / "out"
    wish = ["transfer", str(edit), "3:6", str(out), "--strength", "0.5", "--truncation", "0.9"]
    assert cli.main(wish) == 0
    assert capsys.readouterr().out.startswith("3 of 3 done, ")
    assert sorted(path.name for path in out.glob("*.png")) == [f"{i:09d}.png" for i in (3, 4, 5)]
    vector = EditVector.load(edit)
    generator = load_generator(vector.generator)
    with torch.no_grad():
        ws = vector.apply(sample(generator, 4, 0.9), 0.5)
        wanted = to_pixels(generator.synthesis(ws[None]).image[0]).astype(int)
    with Image.open(out / "000000004.png") as picture:
        assert abs(np.array(picture).astype(int) - wanted).max() <= 1

    assert cli.main(wish) == 2
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*wish, "--resume"]) == 0
    assert capsys.readouterr().out.startswith("3 of 3 done, 0.0")


def test_what_is_skipped_is_told(edit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    latents = np.zeros((4, 16), np.float32)
    latents[1] = np.nan
    np.save(edit.parent / "ws.npy", latents)
    out = edit.parent / "out"
    wish = ["transfer", str(edit), str(edit.parent / "ws.npy"), str(out), "--to", "latents"]
    assert cli.main(wish) == 1
    said = capsys.readouterr()
    assert said.out.startswith("3 of 4 done, 1 skipped")
    assert "skipped 000000001: holds NaN or infinity" in said.err
    assert [path.name for path in out.glob("*.safetensors")] == ["latents-000000.safetensors"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["smirk", "0:3", "out"], "there is no edit 'smirk'; give"),
        (["{edit}", "nowhere", "out"], "there is no file or folder 'nowhere'"),
        (["{edit}", "3:3", "out"], "seeds is empty"),
        (["{edit}", "0:3", "{edit}"], "is a file"),
        (["{edit}", "0:3", "out", "--generator", "toonfaces-128"], "learnt with the generator"),
        (["{edit}", "0:3", "out", "--shard-size", "0"], "shard_size is 0"),
    ],
)
def test_wishes_that_cannot_be_met(
    edit: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(edit.parent)
    before = sorted(edit.parent.iterdir())
    assert cli.main(["transfer", *(each.format(edit=edit) for each in arguments)]) == 2
    assert said in capsys.readouterr().err
    assert sorted(edit.parent.iterdir()) == before


def test_ctrl_c_says_how_to_go_on(
    edit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> Iterator[TransferProgress]:
        yield TransferProgress(0, 0, 3)
        raise KeyboardInterrupt

    monkeypatch.setattr(transfer, "transfer_edit", interrupted)
    assert cli.main(["transfer", str(edit), "0:3", str(edit.parent / "out")]) == 130
    assert "--resume goes on" in capsys.readouterr().err
