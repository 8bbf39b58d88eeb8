"""Landmarks of toonfaces, for training a Latent Predictor: read once, then known from the latent.

Where a predictor's latent puts the tip of the nose is told by the toonfaces reader, off the
picture. But picture, reading and their gradient cost ten times as much as the prediction does. So
the reader looks at some ten thousand portraits once, and a perceptron learns from them where a
latent has its landmarks. It is right to a fraction of a pixel, which is all that most of the
training needs to know; the last part of it asks the reader itself.

Reading goes chunk by chunk into files, and a second call goes on where the first one ended.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import gelu

from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import Reader, Reading
from nbdrag.training.auto_draggan_latents import draw_latents

CHUNK = 512  # portraits in a file
BATCH = 32
SURE = 0.5  # confidence (0.7 on clean renders) and visibility of a landmark that is used


class Portraits(NamedTuple):
    """Latents, and where the reader sees their landmarks.

    Attributes
    ----------
    ws : Tensor, shape [N, num_ws, w_dim]
    landmarks : Tensor, shape [N, L, 2]
        (x, y) in pixels of the generator's picture.
    sure : Tensor, shape [N, L], bool
        Whether the landmark shows, and clearly.
    """

    ws: Tensor
    landmarks: Tensor
    sure: Tensor


def read_portraits(
    generator: Generator, reader: Reader, folder: Path, count: int, seed: int
) -> Portraits:
    """Draw `count` portraits and read them, or as many of them as the folder doesn't hold yet."""
    folder.mkdir(parents=True, exist_ok=True)
    chunks = []
    began = time.monotonic()
    for number in range(math.ceil(count / CHUNK)):
        file = folder / f"portraits-{number:04d}.safetensors"
        if not file.exists():
            random = torch.Generator().manual_seed(seed * 1_000_003 + number)
            unfinished = file.with_suffix(".part")
            save_file(read_chunk(generator, reader, random)._asdict(), unfinished)
            unfinished.replace(file)
            print(f"{file.name}: read after {time.monotonic() - began:.0f} s", flush=True)
        chunks.append(load_file(file))
    ws, landmarks, sure = (
        torch.cat([chunk[name] for chunk in chunks])[:count] for name in Portraits._fields
    )
    return Portraits(ws.float(), landmarks, sure)


@torch.no_grad()
def read_chunk(generator: Generator, reader: Reader, random: torch.Generator) -> Portraits:
    """Draw one chunk of portraits and read them."""
    ws = draw_latents(generator, CHUNK, random).half()
    landmarks, sure = [], []
    for rows in ws.float().split(BATCH):
        reading = reader(generator.synthesis(rows).image)
        landmarks.append(reading.landmarks)
        sure.append(is_sure(reading))
    return Portraits(ws, torch.cat(landmarks), torch.cat(sure))


def is_sure(reading: Reading) -> Tensor:
    """Which landmarks show, and clearly: [N, L]."""
    return (reading.confidence > SURE) & (reading.visible > SURE)


class LatentLandmarks(nn.Module):
    """From latents to landmarks, without a picture: a linear map and a perceptron's correction.

    Parameters
    ----------
    num_ws, w_dim : int
        Of the generator.
    rng : torch.Generator
        Source of the initial weights.
    """

    mean: Tensor
    deviation: Tensor
    middle: Tensor

    def __init__(self, num_ws: int, w_dim: int, rng: torch.Generator, width: int = 384) -> None:
        super().__init__()
        inputs, outputs = num_ws * w_dim, 2 * len(LANDMARKS)
        self.linear = nn.Linear(inputs, outputs)
        self.first = nn.Linear(inputs, width)
        self.second = nn.Linear(width, width)
        self.third = nn.Linear(width, outputs)
        for layer in (self.linear, self.first, self.second, self.third):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5, generator=rng)
            nn.init.zeros_(layer.bias)
        for layer in (self.linear, self.third):
            nn.init.zeros_(layer.weight)
        self.register_buffer("mean", torch.zeros(num_ws, w_dim))
        self.register_buffer("deviation", torch.ones(num_ws, w_dim))
        self.register_buffer("middle", torch.zeros(len(LANDMARKS), 2))

    def forward(self, ws: Tensor) -> Tensor:
        """Landmarks [N, L, 2], in pixels, of latents [N, num_ws, w_dim]."""
        x = ((ws - self.mean) / self.deviation).flatten(1)
        bent = self.third(gelu(self.second(gelu(self.first(x)))))
        offset: Tensor = (self.linear(x) + bent).unflatten(1, (-1, 2))
        return self.middle + 4 * offset

    if TYPE_CHECKING:
        __call__ = forward


def known_landmarks(portraits: Portraits, folder: Path, seed: int) -> LatentLandmarks:
    """What `fit` learns of portraits, or the folder remembers of it."""
    file = folder / "landmarks.safetensors"
    if not file.exists():
        model = fit(portraits, seed=seed)
        unfinished = file.with_suffix(".part")
        save_file(model.state_dict(), unfinished)
        unfinished.replace(file)
    _, num_ws, w_dim = portraits.ws.shape
    model = LatentLandmarks(num_ws, w_dim, torch.Generator().manual_seed(seed))
    model.load_state_dict(load_file(file))
    return model.to(portraits.ws.device).eval().requires_grad_(False)


def fit(
    portraits: Portraits, *, steps: int = 2500, batch: int = 256, rate: float = 1e-3, seed: int = 0
) -> LatentLandmarks:
    """Learn where latents have their landmarks. A twentieth of the portraits is held out.

    Prints the mean distance of held-out landmarks from where the reader sees them.
    """
    rng = torch.Generator().manual_seed(seed)
    ws, landmarks, sure = portraits
    held_out = max(1, len(ws) // 20)
    model = LatentLandmarks(ws.shape[1], ws.shape[2], rng).to(ws.device)
    model.deviation.copy_(ws.std(0).clamp_min(1e-6))
    model.mean.copy_(ws.mean(0))
    model.middle.copy_(landmarks.mean(0))
    optimiser = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=1.0)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / steps))
        drawn = torch.randint(held_out, len(ws), (batch,), generator=rng)
        noise = NOISE * torch.randn(batch, *ws.shape[1:], generator=rng).to(ws)
        off = (model(ws[drawn] + noise * model.deviation) - landmarks[drawn]).norm(dim=-1)
        loss = off[sure[drawn]].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if (step + 1) % 500 == 0 or step + 1 == steps:
            with torch.no_grad():
                off = (model(ws[:held_out]) - landmarks[:held_out]).norm(dim=-1)
                held = off[sure[:held_out]].mean()
            print(
                f"landmarks from latents, {step + 1} steps: {loss.item():.3f} px, "
                f"held out {held.item():.3f} px",
                flush=True,
            )
    return model


def learning(model: LatentLandmarks) -> torch.optim.Optimizer:
    """An optimiser to learn on with, slowly."""
    return torch.optim.AdamW(model.parameters(), lr=LEARNING_ON, weight_decay=0.1)


def learn(model: LatentLandmarks, optimiser: torch.optim.Optimizer, portraits: Portraits) -> None:
    """Learn on, one step, of portraits that were read. The model is frozen before and after."""
    ws, landmarks, sure = portraits
    with torch.enable_grad():
        model.requires_grad_(True)
        off = (model(ws) - landmarks).norm(dim=-1) * sure
        optimiser.zero_grad()
        (off.sum() / sure.sum().clamp_min(1)).backward()
        optimiser.step()
        model.requires_grad_(False)


LEARNING_ON = 3e-4  # its step size

NOISE = 0.15  # in deviations of the latents: with it, less is learnt by heart
