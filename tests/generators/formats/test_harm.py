"""Nothing that a file contains is run, whatever the trick; and no file costs much time or memory.

The proofs: payloads whose effect shows where pickles are obeyed have none here; Python's own audit
hooks see no import, compilation, execution or process while files are read; and the operating
system, asked to end a reader that takes more than its share, doesn't.
"""

import contextlib
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from nbdrag.generators.errors import CheckpointError
from nbdrag.generators.formats import read_checkpoint
from tests.generators.formats import payloads
from tests.generators.formats.bombs import bombs
from tests.generators.formats.corpus import write_corpus

TRICKS = list(payloads.live_payloads(""))


@pytest.mark.parametrize("trick", TRICKS)
def test_payloads_are_live_for_python(tmp_path, trick):
    """Else the tests below would test nothing. Each makes a file; some end with an error then."""
    canary = tmp_path / "canary"
    payload = payloads.live_payloads(str(canary))[trick]
    with contextlib.suppress(Exception):
        pickle.loads(payload)
    assert canary.exists()


@pytest.mark.parametrize("trick", TRICKS)
def test_payloads_are_dead_here_wherever_they_stand(tmp_path, trick):
    canary = tmp_path / "canary"
    payload = payloads.live_payloads(str(canary))[trick]
    for place, content in payloads.as_files(payload).items():
        (tmp_path / "x").write_bytes(content)
        with pytest.raises(CheckpointError) as raised:
            read_checkpoint(tmp_path / "x")
        assert not canary.exists(), place
        assert "could run code" in str(raised.value) or "nested" in trick, place


def guarded(folder: Path, megabytes: int, seconds: int) -> dict[str, dict]:
    """Read all files of a folder in a process of its own; see `guarded`."""
    command = [sys.executable, "-m", "tests.generators.formats.guarded"]
    done = subprocess.run(
        [*command, str(megabytes), str(seconds), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_reading_imports_compiles_and_starts_nothing(tmp_path):
    for path in list(write_corpus(tmp_path)):
        path.rename(path.with_name(f"valid {path.name}"))
    shutil.copy(tmp_path / "valid basicsr.pth", tmp_path / "0")
    canary = tmp_path.parent / "canary"
    for trick, payload in payloads.live_payloads(str(canary)).items():
        for place, content in payloads.as_files(payload).items():
            (tmp_path / f"{trick} as {place}".replace("/", " ")).write_bytes(content)
    report = guarded(tmp_path, megabytes=1000, seconds=100)
    assert {name: found["seen"] for name, found in report.items() if found["seen"]} == {}
    assert {name for name, found in report.items() if not found["error"]} == {
        name for name in report if name.startswith(("valid ", "0"))
    }
    assert not canary.exists()


def test_bombs_cost_bounded_time_and_memory(tmp_path):
    """At most some seconds; and little more memory than a small multiple of the file."""
    sizes = {}
    for name, content in bombs():
        (tmp_path / name).write_bytes(content)
        sizes[name] = len(content) >> 20
    report = guarded(tmp_path, megabytes=1500, seconds=200)
    assert report.keys() == sizes.keys()
    for name, found in report.items():
        assert found["error"].startswith(f"{name}: "), name
        assert found["memory"] < 300 + 5 * sizes[name], name
