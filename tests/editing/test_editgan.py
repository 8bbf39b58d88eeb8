"""Painting: what its steps hold, what it promises, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import Tensor

from nbdrag.editing.editgan import PaintStep, paint, refine
from nbdrag.editing.identity import cosine_similarity
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.editing.perceptual import feature_distance
from nbdrag.editing.region import edited_region
from nbdrag.editing.step import EditDiverged, run_to_end
from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime.wishes import sample
from tests.editing.painting import paintable, some_ws
from tests.runtime.painting import with_parts

PERCEPTUAL = feature_distance(lambda x: [x])
SHORT = PaintOptions(max_steps=5, learning_rate=0.05)


@pytest.fixture(scope="module")
def generator() -> Generator:
    return paintable()


@pytest.fixture(scope="module")
def ws(generator: Generator) -> Tensor:
    return some_ws(generator)


@pytest.fixture(scope="module")
def labels(generator: Generator, ws: Tensor) -> Tensor:
    return generator.segment(ws[None]).labels[0]


@pytest.fixture(scope="module")
def edited(labels: Tensor) -> Tensor:
    edited = labels.clone()
    edited[18:24, 10:20] = 3
    return edited


def test_steps_hold_what_their_latent_makes(generator, ws, labels, edited) -> None:
    original = generator.segment(ws[None]).image[0]
    region = edited_region(labels.long(), edited.long(), 1)
    steps = list(paint(generator, ws, labels, edited, SHORT, perceptual=PERCEPTUAL))
    assert [step.index for step in steps] == [1, 2, 3, 4, 5]
    assert [step.done for step in steps] == [False] * 4 + [True]
    for step in steps:
        image, _, found = (each[0] for each in generator.segment(step.ws[None]))
        torch.testing.assert_close(step.image, image, rtol=0, atol=1e-9)
        assert step.labels.dtype == torch.uint8
        assert torch.equal(step.labels, found)
        assert step.agreement == pytest.approx(mean_iou(found, labels, edited, region))
        difference = (image.clamp(-1, 1) - original.clamp(-1, 1)).abs()[:, ~region]
        assert step.outside == pytest.approx(difference.mean().item() / 2)
        assert not any(each.requires_grad for each in (step.ws, step.image, step.labels))


def mean_iou(found: Tensor, labels: Tensor, edited: Tensor, region: Tensor) -> float:
    painted = labels != edited
    touched = {*labels[painted].tolist(), *edited[painted].tolist()}
    shares = []
    for part in touched:
        here, there = found[region] == part, edited[region] == part
        if (here | there).any():
            shares.append(((here & there).sum() / (here | there).sum()).item())
    return sum(shares) / len(shares)


def test_the_best_latent_is_kept_wherever_it_is_stopped(generator, ws, labels, edited) -> None:
    wild = PaintOptions(max_steps=12, learning_rate=1.0)
    steps = list(paint(generator, ws, labels, edited, wild, perceptual=PERCEPTUAL))
    losses = [step.loss for step in steps]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) < len(losses)


def test_with_nothing_to_gain_the_picture_stays(generator, ws, labels, edited) -> None:
    options = PaintOptions(max_steps=2, label_weight=0)
    last = run_to_end(paint(generator, ws, labels, edited, options, perceptual=PERCEPTUAL))
    assert torch.equal(last.ws, ws)
    assert last.outside == 0
    assert last.loss == 0


def test_only_movable_rows_move(generator, ws, labels, edited) -> None:
    options = SHORT.updated({"movable_layers": 3})
    last = run_to_end(paint(generator, ws, labels, edited, options, perceptual=PERCEPTUAL))
    assert (last.ws[:3] != ws[:3]).all()
    assert torch.equal(last.ws[3:], ws[3:])


def test_steps_and_inputs_are_left_alone(generator, ws, labels, edited) -> None:
    given = ws.clone(), labels.clone(), edited.clone()
    steps: list[tuple[PaintStep, list[Tensor]]] = []
    for step in paint(generator, *given, SHORT, perceptual=PERCEPTUAL):
        steps.append((step, [step.ws.clone(), step.image.clone(), step.labels.clone()]))
        given[2].zero_()  # what is done to the argument later doesn't matter
    assert torch.equal(given[0], ws)
    assert torch.equal(given[1], labels)
    for step, kept in steps:
        assert all(map(torch.equal, (step.ws, step.image, step.labels), kept))


def test_it_runs_where_gradients_are_off(generator, ws, labels, edited) -> None:
    with torch.inference_mode():
        off = run_to_end(paint(generator, ws, labels, edited, SHORT, perceptual=PERCEPTUAL))
    on = run_to_end(paint(generator, ws, labels, edited, SHORT, perceptual=PERCEPTUAL))
    assert torch.equal(off.ws, on.ws)
    assert all(parameter.grad is None for parameter in generator.parameters())


def test_maps_may_be_lists_arrays_and_tensors_of_any_whole_type(
    generator, ws, labels, edited
) -> None:
    kinds = [
        lambda x: x.tolist(),
        lambda x: x.numpy(),
        lambda x: x.numpy().astype(np.int16),
        lambda x: x.long(),
    ]
    losses = {
        next(paint(generator, ws, kind(labels), kind(edited), SHORT, perceptual=PERCEPTUAL)).loss
        for kind in kinds
    }
    assert len(losses) == 1


def test_everything_may_be_region(generator, ws, labels) -> None:
    everything = (labels + 1) % 4
    last = run_to_end(paint(generator, ws, labels, everything, SHORT, perceptual=PERCEPTUAL))
    assert last.outside == 0
    assert last.agreement > 0


def test_embedded_comparisons_are_there_unless_given(generator, ws, labels, edited) -> None:
    options = SHORT.updated({"identity_weight": 1, "max_steps": 1})
    step = run_to_end(paint(generator, ws, labels, edited, options))
    without = SHORT.updated({"max_steps": 1, "perceptual_weight": 0})
    assert step.loss > run_to_end(paint(generator, ws, labels, edited, without)).loss


def test_refinement_starts_at_the_edit_and_mends_the_rest(generator, ws) -> None:
    source = torch.Generator().manual_seed(6)
    away = ws + 0.3 * torch.randn(ws.shape, dtype=torch.float64, generator=source)
    before, after = generator.segment(torch.stack([ws, away])).labels.long()
    options = SHORT.updated({"max_steps": 30, "label_weight": 0.01, "pixel_weight": 100})
    steps = list(refine(generator, ws, away, options, parts=["lips"], perceptual=PERCEPTUAL))
    region = edited_region(before, after, 1, [3])
    pictures = generator.synthesis(torch.stack([ws, away])).image.clamp(-1, 1)
    at_first = (pictures[0] - pictures[1]).abs()[:, ~region].mean().item() / 2
    assert steps[-1].outside < at_first
    assert steps[0].loss > steps[-1].loss


# --------------------------------------------------------------------------------- what is refused


def spoilt(labels: Tensor, value: int) -> Tensor:
    labels = labels.long()
    labels[5, 7] = value
    return labels


@pytest.mark.parametrize(
    ("name", "spoil", "message"),
    [
        ("labels", lambda x: x[None], r"labels has shape \[1, 32, 32\].*one map.*labels\[0\]"),
        ("edited_labels", lambda x: x[:, :9], r"edited_labels has shape \[32, 9\].* \[32, 32\]"),
        ("edited_labels", lambda x: x.float(), r"edited_labels holds float64.*0 to 3, one a pixel"),
        ("edited_labels", lambda x: x > 1, r"edited_labels holds bool values"),
        ("edited_labels", lambda x: "lips", r"edited_labels holds <U4 values"),
        ("edited_labels", lambda x: [[1], [2, 3]], r"edited_labels can't be read as an array"),
        ("edited_labels", lambda x: spoilt(x, 4), r"edited_labels\[5, 7\] is 4.*3 \(lips\)"),
        ("labels", lambda x: spoilt(x, -1), r"labels\[5, 7\] is -1, a part that is unknown"),
    ],
)
def test_maps_that_are_none_are_refused_at_once(
    generator, ws, labels, edited, name, spoil, message
) -> None:
    maps = {"labels": labels, "edited_labels": edited}
    maps[name] = spoil(maps[name])
    with pytest.raises(ValueError, match=message):
        paint(generator, ws, maps["labels"], maps["edited_labels"], SHORT)


def test_an_edit_that_changes_nothing_is_refused(generator, ws, labels) -> None:
    with pytest.raises(ValueError, match="edited_labels is the same as labels"):
        paint(generator, ws, labels, labels.clone())
    with pytest.raises(ValueError, match="shows the same parts as ws"):
        refine(generator, ws, ws)


def test_parts_that_were_not_painted_are_refused(generator, ws, labels, edited) -> None:
    clean = torch.where(edited == 2, 0, edited)
    other = clean.clone()
    other[0, 0] = 1 - min(int(clean[0, 0]), 1)
    with pytest.raises(ValueError, match="nothing was painted in or at the given parts"):
        paint(generator, ws, clean, other, parts=["skin"])
    with pytest.raises(ValueError, match="did you mean 'hair'"):
        paint(generator, ws, labels, edited, parts=["hiar"])


def test_latents_and_options_that_do_not_fit_are_refused(generator, ws, labels, edited) -> None:
    with pytest.raises(ValueError, match=r"ws has shape \[1, .*ws\[0\]"):
        paint(generator, ws[None], labels, edited)
    with pytest.raises(ValueError, match=r"edited_ws holds NaN"):
        refine(generator, ws, ws * torch.nan)
    with pytest.raises(ValueError, match="options is a dict; expected PaintOptions"):
        paint(generator, ws, labels, edited, {"max_steps": 3})
    with pytest.raises(ValueError, match="movable_layers is 60; this generator has 8"):
        paint(generator, ws, labels, edited, PaintOptions(movable_layers=60))


def test_identity_of_pictures_that_are_not_square_is_refused_at_once() -> None:
    config = StyleGAN2Config(64, 8, 8, mapping_layers=2, channel_base=256, base_width=2)
    plain = Generator(config, torch.Generator().manual_seed(1))
    generator = with_parts(plain.requires_grad_(False))
    ws = sample(generator, 0, 0.7)
    before, after = generator.segment(torch.stack([ws, ws + 1])).labels
    options = PaintOptions(identity_weight=1.0, perceptual_weight=0, max_steps=1)
    for call in (
        lambda: paint(generator, ws, before, after, options),
        lambda: refine(generator, ws, ws + 1, options),
    ):
        with pytest.raises(ValueError, match=r"64 high and 32 wide.*Set identity_weight to 0"):
            call()
    alike = cosine_similarity(lambda image: image.mean((2, 3)))
    [step] = paint(generator, ws, before, after, options, identity=alike)
    assert step.ws.isfinite().all()


def test_without_a_segmenter_it_says_what_to_do(ws, labels, edited) -> None:
    generator = paintable()
    generator.segmenter = None
    for call in (
        lambda: paint(generator, ws, labels, edited),
        lambda: refine(generator, ws, ws + 1),
    ):
        with pytest.raises(ValueError, match=r"no segmenter.*load_segmenter.*training\.segmenter"):
            call()


def test_a_loss_that_is_not_finite_ends_it_and_spares_the_steps_before(
    generator, ws, labels, edited
) -> None:
    calls = iter([0.0, 0.0, torch.nan])

    def brittle(reference: Tensor):
        return lambda image: image.square().mean() * next(calls)

    edit = paint(generator, ws, labels, edited, SHORT, perceptual=brittle)
    step = next(edit)
    with pytest.raises(EditDiverged, match=r"in step 2 \(loss nan\).*learning_rate, now 0\.05"):
        next(edit)
    assert step.ws.isfinite().all()
