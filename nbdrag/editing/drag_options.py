"""What can be chosen about a drag, and which choices suit a generator.

The paper's numbers are for pictures of 512 pixels. Lengths in pixels, and with them the radii and
the tolerance, follow the picture's height; the feature block follows it until it is 128, beyond
which blocks know less of what they show (Sec. 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from nbdrag.editing.options import Options, choice, number, switch
from nbdrag.editing.precision import settled
from nbdrag.generators.stylegan2 import Generator


@dataclass(frozen=True)
class DragOptions(Options):
    """How to drag. Defaults are the paper's, for pictures of 512 pixels.

    `DragOptions.for_generator` gives those that suit a generator.

    Attributes
    ----------
    learning_rate : float, 1e-5 to 1
        Step size of Adam, in units of w (Sec. 3.4; the paper also uses 1e-3).
    mask_weight : float, 0 to 100
        λ of Eq. 1: how much the change outside the mask, as a mean over the picture, counts
        against the mean of a patch. Where dragging stalls under a mask, lower it.
    patch_radius : float, 1 to 64
        r1 of Eq. 1, in pixels: a patch is the pixels nearer than this to the handle.
    search_radius : float, 1 to 128
        r2 of Eq. 2, in pixels: a handle is searched this far, exclusive, in x and in y.
    tolerance : float, 0.5 to 64, or None
        A handle no farther than this from its target, in pixels, has arrived. None: 1 for up to
        five handles, else 2 (Sec. 3.4), and in proportion in pictures higher than 512. Tracking
        moves a handle by whole pixels, so that below 0.71 a target between pixels might never be
        reached.
    max_steps : int, 1 to 10000
        The edit ends after so many updates, arrived or not (Sec. 4.2).
    movable_layers : int, 1 to 64
        So many first rows of ws may change; later ones shape appearance only (Sec. 3.2).
    space : "w+" or "w"
        Whether those rows move each for itself or all by the same vector (Sec. 3.2).
    feature_block : int or None
        Resolution (height) of the block whose output is F. None: half the picture's, at most 128,
        which is the sixth block (Sec. 3.2; Sec. 3.3 gives it 256 pixels).
    tracking : bool
        Whether to track at all. Without, handles stay where they were put: an ablation.
    precision : "auto", "float32" or "bfloat16"
        What features are computed in; see `nbdrag.editing.precision`. "auto": bfloat16 if the
        generator is large and the processor fast with it; so it depends on the machine.
        `for_generator` hence gives a large generator what was chosen.
    """

    learning_rate: float = number(
        2e-3, "Step size", 1e-5, 1.0, 1e-3, "How far the latent moves in a step."
    )
    mask_weight: float = number(
        20, "Mask weight λ", 0.0, 100.0, 0.5, "How strongly the rest of the picture is held still."
    )
    patch_radius: float = number(
        3, "Patch radius r₁", 1.0, 64.0, 0.5, "Pixels this near to a handle are moved."
    )
    search_radius: float = number(
        12, "Search radius r₂", 1.0, 128.0, 1.0, "A handle is looked for within so many pixels."
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
    tracking: bool = switch(True, "Point tracking", "Find the handles again after every step.")
    precision: str = choice(
        "auto",
        "Precision",
        ("auto", "float32", "bfloat16"),
        "bfloat16 is rounder and faster, where the processor knows it.",
    )

    @classmethod
    def for_generator(cls, generator: Generator) -> DragOptions:
        """Options that suit `generator`.

        Radii shrink and grow with the picture. What a generator brings along under
        `generator.recommended["drag"]`, as ours do, comes before that. The precision of a large
        generator is what is best on this machine.

        Raises
        ------
        ValueError
            If that names an option unknown here, or a value out of range.
        """
        scale = generator.resolution / 512
        rule = {
            "patch_radius": max(2, round(3 * scale)),
            "search_radius": max(4, round(12 * scale)),
            "movable_layers": min(6, generator.num_ws),
        }
        recommended = getattr(generator, "recommended", {}).get("drag", {})
        try:
            options = cls.from_dict({**rule, **recommended})
        except ValueError as error:
            raise ValueError(
                f'generator.recommended["drag"] can\'t be used: {error} Without it, set '
                "generator.recommended = {}."
            ) from None
        if options.precision == "auto" and isinstance(generator, Generator):
            block = options.feature_block or usual_block(generator)
            options = replace(options, precision=settled(generator, block))
        return options


def feature_block(generator: Generator, options: DragOptions) -> int:
    """Resolution of the block whose features are followed.

    Raises
    ------
    ValueError
        If the generator has no such block, or fewer rows of ws than are to move.
    """
    block = options.feature_block or usual_block(generator)
    if block not in generator.block_resolutions:
        raise ValueError(
            f"feature_block is {block}; this generator has {list(generator.block_resolutions)}."
        )
    if options.movable_layers > generator.num_ws:
        raise ValueError(
            f"movable_layers is {options.movable_layers}; this generator has {generator.num_ws} "
            "rows of ws."
        )
    return block


def usual_block(generator: Generator) -> int:
    """Resolution of the block that is followed unless an option names another."""
    return min(128, generator.resolution // 2)


def tolerance(generator: Generator, options: DragOptions, handles: int) -> float:
    """How near to its target, in pixels, each of so many handles has arrived."""
    if options.tolerance is not None:
        return options.tolerance
    return (1 if handles <= 5 else 2) * max(1.0, generator.resolution / 512)
