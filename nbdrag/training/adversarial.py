"""The game that trains a StyleGAN2: one step of it, and the state between steps.

Two networks play against each other. The discriminator learns to tell rendered portraits from
generated ones; the generator learns to be taken for real (the non-saturating loss). Three things
keep the game stable: the R1 penalty, which flattens the discriminator around real pictures;
equalised learning rates; and an exponential moving average of the generator's weights (EMA),
which is what gets packaged.

The training grows. It begins at 16 pixels, where a step is cheap and the variety of faces is
learnt, and moves on to larger pictures, where only detail is left to learn. A block that joins
starts with zeros in its last layers, so growing changes nothing at first; nothing need be faded.

A training is a pure function of its options: `Training.step` draws everything from one
`torch.Generator`, and a checkpoint holds all there is. Stopping and resuming at a checkpoint
gives the very weights of a training never stopped, as long as its length is given in pictures;
when it is given in minutes, the clock decides when the training grows.

References: Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014. Mescheder et al., Which
Training Methods for GANs do actually Converge?, ICML 2018 (R1). Karras et al., Analyzing and
Improving the Image Quality of StyleGAN, CVPR 2020 (architecture, lazy regularisation, path length).
Shen et al., Training Generative Adversarial Networks in One Stage, CVPR 2021 (both gradients from
one pass).
"""

from __future__ import annotations

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training.discriminator import Discriminator

RealPictures = Callable[[int, int, torch.Generator], Tensor]  # (count, size, random) -> pictures
Measures = dict[str, float]


@dataclass(frozen=True)
class Stage:
    """A part of the training at one size: pictures per step, and where in [0, 1] it ends."""

    resolution: int
    batch: int
    until: float


@dataclass(frozen=True)
class TrainingOptions:
    """Everything that decides a training's outcome, besides its length and its pictures.

    Attributes
    ----------
    stages : sequence of Stage
        In order; the last ends at 1.
    generator : StyleGAN2Config
    discriminator_channel_base, discriminator_channel_max : int
    learning_rate_g, learning_rate_d : float
        Of Adam with betas (0, 0.99).
    decay_from : float
        Progress in [0, 1] after which both learning rates fall to zero along half a cosine.
    r1_weight : mapping of int to float
        The penalty's weight gamma by resolution.
    r1_interval : int
        Steps from one R1 penalty to the next ("lazy"); its weight is multiplied by as much.
    path_length_weight : float
        Weight of path length regularisation, 0 for none. It costs about a tenth of the speed.
    path_length_interval : int
        As `r1_interval`.
    mixing : float
        Probability that a picture takes its later layers from a second latent (style mixing).
    ema_pictures : int
        Half-life of the moving average, in pictures; shorter in the beginning.
    dtype : {"bfloat16", "float32"}
        What both networks compute in. Parameters and penalties are always float32.
    seed : int
    """

    stages: tuple[Stage, ...] = (
        Stage(16, 32, 0.10),
        Stage(32, 32, 0.30),
        Stage(64, 16, 0.60),
        Stage(128, 16, 1.0),
    )
    generator: StyleGAN2Config = field(
        default_factory=lambda: StyleGAN2Config(
            resolution=128,
            z_dim=64,
            w_dim=128,
            mapping_layers=4,
            channel_base=2048,
            channel_max=128,
        )
    )
    discriminator_channel_base: int = 2048
    discriminator_channel_max: int = 128
    learning_rate_g: float = 2.5e-3
    learning_rate_d: float = 2.5e-3
    decay_from: float = 0.7
    r1_weight: Mapping[int, float] = field(
        default_factory=lambda: {8: 0.1, 16: 0.2, 32: 0.5, 64: 1.0, 128: 2.0, 256: 4.0}
    )
    r1_interval: int = 16
    path_length_weight: float = 0.0
    path_length_interval: int = 8
    mixing: float = 0.5
    ema_pictures: int = 10_000
    dtype: str = "bfloat16"
    seed: int = 0

    def __post_init__(self) -> None:
        ends = [stage.until for stage in self.stages]
        if not ends or ends != sorted(ends) or ends[-1] != 1:
            raise ValueError(f"stages end at {ends}; expected rising fractions, the last 1.")
        for stage in self.stages:
            if stage.resolution > self.generator.resolution:
                raise ValueError(
                    f"stages has {stage.resolution} pixels but the generator draws "
                    f"{self.generator.resolution}; raise its resolution or leave the stage out."
                )
            if stage.resolution not in self.r1_weight:
                raise ValueError(f"r1_weight has no entry for {stage.resolution} pixels.")
        if self.dtype not in ("bfloat16", "float32"):
            raise ValueError(f"dtype is {self.dtype!r}; expected 'bfloat16' or 'float32'.")

    def stage_at(self, progress: float) -> Stage:
        """Find the stage for a progress in [0, 1]."""
        return next((s for s in self.stages if progress < s.until), self.stages[-1])

    def learning_rate_factor(self, progress: float) -> float:
        """Return 1 until `decay_from`, then half a cosine down to 0."""
        fallen = (progress - self.decay_from) / max(1e-9, 1 - self.decay_from)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, max(0.0, fallen))))


class Training:
    """Generator, moving average, discriminator, their optimisers, and how far they have come.

    Attributes
    ----------
    generator, average : Generator
        The one that plays, and the moving average that gets packaged.
    discriminator : Discriminator
    steps, pictures : int
        Counted over all sittings, as is `seconds`.
    """

    def __init__(
        self, options: TrainingOptions, real_pictures: RealPictures, *, device: str = "cpu"
    ) -> None:
        self.options = options
        self.real_pictures = real_pictures
        self.device = torch.device(device)
        self.random = torch.Generator().manual_seed(options.seed)
        dtype = getattr(torch, options.dtype)
        with _global_seed(options.seed):
            self.generator = Generator(options.generator)
            self.discriminator = Discriminator(
                options.generator.resolution,
                channel_base=options.discriminator_channel_base,
                channel_max=options.discriminator_channel_max,
                compute_dtype=dtype,
            )
        first = options.stages[0].resolution
        quieten_above(self.generator, first)
        self.discriminator.quieten_above(first)
        self.average = copy.deepcopy(self.generator).requires_grad_(False).to(self.device)
        self.generator.to(self.device)
        self.discriminator.to(self.device)
        self.optimiser_g = _adam(self.generator, options.learning_rate_g)
        self.optimiser_d = _adam(self.discriminator, options.learning_rate_d)
        self.steps = 0
        self.pictures = 0
        self.seconds = 0.0
        self.path_length = 0.0
        self.dtype = dtype

    # ------------------------------------------------------------------------------- one step

    def step(self, progress: float) -> Measures:
        """Train both networks on one batch.

        Parameters
        ----------
        progress : float, in [0, 1]
            How much of the training is behind; sets the stage and the learning rates.

        Returns
        -------
        dict of str to float
            Losses and what else was measured.
        """
        options, stage = self.options, self.options.stage_at(progress)
        factor = options.learning_rate_factor(progress)
        _set_learning_rate(self.optimiser_g, options.learning_rate_g * factor)
        _set_learning_rate(self.optimiser_d, options.learning_rate_d * factor)

        fakes = self.fakes(stage.batch, stage.resolution)
        real = self.real_pictures(stage.batch, stage.resolution, self.random).to(self.device)
        self.optimiser_g.zero_grad()
        self.optimiser_d.zero_grad()
        measures = self._play(fakes, real) | self._regularise(real, stage)
        measures["grad_g"] = _gradient_norm(self.generator)
        measures["grad_d"] = _gradient_norm(self.discriminator)
        self.optimiser_g.step()
        self.optimiser_d.step()

        self.steps += 1
        self.pictures += stage.batch
        self._update_average(stage.batch)
        return measures

    def _play(self, fakes: Tensor, real: Tensor) -> Measures:
        """Add both players' gradients, from one pass through the discriminator.

        The discriminator lowers softplus(l) of a fake's logit l, the generator softplus(-l). Their
        derivatives are s(l) and -s(-l), s being the logistic function, and s(-l) / s(l) = exp(-l).
        So what reaches a fake on the discriminator's behalf, times -exp(-l), is what the generator
        wants. (Through minibatch standard deviation a fake also feels the logits of its group;
        that small part is scaled by its own logit instead of theirs.)
        """
        judged = fakes.detach().requires_grad_()
        fake_logits, real_logits = self.discriminator(judged), self.discriminator(real)
        loss = functional.softplus(fake_logits).mean() + functional.softplus(-real_logits).mean()
        loss.backward()
        fake_logits = fake_logits.detach()
        assert judged.grad is not None
        fakes.backward(judged.grad * -torch.exp(-fake_logits)[:, None, None, None])
        return {
            "g": functional.softplus(-fake_logits).mean().item(),
            "d": loss.item(),
            "fake_logit": fake_logits.mean().item(),
            "real_logit": real_logits.mean().item(),
        }

    def _regularise(self, real: Tensor, stage: Stage) -> Measures:
        """Now and then, add the penalties' gradients, each from half a batch."""
        options, half = self.options, max(1, stage.batch // 2)
        measures: Measures = {}
        if self.steps % options.r1_interval == 0:
            penalty = r1_penalty(
                lambda images: self.discriminator(images, dtype=torch.float32), real[:half]
            )
            weight = options.r1_weight[stage.resolution] / 2
            (penalty * weight * options.r1_interval).backward()
            measures["r1"] = penalty.item()
        if options.path_length_weight and self.steps % options.path_length_interval == 0:
            lengths = self.path_lengths(half, stage.resolution)
            self.path_length += 0.01 * (lengths.mean().item() - self.path_length)
            penalty = (lengths - self.path_length).square().mean()
            (penalty * options.path_length_weight * options.path_length_interval).backward()
            measures |= {"path_length": self.path_length, "path_penalty": penalty.item()}
        return measures

    # --------------------------------------------------------------------------- its ingredients

    def fakes(self, count: int, resolution: int) -> Tensor:
        """Draw latents, mix the styles of some, and generate, [count, 3, r, r]."""
        ws = self.generator.mapping(self._latents(count))
        if self.options.mixing:
            others = self.generator.mapping(self._latents(count))
            layers = 2 * (resolution.bit_length() - 2)  # that a picture of this size uses
            cuts = torch.randint(1, layers, (count, 1, 1), generator=self.random)
            mixed = torch.rand(count, 1, 1, generator=self.random) < self.options.mixing
            layer = torch.arange(ws.shape[1])[None, :, None]
            ws = torch.where((mixed & (layer >= cuts)).to(self.device), others, ws)
        return self.generator.synthesis(ws, until=resolution, noise="none", dtype=self.dtype).image

    def path_lengths(self, count: int, resolution: int) -> Tensor:
        """Measure how far pictures move per unit of w, [count]; differentiable."""
        ws = self.generator.mapping(self._latents(count))
        images = self.generator.synthesis(ws, until=resolution, noise="none").image
        probe = torch.randn(images.shape, generator=self.random).to(self.device) / resolution
        (gradient,) = torch.autograd.grad((images * probe).sum(), ws, create_graph=True)
        return gradient.square().sum(2).mean(1).sqrt()

    def _latents(self, count: int) -> Tensor:
        z_dim = self.generator.z_dim
        return torch.randn(count, z_dim, generator=self.random).to(self.device)

    @torch.no_grad()
    def _update_average(self, batch: int) -> None:
        half_life = min(self.options.ema_pictures, max(1.0, 0.05 * self.pictures))
        keep = 0.5 ** (batch / half_life)
        update_average(self.average.parameters(), self.generator.parameters(), keep)

    # -------------------------------------------------------------------------------- its state

    def state(self) -> dict[str, Any]:
        """Gather everything that the next step depends on."""
        return {
            "generator": self.generator.state_dict(),
            "average": self.average.state_dict(),
            "discriminator": self.discriminator.state_dict(),
            "optimiser_g": self.optimiser_g.state_dict(),
            "optimiser_d": self.optimiser_d.state_dict(),
            "random": self.random.get_state(),
            "steps": self.steps,
            "pictures": self.pictures,
            "seconds": self.seconds,
            "path_length": self.path_length,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to a gathered state; a compact one has no optimisers, which then start anew."""
        for name in ("generator", "average", "discriminator", "optimiser_g", "optimiser_d"):
            if name in state:
                getattr(self, name).load_state_dict(state[name])
        if "random" in state:
            self.random.set_state(state["random"])
        for name in ("steps", "pictures", "seconds", "path_length"):
            setattr(self, name, state[name])


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """Mean squared norm of the logits' gradient at real pictures (Mescheder et al., Eq. 9)."""
    real = real.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().flatten(1).sum(1).mean()


def update_average(
    average: Iterable[nn.Parameter], current: Iterable[nn.Parameter], keep: float
) -> None:
    """Move each average in place: ``average = keep * average + (1 - keep) * current``."""
    torch._foreach_lerp_(list(average), list(current), 1 - keep)


@torch.no_grad()
def quieten_above(generator: Generator, size: int) -> None:
    """Zero the picture that each block above `size` adds, so that growing starts from no change."""
    for resolution in generator.block_resolutions:
        if resolution > size:
            generator.get_parameter(f"synthesis.b{resolution}.torgb.weight").zero_()


@torch.no_grad()
def measure_w_avg(generator: Generator, *, count: int = 10_000, seed: int = 0) -> Tensor:
    """Average w over `count` latents, [w_dim], the centre that truncation pulls towards."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(count, generator.z_dim, generator=random).to(generator.w_avg.device)
    return torch.cat([generator.mapping(part)[:, 0] for part in z.split(1000)]).mean(0)


def _adam(network: nn.Module, learning_rate: float) -> torch.optim.Adam:
    return torch.optim.Adam(
        network.parameters(), lr=learning_rate, betas=(0.0, 0.99), eps=1e-8, fused=True
    )


def _set_learning_rate(optimiser: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = learning_rate


def _gradient_norm(network: nn.Module) -> float:
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return float(torch.stack(torch._foreach_norm(gradients)).norm())


@contextmanager
def _global_seed(seed: int) -> Iterator[None]:
    """Initialise networks repeatably, and leave the caller's random state as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def means(measures: list[Measures]) -> Measures:
    """Average each measure over the steps that had it."""
    gathered: defaultdict[str, list[float]] = defaultdict(list)
    for step in measures:
        for name, value in step.items():
            gathered[name].append(value)
    return {name: sum(values) / len(values) for name, values in gathered.items()}
