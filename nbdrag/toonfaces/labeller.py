"""Labelling a toonface: which part every pixel shows, off the picture alone.

A small U-Net trained on renders, whose labels are exact. It stands in for the person who would sit
down and paint part maps of a generator's pictures: sixteen of them to train a segmenter with, and
hundreds more to see how good it has become.

It works at half the picture's size: four pixels in a square go in as one cell with all their
colours, and come out as one cell with all their labels.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle, pixel_unshuffle

from nbdrag.toonfaces.canvas import PARTS

LABELLER_SIZE = 128
WIDTHS = (32, 56, 80, 96)  # channels at a half, a quarter, an eighth and a sixteenth of the size
PACKAGED = Path(__file__).parent.parent / "assets" / "toonfaces-labeller.safetensors"


class Labeller(nn.Module):
    """Picture to logits. Call it under `torch.no_grad()` unless its gradient is wanted."""

    def __init__(self) -> None:
        super().__init__()
        finest, *coarser = WIDTHS
        self.start = nn.Sequential(_conv(12, finest), _conv(finest, finest))
        self.down = nn.ModuleList()
        self.across = nn.ModuleList()
        self.merge = nn.ModuleList()
        for outer, inner in zip(WIDTHS, coarser, strict=False):
            self.down.append(nn.Sequential(_conv(outer, inner, stride=2), _conv(inner, inner)))
            self.across.append(nn.Conv2d(inner, outer, 1))
            self.merge.append(_conv(outer, outer))
        self.end = nn.Conv2d(finest, 4 * len(PARTS), 1)

    def forward(self, image: Tensor) -> Tensor:
        """Label pictures.

        Parameters
        ----------
        image : Tensor, shape [N, 3, S, S]
            In [-1, 1]. Best at `LABELLER_SIZE`; S is a multiple of 16.

        Returns
        -------
        Tensor, shape [N, len(PARTS), S, S]
            Logits.

        Raises
        ------
        ValueError
            If the picture has another shape.
        """
        if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] % 16 or image.shape[3] % 16:
            raise ValueError(
                f"image has shape {tuple(image.shape)}; expected [N, 3, S, S], S a multiple of 16."
            )
        x = self.start(pixel_unshuffle(image, 2))
        passed = []
        for down in self.down:
            passed.append(x)
            x = down(x)
        for across, merge in zip(reversed(self.across), reversed(self.merge), strict=True):
            larger = interpolate(across(x), scale_factor=2, mode="bilinear")
            x = merge(passed.pop() + larger)
        logits: Tensor = pixel_shuffle(self.end(x), 2)
        return logits

    @torch.no_grad()
    def labels(self, image: Tensor) -> Tensor:
        """The likeliest part of every pixel, [N, S, S] uint8."""
        found = [self(rows).argmax(1).to(torch.uint8) for rows in image.split(32)]
        return torch.cat(found)


def load_labeller(path: Path | str = PACKAGED) -> Labeller:
    """Read the packaged weights, ready for use: float32, evaluation mode, no gradients."""
    labeller = Labeller()
    labeller.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return labeller.eval().requires_grad_(False)


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )
