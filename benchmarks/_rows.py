"""Measurements that outlive the process: a line of JSON for every test, in a file for every way.

The first line says what was measured, and with which weights and options. Where that is no longer
what is asked for, the file begins anew; else measuring goes on after its last whole line.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def measured(path: Path, settings: Row, tests: int, measure: Callable[[int], Row]) -> list[Row]:
    """The rows of so many tests; those that the file lacks are measured, and appended to it."""
    rows = read(path, settings)
    if rows is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"settings": settings}) + "\n")
        rows = []
    with path.open("a") as file:
        for test in range(len(rows), tests):
            rows.append({"test": test, **measure(test)})
            file.write(json.dumps(rows[-1]) + "\n")
            file.flush()
    return rows[:tests]


def read(path: Path, settings: Row) -> list[Row] | None:
    """The whole rows of a file, or None if there is none, or it is of other settings."""
    if not path.is_file():
        return None
    lines = path.read_text().split("\n")
    if lines[-1]:  # broken off in the middle of a row
        path.write_text("\n".join([*lines[:-1], ""]))
    try:
        head, *rows = [json.loads(line) for line in lines[:-1]]
    except ValueError:
        return None
    return rows if head == {"settings": json.loads(json.dumps(settings))} else None
