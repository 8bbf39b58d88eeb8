"""What may vary in a toonface, and how far.

A portrait is described by a row of numbers in [0, 1], one per factor. The table below says what 0
and 1 mean in natural units. Pose, shift and scale stay small, as in an aligned photo collection:
a generator then spends its capacity on the face instead of on where the face is.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Factor(NamedTuple):
    """One axis of variation: its value is ``low + (high - low) * u`` for u in [0, 1]."""

    name: str
    low: float
    high: float
    meaning: str


# Lengths are in half image heights: the picture spans [-1, 1] from left to right and top to bottom.
FACTOR_TABLE: tuple[Factor, ...] = (
    Factor("yaw", -0.48, 0.48, "turn of the head, radians; positive towards the image's right"),
    Factor("pitch", -0.20, 0.20, "nod of the head, radians; positive looks down"),
    Factor("roll", -0.09, 0.09, "tilt of the head, radians; positive clockwise"),
    Factor("shift_x", -0.04, 0.04, "place of the head, to the right"),
    Factor("shift_y", -0.03, 0.03, "place of the head, downwards"),
    Factor("scale", 1.14, 1.26, "size of the head"),
    Factor("face_width", 0.405, 0.475, "half width of the head"),
    Factor("face_height", 0.55, 0.65, "from the middle of the head to the chin"),
    Factor("jaw", 0.10, 0.42, "how much the face narrows towards the chin"),
    Factor("skin_tone", 0.0, 1.0, "from light to dark"),
    Factor("blush", 0.05, 0.5, "redness of the cheeks"),
    Factor("hair_colour", 0.0, 1.0, "black, brown, auburn, ginger, blond, grey"),
    Factor("hair_shade", 0.8, 1.15, "brightness of the hair"),
    Factor("hair_length", 0.0, 1.0, "where the hair ends: above the ears to the shoulders"),
    Factor("hair_volume", 0.05, 0.13, "thickness of the hair around the skull"),
    Factor("fringe", 0.30, 0.50, "from the middle of the head up to the hairline"),
    Factor("parting", -0.20, 0.20, "slope of the hairline; positive: lower on the right"),
    Factor("ear_size", 0.085, 0.125, "half height of an ear"),
    Factor("eye_size", 0.105, 0.14, "half width of an eye"),
    Factor("eye_spacing", 0.185, 0.225, "from the middle of the face to the middle of an eye"),
    Factor("eye_opening", 0.04, 1.0, "from nearly shut to wide open"),
    Factor("eye_colour", 0.0, 1.0, "brown, hazel, green, blue, grey"),
    Factor("gaze_x", -0.42, 0.42, "shift of the irises, in half widths of an eye"),
    Factor("gaze_y", -0.16, 0.16, "shift of the irises, in half widths of an eye"),
    Factor("brow_height", 0.13, 0.20, "from an eye up to its brow"),
    Factor("brow_tilt", -0.30, 0.30, "slope of the brows; positive: inner ends down, stern"),
    Factor("brow_thickness", 0.014, 0.030, "half thickness of the brows"),
    Factor("nose_length", 0.13, 0.19, "from between the eyes to the tip of the nose"),
    Factor("nose_width", 0.040, 0.065, "half width of the tip of the nose"),
    Factor("smile", -0.045, 0.085, "how far the corners of the mouth rise"),
    Factor("mouth_open", 0.0, 1.0, "from shut to wide open"),
    Factor("mouth_width", 0.125, 0.175, "half width of the mouth"),
    Factor("lip_fullness", 0.020, 0.042, "thickness of the lips"),
    Factor("shirt_hue", 0.0, 0.85, "colour of the shirt: red, green, blue, purple"),
    Factor("shirt_shade", 0.45, 0.85, "brightness of the shirt"),
    Factor("background_hue", 0.0, 0.85, "colour of the wall: red, green, blue, purple"),
    Factor("background_shade", 0.45, 0.80, "brightness of the wall"),
)

FACTORS: tuple[str, ...] = tuple(factor.name for factor in FACTOR_TABLE)


def sample_factors(n: int, *, generator: torch.Generator | None = None) -> Tensor:
    """Draw `n` portraits' factors, independent and uniform.

    Parameters
    ----------
    n : int
        How many.
    generator : torch.Generator, optional
        Source of randomness; give a seeded one to repeat the draw.

    Returns
    -------
    Tensor, shape [n, len(FACTORS)], float32, values in [0, 1]
    """
    if n < 0:
        raise ValueError(f"n is {n}; ask for 0 or more portraits.")
    return torch.rand(n, len(FACTORS), generator=generator)


def natural_values(factors: Tensor) -> dict[str, Tensor]:
    """Map rows of [0, 1] to natural units, one [N] tensor per factor name.

    Raises
    ------
    ValueError
        If `factors` isn't a finite floating tensor of shape [N, len(FACTORS)] within [0, 1].
    """
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(
            f"factors has shape {tuple(factors.shape)}; expected [N, {len(FACTORS)}], "
            "one column per name in toonfaces.FACTORS."
        )
    if not factors.is_floating_point():
        raise ValueError(f"factors has dtype {factors.dtype}; expected a floating one.")
    if factors.numel() and not bool(((factors >= 0) & (factors <= 1)).all()):
        row, column = ((factors >= 0) & (factors <= 1)).logical_not().nonzero()[0].tolist()
        raise ValueError(
            f"factors[{row}] has {FACTORS[column]} = {factors[row, column].item():g}; "
            "every factor lies in [0, 1]."
        )
    return {f.name: f.low + (f.high - f.low) * factors[:, i] for i, f in enumerate(FACTOR_TABLE)}
