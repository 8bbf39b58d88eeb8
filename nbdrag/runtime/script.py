"""Recipes as Python code: what the editor did, as one would have written it by hand.

The code needs nbdrag and nothing beside it. Numbers are written so that they read back exactly;
masks and given latents, which nobody reads anyway, are compressed into base64. Everything that
comes from a recipe is written by `repr`, so a recipe from elsewhere can't smuggle code in.
"""

from __future__ import annotations

import base64
import textwrap
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from nbdrag.editing.drag_options import DragOptions
from nbdrag.runtime.wishes import Edit, Mask, Sampled, Wish

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
    height, width = recipe.ws.shape
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
        yield from _packed("ws", recipe.ws.detach().cpu().float().numpy())
        yield f"ws = np.frombuffer(ws, np.float32).reshape({height}, {width})"
        yield "ws = torch.from_numpy(ws.copy())"


def _edits(recipe: Recipe) -> Iterator[str]:
    written: Mask | None = None
    for edit in recipe.edits:
        mask = edit.wish.mask
        yield ""
        if mask is not None and (written is None or not np.array_equal(mask, written)):
            yield from _mask(mask)
            written = mask
        yield from _edit(edit)


def _edit(edit: Edit) -> Iterator[str]:
    if edit.wish.method not in CALLS:
        raise ValueError(f"there is no Python code for the method {edit.wish.method!r} yet.")
    yield "steps = " + CALLS[edit.wish.method](edit.wish)
    yield f"for step in islice(steps, {edit.steps}):"
    yield "    ws = step.ws"


def _drag(wish: Wish) -> str:
    options = DragOptions.from_dict(wish.options)
    usual = asdict(DragOptions())
    changed = {name: value for name, value in asdict(options).items() if value != usual[name]}
    arguments = [
        f"handles={[pair[:2] for pair in wish.points]!r}",
        f"targets={[pair[2:] for pair in wish.points]!r}",
        *(["mask=mask"] if wish.mask is not None else []),
        f"options=DragOptions({', '.join(f'{name}={value!r}' for name, value in changed.items())})",
    ]
    return "drag(\n    generator,\n    ws,\n    " + ",\n    ".join(arguments) + ",\n)"


CALLS: dict[str, Callable[[Wish], str]] = {"drag": _drag}
"""For each method, the expression that begins the edit of a wish; `ws` is where it starts."""


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


def _packed(name: str, values: NDArray[Any]) -> Iterator[str]:
    """Assign the bytes of an array to a name."""
    text = base64.b64encode(zlib.compress(values.tobytes(), 9)).decode()
    yield f"{name} = zlib.decompress(base64.b64decode("
    yield from (f"    {line!r}" for line in textwrap.wrap(text, 90))
    yield "))"


def _imports(body: str) -> str:
    """The import statements that the code needs."""
    ours = [name for name in ("DragOptions", "drag", "load_generator") if f"{name}(" in body]
    groups = [
        [f"import {name}" for name in ("base64", "zlib") if f"{name}." in body]
        + ["from itertools import islice"] * ("islice(" in body),
        ["import numpy as np"] * ("np." in body)
        + ["import torch"]
        + [f"from nbdrag import {', '.join(ours)}"] * bool(ours)
        + ["from PIL import Image"],
    ]
    return "\n\n".join("\n".join(group) for group in groups if group)
