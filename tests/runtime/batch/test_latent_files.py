"""Files of latents: read piece by piece, checked against NumPy's and safetensors' own readers."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from nbdrag.runtime.batch.latent_files import METADATA_KEY, LatentFile, generator_in
from nbdrag.runtime.batch.manifest import TransferError


def latents(count: int) -> torch.Tensor:
    return torch.randn(count, 4, 3, generator=torch.Generator().manual_seed(count))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy(tmp_path: Path, dtype: type) -> None:
    path = tmp_path / "ws.npy"
    np.save(path, latents(7).numpy().astype(dtype))
    file = LatentFile([path])
    assert file.shape == (7, 4, 3)
    assert np.array_equal(file[2:5], np.load(path)[2:5].astype(np.float32))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_safetensors(tmp_path: Path, dtype: torch.dtype) -> None:
    path = tmp_path / "a.safetensors"
    ws = latents(7).to(dtype)
    save_file({"other": torch.zeros(5), "ws": ws}, path)
    assert np.array_equal(LatentFile([path])[0:7], ws.float().numpy())


@given(st.text() | st.binary().map(repr) | st.just('{"generator_hash": 3}'))
def test_metadata_that_say_nothing_to_us_are_passed_over(text: str) -> None:
    assert generator_in({METADATA_KEY: text}) is None
    assert generator_in({METADATA_KEY: 7}) is None
    assert generator_in({"format": "pt"}) is None
    assert generator_in("none") is None


@given(st.integers(0, 12), st.integers(0, 12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_several_files_are_one(tmp_path: Path, start: int, stop: int) -> None:
    paths = [tmp_path / f"{i}.npy" for i in range(3)]
    pieces = [latents(count).numpy() for count in (3, 1, 6)]
    for path, piece in zip(paths, pieces, strict=True):
        np.save(path, piece)
    assert np.array_equal(LatentFile(paths)[start:stop], np.concatenate(pieces)[start:stop])


def test_what_holds_no_latents_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "whole.npy", np.zeros((2, 3), np.int64))
    np.save(tmp_path / "flat.npy", np.zeros(3))
    np.save(tmp_path / "objects.npy", np.array([None]), allow_pickle=True)
    (tmp_path / "no.npy").write_bytes(b"nothing of the kind")
    (tmp_path / "no.safetensors").write_bytes(b"nothing of the kind")
    (tmp_path / "empty.safetensors").write_bytes(b"")
    (tmp_path / "a.txt").write_text("text")
    save_file({"a": torch.zeros(2, 3), "b": torch.zeros(2, 3)}, tmp_path / "two.safetensors")
    for name, why in (
        ("whole.npy", "int64"),
        ("flat.npy", r"shape \[3\]"),
        ("objects.npy", "object"),
        ("no.npy", "no .npy file"),
        ("no.safetensors", "no .safetensors file"),
        ("empty.safetensors", "no .safetensors file"),
        ("a.txt", "neither .npy nor .safetensors"),
        ("two.safetensors", "holds a, b"),
    ):
        with pytest.raises(TransferError, match=why) as caught:
            LatentFile([tmp_path / name])
        assert name in str(caught.value)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "ws.npy", tmp_path / "ws.safetensors"):
        if path.suffix == ".npy":
            np.save(path, latents(5).numpy())
        else:
            save_file({"ws": latents(5)}, path)
        path.write_bytes(path.read_bytes()[:-4])
        with pytest.raises(TransferError, match="cut off"):
            LatentFile([path])


anything = st.recursive(
    st.none() | st.text() | st.integers(-(10**20), 10**20) | st.floats(), st.lists, max_leaves=4
)
fields = st.sampled_from(["dtype", "shape", "data_offsets"])


@given(st.dictionaries(fields, anything))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_header_is_not_believed(tmp_path: Path, wrong: dict[str, object]) -> None:
    good: dict[str, object] = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
    text = json.dumps({"ws": good | wrong}).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(24))
    with suppress(TransferError):
        rows = LatentFile([path])
        assert rows[0 : len(rows)].shape == rows.shape


def test_files_that_do_not_go_together_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 4, 3), np.float32))
    np.save(tmp_path / "b.npy", np.zeros((2, 4, 5), np.float32))
    with pytest.raises(TransferError, match="go together"):
        LatentFile([tmp_path / "a.npy", tmp_path / "b.npy"])
