"""An editor in real kernels of several versions: when its page is heard while a cell runs.

A test plays the page: it talks to the kernel over the widget's comm, as a front end does. A cell
holds the kernel until the test lets it go, so that before and after are matters of order and not
of time. Each ipykernel lies in a folder of its own, put first on the path of a kernel that shares
all else with the tests.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.connect import write_connection_file

from nbdrag.runtime.frames import OUTSTANDING, WINDOW

pytestmark = pytest.mark.kernels

VERSIONS = ["6.31.0", "7.3.0", "7.4.0"]
if sys.version_info < (3, 11):
    VERSIONS.remove("7.4.0")  # asks for a newer Python

# Which of them hear a page during a cell: the table of nbdrag.runtime.kernel, and a little more.
# A newer page names a subshell in its messages, if the kernel has such a thing.
HEARD_DURING = {
    ("blocks", "older page"): [],
    ("awaits", "older page"): ["7.4.0"],
    ("blocks", "newer page"): ["7.3.0", "7.4.0"],
    ("awaits", "newer page"): ["7.3.0", "7.4.0"],
}

# Both publish on the comm, as a cell that sets a trait does.
HOLDING_CELLS = {
    "blocks": """
editor.send({"kind": "holding"})
test.recv(1)
released = steps[-1]
""",
    "awaits": """
editor.send({"kind": "holding"})
await asyncio.get_running_loop().run_in_executor(None, test.recv, 1)
released = steps[-1]
""",
}

IMPORTS = """
import asyncio, gc, socket, threading

import ipykernel, torch

from nbdrag.generators.stylegan2 import Generator, StyleGAN2Config
from nbdrag.runtime import kernel
from nbdrag.runtime.frames import Picture
from nbdrag.widgets import drag, widget

test = socket.create_connection(("127.0.0.1", {port}))
config = StyleGAN2Config(32, z_dim=16, w_dim=16, mapping_layers=2, channel_base=512)
generator = Generator(config).eval().requires_grad_(False)
torch.set_num_threads(1)
"""

# Without tracking, a handle never arrives, so that only Stop ends the drag.
EDITOR = """
if "editor" in globals():
    editor.close()
editor = drag.DragEditor(generator, options={"tracking": False, "max_steps": 10_000})
editor.points = [[8, 8, 24, 24]]
steps, at_stop = [0], []
editor.on_step(lambda step: steps.append(step.index))


def note(_, content, buffers):
    if content["kind"] == "stop":
        at_stop.append(steps[-1])

editor.on_msg(note)  # to be called after the editor's own handler
editor.send({"kind": "made"})
"""

# Says over the test's own connection when the edit has got on.
WITNESS = """
def witness():
    test.recv(1)
    later, passed = steps[-1] + 100, threading.Event()
    editor.on_step(lambda step: step.index >= later and passed.set())
    passed.wait()
    test.sendall(b"x")

threading.Thread(target=witness, daemon=True).start()
"""

WITHOUT_REMEDY = """
from unittest.mock import patch

with (
    patch.object(widget, "free_replies", lambda comm: False),
    patch.object(kernel.SendingContext, "kept_by", lambda self, handler: handler),
):
""" + EDITOR.replace("\n", "\n    ")

LONG = 60  # seconds; only a failing test waits that long


@pytest.mark.parametrize(("cell", "kind_of_page"), HEARD_DURING)
def test_when_stop_is_heard(kernel: Kernel, cell: str, kind_of_page: str) -> None:
    page = kernel.open_page(newer=kind_of_page == "newer page")
    if kernel.version not in HEARD_DURING[cell, kind_of_page]:
        stop_after_cell(kernel, page, cell)
        return
    delays = [stop_during_cell(kernel, page, cell) for _ in range(5)]
    print("seconds until the page sees that Stop had its effect:", delays)
    assert statistics.median(delays) < 0.1


def test_what_becomes_of_it_without_remedies(kernel: Kernel) -> None:
    """7.3 needs none; 7.4 hears the page no sooner than 6.31 does."""
    page = kernel.open_page(newer=True, editor=WITHOUT_REMEDY)
    if kernel.version == "7.3.0":
        stop_during_cell(kernel, page, "blocks")
    else:
        stop_after_cell(kernel, page, "blocks")
    routed_elsewhere = kernel.version == "7.4.0"
    kernel.do(f"assert kernel.free_replies(editor.comm) is {routed_elsewhere}")


def test_an_interrupt_lets_stop_through(kernel: Kernel) -> None:
    """What a person can do where a cell isn't going to end and the page isn't heard."""
    page = kernel.open_page(newer=False)
    page.start()
    holding = page.hold("blocks")
    stop = page.tell("stop")
    page.hear_frames(4)
    kernel.process.send_signal(signal.SIGINT)
    assert kernel.finish(holding)["ename"] == "KeyboardInterrupt"
    page.hear_end(stop)


def test_the_edit_goes_on_while_nobody_is_connected(kernel: Kernel) -> None:
    page = kernel.open_page(newer=True)
    page.start()
    kernel.do(WITNESS)
    kernel.disconnect()
    kernel.leash.sendall(b"x")
    assert kernel.leash.recv(1) == b"x"
    kernel.connect()
    seen = page.frames[-1]["step"]
    page.subshell_id = kernel.subshell_id
    page.come_up()
    assert page.snapshots[-1]["running"]
    assert page.hear_frames(OUTSTANDING + 10)["step"] > seen + 100
    # One is on its way, one waits, one is being made.
    kernel.do("assert sum(type(thing) is Picture for thing in gc.get_objects()) <= 3")
    page.hear_end(page.tell("stop"))


# ------------------------------------------------------------------------------- stopping, two ways


def stop_during_cell(kernel: Kernel, page: Page, cell: str) -> float:
    """The page is heard and answered while the cell runs. Gives the seconds that Stop took."""
    page.start()
    holding = page.hold(cell)
    # More than may be under way: so acknowledgements are heard, too.
    page.hear_frames(OUTSTANDING + 10)
    sent = time.monotonic()
    stop = page.tell("stop")
    page.hear_end(stop)
    delay = time.monotonic() - sent
    kernel.release_cell()
    assert kernel.finish(holding)["status"] == "ok"
    kernel.do("assert steps[-1] - at_stop[-1] <= 1, (at_stop, steps[-1])")
    page.hear_saved()
    return delay


def stop_after_cell(kernel: Kernel, page: Page, cell: str) -> None:
    """The page isn't heard before the cell has ended; still it sees how the edit goes on."""
    page.start()
    holding = page.hold(cell)
    stop = page.tell("stop")
    first = page.hear_frames(1)
    assert page.hear_frames(WINDOW + 1)["step"] > first["step"]
    assert page.snapshots[-1]["running"]
    assert stop not in page.replies
    kernel.release_cell()
    page.hear_end(stop)
    assert kernel.finish(holding)["status"] == "ok"
    kernel.do("assert released <= at_stop[-1] >= steps[-1] - 1, (released, at_stop, steps[-1])")
    page.hear_saved()


# --------------------------------------------------------------------------------- page and kernel


class Page:
    """A page of an editor: keeps what it hears and acknowledges every fourth frame."""

    def __init__(self, kernel: Kernel, comm_id: str, subshell_id: str | None) -> None:
        self.kernel, self.comm_id, self.subshell_id = kernel, comm_id, subshell_id
        self.ids = itertools.count(1)
        self.come_up()

    def come_up(self) -> None:
        """Know nothing, say so, and be told the state."""
        self.snapshots: list[dict[str, Any]] = []
        self.replies: dict[int, dict[str, Any]] = {}
        self.frames: list[dict[str, Any]] = []  # of the edit
        self.saved: dict[str, Any] = {}  # with the notebook
        self.heard: dict[str, Any] = {}
        self.seq: int | None = None
        self.send(kind="ready")
        self.hear_until(lambda: self.snapshots and self.seq is not None)

    def start(self) -> None:
        """Start an edit, and see it."""
        start = self.tell("start")
        self.hear_until(lambda: start in self.replies and self.snapshots[-1]["running"])
        assert self.replies[start]["ok"]
        self.hear_frames(4)

    def hold(self, cell: str) -> str:
        """Have a cell run that lasts; gives the id of its request."""
        request = self.kernel.run(HOLDING_CELLS[cell])
        self.hear_until(lambda: self.heard["kind"] == "holding")
        return request

    def hear_end(self, stop: int) -> None:
        """Hear that the edit has ended, since this request asked for it."""
        self.hear_until(lambda: stop in self.replies and not self.snapshots[-1]["running"])
        assert self.replies[stop]["ok"]
        assert self.snapshots[-1]["status"]["text"].startswith("Stopped after")

    def hear_saved(self) -> None:
        """Hear that the notebook file will show what the page shows."""
        self.hear_until(lambda: self.saved == self.snapshots[-1])

    def hear_frames(self, count: int) -> dict[str, Any]:
        """Hear so many more frames; gives the last."""
        for _ in range(count):
            self.hear()
            self.hear_until(lambda: self.heard["kind"] == "frame" and not self.heard["final"])
        return self.heard

    def tell(self, kind: str) -> int:
        """Ask for something; gives the id of the request."""
        number = next(self.ids)
        self.send(kind=kind, id=number)
        return number

    def send(self, **content: Any) -> None:
        data = {"method": "custom", "content": content}
        session = self.kernel.client.session
        message = session.msg("comm_msg", {"comm_id": self.comm_id, "data": data})
        if self.subshell_id:
            message["header"]["subshell_id"] = self.subshell_id
        self.kernel.client.shell_channel.send(message)

    def hear_until(self, satisfied: Callable[[], object]) -> None:
        while not satisfied():
            self.hear()

    def hear(self) -> None:
        message = self.kernel.hear_comm()
        data = message["content"]["data"]
        if message["content"]["comm_id"] != self.comm_id:
            return  # an earlier editor's, say
        if data["method"] == "update":
            self.saved = data["state"].get("saved", self.saved)
            return
        self.heard = data["content"]
        if self.heard["kind"] == "snapshot":
            self.snapshots.append(self.heard)
        elif self.heard["kind"] == "reply":
            self.replies[self.heard["id"]] = self.heard
        elif self.heard["kind"] == "frame":
            self.look_at(self.heard, bytes(message["buffers"][0]))

    def look_at(self, frame: dict[str, Any], data: bytes) -> None:
        """Every frame arrives, whole and in order."""
        assert self.seq is None or frame["seq"] == self.seq + 1
        assert data.startswith(b"RIFF" if frame["final"] else b"\xff\xd8")
        self.seq = frame["seq"]
        if frame["final"]:
            self.frames = []
        else:
            assert not self.frames or frame["step"] >= self.frames[-1]["step"]
            self.frames.append(frame)
        if frame["seq"] % 4 == 0:
            self.send(kind="ack", seq=frame["seq"])


class Kernel:
    """A kernel with somebody connected to it, and a socket to let its cells go."""

    def __init__(self, version: str, process: subprocess.Popen[bytes], connection: str) -> None:
        self.version, self.process, self.connection = version, process, connection
        self.leash: socket.socket
        self.connect()

    def connect(self) -> None:
        self.client = BlockingKernelClient()
        self.client.load_connection_file(self.connection)
        self.client.start_channels(hb=False)  # a busy machine is not a dead kernel
        self.client.wait_for_ready(timeout=LONG)
        features = self.client.kernel_info(reply=True, timeout=LONG)["content"]
        self.subshell_id: str | None = None
        if "kernel subshells" in features.get("supported_features", []):
            self.subshell_id = self.control("create_subshell_request")["subshell_id"]

    def disconnect(self) -> None:
        """Go, as a front end does: with one's subshell."""
        if self.subshell_id:
            self.control("delete_subshell_request", subshell_id=self.subshell_id)
        self.client.stop_channels()

    def open_page(self, *, newer: bool, editor: str = EDITOR) -> Page:
        """Make an editor, and a page that shows it."""
        making = self.run(editor)
        while (made := self.hear_comm())["content"]["data"].get("content") != {"kind": "made"}:
            pass
        assert self.finish(making)["status"] == "ok"
        return Page(self, made["content"]["comm_id"], self.subshell_id if newer else None)

    def run(self, code: str) -> str:
        """Start a cell; gives the id of its request."""
        return str(self.client.execute(code, store_history=False))

    def finish(self, request: str) -> dict[str, Any]:
        """Wait for the end of a cell; gives what the kernel says of it."""
        while True:
            reply = self.client.get_shell_msg(timeout=LONG)
            if reply["parent_header"].get("msg_id") == request:
                content: dict[str, Any] = reply["content"]
                return content

    def do(self, code: str) -> None:
        """Run a cell that succeeds."""
        reply = self.finish(self.run(code))
        assert reply["status"] == "ok", "\n".join(reply["traceback"])

    def release_cell(self) -> None:
        self.leash.sendall(b"x")

    def hear_comm(self) -> dict[str, Any]:
        """The next message of any comm."""
        while True:
            message: dict[str, Any] = self.client.get_iopub_msg(timeout=LONG)
            content = message["content"]
            if message["msg_type"] == "error" and content["ename"] != "KeyboardInterrupt":
                pytest.fail("\n".join(content["traceback"]))
            if message["msg_type"] == "comm_msg":
                return message

    def control(self, kind: str, **content: Any) -> dict[str, Any]:
        self.client.control_channel.send(self.client.session.msg(kind, content))
        reply: dict[str, Any] = self.client.get_control_msg(timeout=LONG)["content"]
        assert reply["status"] == "ok", reply
        return reply


@pytest.fixture(scope="module", params=VERSIONS)
def kernel(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Kernel]:
    folder = overlay(request.param, request.config.cache.mkdir("ipykernel"))
    with running_kernel(request.param, folder, tmp_path_factory.mktemp("kernel")) as kernel:
        yield kernel


def overlay(version: str, cache: Path) -> Path:
    """A folder with this ipykernel and nothing else, fetched once."""
    folder = cache / version
    if folder.is_dir():
        return folder
    with tempfile.TemporaryDirectory(dir=cache) as beside:  # so that no half of it is ever kept
        fresh = Path(beside, "fresh")
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        what = ["--no-deps", "--target", str(fresh), f"ipykernel=={version}"]
        # Whoever constrains versions means those of the environment, and not this one.
        environment = {**os.environ, "PIP_CONSTRAINT": ""}
        subprocess.run([*pip, *what], check=True, timeout=LONG, env=environment)
        return fresh.rename(folder)


@contextlib.contextmanager
def running_kernel(version: str, folder: Path, home: Path) -> Iterator[Kernel]:
    """A kernel of the ipykernel in `folder`, with all that an `EDITOR` needs."""
    connection, _ = write_connection_file(str(home / "kernel.json"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "IPYTHONDIR": str(home / "ipython"),
        "OMP_NUM_THREADS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", connection]
    process = subprocess.Popen(command, env=environment)
    try:
        kernel = Kernel(version, process, connection)
        with socket.create_server(("127.0.0.1", 0)) as server:
            importing = kernel.run(IMPORTS.format(port=server.getsockname()[1]))
            server.settimeout(LONG)
            kernel.leash, _ = server.accept()
        with kernel.leash:
            kernel.leash.settimeout(LONG)
            assert kernel.finish(importing)["status"] == "ok"
            kernel.do(f"assert ipykernel.__version__ == {version!r}, ipykernel.__file__")
            yield kernel
        kernel.client.shutdown()
        process.wait(timeout=LONG)
    finally:
        process.kill()
        process.wait()
        kernel.client.stop_channels()
