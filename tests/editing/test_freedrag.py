"""FreeDrag: its parts, scenes where the answer is known, and what it promises."""

import math

import pytest
import torch
from torch import Tensor

from nbdrag.editing.freedrag import adoption, deviation, free_drag, shares, where_to_look
from nbdrag.editing.freedrag_options import FreeDragOptions, shared
from nbdrag.editing.step import EditDiverged, run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.generators.zoo import load_generator
from nbdrag.toonfaces import LANDMARKS
from nbdrag.toonfaces.reader import load_reader
from tests.editing.test_draggan import HANDLES, TARGETS, Breaking, Sliding, half_mask

SLOW = FreeDragOptions(
    difference=0.05, reach=2, learning_rate=0.02, patch_radius=3, movable_layers=2
)


# ------------------------------------------------------------------------------------- its parts


def test_the_template_adopts_half_where_it_fits_and_a_tenth_where_it_does_not() -> None:
    for scale in (0.3, 4.0):
        end = torch.tensor([0.2 * scale, 0.8 * scale, 100 * scale])
        torch.testing.assert_close(adoption(end, scale), torch.tensor([0.5, 0.1, 0.0]))


def test_where_to_look_depends_on_how_the_motion_went() -> None:
    way, length = torch.tensor([4.0, 4.0, 4.0, 1.0, 9.5]), torch.tensor(10.0).expand(5)
    begin = torch.tensor([0.3, 0.3, 0.2, 0.2, 0.2])
    end = torch.tensor([0.15, 0.25, 0.25, 0.25, 0.1])  # well, nearer, worse, worse, well
    low, high, wanted = where_to_look(way, length, begin, end, 0.3, 3)
    assert low.tolist() == [4, 4, 1, 0, 9.5]
    assert high.tolist() == [7, 4, 7, 4, 10]
    torch.testing.assert_close(wanted, torch.tensor([0.3, 0, 0, 0, 0.3]))


def test_shares_are_even_and_reach_the_end() -> None:
    assert shares(4).tolist() == [1, 0.75, 0.5, 0.25]


def test_the_deviation_of_features_is_from_each_channels_mean() -> None:
    flat = torch.arange(3.0)[:, None, None].expand(3, 4, 4)
    assert deviation(flat) == 0
    wave = flat.clone()
    wave[:, ::2] += 1  # half the rows: 1/2 from their mean, all of them
    assert deviation(wave) == pytest.approx(0.5)


def test_options_have_much_in_common_with_those_of_a_drag(generator: Generator) -> None:
    options = FreeDragOptions(learning_rate=0.03, feature_block=16, space="w", max_steps=7)
    usual = shared(options)
    assert (usual.learning_rate, usual.feature_block, usual.space) == (0.03, 16, "w")
    assert (usual.max_steps, usual.tracking) == (7, True)
    suited = FreeDragOptions.for_generator(generator)
    assert (suited.difference, suited.reach, suited.patch_radius) == (None, 3, 5)


def test_what_a_generator_recommends_comes_first() -> None:
    sliding = Sliding()
    sliding.recommended = {"drag": {"learning_rate": 0.2}, "freedrag": {"reach": 5}}
    options = FreeDragOptions.for_generator(sliding)
    assert (options.learning_rate, options.reach) == (0.2, 5)
    sliding.recommended = {"freedrag": {"rech": 5}}
    with pytest.raises(ValueError, match=r'recommended\["freedrag"\].*did you mean \'reach\''):
        FreeDragOptions.for_generator(sliding)


# ------------------------------------------------------------------ where the answer is known


@pytest.mark.parametrize("target", [(24.5, 31.5), (8.1, 27.2), (16.5, 44.5)])
def test_the_picture_arrives_where_it_was_dragged(target: tuple[float, float]) -> None:
    handle = torch.tensor([16.5, 31.5])
    steps = list(free_drag(Sliding(), torch.zeros(6, 2), handle[None], [target], None, SLOW))
    goal = torch.tensor(target)
    for step in steps:
        # On the line, as far from its end as is said.
        gone, left = (step.points[0] - handle).norm(), step.distances[0]
        assert gone + left == pytest.approx((goal - handle).norm().item(), abs=1e-4)
        torch.testing.assert_close(step.distances, (step.points - step.targets).norm(dim=1))
    assert steps[-1].done
    assert not any(step.done for step in steps[:-1])
    # Where features change evenly, a template lags behind (docs/methods.md).
    assert (handle + Sliding.shifts(steps[-1].ws)[0] - goal).norm() < (goal - handle).norm() / 3


def test_several_handles_arrive() -> None:
    handles = torch.tensor([[12.5, 20.5], [18.5, 40.5], [50.5, 30.5]])
    targets = handles + torch.tensor([[7.0, 2.0], [7.0, 2.0], [-3.0, -6.0]])
    last = run_to_end(free_drag(Sliding(), torch.zeros(6, 2), handles, targets, None, SLOW))
    left, right = Sliding.shifts(last.ws)
    assert last.done
    assert (left - torch.tensor([7.0, 2.0])).norm() < 0.3 * 7.3
    assert (right - torch.tensor([-3.0, -6.0])).norm() < 0.3 * 6.7


def test_a_mask_holds_the_rest() -> None:
    handle, target = [(16.5, 31.5)], [(22.5, 31.5)]
    mask = torch.zeros(64, 64, dtype=torch.bool)
    mask[:, :32] = True
    options = SLOW.updated({"mask_weight": 4})
    free = run_to_end(free_drag(Sliding(), torch.zeros(6, 2), handle, target, None, options))
    held = run_to_end(free_drag(Sliding(), torch.zeros(6, 2), handle, target, mask, options))
    assert Sliding.shifts(free.ws)[1].norm() > 2
    assert Sliding.shifts(held.ws)[1].norm() < 0.5


def test_a_fulfilled_wish_is_one_step() -> None:
    start = torch.ones(6, 2)
    (step,) = free_drag(Sliding(), start, [(16.5, 31.5)], [(17, 31.5)], None, SLOW)
    assert (step.index, step.done, step.loss) == (0, True, 0)
    assert torch.equal(step.ws, start)


def test_a_handle_at_its_target_is_held_there() -> None:
    """One that has nowhere to go is pulled to where it is."""
    handles, targets = [(16.5, 31.5), (50.5, 31.5)], [(22.5, 31.5), (50.5, 31.5)]
    last = run_to_end(free_drag(Sliding(), torch.zeros(6, 2), handles, targets, None, SLOW))
    assert Sliding.shifts(last.ws)[1].norm() < 1.5
    assert last.points[1].tolist() == [50.5, 31.5]


def test_a_toonfaces_nose_is_where_it_was_dragged() -> None:
    generator, reader = load_generator("toonfaces-128"), load_reader()
    tip = LANDMARKS.index("nose_tip")
    z = torch.randn(2, generator.z_dim, generator=torch.Generator().manual_seed(3))
    for ws in generator.mapping(z, truncation=0.7):
        with torch.no_grad():
            handle = reader(generator.synthesis(ws[None]).image).landmarks[0, tip]
        target = handle + torch.tensor([6.0, 0.0])
        last = run_to_end(free_drag(generator, ws, [handle.tolist()], [target.tolist()]))
        with torch.no_grad():
            found = reader(generator.synthesis(last.ws[None]).image).landmarks[0, tip]
        assert last.done
        assert (found - target).norm() < 3


# ---------------------------------------------------------------------------- what it promises


def test_one_forward_pass_a_step() -> None:
    sliding = Sliding()
    edit = free_drag(sliding, torch.zeros(6, 2), [(16.5, 31.5)], [(30.5, 31.5)], None, SLOW)
    for count in range(1, 6):
        assert next(edit).index == count
        assert sliding.forwards == 1 + count


def test_only_movable_rows_move_and_inputs_stay(generator: Generator, ws: Tensor) -> None:
    handles, targets, mask = torch.tensor(HANDLES), torch.tensor(TARGETS), half_mask()
    given = [each.clone() for each in (ws, handles, targets, mask)]
    options = FreeDragOptions(
        difference=None, movable_layers=3, learning_rate=0.1, patch_radius=2, max_steps=4
    )
    steps = list(free_drag(generator, ws, handles, targets, mask, options))
    kept = [(step.ws.clone(), step.points.clone()) for step in steps]
    for step, (latent, points) in zip(steps, kept, strict=True):
        assert torch.equal(step.ws[3:], ws[3:])
        assert torch.equal(step.ws, latent)
        assert torch.equal(step.points, points)
        assert not step.ws.requires_grad
    assert (steps[-1].ws[:3] != ws[:3]).all()
    assert all(map(torch.equal, given, (ws, handles, targets, mask)))


def test_the_callers_gradient_mode_does_not_matter(generator: Generator, ws: Tensor) -> None:
    options = FreeDragOptions(difference=None, learning_rate=0.1, patch_radius=2, max_steps=7)
    expected = run_to_end(free_drag(generator, ws, HANDLES, TARGETS, half_mask(), options))
    for mode in (torch.no_grad(), torch.inference_mode()):
        with mode:
            last = run_to_end(free_drag(generator, ws, HANDLES, TARGETS, half_mask(), options))
        assert torch.equal(last.ws, expected.ws)


def test_a_drag_that_diverges_says_so_and_keeps_the_last_good_step() -> None:
    edit = free_drag(Breaking(), torch.zeros(6, 2), [(16.5, 31.5)], [(30.5, 31.5)], None, SLOW)
    good = [next(edit) for _ in range(3)]
    with pytest.raises(EditDiverged, match=r"in step 4 .* Lower learning_rate, now 0.02"):
        next(edit)
    assert good[-1].ws.isfinite().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ws": torch.zeros(1, 6, 2)}, r"ws has shape \[1, 6, 2\]"),
        ({"handles": [(16, 65)]}, r"handles\[0\] is \(16, 65\), outside"),
        ({"targets": [(math.nan, 3)]}, r"targets\[0\] is \(nan, 3\), outside"),
        ({"handles": []}, "handles is empty"),
        ({"targets": [(1, 1), (2, 2)]}, "handles has 1 points and targets 2"),
        ({"mask": torch.zeros(64, 64, dtype=torch.bool)}, "mask is False everywhere"),
        ({"options": {"max_steps": 5}}, "options is a dict; expected FreeDragOptions"),
        ({"options": FreeDragOptions(feature_block=5)}, r"feature_block is 5; .* \[4, 8, 16, 32"),
        ({"options": FreeDragOptions(movable_layers=7)}, "movable_layers is 7; this generator has"),
    ],
)
def test_errors_come_at_the_call(change: dict[str, object], message: str) -> None:
    sliding = Sliding()
    wish = {"ws": torch.zeros(6, 2), "handles": [(16, 32)], "targets": [(20, 32)], **change}
    with pytest.raises(ValueError, match=message):
        free_drag(sliding, **wish)  # type: ignore[arg-type]
    assert sliding.forwards == 0
