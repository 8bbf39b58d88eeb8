"""Reads files with an eye on what that does; run by the tests as a process of its own.

    python -m tests.generators.formats.guarded MEGABYTES SECONDS FOLDER

Reads every file in a folder as a checkpoint, with limits on memory and processor time that the
operating system keeps, and prints, as JSON, for each of them the error ("" if none), the processor
time, the memory that reading took at most, in MiB, and what Python's audit hooks saw besides the
opening of the file: imports, compilations, executions, processes, other files. The first file is
read once before: torch imports some of its own modules when they are first used.
"""

import codecs
import json
import resource
import sys
import time
from pathlib import Path

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import read_checkpoint

HARMLESS = {"mmap.__new__", "object.__getattr__", "code.__new__", "builtins.id"}


def main(megabytes: int, seconds: int, folder: Path) -> None:
    files = sorted(folder.iterdir())
    read(files[0])
    for codec in ("raw-unicode-escape", "latin-1", "utf-8"):
        codecs.lookup(codec)  # Python imports each when it is first used
    seen: list[str] = []
    current: list[str] = []

    def watch(event: str, arguments: tuple) -> None:
        own = event == "open" and arguments[:1] == tuple(current)
        if current and not own and event not in HARMLESS:
            seen.append(f"{event} {str(arguments)[:200]}")

    sys.addaudithook(watch)
    limit = status("VmSize") + megabytes
    resource.setrlimit(resource.RLIMIT_AS, (limit << 20, limit << 20))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    report = {}
    for file in files:
        start = time.process_time()
        Path("/proc/self/clear_refs").write_text("5")
        before = status("VmRSS")
        seen.clear()
        current[:] = [str(file)]
        error = read(file)
        current.clear()
        report[file.name] = {
            "error": error,
            "seconds": time.process_time() - start,
            "memory": status("VmHWM") - before,
            "seen": list(seen),
        }
    print(json.dumps(report))


def read(file: Path) -> str:
    try:
        read_checkpoint(file)
    except CheckpointError as error:
        return str(error)
    return ""


def status(field: str) -> int:
    """A field of this process' status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) >> 10


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
