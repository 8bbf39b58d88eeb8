"""Perceptual distance, identity, and LPIPS from files."""

import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nbdrag import toonfaces
from nbdrag.editing.identity import PERSON, cosine_similarity, embedded_identity
from nbdrag.editing.lpips import lpips
from nbdrag.editing.perceptual import embedded_perceptual, feature_distance, shrunk
from nbdrag.toonfaces import FACTORS
from tests.editing.painting import random_stages, see

LIKE = torch.zeros((), dtype=torch.float64)


def pictures(seed: int, size: int = 32) -> Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.rand(2, 1, 3, size, size, dtype=torch.float64, generator=source) * 2 - 1


def test_unweighted_it_is_a_mean_of_squared_chords() -> None:
    weights = random_stages(torch.Generator().manual_seed(1))
    a, b = pictures(2)

    def stages(x: Tensor) -> list[Tensor]:
        return [features + 0.1 for features in see(x, weights)]

    found = feature_distance(stages)(a)(b)
    chords = []
    for f, g in zip(stages(a), stages(b), strict=True):
        cosine = (f * g).sum(1) / (f.norm(dim=1) * g.norm(dim=1))
        chords.append((2 - 2 * cosine).mean())
    torch.testing.assert_close(found, sum(chords) / 2)


def test_a_picture_is_like_itself_and_the_gradient_there_is_finite() -> None:
    for distance in (embedded_perceptual(LIKE), feature_distance(lambda x: [0 * x])):
        a, _ = pictures(3)
        image = a.clone().requires_grad_()
        loss = distance(a)(image)
        (gradient,) = torch.autograd.grad(loss, image)
        assert loss == 0
        assert gradient.isfinite().all()


def test_the_reference_is_looked_at_once() -> None:
    looks = []
    a, b = pictures(4)
    compare = feature_distance(lambda x: looks.append(x) or [x])
    distance = compare(a)
    distance(b), distance(b)
    assert [len(look) for look in looks] == [1, 1, 1]
    assert looks[0] is a


def test_the_embedded_one_sees_more_in_another_face_than_in_another_shade() -> None:
    source = torch.Generator().manual_seed(5)
    factors = toonfaces.sample_factors(2, generator=source)
    one, other = toonfaces.render(factors, 64).image.double().split(1)
    distance = embedded_perceptual(LIKE)(one)
    assert 0 < distance(one * 0.95) < distance(other) < 4


def test_large_pictures_are_shrunk_by_means() -> None:
    x = torch.arange(2.0 * 4 * 6).view(1, 2, 4, 6)
    expected = torch.stack([x[..., i::2, j::2] for i in (0, 1) for j in (0, 1)]).mean(0)
    assert torch.equal(shrunk(x, 2), expected)
    assert shrunk(x, 4) is x


# ---------------------------------------------------------------------------------------- identity


def test_similarity_is_the_cosine() -> None:
    a, b = pictures(6)
    rows = [x.mean((2, 3))[0] for x in (a, b)]
    cosine = rows[0] @ rows[1] / math.sqrt(rows[0] @ rows[0] * (rows[1] @ rows[1]))
    torch.testing.assert_close(cosine_similarity(lambda x: x.mean((2, 3)))(a)(b), cosine)


def test_a_toonface_remains_itself_when_it_smiles_and_not_with_another_nose() -> None:
    source = torch.Generator().manual_seed(7)
    same = toonfaces.sample_factors(1, generator=source)
    smiling, other = same.clone(), same.clone()
    smiling[0, [FACTORS.index(name) for name in ("smile", "mouth_open", "gaze_x")]] = 0.9
    columns = [FACTORS.index(name) for name in PERSON]
    other[0, columns] = 1 - other[0, columns]
    images = toonfaces.render(torch.cat([same, smiling, other]), 128).image.double().split(1)
    similarity = embedded_identity(LIKE)(images[0])
    assert similarity(images[0]) == pytest.approx(1)
    assert similarity(images[1]) > 0.9
    assert similarity(images[2]) < 0


# ------------------------------------------------------------------------------------------- LPIPS

PLACES = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
WIDTHS = [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]


def vgg16() -> nn.Sequential:
    """The published sequence of layers, with random weights."""
    layers, inputs = [], 3
    for outputs in [64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512, 0, 512, 512, 512]:
        if outputs:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, device="meta"), nn.ReLU()]
            inputs = outputs
        else:
            layers.append(nn.MaxPool2d(2, 2))
    network = nn.Sequential(*layers).to_empty(device="cpu")
    source = torch.Generator().manual_seed(8)
    for parameter in network.parameters():
        reach = parameter[0].numel() if parameter.ndim > 1 else 100
        parameter.data.normal_(generator=source).mul_(math.sqrt(2 / reach))
    return network


@pytest.fixture(scope="module")
def network() -> nn.Sequential:
    return vgg16()


@pytest.fixture(scope="module")
def files(network: nn.Sequential, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("lpips")
    source = torch.Generator().manual_seed(9)
    torch.save(
        {f"features.{name}": value for name, value in network.state_dict().items()},
        folder / "vgg16.pth",
    )
    linear = {
        f"lin{i}.model.1.weight": torch.rand(1, width, 1, 1, generator=source)
        for i, width in enumerate([64, 128, 256, 512, 512])
    }
    save_file(linear, folder / "linear.safetensors")
    return folder / "vgg16.pth", folder / "linear.safetensors"


@torch.no_grad()
def test_lpips_is_the_published_formula(network: nn.Sequential, files: tuple[Path, Path]) -> None:
    a, b = pictures(10)
    like = torch.zeros(())
    found = lpips(*files, like)(a.float())(b.float())
    source = torch.Generator().manual_seed(9)
    expected, x = 0.0, [(each[0] + 1) / 2 for each in (a.float(), b.float())]
    # As torchvision prepares pictures for it.
    mean, spread = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    x = [torch.stack([(p[c] - mean[c]) / spread[c] for c in range(3)])[None] for p in x]
    for i, layer in enumerate(network):
        x = [layer(each) for each in x]
        if i in (3, 8, 15, 22, 29):  # relu1_2, relu2_2, relu3_3, relu4_3, relu5_3
            weight = torch.rand(1, x[0].shape[1], 1, 1, generator=source)
            one, other = (each / each.square().sum(1, keepdim=True).sqrt() for each in x)
            expected += (weight * (one - other) ** 2).sum(1).mean().item()
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_both_files_are_told_apart(files: tuple[Path, Path]) -> None:
    with pytest.raises(ValueError, match=r'has no "features.0.weight"; is it the right one'):
        lpips(files[1], files[0], LIKE)


def test_a_file_that_is_none_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("broken.pth", "broken.safetensors"):
        (tmp_path / name).write_bytes(b"nothing")
        with pytest.raises(ValueError, match=rf"{name}' can't be read"):
            lpips(tmp_path / name, files[1], LIKE)
    with pytest.raises(ValueError, match=r"missing.pth' can't be read"):
        lpips(tmp_path / "missing.pth", files[1], LIKE)
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ValueError, match="something else than a state dict"):
        lpips(tmp_path / "list.pth", files[1], LIKE)


def test_a_weight_of_another_shape_is_named(files: tuple[Path, Path], tmp_path: Path) -> None:
    save_file({"lin0.model.1.weight": torch.zeros(1, 3, 1, 1)}, tmp_path / "odd.safetensors")
    with pytest.raises(ValueError, match=r'"lin0.model.1.weight" in .* is \[1, 3, 1, 1\], not'):
        lpips(files[0], tmp_path / "odd.safetensors", LIKE)
