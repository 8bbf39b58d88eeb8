"""Drawing a portrait from its factors: a head in 3D, painted from back to front.

The skull is an ellipsoid. A feature is given where it sits on a frontal face, lifted onto the
ellipsoid, turned by yaw and pitch, and drawn where it lands, foreshortened by the slope of the
surface there. So a turning head shifts the nose more than the eyes, and narrows the far eye.

Here are the head, its hair and what is around it; `features.py` has eyes, nose and mouth, and
`canvas.py` what all of them are painted on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from nbdrag.toonfaces import colours
from nbdrag.toonfaces.canvas import PARTS, Canvas, Head, Mark
from nbdrag.toonfaces.factors import natural_values
from nbdrag.toonfaces.features import paint_eye, paint_mouth, paint_nose
from nbdrag.toonfaces.shapes import ellipse, rounded_box

# "left" and "right" are those of the picture, not of the person in it.
LANDMARKS: tuple[str, ...] = (
    "chin",
    "left_jaw",
    "right_jaw",
    "hairline",
    "left_ear",
    "right_ear",
    "left_brow_outer",
    "left_brow_peak",
    "left_brow_inner",
    "right_brow_inner",
    "right_brow_peak",
    "right_brow_outer",
    "left_eye_outer",
    "left_eye_top",
    "left_eye_inner",
    "left_eye_bottom",
    "left_iris",
    "right_eye_inner",
    "right_eye_top",
    "right_eye_outer",
    "right_eye_bottom",
    "right_iris",
    "nose_bridge",
    "nose_tip",
    "nose_left",
    "nose_right",
    "mouth_left",
    "mouth_right",
    "lip_top",
    "lip_bottom",
    "mouth_top",
    "mouth_bottom",
)

CROWN = 0.56  # from the middle of the head to the top of the skull, half image heights
HEAD_LEVEL = -0.02  # the middle of the head in the picture
PIXELS_AT_ONCE = 1 << 17  # a chunk whose planes stay in the processor's cache


class Rendering(NamedTuple):
    """Portraits and the truth about them.

    image : [N, 3, size, size], in [-1, 1]
    labels : [N, size, size] uint8, indices into PARTS
    landmarks : [N, len(LANDMARKS), 2], (x, y) in pixels, pixel centres at +0.5
    visible : [N, len(LANDMARKS)] bool; False where turned away, covered or outside the picture
    """

    image: Tensor
    labels: Tensor
    landmarks: Tensor
    visible: Tensor


def render(factors: Tensor, size: int) -> Rendering:
    """Draw portraits.

    Parameters
    ----------
    factors : Tensor, shape [N, len(FACTORS)], values in [0, 1]
        See `FACTOR_TABLE` for what they mean. The picture has their dtype and device.
    size : int
        Height and width in pixels, 8 or more.

    Raises
    ------
    ValueError
        If `factors` has another shape or values outside [0, 1], or `size` is below 8.
    """
    if size < 8:
        raise ValueError(f"size is {size}; a face needs at least 8 pixels.")
    chunk = max(1, PIXELS_AT_ONCE // size**2)
    natural_values(factors)  # judges all rows before any is drawn
    drawn = [_render(rows, size) for rows in factors.split(chunk)]
    if not drawn or not len(factors):
        drawn = [_render(factors, size)]
    return Rendering(*(torch.cat(parts) for parts in zip(*drawn, strict=True)))


def _render(factors: Tensor, size: int) -> Rendering:
    n = len(factors)
    f = {name: value[:, None, None] for name, value in natural_values(factors).items()}
    axis = (torch.arange(size, dtype=factors.dtype, device=factors.device) + 0.5) * (2 / size) - 1
    across, down = axis[None, None, :], axis[None, :, None]

    # Head coordinates: the origin in the middle of the head, level with the ears, upright.
    cos, sin = f["roll"].cos(), f["roll"].sin()
    away_x, away_y = across - f["shift_x"], down - f["shift_y"] - HEAD_LEVEL
    x = (away_x * cos + away_y * sin) / f["scale"]
    y = (away_y * cos - away_x * sin) / f["scale"]
    head = Head(
        f["face_width"],
        f["face_height"] + 0.04 * f["mouth_open"],
        f["yaw"].sin(),
        f["yaw"].cos(),
        f["pitch"].sin(),
        f["pitch"].cos(),
    )

    canvas = Canvas(
        _wall(f, across, down),
        torch.zeros(n, size, size, dtype=torch.uint8, device=factors.device),
        size / 2 * f["scale"],
    )
    marks: dict[str, Mark] = {}
    skin = colours.along(colours.SKIN, f["skin_tone"].flatten())
    hair = colours.shade(
        colours.along(colours.HAIR, f["hair_colour"].flatten()), f["hair_shade"][:, None]
    )
    _paint_back_of_hair(canvas, f, head, x, y, hair)
    _paint_body(canvas, f, across - 0.6 * f["shift_x"], down, skin)
    _paint_face(canvas, f, head, x, y, skin, marks)
    for side, name in ((-1.0, "left"), (1.0, "right")):
        paint_eye(canvas, f, head, x, y, side, name, skin, hair, marks)
    paint_nose(canvas, f, head, x, y, skin, marks)
    paint_mouth(canvas, f, head, x, y, skin, marks)
    _paint_front_of_hair(canvas, f, head, x, y, hair, marks)

    landmarks = torch.stack(list(_to_pixels(marks, f, cos, sin, size)), dim=1)
    return Rendering(
        canvas.image.clamp(-1, 1),
        canvas.labels,
        landmarks,
        _visibility(marks, landmarks, canvas.labels),
    )


def _wall(f: dict[str, Tensor], across: Tensor, down: Tensor) -> Tensor:
    """A plain wall, lit from the upper left."""
    colour = colours.hsv(f["background_hue"].flatten(), 0.32, f["background_shade"].flatten())
    light = 1.0 - 0.07 * across - 0.13 * down
    return colours.shade(colour, light[:, None])


def _paint_body(canvas: Canvas, f: dict[str, Tensor], x: Tensor, y: Tensor, skin: Tensor) -> None:
    neck = rounded_box(x, y - 0.62, 0.20, torch.full_like(x, 0.34), 0.04)
    canvas.paint(neck, colours.shade(skin, 0.80), "neck")
    # The head's shadow on the neck: deepest right under the chin.
    canvas.tint(torch.maximum(neck, y - 0.76), colours.shade(skin, 0.62), 0.55)
    shoulders = ellipse(x, y - 1.30, 0.92, 0.48)
    neckline = ellipse(x, y - 0.80, 0.245, 0.13)
    cloth = colours.hsv(f["shirt_hue"].flatten(), 0.55, f["shirt_shade"].flatten())
    shirt = torch.maximum(shoulders, -neckline)
    canvas.paint(shirt, colours.shade(cloth, (1.12 - 0.25 * x.abs())[:, None]), "shirt")
    canvas.tint(torch.maximum(shirt, neckline - 0.035), colours.shade(cloth, 0.72))


def _outline(head: Head, f: dict[str, Tensor], x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Signed distance to the face's outline, and the radius: 0 in the middle, 1 at the edge."""
    v = torch.where(y < 0, y / CROWN, y / head.half_height)
    half_width, middle = _jaw(head, f, v.clamp(0, 1))
    u = (x - middle) / half_width
    # A square term fills the cheeks a little more than an ellipse would.
    radius = (u * u + v * v - 0.22 * u * u * v * v.abs()).clamp_min(0).sqrt()
    slope = torch.hypot(u / half_width, v / torch.where(y < 0, CROWN, head.half_height))
    return (radius - 1) * radius.clamp_min(1e-3) / slope.clamp_min(1e-3), radius


def _jaw(head: Head, f: dict[str, Tensor], v: Tensor) -> tuple[Tensor, Tensor]:
    """Half width and middle of the face at height `v` below the ears (1 is the chin)."""
    square = v * v
    return head.half_width * (1 - f["jaw"] * square), 0.30 * head.sin_yaw * square


def _paint_face(
    canvas: Canvas,
    f: dict[str, Tensor],
    head: Head,
    x: Tensor,
    y: Tensor,
    skin: Tensor,
    marks: dict[str, Mark],
) -> None:
    outline, radius = _outline(head, f, x, y)
    light = 1.05 - 0.10 * x - 0.20 * (radius.square() * radius).clamp_max(1.3)
    canvas.paint(outline, colours.shade(skin, light[:, None]), "skin")

    # An ear shows outside the outline, and the nearer one ever more of itself as the head turns.
    for side, name in ((-1.0, "left_ear"), (1.0, "right_ear")):
        nearer = (-side * head.sin_yaw).clamp_min(0) * 0.16
        farther = (side * head.sin_yaw).clamp_min(0) * 0.10
        centre = side * (head.half_width + 0.022 - 0.75 * nearer - farther)
        level = 0.06 + 0.5 * head.half_width * head.sin_pitch * -1
        whole = ellipse(x - centre, y - level, 0.058, f["ear_size"])
        ear = torch.maximum(whole, -outline - nearer)
        canvas.paint(ear, colours.shade(skin, 0.90), name)
        inner = ellipse(x - centre - side * 0.008, y - level, 0.028, f["ear_size"] * 0.6)
        canvas.tint(torch.maximum(inner, ear), colours.shade(skin, 0.68))
        marks[name] = Mark(centre + side * 0.036, level, None, name)

    rosy = torch.tensor((1.0, -0.25, -0.30), dtype=x.dtype, device=x.device).view(1, 3, 1, 1)
    for side in (-1.0, 1.0):
        cx, cy, narrow = head.place(side * 0.235, 0.17)
        glow = (-(((x - cx) / (0.11 * narrow)).square() + ((y - cy) / 0.085).square())).exp()
        canvas.blend(glow * (f["blush"] * 0.55) * (outline < 0), rosy)

    one = torch.ones_like(head.half_width)
    _, lowest = _jaw(head, f, one)
    marks["chin"] = Mark(lowest, 0.955 * head.half_height)
    half_width, middle = _jaw(head, f, 0.6 * one)
    for side, name in ((-1.0, "left_jaw"), (1.0, "right_jaw")):
        marks[name] = Mark(middle + side * 0.79 * half_width, 0.6 * head.half_height)


def _dome(x: Tensor, y: Tensor, half_width: Tensor, height: Tensor) -> tuple[Tensor, Tensor]:
    """Half an ellipse standing on endless vertical walls: signed distance, and radius."""
    u, v = x / half_width, y.clamp_max(0) / height
    radius = (u * u + v * v).sqrt()
    slope = torch.hypot(u / half_width, v / height)
    return (radius - 1) * radius.clamp_min(1e-3) / slope.clamp_min(1e-3), radius


def _hair_ends(f: dict[str, Tensor]) -> Tensor:
    """How far down the hair reaches, in head coordinates."""
    return -0.06 + 0.90 * f["hair_length"]


def _paint_back_of_hair(
    canvas: Canvas, f: dict[str, Tensor], head: Head, x: Tensor, y: Tensor, hair: Tensor
) -> None:
    bottom = _hair_ends(f)
    middle, reach = (bottom - 0.3) / 2, (bottom + 0.3) / 2
    half_width = head.half_width + 0.85 * f["hair_volume"]
    back = rounded_box(x + 0.03 * head.sin_yaw, y - middle, half_width, reach, 0.10)
    canvas.paint(back, colours.shade(hair, 0.68), "hair")


def _paint_front_of_hair(
    canvas: Canvas,
    f: dict[str, Tensor],
    head: Head,
    x: Tensor,
    y: Tensor,
    hair: Tensor,
    marks: dict[str, Mark],
) -> None:
    volume = f["hair_volume"]
    dome, radius = _dome(x + 0.03 * head.sin_yaw, y, head.half_width + volume, CROWN + volume)
    # The face shows through a window in the hair, which turns with the head.
    sill = 0.20
    window_x = 0.62 * head.half_width * head.sin_yaw
    window_y = sill + 0.5 * head.half_width * head.sin_pitch
    height = f["fringe"] + sill
    px, py = x - window_x, y - window_y
    window, _ = _dome(px, py - f["parting"] * px, 0.88 * head.half_width, height)
    window = torch.maximum(window, dome + 0.055)  # some hair is left all around, however turned
    side_ends = _hair_ends(f) - 0.06 + 0.3 * (x.abs() - 0.45)
    front = torch.maximum(torch.maximum(dome, -window), y - side_ends)
    gloss = 0.26 * (-((radius - 0.76) / 0.10).square()).exp() * (0.5 - 2 * y).clamp(0, 1)
    strands = 0.05 * torch.sin(24 * x / (y + 1.5))
    canvas.paint(front, colours.shade(hair, (0.97 + gloss + strands)[:, None]), "hair")
    marks["hairline"] = Mark(window_x, window_y - height + 0.02)


def _to_pixels(
    marks: dict[str, Mark], f: dict[str, Tensor], cos: Tensor, sin: Tensor, size: int
) -> Iterator[Tensor]:
    """Landmarks from head coordinates to (x, y) in pixels, in the order of LANDMARKS."""
    for name in LANDMARKS:
        x, y = marks[name].x, marks[name].y
        across = (x * cos - y * sin) * f["scale"] + f["shift_x"]
        down = (x * sin + y * cos) * f["scale"] + f["shift_y"] + HEAD_LEVEL
        yield torch.cat([across.flatten(1), down.flatten(1)], dim=1).add(1).mul(size / 2)


def _visibility(marks: dict[str, Mark], landmarks: Tensor, labels: Tensor) -> Tensor:
    """Facing us, inside the picture, and not covered: read off the labels themselves."""
    size = labels.shape[-1]
    column, row = landmarks.floor().long().clamp(0, size - 1).unbind(-1)
    shown = labels[torch.arange(len(labels), device=labels.device)[:, None], row, column]
    inside = ((landmarks >= 0) & (landmarks < size)).all(-1)
    visible = []
    for i, name in enumerate(LANDMARKS):
        mark = marks[name]
        part = shown[:, i]
        seen = part == PARTS.index(mark.part) if mark.part else part != PARTS.index("hair")
        if mark.facing is not None:
            seen = seen & (mark.facing.flatten() > 0.15)
        visible.append(seen & inside[:, i])
    return torch.stack(visible, dim=1)
