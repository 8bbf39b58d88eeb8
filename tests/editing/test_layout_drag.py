"""Dragging by a latent transformer: what reaches it, what comes of it, and what is refused."""

import math

import pytest
import torch
from torch import Tensor

from nbdrag.editing.latent_transformer import LatentTransformer, TransformerConfig, untrained
from nbdrag.editing.layout_drag import LayoutDragOptions, anchors, layout_drag
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import load_reader

HANDLES, TARGETS = [(9.5, 20.5), (22.3, 11.8)], [(14.5, 24.5), (18.3, 1.4)]


@pytest.fixture(scope="module")
def generator() -> Generator:
    """A tiny generator; the fixture of the others is in float64."""
    config = StyleGAN2Config(32, 8, 8, channel_base=128, channel_max=8, mapping_layers=2)
    return Generator(config, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def ws(generator: Generator) -> Tensor:
    return generator.mapping(torch.ones(1, 8))[0]


@pytest.fixture(scope="module")
def transformer(generator: Generator) -> LatentTransformer:
    source = torch.Generator().manual_seed(2)
    made = untrained(TransformerConfig.for_generator(generator), generator.content_hash, source)
    made.write_row.weight.data.normal_(std=0.03, generator=source)
    return made.eval().requires_grad_(False)


class Asked(LatentTransformer):
    """Remembers what it was asked, and moves nothing."""

    def forward(self, ws: Tensor, features: Tensor, points: Tensor, arrows: Tensor) -> Tensor:
        self.points, self.arrows, self.seen = points[0], arrows[0], features[0]
        return ws


def test_it_is_one_step_of_the_same_kind(generator, ws, transformer) -> None:
    given = ws.clone()
    (step,) = layout_drag(generator, ws, HANDLES, TARGETS, transformer=transformer)
    assert (step.index, step.loss) == (1, 0)
    assert torch.equal(ws, given)
    assert (step.ws[:6] != ws[:6]).all()
    assert torch.equal(step.ws[6:], ws[6:])
    torch.testing.assert_close(step.distances, (step.points - step.targets).norm(dim=1))
    with torch.no_grad():
        expected = generator.synthesis(step.ws[None], until=16).image[0]
    torch.testing.assert_close(step.preview, expected)


def test_strength_scales_the_change(generator, ws, transformer) -> None:
    def change(strength: float) -> Tensor:
        options = LayoutDragOptions(strength=strength)
        edit = layout_drag(generator, ws, HANDLES, TARGETS, None, options, transformer=transformer)
        return next(edit).ws - ws

    torch.testing.assert_close(change(2), 2 * change(1), atol=1e-5, rtol=1e-4)
    assert change(0).abs().max() == 0


def test_the_mask_becomes_anchors(generator, ws) -> None:
    config = TransformerConfig.for_generator(generator)
    asked = Asked(config, generator.content_hash)
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[:, :16] = True
    next(layout_drag(generator, ws, HANDLES, TARGETS, mask, transformer=asked))
    torch.testing.assert_close(asked.points[:2], torch.tensor(HANDLES))
    torch.testing.assert_close(asked.arrows[:2], torch.tensor(TARGETS) - torch.tensor(HANDLES))
    assert len(asked.points) > 2
    assert (asked.points[2:, 0] >= 16).all()
    assert (asked.arrows[2:] == 0).all()
    assert asked.seen.shape == (len(asked.points), config.channels)


@pytest.mark.parametrize("count", [0, 1, 8, 50])
def test_anchors_are_about_so_many_and_even(count: int) -> None:
    everywhere = torch.ones(32, 24)
    found = anchors(everywhere, count)
    assert count / 2 <= len(found) <= 2 * count
    if count:
        torch.testing.assert_close(found.mean(0), torch.tensor([12.0, 16.0]))
    assert anchors(torch.zeros(32, 24), count).shape == (0, 2)


def test_nothing_moves_nothing_is_found_elsewhere(generator, ws) -> None:
    still = untrained(
        TransformerConfig.for_generator(generator),
        generator.content_hash,
        torch.Generator().manual_seed(0),
    )
    (step,) = layout_drag(generator, ws, HANDLES, TARGETS, transformer=still)
    torch.testing.assert_close(step.points, torch.tensor(HANDLES))
    assert not step.done
    (step,) = layout_drag(generator, ws, HANDLES, HANDLES, transformer=still)
    assert step.done


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ws": torch.zeros(1, 8, 8)}, r"ws has shape \[1, 8, 8\]"),
        ({"handles": [(16, 65)]}, r"handles\[0\] is \(16, 65\), outside"),
        ({"targets": [(math.nan, 3)]}, r"targets\[0\] is \(nan, 3\), outside"),
        ({"handles": []}, "handles is empty"),
        ({"targets": [(1, 1), (2, 2)]}, "handles has 1 points and targets 2"),
        ({"mask": torch.zeros(32, 32, dtype=torch.bool)}, "mask is False everywhere"),
        ({"options": {"strength": 5}}, "options is a dict; expected LayoutDragOptions"),
        ({}, "no latent transformer comes with this generator. Train one"),
    ],
)
def test_errors_come_at_the_call(generator, change: dict[str, object], message: str) -> None:
    wish = {"ws": torch.zeros(8, 8), "handles": [(16, 12)], "targets": [(20, 12)], **change}
    with pytest.raises(ValueError, match=message):
        layout_drag(generator, **wish)  # type: ignore[arg-type]


def test_the_packaged_one_turns_a_head_towards_where_its_nose_is_sent() -> None:
    portraits, reader = load_generator("toonfaces-128"), load_reader()
    tip, sent = LANDMARKS.index("nose_tip"), torch.tensor([8.0, 0.0])
    z = torch.randn(4, portraits.z_dim, generator=torch.Generator().manual_seed(5))
    went = []
    for latent in portraits.mapping(z, truncation=0.7):
        with torch.no_grad():
            nose = reader(portraits.synthesis(latent[None]).image).landmarks[0, tip]
        (step,) = layout_drag(portraits, latent, nose[None], nose[None] + sent)
        with torch.no_grad():
            now = reader(portraits.synthesis(step.ws[None]).image).landmarks[0, tip]
        went.append(((now - nose) @ sent / (sent @ sent)).item())
    assert min(went) > 0, went
    assert 0.5 < sum(went) / 4 < 1.5, went
