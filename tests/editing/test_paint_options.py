"""Options of painting: the published values, and what a generator recommends."""

from types import SimpleNamespace

import pytest

from nbdrag.editing.paint_options import PaintOptions, margin, movable_layers


def generator(**recommended):
    return SimpleNamespace(height=512, num_ws=16, recommended=recommended)


def test_the_defaults_are_the_published_ones() -> None:
    options = PaintOptions()
    assert (options.learning_rate, options.max_steps) == (0.02, 100)
    assert (options.perceptual_weight, options.pixel_weight) == (10, 5)
    assert (options.label_weight, options.identity_weight) == (1, 0)
    assert PaintOptions.for_generator(generator()) == options


def test_refinement_has_a_third_of_the_weight_outside() -> None:
    options = PaintOptions.for_refinement(generator())
    assert options.perceptual_weight + options.pixel_weight == pytest.approx(5)
    assert options.perceptual_weight == pytest.approx(2 * options.pixel_weight)
    assert (options.label_weight, options.max_steps) == (1, 30)


def test_a_generator_recommends() -> None:
    wishes = {"paint": {"learning_rate": 0.1, "pixel_weight": 9}, "refine": {"max_steps": 10}}
    assert PaintOptions.for_generator(generator(**wishes)) == PaintOptions(
        learning_rate=0.1, pixel_weight=9
    )
    refining = PaintOptions.for_refinement(generator(**wishes))
    assert (refining.learning_rate, refining.pixel_weight, refining.max_steps) == (0.1, 3, 10)


@pytest.mark.parametrize("method", ["paint", "refine"])
def test_a_recommendation_that_makes_no_sense_is_named(method: str) -> None:
    with pytest.raises(ValueError, match=rf'recommended\["{method}"\].*unknown option \'colour\''):
        PaintOptions.for_refinement(generator(**{method: {"colour": 3}}))


@pytest.mark.parametrize(("height", "pixels"), [(16, 1), (128, 1), (256, 2), (512, 5), (1024, 10)])
def test_the_margin_follows_the_picture(height: int, pixels: int) -> None:
    assert margin(SimpleNamespace(height=height), PaintOptions()) == pixels
    assert margin(SimpleNamespace(height=height), PaintOptions(margin=0)) == 0


def test_all_layers_move_unless_fewer_are_named() -> None:
    assert movable_layers(generator(), PaintOptions()) == 16
    assert movable_layers(generator(), PaintOptions(movable_layers=6)) == 6
    with pytest.raises(ValueError, match="movable_layers is 17; this generator has 16"):
        movable_layers(generator(), PaintOptions(movable_layers=17))
