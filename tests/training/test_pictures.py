"""The pool: what was rendered is what is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag import toonfaces
from nbdrag.training.pictures import open_pool, save_sheet, take


def test_the_pool_holds_renders(tmp_path: Path) -> None:
    pool = open_pool(tmp_path / "pool.npy", count=5, size=32, seed=3)
    factors = toonfaces.sample_factors(5, generator=torch.Generator().manual_seed(3))
    expected = toonfaces.render(factors, 32).image
    images = take(pool, torch.tensor([4, 0]), 32, torch.device("cpu"))
    torch.testing.assert_close(images, expected[[4, 0]], atol=1 / 255 + 1e-6, rtol=0)


def test_smaller_pictures_are_means_of_squares(tmp_path: Path) -> None:
    pool = open_pool(tmp_path / "pool.npy", count=2, size=32)
    images = take(pool, torch.arange(2), 8, torch.device("cpu"))
    expected = pool.reshape(2, 3, 8, 4, 8, 4).mean((3, 5)) / 127.5 - 1
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-5)


def test_a_pool_is_drawn_once_and_may_be_used_in_part(tmp_path: Path) -> None:
    path = tmp_path / "pool.npy"
    open_pool(path, count=4, size=16)
    drawn = path.stat().st_mtime_ns
    assert len(open_pool(path, count=3, size=16)) == 3
    assert path.stat().st_mtime_ns == drawn
    assert [p.name for p in tmp_path.iterdir()] == ["pool.npy"]


@pytest.mark.parametrize(("count", "size"), [(5, 16), (4, 32)])
def test_a_pool_that_does_not_fit_is_refused(tmp_path: Path, count: int, size: int) -> None:
    path = tmp_path / "pool.npy"
    open_pool(path, count=4, size=16)
    with pytest.raises(ValueError, match="Delete it to have it drawn anew"):
        open_pool(path, count=count, size=size)


def test_a_sheet_reads_like_text(tmp_path: Path) -> None:
    images = torch.linspace(-1, 1, 6)[:, None, None, None].expand(6, 3, 4, 4)
    save_sheet(tmp_path / "sheet.png", images, columns=3)
    with Image.open(tmp_path / "sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape == (8, 12, 3)
    assert pixels[2::4, 2::4, 0].tolist() == [[0, 51, 102], [153, 204, 255]]
