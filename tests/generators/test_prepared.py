"""What is prepared computes what the layers compute, and what it leaves out is zero."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from nbdrag.generators import prepared
from nbdrag.generators.layers import binomial_filter, upsampling_conv
from nbdrag.generators.prepared import prepare, upsampling_maps, where_nonzero
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

TINY = StyleGAN2Config(
    resolution=64, z_dim=8, w_dim=8, mapping_layers=1, channel_base=256, channel_max=8
)
KINDS = {
    "skip": TINY,
    "resnet": replace(TINY, architecture="resnet"),
    "orig": replace(TINY, architecture="orig"),
    "clamped": replace(TINY, conv_clamp=1.5),
    "clamped resnet": replace(TINY, architecture="resnet", conv_clamp=1.5),
    "tall": replace(TINY, base_width=2),
    "odd": replace(TINY, base_width=3),
    "conditional": replace(TINY, num_labels=3),
    "uneven": replace(TINY, block_channels=(5, 8, 3, 7, 6)),
}


def make(config: StyleGAN2Config) -> Generator:
    generator = Generator(config).double().requires_grad_(False)
    source = torch.Generator().manual_seed(1)
    for name, tensor in generator.state_dict().items():
        if name.endswith(("bias", "noise_strength")):
            tensor.add_(0.3 * torch.randn(tensor.shape, generator=source))
    return generator


def rows(generator: Generator, seed: int = 2) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(generator.num_ws, 8, dtype=torch.float64, generator=source)


@pytest.fixture(params=[False, True], ids=["direct", "winograd"])
def convolutions(request, monkeypatch) -> Iterator[None]:
    monkeypatch.setattr(
        prepared, "winograd_pays", lambda layer: request.param and len(layer.noise_const) >= 16
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("convolutions")
def test_features_picture_and_gradients_are_those_of_the_layers(kind):
    generator = make(KINDS[kind])
    start, movable, until = rows(generator), 4, 32
    ready = prepare(generator.synthesis, start, movable=movable, until=until)
    moved = torch.cat([rows(generator, seed=3)[:movable], start[movable:]])
    found = []
    for named in ({"prepared": ready}, {}):
        ws = moved[:movable].clone().requires_grad_()
        whole = torch.cat([ws, moved[movable:]])[None]
        image, features = generator.synthesis(whole, until=until, taps=(8, until), **named)
        (everywhere,) = torch.autograd.grad(features[until].abs().sum(), ws, retain_graph=True)
        (somewhere,) = torch.autograd.grad(features[until][:, :, 9:11, 5].sum(), ws)
        found.append((image, features[8], features[until], everywhere, somewhere))
    for ours, plain in zip(*found, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("movable", [1, 2, 3, 10])
def test_any_number_of_rows_may_move(movable):
    generator = make(KINDS["skip"])
    ready = prepare(generator.synthesis, rows(generator), movable=movable)
    for seed in (2, 3):
        ws = torch.cat([rows(generator, seed)[:movable], rows(generator)[movable:]])
        image = generator.synthesis(ws[None], prepared=ready).image
        torch.testing.assert_close(image, generator.synthesis(ws[None]).image)


def test_layers_beyond_run_as_they_are():
    generator = make(KINDS["skip"])
    ready = prepare(generator.synthesis, rows(generator), movable=2, until=16)
    image = generator.synthesis(rows(generator)[None], prepared=ready).image
    torch.testing.assert_close(image, generator.synthesis(rows(generator)[None]).image)


def test_several_pictures_may_share_what_is_fixed():
    generator = make(KINDS["skip"])
    ws = rows(generator).repeat(2, 1, 1)
    ws[1, :2] += 1
    ready = prepare(generator.synthesis, ws[0], movable=2)
    image = generator.synthesis(ws, prepared=ready).image
    torch.testing.assert_close(image, generator.synthesis(ws).image)


@pytest.mark.usefixtures("convolutions")
def test_bfloat16_is_near():
    generator = make(KINDS["skip"]).float()
    ws = rows(generator).float()
    ready = prepare(generator.synthesis, ws, movable=4, dtype=torch.bfloat16)
    image, features = generator.synthesis(ws[None], taps=(64,), prepared=ready)
    exact = generator.synthesis(ws[None], taps=(64,))
    assert image.dtype == torch.float32
    assert features[64].dtype == torch.bfloat16
    assert (features[64] - exact.features[64]).norm() < 0.03 * exact.features[64].norm()
    assert (image - exact.image).square().mean().sqrt() < 0.02


def test_weights_need_no_gradients_and_get_none():
    generator = make(KINDS["skip"]).requires_grad_(True)
    ws = rows(generator).requires_grad_()
    ready = prepare(generator.synthesis, ws, movable=3)
    features = generator.synthesis(ws[None], taps=(32,), prepared=ready).features[32]
    features.sum().backward()
    assert ws.grad is not None
    assert ws.grad[:3].abs().amin(1).gt(0).all()
    convolutions = [p.grad for n, p in generator.named_parameters() if n.endswith("conv1.weight")]
    assert not any(grad is not None for grad in convolutions)


def test_noise_other_than_the_learned_is_refused():
    generator = make(KINDS["skip"])
    ready = prepare(generator.synthesis, rows(generator), movable=3)
    with pytest.raises(ValueError, match=r"noise is 'none'; what is prepared has the learned"):
        generator.synthesis(rows(generator)[None], noise="none", prepared=ready)


# ------------------------------------------------------------------------- where gradients are


@st.composite
def gradients(draw: st.DrawFn) -> Tensor:
    """Zero but for a rectangle, 64 by 48."""
    top, left = draw(st.integers(0, 63)), draw(st.integers(0, 47))
    bottom, right = draw(st.integers(top, 63)), draw(st.integers(left, 47))
    gradient = torch.zeros(1, 2, 64, 48, dtype=torch.float64)
    part = gradient[:, :, top : bottom + 1, left : right + 1]
    part.copy_(
        torch.randn(part.shape, generator=torch.Generator().manual_seed(draw(st.integers()) % 9))
    )
    return gradient


@given(gradients())
@settings(max_examples=60, deadline=None)
def test_nothing_is_left_out(gradient):
    source = torch.Generator().manual_seed(4)
    weight = torch.randn(2, 3, 3, 3, dtype=torch.float64, generator=source)

    def same(g: Tensor) -> Tensor:
        return functional.conv_transpose2d(g, weight, padding=1)

    _, halving = upsampling_maps(weight, binomial_filter().double())
    for back in (same, halving):
        torch.testing.assert_close(where_nonzero(back, gradient), back(gradient))


def test_only_a_part_is_computed():
    sizes = []

    def back(g: Tensor, other: Tensor) -> Tensor:
        sizes.append((g.shape[2:], other.shape[2:]))
        return g

    gradient = torch.zeros(1, 1, 64, 64)
    where_nonzero(back, gradient, gradient)
    gradient[0, 0, 30, 50] = -1
    where_nonzero(back, gradient, gradient)
    gradient[0, 0, 63, 0] = float("nan")
    where_nonzero(back, gradient, gradient)
    assert sizes == [((4, 4), (4, 4)), ((12, 12), (12, 12)), ((64, 64), (64, 64))]


def test_going_back_is_the_adjoint_of_upsampling():
    source = torch.Generator().manual_seed(5)
    x, weight, taps, y = (
        torch.randn(*shape, dtype=torch.float64, generator=source)
        for shape in ((1, 3, 8, 6), (4, 3, 3, 3), (4, 4), (1, 4, 16, 12))
    )
    there, back = upsampling_maps(weight, taps)
    torch.testing.assert_close(there(x), upsampling_conv(x, weight, taps))
    torch.testing.assert_close((there(x) * y).sum(), (x * back(y)).sum())
