"""Whether it is still the same person: the similarity of two faces, as a network embeds them.

    <R(x), R(y)>, the cosine of the angle between the two faces' rows (EditGAN, Eq. 4)

For photographs R is a network that recognises faces, such as ArcFace, of which the user has the
weights: `cosine_similarity(network)` makes a comparison of it. For toonfaces it is embedded: what
makes a toonface who it is, read off the picture by the packaged reader. Expression, pose, clothes
and haircut are no part of it; they are what is edited.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nbdrag.editing.perceptual import Comparison

PERSON = (
    "face_width",
    "face_height",
    "jaw",
    "skin_tone",
    "hair_colour",
    "hair_shade",
    "ear_size",
    "eye_spacing",
    "eye_colour",
    "nose_length",
    "nose_width",
    "lip_fullness",
)
"""The factors of a toonface that stay while it smiles, turns, or has its hair cut."""


def cosine_similarity(embed: Callable[[Tensor], Tensor]) -> Comparison:
    """Compare faces by the direction of their embeddings.

    Parameters
    ----------
    embed : callable
        From pictures [N, 3, H, W] in [-1, 1] to rows [N, D].

    Returns
    -------
    Comparison
        From -1 to 1, the mean over the pictures; 1 for the same face.
    """

    def compare(reference: Tensor) -> Callable[[Tensor], Tensor]:
        with torch.no_grad():
            wanted = normalize(embed(reference))

        def similarity(image: Tensor) -> Tensor:
            return (normalize(embed(image)) * wanted).sum(1).mean()

        return similarity

    return compare


def embedded_identity(like: Tensor) -> Comparison:
    """Compare toonfaces by who they are, in the type and place of `like`."""
    from nbdrag.toonfaces.factors import FACTORS
    from nbdrag.toonfaces.reader import load_reader

    reader = load_reader().to(like)
    columns = [FACTORS.index(name) for name in PERSON]

    def embed(image: Tensor) -> Tensor:
        # Factors lie in [0, 1]; about their middle, opposites point to opposite sides.
        factors: Tensor = reader(image).factors[:, columns]
        return factors - 0.5

    return cosine_similarity(embed)
