"""The packaged labeller must label renders well: it stands in for the person who would paint."""

import pytest
import torch

from nbdrag.metrics import part_ious
from nbdrag.toonfaces import PARTS, render, sample_factors
from nbdrag.toonfaces.labeller import load_labeller


def test_renders_are_labelled():
    labeller = load_labeller()
    image, labels, _, _ = render(
        sample_factors(32, generator=torch.Generator().manual_seed(99)), 128
    )
    found = labeller.labels(image)
    assert found.dtype == torch.uint8
    ious = part_ious(found, labels, len(PARTS))
    assert ious.nanmean() > 0.75
    for part in ("background", "hair", "skin", "shirt", "neck"):
        assert ious[PARTS.index(part)] > 0.9, part


@pytest.mark.parametrize("shape", [(1, 1, 128, 128), (3, 128, 128), (1, 3, 120, 128)])
def test_what_is_no_picture_is_refused(shape):
    with pytest.raises(ValueError, match="multiple of 16"):
        load_labeller()(torch.zeros(shape))
