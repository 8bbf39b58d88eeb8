"""The packaged reader must read renders nearly exactly; everything measured leans on it."""

import pytest
import torch

from nbdrag.toonfaces import FACTORS, LANDMARKS, render, sample_factors
from nbdrag.toonfaces.reader import GRID, Reader, Reading, load_reader, reading_loss


@pytest.fixture(scope="module")
def reader() -> Reader:
    return load_reader()


@pytest.fixture(scope="module")
def factors() -> torch.Tensor:
    return sample_factors(48, generator=torch.Generator().manual_seed(123))


@pytest.mark.parametrize("size", [64, 128, 256])
def test_landmarks_are_read_to_a_fraction_of_their_scale(reader, factors, size):
    picture, _, landmarks, visible = render(factors, size)
    reading = reader(picture)
    error = (reading.landmarks - landmarks).norm(dim=-1)[visible] / size
    assert error.mean() < (0.012 if size == 64 else 0.008)
    assert ((reading.visible > 0.5) == visible).float().mean() > 0.95


def test_factors_are_read(reader, factors):
    reading = reader(render(factors, 128).image)
    for name in ("yaw", "mouth_open", "smile", "eye_opening", "skin_tone", "hair_length"):
        column = FACTORS.index(name)
        pair = torch.stack([reading.factors[:, column], factors[:, column]])
        assert torch.corrcoef(pair)[0, 1] > 0.9, name


def test_confidence_falls_when_the_face_is_smeared(reader, factors):
    picture = render(factors, 128).image
    tiny = torch.nn.functional.interpolate(picture, size=10, mode="bilinear", antialias=True)
    smeared = torch.nn.functional.interpolate(tiny, size=128, mode="bilinear")
    assert reader(picture).confidence.mean() > reader(smeared).confidence.mean() + 0.2


def test_loss_is_least_at_the_truth(factors):
    _, _, landmarks, visible = render(factors[:4], 128)
    cells = landmarks * GRID / 128
    axis = torch.arange(GRID) + 0.5
    square = (axis - cells[..., 1:2]).square()[..., :, None] + (axis - cells[..., 0:1]).square()[
        ..., None, :
    ]
    exact = Reading(
        landmarks=landmarks,
        confidence=torch.ones(4, len(LANDMARKS)),
        visible=visible.float(),
        factors=factors[:4],
        features=torch.zeros(4, 1),
        heat=(-square / 2).flatten(-2).log_softmax(-1),
    )
    best = reading_loss(exact, landmarks, visible, factors[:4])
    for worse in (
        exact._replace(landmarks=landmarks + 1),
        exact._replace(visible=0.5 * torch.ones_like(exact.visible)),
        exact._replace(factors=factors[:4] + 0.1),
        exact._replace(heat=exact.heat.roll(3, -1)),
    ):
        assert reading_loss(worse, landmarks, visible, factors[:4]) > best


def test_pictures_of_another_shape_are_refused(reader):
    with pytest.raises(ValueError, match="expected"):
        reader(torch.zeros(3, 128, 128))
