"""Projection: from a picture to the latent that makes it.

A generator's pictures lie on a thin sheet, the manifold, in the space of all pictures; a given
photo lies somewhere beside it. Projecting it is looking for the latent whose picture is nearest,

    ws* = arg min over ws of  L(G(ws), photo),

which has no formula but has gradients. Three things decide how well that goes.

*What is near.* Pixels alone make a blur of what they can't place; a perceptual distance alone
drifts in colour. L is a sum of both.

*Where it starts.* Gradients find the bottom of the valley that they start in. So many latents are
drawn first, and the one whose small picture, a preview by an early block, is nearest is taken.
(An encoder, trained for the purpose, would do that better; this needs no training.)

*Where it may go.* One w for all layers, W, is tight; a row for each, W+, reaches nearly any
picture, even one that resembles no face, and there neither edits nor part labels mean anything. So
rows may part, but what they cost rises with their distance from the mean, in units of how w is
distributed: each principal direction of w counts by its deviation. And at first they move as one,
in W. Rows that part at once may settle on a wrong layout which later rows then paint over: long
hair to the eye, and short hair to the features of all blocks but the last.

References
----------
Zhu et al., Generative Visual Manipulation on the Natural Image Manifold, ECCV 2016, Sec. 3.
Abdal et al., Image2StyleGAN, ICCV 2019; Karras et al., StyleGAN2, CVPR 2020, Sec. 5 and D.
Ling et al., EditGAN, NeurIPS 2021, A.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, mse_loss

from nbdrag.editing.adam import Adam
from nbdrag.editing.autograd import gradients
from nbdrag.editing.options import Options, number
from nbdrag.editing.perceptual import Comparison, embedded_perceptual
from nbdrag.editing.step import EditDiverged, Step
from nbdrag.generators.prepared import prepare
from nbdrag.generators.stylegan2 import Generator

PREVIEW = 32  # pixels: the block whose pictures are compared to find a start
MEASURED = 4096  # latents that the distribution of w is taken from
TINY = 1e-2  # deviation, as a share of the largest, below which directions don't count by their own


@dataclass(frozen=True)
class ProjectOptions(Options):
    """How to project a picture; the learning rate falls along half a cosine."""

    learning_rate: float = number(
        0.1, "learning rate", 1e-4, 1.0, 0.01, "First step of Adam, in units of w."
    )
    max_steps: int = number(200, "steps", 1, 10_000, 50, "Number of steps.")
    perceptual_weight: float = number(
        10.0, "perceptual weight", 0.0, 1000.0, 1.0, "Of the perceptual distance."
    )
    pixel_weight: float = number(
        10.0, "pixel weight", 0.0, 1000.0, 1.0, "Of the mean squared difference of pixels."
    )
    prior_weight: float = number(
        1e-3,
        "prior weight",
        0.0,
        10.0,
        1e-3,
        "Of the mean squared distance of ws from the mean of w, in deviations.",
    )
    together: float = number(
        0.3, "rows together", 0.0, 1.0, 0.1, "For this share of the steps all rows move as one."
    )
    candidates: int = number(128, "candidates", 1, 10_000, 32, "Latents to choose the start from.")
    seed: int = number(0, "seed", 0, 2**31 - 1, 1, "Of the candidates.")


@dataclass(frozen=True, eq=False)
class ProjectStep(Step):
    """State of a projection: the best latent so far, with its `loss`.

    Attributes
    ----------
    image : Tensor, shape [3, H, W]
        The picture of `ws`.
    """

    image: Tensor


def project(
    generator: Generator,
    image: Tensor,
    options: ProjectOptions | None = None,
    *,
    perceptual: Comparison | None = None,
) -> Iterator[ProjectStep]:
    """Look for the latent in W+ whose picture is nearest to a given one.

    Parameters
    ----------
    generator : Generator
    image : Tensor, shape [3, H, W]
        As large as the generator's pictures, in [-1, 1].
    options : ProjectOptions, optional
    perceptual : Comparison, optional
        A distance by features. Default: `nbdrag.editing.perceptual.embedded_perceptual`.

    Yields
    ------
    ProjectStep
        One before the first update, with the latent that it starts from, and one after each.

    Raises
    ------
    ValueError
        At once, if the picture has another size or isn't finite.
    EditDiverged
        From a step, if the loss is no longer finite. Earlier steps remain good.
    """
    options = options or ProjectOptions()
    size = (generator.height, generator.width)
    if image.shape != (3, *size):
        raise ValueError(
            f"image has shape {list(image.shape)}; expected that of the generator's pictures, "
            f"{[3, *size]}."
        )
    if not image.is_floating_point() or not image.isfinite().all():
        raise ValueError("image must hold finite numbers in [-1, 1].")
    perceptual = perceptual or embedded_perceptual(generator.w_avg)
    return _iterate(generator, image.detach().to(generator.w_avg), options, perceptual)


def _iterate(
    generator: Generator, image: Tensor, options: ProjectOptions, perceptual: Comparison
) -> Iterator[ProjectStep]:
    with gradients():
        rng = torch.Generator().manual_seed(options.seed)
        with torch.no_grad():
            ws = nearest_candidate(generator, image, options.candidates, rng)
            whiten = whitening(generator, rng)
        layers = prepare(generator.synthesis, ws, movable=len(ws))
        distance = perceptual(image[None])

        def evaluate(ws: Tensor) -> tuple[Tensor, Tensor]:
            made = generator.synthesis(ws[None], prepared=layers).image
            loss = options.pixel_weight * mse_loss(made, image[None])
            loss = loss + options.perceptual_weight * distance(made)
            prior = ((ws - generator.w_avg) @ whiten).square().mean()
            return loss + options.prior_weight * prior, made[0].detach()

        ws = ws.requires_grad_()
        loss, made = evaluate(ws)
        best = ProjectStep(ws.detach(), 0, loss.item(), False, made)
        adam = Adam(options.learning_rate)
    yield best
    for index in range(1, options.max_steps + 1):
        with gradients():
            adam.learning_rate = options.learning_rate * falling(index / options.max_steps)
            (gradient,) = torch.autograd.grad(loss, ws)
            if index <= options.together * options.max_steps:
                gradient = gradient.mean(0, keepdim=True).expand_as(gradient)
            ws = (ws - adam.step(gradient)).detach().requires_grad_()
            loss, made = evaluate(ws)
            if not loss.isfinite():
                raise EditDiverged(
                    f"the projection left the finite numbers in step {index}; the step before is "
                    f"still good. Lower learning_rate, now {options.learning_rate:g}."
                )
            if loss.item() < best.loss:
                best = ProjectStep(ws.detach(), index, loss.item(), False, made)
        yield replace(best, index=index, done=index == options.max_steps)


def falling(progress: float) -> float:
    """From 1 to 0 along half a cosine, after a short rise."""
    return min(1.0, 20 * progress) * 0.5 * (1 + math.cos(math.pi * progress))


def nearest_candidate(
    generator: Generator, image: Tensor, count: int, rng: torch.Generator
) -> Tensor:
    """Of random latents and the mean one, that whose small picture is nearest, [num_ws, w_dim]."""
    config = generator.config
    until = min(PREVIEW, config.resolution)
    if not config.has_rgb(until):
        until = config.resolution
    ws = torch.cat([random_ws(generator, count, rng), generator.w_avg.expand(1, config.num_ws, -1)])
    wanted = interpolate(image[None], size=(until, config.width_at(until)), mode="area")
    errors = [
        (generator.synthesis(some, until=until).image - wanted).square().mean(dim=(1, 2, 3))
        for some in ws.split(16)
    ]
    return ws[torch.cat(errors).argmin()].clone()


def random_ws(generator: Generator, count: int, rng: torch.Generator) -> Tensor:
    """Draw latents, of any class if there are classes: [count, num_ws, w_dim]."""
    like = generator.w_avg
    z = torch.randn(count, generator.z_dim, generator=rng).to(like)
    labels = None
    if generator.num_labels:
        chosen = torch.randint(generator.num_labels, (count,), generator=rng)
        labels = torch.eye(generator.num_labels)[chosen].to(like)
    ws: Tensor = generator.mapping(z, labels)
    return ws


def whitening(generator: Generator, rng: torch.Generator) -> Tensor:
    """The matrix [w_dim, w_dim] that takes w - w_avg to coordinates of deviation 1."""
    w = random_ws(generator, MEASURED, rng)[:, 0] - generator.w_avg
    variances, directions = torch.linalg.eigh(w.T @ w / len(w))
    deviations = variances.clamp_min(0).sqrt()
    whiten: Tensor = directions / deviations.clamp_min(TINY * deviations[-1])
    return whiten
