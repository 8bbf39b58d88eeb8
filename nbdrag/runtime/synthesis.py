"""Pictures of latents: whole ones when it is our turn, and glances of large ones, at once.

A large picture takes seconds. Its middle blocks have RGB of their own, which is the picture in
small, and that is there in a fraction of the time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbdrag.editing.drag_options import usual_block
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.turns import generator_lock

WHOLE_UP_TO = 256 * 256  # pixels; a glance lacks what the last blocks add, and here they are quick


class Unwanted(Exception):
    """Nobody wants the picture any more."""


def is_quick(generator: Generator) -> bool:
    """Whether whole pictures are there at once."""
    return generator.height * generator.width <= WHOLE_UP_TO


def glance(generator: Generator, ws: Tensor) -> Tensor:
    """The picture of a latent, as much of it as is there at once.

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]

    Returns
    -------
    Tensor, shape [3, H, W], or smaller in the same shape; nominally in [-1, 1]
        Whole if it is small, or its blocks have no RGB of their own.

    Raises
    ------
    ValueError
        If there is NaN or infinity in it.
    """
    block = usual_block(generator)
    if is_quick(generator) or not generator.config.has_rgb(block):
        block = generator.resolution
    with generator_lock(generator), torch.no_grad():
        return finite(generator.synthesis(ws[None], until=block).image[0], ws)


def whole(generator: Generator, ws: Tensor, unwanted: Callable[[], bool] | None = None) -> Tensor:
    """The whole picture of a latent, [3, H, W], nominally in [-1, 1].

    Raises
    ------
    Unwanted
        Soon after `unwanted` says so: within a layer, or while it waits for its turn and the
        generator's lock is woken.
    ValueError
        If there is NaN or infinity in it.
    """
    with _our_turn(generator, unwanted), torch.no_grad():
        return finite(generator.synthesis(ws[None]).image[0], ws)


def segmented(
    generator: Generator, ws: Tensor, unwanted: Callable[[], bool] | None = None
) -> tuple[Tensor, NDArray[np.uint8]]:
    """The whole picture of a latent, and the parts that it shows, [H, W].

    Raises as `whole` does, and ValueError if the generator has no segmenter.
    """
    with _our_turn(generator, unwanted), torch.no_grad():
        image, _, labels = generator.segment(ws[None])
        return finite(image[0], ws), labels[0].cpu().numpy()


@contextmanager
def _our_turn(generator: Generator, unwanted: Callable[[], bool] | None) -> Iterator[None]:
    lock = generator_lock(generator)
    if not lock.acquire(unless=unwanted or (lambda: False)):
        raise Unwanted
    try:
        with _interrupted(generator.synthesis, unwanted) if unwanted else nullcontext():
            yield
    finally:
        lock.release()


def finite(image: Tensor, ws: Tensor) -> Tensor:
    """The picture itself, if all of it can be shown."""
    if not image.isfinite().all():
        raise ValueError(
            f"the picture is not finite, though ws is, up to {ws.abs().max():g}; take a latent "
            "nearer to those that the generator samples, or load its weights anew."
        )
    return image


@contextmanager
def _interrupted(network: nn.Module, unwanted: Callable[[], bool]) -> Iterator[None]:
    """Let this thread's synthesis look before every layer whether it is still wanted."""
    here = threading.get_ident()

    def look(*_: object) -> None:
        if threading.get_ident() == here and unwanted():
            raise Unwanted

    hooks = [part.register_forward_pre_hook(look) for part in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
