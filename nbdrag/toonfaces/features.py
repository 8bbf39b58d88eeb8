"""Eyes with their brows, nose and mouth: the features of a portrait, painted and marked.

Each is placed on the head (`Head.place`), which tells where it lands and how narrow it looks there.
All take the factors `f` by name, [N, 1, 1] each, and the head coordinates x and y of every pixel,
[N, size, size]; paint on the canvas; and leave their landmarks in `marks`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nbdrag.toonfaces import colours
from nbdrag.toonfaces.canvas import Canvas, Head, Mark
from nbdrag.toonfaces.shapes import cone, ellipse, lens

EYE_LEVEL = -0.03  # of the frontal face, half image heights from its middle
MOUTH_LEVEL = 0.51  # as a fraction of face_height


def paint_eye(
    canvas: Canvas,
    f: dict[str, Tensor],
    head: Head,
    x: Tensor,
    y: Tensor,
    side: float,
    name: str,
    skin: Tensor,
    hair: Tensor,
    marks: dict[str, Mark],
) -> None:
    """Paint the eye at a `side` (-1 is left) and the brow above it, as parts called `name`."""
    cx, cy, narrow = head.place(side * f["eye_spacing"], EYE_LEVEL)
    half_width = f["eye_size"] * narrow
    up = f["eye_size"] * (0.12 + 0.62 * f["eye_opening"])
    low = f["eye_size"] * (0.06 + 0.34 * f["eye_opening"])
    px, py = x - cx, y - cy
    opening = lens(px, py, half_width, up, low)

    # A soft socket sets the eye into the face.
    socket = (-((px / (1.35 * half_width)).square() + ((py + 0.02) / 0.11).square())).exp()
    canvas.blend(socket.mul_(0.30), colours.shade(skin, 0.62))
    white = skin.new_tensor((0.95, 0.95, 0.93)).view(1, 3, 1, 1)
    canvas.paint(opening, white, f"{name}_sclera")

    gx, gy = f["gaze_x"] * half_width, f["gaze_y"] * f["eye_size"] - 0.012
    radius = 0.50 * f["eye_size"]
    disc = ellipse(px - gx, py - gy, radius * narrow, radius)
    iris = colours.along(colours.IRIS, f["eye_colour"].flatten())
    inside = torch.maximum(opening, disc)
    canvas.paint(inside, colours.shade(iris, 0.62), f"{name}_iris")
    canvas.tint(torch.maximum(opening, disc + 0.16 * radius), colours.shade(iris, 1.25))
    black = skin.new_tensor((-0.93, -0.93, -0.92)).view(1, 3, 1, 1)
    canvas.tint(torch.maximum(opening, disc + 0.55 * radius), black)
    glint = ellipse(px - gx + 0.3 * radius * narrow, py - gy + 0.34 * radius, 0.017, 0.019)
    canvas.tint(torch.maximum(opening, glint), torch.ones_like(black))

    # The lash line is the crescent between the upper lid and a slightly higher arc.
    lash = lens(px, py + 0.004, 1.12 * half_width, up + 0.016, -(up - 0.012))
    canvas.tint(lash, colours.shade(hair, 0.25))

    marks[f"{name}_eye_outer"] = Mark(cx + side * half_width, cy, narrow)
    marks[f"{name}_eye_inner"] = Mark(cx - side * half_width, cy, narrow)
    marks[f"{name}_eye_top"] = Mark(cx, cy - up, narrow)
    marks[f"{name}_eye_bottom"] = Mark(cx, cy + low, narrow)
    marks[f"{name}_iris"] = Mark(cx + gx, cy + gy, narrow, f"{name}_iris")

    bx, by, narrow = head.place(side * 1.03 * f["eye_spacing"], EYE_LEVEL - f["brow_height"], 0.01)
    half_width = 0.135 * narrow
    tilt = -side * f["brow_tilt"] / narrow
    arch, thick = 0.035, f["brow_thickness"]
    px, py = x - bx, y - by
    brow = lens(px, py - tilt * px, half_width, arch + thick, thick - arch)
    canvas.paint(brow, colours.shade(hair, 0.60), f"{name}_brow")
    for end, reach in (("outer", side * 0.9), ("peak", 0.0), ("inner", -side * 0.9)):
        along = reach * half_width
        rise = arch * (1 - reach * reach)
        marks[f"{name}_brow_{end}"] = Mark(bx + along, by + tilt * along - rise, narrow)


def paint_nose(
    canvas: Canvas,
    f: dict[str, Tensor],
    head: Head,
    x: Tensor,
    y: Tensor,
    skin: Tensor,
    marks: dict[str, Mark],
) -> None:
    """Paint the nose: a bridge, and the wings around its tip."""
    width = f["nose_width"]
    top_x, top_y, _ = head.place(torch.zeros_like(width), EYE_LEVEL - 0.01, 0.02)
    tip_x, tip_y, _ = head.place(torch.zeros_like(width), EYE_LEVEL + f["nose_length"], 0.10)
    bridge = cone(x, y, (top_x, top_y), (tip_x, tip_y), 0.020, 0.62 * width)
    wings = ellipse(x - tip_x, y - tip_y - 0.012, width, 0.66 * width)
    nose = torch.minimum(bridge, wings)
    # Lit from the left: the far flank is darker, the ridge lighter.
    flank = ((x - tip_x) / width).clamp(-1, 1)
    canvas.paint(nose, colours.shade(skin, (0.91 - 0.12 * flank)[:, None]), "nose")
    ridge = cone(x + 0.008, y, (top_x, top_y), (tip_x, tip_y), 0.006, 0.40 * width)
    canvas.tint(ridge, colours.shade(skin, 1.10), 0.7)
    under = lens(x - tip_x, y - tip_y - 0.45 * width, 0.98 * width, -0.10 * width, 0.42 * width)
    canvas.tint(torch.maximum(under, nose), colours.shade(skin, 0.60))

    marks["nose_bridge"] = Mark(top_x, top_y)
    marks["nose_tip"] = Mark(tip_x, tip_y)
    marks["nose_left"] = Mark(tip_x - 0.95 * width, tip_y + 0.012)
    marks["nose_right"] = Mark(tip_x + 0.95 * width, tip_y + 0.012)


def paint_mouth(
    canvas: Canvas,
    f: dict[str, Tensor],
    head: Head,
    x: Tensor,
    y: Tensor,
    skin: Tensor,
    marks: dict[str, Mark],
) -> None:
    """Paint the mouth: lips around what shows of teeth and tongue."""
    level = MOUTH_LEVEL * f["face_height"]
    cx, cy, narrow = head.place(torch.zeros_like(level), level, 0.02)
    half_width = f["mouth_width"] * narrow * (1 + 0.9 * f["smile"])
    open_up = 0.004 + 0.022 * f["mouth_open"]
    open_down = 0.005 + 0.135 * f["mouth_open"]
    # Raising the corners by `smile` is a lens whose two arcs both sag by as much.
    px, py = x - cx, y - cy + f["smile"]
    sag = f["smile"]
    upper, lower = open_up + 0.85 * f["lip_fullness"], open_down + f["lip_fullness"]
    lips = lens(px, py, 1.10 * half_width, upper - sag, lower + sag)
    rose = torch.lerp(
        colours.shade(skin, 0.72),
        skin.new_tensor((0.42, -0.52, -0.46)).view(1, 3, 1, 1),
        0.55,
    )
    canvas.paint(lips, rose, "lips")
    gleam = -(open_down + 0.3 * f["lip_fullness"])
    canvas.tint(
        lens(px, py, 0.62 * half_width, gleam - sag, lower - 0.010 + sag),
        colours.shade(rose, 1.22),
        0.55,
    )
    inner = lens(px, py, half_width, open_up - sag, open_down + sag)
    canvas.paint(inner, skin.new_tensor((-0.52, -0.86, -0.84)).view(1, 3, 1, 1), "inner_mouth")
    tongue = ellipse(px, py - sag - open_down, 0.62 * half_width, 0.45 * open_down + 0.004)
    canvas.tint(
        torch.maximum(tongue, inner), skin.new_tensor((0.45, -0.45, -0.42)).view(1, 3, 1, 1)
    )
    bite = 0.36 * (open_up + open_down) - 0.006
    teeth = lens(px, py, half_width, open_up - sag, bite - open_up + sag)
    canvas.tint(
        torch.maximum(teeth, inner + 0.002), skin.new_tensor((0.93, 0.93, 0.90)).view(1, 3, 1, 1)
    )

    marks["mouth_left"] = Mark(cx - half_width, cy - sag, narrow)
    marks["mouth_right"] = Mark(cx + half_width, cy - sag, narrow)
    marks["lip_top"] = Mark(cx, cy - upper, narrow)
    marks["lip_bottom"] = Mark(cx, cy + lower, narrow)
    marks["mouth_top"] = Mark(cx, cy - open_up, narrow)
    marks["mouth_bottom"] = Mark(cx, cy + open_down, narrow)
