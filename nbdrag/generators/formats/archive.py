"""Zip archives whose entries are stored as they are: where in the file each of them lies.

Torch's archives are such. Nothing is unpacked, so no entry can be larger than the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nbdrag.generators.errors import CheckpointError

MOST_ENTRIES = 1 << 17
LONGEST_NAME = 1024
STORED = 0

END = struct.Struct("<4s4H2LH")
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
CENTRAL = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")

CUT_OFF = "the archive is cut off or damaged; fetch it anew."


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a file lies in an archive: `size` bytes, after the header at `header`."""

    header: int
    size: int
    stored: bool


def entries(data: memoryview) -> dict[str, Entry]:
    """List the files in an archive.

    Raises
    ------
    CheckpointError
        If it is damaged, or lists more files than any checkpoint has.
    """
    count, position = directory(data)
    if count > MOST_ENTRIES:
        raise CheckpointError(f"the archive lists {count:,} files; no checkpoint does.")
    found = {}
    for _ in range(count):
        fields = unpack(CENTRAL, data, position, b"PK\x01\x02")
        flags, method, size, unpacked = fields[3], fields[4], fields[8], fields[9]
        name_length, extra_length, comment_length, header = *fields[10:13], fields[16]
        start = position + CENTRAL.size
        position = start + name_length + extra_length + comment_length
        if position > len(data) or name_length > LONGEST_NAME:
            raise CheckpointError(CUT_OFF)
        name = str(data[start : start + name_length], "utf-8", "replace")
        extra = data[start + name_length : start + name_length + extra_length]
        unpacked, size, header = widened(extra, [unpacked, size, header])
        stored = method == STORED and not flags & 1 and size == unpacked
        found[name] = Entry(header, size, stored)
    return found


def content(data: memoryview, name: str, entry: Entry) -> memoryview:
    """Give what is in a file of an archive, where it lies."""
    if not entry.stored:
        raise CheckpointError(
            f"the archive is compressed ({name[:80]!r} is), which torch's own are not. Unpack it, "
            f"load it with torch.load, and save it again with torch.save."
        )
    fields = unpack(LOCAL, data, entry.header, b"PK\x03\x04")
    start = entry.header + LOCAL.size + fields[9] + fields[10]
    if start + entry.size > len(data):
        raise CheckpointError(CUT_OFF)
    return data[start : start + entry.size]


def directory(data: memoryview) -> tuple[int, int]:
    """Find how many entries the archive has, and where the list of them begins."""
    tail = max(0, len(data) - END.size - 0xFFFF)
    end = data[tail:].tobytes().rfind(b"PK\x05\x06")
    if end < 0:
        raise CheckpointError(CUT_OFF)
    fields = unpack(END, data, tail + end, b"PK\x05\x06")
    count, start = fields[4], fields[6]
    locator = tail + end - END64_LOCATOR.size
    if locator >= 0 and data[locator : locator + 4].tobytes() == b"PK\x06\x07":
        fields = unpack(END64, data, END64_LOCATOR.unpack_from(data, locator)[2], b"PK\x06\x06")
        count, start = fields[7], fields[9]
    return count, start


def widened(extra: memoryview, fields: list[int]) -> list[int]:
    """Replace those of an entry's fields that need more than 32 bits."""
    position = 0
    while position + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            body = extra[position + 4 : position + 4 + length].tobytes()
            values = iter(struct.unpack(f"<{len(body) // 8}Q", body[: len(body) // 8 * 8]))
            return [next(values, f) if f == 0xFFFFFFFF else f for f in fields]
        position += 4 + length
    return fields


def unpack(
    form: struct.Struct, data: memoryview, position: int, signature: bytes
) -> tuple[int, ...]:
    """Read a record that begins with a signature."""
    if position + form.size > len(data) or data[position : position + 4].tobytes() != signature:
        raise CheckpointError(CUT_OFF)
    fields: tuple[int, ...] = form.unpack_from(data, position)
    return fields
