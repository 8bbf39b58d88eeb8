"""Reading a toonface: landmarks, their visibility and all factors, off the picture alone.

A small network trained on renders, whose truth is exact. It stands in for the face-landmark
detectors with which drag editing is measured on photographs: on pictures a generator made there
is no other way to know where the corner of a mouth is.

Landmarks are read as heat maps, one for each, on a grid of quarter resolution. The position is the
map's mean (soft-argmax), so it is finer than the grid; the confidence is the share of the map
within `SURE_RADIUS` of that mean, near 1 for a clean feature and low where it is smeared,
missing or doubled.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu, softplus

from nbdrag.toonfaces.factors import FACTORS
from nbdrag.toonfaces.portrait import LANDMARKS

READER_SIZE = 128
GRID = 32  # heat maps have GRID x GRID cells
SURE_RADIUS = 1.5  # in cells: 6 pixels of a 128-pixel picture
PACKAGED = Path(__file__).parent.parent / "assets" / "toonfaces-reader.safetensors"


class Reading(NamedTuple):
    """What was read off N pictures.

    landmarks : [N, len(LANDMARKS), 2], (x, y) in pixels of the picture given
    confidence : [N, len(LANDMARKS)], in [0, 1]
    visible : [N, len(LANDMARKS)], probability that the landmark shows
    factors : [N, len(FACTORS)], about [0, 1]
    features : [N, FEATURES], for distances between sets of pictures (FID, precision, recall)
    heat : [N, len(LANDMARKS), GRID * GRID], logarithm of each heat map
    """

    landmarks: Tensor
    confidence: Tensor
    visible: Tensor
    factors: Tensor
    features: Tensor
    heat: Tensor


FEATURES = 128


class Reader(nn.Module):
    """Picture to `Reading`. Call it under `torch.no_grad()` unless its gradient is wanted."""

    def __init__(self) -> None:
        super().__init__()
        self.to_64 = _conv(3, 16, stride=2)
        self.to_32 = nn.Sequential(_conv(16, 40, stride=2), _conv(40, 40))
        self.to_16 = nn.Sequential(_conv(40, 72, stride=2), _conv(72, 72))
        self.to_8 = nn.Sequential(_conv(72, 112, stride=2), _conv(112, 112))
        self.to_4 = nn.Sequential(_conv(112, FEATURES, stride=2), _conv(FEATURES, FEATURES))
        self.up_8 = nn.Conv2d(FEATURES, 112, 1)
        self.up_16 = nn.Conv2d(112, 72, 1)
        self.up_32 = nn.Conv2d(72, 40, 1)
        self.refine = nn.Sequential(_conv(40, 48), nn.Conv2d(48, len(LANDMARKS), 1))
        self.squeeze = nn.Linear(FEATURES * 16, FEATURES)
        self.factors = nn.Linear(FEATURES, len(FACTORS))
        self.visible = nn.Linear(FEATURES, len(LANDMARKS))

    def forward(self, image: Tensor) -> Reading:
        """Read pictures [N, 3, H, W] in [-1, 1], square, of any size."""
        if image.ndim != 4 or image.shape[1] != 3 or image.shape[2] != image.shape[3]:
            raise ValueError(f"image has shape {tuple(image.shape)}; expected [N, 3, S, S].")
        size = image.shape[-1]
        if size != READER_SIZE:
            image = interpolate(
                image, size=(READER_SIZE, READER_SIZE), mode="bilinear", antialias=True
            )
        at_32 = self.to_32(self.to_64(image))
        at_16 = self.to_16(at_32)
        at_8 = self.to_8(at_16)
        at_4 = self.to_4(at_8)
        features = leaky_relu(self.squeeze(at_4.flatten(1)), 0.2)

        fine = leaky_relu(at_8 + _double(self.up_8(at_4)), 0.2)
        fine = leaky_relu(at_16 + _double(self.up_16(fine)), 0.2)
        fine = leaky_relu(at_32 + _double(self.up_32(fine)), 0.2)
        heat = self.refine(fine).flatten(2).log_softmax(-1)
        mean, sure = _mean_and_share(heat.exp())
        return Reading(
            landmarks=mean * (size / GRID),
            confidence=sure,
            visible=self.visible(features).sigmoid(),
            factors=self.factors(features),
            features=features,
            heat=heat,
        )


def load_reader(path: Path | str = PACKAGED) -> Reader:
    """Read the packaged weights, ready for use: float32, evaluation mode, no gradients."""
    reader = Reader()
    weights = {name: value.float() for name, value in load_file(path).items()}
    reader.load_state_dict(weights)
    return reader.eval().requires_grad_(False)


def reading_loss(reading: Reading, landmarks: Tensor, visible: Tensor, factors: Tensor) -> Tensor:
    """What training minimises; `landmarks` in pixels of a READER_SIZE picture.

    Cross-entropy of each heat map with a Gaussian of one cell around the truth keeps the maps
    single-peaked and their spread meaningful; L1 on the mean makes it exact. Hidden landmarks
    count a quarter: where they are can be guessed, and no more.
    """
    weight = torch.where(visible, 1.0, 0.25)
    cells = landmarks * (GRID / READER_SIZE)
    # A landmark off the grid has no cell to be in.
    weight = weight * ((cells >= 0) & (cells <= GRID)).all(-1)
    wanted = (-_squared_distance(cells) / 2).softmax(-1)
    entropy = -(wanted * reading.heat).sum(-1)
    offset = (reading.landmarks - landmarks).abs().sum(-1)
    by_landmark = (entropy + 0.5 * offset) * weight
    logits = torch.logit(reading.visible, 1e-6)
    visibility = softplus(torch.where(visible, -logits, logits))
    guesses = (reading.factors - factors).abs()
    return by_landmark.mean() + visibility.mean() + 10 * guesses.mean()


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(0.2),
    )


def _double(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2, mode="bilinear")


def _squared_distance(cells: Tensor) -> Tensor:
    """Squared distance from each cell's centre to points [..., 2]: [..., GRID * GRID]."""
    axis = torch.arange(GRID, dtype=cells.dtype, device=cells.device) + 0.5
    dx = (axis - cells[..., 0:1]).square()
    dy = (axis - cells[..., 1:2]).square()
    return (dy[..., :, None] + dx[..., None, :]).flatten(-2)


def _mean_and_share(heat: Tensor) -> tuple[Tensor, Tensor]:
    """Mean position of heat maps, in cells, and the share of heat near it."""
    axis = torch.arange(GRID, dtype=heat.dtype, device=heat.device) + 0.5
    grid = heat.unflatten(-1, (GRID, GRID))
    mean = torch.stack([(grid.sum(-2) * axis).sum(-1), (grid.sum(-1) * axis).sum(-1)], dim=-1)
    near = _squared_distance(mean.detach()) <= SURE_RADIUS**2
    return mean, (heat * near).sum(-1)
