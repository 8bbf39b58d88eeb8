"""Drags to train a Latent Predictor on: what is asked, a possible answer, and how near one came.

Nobody has to show a drag. A latent w_0 is led, in n equal shares of the way and by its first rows
only, towards another one (Eq. 7). Whatever is seen in both the first picture and the last is then a
handle, where it was, and a target, where it is; and w_1 ... w_n are an answer. Not the only one:
the nose could get there without the hair changing as well. Among all answers that show the same the
predictor, which can't tell which is meant, settles for their middle.

Which place is which is told in one of two ways: `LandmarkDrags` for toonfaces, by the landmark
network; `MatchedDrags` for any generator, by its own features.

References
----------
Cai et al., Auto DragGAN, MM 2024, Sec. 3.2.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from nbdrag.editing.latent_predictor import PredictorConfig
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces.reader import Reader
from nbdrag.training.auto_draggan_landmarks import (
    LatentLandmarks,
    Portraits,
    is_sure,
    learn,
    learning,
)
from nbdrag.training.auto_draggan_latents import draw_share, led_towards


class Drags(NamedTuple):
    """Drags, B of them, K of each picture.

    Attributes
    ----------
    features : Tensor, shape [B / K, channels, h, w]
        F_0.
    sequence : Tensor, shape [B, n + 1, num_ws, w_dim]
        w_0 ... w_n.
    handles, targets : Tensor, shape [B, P, 2]
    real : Tensor, shape [B, P], bool
        False where a pair only fills up its row.
    shares : Tensor, shape [B, P, L]
        Which landmarks each handle hangs on, and by how much; no landmarks, no shares.
    landmarks : Tensor, shape [B, L, 2]
        Where the first picture has them.
    """

    features: Tensor
    sequence: Tensor
    handles: Tensor
    targets: Tensor
    real: Tensor
    shares: Tensor
    landmarks: Tensor


class Source(Protocol):
    """Where drags come from, and what says how near their targets a prediction came."""

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Latents that are fine, [count, num_ws, w_dim]."""

    def draw(self, rng: torch.Generator) -> Drags:
        """A batch."""

    def drag_loss(
        self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
    ) -> Tensor:
        """L_drag of predictions, w_1 ... w_n, [B, n, num_ws, w_dim]; progress is 0 to 1."""

    def state(self) -> dict[str, Any]:
        """What it has learnt meanwhile."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to such a state."""


def planned(drags: Drags, steps: int) -> Tensor:
    """Where the handles should be after each step: [B, n, P, 2], in equal shares of the way."""
    share = torch.linspace(0, 1, steps + 1, device=drags.handles.device)[1:, None, None]
    return drags.handles[:, None] + share * (drags.targets - drags.handles)[:, None]


# -------------------------------------------------------------------------------------- landmarks


class LandmarkDrags:
    """Drags of toonfaces' landmarks, and of points about and between them.

    Handles are landmarks, half of them shifted by a pixel or two, or points on the line between two
    landmarks: whatever is near moves along. Some have their target where they are, to be held.

    Parameters
    ----------
    generator, config, portraits, known, reader
        `known` tells landmarks from latents; the reader, off the picture, is asked in the last part
        of the training only, and then `known` learns on.
    pictures, drags : int
        A batch has so many drags of each of so many pictures.
    asked : int
        So many drags of a batch are made and read, after `ASKED_FROM` of the training.
    """

    def __init__(
        self,
        generator: Generator,
        config: PredictorConfig,
        portraits: Portraits,
        known: LatentLandmarks,
        reader: Reader,
        *,
        pictures: int = 16,
        drags: int = 8,
        asked: int = 8,
    ) -> None:
        self.generator, self.config, self.portraits = generator, config, portraits
        self.known, self.reader = known, reader
        self.pictures, self.drags, self.asked = pictures, drags, asked
        self.learning = learning(known)

    def latents(self, count: int, rng: torch.Generator) -> Tensor:
        """Latents of portraits."""
        return self.portraits.ws[self._draw(count, rng)]

    @torch.no_grad()
    def draw(self, rng: torch.Generator) -> Drags:
        """Draw portraits, others to lead them towards, and handles."""
        count = self.pictures * self.drags
        first = self._draw(self.pictures, rng)
        ws, block = self.portraits.ws[first], self.config.feature_block
        features = self.generator.synthesis(ws, until=block, taps=(block,)).features[block]
        chosen = first.repeat_interleave(self.drags)
        other = self._draw(count, rng)
        share = draw_share(count, rng).to(ws)
        sequence = led_towards(
            self.portraits.ws[chosen], self.portraits.ws[other], share, self.config
        )
        sure = self.portraits.sure[chosen] & self.portraits.sure[other]
        shares, real = choose_handles(sure, rng)
        moved = self.known(sequence[:, -1]) - self.known(sequence[:, 0])
        chance = torch.rand(2, *real.shape, 1, generator=rng).to(ws)
        shift = NEARBY * torch.randn(*real.shape, 2, generator=rng).to(ws) * (chance[0] < 0.5)
        landmarks = self.portraits.landmarks[chosen]
        handles = shares @ landmarks + shift
        held = chance[1] < HELD
        held[:, 0] = False
        targets = handles + torch.where(held, 0.0, shares @ moved)
        limit = torch.tensor([self.config.width, self.config.height]).to(handles)
        inside = ((targets >= 0) & (targets <= limit)).all(-1)
        inside &= ((handles >= 0) & (handles <= limit)).all(-1)
        real &= inside
        real[:, 0] = True  # each drag has one; its target may lie just outside
        return Drags(features, sequence, handles, targets, real, shares, landmarks)

    def drag_loss(
        self, drags: Drags, told: Tensor, progress: float, rng: torch.Generator
    ) -> Tensor:
        """Mean distance of the points from where they should be, in pixels, the last counting most.

        Landmarks are known from the latents. After a part of the training some of the last pictures
        are also made and read. What is read says where a point is; which way the latent has to go
        to move it is known without. And what is known learns of it: predictions are where it is
        asked, and it was fitted to portraits.
        """
        steps = told.shape[1]
        asks = progress >= ASKED_FROM and self.asked > 0
        few = slice(0, len(told), max(1, len(told) // max(1, self.asked)))
        if asks:
            seen = self.ask(told[few, -1].detach(), rng)
        start = self.known(drags.sequence[:, 0])
        moved = self.known(told.flatten(0, 1)).unflatten(0, (-1, steps)) - start[:, None]
        found = drags.handles[:, None] + drags.shares[:, None] @ moved
        weight = torch.arange(1, steps + 1).to(told).square()
        weight = (weight / weight.sum())[:, None] * drags.real[:, None]
        loss = (distance(found, planned(drags, steps)) * weight).sum() / drags.real.sum()
        if not asks:
            return loss
        with torch.no_grad():
            reached = drags.handles[few] + drags.shares[few] @ (seen - drags.landmarks[few])
            wrong = reached - found[few, -1]
        off = distance(found[few, -1] + wrong, drags.targets[few]) * drags.real[few]
        return torch.lerp(loss, off.sum() / drags.real[few].sum(), ASKED_WEIGHT)

    @torch.no_grad()
    def ask(self, ws: Tensor, rng: torch.Generator) -> Tensor:
        """Where the reader sees the landmarks of latents' pictures; `known` learns of it."""
        reading = self.reader(self.generator.synthesis(ws).image)
        before = self._draw(REHEARSED, rng)
        old = Portraits(*(each[before] for each in self.portraits))
        new = Portraits(ws, reading.landmarks, is_sure(reading))
        together = (torch.cat(pair) for pair in zip(old, new, strict=True))
        learn(self.known, self.learning, Portraits(*together))
        seen: Tensor = reading.landmarks
        return seen

    def state(self) -> dict[str, Any]:
        """What is known of landmarks by now."""
        return {"known": self.known.state_dict(), "learning": self.learning.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to such a state."""
        self.known.load_state_dict(state["known"])
        self.learning.load_state_dict(state["learning"])

    def _draw(self, count: int, rng: torch.Generator) -> Tensor:
        return torch.randint(len(self.portraits.ws), (count,), generator=rng)


ASKED_FROM, ASKED_WEIGHT = 0.3, 0.5  # of the training; against what is known without asking
REHEARSED = 64  # portraits that are learnt again beside what is asked
NEARBY = 1.5  # pixels: deviation of handles from the landmarks they hang on
HELD = 0.1  # share of handles that are to stay


def distance(points: Tensor, others: Tensor) -> Tensor:
    """Distance of points [..., 2], in pixels; smooth where it is nought."""
    return (points - others).square().sum(-1).add(0.01).sqrt() - 0.1


def choose_handles(sure: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Choose landmarks, or places between two, of each drag.

    Parameters
    ----------
    sure : Tensor, shape [B, L], bool
        Landmarks to choose from.

    Returns
    -------
    shares : Tensor, shape [B, P, L]
        Each row sums to 1.
    real : Tensor, shape [B, P], bool
    """
    batch, landmarks = sure.shape
    most = MOST_HANDLES[int(torch.randint(len(MOST_HANDLES), (), generator=rng))]
    weight = sure.cpu() + 1e-6
    one = torch.multinomial(weight, most, generator=rng)
    two = torch.multinomial(weight, most, generator=rng)
    between = torch.rand(batch, most, 1, generator=rng)
    between = between * (torch.rand(batch, most, 1, generator=rng) < 0.3)
    shares = (1 - between) * one_hot(one, landmarks) + between * one_hot(two, landmarks)
    count = torch.randint(1, most + 1, (batch, 1), generator=rng)
    chosen = torch.arange(most) < count
    real = chosen & sure.cpu().gather(1, one) & sure.cpu().gather(1, two)
    return shares.to(sure.device), real.to(sure.device)


MOST_HANDLES = (1, 1, 1, 1, 5, 5, 5, 5, 5, 16)
"""A batch has up to so many handles a drag, drawn from these."""
