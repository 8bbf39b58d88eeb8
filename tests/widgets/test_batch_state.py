import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.direction import EditDirection
from nbdrag.widgets.batch_live import Alphas, Selection
from nbdrag.widgets.batch_messages import EXAMPLE
from nbdrag.widgets.batch_state import BatchState
from tests.runtime.batch_of_tiles import a_direction, latents

COUNT = 7


@pytest.fixture
def direction(generator: Generator) -> EditDirection:
    return a_direction(generator)


@pytest.fixture
def state(generator: Generator, direction: EditDirection) -> BatchState:
    ws = latents(generator, COUNT)
    return BatchState(generator, ws, [f"seed {i}" for i in range(COUNT)], direction)


def visible(state: BatchState) -> list[object]:
    """All that a refusal must not change."""
    return [
        state.revision,
        state.strength,
        state.overrides,
        state.included.tolist(),
        state.order.tolist(),
        state.shown.alphas.tolist(),
    ]


@pytest.mark.parametrize("strength", [-0.5, 0.0, 1.0, 1.7])
def test_the_slider_scales_the_example_and_all_others_follow(
    state: BatchState, direction: EditDirection, strength: float
) -> None:
    state.set_strength(strength)
    scaled = direction.scaled(strength * direction.alpha)
    np.testing.assert_allclose(state.shown.alphas, scaled.strengths(state.ws), atol=1e-5)
    torch.testing.assert_close(state.direction.delta, scaled.delta)
    before, after = state.tiles(EXAMPLE)
    assert state.latent(before).equal(direction.example)
    assert after.alpha == pytest.approx(strength * direction.alpha)


def test_where_it_is_neutral_all_end_where_the_mean_is(
    generator: Generator, direction: EditDirection
) -> None:
    state = BatchState(generator, latents(generator, 3), list("abc"), direction)
    mean = generator.w_avg.expand(generator.num_ws, -1)
    assert state.neutral is not None
    state.set_strength(state.neutral)
    ends = state.direction.apply(torch.stack([*state.ws, direction.example, mean]))
    places = (ends * direction.normal).sum(dim=(1, 2))
    torch.testing.assert_close(places, (mean * direction.normal).sum().expand(5))
    state.set_direction(direction.scaled(0.001))
    assert state.neutral is None  # too far for the slider


def test_a_strength_of_its_own_stays_where_it_is(state: BatchState) -> None:
    state.set_alphas({2: 1.25, -1: 0})
    state.set_strength(1.5)
    assert state.shown.alphas[2] == 1.25
    assert state.shown.alphas[COUNT - 1] == 0
    automatic = state.offsets + 1.5 * state.shown.direction.alpha
    state.set_alphas({2: None})
    assert state.shown.alphas[2] == automatic[2]
    state.reset_alphas()
    assert np.array_equal(state.shown.alphas, automatic)
    assert state.overrides == {}


def test_order_by_strength_and_by_distance(state: BatchState) -> None:
    assert state.order.tolist() == list(range(COUNT))
    state.sort("strength")
    assert state.order.tolist() == np.argsort(state.shown.alphas).tolist()
    state.sort("distance")
    distances = abs(state.direction.distances(state.ws))
    assert state.order.tolist() == distances.argsort().tolist()


def test_the_order_waits_for_the_slider_to_rest(state: BatchState) -> None:
    state.sort("distance")
    version, order = state.order_version, state.order.tolist()
    for strength in (2.0, 5.0, 10.0):
        state.set_strength(strength, moving=True)
        assert (state.order_version, state.order.tolist()) == (version, order)
    state.set_strength(10.0)
    distances = abs(state.direction.distances(state.ws))
    assert state.order.tolist() == distances.argsort().tolist()


def test_another_direction_begins_anew_but_for_who_is_in(
    state: BatchState, generator: Generator
) -> None:
    state.set_strength(0.3)
    state.set_alphas({1: 3.0})
    state.include([4], False)
    other = a_direction(generator, seed=8)
    state.set_direction(other)
    assert (state.strength, state.overrides) == (1.0, {})
    assert not state.included[4]
    np.testing.assert_allclose(state.shown.alphas, other.strengths(state.ws), atol=1e-5)


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (lambda s: s.set_strength(float("nan")), "finite"),
        (lambda s: s.set_strength(11), "from -10 to 10"),
        (lambda s: s.set_strength("1"), "finite"),
        (lambda s: s.set_strength(True), "finite"),
        (lambda s: s.set_alphas({0: 1.0, 1: float("inf")}), "finite"),
        (lambda s: s.set_alphas({0: 1e9}), "up to"),
        (lambda s: s.set_alphas({COUNT: 1.0}), "no picture 7"),
        (lambda s: s.include([0, COUNT], False), "from 0 to 6"),
        (lambda s: s.include([0.5], False), "no picture 0.5"),
        (lambda s: s.include([True], False), "no picture True"),
        (lambda s: s.select([True, False]), r"\[7\]"),
        (lambda s: s.select({-8}), "no picture -8"),
        (lambda s: s.sort("size"), "source, strength, distance"),
        (lambda s: s.set_direction("smile"), "expected an EditDirection"),
        (lambda s: s.set_direction(s.shown.direction.scaled(0)), "isn't edited"),
    ],
)
def test_what_is_refused_changes_nothing(state: BatchState, command, complaint: str) -> None:
    before = visible(state)
    with pytest.raises(ValueError, match=complaint):
        command(state)
    assert visible(state) == before


def test_another_generators_direction_is_refused(
    state: BatchState, direction: EditDirection
) -> None:
    facts = {"normal": direction.normal, "example": direction.example}
    foreign = EditDirection(direction.delta, "foreign", "another", **facts)
    with pytest.raises(ValueError, match="another"):
        state.set_direction(foreign)


# --------------------------------------------------------------------------------- as Python has it


def test_alphas_are_a_sequence_an_array_and_can_be_set(state: BatchState) -> None:
    alphas = Alphas(state)
    assert len(alphas) == COUNT
    assert np.array_equal(np.asarray(alphas), state.shown.alphas)
    assert alphas[1:3] == state.shown.alphas[1:3].tolist()
    assert alphas[-1] == list(alphas)[-1]
    alphas[3] = 2.5
    assert alphas.overrides == {3: 2.5}
    del alphas[3]
    alphas[:2] = [1.0, -1.0]
    assert dict(alphas.overrides) == {0: 1.0, 1: -1.0}
    alphas[:] = np.float32(0.5)
    assert set(alphas.overrides.values()) == {0.5}
    assert len(alphas.overrides) == COUNT
    alphas[:] = None
    assert not alphas.overrides
    with pytest.raises(IndexError):
        alphas[COUNT]
    with pytest.raises(ValueError, match="2 strengths were given for 7"):
        alphas[:] = [1.0, 2.0]
    with pytest.raises(TypeError):
        alphas.overrides[0] = 1.0  # type: ignore[index]


def test_the_selection_is_a_set_of_numbers(state: BatchState) -> None:
    selection = Selection(state)
    assert set(selection) == set(range(COUNT))
    selection.discard(2)
    selection.remove(-1)
    assert 2 not in selection
    assert "two" not in selection
    assert len(selection) == COUNT - 2
    with pytest.raises(KeyError):
        selection.remove(2)
    selection.invert()
    assert set(selection) == {2, COUNT - 1}
    selection |= {0, 1}
    selection &= {0, 2, 5}
    assert set(selection) == {0, 2}
    assert selection & {0} == {0}
    selection -= {0}
    selection.fill()
    assert selection.mask.all()
    selection.clear()
    assert not selection


def test_who_watches_is_told_and_can_fail_without_harm(state: BatchState) -> None:
    alphas, selection = Alphas(state), Selection(state)
    heard: list[str] = []
    leave = alphas.on_change(lambda it: heard.append(f"{it[0]:.3f}"))
    selection.on_change(lambda it: heard.append(str(len(it))))
    state.set_strength(0.0)
    state.include([1], False)
    state.set_alphas({0: 2.0})
    leave()
    state.set_alphas({0: 3.0})
    assert heard == [f"{state.offsets[0]:.3f}", "6", "2.000"]

    selection.on_change(lambda it: 1 / 0)
    state.include([2], False)
    assert state.status.level == "error"
    assert "division" in state.status.text
    assert not state.included[2]


commands = st.one_of(
    st.tuples(st.just("strength"), st.floats(-10, 10)),
    st.tuples(st.just("own"), st.integers(0, COUNT - 1), st.floats(-50, 50) | st.none()),
    st.tuples(st.just("in"), st.integers(0, COUNT - 1), st.booleans()),
    st.tuples(st.just("sort"), st.sampled_from(["source", "strength", "distance"])),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(commands, max_size=12))
@example([("strength", 1.4e-45)])  # an edit of denormal numbers points nowhere any more
def test_strengths_always_follow_from_what_was_said(commands: list[tuple]) -> None:
    ws, direction = torch.randn(COUNT, 3, 4), torch.randn(3, 4)
    state = BatchState.__new__(BatchState)
    learnt = EditDirection(direction, "d", "x", normal=direction, example=torch.randn(3, 4))
    facts = {"num_ws": 3, "w_dim": 4, "content_hash": "x", "w_avg": torch.zeros(4)}
    generator = type("Any", (), facts)
    state.__init__(generator, ws, ["a"] * COUNT, learnt)  # type: ignore[misc,arg-type]
    strength, own, inside = 1.0, {}, set(range(COUNT))
    for name, *values in commands:
        if name == "strength":
            strength = values[0]
            state.set_strength(strength)
        elif name == "own":
            state.set_alphas({values[0]: values[1]})
            own[values[0]] = values[1]
        elif name == "in":
            state.include([values[0]], values[1])
            (inside.add if values[1] else inside.discard)(values[0])
        else:
            state.sort(values[0])
    automatic = learnt.scaled(strength * learnt.alpha).strengths(ws).double().numpy()
    expected = [automatic[i] if own.get(i) is None else own[i] for i in range(COUNT)]
    np.testing.assert_allclose(state.shown.alphas, expected, atol=1e-4)
    assert set(np.flatnonzero(state.included)) == inside
    assert sorted(state.order.tolist()) == list(range(COUNT))
