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

import pickletools
import reprlib
import struct
from collections.abc import Callable, Mapping
from typing import NoReturn

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats.names import PLAIN, is_known, modern
from nbdrag.generators.formats.records import Allowance, Call, Global, Makers, as_keys, kind

__all__ = ["Allowance", "Call", "Global", "read_pickle"]

NEWEST = 5  # protocol
LONGEST_TEXT = 64 << 20  # bytes of one text
LONGEST_NUMBER = 32  # bytes of a whole number, or digits
IN_PLACE = 512  # from this length on, byte strings are not copied


def read_pickle(
    data: bytes | bytearray | memoryview,
    *,
    persistent: Callable[[object], object] | None = None,
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
    persistent: Callable[[object], object] | None = None,
    makers: Makers | None = None,
    allowance: Allowance | None = None,
) -> tuple[object, int]:
    """Read the pickle that begins at `start`; give it, and where it ends. See `read_pickle`."""
    source = Source(memoryview(data).cast("B"), start)
    allowance = allowance or Allowance.of_file(len(source.data))
    found = Machine(source, persistent, {**PLAIN, **(makers or {})}, allowance).run()
    return found, source.position


class Machine:
    """Carries out the instructions of one pickle.

    Attributes
    ----------
    source : Source
        What is left of the data.
    stack : list
        What was made since the last mark.
    outer : list of list
        The stacks below the marks, innermost last.
    memo : dict of int to object
    """

    def __init__(
        self,
        source: Source,
        persistent: Callable[[object], object] | None,
        makers: Makers,
        allowance: Allowance,
    ) -> None:
        self.source = source
        self.persistent = persistent
        self.makers = makers
        self.allowance = allowance
        self.stack: list[object] = []
        self.outer: list[list[object]] = []
        self.memo: dict[int, object] = {}
        self.remembered: dict[int, int] = {}  # id of a call -> where it is in the memo

    def run(self) -> object:
        """Carry out instructions up to STOP, and give what is then on top of the stack."""
        source, allowance = self.source, self.allowance
        while True:
            allowance.steps -= 1
            if allowance.steps < 0:
                raise CheckpointError("the file takes more steps to read than any checkpoint.")
            code = source.read(1)
            if not code:
                raise CheckpointError("the pickle ends early; the file is cut off or damaged.")
            if code == b".":
                return self.pop()
            instruction = INSTRUCTIONS.get(code)
            if instruction is None:
                refuse_instruction(code)
            read, step = instruction
            try:
                argument = read(source) if read else None
            except (ValueError, struct.error) as error:
                if isinstance(error, CheckpointError):
                    raise
                raise CheckpointError(
                    f"the pickle is damaged: {reprlib.repr(str(error))}."
                ) from None
            step(self, argument)

    # ------------------------------------------------------------------------------- the stack

    def push(self, thing: object) -> None:
        self.stack.append(thing)

    def pop(self) -> object:
        if not self.stack:
            raise CheckpointError("the pickle is damaged: it takes more than it has.")
        return self.stack.pop()

    def top(self) -> object:
        if not self.stack:
            raise CheckpointError("the pickle is damaged: it takes more than it has.")
        return self.stack[-1]

    def mark(self, _: object) -> None:
        self.outer.append(self.stack)
        self.stack = []

    def since_mark(self) -> list[object]:
        if not self.outer:
            raise CheckpointError("the pickle is damaged: it takes more than it has.")
        things, self.stack = self.stack, self.outer.pop()
        return things

    def drop(self, _: object) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.since_mark()

    def drop_since_mark(self, _: object) -> None:
        self.since_mark()

    # ---------------------------------------------------------------------- plain Python's things

    def constant(self, argument: object) -> None:
        self.push(argument)

    def text(self, argument: object) -> None:
        self.allowance.copy(len(str(argument)))
        self.push(argument)

    def none(self, _: object) -> None:
        self.push(None)

    def true(self, _: object) -> None:
        self.push(True)

    def false(self, _: object) -> None:
        self.push(False)

    def empty_list(self, _: object) -> None:
        self.push([])

    def empty_tuple(self, _: object) -> None:
        self.push(())

    def empty_dict(self, _: object) -> None:
        self.push({})

    def empty_set(self, _: object) -> None:
        self.push(set())

    def list_since_mark(self, _: object) -> None:
        self.push(self.since_mark())

    def tuple_since_mark(self, _: object) -> None:
        self.push(tuple(self.since_mark()))

    def tuple_of_1(self, _: object) -> None:
        self.push((self.pop(),))

    def tuple_of_2(self, _: object) -> None:
        second = self.pop()
        self.push((self.pop(), second))

    def tuple_of_3(self, _: object) -> None:
        third, second = self.pop(), self.pop()
        self.push((self.pop(), second, third))

    def frozenset_since_mark(self, _: object) -> None:
        self.push(frozenset(as_keys(self.since_mark(), self.allowance)))

    def dict_since_mark(self, _: object) -> None:
        things = self.since_mark()
        self.push({})
        self.set_entries(things)

    def append(self, _: object) -> None:
        self.extend([self.pop()])

    def appends(self, _: object) -> None:
        self.extend(self.since_mark())

    def extend(self, things: list[object]) -> None:
        target = self.top()
        if isinstance(target, Call):
            target = target.items
        if not isinstance(target, list):
            raise CheckpointError(f"the pickle is damaged: it appends to a {kind(target)}.")
        target.extend(things)

    def add_items(self, _: object) -> None:
        things = self.since_mark()
        target = self.top()
        if not isinstance(target, set):
            raise CheckpointError(f"the pickle is damaged: it adds members to a {kind(target)}.")
        target.update(as_keys(things, self.allowance))

    def set_item(self, _: object) -> None:
        value, key = self.pop(), self.pop()
        self.set_entries([key, value])

    def set_items(self, _: object) -> None:
        self.set_entries(self.since_mark())

    def set_entries(self, things: list[object]) -> None:
        """Put keys and values, which take turns, into the dict or call on top of the stack."""
        target = self.top()
        if len(things) % 2:
            raise CheckpointError("the pickle is damaged: it sets a key without a value.")
        if isinstance(target, Call):
            target.entries.extend(zip(things[::2], things[1::2], strict=True))
        elif isinstance(target, dict):
            target.update(zip(as_keys(things[::2], self.allowance), things[1::2], strict=True))
        else:
            raise CheckpointError(f"the pickle is damaged: it sets keys of a {kind(target)}.")

    # ----------------------------------------------------------------------------------- the memo

    def put(self, argument: object) -> None:
        self.remember(argument)

    def memoize(self, _: object) -> None:
        self.remember(len(self.memo))

    def remember(self, index: object) -> None:
        if not isinstance(index, int) or not 0 <= index < 1 << 32:
            raise CheckpointError("the pickle is damaged: it remembers something at no place.")
        thing = self.memo[index] = self.top()
        if isinstance(thing, Call):
            self.remembered[id(thing)] = index

    def get(self, argument: object) -> None:
        if argument not in self.memo:
            raise CheckpointError("the pickle is damaged: it recalls what it never kept.")
        self.push(self.memo[argument])

    # ---------------------------------------------------------------------------- names and calls

    def name_in_line(self, argument: object) -> None:
        module, _, name = str(argument).partition(" ")
        self.push(self.named(module, name))

    def name_on_stack(self, _: object) -> None:
        name, module = self.pop(), self.pop()
        self.push(self.named(module, name))

    def named(self, module: object, name: object) -> Global:
        found = modern(module, name)
        if found is None or not is_known(found):
            raise CheckpointError(
                f"the file names {reprlib.repr(module)[1:-1]}.{reprlib.repr(name)[1:-1]}, which no "
                f"checkpoint of a generator needs; loading it the usual way could run code. It was "
                f"not loaded."
            )
        return found

    def reduce(self, _: object) -> None:
        args = self.pop()
        self.call(self.pop(), args, {})

    def new_object(self, _: object) -> None:
        args = self.pop()
        self.call(self.pop(), args, {})

    def new_object_with_keywords(self, _: object) -> None:
        kwargs, args = self.pop(), self.pop()
        self.call(self.pop(), args, kwargs)

    def call(self, function: object, args: object, kwargs: object) -> None:
        if not isinstance(function, Global):
            raise CheckpointError(
                f"the file calls a {kind(function)}, where only known functions and classes may "
                f"stand; loading it the usual way could run code. It was not loaded."
            )
        if not isinstance(args, tuple) or not isinstance(kwargs, dict):
            raise CheckpointError(f"the pickle is damaged: it calls {function} with no arguments.")
        self.push(self.made(Call(function, args, dict(kwargs))))

    def build(self, _: object) -> None:
        state = self.pop()
        target = self.pop()
        if isinstance(target, Call):
            if target.state is not None:
                raise CheckpointError(f"the pickle sets the state of a {target.function} twice.")
            target.state = state
            made = self.made(target)
            if made is not target and id(target) in self.remembered:
                self.memo[self.remembered[id(target)]] = made
            target = made
        self.push(target)  # what plain things have for attributes is nothing to us

    def made(self, call: Call) -> object:
        """Give what a call means, if there is a maker for it."""
        maker = self.makers.get(call.function)
        return maker(call, self.allowance) if maker else call

    def persistent_id(self, _: object) -> None:
        if self.persistent is None:
            raise CheckpointError("the pickle refers to things outside of it; they are not there.")
        self.push(self.persistent(self.pop()))


def refuse_instruction(code: bytes) -> NoReturn:
    """Say which instruction it is that isn't carried out."""
    names = [opcode.name for opcode in pickletools.opcodes if opcode.code == code.decode("latin-1")]
    if not names:
        raise CheckpointError(f"the pickle is damaged: there is no instruction {code!r}.")
    raise CheckpointError(
        f"the pickle uses the instruction {names[0]}, which no checkpoint needs; loading it the "
        f"usual way could run code. It was not loaded."
    )


# ------------------------------------------------------------------------- the bytes of a pickle


class Source:
    """What is left of a pickle, in the manner of a file; it never gives more than there is."""

    def __init__(self, data: memoryview, position: int) -> None:
        self.data = data
        self.position = position

    def read(self, size: int) -> bytes:
        found = self.data[self.position : self.position + size].tobytes()
        self.position += len(found)
        return found

    def view(self, size: int) -> memoryview:
        found = self.data[self.position : self.position + size]
        if len(found) < size:
            raise CheckpointError(
                f"the file declares {size:,} bytes where {len(found):,} are left; it is cut off or "
                f"damaged."
            )
        self.position += size
        return found

    def readline(self) -> bytes:
        return self.line(LONGEST_TEXT)

    def line(self, most: int) -> bytes:
        """Read to the end of the line, which must come within `most` bytes."""
        size = min(256, most)
        while True:
            chunk = self.data[self.position : self.position + size].tobytes()
            end = chunk.find(b"\n") + 1
            if end or len(chunk) < size or size == most:
                break
            size = min(4 * size, most)
        if not end:
            raise CheckpointError("the pickle is damaged: it has a line without an end.")
        self.position += end
        return chunk[:end]


Reader = Callable[[Source], object]


def instruction_reader(name: str) -> Reader | None:
    """How Python's own tables say that an instruction's argument is read."""
    argument = OPCODES[name].arg
    return argument.reader if argument else None  # type: ignore[return-value]


def sized(width: int, convert: Callable[[memoryview], object], most: int | None = None) -> Reader:
    """Read something after its length, which is a number of `width` bytes."""

    def read(source: Source) -> object:
        size = int.from_bytes(source.view(width), "little")
        if most is not None and size > most:
            raise CheckpointError(
                f"the file declares {size:,} bytes for a text or a number; no checkpoint has such."
            )
        return convert(source.view(size))

    return read


def raw(view: memoryview) -> object:
    return view.tobytes() if len(view) < IN_PLACE else view


def integer(view: memoryview) -> int:
    return int.from_bytes(view, "little", signed=True)


def utf8(view: memoryview) -> str:
    return str(view, "utf-8", "surrogatepass")


def latin1(view: memoryview) -> str:
    return str(view, "latin-1")


def decimal(source: Source) -> object:
    """Read a whole number in digits; 00 and 01 are False and True."""
    line = source.line(LONGEST_NUMBER)[:-1]
    if line in (b"00", b"01"):
        return line == b"01"
    return int(line.removesuffix(b"L"))


def protocol(source: Source) -> None:
    """Read the protocol's number."""
    (number,) = source.view(1)
    if number > NEWEST:
        raise CheckpointError(
            f"the pickle is of protocol {number}; those up to {NEWEST} are supported."
        )


OPCODES = {opcode.name: opcode for opcode in pickletools.opcodes}

OWN_READERS: Mapping[str, Reader] = {
    "PROTO": protocol,
    "INT": decimal,
    "LONG": decimal,
    "GET": decimal,
    "PUT": decimal,
    "LONG1": sized(1, integer, LONGEST_NUMBER),
    "LONG4": sized(4, integer, LONGEST_NUMBER),
    "SHORT_BINUNICODE": sized(1, utf8),
    "BINUNICODE": sized(4, utf8, LONGEST_TEXT),
    "BINUNICODE8": sized(8, utf8, LONGEST_TEXT),
    "SHORT_BINSTRING": sized(1, latin1),
    "BINSTRING": sized(4, latin1, LONGEST_TEXT),
    "SHORT_BINBYTES": sized(1, raw),
    "BINBYTES": sized(4, raw),
    "BINBYTES8": sized(8, raw),
    "BYTEARRAY8": sized(8, raw),
}
"""How arguments are read whose lengths must be checked, or that are not copied."""


def nothing(_machine: Machine, _argument: object) -> None:
    """Do nothing: protocol numbers and frames are no concern here."""


STEPS: Mapping[str, Callable[[Machine, object], None]] = {
    "PROTO": nothing,
    "FRAME": nothing,
    "MARK": Machine.mark,
    "POP": Machine.drop,
    "POP_MARK": Machine.drop_since_mark,
    "NONE": Machine.none,
    "NEWTRUE": Machine.true,
    "NEWFALSE": Machine.false,
    "INT": Machine.constant,
    "LONG": Machine.constant,
    "LONG1": Machine.constant,
    "LONG4": Machine.constant,
    "BININT": Machine.constant,
    "BININT1": Machine.constant,
    "BININT2": Machine.constant,
    "FLOAT": Machine.constant,
    "BINFLOAT": Machine.constant,
    "STRING": Machine.text,
    "BINSTRING": Machine.text,
    "SHORT_BINSTRING": Machine.text,
    "UNICODE": Machine.text,
    "BINUNICODE": Machine.text,
    "SHORT_BINUNICODE": Machine.text,
    "BINUNICODE8": Machine.text,
    "BINBYTES": Machine.constant,
    "SHORT_BINBYTES": Machine.constant,
    "BINBYTES8": Machine.constant,
    "BYTEARRAY8": Machine.constant,
    "EMPTY_LIST": Machine.empty_list,
    "LIST": Machine.list_since_mark,
    "APPEND": Machine.append,
    "APPENDS": Machine.appends,
    "EMPTY_TUPLE": Machine.empty_tuple,
    "TUPLE": Machine.tuple_since_mark,
    "TUPLE1": Machine.tuple_of_1,
    "TUPLE2": Machine.tuple_of_2,
    "TUPLE3": Machine.tuple_of_3,
    "EMPTY_DICT": Machine.empty_dict,
    "DICT": Machine.dict_since_mark,
    "SETITEM": Machine.set_item,
    "SETITEMS": Machine.set_items,
    "EMPTY_SET": Machine.empty_set,
    "ADDITEMS": Machine.add_items,
    "FROZENSET": Machine.frozenset_since_mark,
    "PUT": Machine.put,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "MEMOIZE": Machine.memoize,
    "GET": Machine.get,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
    "GLOBAL": Machine.name_in_line,
    "STACK_GLOBAL": Machine.name_on_stack,
    "REDUCE": Machine.reduce,
    "NEWOBJ": Machine.new_object,
    "NEWOBJ_EX": Machine.new_object_with_keywords,
    "BUILD": Machine.build,
    "BINPERSID": Machine.persistent_id,
}
"""What is done for each instruction. Those that aren't here are refused by name."""

INSTRUCTIONS = {
    OPCODES[name].code.encode("latin-1"): (OWN_READERS.get(name) or instruction_reader(name), step)
    for name, step in STEPS.items()
}
