"""Toonfaces: procedural portraits that come with the whole truth about themselves.

Every picture is drawn from a row of named factors and arrives with a part label for each pixel,
landmarks with visibility and the factors themselves. So a method can be measured instead of
admired: has the corner of the mouth arrived, did the eyes stay, is this still the same face?

>>> from nbdrag import toonfaces
>>> rendering = toonfaces.render(toonfaces.sample_factors(4), size=128)
>>> rendering.image.shape
torch.Size([4, 3, 128, 128])
"""

from nbdrag.toonfaces.canvas import PART_COLOURS, PARTS
from nbdrag.toonfaces.factors import FACTOR_TABLE, FACTORS, Factor, sample_factors
from nbdrag.toonfaces.portrait import LANDMARKS, Rendering, render

__all__ = [
    "FACTORS",
    "FACTOR_TABLE",
    "LANDMARKS",
    "PARTS",
    "PART_COLOURS",
    "Factor",
    "Rendering",
    "render",
    "sample_factors",
]
