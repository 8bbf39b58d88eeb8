"""Writes the structs of the protocol as TypeScript types."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, get_args

import msgspec
from msgspec import Struct
from msgspec import inspect as shape

from nbdrag.widgets import batch_messages, from_kernel, from_page, protocol

HEADER = """\
// Written by `python -m nbdrag.widgets.protocol --typescript` from nbdrag/widgets/protocol.py,
// from_page.py and from_kernel.py. Don't edit: change those and write this one anew.
"""

BATCH_HEADER = """\
// Written by `python -m nbdrag.widgets.protocol --typescript batch` from
// nbdrag/widgets/batch_messages.py. Don't edit: change that and write this one anew.
"""


class Language(NamedTuple):
    """All that the two halves of a widget say to each other.

    Attributes
    ----------
    header : str
        What a file of it begins with.
    version : int
    limits : mapping
        The largest values and lengths that are accepted.
    aliases, unions : mapping
        Types that have a name.
    parts : sequence of structs
        That messages are made of.
    request, from_page, from_kernel : unions of structs
    """

    header: str
    version: int
    limits: Mapping[str, int]
    aliases: Mapping[str, Any]
    unions: Mapping[str, Any]
    parts: Sequence[type[Struct]]
    request: Any
    from_page: Any
    from_kernel: Any


LIMITS: dict[str, int] = {
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

PARTS: list[type[Struct]] = [
    from_kernel.Model,
    from_kernel.KnownModel,
    from_kernel.Progress,
    from_kernel.Entry,
    from_kernel.NumberOption,
    from_kernel.Choice,
    from_kernel.ChoiceOption,
    from_kernel.SwitchOption,
    from_kernel.DragMethod,
    from_kernel.PaintedPart,
    from_kernel.Vector,
]


EDITORS = Language(
    HEADER,
    protocol.PROTOCOL,
    LIMITS,
    ALIASES,
    {"Option": from_kernel.Option},
    PARTS,
    from_page.Request,
    from_page.FromPage,
    from_kernel.FromKernel,
)

BATCH = Language(
    BATCH_HEADER,
    batch_messages.BATCH_PROTOCOL,
    batch_messages.LIMITS,
    {
        "Level": protocol.Level,
        "SortKey": batch_messages.SortKey,
        "ExportFormat": batch_messages.ExportFormat,
    },
    {},
    [
        batch_messages.Pictured,
        batch_messages.Progress,
        batch_messages.Written,
        batch_messages.Tile,
    ],
    batch_messages.Request,
    batch_messages.FromPage,
    batch_messages.FromKernel,
)

LANGUAGES = {"": EDITORS, "batch": BATCH}


def typescript(language: Language = EDITORS) -> str:
    """The text of js/src/shared/protocol.gen.ts, or of js/src/batch/protocol.gen.ts."""
    requests = get_args(language.request)
    signals = tuple(m for m in get_args(language.from_page) if m not in requests)
    answers = get_args(language.from_kernel)
    named = {**language.aliases, **language.unions}
    limits = "".join(f"  {name}: {value},\n" for name, value in language.limits.items())

    def interfaces(structs: Sequence[type[Struct]], *, optional: bool) -> list[str]:
        return [_interface(struct, named, optional) for struct in structs]

    sections = [
        language.header,
        f"export const PROTOCOL = {language.version};\n",
        f"/** The largest values and lengths the kernel accepts. */\n"
        f"export const LIMITS = {{\n{limits}}} as const;\n",
        *(
            f"export type {name} = {_spelt(_type(alias), named)};\n"
            for name, alias in language.aliases.items()
        ),
        *interfaces(language.parts, optional=False),
        *(_union(name, get_args(union)) for name, union in language.unions.items()),
        *interfaces((*signals, *requests), optional=True),
        _union("Request", requests),
        _union("FromPage", (*signals, *requests)),
        *interfaces(answers, optional=False),
        _union("FromKernel", answers),
    ]
    return "\n".join(sections)


def main(arguments: list[str]) -> int:
    """Print the types; what `python -m nbdrag.widgets.protocol --typescript [batch]` does."""
    option, *words = arguments or [""]
    name = " ".join(words)
    if option != "--typescript" or name not in LANGUAGES:
        print("usage: python -m nbdrag.widgets.protocol --typescript [batch]", file=sys.stderr)
        return 2
    sys.stdout.write(typescript(LANGUAGES[name]))
    return 0


def _interface(struct: type[Struct], named: Mapping[str, Any], optional: bool) -> str:
    """One interface. Fields with a default may be left out where the page is the sender."""
    info = _type(struct)
    if not isinstance(info, shape.StructType):
        raise TypeError(f"{struct} is no struct")
    lines = [_comment(struct), f"export interface {struct.__name__} {{"]
    if info.tag_field is not None:
        lines.append(f'  {info.tag_field}: "{info.tag}";')
    for field in info.fields:
        mark = "?" if optional and not field.required else ""
        lines.append(f"  {field.encode_name}{mark}: {_name(field.type, named)};")
    return "\n".join([*lines, "}", ""])


def _union(name: str, members: tuple[type, ...]) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {m.__name__}" for m in members) + ";\n"


def _comment(struct: type[Struct]) -> str:
    lines = (inspect.getdoc(struct) or "").splitlines()
    if len(lines) == 1:
        return f"/** {lines[0]} */"
    return "\n".join(["/**", *(f" * {line}".rstrip() for line in lines), " */"])


def _name(info: shape.Type, named: Mapping[str, Any]) -> str:
    """The name of a type where it has one, else the type spelt out."""
    for name, alias in named.items():
        if info == _type(alias):
            return name
    return _spelt(info, named)


def _spelt(info: shape.Type, named: Mapping[str, Any]) -> str:
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
            return "[" + ", ".join(_name(item, named) for item in info.item_types) + "]"
        case shape.ListType():
            item = _name(info.item_type, named)
            return f"({item})[]" if "|" in item else f"{item}[]"
        case shape.DictType():
            return f"Record<string, {_name(info.value_type, named)}>"
        case shape.UnionType():
            return " | ".join(dict.fromkeys(_name(member, named) for member in info.types))
        case shape.StructType():
            return info.cls.__name__
    raise TypeError(f"no TypeScript for {info}")


def _type(annotation: object) -> shape.Type:
    return msgspec.inspect.type_info(annotation)
