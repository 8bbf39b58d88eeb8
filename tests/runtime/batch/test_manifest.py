"""The manifest: what was noted is known again, and what isn't a manifest isn't taken for one."""

from __future__ import annotations

import tempfile
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nbdrag.runtime.batch.manifest import (
    NAME,
    Manifest,
    Problem,
    Run,
    Shard,
    TransferError,
    earlier_run,
)

RUN = Run(1, "0.1.0", "abc", [1.0, 0.0], {"seeds": "range(0, 9)"}, {"kind": "folder"}, 4, 2)


def shard(number: int) -> Shard:
    start = 4 * number
    return Shard(number, start, start + 4, [Problem(start, "a", "why")] if number % 2 else [])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 8), unique=True), st.integers(0, 8), st.integers(0, 200))
def test_lines_that_are_whole_count(noted: list[int], closed_after: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for some in (noted[:closed_after], noted[closed_after:]):
            with Manifest(folder, RUN) as manifest:
                for number in some:
                    manifest.add(shard(number))
                    manifest.add(shard(number))  # another attempt's
        data = (folder / NAME).read_bytes()
        (folder / NAME).write_bytes(data[: len(data) - cut])
        whole = data[: len(data) - cut].count(b"\n")
        kept = set(noted[: max(0, whole - 1)])
        with Manifest(folder, RUN) as manifest:
            assert manifest.shards == kept
            assert manifest.failed == sum(number % 2 for number in kept)
            assert manifest.done + manifest.failed == 4 * len(kept)
            assert set(manifest.missing(34)) == set(range(9)) - kept
            assert list(islice(manifest.missing(None), 20))[-1] >= 19
        assert earlier_run(folder) == RUN
        assert (folder / NAME).read_bytes().endswith(b"\n")


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"generator": "abd"}, "generator"),
        ({"source": {"seeds": "range(0, 8)"}}, "source"),
        ({"sink": {"kind": "zarr"}}, "sink"),
        ({"shard_size": 5}, "shard size"),
        ({"micro_batch": 3}, "micro batch"),
        ({"direction": [1.0, 0.1]}, "edit"),
        ({"direction": [1.0]}, "edit"),
    ],
)
def test_another_run_is_refused(tmp_path: Path, change: dict[str, object], name: str) -> None:
    with Manifest(tmp_path, RUN):
        pass
    with pytest.raises(TransferError, match=f"another {name}"):
        Manifest(tmp_path, replace(RUN, **change))
    with Manifest(tmp_path, replace(RUN, direction=[1.000001, 0.000001], nbdrag="0.2.0")):
        pass  # rounding on another machine is no other edit


@pytest.mark.parametrize("line", [b"{}\n", b"no json\n", b'{"line":"end","items":3}\n'])
def test_what_is_no_manifest_is_refused(tmp_path: Path, line: bytes) -> None:
    (tmp_path / NAME).write_bytes(line)
    with pytest.raises(TransferError, match="Take another sink"):
        Manifest(tmp_path, RUN)
    assert (tmp_path / NAME).read_bytes() == line


def test_a_damaged_line_is_named(tmp_path: Path) -> None:
    with Manifest(tmp_path, RUN) as manifest:
        manifest.add(shard(0))
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"line":"shard"}\n')
    before = (tmp_path / NAME).read_bytes()
    with pytest.raises(TransferError, match="line 3 of"), Manifest(tmp_path, RUN):
        pass
    assert (tmp_path / NAME).read_bytes() == before
