"""What is in a file, by name: tensors, and what else it says.

Checkpoints nest their tensors in many ways: modules in modules, state dicts in dicts, names with
dots. Spelt out as one name, with dots between the levels, they look alike: "G_ema.mapping.w_avg"
may come from any of these. So a file becomes two flat dicts here, its tensors and its facts
(numbers, texts, and short lists of them), and a format is recognised by the names that it alone
has. What stands before these names, "G_ema.", tells which of the networks in the file it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeGuard, TypeVar

from torch import Tensor

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.records import Call, Global

Fact = int | float | str | bool | None
Facts = dict[str, Fact | tuple[Fact, ...]]

DEEPEST = 64
MOST = 1 << 17  # visits; a training file of a large generator takes some ten thousand
SHORT = 64  # items of a list that is a fact
LONGEST = 200  # letters of a name that count
LONG = 4096  # items of a list that isn't looked through: a log, say
WRAPPERS = ("module", "_orig_mod")  # DataParallel and torch.compile put a level around a network
BUFFERS = ("resample_filter", "noise_const", "w_avg")  # wanted even where they are not persistent

PERSISTENT = Global("torch_utils.persistence", "_reconstruct_persistent_obj")


@dataclass
class Contents:
    """The tensors and facts of a file, by name.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Of modules, parameters and buffers.
    facts : dict
        Numbers, texts, None, and lists of up to 64 of them, as tuples. What a module has besides
        parameters and buffers is among them, and what it was constructed with under
        "_init_kwargs".
    """

    tensors: dict[str, Tensor] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)


def contents(tree: object) -> Contents:
    """Spell out an inert tree.

    Raises
    ------
    CheckpointError
        If it is nested deeper, or has more in it, than any checkpoint.
    """
    found = Contents()
    visits = 0
    waiting: list[tuple[str, int, bool, object]] = [("", 0, True, tree)]
    while waiting:
        name, depth, weighs, node = waiting.pop()
        visits += 1
        if depth > DEEPEST or visits + len(waiting) > MOST:
            raise CheckpointError(
                f"the file nests more than {DEEPEST} levels, or holds more than {MOST} things; no "
                f"checkpoint of a generator does."
            )
        if isinstance(node, Tensor):
            if weighs:
                found.tensors.setdefault(name, node)
            elif node.ndim == 0:  # a number of numpy's
                found.facts.setdefault(name, node.item())
        elif is_fact(node):
            found.facts.setdefault(name, node)
        elif isinstance(node, list | tuple) and len(node) <= SHORT and all(map(is_fact, node)):
            found.facts.setdefault(name, tuple(node))
        else:
            inside = [
                (join(name, key), depth + 1, weighs and weighing, child)
                for key, weighing, child in children(node, weighs)
            ]
            waiting.extend(reversed(inside))
    return found


def is_fact(node: object) -> TypeGuard[Fact]:
    """Tell whether a node is a number, a text, or None."""
    return node is None or isinstance(node, int | float | str)


def join(name: str, key: str) -> str:
    """Name what lies under `key` in what is called `name`."""
    if key in WRAPPERS:
        return name
    return f"{name}.{key}"[:LONGEST] if name else key


# ------------------------------------------------------------------------------ what nodes contain


def children(node: object, weighs: bool) -> Iterator[tuple[str, bool, object]]:
    """Give what a node contains: name, whether tensors there are weights, and the thing.

    A module that is only mentioned, as one's parent may be, contains nothing.
    """
    if isinstance(node, Call) and node.function == PERSISTENT:
        if weighs:
            meta = entries(node.args[0]) if node.args else {}
            yield "class_name", False, meta.get("class_name")
            yield from module_children(entries(meta.get("state")))
    elif isinstance(node, dict | Call):
        inside = entries(node)
        if not is_module(inside):
            for key, child in inside.items():
                yield from named(key, True, child)
        elif weighs:
            yield from module_children(inside)
        if isinstance(node, Call) and len(node.items) <= LONG:
            for i, child in enumerate(node.items):
                yield str(i), True, child
    elif isinstance(node, list | tuple | set | frozenset) and len(node) <= LONG:
        for i, child in enumerate(node):
            yield str(i), True, child


def entries(node: object) -> Mapping[object, object]:
    """What a dict, a dict of another class, or an object keeps by name."""
    if isinstance(node, dict):
        return node
    if not isinstance(node, Call):
        return {}
    state = node.state if isinstance(node.state, dict) else {}
    return {**state, **{key: thing for key, thing in node.entries if isinstance(key, str | int)}}


def is_module(state: Mapping[object, object]) -> bool:
    """Tell whether something is the state of a torch module."""
    return {"_parameters", "_buffers", "_modules"} <= state.keys()


def module_children(state: Mapping[object, object]) -> Iterator[tuple[str, bool, object]]:
    """Give a module's parameters, buffers and modules, as in its state dict, and its facts."""
    fleeting = state.get("_non_persistent_buffers_set")
    passed_over = fleeting - set(BUFFERS) if isinstance(fleeting, set) else set()
    for kind in ("_parameters", "_buffers", "_modules"):
        for key, child in entries(state.get(kind)).items():
            if child is not None and not (kind == "_buffers" and key in passed_over):
                yield from named(key, True, child)
    for key, child in state.items():
        if key not in ("_parameters", "_buffers", "_modules"):
            yield from named(key, False, child)


def named(key: object, weighs: bool, child: object) -> Iterator[tuple[str, bool, object]]:
    """Give a child under its key, if the key is a name or a number."""
    if isinstance(key, str | int):
        words = [word for word in str(key)[:LONGEST].split(".") if word not in WRAPPERS]
        yield ".".join(words) or WRAPPERS[0], weighs, child


# --------------------------------------------------------------------------- which network is which

BESIDE = re.compile(r"(D|d|discriminator|augment_pipe|latent_avg|.*optim.*|encoder)(\..*)?")


@dataclass(frozen=True)
class Network:
    """One of the networks in a file.

    Attributes
    ----------
    name : str
        As the file has it: "G_ema"; empty for a network that is all there is.
    tensors, facts : dict
        As in `Contents`, but the name.
    """

    name: str
    tensors: dict[str, Tensor]
    facts: Facts


def find_network(found: Contents, anchor: str) -> Network | None:
    """Find a network by names of its tensors that it alone has.

    Of several, it is the one whose weights are averages over the training, which make better
    pictures; else the first.

    Parameters
    ----------
    found : Contents
    anchor : str
        A regular expression for these names, without groups.
    """
    pattern = re.compile(rf"(?:(.*)\.)?(?:{anchor})")
    matches = (pattern.fullmatch(name) for name in found.tensors)
    names = dict.fromkeys(match[1] or "" for match in matches if match)
    if not names:
        return None
    name = min(names, key=lambda name: not is_average(name))
    if name:
        return Network(name, under(name, found.tensors), under(name, found.facts))
    own = {name: t for name, t in found.tensors.items() if not BESIDE.fullmatch(name)}
    return Network(name, own, found.facts)


def is_average(name: str) -> bool:
    """Tell by a network's name whether it is an average over the training."""
    words = re.split(r"[^a-z]+", name.lower())  # "params_ema" is two
    return not {"ema", "gs", "average", "averaged"}.isdisjoint(words)


Thing = TypeVar("Thing")


def under(name: str, table: Mapping[str, Thing]) -> dict[str, Thing]:
    """Give what a network has in a table, without its name."""
    start = len(name) + 1
    return {key[start:]: thing for key, thing in table.items() if key.startswith(f"{name}.")}
