"""Libraries of editing vectors: folders that people put files into."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.library import LONGEST_NAME, EditLibrary
from nbdrag.transfer.vectors import EditVector, VectorError


@pytest.fixture
def library(tmp_path: Path, smile: EditVector, blink: EditVector) -> EditLibrary:
    library = EditLibrary(tmp_path / "edits")
    library.add(smile)
    library.add(blink)
    return library


def test_a_library_is_a_mapping_in_the_order_of_the_alphabet(
    library: EditLibrary, smile: EditVector
) -> None:
    assert list(library) == ["close eyes", "smile"]
    assert len(library) == 2
    assert "smile" in library
    assert "frown" not in library
    assert library["smile"].delta.equal(smile.delta)
    assert [vector.name for vector in library.values()] == ["close eyes", "smile"]
    assert library.get("frown") is None


def test_a_folder_that_is_not_there_is_empty_until_something_is_added(
    tmp_path: Path, smile: EditVector
) -> None:
    library = EditLibrary(tmp_path / "deep" / "edits")
    assert list(library) == []
    assert not library.folder.exists()
    assert library._repr_mimebundle_() == {"text/plain": repr(library)}
    library.add(smile)
    assert list(EditLibrary(library.folder)) == ["smile"]


def test_an_unknown_name_says_which_there_are(library: EditLibrary) -> None:
    with pytest.raises(KeyError, match=r"no vector 'smiles' in .*; there is 'smile'"):
        library["smiles"]
    with pytest.raises(KeyError, match="there is 'close eyes', 'smile'"):
        library["???"]
    with pytest.raises(KeyError, match="no vector 'frown'"):
        library.remove("frown")


def test_a_vector_removed_is_gone(library: EditLibrary) -> None:
    library.remove("smile")
    assert list(EditLibrary(library.folder)) == ["close eyes"]


def test_a_name_that_is_taken_loses_nothing(library: EditLibrary, smile: EditVector) -> None:
    for name in ("smile", "Smile", " smile "):
        with pytest.raises(ValueError, match=r"there is a vector 'smile' in .* already; remove it"):
            library.add(replace(smile, name=name, delta=2 * smile.delta))
    assert library["smile"].delta.equal(smile.delta)
    library.add(smile.renamed("smile 2"))
    assert len(library) == 3


@pytest.mark.parametrize(
    "name", ["../smile", "a/b", "a\\b", "-smile", ".hidden", "a:b", "a\nb", "a?", "a.", "x" * 81]
)
def test_names_that_no_file_can_have_are_refused(
    library: EditLibrary, smile: EditVector, name: str
) -> None:
    with pytest.raises(ValueError, match=r"can't be kept as a file: .*vector\.renamed"):
        library.add(smile.renamed(name))
    assert len(list(library.folder.iterdir())) == 2


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.text(max_size=LONGEST_NAME + 1))
def test_any_name_is_kept_inside_the_folder_or_refused(
    smile: EditVector, tmp_path: Path, name: str
) -> None:
    library = EditLibrary(tmp_path / "edits")
    try:
        library.add(replace(smile, name=name))
    except ValueError:
        assert list(library) == []
    else:
        [kept] = library
        assert [file.stem for file in library.folder.iterdir()] == [kept]
        library.remove(kept)
    assert {path.name for path in tmp_path.iterdir()} <= {"edits"}


def test_a_file_that_is_renamed_renames_the_vector(library: EditLibrary) -> None:
    (library.folder / "smile.safetensors").rename(library.folder / "grin.safetensors")
    assert library["grin"].name == "grin"
    assert list(library) == ["close eyes", "grin"]


def test_a_file_that_changes_is_read_anew(library: EditLibrary, smile: EditVector) -> None:
    assert library["smile"] is library["smile"]
    replace(smile, delta=3 * smile.delta, preview=b"").save(library.folder / "smile.safetensors")
    assert library["smile"].delta.equal(3 * smile.delta)


def test_a_damaged_file_hides_nothing(library: EditLibrary) -> None:
    bad = library.folder / "frown.safetensors"
    bad.write_bytes(b"no vector at all")
    assert list(library) == ["close eyes", "smile"]
    assert "frown" not in library
    with pytest.raises(VectorError, match=r"frown\.safetensors is damaged"):
        library["frown"]
    [(name, problem)] = library.problems.items()
    assert name == "frown"
    assert "damaged" in problem
    assert problem in repr(library)
    assert bad.read_bytes() == b"no vector at all"
    with pytest.raises(ValueError, match="there is a vector 'frown'"):
        library.add(library["smile"].renamed("frown"))
    library.remove("frown")
    assert library.problems == {}


def test_other_files_are_left_alone(library: EditLibrary) -> None:
    (library.folder / "README.md").write_text("mine")
    assert list(library) == ["close eyes", "smile"]
    with pytest.raises(ValueError, match="which is a file; name a folder"):
        EditLibrary(library.folder / "README.md")


def test_a_library_that_is_not_writable_stays(library: EditLibrary, smile: EditVector) -> None:
    fixed = EditLibrary(library.folder, writable=False)
    with pytest.raises(ValueError, match="can't be changed; make one of your own"):
        fixed.add(smile.renamed("grin"))
    with pytest.raises(ValueError, match="can't be changed"):
        fixed.remove("smile")
    assert list(fixed) == ["close eyes", "smile"]


def test_the_gallery(library: EditLibrary, smile: EditVector) -> None:
    """Both vectors in a row: opaque pictures, and names on nothing."""
    library.add(replace(smile, name="no picture", preview=b""))
    bundle = library._repr_mimebundle_()
    assert "close eyes, no picture, smile" in bundle["text/plain"]
    with Image.open(BytesIO(bundle["image/png"])) as picture:
        alpha = picture.convert("RGBA").getchannel("A")
    assert alpha.size == (3 * 192 + 2 * 12, 96 + 22)
    assert alpha.crop((0, 0, 192, 96)).getextrema() == (255, 255)
    assert alpha.crop((204, 0, 396, 96)).getextrema() == (0, 0)
    for x in (0, 204, 408):
        low, high = alpha.crop((x, 96, x + 192, 118)).getextrema()
        assert low == 0 < 200 < high  # a name
    assert alpha.crop((192, 0, 204, 118)).getextrema() == (0, 0)


def test_none_ship_for_a_generator_of_ones_own(generator: Generator) -> None:
    library = EditLibrary.packaged(generator)
    assert list(library) == []
    with pytest.raises(ValueError, match="can't be changed"):
        library.remove("smile")
