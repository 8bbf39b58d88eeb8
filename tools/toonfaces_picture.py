"""Draw docs/images/toonfaces.png: portraits, their part labels and their landmarks."""

from __future__ import annotations

import colorsys
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from nbdrag.toonfaces import PARTS, Rendering, render, sample_factors

COLUMNS, SIZE = 8, 160


def main() -> None:
    """Write the picture beside the docs."""
    factors = sample_factors(2 * COLUMNS, generator=torch.Generator().manual_seed(3))
    rendering = render(factors, SIZE)
    pictures = to_bytes(rendering.image)
    sheet = Image.new("RGB", (COLUMNS * SIZE, 4 * SIZE))
    for i, picture in enumerate(pictures):
        sheet.paste(picture, (i % COLUMNS * SIZE, i // COLUMNS * SIZE))
    for i in range(COLUMNS):
        sheet.paste(part_map(rendering.labels[i]), (i * SIZE, 2 * SIZE))
        sheet.paste(with_landmarks(pictures[i], rendering, i), (i * SIZE, 3 * SIZE))
    path = Path(__file__).parent.parent / "docs" / "images" / "toonfaces.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    print(path)


def to_bytes(images: Tensor) -> list[Image.Image]:
    """[N, 3, H, W] in [-1, 1] to pictures."""
    pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in pixels]


def part_map(labels: Tensor) -> Image.Image:
    """One colour for each part."""
    wheel = [colorsys.hsv_to_rgb(i * 0.38 % 1, 0.55, 0.9) for i in range(len(PARTS))]
    palette = (torch.tensor(wheel) * 255).byte()
    return Image.fromarray(palette[labels.long()].numpy())


def with_landmarks(picture: Image.Image, rendering: Rendering, index: int) -> Image.Image:
    """Visible landmarks white, hidden ones dark."""
    marked = picture.copy()
    draw = ImageDraw.Draw(marked)
    shown = rendering.visible[index].tolist()
    for (x, y), visible in zip(rendering.landmarks[index].tolist(), shown, strict=True):
        box = (x - 2, y - 2, x + 2, y + 2)
        draw.ellipse(box, fill="white" if visible else "#402030", outline="black")
    return marked


if __name__ == "__main__":
    main()
