"""How a picture was made: replay it without a notebook, save it, or read it as Python.

A recipe is a start and the edits after it. Editing methods are deterministic, so the same wishes
from the same latent, each for as many steps as it took then, give the same picture again: bit for
bit on the same machine, and up to rounding on another.

As a file it is one .safetensors: latents, masks, part maps and vectors as tensors, everything else
as JSON in the metadata under "nbdrag.recipe". Such a file may come from anywhere. Nothing in it is
executed, and nothing is believed before it is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import numpy as np
import torch
from msgspec import Meta, Struct
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from nbdrag.editing.inputs import check_ws
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.generators.identity import generator_hash
from nbdrag.generators.stylegan2 import Generator
from nbdrag.runtime.script import script
from nbdrag.runtime.wishes import (
    Edit,
    Labels,
    Mask,
    OptionValue,
    Slide,
    Start,
    Wish,
    begin,
    method,
)

METADATA_KEY = "nbdrag.recipe"


class RecipeError(ValueError):
    """A file is no recipe; the message says why."""


@dataclass(frozen=True, eq=False)
class Recipe:
    """A start and the edits after it.

    Attributes
    ----------
    generator : str
        Its name, or its path, as `load_generator` takes it.
    generator_hash : str
        See `nbdrag.generators.identity.generator_hash`.
    start : Sampled or Given
    ws : Tensor, shape [num_ws, w_dim]
        The latent at the start.
    edits : tuple of Edit
    """

    generator: str
    generator_hash: str
    start: Start
    ws: Tensor
    edits: tuple[Edit, ...] = ()

    def replay(
        self,
        generator: Generator,
        ws: Tensor | None = None,
        *,
        predictor: LatentPredictor | None = None,
    ) -> Tensor:
        """Make every edit again, in as many steps as it took, and return the last latent.

        Parameters
        ----------
        generator : Generator
            The recipe's own; with `ws`, any.
        ws : Tensor, shape [num_ws, w_dim], optional
            Start from here instead, to apply the edits to another picture. An edit that arrives
            sooner there takes fewer steps.
        predictor : LatentPredictor, optional
            The one that drags were predicted by, if that isn't the packaged one.

        Returns
        -------
        Tensor, shape [num_ws, w_dim]

        Raises
        ------
        ValueError
            If the generator is not the recipe's and `ws` is missing, the predictor is not the
            recipe's, or the generator can't make a picture of the start or one of the edits.
        EditDiverged
            If an edit from another start leaves the finite numbers.
        """
        if ws is None:
            found = generator_hash(generator)
            if found != self.generator_hash:
                raise ValueError(
                    f"generator is {found}; the recipe was made with {self.generator_hash}, "
                    f"{self.generator!r}. Load that, or pass ws= to start from a latent of yours."
                )
            ws = self.ws.to(generator.w_avg.device)
        ws = check_ws(generator, ws)
        for edit in self.edits:
            for step in islice(begin(generator, ws, edit.wish, predictor), edit.steps):
                ws = step.ws
        return ws

    def to_python(self) -> str:
        """Python code that makes this picture with nothing but nbdrag."""
        return script(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the recipe. The file is complete or not there.

        Parameters
        ----------
        path : path-like
            Ends in ``.safetensors``. An existing file is replaced.

        Raises
        ------
        ValueError
            If the name ends otherwise.
        """
        path = Path(path)
        if path.suffix != ".safetensors":
            raise ValueError(f"path is {str(path)!r}; it must end in .safetensors.")
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(save(_tensors(self), {METADATA_KEY: _metadata(self)}))
        unfinished.replace(path)

    @staticmethod
    def load(path: str | PathLike[str]) -> Recipe:
        """Read a recipe that `save` has written, onto the CPU.

        Raises
        ------
        RecipeError
            If there is no such file, or it is damaged, no recipe, or asks for what this nbdrag
            doesn't know.
        """
        path = Path(path)
        if not path.is_file():
            raise RecipeError(f"there is no file {str(path)!r}.")
        try:
            with safe_open(path, framework="pt") as file:
                text = (file.metadata() or {}).get(METADATA_KEY)
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise RecipeError(
                f"{path.name} is damaged, or no .safetensors file ({error})."
            ) from None
        if text is None:
            raise RecipeError(f'{path.name} is no recipe: its metadata have no "{METADATA_KEY}".')
        try:
            return _recipe(text, tensors)
        except ValueError as error:
            raise RecipeError(f"{path.name} is no recipe that can be used: {error}") from None


# ------------------------------------------------------------------------------------- as a file


Text = Annotated[str, Meta(max_length=1000)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]  # not NaN
Coordinate = Annotated[float, Meta(ge=-65536, le=65536)]
Option = bool | Annotated[int, Meta(ge=-(2**53), le=2**53)] | Number | Text | None


class _Slide(Struct, forbid_unknown_fields=True, omit_defaults=True):
    name: Text
    scale: Number
    classes: Annotated[list[Text], Meta(max_length=1000)] = []


class _Edit(Struct, forbid_unknown_fields=True, omit_defaults=True):
    method: Text
    options: Annotated[dict[Text, Option], Meta(max_length=100)]
    points: Annotated[
        list[tuple[Coordinate, Coordinate, Coordinate, Coordinate]], Meta(max_length=1000)
    ]
    steps: Annotated[int, Meta(ge=1, le=1_000_000)]
    mask: bool
    mask_width: Annotated[int, Meta(ge=1, le=65536)] | None = None  # None: it is a square
    labels: bool = False  # and edited ones with them
    vectors: Annotated[list[_Slide], Meta(max_length=1000)] = []
    predictor: Text = ""


class _File(Struct, forbid_unknown_fields=True):
    version: Literal[1]
    generator: Text
    generator_hash: Text
    start: Start
    edits: Annotated[list[_Edit], Meta(max_length=10_000)]


def _metadata(recipe: Recipe) -> str:
    edits = []
    for edit in recipe.edits:
        wish = edit.wish
        height, width = (0, 0) if wish.mask is None else wish.mask.shape
        edits.append(
            _Edit(
                wish.method,
                dict(wish.options),
                list(wish.points),
                edit.steps,
                mask=wish.mask is not None,
                mask_width=None if width == height else width,
                labels=wish.labels is not None,
                vectors=[_Slide(name, s, list(classes)) for name, s, _, classes in wish.vectors],
                predictor=wish.predictor,
            )
        )
    content = _File(1, recipe.generator, recipe.generator_hash, recipe.start, edits)
    return msgspec.json.encode(content).decode()


def _tensors(recipe: Recipe) -> dict[str, Tensor]:
    tensors = {"ws": recipe.ws}
    for i, edit in enumerate(recipe.edits):
        tensors[f"edits.{i}.ws"] = edit.ws
        if edit.wish.mask is not None:
            # Eight pixels a byte, each row by itself.
            tensors[f"edits.{i}.mask"] = torch.from_numpy(np.packbits(edit.wish.mask, axis=1))
        if edit.wish.labels is not None and edit.wish.edited is not None:
            tensors[f"edits.{i}.labels"] = torch.from_numpy(edit.wish.labels.copy())
            tensors[f"edits.{i}.edited"] = torch.from_numpy(edit.wish.edited.copy())
        for j, slide in enumerate(edit.wish.vectors):
            tensors[f"edits.{i}.vectors.{j}"] = slide.delta.to(recipe.ws.dtype)
    copy = torch.contiguous_format
    return {name: t.detach().cpu().clone(memory_format=copy) for name, t in tensors.items()}


def _recipe(text: str, tensors: dict[str, Tensor]) -> Recipe:
    """The content of a file, checked. Raises ValueError, of which msgspec's errors are some."""
    content = msgspec.json.decode(text, type=_File)
    expected = set(_names(content))
    if expected != set(tensors):
        odd = sorted(expected ^ set(tensors))
        raise ValueError(f"its tensors and its edits don't agree, in {', '.join(odd[:5])}.")
    start = _ws("ws", tensors, like=tensors["ws"])
    edits = []
    for i, edit in enumerate(content.edits):
        mask = _mask(f"edits.{i}.mask", tensors, edit.mask_width) if edit.mask else None
        labels, edited = _labels(f"edits.{i}", tensors) if edit.labels else (None, None)
        vectors = tuple(
            Slide(
                slide.name,
                slide.scale,
                _ws(f"edits.{i}.vectors.{j}", tensors, like=start),
                tuple(slide.classes),
            )
            for j, slide in enumerate(edit.vectors)
        )
        options: dict[str, OptionValue] = dict(edit.options)
        points = tuple(edit.points)
        wish = Wish(edit.method, options, points, mask, labels, edited, vectors, edit.predictor)
        method(edit.method).check(wish)
        edits.append(Edit(wish, edit.steps, _ws(f"edits.{i}.ws", tensors, like=start)))
    return Recipe(content.generator, content.generator_hash, content.start, start, tuple(edits))


def _names(content: _File) -> Iterator[str]:
    yield "ws"
    for i, edit in enumerate(content.edits):
        yield f"edits.{i}.ws"
        if edit.mask:
            yield f"edits.{i}.mask"
        if edit.labels:
            yield f"edits.{i}.labels"
            yield f"edits.{i}.edited"
        yield from (f"edits.{i}.vectors.{j}" for j in range(len(edit.vectors)))


def _ws(name: str, tensors: dict[str, Tensor], like: Tensor) -> Tensor:
    ws = tensors[name]
    if (
        ws.ndim != 2
        or not ws.is_floating_point()
        or (ws.shape, ws.dtype) != (like.shape, like.dtype)
    ):
        raise ValueError(
            f"{name} is {ws.dtype} {list(ws.shape)}; expected floats [num_ws, w_dim], alike in all."
        )
    if not ws.double().isfinite().all():  # not every type of a float knows isfinite
        raise ValueError(f"{name} holds NaN or infinity.")
    return ws


def _mask(name: str, tensors: dict[str, Tensor], width: int | None) -> Mask:
    bits = tensors[name]
    columns = width or (len(bits) if bits.ndim else 0)
    if bits.dtype != torch.uint8 or bits.ndim != 2 or bits.shape[1] != -(-columns // 8):
        wanted = "bits of a square" if width is None else f"bits, {width} in a row"
        raise ValueError(f"{name} is {bits.dtype} {list(bits.shape)}; expected {wanted}.")
    return np.unpackbits(bits.numpy(), axis=1, count=columns).astype(np.bool_)


def _labels(name: str, tensors: dict[str, Tensor]) -> tuple[Labels, Labels]:
    labels, edited = tensors[f"{name}.labels"], tensors[f"{name}.edited"]
    for tensor in (labels, edited):
        if tensor.dtype != torch.uint8 or tensor.ndim != 2 or tensor.shape != labels.shape:
            raise ValueError(
                f"{name}.labels and .edited are {labels.dtype} {list(labels.shape)} and "
                f"{edited.dtype} {list(edited.shape)}; expected uint8 [H, W], alike."
            )
    return labels.numpy(), edited.numpy()
