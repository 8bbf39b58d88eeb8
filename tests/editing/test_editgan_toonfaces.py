"""Painting the packaged model: what is painted appears, to eyes that took no part."""

from itertools import islice

import torch

from nbdrag import load_generator, paint, sample
from nbdrag.toonfaces import PARTS
from nbdrag.toonfaces.labeller import load_labeller


def test_a_painted_fringe_grows() -> None:
    generator, labeller = load_generator("toonfaces-128"), load_labeller()
    ws = sample(generator, seed=27, truncation=0.7)
    image, _, (labels,) = generator.segment(ws[None])
    hair, skin = PARTS.index("hair"), PARTS.index("skin")
    edited = labels.clone()
    edited[30:42][labels[30:42] == skin] = hair
    *_, step = islice(paint(generator, ws, labels, edited), 10)
    assert step.outside < 0.05
    pictures = torch.cat([image, step.image[None]]).clamp(-1, 1)
    before, after = (labeller.labels(pictures)[:, edited != labels] == hair).float().mean(1)
    assert before < 0.1
    assert after > 0.5
