"""What people give as a source, and the names that items get."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.batch.manifest import TransferError
from nbdrag.runtime.batch.photographs import Photographs, keys_of, picture
from nbdrag.runtime.batch.sources import Rows, Seeds, Stream, source_of
from nbdrag.runtime.wishes import sample


def no_projector(generator: Generator, image: torch.Tensor) -> torch.Tensor:
    raise NotImplementedError


def test_seeds_are_what_sample_draws(generator: Generator) -> None:
    source = Seeds([7, 2**63 - 1, 0], truncation=0.4)
    latents = source.read(generator, 0, 3)
    wanted = torch.stack([sample(generator, seed, 0.4) for seed in (7, 2**63 - 1, 0)])
    assert torch.allclose(latents.ws, wanted, atol=1e-6)
    assert latents.indices == [0, 1, 2]
    assert len(set(latents.keys)) == 3


def test_a_thousand_million_seeds_are_no_more_than_ten(generator: Generator) -> None:
    source = Seeds(range(10**9))
    assert source.length == 10**9
    latents = source.read(generator, 10**9 - 2, 10**9)
    assert latents.indices == [10**9 - 2, 10**9 - 1]


def test_what_people_give(tmp_path: Path) -> None:
    np.save(tmp_path / "ws.npy", np.zeros((3, 4, 5), np.float32))
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (4, 4)).save(tmp_path / "photos" / "a.png")
    for given_, kind in (
        (range(3), Seeds),
        ([1, np.int64(2)], Seeds),
        (np.arange(3), Seeds),
        (torch.arange(3), Seeds),
        (torch.zeros(3, 4, 5), Rows),
        (np.zeros((3, 5)), Rows),
        (tmp_path / "ws.npy", Rows),
        (str(tmp_path / "photos"), Photographs),
        ([torch.zeros(4, 5)], Stream),
        (iter([torch.zeros(4, 5)]), Stream),
        (Seeds(range(2)), Seeds),
    ):
        assert type(source_of(given_, no_projector)) is kind


def test_a_source_is_known_again() -> None:
    rows = torch.arange(24.0).reshape(2, 3, 4)
    assert Rows(rows).facts == Rows(rows.clone()).facts
    assert Rows(rows).facts != Rows(rows + 1).facts
    assert Seeds([1, 2]).facts != Seeds([2, 1]).facts
    assert Seeds(range(3)).facts != Seeds(range(3), truncation=0.5).facts


def test_a_row_of_w_is_one_for_all_layers(generator: Generator) -> None:
    w = torch.randn(2, generator.w_dim, generator=torch.Generator().manual_seed(0))
    ws = Rows(w).read(generator, 0, 2).ws
    assert ws.shape == (2, generator.num_ws, generator.w_dim)
    assert ws[1].equal(w[1].expand(generator.num_ws, -1))


def test_an_iterable_is_read_once(generator: Generator) -> None:
    source = Stream(torch.full((generator.w_dim,), float(i)) for i in range(5))
    assert source.read(generator, 2, 4).ws[:, 0, 0].tolist() == [2, 3]
    assert source.read(generator, 4, 6).indices == [4]
    with pytest.raises(TransferError, match="was used already"):
        source.read(generator, 0, 2)


def test_a_photograph_is_cut_in_the_middle(tmp_path: Path, generator: Generator) -> None:
    wide = np.zeros((32, 64, 3), np.uint8)
    wide[:, 16:48] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    image = picture(tmp_path / "wide.png", generator)
    assert image.shape == (3, 32, 32)
    assert image.min() == 1


names = st.lists(
    st.from_regex(r"([ab]/)?[abA]{1,2}(\.b)?\.(png|jpg)", fullmatch=True), unique=True, max_size=12
)


@given(names)
def test_keys_are_different_and_hold_no_dots(paths: list[str]) -> None:
    keys = keys_of(paths)
    assert len(keys) == len(paths)
    assert len({key.casefold() for key in keys}) == len(keys)
    assert not any("." in key for key in keys)


def test_keys_are_short_where_they_may_be() -> None:
    assert keys_of(["a.png", "b.jpg", "b.png", "c/d.e.png"]) == ["a", "b_jpg", "b_png", "c/d_e"]
