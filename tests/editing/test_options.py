"""Options check themselves, and say what is wrong."""

import math
from dataclasses import FrozenInstanceError, asdict, fields
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nbdrag.editing.drag_options import DragOptions


def test_the_defaults_are_the_papers() -> None:
    options = DragOptions()
    assert (options.learning_rate, options.mask_weight) == (2e-3, 20)
    assert (options.patch_radius, options.search_radius) == (3, 12)
    assert (options.movable_layers, options.space, options.max_steps) == (6, "w+", 300)


def test_options_travel_as_a_dictionary() -> None:
    options = DragOptions(learning_rate=0.02, space="w", tolerance=2, tracking=False)
    assert DragOptions.from_dict(asdict(options)) == options


def test_updated_keeps_the_others_and_the_original() -> None:
    options = DragOptions(max_steps=7)
    assert options.updated({"space": "w"}) == DragOptions(max_steps=7, space="w")
    assert options == DragOptions(max_steps=7)


def test_an_unknown_option_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown option 'patch_radios'; did you mean 'patch_rad"):
        DragOptions.from_dict({"patch_radios": 3})


def test_an_option_unlike_any_lists_them() -> None:
    with pytest.raises(ValueError, match=r"unknown option 'zzz'; there are learning_rate, mask_w"):
        DragOptions.from_dict({"zzz": 3})


def test_options_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        DragOptions().max_steps = 3  # type: ignore[misc]


NUMBERS = [each for each in fields(DragOptions) if each.metadata["kind"] == "number"]


@given(st.sampled_from(NUMBERS), st.data())
def test_a_number_in_range_is_taken(option, data) -> None:
    meta = option.metadata
    kind = st.integers if meta["whole"] else st.floats
    value = data.draw(kind(meta["low"], meta["high"]))
    assert getattr(DragOptions(**{option.name: value}), option.name) == value


@given(st.sampled_from(NUMBERS), st.data())
def test_a_number_out_of_range_is_an_error(option, data) -> None:
    meta = option.metadata
    value = data.draw(
        st.floats(max_value=meta["low"], exclude_max=True)
        | st.floats(min_value=meta["high"], exclude_min=True)
        | st.sampled_from([math.nan, 10**400, -(10**400)])
    )
    with pytest.raises(ValueError, match=f"^{option.name} is .*; expected a .*number from"):
        DragOptions(**{option.name: value})


@given(
    st.sampled_from(fields(DragOptions)),
    st.text() | st.lists(st.integers()) | st.complex_numbers() | st.binary(),
)
def test_another_type_is_an_error(option, value) -> None:
    if value in ("w", "w+"):
        return
    with pytest.raises(ValueError, match=f"^{option.name} is "):
        DragOptions(**{option.name: value})


@pytest.mark.parametrize("name", ["max_steps", "learning_rate"])
def test_a_bool_is_no_number(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is True"):
        DragOptions(**{name: True})


def test_a_whole_number_must_be_whole() -> None:
    with pytest.raises(ValueError, match=r"max_steps is 2.5; expected a whole number from 1 to"):
        DragOptions(max_steps=2.5)  # type: ignore[arg-type]


def test_numbers_of_numpy_become_pythons() -> None:
    options = DragOptions(
        learning_rate=np.float64(0.5),  # type: ignore[arg-type]
        max_steps=np.int32(7),  # type: ignore[arg-type]
        space=np.str_("w"),
        tracking=np.bool_(False),  # type: ignore[arg-type]
    )
    assert options == DragOptions(learning_rate=0.5, max_steps=7, space="w", tracking=False)
    kinds = [type(value) for value in asdict(options).values()]
    assert set(kinds) == {float, int, str, bool, type(None)}


def test_none_means_as_the_method_decides_only_where_it_says_so() -> None:
    assert DragOptions(tolerance=None, feature_block=None).tolerance is None
    with pytest.raises(ValueError, match="learning_rate is None"):
        DragOptions(learning_rate=None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("resolution", "radii"), [(64, (2, 4)), (128, (2, 4)), (512, (3, 12)), (1024, (6, 24))]
)
def test_radii_follow_the_resolution(resolution: int, radii: tuple[int, int]) -> None:
    options = DragOptions.for_generator(SimpleNamespace(resolution=resolution, num_ws=12))
    assert (options.patch_radius, options.search_radius) == radii


def test_a_small_generator_moves_all_its_layers() -> None:
    assert DragOptions.for_generator(SimpleNamespace(resolution=8, num_ws=4)).movable_layers == 4


def test_what_a_generator_recommends_comes_first() -> None:
    recommended = {"drag": {"learning_rate": 0.02, "search_radius": 7}}
    generator = SimpleNamespace(resolution=512, num_ws=16, recommended=recommended)
    options = DragOptions.for_generator(generator)
    assert options == DragOptions(learning_rate=0.02, search_radius=7)


def test_a_recommendation_that_makes_no_sense_is_named() -> None:
    generator = SimpleNamespace(resolution=512, num_ws=16, recommended={"drag": {"speed": 1}})
    with pytest.raises(ValueError, match=r'generator\.recommended\["drag"\].*unknown option'):
        DragOptions.for_generator(generator)
