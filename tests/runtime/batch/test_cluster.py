"""A transfer on a Dask cluster of two workers: one of them is killed in the middle of a shard."""

from __future__ import annotations

import os
import signal
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from distributed import Client, LocalCluster
from safetensors.torch import load_file

from nbdrag import cli
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.runtime.batch.items import Latents
from nbdrag.runtime.batch.manifest import NAME, TransferError
from nbdrag.runtime.batch.sinks import Edited, LatentShards, Shards
from nbdrag.runtime.batch.sources import Seeds
from nbdrag.runtime.batch.transfer import transfer_edit
from nbdrag.runtime.wishes import sample
from nbdrag.transfer.vectors import EditVector
from tests.runtime.batch.conftest import files_of


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


class Deadly(Shards):
    """Kills its worker in the middle of a shard, once."""

    victim = 10

    def prepare(self, item: Edited) -> Any:
        grave = self.folder.with_suffix(".grave")
        if item.number == self.victim and not grave.exists():
            grave.write_text(str(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)
        return super().prepare(item)


class Watched(Seeds):
    """Notes which generator is used by which process."""

    notes = Path()

    def read(self, generator: Generator, start: int, stop: int) -> Latents:
        with self.notes.open("a") as file:
            file.write(f"{os.getpid()} {id(generator)}\n")
        return super().read(generator, start, stop)


def test_a_worker_is_killed_and_every_item_is_there_once(
    client: Client, tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    source = Watched(range(29))
    source.notes = tmp_path / "notes"
    how = {"generator": generator, "shard_size": 4, "micro_batch": 2}
    progress = list(transfer_edit(vector, source, Deadly(tmp_path / "out"), client, **how))
    killed = (tmp_path / "out.grave").read_text()
    assert (progress[-1].done, progress[-1].failed, progress[-1].ended) == (29, 0, True)
    assert [each.total for each in progress] == [29] * len(progress)

    numbers = []
    for file in sorted((tmp_path / "out").glob("*.tar")):
        with tarfile.open(file) as tar:
            numbers += [int(name[:9]) for name in tar.getnames() if name.endswith(".png")]
    assert numbers == list(range(29))
    lines = (tmp_path / "out" / NAME).read_text().splitlines()
    assert sorted(line for line in lines if '"shard"' in line) == sorted(set(lines[1:-1]))
    assert len(lines) == 8 + 2

    # The same as without a cluster, byte by byte.
    *_, last = transfer_edit(vector, range(29), Shards(tmp_path / "here"), **how)
    assert last.done == 29
    assert files_of(tmp_path / "out") == files_of(tmp_path / "here")

    # Every worker got the generator once.
    used = {tuple(line.split()) for line in source.notes.read_text().splitlines()}
    processes = [process for process, _ in used]
    assert len(processes) == len(set(processes))
    assert killed in processes
    assert str(os.getpid()) not in processes


def test_from_the_command_line(
    client: Client, tmp_path: Path, vector: EditVector, capsys: pytest.CaptureFixture[str]
) -> None:
    """Workers make the pictures; the command draws how far they are, and a second run goes on."""
    config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
    file = tmp_path / "tiny.safetensors"
    save_generator(Generator(config), file, {})
    generator = load_generator(file)
    mine = replace(vector, generator_hash=generator.content_hash, generator=str(file))
    mine.save(tmp_path / "nudge.safetensors")
    address = client.scheduler_info()["address"]
    wish = ["transfer", str(tmp_path / "nudge.safetensors"), "0:9", str(tmp_path / "out")]
    wish += ["--to", "shards", "--shard-size", "4", "--cluster", address]
    assert cli.main(wish) == 0
    assert capsys.readouterr().out.startswith("9 of 9 done, ")
    made = files_of(tmp_path / "out")
    assert len(made) == 3
    assert cli.main(wish) == 2
    assert "--resume" in capsys.readouterr().err
    assert cli.main([*wish, "--resume"]) == 0
    assert files_of(tmp_path / "out") == made
    assert client.status == "running"

    *_, last = transfer_edit(
        mine, range(9), Shards(tmp_path / "here"), generator=generator, shard_size=4
    )
    assert last.done == 9
    assert files_of(tmp_path / "here") == made


def test_what_one_engine_began_the_other_ends(
    client: Client, tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    def latents() -> Iterator[torch.Tensor]:
        yield from (sample(generator, seed, 0.7) for seed in range(4))
        yield torch.zeros(2)
        yield from (sample(generator, seed, 0.7) for seed in range(4))

    sink = LatentShards(tmp_path / "out")
    how = {"generator": generator, "shard_size": 2}
    begun = transfer_edit(vector, latents(), sink, **how)
    assert [next(begun).done for _ in range(3)] == [0, 2, 4]
    begun.close()
    progress = list(transfer_edit(vector, latents(), sink, client, resume=True, **how))
    assert progress[0].done == 2
    assert (progress[-1].done, progress[-1].failed, progress[-1].total) == (8, 1, 9)
    assert [str(problem) for each in progress for problem in each.problems] == [
        f"000000004: has shape [2]; this generator's latents are "
        f"{[generator.num_ws, generator.w_dim]}"
    ]
    ws = torch.cat([load_file(file)["ws"] for file in sorted(sink.folder.glob("*.safetensors"))])
    wanted = torch.stack([vector.apply(w) for w in latents() if w.ndim == 2])
    assert torch.allclose(ws, wanted, atol=1e-5)


class Refusing(LatentShards):
    """Can't write one of the shards."""

    def prepare(self, item: Edited) -> Any:
        if item.number == 3:
            raise PermissionError(13, "not here")
        return super().prepare(item)


def test_what_no_worker_can_make_is_told_at_the_end(
    client: Client, tmp_path: Path, generator: Generator, vector: EditVector
) -> None:
    sink = Refusing(tmp_path / "out")
    how = {"generator": generator, "shard_size": 2}
    with pytest.raises(TransferError, match=r"no worker could make: 1\..*resume.*not here"):
        list(transfer_edit(vector, range(8), sink, client, **how))
    assert len(files_of(sink.folder)) == 3
    *_, last = transfer_edit(vector, range(8), LatentShards(sink.folder), resume=True, **how)
    assert (last.done, last.made) == (8, 2)
