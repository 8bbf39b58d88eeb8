"""What is told of handles that stay is known, and can be taken off."""

import pytest
import torch

from nbdrag.editing.latent_drift import Asked, drift, led_and_drift, steady
from tests.editing.predictors import question, tiny_predictor


def test_where_nothing_is_to_move_a_steady_latent_stays(small):
    ws, features, handles, _, real = question(small, 3)
    predictor = tiny_predictor(small)
    asked = Asked(ws, features, handles, handles, real)
    assert drift(predictor, asked).abs().max() > 1e-2
    told = steady(predictor, asked)
    torch.testing.assert_close(told, ws[:, None].expand_as(told), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("regularize", [True, False])
def test_steady_latents_are_those_told_less_the_drift(small, regularize):
    ws, features, *_ = question(small, 1)
    _, _, handles, targets, real = question(small, 4, batch=6)
    real[1::2, 2:] = False
    predictor, starts = tiny_predictor(small), ws.repeat_interleave(3, dim=0)
    asked = Asked(starts, features, handles, targets, real)
    told = predictor(*asked, regularize=regularize)
    stayed = predictor(*asked._replace(targets=handles), regularize=regularize)
    off = stayed - starts[:, None]
    close = {"atol": 1e-5, "rtol": 1e-5}
    torch.testing.assert_close(steady(predictor, asked, regularize=regularize), told - off, **close)
    torch.testing.assert_close(drift(predictor, asked, regularize=regularize), off, **close)
    known = steady(predictor, asked, regularize=regularize, drift=off)
    torch.testing.assert_close(known, told - off, **close)
    both = led_and_drift(predictor, asked, regularize=regularize)
    for found, expected in zip(both, (told, off), strict=True):
        torch.testing.assert_close(found, expected, **close)
    assert off.abs().max() > 1e-2
