"""Small files that ask for gigabytes or for hours."""

import io
import pickle
import struct
import zipfile
from collections.abc import Iterator

import numpy as np
import torch

from tests.generators.formats.payloads import in_lines, text

REBUILD = in_lines("torch._utils", "_rebuild_tensor_v2")
LOAD = in_lines("torch.storage", "_load_from_bytes")


def bombs() -> Iterator[tuple[str, bytes]]:
    """Name and content of each file, one at a time."""
    yield "memo index", b"\x80\x02Nr\xff\xff\xff\x7f."
    yield "memo index in digits", b"\x80\x02Np" + b"9" * 30 + b"\n."
    yield "declared bytes", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40)
    yield "declared bytearray", b"\x80\x05\x96" + struct.pack("<Q", 1 << 62)
    yield "declared text", b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40)
    yield "declared frame", b"\x80\x04\x95" + struct.pack("<Q", 1 << 63) + b"N."
    yield "declared number", b"\x80\x02\x8b" + struct.pack("<I", 1 << 31)
    yield "long number", b"\x80\x02\x8b" + struct.pack("<I", 1 << 22) + b"\x7f" * (1 << 22) + b"."
    yield "digits", b"(L" + b"9" * (1 << 22) + b"L\n."
    yield "digits of an index", b"(g" + b"9" * (1 << 22) + b"\n."
    yield "line without end", b"(V" + b"x" * (2 << 20)
    yield "bytearray of a number", in_lines("builtins", "bytearray") + b"J\xff\xff\xff\x7f\x85R."
    yield "bytes of a number", in_lines("builtins", "bytes") + b"J\xff\xff\xff\x7f\x85R."
    yield "a list of a range", in_lines("builtins", "list") + LOAD + b"\x85R."
    yield (
        "numbers as keys",
        b"\x80\x02}("
        + b"".join(
            b"\x8a\x0a" + (i * ((1 << 61) - 1)).to_bytes(10, "little", signed=True) + b"N"
            for i in range(100_000)
        )
        + b"u.",
    )  # all of one hash
    yield (
        "tuples as keys",
        b"\x80\x02}("
        + b"".join(b"K\x01J" + struct.pack("<i", i) + b"\x86N" for i in range(100_000))
        + b"u.",
    )
    yield (
        "tuples as members",
        b"\x80\x04\x8f("
        + b"".join(b"K\x01J" + struct.pack("<i", i) + b"\x86" for i in range(100_000))
        + b"\x90.",
    )

    twice = b"q\x000h\x00h\x00\x86"
    yield "laughs", b"\x80\x02)" + 5000 * twice + b"."
    yield "laughs as a key", b"\x80\x02})" + 100 * twice + b"Ns."
    yield "laughs in lists", b"\x80\x02}" + text("w") + b"]" + 200 * b"q\x000](h\x00h\x00e" + b"s."
    yield (
        "laughs of calls",
        in_lines("argparse", "Namespace")
        + b"q\x01)R"
        + 200 * (b"q\x000h\x01)R}(" + text("a") + b"h\x00" + text("b") + b"h\x00ub")
        + b".",
    )
    yield "deep lists", b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b"."
    yield "deep tuples", b"\x80\x02)" + b"\x85" * 300_000 + b"."
    yield (
        "deep calls",
        in_lines("argparse", "Namespace") + b"q\x00)" + 100_000 * b"\x85h\x00\x85" + b".",
    )
    yield (
        "deep states",
        in_lines("argparse", "Namespace") + b"q\x00)R" + 50_000 * b"q\x010h\x00)Rh\x01b" + b".",
    )
    yield "sets", b"\x80\x04" + b"\x8f" * 5_000_000
    yield "memo", b"\x80\x04N" + b"\x94" * 5_000_000
    yield "calls", in_lines("argparse", "Namespace") + b"q\x00" + b"h\x00)R" * 2_000_000

    big = b"X" + struct.pack("<I", 16 << 20) + b"x" * (16 << 20)
    wide = b"X" + struct.pack("<I", (16 << 20) + 4) + b"x" * (16 << 20) + "\U0001f600".encode()
    yield "wide texts", b"\x80\x02" + wide * 5 + b"."
    yield (
        "encoded again",
        in_lines("_codecs", "encode")
        + b"q\x00"
        + big
        + b"q\x01"
        + (b"h\x00h\x01" + text("latin1") + b"\x86R" * 1) * 50_000
        + b".",
    )
    members = b"](" + b"".join(b"J" + struct.pack("<i", i) for i in range(300_000)) + b"eq\x01"
    yield (
        "members again",
        in_lines("builtins", "set") + b"q\x00" + members + (b"h\x00h\x01\x85R") * 100_000 + b".",
    )
    dtype = in_lines("numpy", "dtype") + text("f4") + b"\x89\x88\x87R"
    frombuffer = in_lines("numpy.core.numeric", "_frombuffer") + b"q\x00"
    numbers = b"\x96" + struct.pack("<Q", (1 << 20) + 1) + bytes((1 << 20) + 1)
    yield (
        "arrays again",
        b"\x80\x05"
        + frombuffer
        + dtype.replace(b"f4", b"b1")
        + b"q\x01"
        + (numbers + b"q\x02")
        + (b"h\x00(h\x02h\x01J" + struct.pack("<i", (1 << 20) + 1) + b"\x85" + text("C") + b"tR")
        * 100_000
        + b".",
    )

    stream = io.BytesIO()
    torch.save(torch.zeros(1 << 14).untyped_storage(), stream, _use_new_zipfile_serialization=False)
    nested = stream.getvalue()
    load = b"h\x00B" + struct.pack("<I", len(nested)) + nested + b"\x85R"
    yield (
        "loads again",
        b"\x80\x03"
        + LOAD
        + b"q\x00"
        + load.replace(b"\x85R", b"q\x01\x85R")
        + (b"h\x00h\x01\x85R" * 60_000)
        + b".",
    )
    yield "many loads", b"\x80\x03" + LOAD + b"q\x00" + load * 40 + b"."
    slow = nested[:21] + b"\x80\x02" + b"N0" * 30_000 + nested[23:]
    load = b"h\x00B" + struct.pack("<I", len(slow)) + slow + b"\x85R0"
    yield "slow loads", b"\x80\x03" + LOAD + b"q\x00" + load * 400 + b"."

    def tensor(offset: int, shape: object, strides: object) -> bytes:
        small = io.BytesIO()
        torch.save(torch.zeros(4).untyped_storage(), small, _use_new_zipfile_serialization=False)
        content = (
            b"\x80\x03" + REBUILD + b"(" + LOAD + b"B" + struct.pack("<I", len(small.getvalue()))
        )
        content += small.getvalue() + b"\x85R"
        for value in (offset, shape, strides):
            content += pickle.dumps(value, 2)[2:-1]
        return b"\x80\x02}" + text("w") + content[2:] + b"\x89NtRs."

    yield "a view that repeats", tensor(0, (1 << 30, 1 << 9), (0, 0))
    yield "a view that reaches out", tensor(0, (4, 4), (5, 1))
    yield "a view that begins outside", tensor(17, (1,), (1,))
    yield "a view that begins before", tensor(-1, (1,), (1,))
    yield "a shape that overflows", tensor(0, (1 << 62, 4), (1, 1))
    yield "a shape that overflows to none", tensor(0, (1 << 62, 0), (1, 1))
    yield "strides that overflow", tensor(0, (1, 1), (1 << 80, 1))
    yield "a negative shape", tensor(0, (-4,), (1,))
    yield "negative strides", tensor(3, (4,), (-1,))
    yield (
        "an array that overflows",
        pickle.dumps(np.zeros(4, np.float32), 4).replace(
            b"K\x04\x85", b"\x8a\x09" + (1 << 64).to_bytes(9, "little") + b"\x85"
        ),
    )

    archive = io.BytesIO()
    torch.save({"w": torch.ones(4)}, archive)
    valid = archive.getvalue()
    end = valid.rfind(b"PK\x06\x06")
    yield (
        "a list of millions of files",
        valid[: end + 24] + b"\xff\xff\xff\0" * 4 + valid[end + 40 :],
    )
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as file:
        for i in range(20_000):
            file.writestr(f"x/data/{i}", b"")
    yield "many empty files", many.getvalue()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x/data.pkl", b"\x80\x02" + bytes(20 << 20))
    yield "a packed archive", packed.getvalue()
