"""Names, paths and addresses to generators."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from nbdrag.generators import zoo
from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import ZOO, Known, find_file, list_generators, load_generator
from tests.generators.web import Web, file, serving, status

TINY = StyleGAN2Config(
    resolution=8, z_dim=4, w_dim=4, mapping_layers=1, channel_base=32, channel_max=8
)


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A generator in a file."""
    path = tmp_path / "tiny.safetensors"
    save_generator(Generator(TINY), path)
    return path


@pytest.fixture
def web(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server that has it, and a name for it: tiny-8."""
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("NBDRAG_CACHE", str(tmp_path / "cache"))
    with serving() as web:
        web.answers["/tiny.safetensors"] = file(tiny.read_bytes())
        known = Known("tiny-8", "<noise>", 8, "us", "CC0", f"{web.url}/tiny.safetensors", 9_000)
        monkeypatch.setitem(ZOO, "tiny-8", known)
        yield web


class Told(list[str]):
    """A progress that remembers what it was told."""

    def __call__(self, what: str, fraction: float | None) -> None:
        self.append(what)


# ------------------------------------------------------------------------------------- the names


def test_names_say_how_large_and_share_no_files() -> None:
    for known in ZOO.values():
        assert re.fullmatch(rf"[a-z0-9-]+-{known.resolution}", known.name)
        assert known.url is None or known.url.startswith("https://")
        assert known.sha256 is None or re.fullmatch("[0-9a-f]{64}", known.sha256)
    assert len({known.file for known in ZOO.values()}) == len(ZOO)
    assert {"toonfaces-128", "ffhq-512", "afhqcat-512", "lions-512"} <= ZOO.keys()


def test_every_official_file_has_a_name() -> None:
    sources = [known.source for known in ZOO.values()]
    assert sources.count("NVIDIA, StyleGAN2-ADA") == 15
    assert sources.count("NVIDIA, StyleGAN2") == 5
    assert sources.count("Self-Distilled StyleGAN") == 7


def test_the_list_is_a_list_and_shows_as_a_table(web: Web) -> None:
    names = list_generators()
    assert names == list(ZOO)
    head, first, *_, last = str(names).splitlines()
    assert head.split() == ["name", "pixels", "draws", "source", "licence", "where"]
    assert first.endswith("packaged, 2.4 MB")
    assert re.split("  +", last) == ["tiny-8", "8", "<noise>", "us", "CC0", "to download, 9.0 kB"]
    assert [line.index("  " + name) for line, name in ((first, "drawn"), (last, "<no"))] == [
        head.index("  draws")
    ] * 2
    page = names._repr_html_()
    assert page.count("<tr>") == len(names) + 1
    assert "<td>&lt;noise&gt;</td>" in page


def test_the_list_can_be_changed(web: Web) -> None:
    names = list_generators()
    names.append("mine")
    names.remove("tiny-8")
    assert "mine" not in str(names)
    assert "tiny-8" not in str(names)
    assert "tiny-8" in list_generators()


def test_the_list_says_what_is_at_hand(web: Web) -> None:
    known = ZOO["tiny-8"]
    assert (known.at_hand, known.file_size) == (False, 9_000)
    load_generator("tiny-8", progress=Told())
    assert (known.at_hand, known.file_size) == (True, known.file.stat().st_size)
    assert re.search(r"tiny-8 .*in the cache, \d+\.\d kB$", str(list_generators()), re.MULTILINE)
    assert ZOO["toonfaces-128"].at_hand


# ----------------------------------------------------------------------------------- to generators


def test_a_name_is_downloaded_once(web: Web, capfd: pytest.CaptureFixture[str]) -> None:
    told = Told()
    generator = load_generator("tiny-8", progress=told)
    assert generator.config == TINY
    assert generator.source == "tiny-8"
    size = zoo.readable(ZOO["tiny-8"].file.stat().st_size)
    assert told[-2:] == [
        f"downloading tiny.safetensors, {size} of {size}",
        "reading tiny.safetensors",
    ]
    told.clear()
    load_generator("tiny-8", progress=told)
    assert told == ["checking tiny.safetensors", "reading tiny.safetensors"]
    assert len(web.asked) == 1
    assert capfd.readouterr() == ("", "")


def test_the_address_of_a_name_is_that_name(web: Web) -> None:
    load_generator("tiny-8", progress=Told())
    load_generator(f"{web.url}/tiny.safetensors", progress=Told())
    assert len(web.asked) == 1


def test_an_address_is_downloaded_once(web: Web) -> None:
    web.answers["/other.safetensors?v=2"] = web.answers["/tiny.safetensors"]
    url = f"{web.url}/other.safetensors?v=2"
    assert load_generator(url, progress=Told()).config == TINY
    assert load_generator(url, progress=Told()).config == TINY
    assert len(web.asked) == 1


def test_an_address_on_the_hub(web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", web.url)
    body = (tmp_path / "tiny.safetensors").read_bytes()
    web.answers["/me/x/resolve/main/tiny.safetensors"] = file(body, X_Repo_Commit="a" * 40)
    assert load_generator("hf:me/x/tiny.safetensors", progress=Told()).config == TINY


def test_a_path_gives_a_new_generator_each_time(
    tiny: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = load_generator(tiny), load_generator(str(tiny))
    assert first.config == second.config == TINY
    assert first is not second
    monkeypatch.setenv("HOME", str(tiny.parent))
    assert find_file("~/tiny.safetensors", Told()) == tiny
    assert capfd.readouterr() == ("", "")


def test_what_the_progress_raises_goes_through(tiny: Path, web: Web) -> None:
    def stop(what: str, fraction: float | None) -> None:
        raise KeyboardInterrupt("enough")

    for source in (tiny, "tiny-8"):
        with pytest.raises(KeyboardInterrupt, match="enough"):
            load_generator(source, progress=stop)
    assert not ZOO["tiny-8"].at_hand


# --------------------------------------------------------------------------------- to no generator


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("toonfaces", "'toonfaces-128'"),
        ("FFHQ-512", "'ffhq-512'"),
        ("ffhq_512", "'ffhq-512'"),
        ("car-512", "'lsuncar-512'"),
        ("lion-512", "'lions-512'"),
        ("stylegan2-ffhq-512x512", "'ffhq-512'"),
    ],
)
def test_unknown_names_are_refused_with_those_that_come_close(name: str, meant: str) -> None:
    with pytest.raises(CheckpointError, match=rf"no generator '{name}'\. Did you mean {meant}"):
        load_generator(name)


def test_unlike_names_are_refused_without_a_guess() -> None:
    with pytest.raises(CheckpointError, match=r"no generator 'qqq'\. list_generators\(\) shows"):
        load_generator("qqq")
    with pytest.raises(CheckpointError, match="name of the generator is empty"):
        load_generator("")


@pytest.mark.parametrize("kind", [str, Path])
def test_missing_files_are_named_with_those_that_come_close(tiny: Path, kind: type) -> None:
    wrong = tiny.with_name("tinny.safetensors")
    with pytest.raises(
        CheckpointError,
        match=rf"no file {re.escape(repr(str(wrong)))}\. Did you mean {re.escape(repr(str(tiny)))}",
    ):
        load_generator(kind(wrong))
    with pytest.raises(CheckpointError, match=r"no file 'no/x\.pt'\. list_generators\(\) shows"):
        load_generator("no/x.pt")
    with pytest.raises(CheckpointError, match=r"no file 'stylegan2_lions_512_pytorch\.pkl'.*lions"):
        load_generator("stylegan2_lions_512_pytorch.pkl")


def test_folders_are_refused_with_what_is_in_them(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"is a folder; .*such as '{tiny}'\."):
        load_generator(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"empty' is a folder; .* end in \.pkl, \.pt, "):
        load_generator(tmp_path / "empty")


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "~no-such-user/x.pkl"])
def test_names_of_nothing_are_refused(name: str) -> None:
    with pytest.raises(CheckpointError):
        load_generator(name)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(CheckpointError, match=r"photo\.png"):
        load_generator(path)


def test_addresses_that_fail_are_refused(web: Web) -> None:
    web.answers["/page.pkl"] = status(200, b"<html>", Content_Type="text/html")
    with pytest.raises(CheckpointError, match=r"page\.pkl answers with a web page \(HTML\)"):
        load_generator(f"{web.url}/page.pkl", progress=Told())
    with pytest.raises(CheckpointError, match=r"gone\.pkl answers 404 Not Found"):
        load_generator(f"{web.url}/gone.pkl", progress=Told())
    with pytest.raises(CheckpointError, match="names no file"):
        load_generator(web.url, progress=Told())
    with pytest.raises(CheckpointError, match=r"ftp://a\.org/x\.pkl is not to be loaded"):
        load_generator("ftp://a.org/x.pkl")
    with pytest.raises(CheckpointError, match="reads hf:owner/name/file"):
        load_generator("hf:cats.pkl")
    assert list(Path(os.environ["NBDRAG_CACHE"]).glob("*.*")) == [
        Path(os.environ["NBDRAG_CACHE"], ".locks")
    ]


def test_only_paths_and_texts_are_taken() -> None:
    with pytest.raises(TypeError, match="not NoneType"):
        load_generator(None)  # type: ignore[arg-type]
