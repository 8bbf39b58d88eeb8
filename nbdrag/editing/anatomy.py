"""One iteration of a drag, taken apart so that it can be looked at.

`draggan.drag` keeps its features to itself. Here they are computed again from the latents before
and after an update, with everything the two halves of the method looked at on the way: the
patches and where they were to go (motion supervision), and the windows with the distance at each
of their pixels (point tracking). `nbdrag.widgets.inspect` draws it; a figure may, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nbdrag.editing.draggan import disc, inside, square
from nbdrag.editing.features import Size, sample
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True, eq=False)
class Colouring:
    """Three directions in feature space, shown as red, green and blue.

    The principal components of the first picture's features; used for all later ones as well, so
    that a part keeps its colour while it moves.
    """

    mean: Tensor
    directions: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def of(cls, features: Tensor) -> Colouring:
        """Principal components of features [C, h, w], the strongest first."""
        rows = features.flatten(1).T
        mean = rows.mean(0)
        _, vectors = torch.linalg.eigh((rows - mean).T.cov())
        directions = vectors[:, -3:].flip(1)
        values = (rows - mean) @ directions
        # A few extreme cells shouldn't take all the contrast.
        bounds = torch.tensor([0.02, 0.98], dtype=values.dtype, device=values.device)
        low, high = torch.quantile(values, bounds, dim=0)
        return cls(mean, directions, low, high)

    def paint(self, features: Tensor) -> Tensor:
        """Features [C, h, w] as a picture [h, w, 3] in [0, 1]."""
        values = (features.permute(1, 2, 0) - self.mean) @ self.directions
        return ((values - self.low) / (self.high - self.low).clamp_min(1e-12)).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Anatomy:
    """What one iteration looked at. Positions are (x, y) in pixels of the picture.

    colours_before, colours_after : [h, w, 3], the feature maps, in [0, 1]
    points, targets : [P, 2], where the handles were, and where they should go
    directions : [P, 2], d: one pixel towards the target; zero once there
    patches : [P, K, 2], the pixels q of motion supervision
    pull : [P], each patch's share of the loss, unless its handle has arrived
    windows : [P, S, S], |F(q) - F0(p0)|_1 over the search window, rows from top to bottom;
        infinite outside the picture
    corners : [P, 2], the position of each window's first pixel
    found : [P, 2], where the distance was least
    """

    colours_before: Tensor
    colours_after: Tensor
    points: Tensor
    targets: Tensor
    directions: Tensor
    patches: Tensor
    pull: Tensor
    windows: Tensor
    corners: Tensor
    found: Tensor


@torch.no_grad()
def feature_map(generator: Generator, ws: Tensor, block: int) -> Tensor:
    """The features [C, h, w] that a drag of `ws` [num_ws, w_dim] follows."""
    return generator.synthesis(ws[None], until=block, taps=(block,)).features[block][0]


@torch.no_grad()
def dissect(
    before: Tensor,
    after: Tensor,
    wanted: Tensor,
    points: Tensor,
    targets: Tensor,
    colouring: Colouring,
    *,
    patch_radius: float,
    search_radius: float,
    size: Size,
) -> Anatomy:
    """Take an iteration apart.

    Parameters
    ----------
    before, after : Tensor, shape [C, h, w]
        Feature maps before and after the update.
    wanted : Tensor, shape [P, C]
        Features of the first picture at the first handles.
    points, targets : Tensor, shape [P, 2]
        The handles before the update, and their targets.
    patch_radius, search_radius : float
        r1 and r2, in pixels of the picture.
    size : (int, int)
        Height and width of the picture.
    """
    directions = normalize(targets - points, dim=1)
    patches = points[:, None] + disc(patch_radius).to(points)
    ahead = sample(before, patches + directions[:, None], size)
    unlike = (ahead - sample(before, patches, size)).abs().sum(-1)
    pull = (unlike * inside(patches, size)).sum(-1)

    offsets = square(search_radius).to(points)
    side = round(len(offsets) ** 0.5)
    rows = offsets[(offsets[:, 1] * side + offsets[:, 0]).argsort()]  # top to bottom, then across
    places = points[:, None] + rows
    distance = (sample(after, places, size) - wanted[:, None]).abs().sum(-1)
    distance = distance.masked_fill(~inside(places, size), torch.inf)
    each = torch.arange(len(points))
    return Anatomy(
        colours_before=colouring.paint(before),
        colours_after=colouring.paint(after),
        points=points,
        targets=targets,
        directions=directions,
        patches=patches,
        pull=pull,
        windows=distance.unflatten(1, (side, side)),
        corners=places[:, 0],
        found=places[each, distance.argmin(1)],
    )
