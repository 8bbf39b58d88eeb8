"""An edit as a vector: learnt on one picture, added to the latent of any other.

Painting finds a latent w + δ whose picture is the edited one. Much of what δ does is not peculiar
to that picture: w' + s δ gives another face the same smile, and the scale s says how much of one
(EditGAN, Sec. 3.4). So an edit that took a hundred steps of optimisation costs a sum from then on.
Vectors are scaled, reversed and added up like the numbers that they are.

References
----------
Ling et al., EditGAN: High-Precision Semantic Image Editing, NeurIPS 2021, Sec. 3.3-3.4.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import isfinite
from numbers import Real
from os import PathLike
from pathlib import Path

from torch import Tensor

from nbdrag import __version__
from nbdrag.generators.stylegan2 import Generator
from nbdrag.transfer.gallery import before_after, gallery_png
from nbdrag.transfer.vector_file import (
    Content,
    Fact,
    Facts,
    VectorError,
    read_vector,
    write_vector,
)

__all__ = ["EditVector", "VectorError"]

SCALES = (-2.0, 2.0)


@dataclass(frozen=True, eq=False)
class EditVector:
    """A direction in W+ that makes one edit, on any picture of the generator it was learnt with.

    Attributes
    ----------
    delta : Tensor, shape [num_ws, w_dim]
        What is added to a latent. A copy on the CPU is kept.
    name : str
        What it does, such as "smile".
    generator_hash : str
        Whose latents it is for; see `Generator.content_hash`.
    generator : str
        Its name, as `load_generator` takes it; empty if nobody said.
    classes : tuple of str
        The parts that were painted when it was learnt.
    scale_range : tuple of float
        The scales, low and high, between which it does what its name says: what a slider offers.
    learnt : dict
        How it was learnt: texts and numbers by name, such as the seed of the picture.
    preview : bytes
        A small picture, before | after, as WebP; empty if there is none.

    Raises
    ------
    ValueError
        If `delta` is no finite floating tensor of two dimensions, the name is empty, or the scales
        are no range.

    Examples
    --------
    >>> smiling = vector.apply(ws, 1.5)  # doctest: +SKIP
    >>> both = smile + 0.5 * open_mouth  # doctest: +SKIP
    """

    delta: Tensor
    name: str
    generator_hash: str
    generator: str = ""
    classes: tuple[str, ...] = ()
    scale_range: tuple[float, float] = SCALES
    learnt: Mapping[str, Fact] = field(default_factory=dict)
    preview: bytes = b""

    def __post_init__(self) -> None:
        delta = self.delta
        if not isinstance(delta, Tensor) or delta.ndim != 2 or not delta.is_floating_point():
            given = (
                f"{delta.dtype} {list(delta.shape)}"
                if isinstance(delta, Tensor)
                else type(delta).__name__
            )
            raise ValueError(f"delta is {given}; expected a tensor of floats, [num_ws, w_dim].")
        if not delta.double().isfinite().all():  # not every type of a float knows isfinite
            raise ValueError("delta holds NaN or infinity.")
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"name is {self.name!r}; say in a few words what the vector does.")
        low, high = self.scale_range
        if not (isfinite(low) and isfinite(high) and low < high):
            raise ValueError(f"scale_range is {(low, high)}; expected two numbers, low < high.")
        # Frozen keeps others from changing fields; here they are brought into form.
        object.__setattr__(self, "delta", delta.detach().cpu().clone())
        object.__setattr__(self, "classes", tuple(self.classes))
        object.__setattr__(self, "scale_range", (float(low), float(high)))
        object.__setattr__(self, "learnt", dict(self.learnt))

    @staticmethod
    def between(
        ws_before: Tensor,
        ws_after: Tensor,
        *,
        name: str,
        generator: Generator,
        classes: tuple[str, ...] = (),
        scale_range: tuple[float, float] = SCALES,
        learnt: Mapping[str, Fact] | None = None,
    ) -> EditVector:
        """The vector from one latent to another, with a preview of the two pictures.

        Parameters
        ----------
        ws_before, ws_after : Tensor, shape [num_ws, w_dim]
            Latents of the picture as it was and as it was edited.
        generator : Generator
            Whose they are.

        Raises
        ------
        ValueError
            If the latents are not this generator's, or don't differ.
        """
        expected = (generator.num_ws, generator.w_dim)
        for argument, ws in (("ws_before", ws_before), ("ws_after", ws_after)):
            if ws.shape != expected:
                raise ValueError(
                    f"{argument} has shape {list(ws.shape)}; expected {list(expected)}."
                )
        if ws_before.equal(ws_after):
            raise ValueError("ws_before and ws_after are the same: there is no edit to learn from.")
        return EditVector(
            ws_after - ws_before,
            name,
            generator.content_hash,
            generator.source,
            classes,
            scale_range,
            learnt or {},
            before_after(generator, ws_before, ws_after),
        )

    def apply(self, ws: Tensor, scale: float = 1.0) -> Tensor:
        """Edit latents: ws + scale * delta.

        Parameters
        ----------
        ws : Tensor, shape [..., num_ws, w_dim]
            One latent or many. It is not changed.
        scale : float
            How much of the edit: 0 is none, 1 as much as was learnt, negative the reverse.

        Returns
        -------
        Tensor, shape [..., num_ws, w_dim], of the dtype and on the device of `ws`

        Raises
        ------
        ValueError
            If `ws` has another shape, or `scale` is no finite number.
        """
        self._check_shape(ws)
        return ws + checked_scale(scale) * self.delta.to(ws)

    def _check_shape(self, ws: Tensor) -> None:
        if ws.shape[-2:] != self.delta.shape:
            raise ValueError(
                f"ws has shape {list(ws.shape)}; the vector {self.name!r} is for latents "
                f"[..., {', '.join(map(str, self.delta.shape))}]."
            )

    def check(self, generator: Generator, *, force: bool = False) -> EditVector:
        """Make sure that the vector is this generator's.

        Parameters
        ----------
        force : bool
            Take it for this generator's even if it was learnt with another, such as the one that
            this was fine-tuned from. The shapes must agree.

        Returns
        -------
        EditVector
            The same; or with `force` a copy that belongs to this generator from now on.

        Raises
        ------
        VectorError
            If it is another's.
        """
        expected = (generator.num_ws, generator.w_dim)
        fits = tuple(self.delta.shape) == expected
        found = generator.content_hash
        if fits and found == self.generator_hash:
            return self
        whose = f"{self.generator!r}, {self.generator_hash}" if self.generator else ""
        trouble = (
            f"the vector {self.name!r} was learnt with the generator "
            f"{whose or self.generator_hash}; this one is {found}"
        )
        if not fits:
            raise VectorError(
                f"{trouble}, and its latents are {list(expected)} instead of "
                f"{list(self.delta.shape)}. Load the vector's own generator."
            )
        if not force:
            raise VectorError(
                f"{trouble}. Load that one, or take the vector all the same, if one was "
                "trained from the other: vector = vector.check(generator, force=True)."
            )
        return replace(self, generator_hash=found, generator=generator.source, preview=b"")

    def renamed(self, name: str) -> EditVector:
        """The same vector under another name."""
        return replace(self, name=name)

    # ------------------------------------------------------------------------------- composition

    def __mul__(self, scale: float) -> EditVector:
        s = checked_scale(scale)
        return self._made(s * self.delta, times(s, self.name), self.classes)

    __rmul__ = __mul__

    def __neg__(self) -> EditVector:
        return self * -1.0

    def __add__(self, other: EditVector) -> EditVector:
        if not isinstance(other, EditVector):
            return NotImplemented
        if other.generator_hash != self.generator_hash or other.delta.shape != self.delta.shape:
            raise VectorError(
                f"{self.name!r} and {other.name!r} belong to different generators, "
                f"{self.generator_hash} and {other.generator_hash}; their sum means nothing. "
                "check(generator, force=True) takes a vector for another generator's."
            )
        classes = tuple(dict.fromkeys(self.classes + other.classes))
        return self._made(self.delta + other.delta, f"{self.name} + {other.name}", classes)

    def __sub__(self, other: EditVector) -> EditVector:
        if not isinstance(other, EditVector):
            return NotImplemented
        return self + -other

    def _made(self, delta: Tensor, name: str, classes: tuple[str, ...]) -> EditVector:
        """A vector made of others; nobody has seen it yet."""
        made: dict[str, Fact] = {"made": name}
        return EditVector(
            delta, name, self.generator_hash, self.generator, classes, SCALES, made, b""
        )

    # ----------------------------------------------------------------------------------- showing

    def __repr__(self) -> str:
        low, high = self.scale_range
        parts = ", ".join(self.classes) or "no parts named"
        whose = self.generator or self.generator_hash
        return f"<EditVector {self.name!r} for {whose}: {parts}; scales {low:g} to {high:g}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, object]:
        """What a notebook shows: before | after."""
        bundle: dict[str, object] = {"text/plain": repr(self)}
        if self.preview:
            bundle["image/png"] = gallery_png([(self.name, self.preview)])
        return bundle

    # ----------------------------------------------------------------------------------- keeping

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vector. The file is complete or not there.

        Parameters
        ----------
        path : path-like
            Ends in ``.safetensors``. An existing file is replaced.

        Raises
        ------
        ValueError
            If the name ends otherwise, or the vector can't be read again from what it holds.
        """
        facts = Facts(
            version=1,
            name=self.name,
            generator_hash=self.generator_hash,
            generator=self.generator,
            classes=list(self.classes),
            scale_range=self.scale_range,
            nbdrag=__version__,
            learnt=dict(self.learnt),
        )
        write_vector(Path(path), self._content(facts))

    def _content(self, facts: Facts) -> Content:
        """What its file holds."""
        return Content(facts, self.delta, self.preview)

    @staticmethod
    def load(path: str | PathLike[str]) -> EditVector:
        """Read a vector that `save` has written.

        Returns
        -------
        EditVector
            An `EditDirection`, if that was saved.

        Raises
        ------
        VectorError
            If there is no such file, or it is damaged, or holds something else.
        """
        from nbdrag.transfer.direction import EditDirection  # which is a vector itself

        content = read_vector(Path(path))
        facts = content.facts
        fields = (
            content.delta,
            facts.name,
            facts.generator_hash,
            facts.generator,
            tuple(facts.classes),
            facts.scale_range,
            facts.learnt,
            content.preview,
        )
        try:
            if content.normal is None or content.example is None:
                return EditVector(*fields)
            return EditDirection(*fields, normal=content.normal, example=content.example)
        except ValueError as error:
            raise VectorError(f"{Path(path).name} is no vector to be used: {error}") from None


def checked_scale(scale: object) -> float:
    """A scale as a number, if it is one, and finite. Those of numpy count."""
    if isinstance(scale, bool) or not isinstance(scale, Real) or not isfinite(scale):
        raise ValueError(f"scale is {scale!r}; expected a finite number, such as 0.7 or -1.")
    return float(scale)


def times(scale: float, name: str) -> str:
    """What a scaled vector is called: "0.5 smile", "-smile", "2 (smile + frown)"."""
    if scale == 1:
        return name
    if " + " in name:
        name = f"({name})"
    if scale == -1:
        return name[1:] if name.startswith("-") else f"-{name}"
    return f"{scale:g} {name}"
