"""One pass, whatever its predictor knows: what it yields, keeps, cuts into hops and refuses."""

import pytest
import torch
from torch import Tensor

from nbdrag.editing.auto_draggan import (
    AutoDragOptions,
    auto_drag,
    auto_drag_batch,
    masked_picture,
)
from nbdrag.editing.auto_draggan_blend import blended
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.draggan import (
    DragStep,
    change,
    disc,
    motion_supervision,
    square,
    track,
)
from nbdrag.editing.features import sample, sampling_weight
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from tests.editing.predictors import tiny_predictor

HANDLES, TARGETS = [(9.5, 20.5), (22.3, 11.8)], [(12.5, 24.5), (18.3, 8.4)]


@pytest.fixture(scope="module")
def predictor(generator: Generator) -> LatentPredictor:
    return tiny_predictor(generator)


def options(**changes: object) -> AutoDragOptions:
    given = {"movable_layers": 4, "search_radius": 3.0, "patch_radius": 2.0, "precision": "float32"}
    return AutoDragOptions.from_dict({**given, **changes})


def left_half() -> Tensor:
    mask = torch.zeros(32, 32, dtype=torch.bool)
    mask[:, :19] = True
    return mask


def test_it_yields_the_predicted_steps(generator, ws, predictor):
    before = ws.clone()
    steps = list(auto_drag(generator, ws, HANDLES, TARGETS, None, options(), predictor=predictor))
    assert [step.index for step in steps] == [1, 2, 3]
    told = auto_drag_batch(generator, ws[None], [HANDLES], [TARGETS], predictor=predictor)[0]
    handles, targets = (torch.tensor(points, dtype=ws.dtype) for points in (HANDLES, TARGETS))
    for step, latent in zip(steps, told, strict=True):
        assert isinstance(step, DragStep)
        torch.testing.assert_close(step.ws, latent)
        torch.testing.assert_close(step.distances, (targets - step.points).norm(dim=1))
    for step in steps[:-1]:  # nobody looks
        torch.testing.assert_close(step.points, torch.lerp(handles, targets, step.index / 3))
        assert step.preview.shape == (0, 16, 16)
        assert not step.done
    last = steps[-1]
    features = generator.synthesis(torch.stack([ws, last.ws]), taps=(16,)).features[16]
    wanted = sample(features[0], handles, (32, 32))
    found = track(features[1], wanted, targets, square(3), (32, 32))
    torch.testing.assert_close(last.points, found)
    assert last.done == bool((last.distances <= 1).all())
    made = generator.synthesis(last.ws[None], until=16).image[0]
    torch.testing.assert_close(last.preview, made)
    assert torch.equal(steps[-1].ws[4:], ws[4:])
    assert torch.equal(ws, before)


def test_a_long_way_is_cut_into_hops(generator, ws, predictor):
    handles, targets = [(2.5, 16.5)], [(22.5, 16.5)]  # 20 pixels, of which 8 are in reach
    told = auto_drag_batch(generator, ws[None], [handles], [targets], predictor=predictor)[0]
    assert len(told) == 9
    third = [(2.5 + 20 / 3, 16.5)]
    first = auto_drag_batch(generator, ws[None], [handles], [third], predictor=predictor)[0]
    torch.testing.assert_close(told[:3], first, atol=1e-4, rtol=1e-4)
    second = auto_drag_batch(
        generator, told[None, 2], [third], [[(2.5 + 40 / 3, 16.5)]], predictor=predictor
    )[0]
    torch.testing.assert_close(told[3:6], second, atol=1e-4, rtol=1e-4)


def test_handles_that_stay_leave_the_picture(generator, ws, predictor):
    chosen = options(tolerance=0.5)
    *_, last = auto_drag(generator, ws, HANDLES, HANDLES, None, chosen, predictor=predictor)
    torch.testing.assert_close(last.ws, ws, atol=1e-5, rtol=1e-5)
    assert last.done


def test_what_is_told_for_handles_that_stay_is_taken_off(generator, ws, predictor):
    def told(targets: object, steady: bool) -> Tensor:
        return auto_drag_batch(
            generator, ws[None], [HANDLES], [targets], predictor=predictor, steady=steady
        )[0]

    drift = told(HANDLES, False) - ws
    assert drift.abs().max() > 1e-2
    expected = told(TARGETS, False) - drift
    torch.testing.assert_close(told(TARGETS, True), expected, atol=1e-5, rtol=1e-5)
    unsteady = options(steady=False)
    *_, last = auto_drag(generator, ws, HANDLES, TARGETS, None, unsteady, predictor=predictor)
    torch.testing.assert_close(last.ws, told(TARGETS, False)[-1], atol=1e-5, rtol=1e-5)


def test_a_batch_of_drags_is_each_of_them(generator, ws, predictor):
    both = torch.stack([ws, ws.flip(0)])
    handles, targets = [HANDLES, [(5.0, 6.0)]], [TARGETS, [(6.0, 9.0)]]
    together = auto_drag_batch(generator, both, handles, targets, predictor=predictor)
    for i in range(2):
        alone = auto_drag_batch(
            generator, both[i : i + 1], handles[i : i + 1], targets[i : i + 1], predictor=predictor
        )
        torch.testing.assert_close(together[i], alone[0], atol=1e-4, rtol=1e-4)


def test_without_the_regularizer_it_is_another_answer(generator, ws, predictor):
    there, here = (
        auto_drag_batch(
            generator, ws[None], [HANDLES], [TARGETS], predictor=predictor, regularize=each
        )
        for each in (True, False)
    )
    assert (there - here).abs().max() > 1e-3
    last = run_to_end(
        auto_drag(
            generator, ws, HANDLES, TARGETS, None, options(regularize=False), predictor=predictor
        )
    )
    assert torch.equal(last.ws, here[0, -1])


def test_refinement_goes_on_by_draggan(generator, ws, predictor):
    chosen = options(refine=2, tolerance=0.5)
    steps = list(auto_drag(generator, ws, HANDLES, TARGETS, None, chosen, predictor=predictor))
    assert [step.index for step in steps] == [1, 2, 3, 4, 5]
    assert all(step.loss > 0 for step in steps[3:])
    assert torch.equal(steps[-1].ws[4:], ws[4:])
    assert (steps[3].ws - steps[2].ws).abs().max() > 1e-4


def test_refinement_holds_on_to_the_first_picture(generator, ws, predictor):
    """Both what is outside the mask and what a handle looks like are the first picture's."""
    chosen = options(refine=1, tolerance=0.5)
    *_, last, refined = auto_drag(
        generator, ws, HANDLES, TARGETS, left_half(), chosen, predictor=predictor
    )
    first, now = generator.synthesis(torch.stack([ws, last.ws]), taps=(16,)).features[16]
    size, wanted = (32, 32), sample(first, torch.tensor(HANDLES).to(ws), (32, 32))
    # At the first step the picture is unblended; where the handles are was told beforehand.
    pull = motion_supervision(now, last.points, last.targets, disc(2), size)
    outside = (~left_half()).double()
    weight = chosen.mask_weight * len(disc(2)) / outside.numel()
    held = change(now, first, weight * sampling_weight(outside, (16, 16)))
    assert refined.loss == pytest.approx((pull + held).item(), rel=1e-6)
    after = generator.synthesis(refined.ws[None], taps=(16,)).features[16][0]
    found = track(after, wanted, last.points, square(3), size)
    torch.testing.assert_close(refined.points, found)


def test_outside_the_mask_the_picture_is_the_first(generator, ws, predictor):
    *_, last = auto_drag(
        generator, ws, HANDLES, TARGETS, left_half(), options(), predictor=predictor
    )
    first = generator.synthesis(ws[None]).image[0]
    kept = masked_picture(generator, last.ws, ws, left_half())
    torch.testing.assert_close(kept[:, ~left_half()], first[:, ~left_half()])
    assert (kept - first)[:, left_half()].abs().max() > 1e-3
    small = generator.synthesis(ws[None], until=16).image[0]
    torch.testing.assert_close(last.preview[:, :, 10:], small[:, :, 10:])
    everywhere = masked_picture(generator, last.ws, ws, torch.ones(32, 32, dtype=torch.bool))
    torch.testing.assert_close(everywhere, generator.synthesis(last.ws[None]).image[0])


def test_blending_needs_blocks_it_knows(generator, ws):
    class Other:
        synthesis = None
        resolution = 32

    with pytest.raises(ValueError, match="mask can't be used"):
        blended(Other(), ws[None], ws, torch.ones(32, 32))  # type: ignore[arg-type]


def test_it_follows_the_device_and_type_of_the_latent(generator, ws, predictor):
    told = auto_drag_batch(generator, ws[None], [HANDLES], [TARGETS], predictor=predictor)
    assert told.dtype == ws.dtype == torch.float64


@pytest.mark.parametrize(
    ("handles", "targets", "message"),
    [
        ([(5, 5), (20, 9), (5.5, 5.5)], [(6, 6)] * 3, r"handles\[0\] and handles\[2\] are 0\.71"),
        ([(5, 5)], [(6, 33)], r"targets\[0\] is \(6, 33\), outside the picture"),
        ([(5, 5)], [(6, 6), (7, 7)], "every handle needs one target"),
        ([], [], "handles is empty"),
    ],
)
def test_bad_points_are_refused_at_once(generator, ws, predictor, handles, targets, message):
    with pytest.raises(ValueError, match=message):
        auto_drag(generator, ws, handles, targets, None, options(), predictor=predictor)
    with pytest.raises(ValueError, match=message):
        auto_drag_batch(generator, ws[None], [handles], [targets], predictor=predictor)


def test_what_is_no_predictor_of_this_generator_is_refused(generator, ws):
    foreign = tiny_predictor(generator)
    foreign.generator_hash = "0123456789abcdef"
    for given, message in [
        (foreign, r"0123456789abcdef.*Train one"),
        (None, r"no predictor for the generator.*nbdrag\.training\.auto_draggan"),
        ("a path", "predictor is a str"),
    ]:
        with pytest.raises(ValueError, match=message):
            auto_drag(generator, ws, HANDLES, TARGETS, None, options(), predictor=given)


def test_options_and_shapes_are_checked(generator, ws, predictor):
    with pytest.raises(ValueError, match="options is a DragOptions; expected AutoDragOptions"):
        auto_drag(generator, ws, HANDLES, TARGETS, None, DragOptions(), predictor=predictor)
    with pytest.raises(ValueError, match="refine is -1"):
        options(refine=-1)
    with pytest.raises(ValueError, match=r"ws has shape \[8, 8\], and there are 1"):
        auto_drag_batch(generator, ws, [HANDLES], [TARGETS], predictor=predictor)
    with pytest.raises(ValueError, match=r"origin has shape \[8\]"):
        masked_picture(generator, ws, ws[0], left_half())
    suited, usual = (each.for_generator(generator) for each in (AutoDragOptions, DragOptions))
    assert suited.refine == 0
    assert suited.patch_radius == usual.patch_radius
    assert suited.learning_rate == 2 * usual.learning_rate
