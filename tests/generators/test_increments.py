"""Following a trajectory by increments gives what computing every picture anew gives."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from nbdrag.generators import prepared
from nbdrag.generators.increments import following, prepare_increments
from nbdrag.generators.prepared import Prepared, prepare
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

SMALL = StyleGAN2Config(
    resolution=32, z_dim=8, w_dim=16, mapping_layers=1, channel_base=512, channel_max=32
)
KINDS = {
    "skip": SMALL,
    "resnet": replace(SMALL, architecture="resnet"),
    "clamped": replace(SMALL, conv_clamp=1.5),
    "tall": replace(SMALL, base_width=2),
}
MOVABLE = 4


@pytest.fixture(params=[False, True], ids=["direct", "winograd"])
def convolutions(request, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(
        prepared, "winograd_pays", lambda layer: request.param and len(layer.noise_const) >= 16
    )


def make(config: StyleGAN2Config) -> Generator:
    generator = Generator(config).double().requires_grad_(False)
    source = torch.Generator().manual_seed(1)
    for name, tensor in generator.state_dict().items():
        if name.endswith(("bias", "noise_strength")):
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=source))
    return generator


def walk(generator: Generator, steps: int, length: float) -> list[Tensor]:
    """Latents [num_ws, 16] whose first rows move a little from each to the next."""
    source = torch.Generator().manual_seed(2)
    latents = [torch.randn(generator.num_ws, 16, dtype=torch.float64, generator=source)]
    for _ in range(steps):
        step = torch.randn(MOVABLE, 16, dtype=torch.float64, generator=source)
        moved = latents[-1].clone()
        moved[:MOVABLE] += length * step
        latents.append(moved)
    return latents


def features_and_gradient(
    generator: Generator, ws: Tensor, ready: Prepared | None
) -> tuple[Tensor, Tensor]:
    ws = ws.to(generator.w_avg.dtype).requires_grad_()
    features = generator.synthesis(ws[None], until=32, taps=(32,), prepared=ready).features[32]
    (gradient,) = torch.autograd.grad(features[:, :, 9:12, 5].sum(), ws)
    return features.detach().double(), gradient[:MOVABLE].double()


def error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("convolutions")
def test_without_rounding_it_is_the_same(kind):
    generator = make(KINDS[kind])
    latents = walk(generator, 4, 0.3)
    ready = prepare_increments(
        generator.synthesis, latents[0], movable=MOVABLE, until=32, dtype=torch.float64
    )
    for ws in latents:
        found = features_and_gradient(generator, ws, ready)
        exact = features_and_gradient(generator, ws, None)
        for ours, plain in zip(found, exact, strict=True):
            torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.usefixtures("convolutions")
def test_only_what_changes_is_rounded():
    exact_generator, generator = make(SMALL), make(SMALL).float()
    latents = walk(exact_generator, 30, 0.01)
    wish = {"movable": MOVABLE, "until": 32, "dtype": torch.bfloat16}
    start = latents[0].float()
    by_increments = prepare_increments(generator.synthesis, start, **wish)
    anew = prepare(generator.synthesis, start, **wish)
    rows = []
    for ws in latents:
        exact = features_and_gradient(exact_generator, ws, None)
        ways = [features_and_gradient(generator, ws, ready) for ready in (by_increments, anew)]
        rows.append([error(f, e) for way in ways for f, e in zip(way, exact, strict=True)])
    features, gradient, rounded_features, rounded_gradient = torch.tensor(rows).T
    assert features[0] < 1e-5
    assert (features < rounded_features / 8).all()
    # Gradients are rounded on their way, but the rectifier's slopes there are the right ones.
    assert gradient.mean() < 0.05
    assert gradient.mean() < rounded_gradient.mean() / 2


def test_errors_are_of_what_changed_and_not_of_what_is():
    source = torch.Generator().manual_seed(3)
    weight = torch.randn(40, 40, dtype=torch.float64, generator=source)
    rounded = weight.bfloat16()
    follow = following(lambda x: weight @ x, lambda x: rounded @ x, torch.bfloat16)
    start = 100 * torch.randn(40, dtype=torch.float64, generator=source)
    torch.testing.assert_close(follow(start), weight @ start)
    for step in torch.randn(200, 40, dtype=torch.float64, generator=source):
        follow(start + step)
    # However long the way: back at the start, only errors of the way are left.
    assert error(follow(start), weight @ start) < 1e-3
    torch.testing.assert_close(follow(start), follow(start))


def test_what_was_given_stays_what_it_was_while_it_is_needed():
    """A picture made before the last one's gradient was taken is an error, not a wrong gradient."""
    generator = make(SMALL).float()
    latents = [ws.float() for ws in walk(generator, 1, 0.1)]
    ready = prepare_increments(
        generator.synthesis, latents[0], movable=MOVABLE, until=32, dtype=torch.bfloat16
    )
    ws = latents[0].clone().requires_grad_()
    features = generator.synthesis(ws[None], until=32, taps=(32,), prepared=ready).features[32]
    kept = features.detach().clone()
    generator.synthesis(latents[1][None], until=32, prepared=ready)
    assert torch.equal(features, kept)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        features.sum().backward()
