"""What can be chosen about finding a direction, and which choices suit a generator."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from nbdrag.editing.options import Options, choice, number
from nbdrag.editing.paint_options import recommended
from nbdrag.generators.stylegan2 import Generator

USUAL_BLOCK = 32  # pixels: enough to see what an edit does, for a third of the work
COARSE = 6  # rows of ws that drags move, and that the published program's directions are made of


@dataclass(frozen=True)
class DirectionOptions(Options):
    """How to find a direction. Defaults are those of the published program.

    `DirectionOptions.for_generator` gives those that suit a generator, `as_in_paper` those of the
    paper's text.

    Attributes
    ----------
    portraits : int, 0 to 1024
        So many other pictures, drawn anew for every step, show what the edit does in general. 0:
        the example alone, as in Eq. 3.
    start : "edit" or "zero"
        Where Δ* starts: at the edit's own Δ, or at zero (Sec. 3.1).
    learning_rate : float, 1e-5 to 1
        Step size of Adam, in units of w; with `adam` "shared", in shares of the edit's root mean
        square.
    adam : "each" or "shared"
        Whether Adam divides each coordinate's gradient by its own root mean square, as is usual, or
        all of them by one and the same, so that steps keep the direction of the gradient.
    schedule : "constant" or "falling"
        Whether the step size stays or falls, along half a cosine, to zero.
    max_steps : int, 1 to 10000
    attribute_weight : float, 0 to 1000
        λ of L_att (Eq. 4).
    attribute : "product" or "distance"
        L_att as Eq. 4 prints it, a product with Δ*, which shorter Δ* make smaller, too; or the
        distance itself, along the unit normal.
    distance : float
        d, which the edited example's signed distance from the origin's hyperplane is pulled to, in
        units of w. The paper sets it to 0 unless the user knows better.
    origin : "zero" or "mean"
        Where w is measured from in Eq. 4: from w = 0, or from the generator's mean w.
    movable_layers : int, 1 to 64, or None
        So many first rows of ws may have a part in the direction. None: as many as the edit has
        changed.
    space : "w+" or "w"
        Whether those rows have parts of their own or all the same.
    plane : "example", "found" or "origin"
        Where all pictures end: where the edited example does, w0 + Δ (Eq. 5), or as the direction
        makes it, w0 + Δ*; or at the distance d from the origin, where L_att wants the example to
        be (Eq. 4), whatever it is: for d = 0 and the mean, as neutral as the average picture. See
        `EditDirection.through` for others.
    block : int or None
        Resolution (height) of the block whose pictures are compared. None: the whole generator's.
    truncation : float, 0 to 1
        Of the other pictures' latents.
    seed : int
        Of the other pictures.
    """

    portraits: int = number(
        16, "Portraits", 0, 1024, 1, "Other pictures that the direction is to suit, in each step."
    )
    start: str = choice("edit", "Start", ("edit", "zero"), "Where the search begins.")
    learning_rate: float = number(
        1e-3, "Step size", 1e-5, 1.0, 1e-3, "How far the direction moves in a step."
    )
    adam: str = choice(
        "each",
        "Adam",
        ("each", "shared"),
        "Whether each coordinate has a scale of its own, or all share one.",
    )
    schedule: str = choice(
        "constant",
        "Schedule",
        ("constant", "falling"),
        "Whether steps stay as long as they are.",
    )
    max_steps: int = number(60, "Steps", 1, 10_000, 1, "Number of steps.")
    attribute_weight: float = number(
        0.02, "Attribute λ", 0.0, 1000.0, 0.01, "How strongly the example is to be neutral."
    )
    attribute: str = choice(
        "product",
        "Attribute loss",
        ("product", "distance"),
        "Whether a long direction counts for more.",
    )
    distance: float = number(
        0.0, "Distance d", -1000.0, 1000.0, 0.1, "Where the edited example is to lie."
    )
    origin: str = choice(
        "zero", "Origin", ("zero", "mean"), "Where latents are measured from for that."
    )
    movable_layers: int | None = number(
        6,
        "Movable layers",
        1,
        64,
        1,
        "So many first rows of the latent belong to the direction.",
        optional=True,
    )
    space: str = choice("w+", "Space", ("w+", "w"), "Whether each of them moves for itself.")
    plane: str = choice(
        "found",
        "Plane",
        ("example", "found", "origin"),
        "Whether pictures end where the edited example does, where the direction brings it, or at "
        "the distance d.",
    )
    block: int | None = number(
        None,
        "Block",
        4,
        1024,
        1,
        "Resolution of the generator's block whose pictures are compared.",
        optional=True,
    )
    truncation: float = number(
        0.7, "Truncation", 0.0, 1.0, 0.1, "How much the other pictures vary."
    )
    seed: int = number(0, "Seed", 0, 2**31 - 1, 1, "Of the other pictures.")

    @classmethod
    def as_in_paper(cls) -> DirectionOptions:
        """Options of the paper's text: from zero, with the example alone (Sec. 3.1)."""
        return cls(portraits=0, start="zero", plane="example")

    @classmethod
    def for_generator(cls, generator: Generator, delta: Tensor | None = None) -> DirectionOptions:
        """Options that suit `generator`: in W, from zero, on many portraits, in few calm steps.

        But there are edits that W has no counterpart of: those that shape small parts by rows
        beyond the sixth, each of them in its own way, as painting does and the vectors made by it.
        From zero nothing is found of them in any number of steps. Such an edit is where the search
        starts, rows go on moving for themselves, and whole pictures are compared, since small ones
        don't show it.

        What a generator brings along under `generator.recommended["direction"]` comes before that.

        Parameters
        ----------
        generator : Generator
        delta : Tensor, shape [num_ws, w_dim], optional
            The edit, w0' - w0.

        Raises
        ------
        ValueError
            If that names an option unknown here, or a value out of range.
        """
        small = min(USUAL_BLOCK, generator.resolution)
        rule = cls(
            start="zero",
            learning_rate=0.2,
            adam="shared",
            schedule="falling",
            max_steps=20,
            space="w",
            plane="example",
            attribute_weight=0.0,
            attribute="distance",
            origin="mean",
            movable_layers=None,
            block=small if generator.config.has_rgb(small) else None,
        )
        if delta is not None and is_detailed(delta):
            rule = replace(rule, start="edit", space="w+", plane="found", portraits=4, block=None)
        return recommended(rule, generator, "direction")


def is_detailed(delta: Tensor) -> bool:
    """Whether an edit moves late rows, and most of it isn't in W, where all rows move alike."""
    moved = delta.abs().amax(1).nonzero()
    rows = delta[: int(moved.max()) + 1 if len(moved) else 0].double()
    in_w = len(rows) * rows.mean(0).square().sum()
    return len(rows) > COARSE and bool(in_w < rows.square().sum() / 2)
