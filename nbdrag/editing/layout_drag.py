"""Dragging with a user-controllable latent transformer, under the same protocol as any drag.

Handles and targets are arrows; what the mask keeps out is annotated by anchors, spread evenly over
it. One pass of the transformer gives the latent, and that is the only step.

References
----------
Endo, User-Controllable Latent Transformer for StyleGAN Image Layout Editing, Computer Graphics
Forum 41(7), 2022. arXiv:2208.12408
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nbdrag.editing.drag_options import DragOptions, tolerance, usual_block
from nbdrag.editing.draggan import DragStep, square, track
from nbdrag.editing.features import sample
from nbdrag.editing.inputs import Array, check_mask, check_pairs, check_ws
from nbdrag.editing.latent_transformer import LatentTransformer, look
from nbdrag.editing.latent_transformer_file import check_fit, transformer_of
from nbdrag.editing.options import Options, number
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class LayoutDragOptions(Options):
    """How to drag with a latent transformer.

    Attributes
    ----------
    strength : float, 0 to 5
        By what the change of the latent is multiplied.
    anchors : int, 0 to 1024
        About so many points are spread over what the mask keeps out, and asked to stay.
    """

    strength: float = number(1, "Strength", 0.0, 5.0, 0.1, "How far to go the way it tells.")
    anchors: int = number(8, "Anchors", 0, 1024, 1, "So many points outside the mask stay put.")


def layout_drag(
    generator: Generator,
    ws: Tensor,
    handles: Array,
    targets: Array,
    mask: Array | None = None,
    options: LayoutDragOptions | None = None,
    *,
    transformer: LatentTransformer | None = None,
) -> Iterator[DragStep]:
    """Move handle points towards target points by one pass of a latent transformer.

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from; only its first rows change.
    handles, targets : array_like, shape [P, 2]
        Positions (x, y) in pixels of the picture, pixel centres at +0.5: x from 0 to W, y to H.
        A target on its handle is an anchor.
    mask : bool array_like, shape [H, W], optional
        True where the picture may move. Default: everywhere. It is a wish: nothing holds the rest
        but what the transformer learnt of anchors.
    options : LayoutDragOptions, optional
    transformer : LatentTransformer, optional
        Default: the one that comes with the generator.

    Yields
    ------
    DragStep
        One, of index 1 and loss 0, for nothing is minimised. Its points are where DragGAN's
        tracking (Eq. 2) finds the handles. It is `done` if all are within DragGAN's tolerance.

    Raises
    ------
    ValueError
        At once, for what `drag` refuses as well, and if there is no transformer for the generator.

    References
    ----------
    Endo, User-Controllable Latent Transformer, 2022, Sec. 3.
    """
    options = LayoutDragOptions() if options is None else options
    if not isinstance(options, LayoutDragOptions):
        raise ValueError(f"options is a {type(options).__name__}; expected LayoutDragOptions.")
    start = check_ws(generator, ws)
    size = (generator.height, generator.width)
    checked_handles, checked_targets = check_pairs(handles, targets, size, like=start)
    points, goals = checked_handles, checked_targets
    if mask is not None:
        still = anchors(1 - check_mask(mask, size, like=start), options.anchors)
        points, goals = torch.cat([points, still]), torch.cat([goals, still])
    if transformer is None:
        transformer = transformer_of(generator)
    else:
        check_fit(transformer, generator)
    wish = (checked_handles, checked_targets, points, goals)
    return _iterate(generator, start, wish, transformer, options.strength)


def _iterate(
    generator: Generator,
    start: Tensor,
    wish: tuple[Tensor, Tensor, Tensor, Tensor],
    transformer: LatentTransformer,
    strength: float,
) -> Iterator[DragStep]:
    handles, targets, points, goals = wish
    size, config = (generator.height, generator.width), transformer.config
    usual, block = DragOptions.for_generator(generator), usual_block(generator)
    blocks = {config.feature_block, block}
    with torch.no_grad():
        first = generator.synthesis(start[None], until=max(blocks), taps=tuple(blocks)).features
        seen = look(first[config.feature_block], points[None], config)
        told = transformer(start[None], seen, points[None], (goals - points)[None])[0]
        ws = start + strength * (told - start)
        image, features = generator.synthesis(ws[None], until=block, taps=(block,))
        wanted = sample(first[block][0], handles, size)
        farthest = float((targets - handles).norm(dim=1).max())
        window = square(math.ceil(farthest) + usual.search_radius)
        found = track(features[block][0], wanted, handles, window, size)
    distances = (targets - found).norm(dim=1)
    done = bool((distances <= tolerance(generator, usual, len(handles))).all())
    yield DragStep(ws, 1, 0.0, done, found, targets, distances, image[0])


def anchors(outside: Tensor, count: int) -> Tensor:
    """About `count` points spread evenly over where a mask [H, W] is 1: [A, 2]."""
    area = float(outside.sum())
    if not count or not area:
        return outside.new_zeros(0, 2)
    height, width = outside.shape
    apart = math.sqrt(area / count)
    down, across = max(1, round(height / apart)), max(1, round(width / apart))
    y = (torch.arange(down).to(outside) + 0.5) * (height / down)
    x = (torch.arange(across).to(outside) + 0.5) * (width / across)
    places = torch.cartesian_prod(y, x)
    rows, columns = places.long().unbind(1)
    return places[outside[rows, columns] > 0].flip(1)
