"""Another generator in JupyterLab: from a file of one's own, with its progress, and back again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from playwright.sync_api import JSHandle, Locator, Page, expect

from nbdrag.generators.checkpoint import save_generator
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from tests.browser.editor import (
    WAIT,
    another_picture,
    editor_on,
    expect_picture,
    expect_settled,
    expect_state,
    picture,
    place_pair,
    points,
)
from tests.browser.lab import kernel_eval, open_notebook, run_all, write_notebook
from tests.browser.servers import Server

CODE = "from nbdrag import DragEditor\neditor = DragEditor(seed=3)\neditor"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator of square pictures of 64 pixels, in a file of a few megabytes."""
    config = StyleGAN2Config(64, 64, 64, mapping_layers=2, channel_base=4096, channel_max=160)
    path = tmp_path_factory.mktemp("files") / "squares.safetensors"
    generator = Generator(config, torch.Generator().manual_seed(1))
    for parameter in generator.mapping.parameters():
        parameter.data.mul_(100)  # against its learning rate, so that w is of order 1
    save_generator(generator, path)
    assert path.stat().st_size > 2 << 20
    return path


@pytest.fixture
def editor(lab: Server, page: Page) -> Locator:
    write_notebook(lab.notebooks / "models.ipynb", CODE)
    open_notebook(page, lab, "models.ipynb")
    run_all(page)
    return editor_on(page)


def progress_of(editor: Locator) -> JSHandle:
    """Everything that will be said of a generator on its way."""
    return editor.evaluate_handle(
        """(editor) => {
            const said = new Set();
            new MutationObserver(() => {
                const loading = editor.querySelector('[data-testid="loading"]');
                if (loading) said.add(loading.innerText);
            }).observe(editor, { childList: true, subtree: true, characterData: true });
            return said;
        }"""
    )


def upload(editor: Locator, path: Path) -> None:
    editor.get_by_test_id("models").click()
    editor.get_by_test_id("model-file").set_input_files(path)


def expect_model(editor: Locator, name: str) -> None:
    """Wait until a generator is there, and shows a picture."""
    expect(editor.get_by_test_id("model")).to_have_text(name, timeout=WAIT)
    expect(editor.get_by_test_id("loading")).to_be_hidden(timeout=WAIT)
    expect(editor).to_have_attribute("data-final", "true", timeout=WAIT)


def test_a_file_is_uploaded_and_dragged_and_left_again(
    lab: Server, page: Page, editor: Locator, file: Path
) -> None:
    place_pair(editor, (64, 80), (64, 90))
    before, said = picture(editor), progress_of(editor)
    upload(editor, file)
    expect_model(editor, "squares")
    assert any("receiving squares.safetensors" in text for text in said.evaluate("it => [...it]"))
    assert points(editor) == []
    another_picture(editor, before)
    assert kernel_eval(page, "[editor.generator.resolution, len(editor.history)]") == [64, 1]

    place_pair(editor, (64, 40), (100, 64))  # halves of the pixels that 128 of them would have
    assert points(editor) == [[32, 20, 50, 32]]
    editor.get_by_test_id("start").click()
    expect(editor.get_by_test_id("edits")).to_have_text("1 of 1 edits", timeout=WAIT)
    expect_state(editor, "idle")
    assert kernel_eval(page, "len(editor.history)") == 2

    editor.get_by_test_id("goBack").click()
    expect_model(editor, "toonfaces-128")
    expect_settled(editor)
    assert points(editor) == [[64, 80, 64, 90]]
    expect_picture(editor, before)


def test_a_broken_file_leaves_everything_as_it_was(
    lab: Server, page: Page, editor: Locator, tmp_path: Path
) -> None:
    broken = tmp_path / "ffhq.pkl"
    broken.write_bytes(b"<!DOCTYPE html><html><body>404</body></html>" * 1000)
    place_pair(editor, (64, 80), (64, 90))
    before = picture(editor)
    upload(editor, broken)
    expect(editor).to_have_attribute("data-state", "error", timeout=WAIT)
    expect(editor.get_by_test_id("message")).to_contain_text("ffhq.pkl was not loaded")
    expect(editor.get_by_test_id("loading")).to_be_hidden()
    expect(editor.get_by_test_id("model")).to_have_text("toonfaces-128")
    assert points(editor) == [[64, 80, 64, 90]]
    assert picture(editor) == before
    # Nor is it in the way of what is done next.
    seed = editor.get_by_test_id("seed")
    seed.fill("5")
    seed.press("Enter")
    expect_settled(editor)
    expect_state(editor, "idle")
    another_picture(editor, before)
