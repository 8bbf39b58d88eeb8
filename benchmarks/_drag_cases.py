"""What ways of dragging are measured on: landmarks to move, and pictures to reconstruct."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmarks.drag_accuracy import CHOSEN, SURE, head_mask
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces.reader import Reader
from nbdrag.training.flow import describe, flow, flow_blocks

TRUNCATION = 0.7
LEAST = 10  # sure landmarks that both portraits of a case show, at least
APART = 1.0  # pixels between handles; one method needs that, so all get it
FLOW_POINTS = 32
MOVABLE = 6


@dataclass(frozen=True, eq=False)
class Case:
    """One wish, and how to tell whether it was granted.

    Attributes
    ----------
    ws : Tensor, shape [num_ws, w_dim]
    image : Tensor, shape [1, 3, H, W]
        Its picture.
    handles, targets : Tensor, shape [P, 2]
    mask : Tensor, shape [H, W], bool, or None
    landmarks : Tensor, shape [P], or None
        Which landmark each handle is.
    answer : Tensor, shape [1, 3, H, W], or None
        The picture that was asked for.
    """

    ws: Tensor
    image: Tensor
    handles: Tensor
    targets: Tensor
    mask: Tensor | None = None
    landmarks: Tensor | None = None
    answer: Tensor | None = None


@torch.no_grad()
def landmark_case(generator: Generator, reader: Reader, seed: int, count: int | None) -> Case:
    """Landmarks of a portrait, to be dragged to where another has them; None stands for all.

    Portraits depend on the seed alone. Seeds whose portraits show too few sure landmarks in common
    are passed over for the next.
    """
    random = torch.Generator().manual_seed(seed)
    while True:
        z = torch.randn(2, generator.z_dim, generator=random)
        ws = generator.mapping(z, truncation=TRUNCATION)
        image = generator.synthesis(ws).image
        reading = reader(image)
        sure = ((reading.confidence > SURE) & (reading.visible > SURE)).all(0)
        choices = torch.tensor([i for i in CHOSEN if sure[i]])
        if len(choices) >= LEAST:
            break
    order = choices[torch.randperm(len(choices), generator=random)]
    chosen = apart(reading.landmarks[0], order)[:count]
    handles, targets = reading.landmarks[:, chosen]
    mask = head_mask(reading.landmarks.flatten(0, 1), generator.resolution)
    return Case(ws[0], image[:1], handles, targets, mask, landmarks=chosen)


def apart(places: Tensor, order: Tensor) -> Tensor:
    """Those of the places [L, 2], in order, that are no nearer than a pixel to one before."""
    kept: list[int] = []
    for i in order.tolist():
        if all(math.dist(places[i].tolist(), places[j].tolist()) >= APART for j in kept):
            kept.append(i)
    return torch.tensor(kept)


@torch.no_grad()
def reconstruction_case(generator: Generator, seed: int) -> Case:
    """A picture, and 32 points of the flow to another one, which is to be made from them.

    The other one's latent is that of the first, led towards a third one's in its first rows, by
    a share of the way between a quarter and all of it.
    """
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(2, generator.z_dim, generator=random)
    ws, other = generator.mapping(z, truncation=TRUNCATION)
    share = 0.25 + 0.75 * torch.rand((), generator=random)
    led = ws.clone()
    led[:MOVABLE] += share * (other - ws)[:MOVABLE]
    blocks, size = flow_blocks(generator), (generator.height, generator.width)
    made = generator.synthesis(torch.stack([ws, led]), taps=blocks)
    first, last = describe(made.features, blocks)
    corner = torch.tensor([generator.width, generator.height])
    points = torch.rand(4 * FLOW_POINTS, 2, generator=random) * corner
    found = flow(first, last, points, size)
    certain = found.certain & (found.targets >= 0).all(1) & (found.targets <= corner).all(1)
    chosen = apart(points, certain.nonzero().squeeze(1))[:FLOW_POINTS]
    return Case(ws, made.image[:1], points[chosen], found.targets[chosen], answer=made.image[1:])
