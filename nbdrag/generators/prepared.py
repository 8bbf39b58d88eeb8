"""Layers made ready to run again and again for one picture, as a drag runs them.

From step to step of a drag only the first rows of ws change, and the weights never do. So whatever
depends on the rest is worked out once, before the first step:

- A layer whose row is *fixed* has constant styles s, and with them a constant demodulation. Both go
  into its weights, bias and noise into one map to be added, and what remains of the layer is

      rectifier(conv(x, w') + shift).

- A layer that is *steered*, its row may move, keeps the form it has in `layers`. Bias and noise
  have been added up, and so have the squares that demodulation needs.

Weights are laid out, and rounded to the type that is computed in, once. On a processor the large
convolutions are those of `winograd`.

Gradients flow to ws and to nothing else. And what a drag without a mask asks of them is the pull on
a few cells around each handle: the gradient of every feature map is zero but for a rectangle, which
grows by a few cells from layer to layer on the way back. So the way back looks for that rectangle
and computes nothing else. That is exact, since a linear layer takes zeros to zeros.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from nbdrag.generators.config import SMALLEST
from nbdrag.generators.layers import SLOPE, StyledConv, channels_last
from nbdrag.generators.winograd import TILE, seen_at_points, winograd_conv

if TYPE_CHECKING:
    from nbdrag.generators.stylegan2 import SynthesisNetwork

PreparedLayer: TypeAlias = Callable[[Tensor, Tensor, Any], Tensor]
"""Runs in place of a layer, with the same arguments: features, w, and noise, which it ignores."""

Layers: TypeAlias = Mapping[StyledConv, PreparedLayer]
"""Layers that aren't in it run as they are."""

LinearMap: TypeAlias = Callable[[Tensor], Tensor]
"""What it gives isn't to be written to."""

LinearMaps: TypeAlias = Callable[[StyledConv, Tensor], tuple[LinearMap, LinearMap]]
"""Of a layer and its weight, [O, C, 3, 3]: the convolution, and what takes gradients back."""


class Prepared(NamedTuple):
    """What `SynthesisNetwork.forward` takes to run prepared layers in place of its own.

    Attributes
    ----------
    layers : mapping of StyledConv to PreparedLayer
    dtype : torch.dtype
        What they compute in.
    """

    layers: Layers
    dtype: torch.dtype


def prepare(
    network: SynthesisNetwork,
    ws: Tensor,
    *,
    movable: int,
    until: int | None = None,
    dtype: torch.dtype | None = None,
    maps: LinearMaps | None = None,
) -> Prepared:
    """Make a network ready for ws of which only the first rows change.

    Takes about as long as two syntheses, and is good as long as the weights stay what they are.

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]
    movable : int
        So many first rows may change from synthesis to synthesis; the others stay as they are here.
    until : int, optional
        Resolution of the last block to prepare. Default: all.
    dtype : torch.dtype, optional
        What convolutions compute in. Default: as the network does.
    maps : LinearMaps, optional
        What computes convolutions of features in `dtype`. Default: `linear_maps`.

    Returns
    -------
    Prepared
        For learned noise, and for one picture or several that share the rows that are fixed.
    """
    config = network.config
    ws = ws.detach().to(network.b4.const.dtype)
    dtype = dtype or network.dtype or ws.dtype
    maps = maps or partial(linear_maps, dtype=dtype)
    if ws.device.type == "cpu":
        keep_freed_memory()
    layers: dict[StyledConv, PreparedLayer] = {}
    for resolution in config.block_resolutions:
        if until is not None and resolution > until:
            break
        block = getattr(network, f"b{resolution}")
        for layer in (block.conv1,) if resolution == SMALLEST else (block.conv0, block.conv1):
            row = len(layers)
            layers[layer] = (
                steered(layer, maps, dtype) if row < movable else fixed(layer, ws[row], maps, dtype)
            )
    return Prepared(layers, dtype)


def steered(layer: StyledConv, maps: LinearMaps, dtype: torch.dtype) -> PreparedLayer:
    """Prepare a layer whose row of ws may change from call to call."""
    weight = layer.weight.detach()
    forwards, backwards = maps(layer, weight)
    squared = weight.square().sum(dim=(2, 3)).T.contiguous()
    shift = shift_of(layer).to(dtype)

    def run(x: Tensor, w: Tensor, noise: Any) -> Tensor:
        styles = layer.affine(w)
        x = x * styles.to(dtype)[:, :, None, None]
        x = Linear.apply(x, forwards, backwards)  # type: ignore[no-untyped-call]
        scale = (styles.square() @ squared + 1e-8).rsqrt() * layer.gain
        x = torch.addcmul(shift, x, scale.to(dtype)[:, :, None, None])
        x = functional.leaky_relu_(x, SLOPE)
        return x if layer.clamp is None else x.clamp(-layer.clamp, layer.clamp)

    return run


def fixed(layer: StyledConv, w: Tensor, maps: LinearMaps, dtype: torch.dtype) -> PreparedLayer:
    """Prepare a layer whose row of ws is w, [w_dim], in every call."""
    with torch.no_grad():
        styles = layer.affine(w[None])[0]
        weight = layer.weight * styles[:, None, None]
        norm = (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        forwards, backwards = maps(layer, weight * (layer.gain / norm))
    shift = shift_of(layer).to(dtype)

    def run(x: Tensor, w: Tensor, noise: Any) -> Tensor:
        arguments = x, forwards, backwards, shift, layer.clamp
        y: Tensor = Rectified.apply(*arguments)  # type: ignore[no-untyped-call]
        return y

    return run


def shift_of(layer: StyledConv) -> Tensor:
    """Bias and noise of a layer, times its gain: [1, O, h, h'], or without noise [1, O, 1, 1]."""
    shift = layer.bias.detach()[:, None, None]
    if layer.noise_strength != 0:
        shift = shift + layer.noise_const * layer.noise_strength.detach()
    return channels_last(shift[None] * layer.gain)


def keep_freed_memory() -> None:
    """Have the process keep the memory of feature maps from step to step.

    What a program gives back, the C library (glibc) returns to the system: every block that is
    large, and whatever more lies idle at the end. Memory fetched anew costs a page fault for every
    4 KiB, up to an eighth of a step. Other C libraries don't know the setting, nor need it.
    """
    with suppress(AttributeError, TypeError):  # no such function; no library by that name
        set_malloc_option = ctypes.CDLL(None).mallopt
        set_malloc_option(M_MMAP_THRESHOLD, 2**25)  # the most it takes
        set_malloc_option(M_TRIM_THRESHOLD, 2**27)


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in malloc.h


# ------------------------------------------------------------------ convolutions and their adjoints


def linear_maps(
    layer: StyledConv, weight: Tensor, *, dtype: torch.dtype
) -> tuple[LinearMap, LinearMap]:
    """The convolution of a layer with `weight`, [O, C, 3, 3], and what takes gradients back."""
    if layer.upsamples:
        return upsampling_maps(weight.to(dtype), layer.resample_filter.to(dtype))
    reverse = weight.transpose(0, 1).flip(2, 3)
    if winograd_pays(layer):
        there, back = seen_at_points(weight, dtype), seen_at_points(reverse, dtype)
        return lambda x: winograd_conv(x, there), lambda g: winograd_conv(g, back)
    there, back = channels_last(weight.to(dtype)), channels_last(reverse.to(dtype))
    return (
        lambda x: functional.conv2d(x, there, padding=1),
        lambda g: functional.conv2d(g, back, padding=1),
    )


def upsampling_maps(weight: Tensor, taps: Tensor) -> tuple[LinearMap, LinearMap]:
    """`layers.upsampling_conv`, and what takes gradients back."""
    channels = len(weight)
    weight = channels_last(weight.transpose(0, 1))
    kernel = (4 * taps).expand(channels, 1, 4, 4).contiguous()
    reverse = kernel.flip(2, 3)

    def there(x: Tensor) -> Tensor:
        x = functional.conv_transpose2d(x, weight, stride=2)
        return functional.conv2d(x, kernel, padding=1, groups=channels)

    def back(g: Tensor) -> Tensor:
        g = functional.conv2d(g, reverse, padding=2, groups=channels)
        return functional.conv2d(g, weight, stride=2)

    return there, back


def winograd_pays(layer: StyledConv) -> bool:
    """Whether a 3x3 convolution is faster by `winograd`: measured, on two kinds of processor."""
    height, width = layer.noise_const.shape
    is_large = height * width >= 1024 and min(layer.weight.shape[:2]) >= 128
    return is_large and not (height % TILE or width % TILE) and layer.weight.device.type == "cpu"


class Linear(torch.autograd.Function):
    """A linear map of feature maps, and its adjoint on the way back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, forwards: LinearMap, backwards: LinearMap) -> Tensor:
        """Apply `forwards` to [N, C, h, h']."""
        ctx.backwards = backwards
        return forwards(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Apply `backwards` where the gradient isn't zero."""
        return where_nonzero(ctx.backwards, *gradients), None, None


class Rectified(torch.autograd.Function):
    """A linear map, a shift, the leaky rectifier, perhaps a clamp. Keeps nothing but its output."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        forwards: LinearMap,
        backwards: LinearMap,
        shift: Tensor,
        clamp: float | None,
    ) -> Tensor:
        """Map features [N, C, h, h']."""
        y = functional.leaky_relu_(forwards(x) + shift, SLOPE)
        if clamp is not None:
            y = y.clamp_(-clamp, clamp)
        ctx.backwards, ctx.clamp = backwards, clamp
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Go back where the gradient isn't zero."""
        (y,) = ctx.saved_tensors

        def back(g: Tensor, y: Tensor) -> Tensor:
            g = torch.ops.aten.leaky_relu_backward(g, y, SLOPE, self_is_result=True)
            if ctx.clamp is not None:
                g = g * (y.abs() < ctx.clamp)
            x: Tensor = ctx.backwards(g)
            return x

        return where_nonzero(back, *gradients, y), None, None, None, None


# ---------------------------------------------------------------------------- where gradients are


REACH = 3  # cells: so far beyond a gradient that isn't zero, on its own grid, a layer carries it
GRID = 4  # pieces begin and end on it, so that they can be halved or tiled


def where_nonzero(back: Callable[..., Tensor], gradient: Tensor, *others: Tensor) -> Tensor:
    """Apply `back` to a gradient [N, C, h, h'], and what belongs to it, where it isn't zero.

    The result has the gradient's size or half of it. On a GPU the whole is done at once: there it
    is cheap, and to ask where something is zero keeps the GPU waiting.
    """
    height, width = gradient.shape[2:]
    if gradient.device.type != "cpu" or height * width < 1024:
        return back(gradient, *others)
    for some in (gradient[:, :1], gradient):  # with a mask, one channel tells already
        # Without its absolute value, which would have to be stored.
        largest = torch.maximum(some.amax(dim=(0, 1)), some.amin(dim=(0, 1)).neg())
        rows, columns = extent(largest.amax(1)), extent(largest.amax(0))
        if (rows.stop - rows.start) * (columns.stop - columns.start) > height * width / 2:
            return back(gradient, *others)
    piece = back(*(each[:, :, rows, columns] for each in (gradient, *others)))
    n, channels, piece_height, _ = piece.shape
    shrunk = (rows.stop - rows.start) // piece_height
    whole = piece.new_zeros(n, height // shrunk, width // shrunk, channels).permute(0, 3, 1, 2)
    rows, columns = (slice(each.start // shrunk, each.stop // shrunk) for each in (rows, columns))
    whole[:, :, rows, columns] = piece
    return whole


def extent(strength: Tensor) -> slice:
    """From the first to the last of [h] numbers that isn't zero, with all it reaches."""
    (places,) = strength.nonzero(as_tuple=True)
    if not len(places):
        return slice(0, GRID)
    start, stop = int(places[0]) - REACH, int(places[-1]) + 1 + REACH
    return slice(max(0, start // GRID * GRID), min(len(strength), -(-stop // GRID) * GRID))
