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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from nbdrag.editing.adam import Adam
from nbdrag.editing.features import sample, sampling_weight
from nbdrag.editing.inputs import Array, check_mask, check_pairs, check_ws
from nbdrag.editing.options import Options, choice, number, switch
from nbdrag.editing.step import EditDiverged, Step
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class DragOptions(Options):
    """How to drag. Defaults are the paper's, for pictures of 512 pixels.

    `DragOptions.for_generator` gives those that suit a generator.

    Attributes
    ----------
    learning_rate : float, 1e-5 to 1
        Step size of Adam, in units of w (Sec. 3.4; the paper also uses 1e-3).
    mask_weight : float, 0 to 100
        λ of Eq. 1: how much the change outside the mask, as a mean over the picture, counts
        against the mean of a patch. Where dragging stalls under a mask, lower it.
    patch_radius : float, 1 to 64
        r1 of Eq. 1, in pixels: a patch is the pixels nearer than this to the handle.
    search_radius : float, 1 to 128
        r2 of Eq. 2, in pixels: a handle is searched this far, exclusive, in x and in y.
    tolerance : float, 0.5 to 64, or None
        A handle no farther than this from its target, in pixels, has arrived. None: 1 for up to
        five handles, else 2 (Sec. 3.4). Tracking moves a handle by whole pixels, so that below
        0.71 a target between pixels might never be reached.
    max_steps : int, 1 to 10000
        The edit ends after so many updates, arrived or not (Sec. 4.2).
    movable_layers : int, 1 to 64
        So many first rows of ws may change; later ones shape appearance only (Sec. 3.2).
    space : "w+" or "w"
        Whether those rows move each for itself or all by the same vector (Sec. 3.2).
    feature_block : int or None
        Resolution of the block whose output is F. None: half the picture's, but at most 128,
        which is the sixth block (Sec. 3.2; Sec. 3.3 gives it 256 pixels).
    tracking : bool
        Whether to track at all. Without, handles stay where they were put: an ablation.
    """

    learning_rate: float = number(
        2e-3, "Step size", 1e-5, 1.0, 1e-3, "How far the latent moves in a step."
    )
    mask_weight: float = number(
        20, "Mask weight λ", 0.0, 100.0, 0.5, "How strongly the rest of the picture is held still."
    )
    patch_radius: float = number(
        3, "Patch radius r₁", 1.0, 64.0, 0.5, "Pixels this near to a handle are moved."
    )
    search_radius: float = number(
        12, "Search radius r₂", 1.0, 128.0, 1.0, "A handle is looked for within so many pixels."
    )
    tolerance: float | None = number(
        None,
        "Tolerance",
        0.5,
        64.0,
        0.5,
        "A handle this near to its target, in pixels, has arrived.",
        optional=True,
    )
    max_steps: int = number(300, "Step limit", 1, 10_000, 1, "The drag ends after so many steps.")
    movable_layers: int = number(
        6, "Movable layers", 1, 64, 1, "So many first rows of the latent may change."
    )
    space: str = choice(
        "w+",
        "Space",
        ("w+", "w"),
        "w+ moves every layer for itself and reaches further; w stays closer to what was learnt.",
    )
    feature_block: int | None = number(
        None,
        "Feature block",
        4,
        1024,
        1,
        "Resolution of the generator's block whose features are followed.",
        optional=True,
    )
    tracking: bool = switch(True, "Point tracking", "Find the handles again after every step.")

    @classmethod
    def for_generator(cls, generator: Generator) -> DragOptions:
        """Options that suit `generator`.

        Radii shrink and grow with the picture. What a generator brings along under
        `generator.recommended["drag"]`, as ours do, comes before that.

        Raises
        ------
        ValueError
            If that names an option unknown here, or a value out of range.
        """
        scale = generator.resolution / 512
        rule = {
            "patch_radius": max(2, round(3 * scale)),
            "search_radius": max(4, round(12 * scale)),
            "movable_layers": min(6, generator.num_ws),
        }
        recommended = getattr(generator, "recommended", {}).get("drag", {})
        try:
            return cls.from_dict({**rule, **recommended})
        except ValueError as error:
            raise ValueError(
                f'generator.recommended["drag"] can\'t be used: {error} Without it, set '
                "generator.recommended = {}."
            ) from None


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
    preview : Tensor, shape [3, h, h]
        The picture of `ws` as far as the feature block, nominally in [-1, 1]; the whole picture
        if that is the last block. (Empty, [0, h, h], where blocks have no RGB of their own.)
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
        Positions (x, y) in pixels of the picture, pixel centres at +0.5, from 0 to H.
    mask : bool array_like, shape [H, H], optional
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
    block = _feature_block(generator, options)
    start = check_ws(generator, ws)
    size = generator.resolution
    checked_handles, checked_targets = check_pairs(handles, targets, size, like=start)
    outside = None if mask is None else 1 - check_mask(mask, size, like=start)
    # From here on it is an iterator, whose body first runs at the first `next`.
    return _iterate(generator, start, checked_handles, checked_targets, outside, block, options)


def _iterate(
    generator: Generator,
    start: Tensor,
    handles: Tensor,
    targets: Tensor,
    outside: Tensor | None,
    block: int,
    options: DragOptions,
) -> Iterator[DragStep]:
    resolution, layers = generator.resolution, options.movable_layers
    tolerance = options.tolerance or (1 if len(handles) <= 5 else 2)
    patch, window = disc(options.patch_radius), square(options.search_radius)
    adam = Adam(options.learning_rate)

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        ws = torch.cat([start[:layers] + offset, start[layers:]])
        image, features = generator.synthesis(ws[None], until=block, taps=(block,))
        return ws.detach(), image[0].detach(), features[block][0]

    def step(index: int, loss: float) -> DragStep:
        distances = (targets - points).norm(dim=1)
        done = bool((distances <= tolerance).all())
        return DragStep(ws, index, loss, done, points, targets, distances, preview)

    points = handles
    with _gradients():
        held = None
        if outside is not None and outside.any():
            weight = options.mask_weight * len(patch) / outside.numel()
            held = weight * sampling_weight(outside, block)
        # In W+ every movable row has an offset of its own, in W all rows share one.
        rows = 1 if options.space == "w" else layers
        offset = start.new_zeros(rows, generator.w_dim).requires_grad_()
        ws, preview, features = forward()
        first = features.detach()
        wanted = sample(first, handles, resolution)
    latest = step(0, 0.0)
    if latest.done:
        yield latest
    while not latest.done and latest.index < options.max_steps:
        with _gradients():
            # A handle that has arrived is left alone: d has length one however near the target
            # is, and would push it past. It counts again once tracking finds it astray.
            moving = latest.distances > tolerance
            loss = motion_supervision(features, points[moving], targets[moving], patch, resolution)
            if held is not None:
                loss = loss + change(features, first, held)
            (gradient,) = torch.autograd.grad(loss, offset)
            offset = (offset - adam.step(gradient)).detach().requires_grad_()
            ws, preview, features = forward()
            if not (loss.isfinite() and preview.isfinite().all() and features.isfinite().all()):
                raise EditDiverged(
                    f"the drag left the finite numbers in step {latest.index + 1} (loss "
                    f"{loss.item():g}); the step before is still good. Lower learning_rate, now "
                    f"{options.learning_rate:g}, and go on from there."
                )
            if options.tracking:
                points = track(features.detach(), wanted, points, window, resolution)
            latest = step(latest.index + 1, loss.item())
        yield latest


def motion_supervision(
    features: Tensor, points: Tensor, targets: Tensor, patch: Tensor, resolution: int
) -> Tensor:
    """First term of Eq. 1: how unlike each patch is to the one a pixel nearer to its target.

    Parameters
    ----------
    features : Tensor, shape [C, h, h]
    points, targets : Tensor, shape [P, 2]
        In pixels of the picture. Where both are the same there is nothing to move.
    patch : Tensor, shape [K, 2]
        Positions of the patch's pixels about its point. Those outside the picture don't count.
    resolution : int
        Height and width of the picture.

    Returns
    -------
    Tensor, a number; its gradient goes to the features read at q + d only.
    """
    direction = torch.nn.functional.normalize(targets - points, dim=1)  # zero remains zero
    pixels = points[:, None] + patch.to(points)
    here = sample(features.detach(), pixels, resolution)  # [P, K, C]
    ahead = sample(features, pixels + direction[:, None], resolution)
    return ((ahead - here).abs().sum(-1) * inside(pixels, resolution)).sum()


def change(features: Tensor, first: Tensor, weight: Tensor) -> Tensor:
    """Second term of Eq. 1: how far features [C, h, h] are from the first ones, weighted [h, h].

    With `sampling_weight` of some pixels this is the sum over them of |F - F0| resized. If the map
    is as large as the picture, that is exactly the sum over them of |F resized - F0 resized|; if
    it is smaller, it is never less than that, and the same wherever neighbouring cells change in
    the same sense. Nothing need be resized for it.
    """
    return ((features - first).abs().sum(0) * weight).sum()


def track(
    features: Tensor, wanted: Tensor, points: Tensor, window: Tensor, resolution: int
) -> Tensor:
    """Eq. 2: where, about each point, the features are nearest to those wanted.

    Parameters
    ----------
    features : Tensor, shape [C, h, h]
    wanted : Tensor, shape [P, C]
        Features of the first picture at the first handles.
    points : Tensor, shape [P, 2]
        Where the handles were last, in pixels of the picture.
    window : Tensor, shape [K, 2]
        Places to look at, about a point. The first of equals wins. Those outside the picture
        don't count.
    resolution : int
        Height and width of the picture.

    Returns
    -------
    Tensor, shape [P, 2]
    """
    places = points[:, None] + window.to(points)
    difference = (sample(features, places, resolution) - wanted[:, None]).abs().sum(-1)  # [P, K]
    difference = difference.masked_fill(~inside(places, resolution), math.inf)
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


@contextmanager
def _gradients() -> Iterator[None]:
    """Record gradients, even where the caller of `next` has turned that off."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def inside(points: Tensor, resolution: int) -> Tensor:
    """Which of the points [..., 2] lie in the picture."""
    return ((points >= 0) & (points <= resolution)).all(-1)


def _feature_block(generator: Generator, options: DragOptions) -> int:
    """The block to follow, once the options are known to fit the generator."""
    block = options.feature_block or min(128, generator.resolution // 2)
    if block not in generator.block_resolutions:
        raise ValueError(
            f"feature_block is {block}; this generator has {list(generator.block_resolutions)}."
        )
    if options.movable_layers > generator.num_ws:
        raise ValueError(
            f"movable_layers is {options.movable_layers}; this generator has {generator.num_ws} "
            "rows of ws."
        )
    return block
