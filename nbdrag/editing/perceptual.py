"""How unlike two pictures look, to a network rather than pixel by pixel.

A network that has learnt to see gives every position of a picture a row of features, coarser and
more meaningful from stage to stage. Two pictures look alike if these rows point the same way:

    d(x, y) = sum over stages, of the mean over positions, of sum over c of w_c (f_c(x) - f_c(y))²

where the rows f are of length one. With VGG16's stages, and weights w fitted to what people said,
that is LPIPS (`nbdrag.editing.lpips`). Embedded are the stages of the network that reads
toonfaces, all weighted alike; they suffice for toonfaces, and for other pictures LPIPS is better.

Of two pictures one stays the same while the other is optimised. So a comparison comes in two
calls: the first takes the picture that stays and computes what can be known of it, the second
is repeated.

    distance = perceptual(reference)
    loss = distance(image)

References
----------
Zhang et al., The Unreasonable Effectiveness of Deep Features as a Perceptual Metric, CVPR 2018,
Eq. 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

Comparison: TypeAlias = Callable[[Tensor], Callable[[Tensor], Tensor]]
"""Takes a reference picture [N, 3, H, W]; gives what takes another and compares: a number."""

Stages: TypeAlias = Callable[[Tensor], Sequence[Tensor]]
"""From pictures [N, 3, H, W] in [-1, 1] to feature maps [N, C, h, w]."""

TINY = 1e-10  # added to a row's length, so that zero can be divided by it


def feature_distance(stages: Stages, weights: Sequence[Tensor] | None = None) -> Comparison:
    """Give a perceptual distance by the features of a network.

    Parameters
    ----------
    stages : callable
    weights : sequence of Tensor, shape [C], optional
        One for each stage. Default: the same for all, so that d is a mean over the stages of
        squared chords, from 0 to 4.

    Returns
    -------
    Comparison
    """

    def compare(reference: Tensor) -> Callable[[Tensor], Tensor]:
        with torch.no_grad():
            wanted = [normalize(f, eps=TINY) for f in stages(reference)]

        def distance(image: Tensor) -> Tensor:
            total = image.new_zeros(())
            for i, (f, g) in enumerate(zip(stages(image), wanted, strict=True)):
                squares = (normalize(f, eps=TINY) - g).square()
                if weights is None:
                    total = total + squares.sum(1).mean() / len(wanted)
                else:
                    weight = weights[i].to(squares)[:, None, None]
                    total = total + (squares * weight).sum(1).mean()
            return total

        return distance

    return compare


READER_HEIGHT = 128


def embedded_perceptual(like: Tensor) -> Comparison:
    """Give the distance by the packaged reader of toonfaces, in the type and place of `like`.

    Larger pictures are first shrunk to the reader's 128 pixels.
    """
    from nbdrag.toonfaces.reader import load_reader

    reader = load_reader().to(like)

    def stages(image: Tensor) -> list[Tensor]:
        features, x = [], shrunk(image, READER_HEIGHT)
        for stage in (reader.to_64, reader.to_32, reader.to_16, reader.to_8):
            x = stage(x)
            features.append(x)
        return features

    return feature_distance(stages)


def shrunk(image: Tensor, height: int) -> Tensor:
    """Pictures [N, 3, H, W] no higher than `height`; each pixel the mean of those it stands for."""
    if image.shape[2] <= height:
        return image
    width = round(image.shape[3] * height / image.shape[2])
    return interpolate(image, size=(height, width), mode="area")
