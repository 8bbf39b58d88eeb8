"""Projection finds the latent of a picture that the generator made, and refuses others."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from nbdrag.editing.step import EditDiverged, run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.metrics import peak_signal_to_noise
from nbdrag.projection.optimize import ProjectOptions, nearest_candidate, project, whitening

TINY = StyleGAN2Config(
    resolution=32, z_dim=12, w_dim=8, mapping_layers=2, channel_base=256, channel_max=16
)


def perceptual(reference: Tensor):
    """Stands in for a network: gradients of brightness."""
    return lambda image: mse_loss(image.diff(dim=3), reference.diff(dim=3))


@pytest.fixture(scope="module")
def generator() -> Generator:
    return Generator(TINY, torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.fixture(scope="module")
def image(generator) -> Tensor:
    z = torch.randn(1, 12, generator=torch.Generator().manual_seed(5))
    return generator(z)[0]


def test_finds_a_picture_that_the_generator_made(generator, image):
    options = ProjectOptions(max_steps=150, candidates=64, prior_weight=0.0)
    steps = list(project(generator, image, options, perceptual=perceptual))
    first, last = steps[0], steps[-1]
    assert [step.index for step in steps] == list(range(151))
    assert [step.done for step in steps] == [False] * 150 + [True]
    assert peak_signal_to_noise(last.image, image) > 30
    assert peak_signal_to_noise(last.image, image) > peak_signal_to_noise(first.image, image) + 5
    made = generator.synthesis(last.ws[None]).image[0]
    torch.testing.assert_close(made, last.image, rtol=1e-3, atol=1e-3)


def test_rows_move_as_one_at_first(generator, image):
    options = ProjectOptions(max_steps=20, candidates=1, learning_rate=0.01, together=0.5)
    ws = torch.stack([s.ws for s in project(generator, image, options, perceptual=perceptual)])
    apart = (ws - ws[:, :1]).abs().amax(dim=(1, 2))
    assert (apart[:11] == 0).all()
    assert not torch.equal(ws[10], ws[0])
    assert apart[-1] > 0.01


def test_every_step_has_the_best_latent_so_far(generator, image):
    options = ProjectOptions(max_steps=30, candidates=4, learning_rate=1.0)  # it will jump about
    losses = [s.loss for s in project(generator, image, options, perceptual=perceptual)]
    assert losses == sorted(losses, reverse=True)


def test_the_same_seed_gives_the_same_latent(generator, image):
    options = ProjectOptions(max_steps=3, candidates=8)
    a, b = (run_to_end(project(generator, image, options, perceptual=perceptual)) for _ in range(2))
    assert torch.equal(a.ws, b.ws)


def test_starts_at_the_nearest_of_the_candidates(generator):
    rng = torch.Generator().manual_seed(7)
    z = torch.randn(20, 12, generator=rng)
    wanted = generator.mapping(z)[13]
    picture = generator.synthesis(wanted[None]).image[0]
    found = nearest_candidate(generator, picture, 20, torch.Generator().manual_seed(7))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_generators_without_previews_have_candidates_too(architecture):
    config = StyleGAN2Config(
        64, z_dim=4, w_dim=4, mapping_layers=1, channel_base=64, architecture=architecture
    )
    found = nearest_candidate(
        Generator(config).requires_grad_(False), torch.zeros(3, 64, 64), 3, torch.Generator()
    )
    assert found.shape == (config.num_ws, 4)


def test_classes_are_among_the_candidates():
    config = StyleGAN2Config(16, z_dim=4, w_dim=4, mapping_layers=1, channel_base=16, num_labels=3)
    generator = Generator(config).requires_grad_(False)
    options = ProjectOptions(max_steps=1, candidates=4)
    last = run_to_end(project(generator, torch.zeros(3, 16, 16), options, perceptual=perceptual))
    assert last.ws.isfinite().all()


def test_whitened_latents_have_deviation_one(generator):
    whiten = whitening(generator, torch.Generator().manual_seed(0))
    z = torch.randn(4096, 12, generator=torch.Generator().manual_seed(1))
    rows = (generator.mapping(z)[:, 0] - generator.w_avg) @ whiten
    torch.testing.assert_close(rows.T @ rows / 4096, torch.eye(8), rtol=0, atol=0.15)


def test_the_prior_keeps_latents_near_the_mean(generator, image):
    def distance(weight):
        options = ProjectOptions(max_steps=40, candidates=8, prior_weight=weight)
        last = run_to_end(project(generator, image, options, perceptual=perceptual))
        return ((last.ws - generator.w_avg) @ whiten).square().mean().item()

    whiten = whitening(generator, torch.Generator().manual_seed(0))
    assert distance(10.0) < 0.5 * distance(0.0)


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (torch.zeros(3, 16, 16), r"\[3, 16, 16\]; expected .* \[3, 32, 32\]"),
        (torch.zeros(1, 3, 32, 32), "expected"),
        (torch.full((3, 32, 32), torch.nan), "finite"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8), "finite"),
    ],
)
def test_refuses_at_once_what_is_no_picture_of_this_size(generator, picture, message):
    with pytest.raises(ValueError, match=message):
        project(generator, picture)


def test_an_overflow_says_what_to_do(generator, image):
    def overflowing(reference):
        return lambda image: image.square().mean() * torch.inf

    steps = project(generator, image, ProjectOptions(candidates=2), perceptual=overflowing)
    assert next(steps).index == 0
    with pytest.raises(EditDiverged, match="learning_rate"):
        next(steps)
