"""The instructions of pickles, and how their arguments are read: never more than there is.

Python's own table (`pickletools`) gives the instructions their names. Arguments are read here: a
pickle may declare a text of a terabyte, or a number of a million digits.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Callable, Mapping

from nbdrag.generators.errors import CheckpointError

NEWEST = 5  # protocol
LONGEST_TEXT = 64 << 20  # bytes of one text
LONGEST_NAME = 1024
LONGEST_NUMBER = 128  # bytes of a whole number, or digits
IN_PLACE = 512  # from this length on, byte strings are not copied

ENDS_EARLY = "the pickle ends early; the file is cut off or damaged."


class Source:
    """What is left of the bytes that hold a pickle.

    Attributes
    ----------
    data : memoryview
        All the bytes.
    position : int
        Where what is left begins.
    """

    __slots__ = ("data", "position")

    def __init__(self, data: memoryview, position: int) -> None:
        self.data = data
        self.position = position

    def take(self, size: int) -> memoryview:
        """Give the next `size` bytes, where they lie."""
        found = self.data[self.position : self.position + size]
        if len(found) < size:
            raise CheckpointError(
                f"the file declares {size:,} bytes where {len(found):,} are left; it is cut off or "
                f"damaged."
            )
        self.position += size
        return found

    def line(self, most: int) -> bytes:
        """Give the next line, without its end, which must come within `most` bytes."""
        size = min(256, most)
        while True:
            chunk = self.data[self.position : self.position + size].tobytes()
            end = chunk.find(b"\n")
            if end >= 0:
                self.position += end + 1
                return chunk[:end]
            if len(chunk) < size or size == most:
                raise CheckpointError("the pickle is damaged: it has a line without an end.")
            size = min(4 * size, most)


Reader = Callable[[Source], object]

# ------------------------------------------------------- arguments of a fixed or a declared length


def fixed(form: str) -> Reader:
    """Read a number of a fixed form, as `struct` names it."""
    compiled = struct.Struct(form)

    def read(source: Source) -> object:
        return compiled.unpack(source.take(compiled.size))[0]

    return read


def sized(width: int, convert: Callable[[memoryview], object], most: int | None = None) -> Reader:
    """Read something after its length, which is a number of `width` bytes."""

    def read(source: Source) -> object:
        size = int.from_bytes(source.take(width), "little")
        if most is not None and size > most:
            raise CheckpointError(
                f"the file declares {size:,} bytes for a text or a number; no checkpoint has such."
            )
        return convert(source.take(size))

    return read


def raw(view: memoryview) -> object:
    """Give bytes; long ones stay where they are."""
    return view.tobytes() if len(view) < IN_PLACE else view


def integer(view: memoryview) -> int:
    """Give a whole number."""
    return int.from_bytes(view, "little", signed=True)


def utf8(view: memoryview) -> str:
    """Give a text; what is none in it, halves of surrogate pairs too, is replaced."""
    return str(view, "utf-8", "replace")


def latin1(view: memoryview) -> str:
    """Give a text of Python 2's; it may have been bytes."""
    return str(view, "latin-1")


# --------------------------------------------------------------------- arguments that end in a line


def escaped(source: Source) -> str:
    """Read a text in a line; halves of surrogate pairs, which can't be printed, are replaced."""
    text = source.line(LONGEST_TEXT).decode("raw-unicode-escape")
    return text.encode("utf-8", "replace").decode("utf-8")


def quoted(source: Source) -> str:
    """Read a text of Python 2's in a line; it wrote names so."""
    line = source.line(LONGEST_TEXT).strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"'\"" or b"\\" in line:
        raise CheckpointError(
            "the pickle has texts as Python 2 wrote them in protocol 0; they are not supported."
        )
    return line[1:-1].decode("latin-1")


def decimal(source: Source) -> object:
    """Read a whole number in digits; 00 and 01 are False and True."""
    line = source.line(LONGEST_NUMBER)
    return line == b"01" if line in (b"00", b"01") else int(line.removesuffix(b"L"))


def fraction(source: Source) -> float:
    """Read a number in digits."""
    return float(source.line(LONGEST_NAME))


def two_names(source: Source) -> tuple[str, str]:
    """Read a module and a name, a line each."""
    return (
        source.line(LONGEST_NAME).decode("utf-8", "replace"),
        source.line(LONGEST_NAME).decode("utf-8", "replace"),
    )


def protocol(source: Source) -> None:
    """Read the protocol's number."""
    (number,) = source.take(1)
    if number > NEWEST:
        raise CheckpointError(
            f"the pickle is of protocol {number}; those up to {NEWEST} are supported."
        )


NAMES = {ord(opcode.code): opcode.name for opcode in pickletools.opcodes}
"""The names of the instructions, by their bytes."""

READERS: Mapping[str, Reader] = {
    "PROTO": protocol,
    "FRAME": fixed("<Q"),
    "INT": decimal,
    "LONG": decimal,
    "LONG1": sized(1, integer, LONGEST_NUMBER),
    "LONG4": sized(4, integer, LONGEST_NUMBER),
    "BININT": fixed("<i"),
    "BININT1": fixed("<B"),
    "BININT2": fixed("<H"),
    "FLOAT": fraction,
    "BINFLOAT": fixed(">d"),
    "STRING": quoted,
    "BINSTRING": sized(4, latin1, LONGEST_TEXT),
    "SHORT_BINSTRING": sized(1, latin1),
    "UNICODE": escaped,
    "SHORT_BINUNICODE": sized(1, utf8),
    "BINUNICODE": sized(4, utf8, LONGEST_TEXT),
    "BINUNICODE8": sized(8, utf8, LONGEST_TEXT),
    "SHORT_BINBYTES": sized(1, raw),
    "BINBYTES": sized(4, raw),
    "BINBYTES8": sized(8, raw),
    "BYTEARRAY8": sized(8, raw),
    "GET": decimal,
    "BINGET": fixed("<B"),
    "LONG_BINGET": fixed("<I"),
    "PUT": decimal,
    "BINPUT": fixed("<B"),
    "LONG_BINPUT": fixed("<I"),
    "GLOBAL": two_names,
}
"""How arguments are read, of those instructions that have any and are carried out."""
