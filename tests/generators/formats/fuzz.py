"""Fuzzes the reading of checkpoints, for minutes or hours, guided by coverage.

    pip install -e '.[fuzz]' -c constraints.txt
    nice -n 19 python -m tests.generators.formats.fuzz --seconds 3600 --report runs/fuzz.json

Whatever the bytes of a file, reading it must end in a generator or in a `CheckpointError`. This
begins with a valid file of every kind, and changes, joins and cuts their bytes and instructions;
what reaches new code stays in ``--corpus``, for the next time. Counted as a failure, and kept in
``--failures``:

- any other exception, also warnings from torch and numpy
- any file that takes longer than 20 s, or more than 1 GiB of memory beyond the start

A failing file can be read again with ``--again FILE``. The report is written every few seconds and
at the end: JSON with seconds, executions, how many of them ended in a generator and how many in an
error, failures by kind, and the memory in MiB that the process had at first and at most.
"""

import argparse
import contextlib
import io
import itertools
import json
import os
import pickletools
import random
import struct
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from nbdrag.generators.config import StyleGAN2Config
from nbdrag.generators.errors import CheckpointError

SLOWEST = 20  # s
MEMORY = 1024  # MiB beyond the start
LONGEST = 1 << 16  # bytes
PERIOD = 5  # s between reports
KINDS = {70: "too slow", 71: "out of memory", 77: "exceptions"}  # libFuzzer's exit codes
SMALLEST = StyleGAN2Config(
    resolution=4, z_dim=1, w_dim=1, mapping_layers=1, channel_base=4, channel_max=1
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--report", type=Path, default=Path("runs/fuzz.json"))
    parser.add_argument("--corpus", type=Path, default=Path("runs/fuzz/corpus"))
    parser.add_argument("--failures", type=Path, default=Path("runs/fuzz/failures"))
    parser.add_argument("--again", type=Path, metavar="FILE")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.again:
        print(read_whole(options.again.read_bytes()))
        return 0
    if options.worker:
        work(options)
    return supervise(options)


# ------------------------------------------------------------------------- the process that watches


def supervise(options: argparse.Namespace) -> int:
    """Run workers one after another, as each failure ends one, and sum up what they report."""
    from tests.generators.formats.corpus import write_corpus

    options.corpus.mkdir(parents=True, exist_ok=True)
    options.failures.mkdir(parents=True, exist_ok=True)
    options.report.parent.mkdir(parents=True, exist_ok=True)
    list(write_corpus(options.corpus, SMALLEST))
    (options.corpus.parent / "words").write_text("\n".join(words()))
    start = time.monotonic()
    past: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    while (left := options.seconds - (time.monotonic() - start)) > 1:
        notes = options.failures / f"worker{len(past)}"
        log = options.failures / f"worker{len(past)}.log"
        command = [sys.executable, "-m", "tests.generators.formats.fuzz", "--seconds", str(left)]
        command += ["--corpus", str(options.corpus), "--failures", str(options.failures)]
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, "--worker", str(notes)], stdout=output, stderr=subprocess.STDOUT
            )
            while process.poll() is None:
                time.sleep(0.2)
                write_report(options, start, [*past, noted(notes)], failures)
        past.append(noted(notes))
        if process.returncode:
            kind = KINDS.get(process.returncode, f"exit {process.returncode}")
            failures.append({"kind": kind, "log": str(log)})
        write_report(options, start, past, failures)
        if not past[-1] and len(past) > 2:
            print(f"workers don't start; see {log}")
            return 1
    print(options.report.read_text())
    return 1 if failures else 0


def noted(notes: Path) -> dict[str, Any]:
    return json.loads(notes.read_text()) if notes.exists() else {}


def write_report(
    options: argparse.Namespace,
    start: float,
    workers: list[dict[str, Any]],
    failures: list[dict[str, str]],
) -> None:
    def total(name: str) -> int:
        return sum(worker.get(name, 0) for worker in workers)

    kinds = [failure["kind"] for failure in failures]
    report = {
        "seconds": round(time.monotonic() - start, 1),
        "executions": total("generators") + total("errors"),
        "generators": total("generators"),
        "errors": total("errors"),
        "crashes": len(failures),
        "kinds": {kind: kinds.count(kind) for kind in sorted(set(kinds))},
        "failures": failures,
        "memory at first": workers[0].get("memory at first"),
        "memory at most": max((w.get("memory at most", 0) for w in workers), default=0),
        "slowest execution": max((w.get("slowest execution", 0) for w in workers), default=0),
        "files in corpus": sum(1 for _ in options.corpus.iterdir()),
    }
    replace(options.report, report)


def replace(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2) + "\n")
    part.replace(path)


def words() -> list[str]:
    """What files are made of, for libFuzzer to put in."""
    from nbdrag.generators.formats.names import GLOBALS

    found = [f"c{name.module}\n{name.name}\n".encode() for name in sorted(GLOBALS, key=str)]
    for texts in ({name.module for name in GLOBALS}, {name.name for name in GLOBALS}):
        found += [b"\x8c" + bytes([len(text)]) + text.encode() for text in sorted(texts)]
    found += [
        b"\x80\x02",
        b"\x80\x04",
        b"storage",
        b"latin1",
        b"PK\x03\x04",
        b"PK\x01\x02",
        b"PK\x05\x06",
    ]
    return ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in found]


# --------------------------------------------------------------------------- the process that works


def work(options: argparse.Namespace) -> None:
    """Fuzz until the time is over; libFuzzer ends the process at the first failure."""
    import atheris
    import torch  # before the hooks: only our own code is to guide

    assert isinstance(torch, ModuleType)
    with atheris.instrument_imports(include=["nbdrag.generators.formats"]):
        import nbdrag.generators.formats

        assert nbdrag.generators.formats
    warnings.simplefilter("error")
    valid = [path.read_bytes() for path in sorted(options.corpus.iterdir()) if path.suffix]
    start = written = time.monotonic()
    counts: dict[str, Any] = {"generators": 0, "errors": 0, "slowest execution": 0.0}
    for data in valid:  # what torch imports and prepares when it is first used
        read_whole(data)
    counts["memory at first"] = memory("VmRSS")

    def note() -> None:
        replace(options.worker, {**counts, "memory at most": memory("VmHWM")})

    def once(data: bytes) -> None:
        nonlocal written
        before = time.monotonic()
        try:
            counts["generators" if read_whole(data) == "a generator" else "errors"] += 1
        except BaseException:
            note()
            raise
        now = time.monotonic()
        counts["slowest execution"] = max(counts["slowest execution"], round(now - before, 3))
        if now - written > PERIOD:
            written = now
            note()
        if now - start > options.seconds:
            note()
            os._exit(0)

    note()

    def mutate(data: bytes, longest: int) -> bytes:
        # atheris.Mutate itself says that it can't yet, in atheris 3.0
        from atheris.core_with_libfuzzer import Mutate

        return Mutate(data, longest)

    arguments = [
        sys.argv[0],
        str(options.corpus),
        f"-dict={options.corpus.parent / 'words'}",
        f"-artifact_prefix={options.failures}/",
        f"-timeout={SLOWEST}",
        f"-rss_limit_mb={counts['memory at first'] + MEMORY}",
        f"-max_len={LONGEST}",
        "-len_control=0",
        "-print_final_stats=1",
    ]
    atheris.Setup(arguments, once, custom_mutator=partial(mutated, mutate, valid))
    atheris.Fuzz()


def read_whole(data: bytes) -> str:
    """Read a file's bytes as far as to a generator; say how it ended."""
    from nbdrag.generators import checkpoint
    from nbdrag.generators.formats import recognise
    from nbdrag.generators.formats.torchfile import read_bytes

    path = Path("x")
    try:
        found = recognise(read_bytes(memoryview(bytearray(data))))
        checkpoint.account_for(path, found)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of weights that are not finite
            checkpoint.check_values(path, found)
            checkpoint.build(path, found)
    except CheckpointError as error:
        return str(error)
    return "a generator"


# ------------------------------------------------------------------------ changes that make sense

Mutate = Callable[[bytes, int], bytes]


def mutated(mutate: Mutate, valid: list[bytes], data: bytes, longest: int, seed: int) -> bytes:
    """Change a file: mostly instructions of its pickles, sometimes any bytes.

    Half of the time it is a valid file instead, to get further than the first error.
    """
    rng = random.Random(seed)
    if rng.random() < 0.5:
        data = rng.choice(valid)
    if rng.random() < 0.3:
        return mutate(data, longest)
    with contextlib.suppress(Exception):  # it may be no zip any more
        if data.startswith(b"PK"):
            return with_member_changed(mutate, data, rng)[:longest]
    return with_instructions_changed(mutate, data, rng)[:longest]


def with_member_changed(mutate: Mutate, data: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as old:
        members = {info.filename: data_of(data, info) for info in old.infolist()}
    pickles = [name for name in members if name.endswith(".pkl")]
    name = rng.choice(pickles if pickles and rng.random() < 0.8 else list(members))
    members[name] = with_instructions_changed(mutate, members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, content in members.items():
            new.writestr(name, content)
    return out.getvalue()


def data_of(data: bytes, info: zipfile.ZipInfo) -> bytes:
    """A stored member, whatever its checksum."""
    lengths = struct.unpack_from("<2H", data, info.header_offset + 26)
    start = info.header_offset + 30 + sum(lengths)
    return data[start : start + info.file_size]


def with_instructions_changed(mutate: Mutate, data: bytes, rng: random.Random) -> bytes:
    """Take out, double, move, replace or bend some instructions of the pickles in `data`."""
    pieces = instructions(data)
    for _ in range(rng.choice([1, 1, 1, 2, 3, 8])):
        i, j = rng.randrange(len(pieces)), rng.randrange(len(pieces))
        match rng.randrange(6):
            case 0:
                pieces[i : i + rng.choice([1, 1, 2, 5])] = [b""]
            case 1:
                pieces.insert(i, pieces[j])
            case 2:
                pieces[i], pieces[j] = pieces[j], pieces[i]
            case 3:
                pieces[i] = pieces[j]
            case 4:
                pieces[i] = mutate(pieces[i] or b".", len(pieces[i]) + 8)
            case 5:
                pieces[i] = rng.choice(SIMPLE)
    return b"".join(pieces)


SIMPLE = [o.code.encode("latin-1") for o in pickletools.opcodes if o.arg is None]


def instructions(data: bytes) -> list[bytes]:
    """Split a file into the instructions of the pickles that it begins with, and the rest."""
    starts = [0]
    file = io.BytesIO(data)
    with contextlib.suppress(Exception):
        while True:
            begun = file.tell()
            starts += [position for _, _, position in pickletools.genops(file) if position > begun]
            starts.append(file.tell())
    bounds = sorted({*starts, len(data)})
    return [data[a:b] for a, b in itertools.pairwise(bounds)] or [b""]


def memory(field: str) -> int:
    """A field of this process' status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) >> 10


if __name__ == "__main__":
    sys.exit(main())
