"""Dragging: its two halves, scenes where the answer is known, and what it promises."""

import dataclasses
import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import (
    DragStep,
    change,
    disc,
    drag,
    motion_supervision,
    square,
    track,
)
from nbdrag.editing.features import sampling_weight
from nbdrag.editing.step import EditDiverged, run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config, Synthesis

HANDLES, TARGETS = [(9.5, 20.5), (22.3, 11.8)], [(14.5, 24.5), (18.3, 1.4)]


def half_mask() -> Tensor:
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[:, :19] = True
    return mask


def test_the_mask_term_is_exact_at_full_size_and_where_cells_change_alike() -> None:
    source = torch.Generator().manual_seed(5)
    outside = (~half_mask()).double()
    for size, alike in [(32, False), (16, True), (16, False)]:
        first = torch.randn(3, size, size, dtype=torch.float64, generator=source)
        difference = torch.randn(3, size, size, dtype=torch.float64, generator=source)
        difference = difference.abs() if alike else difference
        resized = interpolate(difference[None], size=32, mode="bilinear", align_corners=False)[0]
        literal = (resized.abs() * outside).sum()
        ours = change(first + difference, first, sampling_weight(outside, (size, size)))
        if size == 32 or alike:
            torch.testing.assert_close(ours, literal)
        else:
            assert ours > literal


# ------------------------------------------------------------------------------ its two halves


def test_patch_and_window_are_centred_and_exclusive() -> None:
    assert len(disc(3)) == 25
    assert disc(3).norm(dim=1).max() < 3
    assert len(square(12)) == 23**2
    assert square(12).abs().max() == 11
    assert square(3)[0].tolist() == [0, 0]
    for offsets in (disc(2.5), disc(1), square(4), square(1.5)):
        assert offsets.sum() == 0


def test_motion_supervision_leaves_the_patch_itself_alone() -> None:
    """F(q) is held constant: only cells that q + d reads get a gradient."""
    source = torch.Generator().manual_seed(6)
    features = torch.randn(2, 32, 32, generator=source).requires_grad_()
    at, to = torch.tensor([[10.5, 16.5]]), torch.tensor([[20.5, 16.5]])
    motion_supervision(features, at, to, disc(1), (32, 32)).backward()
    assert features.grad is not None
    assert features.grad.abs().sum(0).nonzero().tolist() == [[16, 11]]


def test_a_handle_at_its_target_is_not_moved() -> None:
    features = torch.randn(2, 8, 8, generator=torch.Generator().manual_seed(7))
    at = torch.tensor([[10.2, 16.9]])
    assert motion_supervision(features, at, at, disc(3), (32, 32)) == 0


def test_tracking_finds_what_was_shifted() -> None:
    features = torch.randn(6, 32, 32, generator=torch.Generator().manual_seed(8))
    points = torch.tensor([[10.5, 12.5], [20.5, 20.5], [1.5, 30.5]])
    wanted = features[:, (points[:, 1] - 0.5).long(), (points[:, 0] - 0.5).long()].T
    shifted = features.roll((-2, 3), dims=(1, 2))
    found = track(shifted, wanted, points, square(4), (32, 32))
    assert (found - points).tolist() == [[3, -2]] * 3


def test_tracking_stays_in_the_picture_and_still_where_all_looks_alike() -> None:
    points = torch.tensor([[0.0, 32.0], [31.5, 16.5]])
    found = track(torch.ones(3, 8, 8), torch.ones(2, 3), points, square(6), (32, 32))
    assert torch.equal(found, points)


# ------------------------------------------------------------- where the answer is known


class Sliding:
    """Waves that slide, with the latent, over a picture of 64 pixels.

    The left half moves by ws[0], the right half by ws[1] + ws[0] / 2, both in units of 10 pixels.
    So where anything is, is known exactly.
    """

    resolution = height = width = 64
    num_ws, w_dim, block_resolutions = 6, 2, (4, 8, 16, 32, 64)
    w_avg = torch.zeros(2)

    def __init__(self) -> None:
        source = torch.Generator().manual_seed(9)
        angle = torch.rand(16, generator=source) * 2 * math.pi
        wavelength = 20 + 40 * torch.rand(16, generator=source)
        direction = torch.stack([angle.cos(), angle.sin()], dim=1)
        self.waves = 2 * math.pi / wavelength[:, None] * direction
        self.phases = torch.rand(16, generator=source) * 2 * math.pi
        self.forwards = 0

    @staticmethod
    def shifts(ws: Tensor) -> Tensor:
        """How far the halves moved: [2, 2], left and right, (x, y) in pixels."""
        return 10 * torch.stack([ws[0], ws[1] + ws[0] / 2])

    def synthesis(self, ws: Tensor, *, until: int, taps: tuple[int, ...]) -> Synthesis:
        self.forwards += 1
        centres = (torch.arange(until) + 0.5) * (64 / until)
        grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1)
        right = grid[..., :1] > 32
        left_shift, right_shift = self.shifts(ws[0])
        at = grid - torch.where(right, right_shift, left_shift)
        features = (at @ self.waves.T + self.phases).sin().permute(2, 0, 1)[None]
        return Synthesis(features[:, :3], dict.fromkeys(taps, features))


SLOW = DragOptions(learning_rate=0.02, patch_radius=3, search_radius=5, movable_layers=2)


@pytest.mark.parametrize("block", [32, 64])
@pytest.mark.parametrize("target", [(24.5, 31.5), (8.1, 27.2), (16.5, 44.5)])
def test_the_picture_arrives_where_it_was_dragged(block: int, target: tuple[float, float]) -> None:
    options = SLOW.updated({"feature_block": block})
    handle = torch.tensor([16.5, 31.5])
    steps = list(drag(Sliding(), torch.zeros(6, 2), handle[None], [target], None, options))
    for step in steps:
        moved = Sliding.shifts(step.ws)[0]
        assert (step.points[0] - (handle + moved)).abs().max() < 0.75  # half a pixel, and blur
        torch.testing.assert_close(step.distances, (step.points - step.targets).norm(dim=1))
    assert steps[-1].done
    assert not any(step.done for step in steps[:-1])
    assert (handle + Sliding.shifts(steps[-1].ws)[0] - torch.tensor(target)).norm() < 1.75


def test_several_handles_arrive() -> None:
    handles = torch.tensor([[12.5, 20.5], [18.5, 40.5], [50.5, 30.5]])
    targets = handles + torch.tensor([[7.0, 2.0], [7.0, 2.0], [-3.0, -6.0]])
    last = run_to_end(drag(Sliding(), torch.zeros(6, 2), handles, targets, None, SLOW))
    assert last.done
    assert last.distances.max() <= 1


def test_without_tracking_a_drag_never_knows_when_to_stop() -> None:
    options = SLOW.updated({"tracking": False, "max_steps": 60})
    steps = list(drag(Sliding(), torch.zeros(6, 2), [(16.5, 31.5)], [(22.5, 31.5)], None, options))
    assert len(steps) == 60
    assert not steps[-1].done
    assert steps[-1].points.tolist() == [[16.5, 31.5]]
    assert Sliding.shifts(steps[-1].ws)[0, 0] > 9  # 6 were asked for


def test_a_mask_holds_the_rest() -> None:
    handle, target = [(16.5, 31.5)], [(22.5, 31.5)]
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[:, :32] = True
    options = SLOW.updated({"mask_weight": 4})  # there are but two ways to move, and they are tied
    free = run_to_end(drag(Sliding(), torch.zeros(6, 2), handle, target, None, options))
    held = run_to_end(drag(Sliding(), torch.zeros(6, 2), handle, target, mask, options))
    assert free.done
    assert held.done
    assert Sliding.shifts(free.ws)[1].norm() > 2
    assert Sliding.shifts(held.ws)[1].norm() < 0.5


def test_a_mask_that_is_true_everywhere_is_none() -> None:
    everywhere = torch.ones(64, 64, dtype=torch.bool)
    arguments = (torch.zeros(6, 2), [(16.5, 31.5)], [(22.5, 31.5)])
    free = run_to_end(drag(Sliding(), *arguments, None, SLOW))
    masked = run_to_end(drag(Sliding(), *arguments, everywhere, SLOW))
    assert torch.equal(free.ws, masked.ws)


def test_handles_that_have_arrived_are_left_alone() -> None:
    handles, targets = [(16.5, 31.5), (50.5, 31.5)], [(22.5, 31.5), (51.4, 31.5)]
    both = next(drag(Sliding(), torch.zeros(6, 2), handles, targets, None, SLOW))
    one = next(drag(Sliding(), torch.zeros(6, 2), handles[:1], targets[:1], None, SLOW))
    assert torch.equal(both.ws, one.ws)


@pytest.mark.parametrize(("count", "done"), [(5, False), (6, True)])
def test_more_than_five_handles_stop_at_two_pixels(count: int, done: bool) -> None:
    handles = [(10.5 + i, 30.5) for i in range(count)]
    targets = [(x + 1.5, y) for x, y in handles]
    step = next(drag(Sliding(), torch.zeros(6, 2), handles, targets, None, SLOW))
    assert (step.index == 0 and step.done) == done


class Enlarged(Sliding):
    """The same waves, said to be those of a larger picture."""

    resolution = height = width = 1024


@pytest.mark.parametrize(("count", "least"), [(5, 2), (6, 4)])
def test_the_tolerance_grows_with_pictures_beyond_512_pixels(count: int, least: float) -> None:
    handles = [(100.5 + 20 * i, 300.5) for i in range(count)]

    options = SLOW.updated({"feature_block": 64})

    def done(away: float) -> bool:
        targets = [(x + away, y) for x, y in handles]
        step = next(drag(Enlarged(), torch.zeros(6, 2), handles, targets, None, options))
        return step.index == 0 and step.done

    assert done(least)
    assert not done(least + 0.1)


def test_a_fulfilled_wish_is_one_step() -> None:
    start = torch.ones(6, 2)
    (step,) = drag(Sliding(), start, [(16.5, 31.5)], [(17, 31.5)], None, SLOW)
    assert (step.index, step.done, step.loss) == (0, True, 0)
    assert torch.equal(step.ws, start)


# ---------------------------------------------------------------------------- what it promises


def test_one_forward_pass_a_step() -> None:
    sliding = Sliding()
    edit = drag(sliding, torch.zeros(6, 2), [(16.5, 31.5)], [(30.5, 31.5)], None, SLOW)
    for count in range(1, 6):
        assert next(edit).index == count
        assert sliding.forwards == 1 + count


def test_only_movable_rows_move_and_inputs_stay(generator: Generator, ws: Tensor) -> None:
    handles, targets, mask = torch.tensor(HANDLES), torch.tensor(TARGETS), half_mask()
    given = [each.clone() for each in (ws, handles, targets, mask)]
    options = DragOptions(movable_layers=3, learning_rate=0.1, max_steps=4)
    steps = list(drag(generator, ws, handles, targets, mask, options))
    for step in steps:
        assert torch.equal(step.ws[3:], ws[3:])
        assert (step.ws[:3] != ws[:3]).all()
    assert all(map(torch.equal, given, (ws, handles, targets, mask)))
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_in_w_rows_move_alike(generator: Generator, ws: Tensor) -> None:
    options = DragOptions(movable_layers=4, learning_rate=0.1, max_steps=3, space="w")
    moved = run_to_end(drag(generator, ws, HANDLES, TARGETS, None, options)).ws - ws
    assert (moved[0] != 0).all()
    torch.testing.assert_close(moved[:4], moved[:1].expand(4, -1))
    assert (moved[4:] == 0).all()


def test_a_step_keeps_what_it_was(generator: Generator, ws: Tensor) -> None:
    options = DragOptions(learning_rate=0.1, max_steps=4)
    edit = drag(generator, ws, HANDLES, TARGETS, None, options)
    first = next(edit)
    kept = [each.clone() for each in (first.ws, first.points, first.distances, first.preview)]
    run_to_end(edit)
    now = (first.ws, first.points, first.distances, first.preview)
    assert all(map(torch.equal, kept, now))
    assert not any(each.requires_grad for each in now)


@pytest.mark.parametrize("block", [16, 32])
def test_the_preview_is_the_picture_of_the_steps_ws(
    generator: Generator, ws: Tensor, block: int
) -> None:
    options = DragOptions(learning_rate=0.1, max_steps=3, feature_block=block)
    for step in drag(generator, ws, HANDLES, TARGETS, None, options):
        with torch.no_grad():
            expected = generator.synthesis(step.ws[None], until=block).image[0]
        assert step.preview.shape == (3, block, block)
        torch.testing.assert_close(step.preview, expected)


def test_the_preview_is_as_oblong_as_the_picture(generator: Generator, ws: Tensor) -> None:
    oblong = Generator(dataclasses.replace(generator.config, base_width=2)).double()
    step = next(drag(oblong, ws, [(3.5, 20.5)], [(12.5, 28.5)]))
    assert step.preview.shape == (3, 16, 8)


@pytest.mark.parametrize("architecture", ["resnet", "orig"])
def test_generators_whose_blocks_have_no_rgb_are_dragged_without_preview(architecture) -> None:
    config = StyleGAN2Config(
        32, 8, 8, channel_base=128, channel_max=8, architecture=architecture, mapping_layers=2
    )
    generator = Generator(config)
    ws = generator.mapping(torch.ones(1, 8))[0]
    step = next(drag(generator, ws, HANDLES, TARGETS))
    assert step.preview.shape == (0, 16, 16)
    assert step.loss > 0


def test_the_callers_gradient_mode_neither_matters_nor_changes(
    generator: Generator, ws: Tensor
) -> None:
    options = DragOptions(learning_rate=0.1, max_steps=3)

    def last() -> DragStep:
        return run_to_end(drag(generator, ws, HANDLES, TARGETS, half_mask(), options))

    expected = last()
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            edit = drag(generator, ws, HANDLES, TARGETS, half_mask(), options)
            before = (torch.is_grad_enabled(), torch.is_inference_mode_enabled())
            steps = list(edit)
            assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
        assert torch.equal(steps[-1].ws, expected.ws)


def test_the_same_drag_twice_is_the_same(generator: Generator, ws: Tensor) -> None:
    options = DragOptions(learning_rate=0.1, max_steps=4)
    once, again = (
        run_to_end(drag(generator, ws, HANDLES, TARGETS, half_mask(), options)) for _ in range(2)
    )
    assert torch.equal(once.ws, again.ws)
    assert once.loss == again.loss


class Breaking(Sliding):
    """Waves that turn into NaN after a few forward passes."""

    def synthesis(self, ws: Tensor, *, until: int, taps: tuple[int, ...]) -> Synthesis:
        image, features = super().synthesis(ws, until=until, taps=taps)
        if self.forwards > 4:
            image = image * math.nan
        return Synthesis(image, features)


def test_a_drag_that_diverges_says_so_and_keeps_the_last_good_step() -> None:
    edit = drag(Breaking(), torch.zeros(6, 2), [(16.5, 31.5)], [(30.5, 31.5)], None, SLOW)
    good = [next(edit) for _ in range(3)]
    with pytest.raises(EditDiverged, match=r"in step 4 .* Lower learning_rate, now 0.02"):
        next(edit)
    assert good[-1].ws.isfinite().all()
    assert good[-1].preview.isfinite().all()
    with pytest.raises(StopIteration):
        next(edit)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ws": torch.zeros(1, 6, 2)}, r"ws has shape \[1, 6, 2\]"),
        ({"handles": [(16, 65)]}, r"handles\[0\] is \(16, 65\), outside"),
        ({"targets": [(math.nan, 3)]}, r"targets\[0\] is \(nan, 3\), outside"),
        ({"handles": []}, "handles is empty"),
        ({"targets": [(1, 1), (2, 2)]}, "handles has 1 points and targets 2"),
        ({"mask": torch.zeros(64, 64, dtype=torch.bool)}, "mask is False everywhere"),
        ({"options": {"max_steps": 5}}, "options is a dict; expected DragOptions"),
        ({"options": DragOptions(feature_block=5)}, r"feature_block is 5; .* \[4, 8, 16, 32, 64"),
        ({"options": DragOptions(movable_layers=7)}, "movable_layers is 7; this generator has 6"),
    ],
)
def test_errors_come_at_the_call(change: dict[str, object], message: str) -> None:
    sliding = Sliding()
    wish = {"ws": torch.zeros(6, 2), "handles": [(16, 32)], "targets": [(20, 32)], **change}
    with pytest.raises(ValueError, match=message):
        drag(sliding, **wish)  # type: ignore[arg-type]
    assert sliding.forwards == 0
