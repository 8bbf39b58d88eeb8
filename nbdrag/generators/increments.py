"""Convolutions that round only what changed since the last picture.

bfloat16 keeps 8 significant bits, and is fast. To compute a picture's features in it costs about
one percent of them. But from step to step of a drag the picture hardly changes, and a convolution
is linear:

    conv(x') = conv(x) + conv(x' - x).

So the sum so far, conv(x), is kept in float32, and only the increment is rounded and convolved in
bfloat16. An error of one percent of a step is then one of some hundredths of a percent of the
features. The first sum is computed without rounding. Nothing is lost with time, since the inputs'
differences add up to the inputs; the errors of many steps do add up, to a small part of what the
features have changed in all.

What lies between the convolutions (styles, demodulation, noise, rectifier) is float32 as well. It
moves more memory, and no more multiplications.

The way back is computed in bfloat16: a gradient begins anew in every step, and its error of one
percent stays one.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

from nbdrag.generators.layers import StyledConv, upsampling_conv
from nbdrag.generators.prepared import LinearMap, Prepared, linear_maps, prepare

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import SynthesisNetwork


def prepare_increments(
    network: SynthesisNetwork,
    ws: Tensor,
    *,
    movable: int,
    until: int | None = None,
    dtype: torch.dtype,
) -> Prepared:
    """Make a network ready for pictures that each differ little from the one before.

    Parameters
    ----------
    ws, movable, until
        As for `prepare`.
    dtype : torch.dtype
        What increments are convolved in. Features, and gradients of them, keep the type of the
        network's weights.

    Returns
    -------
    Prepared
        For one trajectory: it remembers the last picture's features, as much memory as two sets of
        them take. Gradients of a picture are to be taken before the next is made.
    """
    maps = partial(increment_maps, dtype=dtype)
    full = network.b4.const.dtype
    return prepare(network, ws, movable=movable, until=until, dtype=full, maps=maps)


def increment_maps(
    layer: StyledConv, weight: Tensor, *, dtype: torch.dtype
) -> tuple[LinearMap, LinearMap]:
    """The convolution of a layer with `weight`, following its input, and what takes gradients back.

    Both take and give the type of `weight`.
    """
    there, back = linear_maps(layer, weight, dtype=dtype)

    def back_in_full(g: Tensor) -> Tensor:
        return back(g.to(dtype)).to(g.dtype)

    return following(partial(exactly, layer, weight), there, dtype), back_in_full


def following(exact: LinearMap, rough: LinearMap, dtype: torch.dtype) -> LinearMap:
    """Apply a linear map exactly the first time, and from then on to increments in `dtype`."""
    first: LinearMap | None = exact
    seen: Tensor
    total: Tensor

    def follow(x: Tensor) -> Tensor:
        nonlocal first, seen, total
        if first is not None:
            total, first = first(x), None  # its weights aren't needed again
        else:
            # (To subtract straight into a bfloat16 tensor would take ten times as long.)
            total += rough((x - seen).to(dtype))
        seen = x.detach()
        return total.detach()

    return follow


def exactly(layer: StyledConv, weight: Tensor, x: Tensor) -> Tensor:
    """The convolution of a layer with `weight`, as it is written."""
    if layer.upsamples:
        return upsampling_conv(x, weight, layer.resample_filter)
    return functional.conv2d(x, weight, padding=1)
