"""The packaged predictor does what it was trained for."""

import pytest
import torch
from torch import Tensor

from nbdrag import AutoDragOptions, auto_drag, auto_drag_batch, load_generator, masked_picture
from nbdrag.editing.latent_predictor_file import PACKAGED, load_predictor, predictor_of
from nbdrag.editing.step import run_to_end
from nbdrag.generators.stylegan2 import Generator
from nbdrag.toonfaces.reader import load_reader
from nbdrag.training.auto_draggan_quality import Case, draw_case


@pytest.fixture(scope="module")
def generator() -> Generator:
    return load_generator("toonfaces-128")


@pytest.fixture(scope="module")
def cases(generator) -> list[Case]:
    reader = load_reader()
    return [draw_case(generator, reader, seed, 1 + 4 * (seed % 2)) for seed in range(100, 110)]


def left(generator: Generator, cases: list[Case], ws: Tensor) -> Tensor:
    """Mean distance to the targets that the reader sees in each picture."""
    landmarks = load_reader()(generator.synthesis(ws).image.clamp(-1, 1)).landmarks
    return torch.stack(
        [
            (read[case.chosen] - case.targets).norm(dim=1).mean()
            for read, case in zip(landmarks, cases, strict=True)
        ]
    )


def test_it_is_this_generators_and_small(generator):
    path = PACKAGED["toonfaces-128"]
    assert load_predictor(path, generator).generator_hash == generator.content_hash
    assert path.stat().st_size < 8e6
    assert predictor_of(generator) is predictor_of(generator)
    for suffix in (".json", ".png"):
        assert path.with_suffix(suffix).is_file()


def test_points_come_near_their_targets_in_one_pass(generator, cases):
    told = auto_drag_batch(
        generator,
        torch.stack([case.ws for case in cases]),
        [case.handles for case in cases],
        [case.targets for case in cases],
    )
    before = left(generator, cases, torch.stack([case.ws for case in cases])).mean()
    after = left(generator, cases, told[:, -1]).mean()
    assert after < 0.4 * before
    assert after < 2.5


def test_refinement_brings_them_nearer(generator, cases):
    chosen = AutoDragOptions.for_generator(generator)
    ends = {
        refine: torch.stack(
            [
                run_to_end(
                    auto_drag(
                        generator,
                        case.ws,
                        case.handles,
                        case.targets,
                        options=chosen.updated({"refine": refine}),
                    )
                ).distances.mean()
                for case in cases[:6]
            ]
        ).mean()
        for refine in (0, 5)
    }
    assert ends[5] < ends[0]


def test_a_mask_keeps_what_is_outside(generator, cases):
    case = cases[0]
    mask = torch.zeros(128, 128, dtype=torch.bool)
    mask[20:110, 30:100] = True
    last = run_to_end(auto_drag(generator, case.ws, case.handles, case.targets, mask))
    first = generator.synthesis(case.ws[None]).image[0]
    kept = masked_picture(generator, last.ws, case.ws, mask)
    torch.testing.assert_close(kept[:, ~mask], first[:, ~mask], atol=1e-4, rtol=0)
    assert (kept - first)[:, mask].abs().mean() > 0.01
