"""What can be painted in tests: a generator with a segmenter, both of random weights."""

from copy import deepcopy

import torch

from nbdrag.generators.segmenter import Part, Segmenter
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.wishes import sample

PARTS = [
    Part("background", "#dfe3ea"),
    Part("left_eye", "#3a7bd5"),
    Part("right_eye", "#7bd53a"),
    Part("lips", "#c94f6d"),
]


def with_parts(generator: Generator) -> Generator:
    """The same generator, in whose pictures parts are told; some of each in every picture."""
    config = generator.config
    channels = {r: config.channels(r) for r in config.block_resolutions}
    parted = deepcopy(generator)
    owner = generator.content_hash
    segmenter = Segmenter(channels, PARTS, hidden=(8, 8), members=1, looks=1, generator_hash=owner)
    parted.segmenter = segmenter.requires_grad_(False)
    ws = torch.stack([sample(generator, seed, 0.7) for seed in range(8)])
    segmenter.third /= parted.segment(ws).logits.std(dim=(0, 2, 3))
    segmenter.third_bias -= parted.segment(ws).logits.mean(dim=(0, 2, 3))
    return parted
