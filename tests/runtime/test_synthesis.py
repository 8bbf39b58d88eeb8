import threading

import pytest
import torch

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime import synthesis
from nbdrag.runtime.synthesis import Unwanted, glance, is_quick, whole
from nbdrag.runtime.turns import generator_lock
from nbdrag.runtime.wishes import sample

LONG = 30  # seconds; only a failing test waits that long


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """From 32 pixels on, pictures count as large ones."""
    monkeypatch.setattr(synthesis, "WHOLE_UP_TO", 31 * 31)


def test_small_pictures_are_whole_at_a_glance(generator: Generator) -> None:
    ws = sample(generator, 1, 0.7)
    assert is_quick(generator)
    assert torch.equal(glance(generator, ws), whole(generator, ws))
    assert torch.equal(whole(generator, ws), generator.synthesis(ws[None]).image[0])


@pytest.mark.usefixtures("large")
def test_of_large_ones_a_block_below_is(generator: Generator) -> None:
    ws = sample(generator, 1, 0.7)
    assert not is_quick(generator)
    expected = generator.synthesis(ws[None], until=16).image[0]
    assert torch.equal(glance(generator, ws), expected)
    assert whole(generator, ws).shape == (3, 32, 32)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_blocks_without_rgb_give_no_glance(architecture) -> None:
    config = StyleGAN2Config(32, 8, 8, mapping_layers=1, channel_base=64, architecture=architecture)
    generator = Generator(config).requires_grad_(False)
    ws = sample(generator, 1, 0.7)
    assert torch.equal(glance(generator, ws), whole(generator, ws))


def test_what_is_not_finite_is_refused() -> None:
    generator = Generator(StyleGAN2Config(8, 4, 4, mapping_layers=1, channel_base=32))
    generator.requires_grad_(False).synthesis.b8.torgb.bias.fill_(torch.nan)
    ws = sample(generator, 1, 0.7)
    for see in (glance, whole):
        with pytest.raises(ValueError, match="the picture is not finite, though ws is"):
            see(generator, ws)


def test_it_is_given_up_within_a_layer(generator: Generator) -> None:
    """And leaves nothing behind: neither the lock, nor what looked."""
    ws, looks = sample(generator, 1, 0.7), iter(range(100))

    def after_five_looks() -> bool:
        return next(looks) >= 5

    with pytest.raises(Unwanted):
        whole(generator, ws, after_five_looks)
    assert next(looks) < 10
    assert generator_lock(generator).acquire()
    generator_lock(generator).release()
    assert not any(part._forward_pre_hooks for part in generator.synthesis.modules())
    assert torch.equal(whole(generator, ws, lambda: False), whole(generator, ws))


def test_another_threads_synthesis_is_not_given_up_with_it(generator: Generator) -> None:
    ws, found = sample(generator, 1, 0.7), []
    reached, go_on = threading.Event(), threading.Event()

    def unwanted() -> bool:
        if reached.is_set():
            return True
        if any(part._forward_pre_hooks for part in generator.synthesis.modules()):
            reached.set()
            assert go_on.wait(LONG)
        return False

    def give_up() -> None:
        with pytest.raises(Unwanted):
            whole(generator, ws, unwanted)

    other = threading.Thread(target=give_up)
    other.start()
    assert reached.wait(LONG)
    found.append(generator.synthesis(ws[None]).image)  # without asking for its turn
    go_on.set()
    other.join(LONG)
    assert torch.equal(found[0][0], whole(generator, ws))


def test_who_waits_for_a_turn_can_be_told_not_to(generator: Generator) -> None:
    ws, lock, moved = sample(generator, 1, 0.7), generator_lock(generator), threading.Event()
    ended = []

    def wait() -> None:
        with pytest.raises(Unwanted):
            whole(generator, ws, moved.is_set)
        ended.append(True)

    with lock:
        other = threading.Thread(target=wait)
        other.start()
        moved.set()
        lock.wake()
        other.join(LONG)
    assert ended == [True]
