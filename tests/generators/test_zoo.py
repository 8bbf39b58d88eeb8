"""Names to generators."""

import pytest

from nbdrag.generators.checkpoint import CheckpointError, save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import ZOO, list_generators, load_generator

TINY = StyleGAN2Config(
    resolution=8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=32, channel_max=8
)


def test_the_packaged_portraits_are_listed():
    assert "toonfaces-128" in list_generators()


def test_a_path_gives_a_new_generator_each_time(tmp_path):
    path = tmp_path / "tiny.safetensors"
    save_generator(Generator(TINY), path)
    first, second = load_generator(path), load_generator(str(path))
    assert first.config == second.config == TINY
    assert first is not second


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(CheckpointError, match=r"no generator 'toonfaces'.*'toonfaces-128'\?"):
        load_generator("toonfaces")


def test_the_list_is_a_list_and_shows_as_a_table():
    names = list_generators()
    assert names == list(ZOO)
    head, *rows = repr(names).splitlines()
    assert head.split() == ["name", "pixels", "draws", "source", "licence", "where"]
    assert [row.split()[0] for row in rows] == names
    assert rows[0].endswith("packaged, 2.4 MB")
    assert names._repr_html_().count("<tr>") == len(names) + 1


def test_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r"no file .*gone\.safetensors"):
        load_generator(tmp_path / "gone.safetensors")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(CheckpointError, match=r"photo\.png"):
        load_generator(path)
