"""Refinement of several portraits at once: what `refine` does to each, in half the time.

Two things save time. Pictures are synthesised together, which a processor does faster than one by
one. And the loss looks at parts only in the region that may change, so that the segmenter's finest
layer, the dearest one, need only see the rows of pixels that a region reaches. `refine` has to show
the parts of the whole picture, too; here nobody looks.

Every portrait has an optimisation of its own: losses are added up, and none depends on another's
latent; Adam treats every number for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from nbdrag.editing.adam import Adam
from nbdrag.editing.editgan import Painting, plan, rows_of
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.generators.stylegan2 import Generator


def refine_together(
    generator: Generator,
    ws: Tensor,
    edited_ws: Tensor,
    options: PaintOptions,
    parts: Sequence[str],
) -> Iterator[Tensor]:
    """Yield the best latents so far, [N, num_ws, w_dim], after every step; see `refine`."""
    segmenter = generator.segmenter
    assert segmenter is not None
    with torch.no_grad():
        images, _, before = generator.segment(ws)
        after = generator.segment(edited_ws).labels
    paintings = [
        plan(generator, *row, options, parts, None, None)
        for row in zip(ws, before.long(), after.long(), strict=True)
    ]
    region = rows_of(torch.stack([p.region for p in paintings]).any(0))
    losses_of = [
        objective(painting, image[None], options, region)
        for painting, image in zip(paintings, images, strict=True)
    ]

    def evaluate(latents: Tensor) -> Tensor:
        made, features = generator.synthesis(latents, taps=segmenter.resolutions)
        colours = segmenter.seen(made)
        h = segmenter.coarse(features, colours)
        logits = segmenter.rows(h, features, colours, region.start, region.stop)
        return torch.stack([f(x[None], y) for f, x, y in zip(losses_of, made, logits, strict=True)])

    adam = Adam(options.learning_rate)
    offset = torch.zeros_like(ws).requires_grad_()
    losses = evaluate(edited_ws + offset)
    best, least = edited_ws, losses.detach()
    for _ in range(options.max_steps):
        (gradient,) = torch.autograd.grad(losses.sum(), offset)
        offset = (offset - adam.step(gradient)).detach().requires_grad_()
        losses = evaluate(edited_ws + offset)
        better = (losses < least)[:, None, None]
        best = torch.where(better, (edited_ws + offset).detach(), best)
        least = torch.minimum(least, losses.detach())
        yield best


def objective(
    painting: Painting, image: Tensor, options: PaintOptions, rows: slice
) -> Callable[[Tensor, Tensor], Tensor]:
    """Equation 5 of one portrait, from its picture and the logits [rows, W, K] of these rows."""
    outside = (~painting.region).to(image)
    rest = image * outside
    assert painting.perceptual is not None
    distance = painting.perceptual(rest)
    region, wanted = painting.region[rows], painting.edited[painting.region]

    def loss(edited: Tensor, logits: Tensor) -> Tensor:
        edited_rest = edited * outside
        return (
            options.pixel_weight * mse_loss(edited_rest, rest)
            + options.label_weight * cross_entropy(logits[region], wanted)
            + options.perceptual_weight * distance(edited_rest)
        )

    return loss
