"""Writes the structs of the protocol as TypeScript types."""

from __future__ import annotations

import inspect
import sys
from typing import get_args

import msgspec
from msgspec import Struct
from msgspec import inspect as shape

from nbdrag.widgets import from_kernel, from_page, protocol

HEADER = """\
// Written by `python -m nbdrag.widgets.protocol --typescript` from nbdrag/widgets/protocol.py,
// from_page.py and from_kernel.py. Don't edit: change those and write this one anew.
"""

LIMITS = {
    "id": protocol.MAX_ID,
    "seed": protocol.MAX_SEED,
    "points": protocol.MAX_POINTS,
    "path": protocol.MAX_PATH,
    "coordinate": int(protocol.MAX_COORDINATE),
    "radius": int(protocol.MAX_RADIUS),
    "source": protocol.MAX_SOURCE,
    "upload": protocol.MAX_UPLOAD,
    "chunk": protocol.MAX_CHUNK,
    "vector_name": protocol.MAX_VECTOR_NAME,
    "scale": int(protocol.MAX_SCALE),
}

ALIASES = {
    "Position": protocol.Position,
    "Pair": protocol.Pair,
    "OptionValue": protocol.OptionValue,
    "Level": protocol.Level,
    "Format": protocol.Format,
}

NAMED = {**ALIASES, "Option": from_kernel.Option}

PARTS: list[type[Struct]] = [
    from_kernel.Model,
    from_kernel.KnownModel,
    from_kernel.Progress,
    from_kernel.Entry,
    from_kernel.NumberOption,
    from_kernel.Choice,
    from_kernel.ChoiceOption,
    from_kernel.SwitchOption,
    from_kernel.PaintedPart,
    from_kernel.Vector,
]


def typescript() -> str:
    """The text of js/src/shared/protocol.gen.ts."""
    requests = get_args(from_page.Request)
    signals = tuple(m for m in get_args(from_page.FromPage) if m not in requests)
    answers = get_args(from_kernel.FromKernel)
    limits = "".join(f"  {name}: {value},\n" for name, value in LIMITS.items())
    sections = [
        HEADER,
        f"export const PROTOCOL = {protocol.PROTOCOL};\n",
        f"/** The largest values and lengths the kernel accepts. */\n"
        f"export const LIMITS = {{\n{limits}}} as const;\n",
        *(f"export type {name} = {_spelt(_type(alias))};\n" for name, alias in ALIASES.items()),
        *(_interface(part, optional=False) for part in PARTS),
        _union("Option", get_args(from_kernel.Option)),
        *(_interface(message, optional=True) for message in (*signals, *requests)),
        _union("Request", requests),
        _union("FromPage", (*signals, *requests)),
        *(_interface(message, optional=False) for message in answers),
        _union("FromKernel", answers),
    ]
    return "\n".join(sections)


def main(arguments: list[str]) -> int:
    """Print the types; what `python -m nbdrag.widgets.protocol --typescript` does."""
    if arguments != ["--typescript"]:
        print("usage: python -m nbdrag.widgets.protocol --typescript", file=sys.stderr)
        return 2
    sys.stdout.write(typescript())
    return 0


def _interface(struct: type[Struct], optional: bool) -> str:
    """One interface. Fields with a default may be left out where the page is the sender."""
    info = _type(struct)
    if not isinstance(info, shape.StructType):
        raise TypeError(f"{struct} is no struct")
    lines = [_comment(struct), f"export interface {struct.__name__} {{"]
    if info.tag_field is not None:
        lines.append(f'  {info.tag_field}: "{info.tag}";')
    for field in info.fields:
        mark = "?" if optional and not field.required else ""
        lines.append(f"  {field.encode_name}{mark}: {_name(field.type)};")
    return "\n".join([*lines, "}", ""])


def _union(name: str, members: tuple[type, ...]) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {m.__name__}" for m in members) + ";\n"


def _comment(struct: type[Struct]) -> str:
    lines = (inspect.getdoc(struct) or "").splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */"])


def _name(info: shape.Type) -> str:
    """The name of a type where it has one, else the type spelt out."""
    for name, alias in NAMED.items():
        if info == _type(alias):
            return name
    return _spelt(info)


def _spelt(info: shape.Type) -> str:
    match info:
        case shape.NoneType():
            return "null"
        case shape.BoolType():
            return "boolean"
        case shape.IntType() | shape.FloatType():
            return "number"
        case shape.StrType():
            return "string"
        case shape.LiteralType():
            return " | ".join(f'"{value}"' for value in info.values)
        case shape.TupleType():
            return "[" + ", ".join(_name(item) for item in info.item_types) + "]"
        case shape.ListType():
            item = _name(info.item_type)
            return f"({item})[]" if "|" in item else f"{item}[]"
        case shape.DictType():
            return f"Record<string, {_name(info.value_type)}>"
        case shape.UnionType():
            return " | ".join(dict.fromkeys(_name(member) for member in info.types))
        case shape.StructType():
            return info.cls.__name__
    raise TypeError(f"no TypeScript for {info}")


def _type(annotation: object) -> shape.Type:
    return msgspec.inspect.type_info(annotation)
