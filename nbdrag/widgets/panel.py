"""What the page's options panel shows: the fields of the options, for one generator."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import Field, fields
from inspect import get_annotations
from typing import Any, TypeVar

from nbdrag.editing.drag_options import DragOptions, tolerance
from nbdrag.editing.options import Options
from nbdrag.editing.paint_options import PaintOptions, margin
from nbdrag.generators.stylegan2 import Generator
from nbdrag.widgets.from_kernel import Choice, ChoiceOption, NumberOption, Option, SwitchOption

UNITS = {
    "patch_radius": "px",
    "search_radius": "px",
    "tolerance": "px",
    "margin": "px",
    "reach": "px",
    "max_steps": "steps",
    "refine": "steps",
}
SYMBOLS = {
    "mask_weight": "λ",
    "patch_radius": "r₁",
    "search_radius": "r₂",
    "label_weight": "λ₂",
    "identity_weight": "λ₃",
    "difference": "l",
    "reach": "d",
    "refine": "+",
}
Suited = TypeVar("Suited", bound=Options)
LOGARITHMIC = {"learning_rate"}
WORDS = {"w+": "W+", "w": "W", "auto": "automatic"}


def option_schema(
    generator: Generator, suited: Options, without: Container[str] = ()
) -> list[Option]:
    """The options of a method with their labels, ranges and defaults, those `suited`.

    Those `without` a say are left out. What a kind of options adds to another comes first.
    """
    own = get_annotations(type(suited))
    return [
        _option(field, getattr(suited, field.name), generator)
        for field in sorted(fields(suited), key=lambda field: field.name not in own)
        if field.name not in without
    ]


def fitting(options: Suited, generator: Generator) -> Suited:
    """The options themselves, if they suit the generator.

    Raises
    ------
    ValueError
        If they name a block or layers that the generator hasn't got.
    """
    for option in option_schema(generator, options):
        value = getattr(options, option.name)
        if isinstance(option, ChoiceOption):
            allowed = [choice.value for choice in option.choices]
            if value not in allowed:
                raise ValueError(f"{option.name} is {value!r}; this generator has {allowed}.")
        elif isinstance(option, NumberOption) and value is not None and value > option.max:
            raise ValueError(
                f"{option.name} is {value!r}; for this generator it is {option.max:g} at most."
            )
    return options


def _option(field: Field[Any], default: Any, generator: Generator) -> Option:
    meta, name = field.metadata, field.name
    common = {
        "name": name,
        "label": meta["label"],
        "symbol": SYMBOLS.get(name, ""),
        "help": meta["help"],
        "default": default,
    }
    if name == "feature_block":
        blocks = [Choice(value=None, label="automatic")]
        blocks += [
            Choice(value=r, label=f"{generator.config.width_at(r)} × {r}")
            for r in generator.block_resolutions
        ]
        return ChoiceOption(**common, choices=blocks)
    if meta["kind"] == "switch":
        return SwitchOption(**common)
    if meta["kind"] == "choice":
        choices = [Choice(value=value, label=WORDS.get(value, value)) for value in meta["choices"]]
        return ChoiceOption(**common, choices=choices)
    return NumberOption(
        **common,
        unit=UNITS.get(name, ""),
        min=meta["low"],
        max=generator.num_ws if name == "movable_layers" else meta["high"],
        step=meta["step"],
        integer=meta["whole"],
        scale="log" if name in LOGARITHMIC else "linear",
        automatic=automatic(name, generator) if meta["optional"] else None,
    )


def automatic(name: str, generator: Generator) -> str:
    """What stands for no number, in words."""
    if name == "tolerance":
        return automatic_tolerance(generator)
    if name == "margin":
        return f"{margin(generator, PaintOptions())} px"
    words = {"movable_layers": "all", "difference": "told from the features"}
    return words.get(name, "automatic")


def automatic_tolerance(generator: Generator) -> str:
    """What stands for no tolerance, in words."""
    few, many = (tolerance(generator, DragOptions(), handles) for handles in (1, 6))
    return f"{few:g} px up to five points, else {many:g}"
