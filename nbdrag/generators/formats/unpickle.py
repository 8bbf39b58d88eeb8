"""Reading pickles without running them.

A pickle is a program for a little stack machine. Most of its instructions make numbers, texts,
lists and dicts; a few look up a name in a module (GLOBAL) and call it (REDUCE, NEWOBJ, BUILD).
Python's own machine obeys, so a pickle can do whatever Python can.

This one takes notes instead. A name becomes a `Global`, a call becomes a `Call` with its function,
arguments, and what was later put into the result. Nothing is imported and nothing is called, so
the worst that a file can do is to say nonsense. Names that no checkpoint needs are refused all the
same: a file that mentions them is not what it seems, and would run code elsewhere.

Reading costs bounded time and memory. Instructions are counted; lengths are checked against what
is left of the file before anything of that length is made; keys are of kinds whose hashes are
quick. Long byte strings are not copied: they stay where they lie, as memoryviews.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping, Sequence
from sys import getsizeof

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.names import PLAIN, is_known, modern
from nbdrag.generators.formats.opcodes import ENDS_EARLY, NAMES, READERS, Source
from nbdrag.generators.formats.records import Allowance, Call, Global, Makers, as_keys, kind

__all__ = ["Allowance", "Call", "Global", "read_pickle", "read_pickle_at"]

Persistent = Callable[[object], object]

TAKES_TOO_MUCH = "the pickle is damaged: it takes more than it has."
COULD_RUN_CODE = "loading it the usual way could run code. It was not loaded."


def read_pickle(
    data: bytes | bytearray | memoryview,
    *,
    persistent: Persistent | None = None,
    makers: Makers | None = None,
    allowance: Allowance | None = None,
) -> object:
    """Read the first pickle in `data`, of any protocol, running none of its code.

    Parameters
    ----------
    data : bytes-like
        What follows the pickle in it is not looked at.
    persistent : callable, optional
        Gives the thing that a persistent id stands for. Default: such ids are refused.
    makers : mapping of Global to callable, optional
        What calls mean, beyond `names.PLAIN`: called with the `Call` and the allowance, when the
        pickle makes the call and again when it sets the state of the result; gives what the call
        means, or the call.
    allowance : Allowance, optional
        What reading may cost. Default: a new one.

    Returns
    -------
    object
        Of None, bool, int, float, str, bytes (from 512 bytes on, memoryviews into `data`), list,
        tuple, set, frozenset, dict, `Global`, `Call`, and what `persistent` and `makers` give.
        Ordered and default dicts are dicts. It may contain itself, or the same thing many times
        over: who walks it must count.

    Raises
    ------
    CheckpointError
        If the pickle is damaged, costs too much, uses an instruction or names a global that no
        checkpoint needs.
    """
    found, _ = read_pickle_at(data, 0, persistent=persistent, makers=makers, allowance=allowance)
    return found


def read_pickle_at(
    data: bytes | bytearray | memoryview,
    start: int,
    *,
    persistent: Persistent | None = None,
    makers: Makers | None = None,
    allowance: Allowance | None = None,
) -> tuple[object, int]:
    """Read the pickle that begins at `start`; give it, and where it ends. See `read_pickle`."""
    source = Source(memoryview(data).cast("B"), start)
    allowance = allowance or Allowance.of_file(len(source.data))
    found = Machine(source, persistent, {**PLAIN, **(makers or {})}, allowance).run()
    return found, source.position


class Machine:
    """Carries out the instructions of one pickle; `STEPS` says what each of them does.

    Attributes
    ----------
    stack : list
        What was made since the last mark.
    outer : list of list
        The stacks below the marks, innermost last.
    memo : dict of int to object
    """

    def __init__(
        self, source: Source, persistent: Persistent | None, makers: Makers, allowance: Allowance
    ) -> None:
        self.source = source
        self.persistent = persistent
        self.makers = makers
        self.allowance = allowance
        self.stack: list[object] = []
        self.outer: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.places: dict[int, int] = {}  # id of a call -> where it is in the memo

    def run(self) -> object:
        """Carry out instructions up to STOP, and give what is then on top of the stack."""
        source, allowance = self.source, self.allowance
        size = len(source.data)
        while source.position < size:
            allowance.steps -= 1
            if allowance.steps < 0:
                raise CheckpointError("the file takes more steps to read than any checkpoint.")
            instruction = INSTRUCTIONS[source.data[source.position]]
            source.position += 1
            if instruction is None:
                return self.stop_or_refuse()
            read, step = instruction
            try:
                argument = read(source) if read else None
            except CheckpointError:
                raise
            except ValueError as error:  # a text or a number that is none
                reason = reprlib.repr(str(error))
                raise CheckpointError(f"the pickle is damaged: {reason}.") from None
            step(self, argument)
        raise CheckpointError(ENDS_EARLY)

    def stop_or_refuse(self) -> object:
        """End at STOP; at any other instruction, refuse it by name."""
        code = self.source.data[self.source.position - 1]
        name = NAMES.get(code)
        if name == "STOP":
            return self.pop()
        if name is None:
            raise CheckpointError(f"the pickle is damaged: there is no instruction {code:#04x}.")
        raise CheckpointError(
            f"the pickle uses the instruction {name}, which no checkpoint needs; {COULD_RUN_CODE}"
        )

    # ------------------------------------------------------------------------- stack and memo

    def push(self, thing: object) -> None:
        self.stack.append(thing)

    def pop(self) -> object:
        if not self.stack:
            raise CheckpointError(TAKES_TOO_MUCH)
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise CheckpointError(TAKES_TOO_MUCH)
        return self.stack[-1]

    def pop_2(self) -> tuple[object, object]:
        second = self.pop()
        return self.pop(), second

    def pop_3(self) -> tuple[object, object, object]:
        third = self.pop()
        return *self.pop_2(), third

    def mark(self) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        if not self.outer:
            raise CheckpointError(TAKES_TOO_MUCH)
        things, self.stack = self.stack, self.outer.pop()
        return things

    def drop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def drop_since_mark(self) -> None:
        self.since_mark()

    def put(self, index: object) -> None:
        if not isinstance(index, int) or not 0 <= index < 1 << 32:
            raise CheckpointError("the pickle is damaged: it keeps something at no place.")
        thing = self.memo[index] = self.top()
        if isinstance(thing, Call):
            self.places[id(thing)] = index

    def get(self, index: object) -> None:
        if not isinstance(index, int) or index not in self.memo:
            raise CheckpointError("the pickle is damaged: it recalls what it never kept.")
        self.push(self.memo[index])

    # ------------------------------------------------------------------------------ containers

    def push_text(self, text: object) -> None:
        self.allowance.copy(getsizeof(text))
        self.push(text)

    def append(self, things: list[object]) -> None:
        target = self.top()
        if isinstance(target, Call):
            target = target.items
        if not isinstance(target, list):
            raise CheckpointError(
                f"the pickle is damaged: it appends to something of type {kind(target)}."
            )
        target.extend(things)

    def add(self, things: list[object]) -> None:
        target = self.top()
        if not isinstance(target, set):
            raise CheckpointError(
                f"the pickle is damaged: it adds members to something of type {kind(target)}."
            )
        target.update(as_keys(things, self.allowance))

    def set_entries(self, things: Sequence[object]) -> None:
        """Put keys and values, which take turns, into what is on top of the stack."""
        target = self.top()
        if len(things) % 2:
            raise CheckpointError("the pickle is damaged: it sets a key without a value.")
        keys, values = things[::2], things[1::2]
        if isinstance(target, Call):
            target.entries.extend(zip(keys, values, strict=True))
        elif isinstance(target, dict):
            target.update(zip(as_keys(keys, self.allowance), values, strict=True))
        else:
            raise CheckpointError(
                f"the pickle is damaged: it sets keys of something of type {kind(target)}."
            )

    def push_dict(self, things: list[object]) -> None:
        self.push({})
        self.set_entries(things)

    # ------------------------------------------------------------------------- names and calls

    def push_name(self, names: object) -> None:
        match names:
            case (str() as module, str() as name):
                found = modern(module, name)
            case _:
                raise CheckpointError("the pickle is damaged: it looks up what is no name.")
        if not is_known(found):
            raise CheckpointError(
                f"the file names {str(found)[:160]!r}, which no checkpoint of a generator needs; "
                f"{COULD_RUN_CODE}"
            )
        self.push(found)

    def call(self, function: object, args: object, kwargs: object) -> None:
        if not isinstance(function, Global):
            raise CheckpointError(
                f"the pickle calls something of type {kind(function)}; {COULD_RUN_CODE}"
            )
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise CheckpointError(f"the pickle is damaged: it calls {function} with no arguments.")
        self.push(self.meaning(Call(function, args, kwargs)))

    def build(self) -> None:
        """Set the state of a call's result. What plain things have for attributes is ignored."""
        target, state = self.pop_2()
        if isinstance(target, Call):
            if target.state is not None:
                raise CheckpointError(f"the pickle sets the state of a {target.function} twice.")
            target.state = state
            made = self.meaning(target)
            if made is not target and id(target) in self.places:
                self.memo[self.places[id(target)]] = made
            target = made
        self.push(target)

    def meaning(self, call: Call) -> object:
        maker = self.makers.get(call.function)
        return maker(call, self.allowance) if maker else call

    def push_persistent(self, reference: object) -> None:
        if self.persistent is None:
            raise CheckpointError("the pickle refers to things outside of it; they are not there.")
        self.push(self.persistent(reference))


Step = Callable[[Machine, object], None]

STEPS: Mapping[str, Step] = {
    "PROTO": lambda machine, _: None,
    "FRAME": lambda machine, _: None,
    # the stack and the memo
    "MARK": lambda machine, _: machine.mark(),
    "POP": lambda machine, _: machine.drop(),
    "POP_MARK": lambda machine, _: machine.drop_since_mark(),
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": lambda machine, _: machine.put(len(machine.memo)),
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    # numbers, texts, bytes
    "NONE": Machine.push,
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "INT": Machine.push,
    "LONG": Machine.push,
    "LONG1": Machine.push,
    "LONG4": Machine.push,
    "BININT": Machine.push,
    "BININT1": Machine.push,
    "BININT2": Machine.push,
    "FLOAT": Machine.push,
    "BINFLOAT": Machine.push,
    "STRING": Machine.push_text,
    "BINSTRING": Machine.push_text,
    "SHORT_BINSTRING": Machine.push_text,
    "UNICODE": Machine.push_text,
    "SHORT_BINUNICODE": Machine.push_text,
    "BINUNICODE": Machine.push_text,
    "BINUNICODE8": Machine.push_text,
    "SHORT_BINBYTES": Machine.push,
    "BINBYTES": Machine.push,
    "BINBYTES8": Machine.push,
    "BYTEARRAY8": Machine.push,
    # containers
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "TUPLE1": lambda machine, _: machine.push((machine.pop(),)),
    "TUPLE2": lambda machine, _: machine.push(machine.pop_2()),
    "TUPLE3": lambda machine, _: machine.push(machine.pop_3()),
    "DICT": lambda machine, _: machine.push_dict(machine.since_mark()),
    "FROZENSET": lambda machine, _: machine.push(
        frozenset(as_keys(machine.since_mark(), machine.allowance))
    ),
    "APPEND": lambda machine, _: machine.append([machine.pop()]),
    "APPENDS": lambda machine, _: machine.append(machine.since_mark()),
    "ADDITEMS": lambda machine, _: machine.add(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.set_entries(machine.pop_2()),
    "SETITEMS": lambda machine, _: machine.set_entries(machine.since_mark()),
    # names and calls
    "GLOBAL": Machine.push_name,
    "STACK_GLOBAL": lambda machine, _: machine.push_name(machine.pop_2()),
    "REDUCE": lambda machine, _: machine.call(*machine.pop_2(), {}),
    "NEWOBJ": lambda machine, _: machine.call(*machine.pop_2(), {}),
    "NEWOBJ_EX": lambda machine, _: machine.call(*machine.pop_3()),
    "BUILD": lambda machine, _: machine.build(),
    "BINPERSID": lambda machine, _: machine.push_persistent(machine.pop()),
}
"""What each instruction does with the machine and its argument. Others are refused by name."""

INSTRUCTIONS = [
    (READERS.get(NAMES[code]), STEPS[NAMES[code]]) if NAMES.get(code) in STEPS else None
    for code in range(256)
]
