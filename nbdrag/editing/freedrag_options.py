"""What can be chosen about FreeDrag, and which choices suit a generator.

Some are those of any drag (`shared`): how far the latent moves in a step, what may move, which
features are followed. The others say when a handle's next place is near enough, and how near.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.options import Options, choice, number
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class FreeDragOptions(Options):
    """How to drag by FreeDrag. Defaults are the published ones, for pictures of 512 pixels.

    `FreeDragOptions.for_generator` gives those that suit a generator.

    Attributes
    ----------
    difference : float, 0.001 to 100, or None
        l: how much the features of a handle's next place differ from its template, as a mean over
        the patch and the channels. Features of another generator are larger or smaller; None:
        half as much as those of the first picture deviate from their mean, on average.
    reach : float, 0.1 to 64
        d: the next place lies at most so many pixels further on.
    motion_steps : int, 1 to 100
        A handle's place is left after so many updates, reached or not.
    samples : int, 1 to 100
        So many places on the line are looked at.
    learning_rate, mask_weight, patch_radius, tolerance, max_steps, movable_layers, space,
    feature_block, precision
        As `DragOptions` has them.
    """

    difference: float | None = number(
        0.3,
        "Difference l",
        0.001,
        100.0,
        0.01,
        "How unlike its template a handle's next place may look.",
        optional=True,
    )
    reach: float = number(3, "Reach d", 0.1, 64.0, 0.1, "A handle's next place is this near.")
    motion_steps: int = number(
        5, "Steps a motion", 1, 100, 1, "A handle is pulled to its next place by so many steps."
    )
    samples: int = number(10, "Samples", 1, 100, 1, "So many places on the line are looked at.")
    learning_rate: float = number(
        2e-3, "Step size", 1e-5, 1.0, 1e-3, "How far the latent moves in a step."
    )
    mask_weight: float = number(
        10, "Mask weight λ", 0.0, 100.0, 0.5, "How strongly the rest of the picture is held still."
    )
    patch_radius: float = number(
        3, "Patch radius r", 1.0, 64.0, 0.5, "Pixels this near to a handle are its template."
    )
    tolerance: float | None = number(
        None,
        "Tolerance",
        0.5,
        64.0,
        0.5,
        "A handle this near to its target, in pixels, has arrived.",
        optional=True,
    )
    max_steps: int = number(300, "Step limit", 1, 10_000, 1, "The drag ends after so many steps.")
    movable_layers: int = number(
        6, "Movable layers", 1, 64, 1, "So many first rows of the latent may change."
    )
    space: str = choice(
        "w+",
        "Space",
        ("w+", "w"),
        "w+ moves every layer for itself and reaches further; w stays closer to what was learnt.",
    )
    feature_block: int | None = number(
        None,
        "Feature block",
        4,
        1024,
        1,
        "Resolution of the generator's block whose features are followed.",
        optional=True,
    )
    precision: str = choice(
        "auto",
        "Precision",
        ("auto", "float32", "bfloat16"),
        "bfloat16 is rounder and faster, where the processor knows it.",
    )

    @classmethod
    def for_generator(cls, generator: Generator) -> FreeDragOptions:
        """Options that suit `generator`.

        What suits a drag of DragGAN suits this, but templates are no smaller than 5 pixels, for
        smaller ones slip more; the reach grows with pictures higher than 512 pixels; and l is told
        from the features. What a generator brings along under `generator.recommended["freedrag"]`
        comes before that.

        Raises
        ------
        ValueError
            If that names an option unknown here, or a value out of range.
        """
        usual = DragOptions.for_generator(generator)
        ours = {each.name for each in fields(cls)}
        rule = {each.name: getattr(usual, each.name) for each in fields(usual) if each.name in ours}
        rule |= {
            "difference": None,
            "reach": 3 * max(1.0, generator.resolution / 512),
            "patch_radius": max(5, usual.patch_radius),
        }
        recommended = getattr(generator, "recommended", {}).get("freedrag", {})
        try:
            return cls.from_dict({**rule, **recommended})
        except ValueError as error:
            raise ValueError(
                f'generator.recommended["freedrag"] can\'t be used: {error} Without it, set '
                "generator.recommended = {}."
            ) from None


def shared(options: FreeDragOptions) -> DragOptions:
    """What these options have in common with those of DragGAN; the rest by default."""
    theirs = {each.name for each in fields(DragOptions)}
    common = {each.name for each in fields(options)} & theirs
    return DragOptions.from_dict({name: getattr(options, name) for name in common})
