"""Which type of numbers an edit computes in.

In bfloat16 a number has 8 significant bits instead of 24. Processors that know the type multiply
twice to sixteen times as many of them in a second, and half as much memory moves; others, that
have to imitate it, are slower with it. So the processor is asked, once, by timing it.

What is rounded so are the changes of features from step to step, the weights that they meet, and
gradients of features; see `nbdrag.generators.increments`. The features themselves, the latent, the
loss and the optimiser keep the precision of the generator, as does every picture at rest.
"""

from __future__ import annotations

import functools
import time

import torch
from torch.nn.functional import conv2d

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.stylegan2 import Generator

LARGE = 5e9  # multiplications a picture, some 50 ms in float32; below there is little to gain


def computing_type(generator: Generator, block: int, precision: str) -> torch.dtype:
    """The type in which to compute features up to a block.

    Parameters
    ----------
    precision : "auto", "float32" or "bfloat16"
        "float32" stands for the type of the generator's weights, "auto" for bfloat16 if the
        generator is large and its device faster in it.
    """
    if precision == "auto":
        precision = settled(generator, block)
    return torch.bfloat16 if precision == "bfloat16" else generator.w_avg.dtype


def settled(generator: Generator, block: int) -> str:
    """What "auto" stands for here; of a small generator, whose device doesn't matter, "auto"."""
    is_large = multiplications(generator.config, block) >= LARGE
    if not is_large or generator.w_avg.dtype != torch.float32:
        return "auto"
    return "bfloat16" if bfloat16_is_fast(generator.w_avg.device) else "float32"


def multiplications(config: StyleGAN2Config, block: int) -> int:
    """How many the convolutions up to a block take."""
    count = 0
    for resolution in config.block_resolutions:
        if resolution > block:
            break
        channels, pixels = config.channels(resolution), resolution * config.width_at(resolution)
        count += 9 * channels**2 * pixels
        if resolution > 4:  # one more, computed at half the size
            count += 9 * channels * config.channels(resolution // 2) * pixels // 4
    return count


@functools.cache
def bfloat16_is_fast(device: torch.device) -> bool:
    """Time a convolution in bfloat16 and in float32; takes some 20 ms, the first time."""
    return seconds(torch.bfloat16, device) < 0.75 * seconds(torch.float32, device)


def seconds(dtype: torch.dtype, device: torch.device) -> float:
    """The least time a convolution of middling size takes."""
    x = torch.ones(1, 256, 32, 32, dtype=dtype, device=device)
    weight = torch.ones(256, 256, 3, 3, dtype=dtype, device=device)
    x, weight = (each.contiguous(memory_format=torch.channels_last) for each in (x, weight))
    least = float("inf")
    with torch.no_grad():
        for _ in range(4):  # the first prepares
            began = time.perf_counter()
            conv2d(x, weight, padding=1).sum().item()  # waits until a GPU is done
            least = min(least, time.perf_counter() - began)
            if least > 0.5:  # imitated, and slowly
                break
    return least
