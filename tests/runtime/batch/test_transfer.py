"""A transfer in this process: what is in the sink, whatever happened on the way."""

from __future__ import annotations

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import webdataset
import zarr
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.manifest import NAME, PARTIAL, TransferError
from nbdrag.runtime.batch.sinks import LatentShards, PictureFolder, Shards, Sink, Zarr
from nbdrag.runtime.batch.sources import Seeds
from nbdrag.runtime.batch.transfer import TransferProgress, transfer_edit
from nbdrag.runtime.pictures import to_pixels
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.vectors import EditVector
from tests.runtime.batch.conftest import files_of


def expected(generator: Generator, vector: EditVector, seed: int) -> np.ndarray:
    """The edited picture of a seed, made by itself."""
    ws = vector.apply(sample(generator, seed, 0.7))
    with torch.no_grad():
        return to_pixels(generator.synthesis(ws[None]).image[0]).astype(int)


def run(*arguments: object, **named: object) -> TransferProgress:
    *_, last = transfer_edit(*arguments, **named)
    return last


def test_a_folder_of_pictures(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    last = run(vector, range(5, 12), tmp_path / "out", generator=generator, micro_batch=3)
    assert (last.done, last.failed, last.total, last.ended) == (7, 0, 7, True)
    files = files_of(tmp_path / "out")
    assert sorted(files) == [f"{seed:09d}.png" for seed in range(5, 12)]
    for seed in range(5, 12):
        pixels = np.array(Image.open(io.BytesIO(files[f"{seed:09d}.png"]))).astype(int)
        assert abs(pixels - expected(generator, vector, seed)).max() <= 1
    assert not (tmp_path / "out" / PARTIAL).exists()


def test_shards(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    sink = Shards(tmp_path / "out", encoding="webp")
    run(vector, [3, 1, 4], sink, generator=generator, shard_size=2, strength=0.5)
    assert sorted(files_of(tmp_path / "out")) == ["shard-000000.tar", "shard-000001.tar"]
    with tarfile.open(tmp_path / "out" / "shard-000001.tar") as tar:
        names = tar.getnames()
        assert names == ["000000004.webp", "000000004.json"]
        facts = json.load(tar.extractfile(names[1]))
        pixels = np.array(Image.open(tar.extractfile(names[0]))).astype(int)
    assert facts == {"index": 2, "key": "000000004", "strength": 0.5}
    assert abs(pixels - expected(generator, 0.5 * vector, 4)).max() <= 1


# The reader leaves it to the collector to close its files.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore:unclosed")
def test_shards_are_a_webdataset(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    run(vector, range(5), Shards(tmp_path / "out"), generator=generator, shard_size=2)
    address = str(tmp_path / "out" / "shard-{000000..000002}.tar")
    read = list(webdataset.WebDataset(address, shardshuffle=False).decode("rgb8"))
    assert [item["__key__"] for item in read] == [f"{seed:09d}" for seed in range(5)]
    assert [item["json"]["index"] for item in read] == list(range(5))
    difference = read[3]["png"].astype(int) - expected(generator, vector, 3)
    assert abs(difference).max() <= 1


def test_latents_can_be_read_again(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    run(vector, range(7), LatentShards(there), generator=generator, shard_size=3)
    first = load_file(there / "latents-000001.safetensors")
    assert first["indices"].tolist() == [3, 4, 5]
    assert first["strengths"].tolist() == [1, 1, 1]
    wanted = vector.apply(sample(generator, 4, 0.7))
    assert torch.allclose(first["ws"][1], wanted, atol=1e-5)

    run(-vector, there, LatentShards(back), generator=generator)
    ws = load_file(back / "latents-000000.safetensors")["ws"]
    assert torch.allclose(ws[6], sample(generator, 6, 0.7), atol=1e-5)


def test_zarr(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    ws = torch.stack([sample(generator, seed, 0.7) for seed in range(5)])
    ws[2] = torch.nan
    last = run(vector, ws, Zarr(tmp_path / "out"), generator=generator, shard_size=2)
    assert (last.done, last.failed) == (4, 1)
    group = zarr.open_group(str(tmp_path / "out" / "pictures.zarr"), mode="r")
    for seed in (0, 1, 3, 4):
        difference = group["pictures"][seed].astype(int) - expected(generator, vector, seed)
        assert abs(difference).max() <= 1
    assert not group["pictures"][2].any()
    assert np.isnan(group["strengths"][:]).tolist() == [False, False, True, False, False]


class Own:
    """A direction that gives each its own strength."""

    def __init__(self, vector: EditVector) -> None:
        self.vector = vector

    def strengths(self, ws: Tensor) -> Tensor:
        return ws[:, 0, 0]

    def apply(self, ws: Tensor) -> Tensor:
        return ws + self.strengths(ws)[:, None, None] * self.vector.delta


def test_a_direction_finds_its_own_strengths(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    run(Own(vector), range(4), LatentShards(tmp_path / "out"), generator=generator)
    got = load_file(tmp_path / "out" / "latents-000000.safetensors")
    before = torch.stack([sample(generator, seed, 0.7) for seed in range(4)])
    assert torch.allclose(got["strengths"], before[:, 0, 0], atol=1e-5)
    assert torch.allclose(got["ws"], Own(vector).apply(before), atol=1e-5)
    with pytest.raises(TransferError, match="finds the strength"):
        transfer_edit(Own(vector), range(4), tmp_path / "no", generator=generator, strength=2.0)
    assert not (tmp_path / "no").exists()


# ---------------------------------------------------------------------------------------- going on

SINKS = {
    "folder": PictureFolder,
    "shards": Shards,
    "latents": LatentShards,
    "zarr": Zarr,
}


@pytest.mark.parametrize("kind", SINKS)
@pytest.mark.parametrize("steps", [1, 2, 4, 6])
def test_a_stopped_run_goes_on(
    tmp_path: Path, generator: Generator, vector: EditVector, kind: str, steps: int
) -> None:
    whole, stopped = SINKS[kind](tmp_path / "whole"), SINKS[kind](tmp_path / "stopped")
    how = {"generator": generator, "shard_size": 4, "micro_batch": 3}
    run(vector, range(11), whole, **how)
    progress = transfer_edit(vector, range(11), stopped, **how)
    for _ in range(steps):
        next(progress)
    progress.close()
    assert not (stopped.folder / PARTIAL).exists()
    again = list(transfer_edit(vector, range(11), stopped, resume=True, generator=generator))
    assert again[0].done == (0, 0, 0, 4, 4, 8, 8)[steps]
    assert (again[-1].done, again[-1].made) == (11, 11 - again[0].done)
    assert files_of(stopped.folder) == files_of(whole.folder)


def test_a_killed_run_goes_on(tmp_path: Path, vector: EditVector, generator: Generator) -> None:
    code = (
        "import sys, torch\n"
        "from tests.runtime.batch.test_transfer import slow_run\n"
        "slow_run(sys.argv[1])\n"
    )
    sink = tmp_path / "killed"
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", code, str(sink)]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as program:
        for line in program.stdout:
            if line == "13\n":
                break
        program.kill()
        program.wait()
        assert program.returncode == -signal.SIGKILL
    before = files_of(sink)
    assert "shard-000001.tar" in before
    assert [name for name in before if name.startswith(PARTIAL)]
    again = list(transfer_edit(vector, range(40), Shards(sink), resume=True, generator=generator))
    assert 8 <= again[0].done < 40
    assert again[-1].done == 40
    whole = Shards(tmp_path / "whole")
    run(vector, range(40), whole, generator=generator, shard_size=4, micro_batch=2)
    assert files_of(sink) == files_of(whole.folder)


def slow_run(sink: str) -> None:
    """What the test above kills; it tells how far it is."""
    from nbdrag.generators.stylegan2 import StyleGAN2Config

    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    generator = Generator(config).eval().requires_grad_(False)
    delta = torch.randn(12, 16, generator=torch.Generator().manual_seed(5))[: config.num_ws]
    vector = EditVector(0.3 * delta, "nudge", generator.content_hash)
    for progress in transfer_edit(
        vector, range(40), Shards(sink), generator=generator, shard_size=4, micro_batch=2
    ):
        print(progress.done - progress.done % 2 + 1, flush=True)


def test_what_is_done_is_not_done_again(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    run(vector, range(6), tmp_path / "out", generator=generator)
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    last = run(vector, range(6), tmp_path / "out", generator=generator, resume=True)
    assert (last.done, last.made, last.ended) == (6, 0, True)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == times


def test_a_line_that_was_cut_off_does_not_count(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    out = tmp_path / "out"
    run(vector, range(6), out, generator=generator, shard_size=2)
    lines = (out / NAME).read_bytes().splitlines(keepends=True)
    (out / NAME).write_bytes(b"".join(lines[:3]) + lines[3][:10])
    again = list(transfer_edit(vector, range(6), out, generator=generator, resume=True))
    assert (again[0].done, again[-1].done, again[-1].made) == (4, 6, 2)
    assert (out / NAME).read_bytes() == b"".join(lines)


def test_iterables_end_when_they_end(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    def some() -> Iterator[Tensor]:
        return (sample(generator, seed, 0.7) for seed in range(7))

    sink = LatentShards(tmp_path / "out")
    how = {"generator": generator, "shard_size": 3, "micro_batch": 2}
    progress = transfer_edit(vector, some(), sink, **how)
    totals = [next(progress).total for _ in range(4)]
    assert totals == [None] * 4
    progress.close()
    last = run(vector, some(), sink, resume=True, **how)
    assert (last.done, last.total) == (7, 7)
    ws = torch.cat([load_file(file)["ws"] for file in sorted(sink.folder.glob("*.safetensors"))])
    wanted = torch.stack([vector.apply(w) for w in some()])
    assert torch.allclose(ws, wanted, atol=1e-5)


# --------------------------------------------------------------------------------------- bad input


def test_bad_items_are_skipped(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    good = sample(generator, 0, 0.7)
    bad = [
        torch.full_like(good, torch.inf),
        torch.zeros(3),
        "a text",
        good[0],
        1e38 * good / good.abs().max(),
    ]
    seen = [
        problem
        for progress in transfer_edit(
            vector, [good, *bad, good], tmp_path / "out", generator=generator
        )
        for problem in progress.problems
    ]
    assert [problem.index for problem in seen] == [1, 2, 3, 5]
    assert [problem.why.split(";")[0] for problem in seen] == [
        "holds NaN or infinity",
        "has shape [3]",
        "is str and no latent",
        "its edited picture is not finite",
    ]
    assert sorted(files_of(tmp_path / "out")) == [f"{i:09d}.png" for i in (0, 4, 6)]
    again = run(vector, [good, *bad, good], tmp_path / "out", generator=generator, resume=True)
    assert (again.done, again.failed) == (3, 4)


def test_latents_that_say_they_are_another_generators_are_refused(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    there, out = tmp_path / "there", tmp_path / "out"
    run(vector, range(3), LatentShards(there), generator=generator)
    other = Generator(generator.config, torch.Generator().manual_seed(1)).eval()
    assert other.num_ws == generator.num_ws
    theirs = EditVector(vector.delta, "nudge", other.content_hash)
    for source in (there, there / "latents-000000.safetensors"):
        with pytest.raises(TransferError, match=f"of the generator {generator.content_hash}"):
            transfer_edit(theirs, source, out, generator=other)
    assert not out.exists()
    assert run(vector, there, out, generator=generator).done == 3


def test_photographs(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    for name, level in (("a.png", 10), ("a.jpg", 60), ("more/b.v2.png", 200)):
        Image.new("RGB", (40, 50), (level, level, level)).save(folder / name)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    (folder / "notes.txt").write_text("not a picture")
    (folder / ".hidden").write_text("of no interest")

    def projector(generator: Generator, image: Tensor) -> Tensor:
        assert image.shape == (3, 32, 32)
        return image.mean() * torch.ones(generator.num_ws, generator.w_dim)

    progress = list(
        transfer_edit(
            vector, folder, LatentShards(tmp_path / "out"), generator=generator, projector=projector
        )
    )
    got = load_file(tmp_path / "out" / "latents-000000.safetensors")
    problems = [problem for each in progress for problem in each.problems]
    assert [problem.key for problem in problems] == ["broken", "notes"]
    assert all("can't be read as a picture" in problem.why for problem in problems)
    levels = (got["ws"] - vector.delta).mean(dim=(1, 2))
    assert torch.allclose(levels, torch.tensor([60, 10, 200]) / 127.5 - 1, atol=1e-2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TransferError, match="no pictures in"):
        transfer_edit(vector, tmp_path / "empty", tmp_path / "x", generator=generator)


def test_a_sink_that_is_there_is_left_alone(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    out = tmp_path / "out"
    run(vector, range(3), out, generator=generator)
    before = files_of(out)
    with pytest.raises(TransferError, match="resume=True"):
        transfer_edit(vector, range(3), out, generator=generator)
    for changes, why in (
        ({"source": range(4)}, "another source"),
        ({"direction": 2 * vector}, "another edit"),
        ({"strength": 0.5}, "another edit"),
        ({"sink": LatentShards(out)}, "another sink"),
        ({"shard_size": 2}, "another shard size"),
    ):
        wish = {"direction": vector, "source": range(3), "sink": out, "generator": generator}
        with pytest.raises(TransferError, match=why):
            transfer_edit(**(wish | changes), resume=True)
    assert files_of(out) == before

    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(TransferError, match="other things than a transfer"):
        transfer_edit(vector, range(3), tmp_path / "mine", generator=generator, resume=True)
    with pytest.raises(TransferError, match="is a file"):
        transfer_edit(vector, range(3), tmp_path / "mine" / "letter.txt", generator=generator)
    assert files_of(tmp_path / "mine") == {"letter.txt": b"dear"}


def test_wishes_that_cannot_be_met(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    out = tmp_path / "out"
    nothing = EditVector(torch.zeros_like(vector.delta), "nothing", vector.generator_hash)
    other = EditVector(vector.delta, "other", "0123456789abcdef", "somebody")
    for wish, why in (
        ({"direction": nothing}, "changes nothing"),
        ({"strength": 0.0}, "changes nothing"),
        ({"direction": other}, "somebody"),
        ({"direction": 3}, "expected an EditDirection"),
        ({"source": []}, "nothing to edit"),
        ({"source": range(0)}, "seeds is empty"),
        ({"source": [1, 2, 1]}, "2 times"),
        ({"source": [-1]}, "expected 0"),
        ({"source": tmp_path / "gone.npy"}, "no file or folder"),
        ({"source": 3.5}, "source is float"),
        ({"sink": 3}, "sink is int"),
        ({"shard_size": 0}, "shard_size is 0"),
        ({"micro_batch": 1.5}, "micro_batch is 1.5"),
        ({"generator": None}, "name it: generator="),
    ):
        right = {"direction": vector, "source": range(3), "sink": out, "generator": generator}
        with pytest.raises(ValueError, match=why):
            transfer_edit(**(right | wish))
        assert not out.exists()
    with pytest.raises(TransferError, match="encoding is 'gif'"):
        PictureFolder(out, encoding="gif")
    with pytest.raises(TransferError, match="truncation"):
        Seeds(range(3), truncation=2)


class Full(LatentShards):
    """A sink on a disk that is full after a while."""

    room = 2

    def prepare(self, item: object) -> object:
        self.room -= 1
        if self.room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return item


def test_a_full_disk(tmp_path: Path, generator: Generator, vector: EditVector) -> None:
    sink: Sink = Full(tmp_path / "out")
    how = {"generator": generator, "shard_size": 2, "micro_batch": 1}
    with pytest.raises(TransferError, match=r"no room left .* resume=True"):
        list(transfer_edit(vector, range(6), sink, **how))
    assert sorted(files_of(sink.folder)) == ["latents-000000.safetensors"]
    last = run(vector, range(6), LatentShards(sink.folder), resume=True, **how)
    assert (last.done, last.made) == (6, 4)


def test_two_runs_do_not_share_a_sink(
    tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    out = tmp_path / "out"
    first = transfer_edit(vector, range(6), out, generator=generator)
    next(first)
    second = transfer_edit(vector, range(6), out, generator=generator, resume=True)
    with pytest.raises(TransferError, match="another run is writing"):
        next(second)
    *_, last = first
    assert last.done == 6
