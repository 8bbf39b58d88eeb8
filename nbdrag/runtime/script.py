"""Recipes as Python code: what the editor did, as one would have written it by hand.

The code needs nbdrag and nothing beside it. Numbers are written so that they read back exactly;
masks, part maps, vectors and given latents, which nobody reads anyway, are compressed into base64.
Everything that comes from a recipe is written by `repr`, so a recipe from elsewhere can't smuggle
code in.
"""

from __future__ import annotations

import base64
import re
import textwrap
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from nbdrag.editing.options import Options
from nbdrag.editing.paint_options import PaintOptions
from nbdrag.runtime.wishes import Edit, Labels, Mask, Sampled, Slide, method

if TYPE_CHECKING:
    from nbdrag.runtime.recipe import Recipe


def script(recipe: Recipe) -> str:
    """Write a recipe as a program that ends with `image`, a tensor, and `picture`, of PIL.

    Raises
    ------
    ValueError
        If no code is known for one of its methods.
    """
    body = "\n".join([*_start(recipe), *_edits(recipe), *_picture(recipe)])
    return f"{_imports(body)}\n\n{body}\n"


def _start(recipe: Recipe) -> Iterator[str]:
    if recipe.generator:
        yield f"generator = load_generator({recipe.generator!r})"
    else:
        yield f"# generator: yours, with the hash {recipe.generator_hash!r}"
    if isinstance(recipe.start, Sampled):
        yield f"dice = torch.Generator().manual_seed({recipe.start.seed})"
        yield "z = torch.randn(1, generator.z_dim, generator=dice)"
        labels = ""
        if recipe.start.label is not None:
            yield f"labels = torch.eye(generator.num_labels)[[{recipe.start.label}]]"
            labels = "labels, "
        yield f"ws = generator.mapping(z, {labels}truncation={recipe.start.truncation!r})[0]"
    else:
        yield from _tensor("ws", recipe.ws)


def _edits(recipe: Recipe) -> Iterator[str]:
    written: Mask | None = None
    for edit in recipe.edits:
        mask = edit.wish.mask
        yield ""
        if mask is not None and (written is None or not np.array_equal(mask, written)):
            yield from _mask(mask)
            written = mask
        if edit.wish.method not in CODE:
            raise ValueError(f"there is no Python code for the method {edit.wish.method!r} yet.")
        yield from CODE[edit.wish.method](edit)


def _drag(edit: Edit) -> Iterator[str]:
    """Of any method that drags: its function has its name."""
    wish = edit.wish
    if wish.predictor:
        yield f"# predictor: yours, with the hash {wish.predictor!r}"
    yield from _call(
        wish.method,
        "ws",
        f"handles={[pair[:2] for pair in wish.points]!r}",
        f"targets={[pair[2:] for pair in wish.points]!r}",
        *(["mask=mask"] if wish.mask is not None else []),
        _options(method(wish.method).options, edit),
        *(["predictor=predictor"] if wish.predictor else []),
    )
    yield from _steps(edit)


def _paint(edit: Edit) -> Iterator[str]:
    labels, edited = edit.wish.labels, edit.wish.edited
    if labels is None or edited is None:
        raise ValueError("an edit to paint has no part maps.")
    yield "# The parts of the picture, and what was painted over them."
    yield from _part_map("labels", labels)
    yield from _part_map("edited", edited)
    yield from _call("paint", "ws", "labels", "edited", _options(PaintOptions, edit))
    yield from _steps(edit)


def _slide(edit: Edit) -> Iterator[str]:
    for slide in edit.wish.vectors:
        yield from _vector(slide)
        yield f"ws = ws + {slide.scale!r} * vector"


def _refine(edit: Edit) -> Iterator[str]:
    yield "original = ws"
    for slide in edit.wish.vectors:
        yield from _vector(slide)
        yield f"original = original + {-slide.scale!r} * vector"
    about = sorted({name for slide in edit.wish.vectors for name in slide.classes})
    parts = [f"parts={about!r}"] if about else []
    yield from _call("refine", "original", "ws", _options(PaintOptions, edit), *parts)
    yield from _steps(edit)


CODE: dict[str, Callable[[Edit], Iterator[str]]] = {
    "drag": _drag,
    "paint": _paint,
    "slide": _slide,
    "refine": _refine,
    "free_drag": _drag,
    "auto_drag": _drag,
    "layout_drag": _drag,
}
"""For each method, the lines that make an edit; `ws` is where it starts and what it leaves."""


def _call(function: str, *arguments: str) -> Iterator[str]:
    yield f"steps = {function}("
    yield from (f"    {argument}," for argument in ("generator", *arguments))
    yield ")"


def _options(kind: type[Options], edit: Edit) -> str:
    options, usual = asdict(kind.from_dict(edit.wish.options)), asdict(kind())
    changed = [f"{name}={value!r}" for name, value in options.items() if value != usual[name]]
    return f"options={kind.__name__}({', '.join(changed)})"


def _steps(edit: Edit) -> Iterator[str]:
    yield f"for step in islice(steps, {edit.steps}):"
    yield "    ws = step.ws"


def _picture(recipe: Recipe) -> Iterator[str]:
    yield ""
    yield "with torch.no_grad():"
    yield "    image = generator.synthesis(ws[None]).image[0]  # [3, H, W], from -1 to 1"
    yield "pixels = ((image + 1) * 127.5).round().clamp(0, 255).byte()"
    yield "picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())"


def _mask(mask: Mask) -> Iterator[str]:
    height, width = mask.shape
    yield "# True where the picture may move."
    yield from _packed("mask", np.packbits(mask))
    yield f"mask = np.unpackbits(np.frombuffer(mask, np.uint8), count={height * width})"
    yield f"mask = mask.reshape({height}, {width}).astype(bool)"


def _part_map(name: str, labels: Labels) -> Iterator[str]:
    yield from _packed(name, labels)
    yield f"{name} = np.frombuffer({name}, np.uint8).reshape{labels.shape!r}"


def _vector(slide: Slide) -> Iterator[str]:
    yield f"# {slide.name!r}"
    yield from _tensor("vector", slide.delta)


def _tensor(name: str, tensor: Tensor) -> Iterator[str]:
    yield from _packed(name, tensor.detach().cpu().float().numpy())
    yield f"{name} = np.frombuffer({name}, np.float32).reshape{tuple(tensor.shape)!r}"
    yield f"{name} = torch.from_numpy({name}.copy())"


def _packed(name: str, values: NDArray[Any]) -> Iterator[str]:
    """Assign the bytes of an array to a name."""
    text = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()
    yield f"{name} = zlib.decompress(base64.b64decode("
    yield from (f"    {line!r}" for line in textwrap.wrap(text, 90))
    yield "))"


OURS = (
    "AutoDragOptions",
    "DragOptions",
    "FreeDragOptions",
    "LayoutDragOptions",
    "PaintOptions",
    "auto_drag",
    "drag",
    "free_drag",
    "layout_drag",
    "load_generator",
    "paint",
    "refine",
)


def _imports(body: str) -> str:
    """The import statements that the code needs."""
    ours = [name for name in OURS if re.search(rf"\b{name}\(", body)]
    groups = [
        [f"import {name}" for name in ("base64", "zlib") if f"{name}." in body]
        + ["from itertools import islice"] * ("islice(" in body),
        ["import numpy as np"] * ("np." in body)
        + ["import torch"]
        + [f"from nbdrag import {', '.join(ours)}"] * bool(ours)
        + ["from PIL import Image"],
    ]
    return "\n\n".join("\n".join(group) for group in groups if group)
