"""FreeDrag: move handle points to target points without tracking them.

DragGAN looks for its handles after every update, and may find another place that looks alike.
FreeDrag never looks for them. It decides where on the straight line from handle to target the
handle's surroundings are to appear next, and has the latent make them appear there.

*Template* (adaptive updating). What is to appear is T, the features of a patch around the handle,
at first those of the first picture. The place h where it is to appear is reached as far as

    L = mean over the patch and the channels of |F(h) - T|

is small; this is the loss. At most five updates pull T to one place: a *motion*, at the end of
which L is L_end. The template then takes on what the picture shows there now, so that the handle
may change its looks on the way (a nose that turns), but the less the worse it fits:

    T := λ F(h) + (1 - λ) T,    λ = 1 / (1 + exp(α (L_end - β))),

with α and β such that λ is 1/2 for L_end = 0.2 l, and 1/10 for L_end = 0.8 l: β = 0.2 l and
α = ln 9 / (0.6 l). The length l is the one scale of the method: how much features may differ.

*Line search, with backtracking.* Where the next place lies depends on how this motion went.

    L_end <= l/2         it went well: on to that place at most d ahead where |F - T| is nearest to
                         l, so that the next motion is neither idle nor too hard;
    L_end < L_begin      it got nearer: stay, and go on pulling;
    otherwise            it failed: to that place within d, ahead or behind, that fits best.

All places lie on the line, so that a place is one number, the way s from the first handle. What
looks alike elsewhere is never taken for the handle.

With a mask, features where the picture may not move are held as in `nbdrag.editing.draggan`, by
mask_weight times their mean change over the picture.

References
----------
Ling et al., FreeDrag: Feature Dragging for Reliable Point-based Image Editing, CVPR 2024, Sec. 3.
arXiv:2307.04684
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nbdrag.editing.adam import Adam
from nbdrag.editing.autograd import gradients
from nbdrag.editing.drag_options import feature_block, tolerance
from nbdrag.editing.draggan import DragStep, _synthesis, change, disc, inside
from nbdrag.editing.features import sample, sampling_weight
from nbdrag.editing.freedrag_options import FreeDragOptions, shared
from nbdrag.editing.inputs import Array, check_mask, check_pairs, check_ws
from nbdrag.editing.step import EditDiverged
from nbdrag.generators.stylegan2 import Generator


def free_drag(
    generator: Generator,
    ws: Tensor,
    handles: Array,
    targets: Array,
    mask: Array | None = None,
    options: FreeDragOptions | None = None,
) -> Iterator[DragStep]:
    """Move handle points to target points without point tracking (FreeDrag).

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from; only its first `options.movable_layers` rows change.
    handles, targets : array_like, shape [P, 2]
        Positions (x, y) in pixels of the picture, pixel centres at +0.5: x from 0 to W, y to H.
    mask : bool array_like, shape [H, W], optional
        True where the picture may move. Default: everywhere.
    options : FreeDragOptions, optional
        Default: `FreeDragOptions.for_generator(generator)`.

    Yields
    ------
    DragStep
        One after each update; a single one, of index 0, if every handle has arrived already. Its
        `points` are the places where the templates are to appear, which lie on the lines from
        handles to targets. It is `done` once all these have arrived and the templates appear
        there, to l/2.

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
    Ling et al., FreeDrag, CVPR 2024, Sec. 3.
    """
    options = FreeDragOptions.for_generator(generator) if options is None else options
    if not isinstance(options, FreeDragOptions):
        raise ValueError(
            f"options is a {type(options).__name__}; expected FreeDragOptions. Those that suit the "
            "generator, but for some: FreeDragOptions.for_generator(generator).updated({...})."
        )
    block = feature_block(generator, shared(options))
    start = check_ws(generator, ws)
    size = (generator.height, generator.width)
    checked_handles, checked_targets = check_pairs(handles, targets, size, like=start)
    outside = None if mask is None else 1 - check_mask(mask, size, like=start)
    return _iterate(generator, start, checked_handles, checked_targets, outside, block, options)


def _iterate(
    generator: Generator,
    start: Tensor,
    handles: Tensor,
    targets: Tensor,
    outside: Tensor | None,
    block: int,
    options: FreeDragOptions,
) -> Iterator[DragStep]:
    size, layers = (generator.height, generator.width), options.movable_layers
    near = tolerance(generator, shared(options), len(handles))
    adam = Adam(options.learning_rate)
    patch = disc(options.patch_radius).to(handles)
    direction = normalize(targets - handles, dim=1)  # zero remains zero
    length = (targets - handles).norm(dim=1)
    known = inside(handles[:, None] + patch, size)  # the picture's edge may cut a template

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        ws = torch.cat([start[:layers] + offset, start[layers:]])
        image, features = synthesis(ws[None])
        return ws.detach(), image[0].detach(), features[block].squeeze(0)

    def at(way: Tensor) -> Tensor:
        """Patches around the places so far along their lines: [P, ...] to [P, ..., K, 2]."""
        shape = [len(way)] + [1] * (way.ndim - 1) + [2]
        places = handles.view(shape) + way[..., None] * direction.view(shape)
        return places[..., None, :] + patch

    def unlike(features: Tensor, way: Tensor) -> Tensor:
        """L of each place [P, ...]: |F - T|, as a mean over the patch's pixels in the picture."""
        pixels = at(way)
        shape = [len(way)] + [1] * (way.ndim - 1)
        wanted, counted = template.view(*shape, *template.shape[1:]), known.view(*shape, -1)
        counted = counted & inside(pixels, size)
        difference = (sample(features, pixels, size) - wanted).abs().mean(-1)
        return (difference * counted).sum(-1) / counted.sum(-1)

    def step(index: int, loss: float) -> DragStep:
        distances = length - way
        done = bool(((distances <= near) & (now <= scale / 2)).all())
        points = handles + way[:, None] * direction
        return DragStep(ws, index, loss, done, points, targets, distances, preview)

    way = torch.zeros_like(length)
    with gradients():
        synthesis = _synthesis(generator, start, block, shared(options))
        rows = 1 if options.space == "w" else layers
        offset = start.new_zeros(rows, generator.w_dim).requires_grad_()
        ws, preview, features = forward()
        first = features.detach()
        template = sample(first, at(way), size)
        scale = deviation(first) / 2 if options.difference is None else options.difference
        held = None
        if outside is not None and outside.any():
            weight = options.mask_weight / (outside.numel() * len(first))
            held = weight * sampling_weight(outside, (first.shape[1], first.shape[2]))
    begin = now = torch.zeros_like(length)  # all fits before anything has moved
    latest = step(0, 0.0)
    if latest.done:
        yield latest
    while not latest.done and latest.index < options.max_steps:
        with gradients():
            low, high, wanted = where_to_look(way, length, begin, now, scale, options.reach)
            places = low[:, None] + (high - low)[:, None] * shares(options.samples).to(low)
            differences = unlike(features.detach(), places)
            best = (differences - wanted[:, None]).abs().argmin(1, keepdim=True)
            way = places.gather(1, best).squeeze(1)
            begin = differences.gather(1, best).squeeze(1)
        for _ in range(options.motion_steps):
            with gradients():
                loss = unlike(features, way).sum()
                if held is not None:
                    loss = loss + change(features, first, held)
                (gradient,) = torch.autograd.grad(loss, offset)
                offset = (offset - adam.step(gradient)).detach().requires_grad_()
                ws, preview, features = forward()
                now = unlike(features.detach(), way)
                # A sum is finite only if all its terms are.
                sums = torch.stack([loss.detach(), preview.sum(), features.detach().sum()])
                if not sums.isfinite().all():
                    raise EditDiverged(
                        f"the drag left the finite numbers in step {latest.index + 1} (loss "
                        f"{loss.item():g}); the step before is still good. Lower learning_rate, "
                        f"now {options.learning_rate:g}, and go on from there."
                    )
                latest = step(latest.index + 1, loss.item())
            yield latest
            if (now <= scale / 2).all() or latest.index >= options.max_steps:
                break
        with gradients():
            share = adoption(now, scale)[:, None, None]
            template = share * sample(features.detach(), at(way), size) + (1 - share) * template


def adoption(end: Tensor, scale: float) -> Tensor:
    """λ: which share of its template a handle takes from where it is now, for each L_end [P]."""
    alpha, beta = math.log(9) / (0.6 * scale), 0.2 * scale
    return torch.sigmoid(-alpha * (end - beta))


def where_to_look(
    way: Tensor, length: Tensor, begin: Tensor, end: Tensor, scale: float, reach: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Between which ways the next place is searched, and which |F - T| it should have.

    Parameters
    ----------
    way, length : Tensor, shape [P]
        Where on its line each handle is, and how long that is, in pixels.
    begin, end : Tensor, shape [P]
        L at the begin and at the end of the motion.
    scale, reach : float
        l and d.

    Returns
    -------
    low, high, wanted : Tensor, shape [P] each
    """
    well, nearer = end <= scale / 2, end < begin
    ahead = torch.minimum(way + reach, length)
    behind = (way - reach).clamp_min(0)  # never beyond the first handle
    low = torch.where(well | nearer, way, behind)
    high = torch.where(well | ~nearer, ahead, way)
    return low, high, torch.where(well, scale, 0.0).to(way)


def shares(count: int) -> Tensor:
    """So many even shares of the way from low to high, the last first; low isn't among them."""
    return torch.arange(count, 0, -1) / count


def deviation(features: Tensor) -> float:
    """How far features [C, h, w] are from each channel's mean: the mean over cells and channels."""
    return float((features - features.mean(dim=(1, 2), keepdim=True)).abs().mean())
