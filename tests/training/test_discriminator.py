"""The critic takes any size, grows without forgetting, and has gradients of gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from nbdrag.training.discriminator import Discriminator, minibatch_deviation


def small(resolution: int = 32) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(resolution, channel_base=128, channel_max=8)


@pytest.mark.parametrize("size", [8, 16, 32, 64, 128])
def test_accepts_every_size(size: int) -> None:
    logits = small(128)(torch.randn(4, 3, size, size))
    assert logits.shape == (4,)
    assert logits.isfinite().all()


@pytest.mark.parametrize("shape", [(2, 3, 64, 64), (2, 3, 4, 4), (2, 1, 16, 16), (2, 3, 16, 32)])
def test_says_which_sizes_it_accepts(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"images has shape .* r one of \[32, 16, 8\]"):
        small(32)(torch.zeros(shape))


@pytest.mark.parametrize("resolution", [4, 24])
def test_refuses_resolutions_that_cannot_be_halved_down(resolution: int) -> None:
    with pytest.raises(ValueError, match=f"resolution is {resolution}"):
        Discriminator(resolution)


def test_growing_changes_nothing_at_first() -> None:
    """A joining block is silent: the large picture is judged as its halved self, plus one 1x1."""
    critic = small(32)
    critic.quieten_above(16)
    large = torch.randn(4, 3, 32, 32)
    halved = torch.nn.functional.avg_pool2d(large, 2)
    torch.testing.assert_close(critic(large), critic(halved))


def test_a_quiet_block_wakes_up() -> None:
    critic = small(32)
    critic.quieten_above(16)
    critic(torch.randn(4, 3, 32, 32)).sum().backward()
    gradient = critic.get_parameter("blocks.32.conv1.weight").grad
    assert gradient is not None
    assert gradient.abs().max() > 0


def test_bfloat16_agrees_with_float32() -> None:
    critic = small(32)
    images = torch.randn(4, 3, 32, 32)
    exact, rough = critic(images), critic(images, dtype=torch.bfloat16)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, exact, atol=0.1, rtol=0.1)


def test_signals_keep_their_size_at_initialisation() -> None:
    """Gains make up for rectifiers: features neither explode nor die on their way down."""
    torch.manual_seed(0)
    critic = Discriminator(128, channel_base=2048, channel_max=64)
    sizes: list[float] = []

    def note(_module: object, _inputs: object, output: Tensor) -> None:
        sizes.append(output.square().mean().sqrt().item())

    for block in critic.blocks.values():
        block.register_forward_hook(note)
    critic(torch.randn(4, 3, 128, 128))
    assert len(sizes) == 5
    assert all(0.3 < size < 5 for size in sizes)


def test_minibatch_deviation_is_that_of_each_group() -> None:
    x = torch.randn(8, 5, 4, 4)
    deviation = minibatch_deviation(x, 4)
    assert deviation.shape == (8, 1, 4, 4)
    for group in range(2):
        members = x[group::2]
        expected = members.std(0, unbiased=False).mean()
        torch.testing.assert_close(
            deviation[group::2], expected.expand(4, 1, 4, 4), rtol=1e-5, atol=1e-5
        )


def test_minibatch_deviation_of_look_alikes_is_nothing() -> None:
    x = torch.randn(1, 5, 4, 4).expand(4, -1, -1, -1)
    assert minibatch_deviation(x, 4).max() < 1e-3


def test_minibatch_deviation_takes_batches_that_groups_do_not_divide() -> None:
    assert minibatch_deviation(torch.randn(6, 2, 4, 4), 4).shape == (6, 1, 4, 4)
    assert minibatch_deviation(torch.randn(1, 2, 4, 4), 4).shape == (1, 1, 4, 4)
