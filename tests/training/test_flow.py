"""Flow between generated pictures: found again after a shift, and where landmarks say."""

import torch

from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training.flow import best_match, describe, flow, flow_blocks, peak


def waves(shift: tuple[float, float], cells: int = 16) -> torch.Tensor:
    """Smooth features of a picture of 64 pixels, shifted by so many pixels: [C, cells, cells]."""
    source = torch.Generator().manual_seed(0)
    angle = torch.rand(24, generator=source) * 2 * torch.pi
    length = 15 + 60 * torch.rand(24, generator=source)
    k = 2 * torch.pi / length[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    centres = (torch.arange(cells) + 0.5) * (64 / cells)
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
    phase = torch.rand(24, generator=source) * 6
    return ((grid - torch.tensor(shift)) @ k.T + phase).sin().permute(2, 0, 1)


def test_a_shift_is_found_between_cells() -> None:
    points = torch.tensor([[20.5, 30.5], [33.0, 25.0], [40.0, 44.0]])
    for shift in [(0.0, 0.0), (6.0, -3.0), (-1.7, 5.2)]:
        found = flow(waves((0, 0)), waves(shift), points, (64, 64))
        assert found.certain.all()
        assert (found.targets - points - torch.tensor(shift)).norm(dim=1).max() < 1.2


def test_what_is_not_there_is_not_certain() -> None:
    source = torch.Generator().manual_seed(1)
    first, last = torch.randn(2, 8, 16, 16, generator=source)
    points = 4 + 56 * torch.rand(60, 2, generator=source)
    assert flow(first, last, points, (64, 64)).certain.float().mean() < 0.5


def test_the_peak_is_that_of_a_parabola_and_of_none_at_the_border() -> None:
    x = torch.arange(7.0)
    lines = torch.stack([-((x - 3.3) ** 2), -((x - 2.6) ** 2), -x, torch.zeros(7)])
    found = peak(lines, torch.tensor([3, 3, 0, 2]))
    torch.testing.assert_close(found, torch.tensor([0.3, -0.4, 0.0, 0.0]), atol=1e-5, rtol=0)


def test_a_match_is_by_direction_not_by_size() -> None:
    places = waves((0, 0))
    wanted = 7 * places[:, 5, 9][None]
    found = best_match(wanted, places, (64, 64))
    assert (found - torch.tensor([[38.0, 22.0]])).abs().max() <= 2


def test_landmarks_go_where_the_reader_sees_them() -> None:
    generator, reader = load_generator("toonfaces-128"), load_reader()
    source = torch.Generator().manual_seed(0)
    one, other = generator.mapping(torch.randn(6, generator.z_dim, generator=source)).split(3)
    led = one.clone()
    led[:, :6] += 0.5 * (other - one)[:, :6]
    blocks = flow_blocks(generator)
    with torch.no_grad():
        first, last = (generator.synthesis(ws, taps=blocks) for ws in (one, led))
        before, after = reader(first.image), reader(last.image)
    sure = (torch.stack([before.confidence, after.confidence]) > 0.6).all(0)
    descriptions = zip(
        describe(first.features, blocks), describe(last.features, blocks), strict=True
    )
    missed, moved, certain = [], [], []
    for i, (a, b) in enumerate(descriptions):
        found = flow(a, b, before.landmarks[i][sure[i]], (128, 128))
        missed.append((found.targets - after.landmarks[i][sure[i]]).norm(dim=1))
        moved.append((before.landmarks[i] - after.landmarks[i])[sure[i]].norm(dim=1))
        certain.append(found.certain)
    assert torch.cat(moved).mean() > 2.5
    assert torch.cat(missed).median() < 1.5
    assert torch.cat(certain).float().mean() > 0.8
