"""The anatomy must be of the very drag that runs, so it is checked against its steps."""

import pytest
import torch

from nbdrag.editing.anatomy import Colouring, dissect, feature_map
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import disc, drag, motion_supervision
from nbdrag.editing.features import sample
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config

HANDLES = torch.tensor([[20.0, 30.0], [3.0, 60.0]])
TARGETS = torch.tensor([[30.0, 22.0], [14.0, 50.0]])


@pytest.fixture(scope="module")
def generator() -> Generator:
    config = StyleGAN2Config(
        64, z_dim=16, w_dim=16, mapping_layers=2, channel_base=256, channel_max=16
    )
    return Generator(config, torch.Generator().manual_seed(0)).requires_grad_(False)


@pytest.fixture(scope="module")
def steps(generator):
    z = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    ws = generator.mapping(z)[0]
    options = DragOptions(learning_rate=0.05, patch_radius=5, search_radius=4, max_steps=3)
    return ws, options, list(drag(generator, ws, HANDLES, TARGETS, None, options))


def test_it_finds_what_the_drag_found(generator, steps):
    ws, options, done = steps
    block = done[0].preview.shape[-1]
    maps = [feature_map(generator, each, block) for each in (ws, *(step.ws for step in done))]
    wanted = sample(maps[0], HANDLES, (64, 64))
    colouring = Colouring.of(maps[0])
    points = HANDLES
    for i, step in enumerate(done):
        anatomy = dissect(
            maps[i],
            maps[i + 1],
            wanted,
            points,
            TARGETS,
            colouring,
            patch_radius=options.patch_radius,
            search_radius=options.search_radius,
            size=(64, 64),
        )
        least = anatomy.windows.flatten(1).amin(1)
        found = (sample(maps[i + 1], step.points, (64, 64)) - wanted).abs().sum(-1)
        torch.testing.assert_close(least, found)
        # The share of every patch, together, is the loss; one reaches beyond the picture.
        loss = motion_supervision(maps[i], points, TARGETS, disc(options.patch_radius), (64, 64))
        torch.testing.assert_close(anatomy.pull.sum(), loss)
        points = step.points


def test_windows_read_from_top_to_bottom(generator, steps):
    ws, _options, done = steps
    block = done[0].preview.shape[-1]
    features = feature_map(generator, ws, block)
    wanted = sample(features, HANDLES, (64, 64))
    anatomy = dissect(
        features,
        features,
        wanted,
        HANDLES,
        TARGETS,
        Colouring.of(features),
        patch_radius=3,
        search_radius=4,
        size=(64, 64),
    )
    assert anatomy.windows.shape == (2, 7, 7)
    assert torch.equal(anatomy.corners, HANDLES - 3)
    assert torch.equal(anatomy.found, HANDLES)  # nothing moved
    below = (sample(features, HANDLES + torch.tensor([0.0, 2.0]), (64, 64)) - wanted).abs().sum(-1)
    torch.testing.assert_close(anatomy.windows[:, 5, 3], below)
    assert anatomy.windows[1, :, 0].isfinite().all()
    assert not (anatomy.windows[:, 3, 3] > 1e-6).any()


def test_colours_are_the_principal_components():
    random = torch.Generator().manual_seed(0)
    strong = torch.randn(1, 8, 8, generator=random)
    features = torch.cat([10 * strong, 0.01 * torch.randn(4, 8, 8, generator=random)])
    red = Colouring.of(features).paint(features)[..., 0].flatten()
    linked = torch.corrcoef(torch.stack([red, strong.flatten()]))[0, 1].abs()
    assert linked > 0.98  # but for the cells that saturate
    assert red.min() == 0
    assert red.max() == 1
