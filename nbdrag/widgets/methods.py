"""The ways to drag that an editor offers, in the order of its list.

Each is an editing method with options that suit a generator; one method may be offered twice, with
other options. Those that predict need a small network of the generator's own. Where there is none,
the editor says how to train one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

from nbdrag.editing.auto_draggan import AutoDragOptions
from nbdrag.editing.drag_options import DragOptions
from nbdrag.editing.freedrag_options import FreeDragOptions
from nbdrag.editing.latent_predictor import LatentPredictor
from nbdrag.editing.latent_predictor_file import has_predictor
from nbdrag.editing.latent_transformer_file import PACKAGED
from nbdrag.editing.layout_drag import LayoutDragOptions
from nbdrag.editing.options import Options
from nbdrag.generators.stylegan2 import Generator

REFINEMENT = 4
"""Steps of DragGAN after a prediction, unless somebody wants more; the first few do the most."""


@dataclass(frozen=True)
class DragMethod:
    """A way to drag.

    Attributes
    ----------
    name : str
        As `DragEditor.method` has it.
    title, help : str
        For the list, and what is special about it in a sentence.
    method : str
        Of the wishes that it makes; see `nbdrag.runtime.wishes.METHODS`.
    options : callable
        Gives the options that suit a generator.
    without : frozenset of str
        Names of options that have no say in it.
    """

    name: str
    title: str
    help: str
    method: str
    options: Callable[[Generator], Options]
    without: frozenset[str] = frozenset()


def _refined(generator: Generator) -> AutoDragOptions:
    return AutoDragOptions.for_generator(generator).updated({"refine": REFINEMENT})


DRAGGAN = frozenset(option.name for option in fields(DragOptions))

DRAG_METHODS = {
    each.name: each
    for each in (
        DragMethod(
            "drag",
            "DragGAN",
            "Optimises the picture step by step, and finds its handles again after each.",
            "drag",
            DragOptions.for_generator,
        ),
        DragMethod(
            "free_drag",
            "FreeDrag",
            "Optimises the picture step by step, and never looks for its handles.",
            "free_drag",
            FreeDragOptions.for_generator,
        ),
        DragMethod(
            "auto_drag",
            "One pass",
            "Predicts the picture at once.",
            "auto_drag",
            AutoDragOptions.for_generator,
            without=DRAGGAN | {"refine"},
        ),
        DragMethod(
            "auto_drag_refined",
            "One pass + refine",
            "Predicts the picture at once, and optimises it for a few steps more.",
            "auto_drag",
            _refined,
            without=frozenset({"max_steps"}),
        ),
        DragMethod(
            "layout_drag",
            "Latent transformer",
            "Tells the picture at once, by what moved together in others; may stop short.",
            "layout_drag",
            lambda _: LayoutDragOptions(),
        ),
    )
}
"""By name. The first is an editor's own."""


def drag_method(name: object) -> DragMethod:
    """Look up a way to drag. Raises ValueError if there is none of this name."""
    if not isinstance(name, str) or name not in DRAG_METHODS:
        raise ValueError(f"method is {name!r}; expected one of {', '.join(DRAG_METHODS)}.")
    return DRAG_METHODS[name]


def missing(way: DragMethod, generator: Generator, own: LatentPredictor | None) -> str | None:
    """What a way to drag lacks with a generator, and how to get it; None if nothing.

    `own` is the predictor that somebody brought along.
    """
    of = generator.source if generator.source.isprintable() else ""
    if way.method == "auto_drag" and own is None and not has_predictor(generator):
        return (
            "There is no predictor for this generator. Train one: python -m "
            f"nbdrag.training.auto_draggan {of or 'GENERATOR'} FOLDER --out FILE.safetensors; then "
            "editor.predictor = load_predictor(FILE, editor.generator)."
        )
    if way.method == "layout_drag" and not has_transformer(generator):
        return (
            "No latent transformer comes with this generator. Train one: python -m "
            f"nbdrag.training.latent_transformer {of or 'GENERATOR'} FILE.safetensors; then call "
            "layout_drag(..., transformer=load_transformer(FILE, generator))."
        )
    return None


def has_transformer(generator: Generator) -> bool:
    """Whether a latent transformer comes with the package for a generator of this name."""
    name = f"{generator.source}-latent-transformer.safetensors"
    return any(Path(path).name == name and path.is_file() for path in PACKAGED)
