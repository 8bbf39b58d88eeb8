"""DragGAN: move handle points of a generated picture to target points.

A generator's middle features say what is where: the tip of a nose has its own feature, wherever
the nose is. That serves twice in every iteration.

*Motion supervision* (Eq. 1). Around each handle p lies a small patch of pixels q, and d is the
unit vector from p towards its target t. The loss

    sum over q of |F(q + d) - F(q)|_1,    F(q) held constant,

is zero if the picture one pixel further already looks as the patch does here. Its gradient is
taken with respect to the latent, which thus moves the patch a little towards t. With a mask,
the features where the picture may not move are held to what they were at first, F0:

    mask_weight * (pixels of a patch) / (pixels of the picture) * sum outside of |F - F0|_1.

(Eq. 1 has no such ratio. But 20, the paper's weight, is meant for means, which its authors'
program takes in both terms; against sums over thousands of pixels nothing could move at all.)

*Point tracking* (Eq. 2). How far the patch got is not known in advance. So the handle is found
again: it is where, in a small window, the new features are nearest to F0 at the first handle.

    p := argmin over q in the window of |F(q) - F0(p0)|_1

F is the output of one block of the generator, thought of as resized to the picture; see
`nbdrag.editing.features` for how it is read without doing so. Synthesis stops at that block, and
each forward pass serves twice: to track after one update and to compute the next.

References
----------
Pan et al., Drag Your GAN: Interactive Point-based Manipulation on the Generative Image Manifold,
SIGGRAPH 2023, Sec. 3.2-3.4. arXiv:2305.10973
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nbdrag.editing.adam import Adam
from nbdrag.editing.autograd import gradients
from nbdrag.editing.drag_options import DragOptions, feature_block, tolerance
from nbdrag.editing.features import Size, sample, sampling_weight
from nbdrag.editing.inputs import Array, check_mask, check_pairs, check_ws
from nbdrag.editing.precision import computing_type
from nbdrag.editing.step import EditDiverged, Step
from nbdrag.generators.increments import prepare_increments
from nbdrag.generators.prepared import prepare
from nbdrag.generators.stylegan2 import Generator, Synthesis, SynthesisNetwork


@dataclass(frozen=True, eq=False)
class DragStep(Step):
    """State of a drag after an update.

    Attributes
    ----------
    points : Tensor, shape [P, 2]
        The tracked handles, (x, y) in pixels of the picture.
    targets : Tensor, shape [P, 2]
        Where they are to go.
    distances : Tensor, shape [P]
        How far they still are, in pixels.
    preview : Tensor, shape [3, h, w]
        The picture of `ws` as far as the feature block, nominally in [-1, 1]; the whole picture
        if that is the last block. (Empty, [0, h, w], where blocks have no RGB of their own.)
    """

    points: Tensor
    targets: Tensor
    distances: Tensor
    preview: Tensor


def drag(
    generator: Generator,
    ws: Tensor,
    handles: Array,
    targets: Array,
    mask: Array | None = None,
    options: DragOptions | None = None,
) -> Iterator[DragStep]:
    """Move handle points to target points on the image manifold (DragGAN).

    Alternates motion supervision (Eq. 1) and point tracking (Eq. 2) until every handle is within
    the tolerance of its target, or the step limit is reached.

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from; only its first `options.movable_layers` rows change.
    handles, targets : array_like, shape [P, 2]
        Positions (x, y) in pixels of the picture, pixel centres at +0.5: x from 0 to W, y to H.
    mask : bool array_like, shape [H, W], optional
        True where the picture may move. Default: everywhere.
    options : DragOptions, optional
        Default: `DragOptions.for_generator(generator)`.

    Yields
    ------
    DragStep
        One after each update; a single one, of index 0, if every handle has arrived already.

    Raises
    ------
    ValueError
        At once, if ws has another shape or type or isn't finite, a point lies outside the
        picture, the numbers of handles and targets differ, the mask has another shape or is False
        everywhere, or an option doesn't fit the generator.
    EditDiverged
        From a step, if loss or picture are no longer finite. Earlier steps remain good.

    References
    ----------
    Pan et al., Drag Your GAN, SIGGRAPH 2023, Sec. 3.2-3.4.
    """
    options = DragOptions.for_generator(generator) if options is None else options
    if not isinstance(options, DragOptions):
        raise ValueError(
            f"options is a {type(options).__name__}; expected DragOptions. Those that suit the "
            "generator, but for some: DragOptions.for_generator(generator).updated({...})."
        )
    block = feature_block(generator, options)
    start = check_ws(generator, ws)
    size = (generator.height, generator.width)
    checked_handles, checked_targets = check_pairs(handles, targets, size, like=start)
    outside = None if mask is None else 1 - check_mask(mask, size, like=start)
    # From here on it is an iterator, whose body first runs at the first `next`.
    beginning = Beginning(start, checked_handles, checked_handles)
    return iterate(generator, beginning, checked_targets, outside, block, options)


class Beginning(NamedTuple):
    """Where a drag begins: at its origin, or further on, where another method has led to.

    Attributes
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from.
    points : Tensor, shape [P, 2]
        Where the handles are in the picture of `ws`.
    handles : Tensor, shape [P, 2]
        Where they were put.
    first : Tensor, shape [C, h, w], optional
        F0, of the picture that they were put in. Default: that of `ws`.
    """

    ws: Tensor
    points: Tensor
    handles: Tensor
    first: Tensor | None = None


def iterate(
    generator: Generator,
    beginning: Beginning,
    targets: Tensor,
    outside: Tensor | None,
    block: int,
    options: DragOptions,
    adam: Adam | None = None,
) -> Iterator[DragStep]:
    """Do what `drag` says, of arguments that are checked; 1 in `outside` is where nothing moves.

    `adam` is a fresh one that makes the steps; by default it goes at the options' learning rate.
    """
    start, points, handles, first = beginning
    size, layers = (generator.height, generator.width), options.movable_layers
    near = tolerance(generator, options, len(points))
    patch, window = disc(options.patch_radius), square(options.search_radius)
    adam = adam or Adam(options.learning_rate)

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        ws = torch.cat([start[:layers] + offset, start[layers:]])
        image, features = synthesis(ws[None])
        return ws.detach(), image[0].detach(), features[block].squeeze(0)

    def step(index: int, loss: float) -> DragStep:
        distances = (targets - points).norm(dim=1)
        done = bool((distances <= near).all())
        return DragStep(ws, index, loss, done, points, targets, distances, preview)

    with gradients():
        synthesis = _synthesis(generator, start, block, options)
        # In W+ every movable row has an offset of its own, in W all rows share one.
        rows = 1 if options.space == "w" else layers
        offset = start.new_zeros(rows, generator.w_dim).requires_grad_()
        ws, preview, features = forward()
        first = features.detach() if first is None else first
        wanted = sample(first, handles, size)
        held = None
        if outside is not None and outside.any():
            weight = options.mask_weight * len(patch) / outside.numel()
            held = weight * sampling_weight(outside, (first.shape[1], first.shape[2]))
    latest = step(0, 0.0)
    if latest.done:
        yield latest
    while not latest.done and latest.index < options.max_steps:
        with gradients():
            # A handle that has arrived is left alone: d has length one however near the target
            # is, and would push it past. It counts again once tracking finds it astray.
            moving = latest.distances > near
            loss = motion_supervision(features, points[moving], targets[moving], patch, size)
            if held is not None:
                loss = loss + change(features, first, held)
            (gradient,) = torch.autograd.grad(loss, offset)
            offset = (offset - adam.step(gradient)).detach().requires_grad_()
            ws, preview, features = forward()
            # A sum is finite only if all its terms are.
            sums = torch.stack([loss.detach(), preview.sum(), features.detach().sum()])
            if not sums.isfinite().all():
                raise EditDiverged(
                    f"the drag left the finite numbers in step {latest.index + 1} (loss "
                    f"{loss.item():g}); the step before is still good. Lower learning_rate, now "
                    f"{options.learning_rate:g}, and go on from there."
                )
            if options.tracking:
                points = track(features.detach(), wanted, points, window, size)
            latest = step(latest.index + 1, loss.item())
        yield latest


def motion_supervision(
    features: Tensor, points: Tensor, targets: Tensor, patch: Tensor, size: Size
) -> Tensor:
    """First term of Eq. 1: how unlike each patch is to the one a pixel nearer to its target.

    Parameters
    ----------
    features : Tensor, shape [C, h, w]
    points, targets : Tensor, shape [P, 2]
        In pixels of the picture. Where both are the same there is nothing to move.
    patch : Tensor, shape [K, 2]
        Positions of the patch's pixels about its point. Those outside the picture don't count.
    size : (int, int)
        Height and width of the picture.

    Returns
    -------
    Tensor, a number; its gradient goes to the features read at q + d only.
    """
    direction = torch.nn.functional.normalize(targets - points, dim=1)  # zero remains zero
    pixels = points[:, None] + patch.to(points)
    ahead, here = sample(features, torch.stack([pixels + direction[:, None], pixels]), size)
    unlike: Tensor = (ahead - here.detach()).abs().sum(-1)
    return (unlike * inside(pixels, size)).sum()


def change(features: Tensor, first: Tensor, weight: Tensor) -> Tensor:
    """Second term of Eq. 1: how far features [C, h, w] are from the first ones, weighted [h, w].

    With `sampling_weight` of some pixels this is the sum over them of |F - F0| resized. If the map
    is as large as the picture, that is exactly the sum over them of |F resized - F0 resized|; if
    it is smaller, it is never less than that, and the same wherever neighbouring cells change in
    the same sense. Nothing need be resized for it.
    """
    return ((features - first).abs().sum(0) * weight).sum()


def track(features: Tensor, wanted: Tensor, points: Tensor, window: Tensor, size: Size) -> Tensor:
    """Eq. 2: where, about each point, the features are nearest to those wanted.

    Parameters
    ----------
    features : Tensor, shape [C, h, w]
    wanted : Tensor, shape [P, C]
        Features of the first picture at the first handles.
    points : Tensor, shape [P, 2]
        Where the handles were last, in pixels of the picture.
    window : Tensor, shape [K, 2]
        Places to look at, about a point. The first of equals wins. Those outside the picture
        don't count.
    size : (int, int)
        Height and width of the picture.

    Returns
    -------
    Tensor, shape [P, 2]
    """
    places = points[:, None] + window.to(points)
    difference = (sample(features, places, size) - wanted[:, None]).abs().sum(-1)  # [P, K]
    difference = difference.masked_fill(~inside(places, size), math.inf)
    return places[torch.arange(len(points)), difference.argmin(dim=1)]


def disc(radius: float) -> Tensor:
    """Whole-pixel offsets (x, y) shorter than `radius`, [K, 2]: Ω1."""
    offsets = square(radius)
    return offsets[offsets.norm(dim=1) < radius]


def square(radius: float) -> Tensor:
    """Whole-pixel offsets (x, y) below `radius` in both coordinates, [K, 2]: Ω2.

    The nearest come first, so that a point on a flat patch, where all look alike, stays put.
    """
    reach = math.ceil(radius) - 1
    offsets = torch.cartesian_prod(*[torch.arange(-reach, reach + 1.0)] * 2)
    return offsets[offsets.norm(dim=1).argsort(stable=True)]


def _synthesis(
    generator: Generator, start: Tensor, block: int, options: DragOptions
) -> Callable[[Tensor], Synthesis]:
    """Synthesis up to the block, made ready for ws that differ from `start` where they may."""
    network: Any = generator.synthesis
    upto = partial(network, until=block, taps=(block,))
    if not isinstance(network, SynthesisNetwork):  # some other kind, which we can't make ready
        return upto
    wish: Any = {"movable": options.movable_layers, "until": block}
    dtype = computing_type(generator, block, options.precision)
    if dtype == generator.w_avg.dtype:
        return partial(upto, prepared=prepare(network, start, dtype=dtype, **wish))
    return partial(upto, prepared=prepare_increments(network, start, dtype=dtype, **wish))


def inside(points: Tensor, size: Size) -> Tensor:
    """Which of the points [..., 2] lie in a picture of this size."""
    x, y = points.unbind(-1)
    return (x >= 0) & (x <= size[1]) & (y >= 0) & (y <= size[0])
