"""One step of the game, its parts checked against formulas written out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.training.adversarial import (
    Stage,
    Training,
    TrainingOptions,
    means,
    measure_w_avg,
    quieten_above,
    r1_penalty,
    update_average,
)

TINY = TrainingOptions(
    stages=(Stage(8, 8, 0.5), Stage(16, 4, 1.0)),
    generator=StyleGAN2Config(
        resolution=16, z_dim=8, w_dim=8, mapping_layers=2, channel_base=64, channel_max=8
    ),
    discriminator_channel_base=64,
    discriminator_channel_max=8,
    r1_interval=2,
    dtype="float32",
)


def coloured_squares(count: int, size: int, random: torch.Generator) -> Tensor:
    return (torch.rand(count, 3, 1, 1, generator=random) * 2 - 1).expand(-1, -1, size, size)


def tiny(options: TrainingOptions = TINY) -> Training:
    return Training(options, coloured_squares)


def weights(training: Training) -> dict[str, Tensor]:
    return {
        f"{network}.{name}": tensor
        for network in ("generator", "average", "discriminator")
        for name, tensor in getattr(training, network).state_dict().items()
    }


def assert_same_weights(one: Training, other: Training) -> None:
    left, right = weights(one), weights(other)
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def test_r1_is_the_squared_gradient() -> None:
    """For D(x) = sum(a x^2 + b x), the gradient is 2 a x + b."""
    a, b = torch.randn(2, 3, 4, 4, dtype=torch.float64).unbind(0)
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64)
    penalty = r1_penalty(lambda x: (a * x.square() + b * x).sum((1, 2, 3)), x)
    expected = (2 * a * x + b).square().sum((1, 2, 3)).mean()
    torch.testing.assert_close(penalty, expected)


def test_r1_trains_the_discriminator() -> None:
    """For D(x) = s sum(x), R1 = s^2 n; its derivative by s is 2 s n."""
    s = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    r1_penalty(lambda x: s * x.sum((1, 2, 3)), torch.randn(5, 3, 4, 4).double()).backward()
    assert s.grad is not None
    torch.testing.assert_close(s.grad, torch.tensor(2 * 0.7 * 48, dtype=torch.float64))


def test_r1_leaves_the_pictures_alone() -> None:
    x = torch.randn(2, 3, 4, 4)
    r1_penalty(lambda x: x.sum((1, 2, 3)), x)
    assert not x.requires_grad


def test_average_moves_by_its_formula() -> None:
    average, current = nn.Parameter(torch.randn(7)), nn.Parameter(torch.randn(7))
    expected = 0.9 * average.detach() + 0.1 * current.detach()
    with torch.no_grad():
        update_average([average], [current], 0.9)
    torch.testing.assert_close(average.detach(), expected)


def test_average_has_the_half_life_asked_for() -> None:
    """After `ema_pictures` pictures at a fixed weight, half of the old average is left."""
    training = tiny(replace(TINY, ema_pictures=64))
    training.pictures = 10**6
    for parameter in training.generator.parameters():
        parameter.data.fill_(1.0)
    for parameter in training.average.parameters():
        parameter.data.fill_(0.0)
    for _ in range(64 // 8):
        training._update_average(8)
    for parameter in training.average.parameters():
        torch.testing.assert_close(parameter, torch.full_like(parameter, 0.5))


def test_a_step_trains_both_networks() -> None:
    training = tiny()
    before = {name: tensor.clone() for name, tensor in weights(training).items()}
    measures = training.step(0.9)
    after = weights(training)
    for name in (
        "generator.synthesis.b4.const",
        "generator.mapping.fc0.weight",
        "average.synthesis.b4.const",
        "discriminator.blocks.16.conv1.weight",
        "discriminator.logit.weight",
    ):
        assert not torch.equal(before[name], after[name]), name
    assert {"g", "d", "r1", "fake_logit", "real_logit", "grad_g", "grad_d"} <= measures.keys()
    assert all(math.isfinite(value) for value in measures.values())
    assert (training.steps, training.pictures) == (1, 4)


def test_one_pass_gives_both_players_their_own_gradients() -> None:
    """The same as two losses and two passes, when no fake feels its group."""
    training = tiny(replace(TINY, mixing=0.0))
    training.discriminator.group_size = 1
    real = coloured_squares(4, 8, torch.Generator().manual_seed(1))
    fakes = training.fakes(4, 8)
    training._play(fakes, real)

    generator, discriminator = training.generator, training.discriminator
    reached = [p for p in generator.parameters() if p.grad is not None]
    loss_g = softplus(-discriminator(fakes_again := training_fakes(training))).mean()
    for parameter, expected in zip(
        reached, torch.autograd.grad(loss_g, reached, retain_graph=True), strict=True
    ):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)
    judged = [p for p in discriminator.parameters() if p.grad is not None]
    loss_d = softplus(discriminator(fakes_again)).mean() + softplus(-discriminator(real)).mean()
    for parameter, expected in zip(judged, torch.autograd.grad(loss_d, judged), strict=True):
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-6)


def training_fakes(training: Training) -> Tensor:
    """Draw the first batch of 4 fakes of 8 pixels once more."""
    training.random.manual_seed(training.options.seed)
    return training.fakes(4, 8)


def test_the_same_seed_gives_the_same_training() -> None:
    one, other = tiny(), tiny()
    torch.rand(3)  # the global random state plays no part
    for step in range(4):
        assert one.step(step / 4) == other.step(step / 4)
    assert_same_weights(one, other)


def test_another_seed_gives_another() -> None:
    one, other = tiny(), tiny(replace(TINY, seed=1))
    assert one.step(0.0) != other.step(0.0)


def test_building_a_training_leaves_the_global_random_state_alone() -> None:
    before = torch.get_rng_state()
    tiny()
    assert torch.equal(before, torch.get_rng_state())


def test_the_discriminator_learns_to_tell() -> None:
    """With the generator held still, its critic wins."""
    training = tiny(replace(TINY, learning_rate_g=0.0, stages=(Stage(8, 8, 1.0),)))
    first = training.step(0.0)["d"]
    last = [training.step(0.0)["d"] for _ in range(60)][-10:]
    assert sum(last) / 10 < 0.5 * first


def test_path_length_is_measured_and_trained_on() -> None:
    """It is measured on ws, one length per picture, and can be trained on."""
    training = tiny(replace(TINY, path_length_weight=2.0, path_length_interval=2))
    lengths = training.path_lengths(3, 16)
    assert lengths.shape == (3,)
    lengths.sum().backward()
    assert training.generator.get_parameter("synthesis.b4.const").grad is not None
    measures = training.step(0.9)
    assert measures["path_penalty"] > 0
    assert measures["path_length"] == training.path_length > 0
    assert "path_penalty" not in training.step(0.9)


def test_growing_changes_nothing_at_first() -> None:
    generator = Generator(TINY.generator)
    quieten_above(generator, 8)
    ws = generator.mapping(torch.randn(2, 8))
    small = generator.synthesis(ws, until=8).image
    large = generator.synthesis(ws).image
    up = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    torch.testing.assert_close(large[..., 2:-2, 2:-2], up[..., 2:-2, 2:-2])


def test_w_avg_is_the_mean_of_w() -> None:
    generator = Generator(TINY.generator)
    measured = measure_w_avg(generator, count=4000)
    z = torch.randn(20_000, 8, generator=torch.Generator().manual_seed(9))
    with torch.no_grad():
        expected = generator.mapping(z)[:, 0].mean(0)
    torch.testing.assert_close(measured, expected, atol=0.05, rtol=0.05)


def test_stages_follow_progress() -> None:
    sizes = [TINY.stage_at(p).resolution for p in (0.0, 0.49, 0.5, 0.99, 1.0, 1.2)]
    assert sizes == [8, 8, 16, 16, 16, 16]


def test_learning_rates_fall_along_half_a_cosine() -> None:
    options = replace(TINY, decay_from=0.6)
    factors = [options.learning_rate_factor(p) for p in (0.0, 0.6, 0.7, 0.8, 1.0, 1.1)]
    assert factors == pytest.approx([1, 1, 0.5 + 0.5 * math.cos(math.pi / 4), 0.5, 0, 0])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"stages": ()}, "stages end at"),
        ({"stages": (Stage(8, 8, 0.5),)}, "the last 1"),
        ({"stages": (Stage(8, 8, 0.9), Stage(16, 8, 0.5), Stage(16, 8, 1.0))}, "rising"),
        ({"stages": (Stage(32, 8, 1.0),)}, "generator draws 16"),
        ({"r1_weight": {8: 1.0}}, "no entry for 16"),
        ({"dtype": "float16"}, "dtype is 'float16'"),
    ],
)
def test_options_that_do_not_fit_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_means_are_over_the_steps_that_measured() -> None:
    assert means([{"a": 1.0, "b": 4.0}, {"a": 3.0}]) == {"a": 2.0, "b": 4.0}
