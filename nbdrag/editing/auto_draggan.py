"""Auto DragGAN: the latents of a drag are predicted, not optimised.

One look at picture and points, and a transformer tells the latents w_1 ... w_n that lead from the
picture to the answer (`nbdrag.editing.latent_predictor`); a second one keeps them where latents are
likely (`nbdrag.editing.latent_regularizer`). That takes as long as two pictures do.

What it was trained on, it can do: a way up to the predictor's reach. A longer one is cut into
*hops* of equal length. Each starts from the picture of the one before, with its handles where the
plan has them by then.

Part of what is told is no answer to the question: of handles that stay where they are, too, come
latents that lead away. That is taken off (`nbdrag.editing.latent_drift`).

How near a prediction comes is not in its hands: it never sees the picture that it makes. But
DragGAN can go on from there, with what is left of the way (`refine`): with several points, a few
steps bring them nearer. Handles are found again in the predicted picture first, by their features
in the first one.

With a mask, what is outside is kept by blending the features of both pictures, while predicted
(`nbdrag.editing.auto_draggan_blend`), and by DragGAN's loss, while refined.

References
----------
Cai et al., Auto DragGAN: Editing the Generative Image Manifold in an Autoregressive Manner,
MM 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nbdrag.editing import latent_drift
from nbdrag.editing.adam import Adam
from nbdrag.editing.auto_draggan_blend import blended
from nbdrag.editing.drag_options import DragOptions, feature_block, tolerance
from nbdrag.editing.draggan import Beginning, DragStep, iterate, square, track
from nbdrag.editing.features import sample
from nbdrag.editing.inputs import Array, check_mask, check_pairs, check_ws
from nbdrag.editing.latent_drift import Asked
from nbdrag.editing.latent_predictor import LatentPredictor, PredictorConfig
from nbdrag.editing.latent_predictor_file import check_predictor, predictor_of
from nbdrag.editing.options import number, switch
from nbdrag.generators.stylegan2 import Generator

APART = 1.0  # pixels that handles have to be apart, at least
# Refinement has a short way to go, on which gradients turn within a few steps. With means over as
# many gradients as usual, 0.9 and 0.999, Adam would still go where they used to point.
BETAS = (0.5, 0.99)


@dataclass(frozen=True)
class AutoDragOptions(DragOptions):
    """How to predict a drag. Those of DragGAN, which it inherits, are for the refinement.

    Attributes
    ----------
    refine : int, 0 to 10000
        At most so many steps of DragGAN follow. `max_steps` has no say.
    regularize : bool
        Whether predictions go through the Latent Regularizer: without, an ablation.
    steady : bool
        Whether what is predicted for handles that stay where they are is taken off each prediction
        (`nbdrag.editing.latent_drift`). Without, an ablation; or the paper's way, for a predictor
        that was trained so (``--steady 0``).
    """

    refine: int = number(
        0, "Refinement", 0, 10_000, 1, "So many steps of DragGAN follow the prediction."
    )
    regularize: bool = switch(True, "Regularise", "Keep predicted latents where they are likely.")
    steady: bool = switch(
        True, "Steady", "Take off what would be predicted for handles that stay where they are."
    )

    @classmethod
    def for_generator(cls, generator: Generator) -> AutoDragOptions:
        """Options that suit `generator`: DragGAN's, but for the learning rate; no refinement.

        That is twice DragGAN's: the few steps of a refinement are to do as much as they can, and on
        a way that short no handle gets lost.
        """
        suited = DragOptions.for_generator(generator)
        return cls(**{**vars(suited), "learning_rate": min(1.0, 2 * suited.learning_rate)})


def auto_drag(
    generator: Generator,
    ws: Tensor,
    handles: Array,
    targets: Array,
    mask: Array | None = None,
    options: AutoDragOptions | None = None,
    *,
    predictor: LatentPredictor | None = None,
) -> Iterator[DragStep]:
    """Move handle points to target points by a predicted sequence of latents (Auto DragGAN).

    Parameters
    ----------
    ws : Tensor, shape [num_ws, w_dim]
        Latent to start from; only its first rows change.
    handles, targets : array_like, shape [P, 2]
        Positions (x, y) in pixels of the picture, pixel centres at +0.5: x from 0 to W, y to H.
        Handles are at least a pixel apart. Their order doesn't matter.
    mask : bool array_like, shape [H, W], optional
        True where the picture may move. Default: everywhere. The preview of the last predicted
        step is the first picture outside it; `masked_picture` makes the whole picture likewise.
        Refinement holds the features there, as DragGAN does; its previews are the latent's alone.
    options : AutoDragOptions, optional
        Default: `AutoDragOptions.for_generator(generator)`, without refinement.
    predictor : LatentPredictor, optional
        Default: the one that comes with the package.

    Yields
    ------
    DragStep
        For each predicted latent, n for each hop, then for each step of the refinement. The loss
        of a predicted one is nought: nothing was optimised. Only the last of them has been looked
        at: its points are the handles found again about their targets. Before it, points are where
        they should be by then, and the preview is empty, [0, h, w]; to show one, make its picture.

    Raises
    ------
    ValueError
        At once: as `drag` does; if two handles are less than a pixel apart; or if there is no
        predictor for this generator, or the one given is another generator's.
    EditDiverged
        From a step of the refinement; earlier steps remain good.

    References
    ----------
    Cai et al., Auto DragGAN, MM 2024, Sec. 3.
    """
    options = AutoDragOptions.for_generator(generator) if options is None else options
    if not isinstance(options, AutoDragOptions):
        raise ValueError(
            f"options is a {type(options).__name__}; expected AutoDragOptions. Those that suit the "
            "generator, but for some: AutoDragOptions.for_generator(generator).updated({...})."
        )
    block = feature_block(generator, options)
    start = check_ws(generator, ws)
    size = (generator.height, generator.width)
    checked_handles, checked_targets = check_drag(generator, handles, targets, start)
    inside = None if mask is None else check_mask(mask, size, like=start)
    predictor = fitting_predictor(generator, predictor)
    return _iterate(
        generator, predictor, start, checked_handles, checked_targets, inside, block, options
    )


def _iterate(
    generator: Generator,
    predictor: LatentPredictor,
    start: Tensor,
    handles: Tensor,
    targets: Tensor,
    inside: Tensor | None,
    block: int,
    options: AutoDragOptions,
) -> Iterator[DragStep]:
    size = (generator.height, generator.width)
    near = tolerance(generator, options, len(handles))
    with torch.no_grad():
        blocks = {block, predictor.config.feature_block}
        first = generator.synthesis(start[None], until=max(blocks), taps=blocks).features
    told = predict(
        generator,
        predictor,
        start[None],
        [handles],
        [targets],
        regularize=options.regularize,
        steady=options.steady,
        features=first[predictor.config.feature_block],
    )[0]
    unseen = start.new_empty(0, block, block * generator.width // generator.height)
    for index, latent in enumerate(told[:-1], start=1):
        points = torch.lerp(handles, targets, index / len(told))
        distances = (targets - points).norm(dim=1)
        yield DragStep(latent, index, 0.0, False, points, targets, distances, unseen)
    latent = told[-1]
    with torch.no_grad():
        if inside is None:
            made = generator.synthesis(latent[None], until=block, taps=(block,))
        else:
            made = blended(generator, latent[None], start, inside, until=block)
    wanted, window = sample(first[block][0], handles, size), square(options.search_radius)
    points = track(made.features[block][0], wanted, targets, window, size)
    distances = (targets - points).norm(dim=1)
    done = bool((distances <= near).all())
    yield DragStep(latent, len(told), 0.0, done, points, targets, distances, made.image[0])
    if done or not options.refine:
        return
    outside = None if inside is None else 1 - inside
    beginning = Beginning(latent, points, handles, first[block][0])
    limited = replace(options, max_steps=options.refine)
    adam = Adam(options.learning_rate, BETAS)
    for step in iterate(generator, beginning, targets, outside, block, limited, adam):
        yield replace(step, index=len(told) + step.index)


def auto_drag_batch(
    generator: Generator,
    ws: Tensor,
    handles: Sequence[Array],
    targets: Sequence[Array],
    *,
    predictor: LatentPredictor | None = None,
    regularize: bool = True,
    steady: bool = True,
) -> Tensor:
    """Predict several drags at once, without previews: the quickest way from points to latents.

    Parameters
    ----------
    ws : Tensor, shape [N, num_ws, w_dim]
    handles, targets : sequence of N array_likes, shape [P, 2]
        P may differ from drag to drag.
    predictor
        As for `auto_drag`.
    regularize, steady
        As in `AutoDragOptions`.

    Returns
    -------
    Tensor, shape [N, steps, num_ws, w_dim]
        The predicted latents; ``[:, -1]`` are the answers. All have as many hops as the one that
        needs the most.

    Raises
    ------
    ValueError
        As `auto_drag` does, and if the numbers of latents and of drags differ.
    """
    if not isinstance(ws, Tensor) or ws.ndim != 3 or not len(ws) == len(handles) == len(targets):
        raise ValueError(
            f"ws has shape {list(getattr(ws, 'shape', []))}, and there are {len(handles)} sets of "
            f"handles and {len(targets)} of targets; expected ws of [N, num_ws, w_dim] and N each."
        )
    starts = torch.stack([check_ws(generator, each, f"ws[{i}]") for i, each in enumerate(ws)])
    pairs = [
        check_drag(generator, *each, like=starts) for each in zip(handles, targets, strict=True)
    ]
    predictor = fitting_predictor(generator, predictor)
    return predict(
        generator,
        predictor,
        starts,
        [each for each, _ in pairs],
        [each for _, each in pairs],
        regularize=regularize,
        steady=steady,
    )


def masked_picture(generator: Generator, ws: Tensor, origin: Tensor, mask: Array) -> Tensor:
    """Make the picture of a predicted latent, with the first picture outside the mask.

    Parameters
    ----------
    ws, origin : Tensor, shape [num_ws, w_dim]
        Latent of the drag's end, and of its start.
    mask : bool array_like, shape [H, W]
        True where the picture may differ from that of `origin`.

    Returns
    -------
    Tensor, shape [3, H, W], nominally in [-1, 1]

    Raises
    ------
    ValueError
        If a latent or the mask has another shape.
    """
    latent, first = check_ws(generator, ws), check_ws(generator, origin, "origin")
    inside = check_mask(mask, (generator.height, generator.width), like=latent)
    return blended(generator, latent[None], first, inside).image[0]


@torch.no_grad()
def predict(
    generator: Generator,
    predictor: LatentPredictor,
    ws: Tensor,
    handles: Sequence[Tensor],
    targets: Sequence[Tensor],
    *,
    regularize: bool = True,
    steady: bool = True,
    features: Tensor | None = None,
    drift: Tensor | None = None,
) -> Tensor:
    """Predict drags whose arguments have been checked: [N, hops * n, num_ws, w_dim].

    F_0 of all, `features`, need not be made if somebody has it; nor the `drift` that is taken off
    in the first hop.
    """
    config, like = predictor.config, predictor.w_mean
    begin, real = filled_up(handles)
    end, _ = filled_up(targets)
    count, block = hops(config, begin, end), config.feature_block
    told = []
    for hop in range(count):
        if features is None:
            features = generator.synthesis(ws, until=block, taps=(block,)).features[block]
        here, there = (torch.lerp(begin, end, (hop + i) / count).to(like) for i in (0, 1))
        asked = Asked(ws.to(like), features.to(like), here, there, real)
        if steady:
            sequence = latent_drift.steady(predictor, asked, regularize=regularize, drift=drift)
        else:
            sequence = predictor(*asked, regularize=regularize)
        told.append(sequence.to(ws))
        told[-1][:, :, config.movable :] = ws[:, None, config.movable :]  # not even rounded
        ws, features, drift = told[-1][:, -1], None, None
    return torch.cat(told, dim=1)


@torch.no_grad()
def drift(
    predictor: LatentPredictor,
    ws: Tensor,
    features: Tensor,
    handles: Sequence[Tensor],
    *,
    regularize: bool = True,
) -> Tensor:
    """What `predict` takes off in the first hop, to be told once if the same handles come again."""
    like = predictor.w_mean
    begin, real = filled_up(handles)
    points = begin.to(like)
    asked = Asked(ws.to(like), features.to(like), points, points, real)
    return latent_drift.drift(predictor, asked, regularize=regularize)


def hops(config: PredictorConfig, handles: Tensor, targets: Tensor) -> int:
    """How many hops it takes from handles to targets [..., P, 2], the longest way counting."""
    longest = float((targets - handles).norm(dim=-1).max())
    return max(1, math.ceil(longest / (config.reach * config.height)))


def filled_up(points: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Points [P, 2] of several drags, filled up to [N, P, 2], and which are real, [N, P]."""
    real = [each.new_ones(len(each), dtype=torch.bool) for each in points]
    together = torch.nn.utils.rnn.pad_sequence(list(points), batch_first=True)
    return together, torch.nn.utils.rnn.pad_sequence(real, batch_first=True)


def check_drag(
    generator: Generator, handles: Array, targets: Array, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Handles and targets [P, 2], the handles a pixel apart from each other."""
    size = (generator.height, generator.width)
    checked_handles, checked_targets = check_pairs(handles, targets, size, like)
    between = torch.cdist(checked_handles, checked_handles).triu(1)
    close = (between < APART) & torch.ones_like(between, dtype=torch.bool).triu(1)
    if close.any():
        one, other = close.nonzero()[0].tolist()
        raise ValueError(
            f"handles[{one}] and handles[{other}] are {between[one, other]:.2g} pixels apart; they "
            f"have to be {APART:g} or more apart. Remove one of them."
        )
    return checked_handles, checked_targets


def fitting_predictor(generator: Generator, predictor: LatentPredictor | None) -> LatentPredictor:
    """The predictor given, if it is this generator's, or the packaged one, on its device."""
    if predictor is None:
        predictor = predictor_of(generator)
    elif not isinstance(predictor, LatentPredictor):
        raise ValueError(
            f"predictor is a {type(predictor).__name__}; expected a LatentPredictor, as "
            "load_predictor(FILE, generator) gives."
        )
    else:
        check_predictor(predictor, generator)
    device = generator.w_avg.device
    # Asking costs nothing; moving what is there already would cost as much as a layer.
    return predictor if predictor.w_mean.device == device else predictor.to(device)
