from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime import pictures
from nbdrag.runtime.wishes import Edit, Given, Sampled, Wish, sample
from nbdrag.widgets.album import Album

PAIR = (4.0, 4.0, 8.0, 8.0)


def album(generator: Generator, **options: int) -> Album:
    return Album(generator, Sampled(0, 0.7), sample(generator, 0, 0.7), **options)


def add_seed(album: Album, generator: Generator, seed: int) -> None:
    album.add(Sampled(seed, 0.7), sample(generator, seed, 0.7), (), None)


def synthesized(generator: Generator, ws: torch.Tensor) -> Image.Image:
    with torch.no_grad():
        return pictures.to_pil(generator.synthesis(ws[None]).image[0])


def test_a_picture_is_kept_without_loss(generator: Generator) -> None:
    shown = album(generator)
    expected = synthesized(generator, sample(generator, 0, 0.7))
    still = Image.open(BytesIO(shown.still(shown.current)))
    assert (still.format, still.size) == ("WEBP", (32, 32))
    assert np.array_equal(still, expected)
    assert np.array_equal(shown.image(shown.current), expected)
    pixels = shown.pixels(shown.current)
    assert pixels.shape == (3, 32, 32)
    assert np.array_equal(pictures.to_pixels(pixels), expected)


def test_going_back_shows_the_very_bytes(generator: Generator) -> None:
    shown = album(generator)
    first = shown.still(shown.current)
    add_seed(shown, generator, 1)
    second = shown.still(shown.current)
    assert first != second
    assert shown.still(shown.history.undo()) is first
    assert shown.still(shown.history.redo()) is second


def test_what_there_is_no_room_for_is_made_again(generator: Generator) -> None:
    wide, narrow = album(generator), album(generator, room=1)
    for seed in (1, 2):
        add_seed(wide, generator, seed)
        add_seed(narrow, generator, seed)
    for one, other in zip(wide.history.entries, narrow.history.entries, strict=True):
        assert wide.still(one) == narrow.still(other)
        assert narrow.still(other) is narrow.still(other)  # the last one asked for is there


def test_the_picture_before_any_edit(generator: Generator) -> None:
    shown = album(generator)
    assert (shown.first, shown.origin) == (shown.current, Sampled(0, 0.7))
    ws = sample(generator, 1, 0.7)
    shown.add(Edit(Wish("drag", {}, (PAIR,)), 3, ws), ws, (PAIR,), None)
    assert shown.first is shown.history.entries[0]
    assert shown.current.label == "drag, 3 steps"
    shown.add(Given(), ws, (), None)
    assert (shown.first, shown.origin) == (shown.current, Given())


def test_thumbnails_are_small_pictures(generator: Generator) -> None:
    shown = album(generator)
    assert Image.open(BytesIO(shown.current.thumbnail)).size == (32, 32)


def test_no_two_entries_ever_share_a_key(generator: Generator) -> None:
    shown, keys = album(generator), []
    for _ in range(3):
        add_seed(shown, generator, 1)
        keys += [shown.key(entry) for entry in shown.history.entries]
        shown.take_over(shown.history.entries[:1])
    assert len(set(keys)) == len(keys) == 6
    assert max(keys) < 2**53


def test_another_history_is_taken_over(generator: Generator) -> None:
    source, shown = album(generator), album(generator)
    add_seed(source, generator, 1)
    ws = sample(generator, 2, 0.7)
    edit = Edit(Wish("drag", {}, (PAIR,)), 3, ws)
    source.add(edit, ws, (PAIR,), np.eye(32, dtype=bool))
    shown.take_over(source.history.entries[1:])
    assert [entry.label for entry in shown.history.entries] == ["seed 1", "drag, 3 steps"]
    assert shown.current.ws.equal(ws)
    assert shown.current.points == (PAIR,)
    assert shown.current.mask is not None
    assert shown.current.mask.trace() == 32
    assert shown.still(shown.current) == source.still(source.current)
    recipe = shown.history.recipe("", "")
    assert (recipe.start, recipe.edits) == (Sampled(1, 0.7), (edit,))


def test_an_edit_whose_start_is_unknown_becomes_a_start(generator: Generator) -> None:
    shown, ws = album(generator), sample(generator, 2, 0.7)
    shown.add(Edit(Wish("drag", {}, (PAIR,)), 3, ws), ws, (PAIR,), None)
    shown.take_over(shown.history.entries[1:])
    assert (shown.origin, shown.history.recipe("", "").edits) == (Given(), ())
    assert shown.current.ws.equal(ws)


def test_a_picture_that_is_not_finite_is_refused(generator: Generator) -> None:
    shown = album(generator)
    before, still = shown.history.entries, shown.still(shown.current)
    huge = torch.full_like(shown.current.ws, 1e38)
    with pytest.raises(ValueError, match=r"picture .* not finite"):
        shown.add(Given(), huge, (), None)
    assert shown.history.entries == before
    assert shown.still(shown.current) is still


def test_a_history_is_taken_over_wholly_or_not_at_all(generator: Generator) -> None:
    shown, other = album(generator), album(generator)
    add_seed(shown, generator, 1)
    before, current = shown.history.entries, shown.still(shown.current)
    add_seed(other, generator, 2)
    bad = [*other.history.entries]
    bad[1].ws.fill_(1e38)
    with pytest.raises(ValueError, match="not finite"):
        shown.take_over(bad)
    assert shown.history.entries == before
    assert shown.still(shown.current) is current
