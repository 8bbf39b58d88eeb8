"""Edit One for All: from one edited example to the direction that makes this edit on any picture.

An edit takes an example's latent from w0 to w0 + Δ. Added to another latent, Δ does much the same,
but not quite: it was made for one picture, and holds whatever was of use there. What is looked for
is a direction Δ* that is *globally consistent*: it changes the same attribute of any picture, and
by the same amount. Two wishes lead there. The pictures that Δ* makes are to be those that Δ makes,

    L_img = |G(w + α Δ) - G(w + α Δ*)|²,                                          (Eq. 3)

and the edited example is to lie in the hyperplane that Δ* is normal to, at a distance d from the
origin that is 0 unless somebody knows better,

    L_att = |<w0 + Δ*, Δ*> - d |Δ*||.                                             (Eq. 4)

The paper has w = w0 and α = 1, and starts at Δ* = 0; its authors' program draws many w, and α from
-1 to 1, and starts at Δ. Either way Adam makes L_img + λ L_att small. There is no telling of one
attribute from another here, and no labels. What makes Δ* better than Δ is that it is a sum of
gradients of pictures: whatever part of Δ doesn't show never enters it, and what shows in many
portraits outweighs what shows in one. That holds where it starts at zero, and where a step goes
along the gradient, which it doesn't if Adam gives each coordinate a scale of its own; see
`DirectionOptions`.

References
----------
Nguyen et al., Edit One for All: Interactive Batch Image Editing, CVPR 2024, Sec. 3.1.
Shen et al. and Nitzan et al. (LARGE, CVPR 2022) on why such directions exist.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import mse_loss, pad

from nbdrag.editing.adam import Adam, EvenAdam
from nbdrag.editing.autograd import gradients
from nbdrag.editing.inputs import check_ws
from nbdrag.editing.step import EditDiverged, Step
from nbdrag.generators.prepared import prepare
from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.direction import EditDirection
from nbdrag.transfer.direction_options import DirectionOptions
from nbdrag.transfer.vectors import EditVector

WEIGHT_DECAY = 0.01  # AdamW's own, in shares of the learning rate


class HasLatent(Protocol):
    """A step of a drag, a painting or a projection; an edit in the history; a recipe, its start."""

    @property
    def ws(self) -> Tensor:
        """Latent of one picture, [num_ws, w_dim]."""


Example: TypeAlias = "Tensor | HasLatent"


@dataclass(frozen=True, eq=False)
class DirectionStep(Step):
    """State of a search: `ws` is the example, edited by the direction found so far.

    Attributes
    ----------
    direction : EditDirection
        What was found so far, without a preview; see `EditDirection.previewed`.
    image_loss, attribute_loss : float
        L_img and L_att, whose weighted sum is `loss`.
    preview : Tensor, shape [3, h, w]
        The picture of `ws`, as far as the block whose pictures are compared; nominally in [-1, 1].
    """

    direction: EditDirection
    image_loss: float
    attribute_loss: float
    preview: Tensor


def find_direction(
    generator: Generator,
    ws: Example,
    edited_ws: Example | EditVector,
    options: DirectionOptions | None = None,
    *,
    name: str = "edit",
) -> Iterator[DirectionStep]:
    """Look for the globally consistent direction of an edit (Edit One for All).

    Parameters
    ----------
    generator : Generator
    ws : Tensor, shape [num_ws, w_dim], or anything that has one as its `ws`
        Latent w0 of the example before the edit; or, say, the `Recipe` of the edit, or the last
        step of a projection.
    edited_ws : the same, or an EditVector
        Latent w0' after it; or a step of the drag or painting that made it, an `Edit` of a recipe,
        another picture's projection. A vector is applied to `ws`.
    options : DirectionOptions, optional
        Default: `DirectionOptions.for_generator(generator, delta)`, for the edit given.
    name : str
        What the direction shall be called.

    Yields
    ------
    DirectionStep
        One after each update. The last one's `direction` is the result, and any other one's is one,
        too.

    Raises
    ------
    ValueError
        At once, if a latent has another shape or type, isn't finite, or belongs to another
        generator, the edit changes nothing, or an option doesn't fit the generator.
    EditDiverged
        From a step, if the loss is no longer finite. Earlier steps remain good.

    References
    ----------
    Nguyen et al., Edit One for All, CVPR 2024, Sec. 3.1, Eqs. 3-4.
    """
    if not isinstance(options, DirectionOptions | None):
        raise ValueError(
            f"options is a {type(options).__name__}; expected DirectionOptions. Those that suit "
            "the generator, but for some: DirectionOptions.for_generator(generator).updated({...})."
        )
    start = latent_of(generator, ws, "ws")
    if isinstance(edited_ws, EditVector):
        edited_ws = edited_ws.check(generator).apply(start)
    delta = latent_of(generator, edited_ws, "edited_ws") - start
    options = DirectionOptions.for_generator(generator, delta) if options is None else options
    rows = movable_rows(generator, delta, options)
    check_block(generator, options)
    blank = EditDirection(
        delta,
        name,
        generator.content_hash,
        generator.source,
        scale_range=(0.0, 1.0),
        learnt=facts(options),
        normal=delta,
        example=start,
    )
    # From here on it is an iterator, whose body first runs at the first `next`.
    return _iterate(generator, start, delta, rows, options, blank)


def _iterate(
    generator: Generator,
    start: Tensor,
    delta: Tensor,
    rows: int,
    options: DirectionOptions,
    blank: EditDirection,
) -> Iterator[DirectionStep]:
    random = torch.Generator().manual_seed(options.seed)
    origin = generator.w_avg if options.origin == "mean" else torch.zeros_like(generator.w_avg)
    shared = options.adam == "shared"
    rate = options.learning_rate * (delta[:rows].square().mean().sqrt().item() if shared else 1)
    adam = (EvenAdam if shared else Adam)(rate)

    def whole(part: Tensor) -> Tensor:
        """A direction in all rows of ws, of its part in those that move."""
        return pad(part.expand(rows, -1), (0, 0, 0, len(start) - rows))

    with gradients():
        prepared = prepare(generator.synthesis, start, movable=len(start), until=options.block)
        part = first_guess(delta[:rows], options)
    for index in range(1, options.max_steps + 1):
        with gradients():
            part = part.requires_grad_()
            latents, alphas = others(generator, start, options, random)
            with torch.no_grad():
                wanted = generator.synthesis(
                    latents + alphas * delta, until=options.block, prepared=prepared
                ).image
            made = generator.synthesis(
                latents + alphas * whole(part), until=options.block, prepared=prepared
            ).image
            image_loss = mse_loss(made, wanted)
            attribute_loss = off_plane(start - origin, whole(part), options.distance)
            if options.attribute == "product":
                attribute_loss = attribute_loss * whole(part).norm()
            loss = image_loss + options.attribute_weight * attribute_loss
            (gradient,) = torch.autograd.grad(loss, part)
            if options.schedule == "falling":
                progress = (index - 1) / options.max_steps
                adam.learning_rate = rate * (1 + math.cos(math.pi * progress)) / 2
            kept = 1 - adam.learning_rate * WEIGHT_DECAY
            part = (kept * part - adam.step(gradient)).detach()
        found = whole(part)
        place = {
            "example": along(delta, found),
            "found": found,
            "origin": onto_plane(start - origin, found, options.distance),
        }[options.plane]
        with torch.no_grad():
            ws = start + place
            preview = generator.synthesis(ws[None], until=options.block, prepared=prepared).image[0]
        if not (loss.isfinite() and found.isfinite().all() and preview.sum().isfinite()):
            raise EditDiverged(
                f"the search left the finite numbers in step {index} (loss {loss.item():g}); the "
                "step before is still good. Lower learning_rate, now "
                f"{options.learning_rate:g}."
            )
        yield DirectionStep(
            ws,
            index,
            loss.item(),
            index == options.max_steps,
            replace(blank, delta=place, normal=found),
            image_loss.item(),
            attribute_loss.item(),
            preview,
        )


def off_plane(start: Tensor, found: Tensor, distance: float = 0.0) -> Tensor:
    """How far the edited example is from its place, |<w0 + Δ*, n> - d|, in units of w.

    Parameters
    ----------
    start : Tensor, shape [num_ws, w_dim]
        w0, measured from the origin.
    found : Tensor, shape [num_ws, w_dim]
        Δ*. All rows together are one vector. A zero one has no plane to be off.
    distance : float
        d, in units of w.

    Returns
    -------
    Tensor, a number; times |Δ*| it is L_att of Eq. 4.
    """
    if not found.any():
        return found.sum()
    place: Tensor = ((start + found) * found).sum() / found.norm()
    return (place - distance).abs()


def along(delta: Tensor, found: Tensor) -> Tensor:
    """The part of Δ that points along Δ*: with it the example gets into the plane of w0 + Δ."""
    return found * ((delta * found).sum() / found.square().sum()) if found.any() else found


def onto_plane(start: Tensor, found: Tensor, distance: float = 0.0) -> Tensor:
    """How the example has to go along Δ* so that L_att is zero.

    Parameters
    ----------
    start : Tensor, shape [num_ws, w_dim]
        w0, measured from the origin.
    found : Tensor, shape [num_ws, w_dim]
        Δ*. A zero one leads nowhere.
    distance : float
        d, in units of w.

    Returns
    -------
    Tensor, shape [num_ws, w_dim]
        (d - <w0, n>) n.
    """
    if not found.any():
        return found
    normal = found / found.norm()
    way: Tensor = (distance - (start * normal).sum()) * normal
    return way


def first_guess(delta: Tensor, options: DirectionOptions) -> Tensor:
    """Where Δ* starts, [rows, w_dim]; in W, [1, w_dim]."""
    guess = delta.mean(0, keepdim=True) if options.space == "w" else delta.clone()
    return torch.zeros_like(guess) if options.start == "zero" else guess


def others(
    generator: Generator, start: Tensor, options: DirectionOptions, random: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents [N, num_ws, w_dim] to compare the two directions on, and how far along: [N, 1, 1]."""
    count = options.portraits
    if not count:
        return start[None], start.new_ones(1, 1, 1)
    z = torch.randn(count, generator.z_dim, generator=random).to(start)
    labels = None
    if generator.num_labels:
        classes = torch.randint(generator.num_labels, (count,), generator=random)
        labels = torch.eye(generator.num_labels)[classes].to(start)
    with torch.no_grad():
        latents = generator.mapping(z, labels, truncation=options.truncation)
    alphas = 2 * torch.rand(count, 1, 1, generator=random) - 1
    return latents, alphas.to(start)


# ------------------------------------------------------------------------------------ what is given


def latent_of(generator: Generator, given: Example, name: str) -> Tensor:
    """The latent, of this generator, that somebody has given in one way or another."""
    whose = getattr(given, "generator_hash", None)
    if whose is not None and whose != (found := generator.content_hash):
        raise ValueError(
            f"{name} was made with the generator {whose}; this one is {found}. Load that one."
        )
    ws = given if isinstance(given, Tensor) else getattr(given, "ws", None)
    if not isinstance(ws, Tensor):
        raise ValueError(
            f"{name} is a {type(given).__name__}; expected a latent [num_ws, w_dim], or what has "
            "one as its ws: a step of an edit or a projection, a recipe."
        )
    return check_ws(generator, ws, name)


def movable_rows(generator: Generator, delta: Tensor, options: DirectionOptions) -> int:
    """How many first rows the direction has a part in."""
    changed = delta.abs().amax(1).nonzero()
    if not len(changed):
        raise ValueError(
            "edited_ws is the same as ws: an edit that changes nothing has no direction. Edit the "
            "example first."
        )
    if options.movable_layers is None:
        return int(changed.max()) + 1
    if options.movable_layers > generator.num_ws:
        raise ValueError(
            f"movable_layers is {options.movable_layers}; this generator has {generator.num_ws} "
            "rows of ws."
        )
    if changed.min() >= options.movable_layers:
        raise ValueError(
            f"movable_layers is {options.movable_layers}, but the edit changes rows of ws from "
            f"{int(changed.min())} on only; give {int(changed.max()) + 1}, or None."
        )
    return options.movable_layers


def check_block(generator: Generator, options: DirectionOptions) -> None:
    """Refuse a block that makes no picture."""
    block, there = options.block, generator.block_resolutions
    if block is not None and not (block in there and generator.config.has_rgb(block)):
        pictures = [each for each in there if generator.config.has_rgb(each)]
        raise ValueError(f"block is {block}; pictures come from {pictures}.")


def facts(options: DirectionOptions) -> dict[str, str | int | float | bool | None]:
    """How a direction was learnt, for its file."""
    return {
        "method": "find_direction",
        "portraits": options.portraits,
        "start": options.start,
        "steps": options.max_steps,
        "learning_rate": options.learning_rate,
        "attribute_weight": options.attribute_weight,
        "space": options.space,
        "plane": options.plane,
        "seed": options.seed,
    }
