"""FreeDrag equals its formulas read literally: resized, point by point, pixel by pixel, slowly."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.editing.freedrag import free_drag
from nbdrag.editing.freedrag_options import FreeDragOptions
from nbdrag.generators.stylegan2 import Generator
from tests.editing.test_draggan_literal import Points, pixel

HANDLES, TARGETS = [(9.5, 20.5), (22.3, 11.8), (1.5, 30.5)], [(14.5, 24.5), (18.3, 1.4), (6, 31)]
SIZE = 32


def patch(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    """The pixels of a patch, row by row."""
    reach = range(-9, 10)
    return [(x + i, y + j) for j in reach for i in reach if math.hypot(i, j) < radius]


def shown(x: float, y: float) -> bool:
    return 0 <= x <= SIZE and 0 <= y <= SIZE


class Handle:
    """One handle: its template, and where that is to appear."""

    def __init__(self, F: Tensor, start, target, options: FreeDragOptions) -> None:
        self.options = options
        self.start, self.target, self.place = start, target, start
        self.template = [pixel(F, *q) for q in patch(*start, options.patch_radius)]
        self.begin = self.end = 0.0

    def unlike(self, F: Tensor, place: tuple[float, float]) -> Tensor:
        total, count = torch.zeros([], dtype=torch.float64), 0
        was = patch(*self.start, self.options.patch_radius)
        now = patch(*place, self.options.patch_radius)
        for before, q, wanted in zip(was, now, self.template, strict=True):
            if shown(*before) and shown(*q):
                total, count = total + (pixel(F, *q) - wanted).abs().mean(), count + 1
        return total / count

    def adopt(self, F: Tensor, scale: float) -> None:
        share = 1 / (1 + math.exp(math.log(9) / (0.6 * scale) * (self.end - 0.2 * scale)))
        here = patch(*self.place, self.options.patch_radius)
        self.template = [
            share * pixel(F, *q) + (1 - share) * wanted
            for q, wanted in zip(here, self.template, strict=True)
        ]

    def search(self, F: Tensor, scale: float) -> str:
        if self.end <= 0.5 * scale:
            case, low, wanted = "on", self.place, scale
            high = self.towards(self.place, self.target, self.options.reach)
        elif self.end < self.begin:
            case, low, high, wanted = "stay", self.place, self.place, 0.0
        else:
            case, wanted = "back", 0.0
            low = self.towards(self.place, self.start, self.options.reach)
            high = self.towards(self.place, self.target, self.options.reach)
        nearest = math.inf
        for i in range(self.options.samples, 0, -1):
            share = i / self.options.samples
            place = tuple(a + share * (b - a) for a, b in zip(low, high, strict=True))
            found = self.unlike(F, place).item()
            if abs(found - wanted) < nearest:
                nearest, self.place, self.begin = abs(found - wanted), place, found
        return case

    @staticmethod
    def towards(place, goal, reach: float):
        distance = math.dist(place, goal)
        share = 1.0 if distance <= reach else reach / distance
        return tuple(a + share * (b - a) for a, b in zip(place, goal, strict=True))


def literal_free_drag(
    generator: Generator, ws: Tensor, handles: Points, targets: Points, mask, options, cases: set
) -> Iterator[tuple[Tensor, float, list[tuple[float, float]], bool]]:
    """Yields ws, loss, points, and whether all is done; and what it did, in `cases`."""
    rows = 1 if options.space == "w" else options.movable_layers
    movable = ws[:rows].clone().requires_grad_()
    optimizer = torch.optim.Adam([movable], lr=options.learning_rate)

    def forward() -> tuple[Tensor, Tensor, Tensor]:
        head = movable.expand(options.movable_layers, -1)
        latent = torch.cat([head, ws[options.movable_layers :]])
        block = options.feature_block
        raw = generator.synthesis(latent[None], until=block, taps=[block]).features[block]
        return latent.detach(), raw, interpolate(raw, size=(SIZE, SIZE), mode="bilinear")[0]

    _, first, F = forward()
    first = first.detach()
    mean = first.mean(dim=(2, 3), keepdim=True)
    scale = options.difference or (first - mean).abs().mean().item() / 2
    moving = [Handle(F.detach(), h, t, options) for h, t in zip(handles, targets, strict=True)]
    step = 0
    while step < options.max_steps:
        cases |= {handle.search(F.detach(), scale) for handle in moving}
        for _ in range(options.motion_steps):
            loss = sum(handle.unlike(F, handle.place) for handle in moving)
            if mask is not None:
                _, raw, _ = forward()
                changed = interpolate((raw - first).abs(), size=(SIZE, SIZE), mode="bilinear")[0]
                outside = changed[:, ~mask].sum() / (changed.shape[0] * mask.numel())
                loss = loss + options.mask_weight * outside
            (movable.grad,) = torch.autograd.grad(loss, movable)
            optimizer.step()
            step += 1
            latent, _, F = forward()
            for handle in moving:
                handle.end = handle.unlike(F.detach(), handle.place).item()
            fits = all(handle.end <= 0.5 * scale for handle in moving)
            there = all(math.dist(handle.place, handle.target) <= 1 for handle in moving)
            yield latent, loss.item(), [handle.place for handle in moving], fits and there
            if fits or step >= options.max_steps:
                break
        if fits and there:
            return
        for handle in moving:
            handle.adopt(F.detach(), scale)


@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
@pytest.mark.parametrize(
    ("block", "space", "difference", "rate", "expected"),
    [
        (16, "w+", None, 0.05, {"on", "stay"}),
        (32, "w", 2.0, 0.02, {"on"}),
        (16, "w+", 0.5, 0.4, {"on", "stay", "back"}),
    ],
)
def test_the_trajectory_is_that_of_the_formulas(
    generator: Generator,
    ws: Tensor,
    block: int,
    space: str,
    difference: float | None,
    rate: float,
    expected: set[str],
    masked: bool,
) -> None:
    options = FreeDragOptions(
        difference=difference,
        reach=1.7,
        samples=4,
        motion_steps=3,
        learning_rate=rate,
        patch_radius=1.5,
        max_steps=10,
        movable_layers=5,
        space=space,
        feature_block=block,
    )
    start = ws if space == "w+" else ws[:1].repeat(generator.num_ws, 1)
    mask = None
    if masked:
        mask = torch.zeros(SIZE, SIZE, dtype=torch.bool)
        mask[:, :19] = True
    cases: set[str] = set()
    literal = list(literal_free_drag(generator, start, HANDLES, TARGETS, mask, options, cases))
    ours = list(free_drag(generator, start, HANDLES, TARGETS, mask, options))
    assert len(ours) == len(literal)
    assert expected <= cases
    for step, (latent, loss, points, done) in zip(ours, literal, strict=True):
        assert step.loss == pytest.approx(loss, rel=1e-9)
        torch.testing.assert_close(step.ws, latent, rtol=0, atol=1e-9)
        assert [tuple(p) for p in step.points.tolist()] == [pytest.approx(p) for p in points]
        assert step.done == done
