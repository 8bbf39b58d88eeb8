"""An edit as a direction and a place on it: every picture arrives at the same final state.

A vector w' = w + δ turns every head by as much as the example's; whoever looked left already now
looks further left. Edit One for All asks for another thing: that all of them end up looking where
the edited example looks. If the attribute grows evenly along a unit normal n,

    y(w) = a <w, n> + b,                                                          (Eq. 2)

then all pictures with the same y lie in one hyperplane, to which n is normal, and the edited
example w0' lies in the one that is wanted. How far another picture has to go is a projection,

    α = <w0' - w, n>,      w' = w + α n,                                          (Eq. 5)

so the strength of an edit costs a scalar product, for a hundred thousand pictures as many. And
when the example is edited more, or less, only the hyperplane moves: all others follow, and nothing
is optimised again.

`nbdrag.transfer.edit_one_for_all` says how a good n is found.

References
----------
Nguyen et al., Edit One for All: Interactive Batch Image Editing, CVPR 2024, Sec. 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from math import isfinite
from numbers import Real

import torch
from torch import Tensor

from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.gallery import before_after
from nbdrag.transfer.vector_file import Content, Fact, Facts
from nbdrag.transfer.vectors import EditVector, checked_scale, times

CHUNK = 4096  # latents that are projected at once
SHORTEST = 1e-9  # length of what counts as a direction, in units of w
ROUNDING = 1e-6  # by which a unit vector may be longer or shorter than one
PARALLEL = 1e-3  # by how much of its length delta may leave the line of the normal


@dataclass(frozen=True, eq=False, repr=False)
class EditDirection(EditVector):
    """An editing vector that knows where it leads, and so how far each picture has to go.

    As a vector, it is the example's own edit: `delta` = α0 n. What it has beyond that:

    Attributes
    ----------
    normal : Tensor, shape [num_ws, w_dim]
        The unit normal n; rows that the edit doesn't move are zero.
    example : Tensor, shape [num_ws, w_dim]
        The latent w0 of the example before the edit. Together with delta it fixes the hyperplane.

    Raises
    ------
    ValueError
        As `EditVector` does; if `normal` or `example` is no finite tensor of delta's shape, if
        `normal` is zero, or if `delta` isn't a multiple of it.

    Examples
    --------
    >>> alphas = direction.strengths(ws)  # doctest: +SKIP
    >>> frontal = direction.apply(ws)  # doctest: +SKIP
    >>> further = direction.scaled(1.5 * direction.alpha).apply(ws)  # doctest: +SKIP
    """

    normal: Tensor = field(kw_only=True)
    example: Tensor = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        kept = torch.promote_types(self.delta.dtype, torch.float32)
        for name in ("normal", "example"):
            given = getattr(self, name)
            if not isinstance(given, Tensor) or given.shape != self.delta.shape:
                found = list(given.shape) if isinstance(given, Tensor) else type(given).__name__
                raise ValueError(
                    f"{name} is {found}; expected a tensor {list(self.delta.shape)}, as delta."
                )
            if not given.is_floating_point() or not given.double().isfinite().all():
                raise ValueError(f"{name} must hold finite floats.")
            object.__setattr__(self, name, given.detach().cpu().to(kept).clone())
        length = self.normal.double().norm().item()
        if length < SHORTEST:
            raise ValueError("normal is zero: an edit that changes nothing has no direction.")
        if abs(length - 1) > ROUNDING:
            object.__setattr__(self, "normal", (self.normal.double() / length).to(kept))
        astray = (self.delta.double() - self.alpha * self.normal.double()).norm()
        if astray > max(PARALLEL * self.delta.double().norm().item(), SHORTEST):
            raise ValueError("delta is no multiple of normal; expected the example's own edit.")

    @staticmethod
    def between(
        ws_before: Tensor,
        ws_after: Tensor,
        *,
        name: str,
        generator: Generator,
        classes: tuple[str, ...] = (),
        scale_range: tuple[float, float] = (0.0, 1.0),
        learnt: Mapping[str, Fact] | None = None,
    ) -> EditDirection:
        """The direction from one latent to another as it is: the naive one of the paper's Fig. 3b.

        Parameters and errors are those of `EditVector.between`.
        """
        vector = EditVector.between(
            ws_before,
            ws_after,
            name=name,
            generator=generator,
            classes=classes,
            scale_range=scale_range,
            learnt=learnt,
        )
        facts = {each.name: getattr(vector, each.name) for each in fields(vector)}
        return EditDirection(**facts, normal=vector.delta, example=ws_before)

    # ------------------------------------------------------------------------------- the geometry

    @property
    def alpha(self) -> float:
        """The example's own strength α0, in units of w."""
        return product(self.delta, self.normal)

    @property
    def layers(self) -> tuple[int, ...]:
        """The rows of ws that are moved. Where they are is all that strengths depend on."""
        return tuple(self.normal.abs().amax(1).nonzero()[:, 0].tolist())

    def distances(self, ws: Tensor) -> Tensor:
        """How far pictures are beyond the example's final state.

        Parameters
        ----------
        ws : Tensor, shape [..., num_ws, w_dim]
            One latent or many. In W+, all rows that the edit moves count together.

        Returns
        -------
        Tensor, shape [...]
            <w - w0', n>, in units of w: 0 in the hyperplane, positive on the side n points to.

        Raises
        ------
        ValueError
            If `ws` has another shape.
        """
        self._check_shape(ws)
        normal = self.normal.flatten().to(ws.device)
        goal = product(self.example, self.normal) + self.alpha
        chunks = ws.reshape(-1, *self.delta.shape).split(CHUNK)
        found = torch.cat([each.flatten(1).to(normal.dtype) @ normal for each in chunks])
        return (found - goal).reshape(ws.shape[:-2])

    def strengths(self, ws: Tensor, target: float | None = None) -> Tensor:
        """How far each picture has to go along the normal: α of Eq. 5.

        Parameters
        ----------
        ws : Tensor, shape [..., num_ws, w_dim]
        target : float, optional
            The distance d that they shall end at, in units of w; see `distances`. Default: 0, the
            final state of the example.

        Returns
        -------
        Tensor, shape [...]

        Raises
        ------
        ValueError
            If `ws` has another shape, or `target` is no finite number.
        """
        wanted = 0.0 if target is None else checked_number("target", target)
        return wanted - self.distances(ws)

    def apply(
        self,
        ws: Tensor,
        scale: float = 1.0,
        *,
        target: float | None = None,
        alphas: Tensor | Sequence[float] | float | None = None,
    ) -> Tensor:
        """Bring pictures to the final state of the example: ws + scale * alphas * normal.

        Parameters
        ----------
        ws : Tensor, shape [..., num_ws, w_dim]
            One latent or many. They are not changed.
        scale : float
            Which part of the way they go: 0 is none, 1 all of it.
        target : float, optional
            Where else to bring them; see `strengths`.
        alphas : array_like, shape [...], optional
            Strengths of your own, instead. One number is for all of them.

        Returns
        -------
        Tensor, shape [..., num_ws, w_dim], of the dtype and on the device of `ws`

        Raises
        ------
        ValueError
            If `ws` has another shape, there are not as many strengths as latents, target and
            strengths are both given, or a number is none or not finite.
        """
        part = checked_scale(scale)
        if alphas is None:
            way = self.strengths(ws, target)
        elif target is not None:
            raise ValueError("target and alphas are both given; they are two ways to say how far.")
        else:
            self._check_shape(ws)
            way = checked_alphas(alphas, ws)
        return ws + (part * way).to(ws)[..., None, None] * self.normal.to(ws)

    # ------------------------------------------------------------------------- the example's slider

    def scaled(self, alpha: float) -> EditDirection:
        """The same direction with the example edited as much as `alpha` says, in units of w.

        What `strengths` and `apply` of it give follows from there: all pictures end where the
        example ends (Sec. 3.2, last paragraph). Nothing is optimised.

        Raises
        ------
        ValueError
            If `alpha` is no finite number.
        """
        delta = checked_number("alpha", alpha) * self.normal
        return replace(self, delta=delta, preview=b"")

    def through(self, ws: Tensor) -> EditDirection:
        """The same direction with another final state: that of these pictures.

        What is peculiar to one example shifts its hyperplane. So if several pictures are known to
        be as wanted, give all of them: the plane goes through their mean. For a state that is the
        average picture's, the generator's mean w is such a picture; the paper's d = 0 (Eq. 4).

        Parameters
        ----------
        ws : Tensor, shape [..., num_ws, w_dim]
            One latent or several.

        Raises
        ------
        ValueError
            If `ws` has another shape.

        Examples
        --------
        >>> average = generator.w_avg.expand(generator.num_ws, -1)  # doctest: +SKIP
        >>> neutral = direction.through(average)  # doctest: +SKIP
        """
        return self.scaled(self.alpha + self.distances(ws).mean().item())

    def __mul__(self, scale: float) -> EditDirection:
        s = checked_scale(scale)
        return self.scaled(s * self.alpha).renamed(times(s, self.name))

    __rmul__ = __mul__

    def __neg__(self) -> EditDirection:
        return self * -1.0

    def renamed(self, name: str) -> EditDirection:
        """The same direction under another name."""
        return replace(self, name=name)

    # ------------------------------------------------------------------------------------ showing

    def previewed(self, generator: Generator) -> EditDirection:
        """The same direction with a preview of the example, before | after."""
        after = self.example + self.delta
        return replace(self, preview=before_after(generator, self.example, after))

    def __repr__(self) -> str:
        rows = self.layers
        span = f"rows {rows[0]} to {rows[-1]}" if len(rows) > 1 else f"row {rows[0]}"
        whose = self.generator or self.generator_hash
        return f"<EditDirection {self.name!r} for {whose}: {span}; α of the example {self.alpha:g}>"

    def _content(self, facts: Facts) -> Content:
        return Content(facts, self.delta, self.preview, self.normal, self.example)


def product(a: Tensor, b: Tensor) -> float:
    """Scalar product of two latents, all rows together, in float64."""
    return (a.double() * b.double()).sum().item()


def checked_number(name: str, value: object) -> float:
    """A finite number; those of numpy count."""
    if isinstance(value, bool) or not isinstance(value, Real) or not isfinite(value):
        raise ValueError(f"{name} is {value!r}; expected a finite number, in units of w.")
    return float(value)


def checked_alphas(alphas: Tensor | Sequence[float] | float, ws: Tensor) -> Tensor:
    """One finite strength for each latent, or one for all."""
    try:
        found = torch.as_tensor(alphas, dtype=torch.float64, device=ws.device)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"alphas can't be read as numbers ({error}).") from None
    expected = ws.shape[:-2]
    if found.ndim and found.shape != expected:
        raise ValueError(
            f"alphas has shape {list(found.shape)}; expected {list(expected)}, one strength for "
            "each latent, or a single number."
        )
    if not found.isfinite().all():
        raise ValueError("alphas holds NaN or infinity.")
    return found
