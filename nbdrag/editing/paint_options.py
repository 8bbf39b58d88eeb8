"""What can be chosen about painting parts, and which choices suit a generator.

The paper gives L_RGB one weight, λ1; its authors' program divides it between the two terms: 10 for
the perceptual distance and 5 for the pixels. Lengths are for pictures of 512 pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

from nbdrag.editing.options import AnyOptions, Options, number
from nbdrag.generators.stylegan2 import Generator

BUFFER = 5 / 512  # of the picture's height: the paper's 5 pixels
REFINING = 1 / 3  # of λ1 in refinement: 5, where painting has 15


@dataclass(frozen=True)
class PaintOptions(Options):
    """How to paint. Defaults are the paper's.

    `PaintOptions.for_generator` gives those that suit a generator, and
    `PaintOptions.for_refinement` those for `nbdrag.refine`.

    Attributes
    ----------
    learning_rate : float, 1e-5 to 1
        Step size of Adam, in units of w (appendix A.4).
    max_steps : int, 1 to 10000
        The edit ends after so many updates (Sec. 4: 100; refinement 10 to 60).
    perceptual_weight : float, 0 to 1000
        λ1 of Eq. 5, for the perceptual distance of Eq. 2.
    pixel_weight : float, 0 to 1000
        λ1 of Eq. 5, for the mean squared difference of Eq. 2.
    label_weight : float, 0 to 1000
        λ2 of Eq. 5, for the cross-entropy of Eq. 3, a mean over the region.
    identity_weight : float, 0 to 1000
        λ3 of Eq. 5, for Eq. 4. The paper has 10 for faces, and 0 where identity is measured.
    margin : int, 0 to 256, or None
        By how many pixels the region of Eq. 1 is widened, so that what is between it and the rest
        can change. None: 5 for pictures of 512 pixels, and in proportion; at least 1.
    movable_layers : int, 1 to 64, or None
        So many first rows of ws may change; later ones shape colour and texture only. None: all.
    """

    learning_rate: float = number(
        0.02, "Step size", 1e-5, 1.0, 5e-3, "How far the latent moves in a step."
    )
    max_steps: int = number(100, "Step limit", 1, 10_000, 1, "The edit ends after so many steps.")
    perceptual_weight: float = number(
        10, "Look outside", 0.0, 1000.0, 1.0, "How strongly the look of the rest is held."
    )
    pixel_weight: float = number(
        5, "Pixels outside", 0.0, 1000.0, 1.0, "How strongly the pixels of the rest are held."
    )
    label_weight: float = number(
        1, "Parts inside", 0.0, 1000.0, 0.1, "How strongly the parts are made those painted."
    )
    identity_weight: float = number(
        0, "Identity", 0.0, 1000.0, 1.0, "How strongly it is to remain the same person."
    )
    margin: int | None = number(
        None,
        "Margin",
        0,
        256,
        1,
        "So many pixels around what was painted may change, too.",
        optional=True,
    )
    movable_layers: int | None = number(
        None,
        "Movable layers",
        1,
        64,
        1,
        "So many first rows of the latent may change.",
        optional=True,
    )

    @classmethod
    def for_generator(cls, generator: Generator) -> PaintOptions:
        """Options that suit `generator`: what it brings along, as ours do.

        Raises
        ------
        ValueError
            If `generator.recommended["paint"]` names an option unknown here, or a value out of
            range.
        """
        return recommended(cls(), generator, "paint")

    @classmethod
    def for_refinement(cls, generator: Generator) -> PaintOptions:
        """Options that suit `generator` for `nbdrag.refine` (appendix A.4, last sentences).

        Those of `for_generator`, but for a third of the weight outside, and 30 steps. What the
        generator brings along as `generator.recommended["refine"]` comes before that.

        Raises
        ------
        ValueError
            As `for_generator` does.
        """
        painting = cls.for_generator(generator)
        rule = {
            "perceptual_weight": painting.perceptual_weight * REFINING,
            "pixel_weight": painting.pixel_weight * REFINING,
            "max_steps": 30,
        }
        return recommended(painting.updated(rule), generator, "refine")


def recommended(options: AnyOptions, generator: Generator, method: str) -> AnyOptions:
    """The same options, but for what a generator recommends for a method."""
    wishes = getattr(generator, "recommended", {}).get(method, {})
    try:
        return options.updated(wishes)
    except ValueError as error:
        raise ValueError(
            f'generator.recommended["{method}"] can\'t be used: {error} Without it, set '
            "generator.recommended = {}."
        ) from None


def margin(generator: Generator, options: PaintOptions) -> int:
    """By how many pixels to widen the region in pictures of this generator."""
    if options.margin is not None:
        return options.margin
    return max(1, round(BUFFER * generator.height))


def movable_layers(generator: Generator, options: PaintOptions) -> int:
    """How many rows of ws may change.

    Raises
    ------
    ValueError
        If the generator has fewer.
    """
    if options.movable_layers is None:
        return generator.num_ws
    if options.movable_layers > generator.num_ws:
        raise ValueError(
            f"movable_layers is {options.movable_layers}; this generator has {generator.num_ws} "
            "rows of ws."
        )
    return options.movable_layers
