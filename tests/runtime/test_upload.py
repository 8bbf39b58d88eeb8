import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.generators.errors import CheckpointError
from nbdrag.runtime import upload as module
from nbdrag.runtime.loading import LoadingStopped
from nbdrag.runtime.upload import Upload, plain_name

LONG = 30  # seconds; only a failing test waits that long


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def upload(folder: Path) -> Iterator[Upload]:
    upload = Upload("lions.pkl", 10)
    yield upload
    upload.discard()


def silent(text: str, fraction: float | None) -> None:
    pass


def test_pieces_make_the_file(upload: Upload, folder: Path) -> None:
    upload.add(0, b"0123")
    upload.add(4, memoryview(b"456"))
    upload.add(7, b"789")
    path = upload.wait(silent)
    assert (path.name, path.read_bytes()) == ("lions.pkl", b"0123456789")
    assert folder in path.parents
    upload.discard()
    assert list(folder.iterdir()) == []


def test_who_waits_hears_how_far_it_is(upload: Upload) -> None:
    told, first, found = [], threading.Event(), []

    def tell(text: str, fraction: float | None) -> None:
        told.append((text, fraction))
        first.set()

    waiting = threading.Thread(target=lambda: found.append(upload.wait(tell)))
    waiting.start()
    assert first.wait(LONG)
    upload.add(0, b"01234")
    upload.add(5, b"56789")
    waiting.join(LONG)
    assert found[0].stat().st_size == 10
    assert told[0] == ("receiving lions.pkl", 0)
    assert told[-1] == ("receiving lions.pkl", 1)
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("offset", "data", "complaint"),
    [
        (3, b"34", "begins at byte 3; 4 is next"),
        (0, b"01", "begins at byte 0; 4 is next"),
        (5, b"56", "begins at byte 5; 4 is next"),
        (4, b"", "has 0 bytes; of 10, as declared, 6 are left"),
        (4, b"4567890", "has 7 bytes; of 10, as declared, 6 are left"),
    ],
)
def test_a_piece_that_does_not_fit_changes_nothing(
    upload: Upload, offset: int, data: bytes, complaint: str
) -> None:
    upload.add(0, b"0123")
    with pytest.raises(ValueError, match=complaint):
        upload.add(offset, data)
    upload.add(4, b"456789")
    assert upload.wait(silent).read_bytes() == b"0123456789"
    with pytest.raises(ValueError, match="0 are left"):
        upload.add(10, b"x")


def test_what_was_discarded_is_deleted_and_takes_no_more(upload: Upload, folder: Path) -> None:
    upload.add(0, b"0123")
    ended = []

    def wait() -> None:
        with pytest.raises(LoadingStopped):
            upload.wait(silent)
        ended.append(True)

    waiting = threading.Thread(target=wait)
    waiting.start()
    upload.discard()
    upload.discard()
    waiting.join(LONG)
    assert ended == [True]
    assert list(folder.iterdir()) == []
    with pytest.raises(ValueError, match=r"lions\.pkl is no longer wanted"):
        upload.add(4, b"4")


def test_without_room_nothing_begins(folder: Path) -> None:
    with pytest.raises(CheckpointError, match=r"there is room for \d+ MB.* set TMPDIR"):
        Upload("lions.pkl", 1 << 60)
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(
        CheckpointError, match=r"can't be kept in .*none: No such file or directory"
    ):
        Upload("lions.pkl", 10)


def test_a_disk_that_fills_up_is_said_to_both_sides(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(data: memoryview) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(upload, "_write", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        upload.add(0, b"0123")
    with pytest.raises(CheckpointError, match="No space left on device"):
        upload.wait(silent)


@given(st.text(max_size=300))
def test_any_name_becomes_one_in_this_folder(name: str) -> None:
    plain = plain_name(name)
    assert 0 < len(os.fsencode(plain)) <= 255
    assert Path(plain).name == plain
    assert plain not in (".", "..")
    assert not set(plain) & set('/\\:*?"<>|\0\n')


def test_names_stay_as_they_are_where_they_can() -> None:
    assert plain_name("stylegan2-ffhq (1).pkl") == "stylegan2-ffhq (1).pkl"
    assert plain_name(r"C:\Users\me\lions.pkl") == "lions.pkl"
    assert plain_name("/etc/../löwen.pt") == "löwen.pt"
    assert module.plain_name("..") == "file"
