"""Drags of any generator's pictures: its own features tell which place is which.

The features of a middle block say what is where (DragGAN lives on that). So a place in the first
picture is found again where, in the last one, the features are most like its own. A match counts if
it holds both ways: from there, the most similar place in the first picture is the one started from,
or a neighbour. (The paper uses grid-based motion statistics; this needs nothing but the generator.)

How far a prediction missed can't be measured in pixels here. L_drag compares features instead: what
the 7 x 7 cells about a handle were like must be found about where it should be (Eq. 13).

References
----------
Cai et al., Auto DragGAN, MM 2024, Sec. 3.2.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nbdrag.editing.latent_predictor import PredictorConfig, patches
from nbdrag.generators.stylegan2 import Generator
from nbdrag.training.auto_draggan_drags import Drags, planned
from nbdrag.training.auto_draggan_latents import draw_latents, draw_share, led_towards

CANDIDATES = 64  # places of a picture that are looked for in another
MOST_PAIRS = 5
TOLERANCE = 1.5  # cells: so near a match has to come back


class MatchedDrags:
    """Drags between places that look alike to the generator.

    Parameters
    ----------
    generator : Generator
    config : PredictorConfig
    pictures, drags : int
        A batch has so many drags of each of so many pictures.
    """

    def __init__(
        self, generator: Generator, config: PredictorConfig, *, pictures: int = 8, drags: int = 1
    ) -> None:
        self.generator, self.config = generator, config
        self.pictures, self.drags = pictures, drags

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Latents as edits meet them."""
        return draw_latents(self.generator, count, rng)

    @torch.no_grad()
    def draw(self, rng: torch.Generator) -> Drags:
        """Draw pictures, others to lead them towards, and matches between first and last."""
        config, count = self.config, self.pictures * self.drags
        ws = draw_latents(self.generator, self.pictures, rng)
        others = draw_latents(self.generator, count, rng)
        starts = ws.repeat_interleave(self.drags, dim=0)
        sequence = led_towards(starts, others, draw_share(count, rng).to(ws), config)
        first = self.features(ws)
        last = self.features(sequence[:, -1])
        scale = ws.new_tensor(
            [config.width / first.shape[3], config.height / first.shape[2]]
        )  # pixels in a cell
        pairs = [matches(first[i // self.drags], each, rng) for i, each in enumerate(last)]
        handles = torch.stack([each[0] for each in pairs]) * scale
        targets = torch.stack([each[1] for each in pairs]) * scale
        near = (targets - handles).norm(dim=-1) <= config.reach * config.height
        real = torch.stack([each[2] for each in pairs]) & near
        real &= torch.arange(MOST_PAIRS, device=ws.device) < torch.randint(
            1, MOST_PAIRS + 1, (count, 1), generator=rng
        ).to(ws.device)
        lost = ~real.any(1)  # nothing matched: then a place is held
        targets[lost, 0] = handles[lost, 0]
        real[lost, 0] = True
        shares, landmarks = handles.new_zeros(*real.shape, 0), handles.new_zeros(count, 0, 2)
        return Drags(first, sequence, handles, targets, real, shares, landmarks)

    def drag_loss(
        self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
    ) -> Tensor:
        """Eq. 13 at one of the n latents, drawn anew each time, as means: [].

        In deviations of the features.
        """
        steps, config = told.shape[1], self.config
        i = int(torch.randint(steps, (), generator=rng))
        size = told.new_tensor([config.width, config.height])
        places = planned(drags, steps)[:, i] / size
        found = patches(self.features(told[:, i]), places[:, None])[:, 0]
        shared = len(told) // len(drags.features)
        starts = (drags.handles / size).unflatten(0, (-1, shared))
        wanted = patches(drags.features, starts).flatten(0, 1)
        unlike = (found - wanted).abs().mean(-1) * drags.real
        deviation = drags.features.std(dim=(0, 2, 3)).mean()
        return unlike.sum() / drags.real.sum() / deviation

    def state(self) -> dict[str, Any]:
        """Nothing is learnt here."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """There is nothing to go back to."""

    def features(self, ws: Tensor) -> Tensor:
        """The feature block's output, [N, C, h, w]."""
        block = self.config.feature_block
        return self.generator.synthesis(ws, until=block, taps=(block,)).features[block]


def matches(first: Tensor, last: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Match places of one feature map with places of another, there and back.

    Parameters
    ----------
    first, last : Tensor, shape [C, h, w]

    Returns
    -------
    handles, targets : Tensor, shape [MOST_PAIRS, 2]
        Centres (x, y), in cells.
    real : Tensor, shape [MOST_PAIRS], bool
        False where there were not so many matches. Those that moved come first.
    """
    columns = first.shape[2]
    middle = first.mean(dim=(1, 2), keepdim=True)
    before, after = (normalize((each - middle).flatten(1).T, dim=1) for each in (first, last))
    drawn = torch.randint(len(before), (CANDIDATES,), generator=rng).to(first.device)
    there = (before[drawn] @ after.T).argmax(dim=1)
    back = (after[there] @ before.T).argmax(dim=1)

    def centre(cells: Tensor) -> Tensor:
        return torch.stack([cells % columns, cells // columns], dim=1) + 0.5

    handles, targets, returned = (centre(each) for each in (drawn, there, back))
    holds = (returned - handles).norm(dim=1) <= TOLERANCE
    moved = (targets - handles).norm(dim=1) >= 1
    order = (holds.int() * (1 + moved.int())).argsort(descending=True)[:MOST_PAIRS]
    return handles[order], targets[order], holds[order]
