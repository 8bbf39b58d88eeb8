import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.runtime.export_offer import Offer


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "faces.zip"
    path.write_bytes(bytes(range(100)))
    return path


@given(st.integers(1, 120))
def test_pieces_make_the_file(tmp_path_factory: pytest.TempPathFactory, most: int) -> None:
    path = tmp_path_factory.mktemp("offer") / "faces.zip"
    path.write_bytes(bytes(range(100)))
    offer = Offer.of(path)
    assert (offer.name, offer.size) == ("faces.zip", 100)
    pieces = [offer.piece(offset, most) for offset in range(0, offer.size, most)]
    assert b"".join(pieces) == path.read_bytes()
    assert max(map(len, pieces)) <= most


def test_there_is_nothing_beyond_its_ends(file: Path) -> None:
    offer = Offer.of(file)
    for offset in (-1, 100, 10**12):
        with pytest.raises(ValueError, match="100 bytes"):
            offer.piece(offset, 10)


def test_another_file_in_its_place_is_refused(file: Path) -> None:
    offer = Offer.of(file)
    assert offer.piece(0, 10) == bytes(range(10))
    other = file.with_name("other")
    other.write_bytes(bytes(100))
    other.replace(file)
    with pytest.raises(ValueError, match="export again"):
        offer.piece(10, 10)


def test_a_file_that_was_written_to_or_taken_away_is_refused(file: Path) -> None:
    offer = Offer.of(file)
    with file.open("r+b") as opened:
        opened.write(b"x")
    os.utime(file, ns=(0, offer.stamp[1] + 1))
    with pytest.raises(ValueError, match="has changed"):
        offer.piece(0, 10)
    file.unlink()
    with pytest.raises(ValueError, match="can't be read"):
        offer.piece(0, 10)
