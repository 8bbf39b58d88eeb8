"""EditGAN: paint a picture's parts, and the picture follows.

A generator with a segmentation branch makes two things of one latent: a picture x and a map y of
its parts (`nbdrag.generators.segmenter`). Somebody paints y over; the picture that goes with the
new map is not known, but the latent is looked for that makes this map, and the picture comes with
it. Three losses say what is looked for. Let r be the region of the painted parts (Eq. 1,
`nbdrag.editing.region`), x' and y' what the latent makes now.

*Outside of r* the picture is to remain what it was (Eq. 2),

    L_RGB = d(x' (1 - r), x (1 - r)) + mean |x' (1 - r) - x (1 - r)|²,

with d a perceptual distance (`nbdrag.editing.perceptual`): pixels alone don't see that a texture
remained but shifted. *Inside* it shows the painted parts (Eq. 3),

    L_CE = mean over r of the cross-entropy of y' with the painted labels.

And it may be asked to remain the same person (Eq. 4), whom R embeds:

    L_ID = 1 - cos(R(x'), R(x)).

(The paper prints the cosine itself, which as a loss would make the person unlike; and it has one
weight for both terms of L_RGB, which its authors' program divides.) The weighted sum (Eq. 5) is
minimised by Adam over all rows of ws, each for itself: the space W+. Adam doesn't go straight
downhill; every step has the latent with the least loss so far.

The change of ws that was found is an *editing vector*. Added to other pictures' ws it often does
the same to them (Sec. 3.4): at once, without any optimisation. What it spoils on the way is
mended by a few more steps with the same losses, and for painted map the one that the vector
itself led to: `refine`.

References
----------
Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.3-3.4, A.4.
arXiv:2111.03186
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from nbdrag.editing.adam import Adam
from nbdrag.editing.autograd import gradients
from nbdrag.editing.identity import embedded_identity
from nbdrag.editing.inputs import Array, check_labels, check_ws
from nbdrag.editing.paint_options import PaintOptions, margin, movable_layers
from nbdrag.editing.perceptual import Comparison, embedded_perceptual
from nbdrag.editing.region import agreement, check_parts, edited_region, touched_parts
from nbdrag.editing.step import EditDiverged, Step
from nbdrag.generators.prepared import prepare
from nbdrag.generators.stylegan2 import Generator, SynthesisNetwork


@dataclass(frozen=True, eq=False)
class PaintStep(Step):
    """State of a painting after an update: the best latent so far, and what it makes.

    `loss` is that of `ws`; `done` says whether it is the last step.

    Attributes
    ----------
    image : Tensor, shape [3, H, W]
        The picture of `ws`, nominally in [-1, 1].
    labels : Tensor, shape [H, W], uint8
        The parts that it shows.
    agreement : float
        How well they fit what was painted: the mean, over the parts that painted pixels had or
        have, of the intersection over union (IoU) in the region. From 0 to 1.
    outside : float
        How much the picture changed outside the region: the mean absolute difference, as a share
        of the range of colours.
    """

    image: Tensor
    labels: Tensor
    agreement: float
    outside: float


@gradients()
def paint(
    generator: Generator,
    ws: Tensor,
    labels: Array,
    edited_labels: Array,
    options: PaintOptions | None = None,
    *,
    parts: Iterable[int | str] | None = None,
    perceptual: Comparison | None = None,
    identity: Comparison | None = None,
) -> Iterator[PaintStep]:
    """Change a picture so that its parts are those painted (EditGAN).

    Minimises Eq. 5 over ws and always takes `options.max_steps` steps.

    Parameters
    ----------
    generator : Generator
        One with a segmenter.
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from.
    labels : array_like, shape [H, W], whole numbers
        The parts of its picture, `generator.segment(ws[None]).labels[0]`.
    edited_labels : array_like, shape [H, W], whole numbers
        The same, painted over.
    options : PaintOptions, optional
        Default: `PaintOptions.for_generator(generator)`.
    parts : iterable of int or str, optional
        Q of Eq. 1, by label or name: what the edit is about. The region is then these parts before
        and after, and what was painted elsewhere doesn't count. Default: told from the painting;
        see `nbdrag.editing.region`.
    perceptual : Comparison, optional
        d of Eq. 2. Default: `nbdrag.editing.perceptual.embedded_perceptual`.
    identity : Comparison, optional
        cos(R, R) of Eq. 4; used where `options.identity_weight` isn't 0. Default:
        `nbdrag.editing.identity.embedded_identity`.

    Yields
    ------
    PaintStep
        One after each update.

    Raises
    ------
    ValueError
        At once, if the generator has no segmenter; ws or a part map has another shape or type, or
        values that it can't have; nothing was painted; or an option or part doesn't fit, such as
        an `identity_weight` where pictures aren't square and no `identity` is given.
    EditDiverged
        From a step, if the loss is no longer finite. Earlier steps remain good.

    References
    ----------
    Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.3.
    """
    options = PaintOptions.for_generator(generator) if options is None else options
    names = part_names(generator)
    start = check_ws(generator, ws)
    size = (generator.height, generator.width)
    before = check_labels("labels", labels, size, names, start.device)
    after = check_labels("edited_labels", edited_labels, size, names, start.device)
    if torch.equal(before, after):
        raise ValueError(
            "edited_labels is the same as labels, so there is nothing to do; paint something."
        )
    painting = plan(generator, start, before, after, options, parts, perceptual, identity)
    # From here on it is an iterator, whose body first runs at the first `next`.
    return _iterate(generator, start, painting, options)


@gradients()
def refine(
    generator: Generator,
    ws: Tensor,
    edited_ws: Tensor,
    options: PaintOptions | None = None,
    *,
    parts: Iterable[int | str] | None = None,
    perceptual: Comparison | None = None,
    identity: Comparison | None = None,
) -> Iterator[PaintStep]:
    """Mend what an editing vector spoils (EditGAN's self-supervised refinement).

    As `paint`, but for two things: it starts from the edited latent, and takes for painted map the
    parts that this latent's picture shows. So these remain, and the rest becomes again what it was.

    Parameters
    ----------
    generator : Generator
        One with a segmenter.
    ws : Tensor, shape [num_ws, w_dim]
        Latent of the picture before the edit.
    edited_ws : Tensor, shape [num_ws, w_dim]
        Latent after it, such as `vector.apply(ws)`.
    options : PaintOptions, optional
        Default: `PaintOptions.for_refinement(generator)`.
    parts, perceptual, identity : optional
        As for `paint`. `parts` is best given, since a vector that spoils something may well change
        labels that it isn't about.

    Yields
    ------
    PaintStep
        One after each update.

    Raises
    ------
    ValueError
        At once, if the generator has no segmenter, a latent has another shape or type or isn't
        finite, the edit changes no label, or an option or part doesn't fit.
    EditDiverged
        From a step, if the loss is no longer finite. Earlier steps remain good.

    References
    ----------
    Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.4.
    """
    options = PaintOptions.for_refinement(generator) if options is None else options
    part_names(generator)
    original, start = check_ws(generator, ws), check_ws(generator, edited_ws, "edited_ws")
    with torch.no_grad():
        before, after = generator.segment(torch.stack([original, start])).labels.long()
    if torch.equal(before, after):
        raise ValueError(
            "edited_ws shows the same parts as ws, so there is nothing to refine; apply the vector "
            "with a larger scale."
        )
    painting = plan(generator, original, before, after, options, parts, perceptual, identity)
    return _iterate(generator, start, painting, options)


# ------------------------------------------------------------------------------ what is looked for


class Painting(NamedTuple):
    """What is asked of the picture.

    Attributes
    ----------
    original : Tensor, shape [num_ws, w_dim]
        Latent of the picture x that the rest is to remain like.
    edited : Tensor, shape [H, W], int64
        The painted labels.
    touched : list of int
        Parts that painted pixels had or have.
    region : Tensor, shape [H, W], bool
        r of Eq. 1.
    perceptual, identity : Comparison, optional
        None where they have no weight.
    """

    original: Tensor
    edited: Tensor
    touched: list[int]
    region: Tensor
    perceptual: Comparison | None
    identity: Comparison | None


def plan(
    generator: Generator,
    original: Tensor,
    before: Tensor,
    after: Tensor,
    options: PaintOptions,
    parts: Iterable[int | str] | None,
    perceptual: Comparison | None,
    identity: Comparison | None,
) -> Painting:
    """Work out the region and what to compare with, and refuse what doesn't fit."""
    if not isinstance(options, PaintOptions):
        raise ValueError(
            f"options is a {type(options).__name__}; expected PaintOptions. Those that suit the "
            "generator, but for some: PaintOptions.for_generator(generator).updated({...})."
        )
    movable_layers(generator, options)
    if options.identity_weight and identity is None:
        identity = embedded_identity(original, (generator.height, generator.width))
    chosen = None if parts is None else check_parts(parts, part_names(generator))
    region = edited_region(before, after, margin(generator, options), chosen)
    if not (region & (before != after)).any():
        raise ValueError("nothing was painted in or at the given parts; name others, or none.")
    if options.perceptual_weight and perceptual is None:
        perceptual = embedded_perceptual(original)
    return Painting(
        original,
        after,
        touched_parts(before, after),
        region,
        perceptual if options.perceptual_weight else None,
        identity if options.identity_weight else None,
    )


def objective(
    painting: Painting, image: Tensor, options: PaintOptions
) -> Callable[[Tensor, Tensor], Tensor]:
    """Equation 5, for the picture x [1, 3, H, W] before the edit.

    Returns
    -------
    callable
        From x' [1, 3, H, W] and logits y' [1, K, H, W] to the loss.
    """
    region = painting.region
    outside = (~region).to(image)
    rest = image * outside
    wanted = painting.edited[region]
    distance = painting.perceptual(rest) if painting.perceptual else None
    similarity = painting.identity(image) if painting.identity else None

    def loss(edited: Tensor, logits: Tensor) -> Tensor:
        edited_rest = edited * outside
        total = options.pixel_weight * mse_loss(edited_rest, rest)
        inside = logits[0].permute(1, 2, 0)[region]  # [pixels of r, K]
        total = total + options.label_weight * cross_entropy(inside, wanted)
        if distance is not None:
            total = total + options.perceptual_weight * distance(edited_rest)
        if similarity is not None:
            total = total + options.identity_weight * (1 - similarity(edited))
        return total

    return loss


# --------------------------------------------------------------------------------- how it is found


def _iterate(
    generator: Generator, start: Tensor, painting: Painting, options: PaintOptions
) -> Iterator[PaintStep]:
    rows = movable_layers(generator, options)
    adam = Adam(options.learning_rate)

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        ws = torch.cat([start[:rows] + offset, start[rows:]])
        image, logits = synthesis(ws[None])
        return ws.detach(), image, logits

    def step(index: int, loss: Tensor) -> PaintStep:
        labels = logits[0].argmax(0).to(torch.uint8)
        fit = agreement(labels, painting.edited, painting.touched, painting.region)
        changed = change(image[0].detach(), original[0], ~painting.region)
        return PaintStep(ws, index, loss.item(), False, image[0].detach(), labels, fit, changed)

    with gradients():
        synthesis = _synthesis(generator, start, rows_of(painting.region))
        with torch.no_grad():
            original, _ = synthesis(painting.original[None])
        loss_of = objective(painting, original, options)
        offset = torch.zeros_like(start[:rows]).requires_grad_()
        ws, image, logits = forward()
        loss = loss_of(image, logits)
        best = step(0, loss)
    for index in range(1, options.max_steps + 1):
        with gradients():
            (gradient,) = torch.autograd.grad(loss, offset)
            offset = (offset - adam.step(gradient)).detach().requires_grad_()
            ws, image, logits = forward()
            loss = loss_of(image, logits)
            if not loss.isfinite():
                raise EditDiverged(
                    f"the painting left the finite numbers in step {index} (loss {loss.item():g}); "
                    "the step before is still good. Lower learning_rate, now "
                    f"{options.learning_rate:g}, and go on from there."
                )
            if loss.item() < best.loss:
                best = step(index, loss)
        yield replace(best, index=index, done=index == options.max_steps)


def change(image: Tensor, original: Tensor, where: Tensor) -> float:
    """Mean absolute difference of two pictures [3, H, W] in a region [H, W], from 0 to 1."""
    if not where.any():
        return 0.0
    difference = image.clamp(-1, 1) - original.clamp(-1, 1)
    return difference[:, where].abs().mean().item() / 2


def rows_of(region: Tensor) -> slice:
    """The rows of pixels that a region [H, W] reaches, from an even number to another."""
    reached = region.any(1).nonzero()
    return slice(int(reached.min()) // 2 * 2, (int(reached.max()) // 2 + 1) * 2)


def _synthesis(
    generator: Generator, start: Tensor, region: slice
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """From ws [1, num_ws, w_dim] to x' and y', both in one go; y' is learnt from in the region."""
    network: Any = generator.synthesis
    segmenter: Any = generator.segmenter
    run = partial(network, taps=generator.block_resolutions)
    if isinstance(network, SynthesisNetwork):  # another kind we can't make ready
        run = partial(run, prepared=prepare(network, start, movable=len(start)))

    def synthesis(ws: Tensor) -> tuple[Tensor, Tensor]:
        image, features = run(ws)
        return image, segmenter(features, image, learning=region)

    return synthesis


def part_names(generator: Generator) -> list[str]:
    """The generator's parts, by label. Raises ValueError if it has no segmenter."""
    segmenter = getattr(generator, "segmenter", None)
    if segmenter is None:
        raise ValueError(
            "this generator has no segmenter, so there are no parts to paint. Load one, "
            "generator.segmenter = load_segmenter(path, generator), or train one: "
            "python -m nbdrag.training.segmenter --help."
        )
    return [part.name for part in segmenter.parts]
