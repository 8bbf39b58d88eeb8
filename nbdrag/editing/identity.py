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

from nbdrag.editing.features import Size
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


def embedded_identity(like: Tensor, size: Size | None = None) -> Comparison:
    """Compare toonfaces by who they are.

    Parameters
    ----------
    like : Tensor
        Pictures will be of its type, and on its device.
    size : (int, int), optional
        Height and width that they will have, if that is known.

    Raises
    ------
    ValueError
        If pictures of that size aren't square: toonfaces are.
    """
    if size is not None and size[0] != size[1]:
        raise ValueError(
            f"identity_weight isn't 0, but pictures are {size[0]} high and {size[1]} wide; only "
            "toonfaces, which are square, have an embedding of their own. Set identity_weight to "
            "0, or give identity=cosine_similarity(network), of a network for such pictures."
        )
    from nbdrag.toonfaces.factors import FACTORS
    from nbdrag.toonfaces.reader import load_reader

    reader = load_reader().to(like)
    columns = [FACTORS.index(name) for name in PERSON]

    def embed(image: Tensor) -> Tensor:
        # Factors lie in [0, 1]; about their middle, opposites point to opposite sides.
        factors: Tensor = reader(image).factors[:, columns]
        return factors - 0.5

    return cosine_similarity(embed)
