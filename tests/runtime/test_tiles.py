import io
import math
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime import pictures
from nbdrag.runtime.tiles import VIEWS, Tile, TilePictures, TileStream, tile_block
from tests.runtime.batch_of_tiles import a_direction, latents

LONG = 30  # seconds; only a failing test waits that long


class Pages:
    """A stream whose tiles show a number, and the pages that they arrive at."""

    def __init__(self, at_once: int = 4) -> None:
        self.value = 0.0
        self.now = 100.0
        self.arrived: list[tuple[int, list[Tile], list[bytes]]] = []
        self.made: list[Tile] = []
        self.errors: list[Exception] = []
        self.broken = False
        self.stream = TileStream(
            self.wanted,
            self.make,
            lambda seq, tiles, data: self.arrived.append((seq, list(tiles), data)),
            at_once=at_once,
            on_error=self.errors.append,
            clock=lambda: self.now,
        )

    def wanted(self, item: int) -> tuple[Tile, Tile]:
        return Tile(item, False), Tile(item, True, None, self.value)

    def make(self, tiles: list[Tile]) -> list[bytes]:
        if self.broken:
            raise MemoryError("too little")
        self.made += tiles
        return [b"x" for _ in tiles]

    def move(self, value: float) -> None:
        self.value = value
        self.stream.change()

    def pump(self, ack: bool = True) -> list[Tile]:
        """All that goes now."""
        begin = len(self.arrived)
        while self.stream.pump() == 0.0:
            if ack:
                self.stream.ack(self.arrived[-1][0])
        return [tile for _, tiles, _ in self.arrived[begin:] for tile in tiles]


def test_only_what_is_in_sight_is_made_and_only_once() -> None:
    pages = Pages()
    assert pages.pump() == []
    pages.stream.look(1, [5, 2])
    assert pages.pump() == [
        Tile(5, False),
        Tile(5, True),
        Tile(2, False),
        Tile(2, True),
    ]
    assert pages.pump() == []
    assert pages.stream.pump() == math.inf
    pages.stream.look(1, [2, 3])
    assert [tile.item for tile in pages.pump()] == [3, 3]


def test_a_move_makes_the_edited_ones_anew_and_no_others() -> None:
    pages = Pages()
    pages.stream.look(1, [0, 1])
    pages.pump()
    pages.move(0.5)
    assert pages.pump() == [Tile(0, True, None, 0.5), Tile(1, True, None, 0.5)]


def test_what_is_made_is_always_the_newest_and_all_tiles_follow_a_slider_that_never_rests() -> None:
    pages = Pages(at_once=4)
    pages.stream.look(1, list(range(10)))
    pages.pump()
    pages.made.clear()
    for step in range(1, 31):
        pages.move(step / 10)
        assert pages.stream.pump() == 0.0
        pages.stream.ack(pages.arrived[-1][0])
        assert {tile.alpha for tile in pages.arrived[-1][1]} == {step / 10}
    times = np.bincount([tile.item for tile in pages.made], minlength=10)
    assert times.sum() == 120
    assert times.min() >= 0.8 * times.mean()


def test_what_was_never_seen_comes_before_what_has_changed() -> None:
    pages = Pages()
    pages.stream.look(1, [0, 1])
    pages.pump()
    pages.move(1.0)
    pages.stream.look(1, [0, 1, 2])
    assert [tile.item for tile in pages.pump()] == [2, 2, 0, 1]


def test_a_view_that_looks_away_is_sent_all_again_when_it_comes_back() -> None:
    pages = Pages()
    pages.stream.look(1, [0])
    pages.pump()
    pages.stream.look(1, [])
    pages.move(2.0)
    assert pages.pump() == []
    pages.stream.look(1, [0])
    assert pages.pump() == [Tile(0, False), Tile(0, True, None, 2.0)]


def test_two_views_of_one_page_are_served_once_and_a_new_page_has_all() -> None:
    pages = Pages()
    pages.stream.look(1, [0, 1])
    pages.stream.look(2, [1, 2])
    assert sorted({tile.item for tile in pages.pump()}) == [0, 1, 2]
    assert len(pages.made) == 6
    assert sorted(pages.stream.in_sight) == [0, 1, 2]
    pages.stream.forget()
    assert pages.pump() == []
    pages.stream.look(3, [1])
    assert len(pages.pump()) == 2


def test_views_that_nobody_took_away_are_forgotten_in_time() -> None:
    pages = Pages()
    for view in range(VIEWS + 3):
        pages.stream.look(view, [view])
    assert pages.stream.in_sight == tuple(range(3, VIEWS + 3))


def test_a_page_that_falls_silent_is_not_flooded() -> None:
    pages = Pages(at_once=1)
    pages.stream.look(1, list(range(40)))
    assert len(pages.pump(ack=False)) == 8
    delay = pages.stream.pump()
    assert 0 < delay <= 0.25
    pages.stream.ack(8)
    assert pages.stream.pump() == 0.0


def test_an_error_is_told_and_its_tiles_are_empty_and_not_tried_again() -> None:
    pages = Pages()
    pages.broken = True
    pages.stream.look(1, [0])
    pages.pump()
    assert [data for _, _, data in pages.arrived] == [[b"", b""]]
    assert [str(error) for error in pages.errors] == ["too little"]
    pages.broken = False
    pages.move(1.0)
    assert pages.pump() == [Tile(0, True, None, 1.0)]


def test_the_thread_does_the_same_and_ends() -> None:
    pages = Pages()
    arrived = threading.Event()
    send = pages.stream._send
    pages.stream._send = lambda *sent: (send(*sent), arrived.set())  # type: ignore[assignment]
    pages.stream.start()
    pages.stream.look(1, [3])
    assert arrived.wait(LONG)
    assert [tile.item for tile in pages.arrived[0][1]] == [3, 3]
    pages.stream.close()
    assert pages.stream._thread is not None
    pages.stream._thread.join(LONG)
    assert not pages.stream._thread.is_alive()
    pages.stream.look(1, [4])
    assert len(pages.arrived) == 1


# ------------------------------------------------------------------------------------ the pictures


def decoded(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=float)


def test_pictures_are_those_of_the_edited_latents(generator: Generator) -> None:
    direction, ws = a_direction(generator), latents(generator)
    made = TilePictures(generator, lambda tile: ws[tile.item])
    tiles = [Tile(2, False), Tile(2, True, direction, 1.5), Tile(0, True, direction, -0.5)]
    with torch.no_grad():
        edited = [
            ws[2],
            ws[2] + 1.5 * direction.normal,
            ws[0] - 0.5 * direction.normal,
        ]
        images = generator.synthesis(torch.stack(edited)).image
    for data, image in zip(made.encoded(tiles), images, strict=True):
        expected = decoded(pictures.jpeg(pictures.to_pil(image)))
        assert abs(decoded(data) - expected).mean() < 0.1
    assert made.encoded(tiles[:1]) == made.encoded(tiles)[:1]


def test_what_is_kept_is_not_made_again(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    ws = latents(generator)
    made = TilePictures(generator, lambda tile: ws[tile.item])
    first = made.encoded([Tile(0, False), Tile(1, False)])

    def refuse(*_: object) -> None:
        raise AssertionError("made again")

    monkeypatch.setattr(made, "_made", refuse)
    assert made.encoded([Tile(1, False), Tile(0, False)]) == first[::-1]


def test_a_picture_that_is_not_finite_is_left_empty(generator: Generator) -> None:
    ws = latents(generator)
    ws[1] = 3e38
    made = TilePictures(generator, lambda tile: ws[tile.item])
    good, bad = made.encoded([Tile(0, False), Tile(1, False)])
    assert good.startswith(b"\xff\xd8")
    assert bad == b""


def test_large_generators_make_small_pictures_in_a_middle_block() -> None:
    def block(**changes: object) -> int | None:
        config = StyleGAN2Config(  # type: ignore[arg-type]
            **{"resolution": 256, "z_dim": 4, "w_dim": 4, "mapping_layers": 1, **changes},
            channel_base=256,
        )
        return tile_block(Generator(config))

    assert block() == 128
    assert block(resolution=128) is None
    assert block(architecture="resnet") is None
