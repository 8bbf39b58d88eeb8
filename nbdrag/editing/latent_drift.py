"""What a Latent Predictor tells without being asked, and how to take it off.

Of handles that stay where they are, too, come latents that lead away from w_0. This *drift* depends
on picture and handles, and is known, as one only has to ask. Taken off each latent,

    w_i = w_0 + (told for the targets - told for the handles as their own targets),

a drag of no length changes nothing. This is ours; the paper leaves the drift in.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from nbdrag.editing.latent_predictor import LatentPredictor


class Asked(NamedTuple):
    """Drags to be told: what `LatentPredictor.forward` takes.

    Attributes
    ----------
    ws : Tensor, shape [B, num_ws, w_dim]
    features : Tensor, shape [B, channels, h, w], or [B / K, channels, h, w]
    handles, targets : Tensor, shape [B, P, 2]
    real : Tensor, shape [B, P], bool
    """

    ws: Tensor
    features: Tensor
    handles: Tensor
    targets: Tensor
    real: Tensor


def steady(
    predictor: LatentPredictor,
    asked: Asked,
    *,
    regularize: bool = True,
    drift: Tensor | None = None,
) -> Tensor:
    """Tell the latents of drags, less the drift: where nothing is to move, w_0 stays.

    Parameters
    ----------
    regularize : bool
        As for `LatentPredictor.forward`.
    drift : Tensor, shape [B, steps, num_ws, w_dim], optional
        That of the same handles, if it is known: targets have no say in it.

    Returns
    -------
    Tensor, shape [B, steps, num_ws, w_dim]
        w_1, ..., w_n.
    """
    if drift is None:
        led, drift = led_and_drift(predictor, asked, regularize=regularize)
    else:
        led = predictor(*asked, regularize=regularize)
    return led - drift


def led_and_drift(
    predictor: LatentPredictor, asked: Asked, *, regularize: bool = True
) -> tuple[Tensor, Tensor]:
    """Tell the latents of drags, drift and all, and the drift: both [B, steps, num_ws, w_dim]."""
    # One batch of each drag and the same of no length is quicker than one after the other.
    ends = torch.stack([asked.targets, asked.handles], dim=1).flatten(0, 1)
    ws, handles, real = (
        each.repeat_interleave(2, dim=0) for each in (asked.ws, asked.handles, asked.real)
    )
    told = predictor(ws, asked.features, handles, ends, real, regularize=regularize)
    led, stayed = told.unflatten(0, (-1, 2)).unbind(1)
    return led, stayed - asked.ws[:, None]


def drift(predictor: LatentPredictor, asked: Asked, *, regularize: bool = True) -> Tensor:
    """Tell the drift alone, [B, steps, num_ws, w_dim]; targets have no say in it."""
    stayed = predictor(*asked._replace(targets=asked.handles), regularize=regularize)
    return stayed - asked.ws[:, None]
