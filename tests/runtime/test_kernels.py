"""When Stop reaches an edit while a cell runs, in real kernels of several versions.

A test plays the page: it talks to the kernel over the comm as a front end does. A cell holds the
kernel until the test lets it go, so that before and after are matters of order, not of time. Each
ipykernel lies in a folder of its own, put first on the path of a kernel that shares all else.
"""

from __future__ import annotations

import contextlib
import os
import shutil
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

from nbdrag.runtime import frames

pytestmark = pytest.mark.kernels

LONG = 60  # seconds; only a failing test waits that long

# An editor as far as the kernel is concerned: Start, Stop, acknowledgements, frames.
EDITOR = """
import asyncio, socket, time
from dataclasses import asdict

import ipykernel, torch
from comm import create_comm

from nbdrag.editing.step import Step
from nbdrag.runtime.frames import FrameStream, Picture
from nbdrag.runtime.kernel import SendingContext, free_replies
from nbdrag.runtime.runner import Runner
from nbdrag.runtime.turns import FairLock

test = socket.create_connection(("127.0.0.1", {port}))
in_cell = False


def endless():
    index, weight = 0, torch.randn(64, 64, requires_grad=True)
    while True:
        torch.autograd.grad((weight @ weight).sum(), weight)
        index += 1
        yield Step(torch.zeros(1, 1), index, 0.0, False)


class Editor:
    def __init__(self, remedy):
        self.comm = create_comm(target_name="nbdrag.test", data={{}})
        self.sending = SendingContext()
        self.rerouted = free_replies(self.comm) if remedy else None
        self.comm.on_msg(self.sending.kept_by(self.on_message) if remedy else self.on_message)
        self.stream = FrameStream(self.send_frame)
        self.stream.start()

    def send(self, content, buffers=None):
        self.sending.run(self.comm.send, content, buffers=buffers)

    def send_frame(self, header, data):
        self.send({{"kind": "frame", **asdict(header)}}, [data])

    def on_message(self, message):
        content = message["content"]["data"]
        if content["kind"] == "start":
            self.runner = Runner(
                endless(), lock=FairLock(), on_step=self.on_step, on_end=self.on_end
            )
            self.runner.start()
        elif content["kind"] == "ack":
            self.stream.ack(content["seq"])
        elif content["kind"] == "stop":
            self.runner.stop()

    def on_step(self, step):
        self.stream.move(Picture(torch.zeros(3, 64, 64), step=step.index))

    def on_end(self, outcome):
        ended = time.monotonic()  # one clock for all processes
        self.send({{"kind": "ended", "reason": outcome.reason, "in_cell": in_cell, "at": ended}})
"""

# Both publish on the comm, as a cell that sets a trait does.
HOLDING_CELLS = {
    "blocks": """
in_cell = True
editor.comm.send({"kind": "holding"})
test.recv(1)
in_cell = False
""",
    "awaits": """
in_cell = True
editor.comm.send({"kind": "holding"})
test.setblocking(False)
await asyncio.get_running_loop().sock_recv(test, 1)
test.setblocking(True)
in_cell = False
""",
}

# What docs and users may rely on: the table of nbdrag.runtime.kernel, and a little more.
#     version, what the cell does, whether messages name a subshell, remedy -> during the cell?
CASES = [
    ("6.31.*", "blocks", False, True, False),
    ("6.31.*", "awaits", False, True, False),
    ("7.3.0", "blocks", False, True, False),
    ("7.3.0", "awaits", False, True, False),
    ("7.3.0", "blocks", True, True, True),
    ("7.3.0", "awaits", True, True, True),
]
if sys.version_info >= (3, 11):  # which ipykernel 7.4 asks for
    CASES += [
        ("7.4.0", "blocks", False, True, False),
        ("7.4.0", "awaits", False, True, True),
        ("7.4.0", "blocks", True, False, False),
        ("7.4.0", "blocks", True, True, True),
        ("7.4.0", "awaits", True, True, True),
    ]


class Kernel:
    """A kernel, seen from a page."""

    def __init__(self, client: BlockingKernelClient, leash: socket.socket) -> None:
        self.client, self.leash = client, leash
        self.comm_id = ""
        self.subshell_id: str | None = None

    def run(self, code: str) -> str:
        """Start a cell; gives the id of its request."""
        return str(self.client.execute(code, store_history=False))

    def finish(self, request: str) -> None:
        while True:
            reply = self.client.get_shell_msg(timeout=LONG)
            if reply["parent_header"].get("msg_id") == request:
                assert reply["content"]["status"] == "ok", reply["content"]
                return

    def release_cell(self) -> None:
        self.leash.sendall(b"x")

    def tell(self, **data: Any) -> None:
        """Send a message on the widget's comm."""
        content = {"comm_id": self.comm_id, "data": data}
        message = self.client.session.msg("comm_msg", content)
        if self.subshell_id:
            message["header"]["subshell_id"] = self.subshell_id
        self.client.shell_channel.send(message)

    def hear(self, until: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Read what comes on the comm, acknowledging every fourth frame, until something comes."""
        while True:
            message = self.client.get_iopub_msg(timeout=LONG)
            if message["msg_type"] == "comm_open":
                self.comm_id = message["content"]["comm_id"]
            if message["msg_type"] == "error":
                pytest.fail("\n".join(message["content"]["traceback"]))
            if message["msg_type"] != "comm_msg":
                continue
            data: dict[str, Any] = message["content"]["data"]
            if data["kind"] == "frame" and data["seq"] % 4 == 0:
                self.tell(kind="ack", seq=data["seq"])
            if until(data):
                return data

    def hear_frames(self, count: int) -> dict[str, Any]:
        """Hear so many more frames; gives the last."""
        for _ in range(count):
            frame = self.hear(lambda data: data["kind"] == "frame")
        return frame

    def control(self, kind: str, **content: Any) -> dict[str, Any]:
        self.client.control_channel.send(self.client.session.msg(kind, content))
        reply: dict[str, Any] = self.client.get_control_msg(timeout=LONG)["content"]
        assert reply["status"] == "ok", reply
        return reply


@pytest.fixture(scope="module")
def kernels(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str], Kernel]]:
    """Kernels by version of ipykernel, each started when first asked for."""
    with contextlib.ExitStack() as stack:
        started: dict[str, Kernel] = {}

        def kernel(version: str) -> Kernel:
            if version not in started:
                folder = overlay(version, request.config.cache.mkdir("ipykernel"))
                home = tmp_path_factory.mktemp("kernel")
                started[version] = stack.enter_context(running_kernel(folder, home))
            return started[version]

        yield kernel


@pytest.mark.parametrize(("version", "cell", "subshell", "remedy", "during_cell"), CASES)
def test_when_stop_is_heard(
    kernels: Callable[[str], Kernel],
    version: str,
    cell: str,
    subshell: bool,
    remedy: bool,
    during_cell: bool,
) -> None:
    kernel = kernels(version)
    kernel.subshell_id = (
        kernel.control("create_subshell_request")["subshell_id"] if subshell else None
    )
    making = kernel.run(f"editor = Editor({remedy}); editor.comm.send({{'kind': 'made'}})")
    kernel.hear(lambda data: data["kind"] == "made")
    kernel.finish(making)
    delays = []
    for _ in range(5 if during_cell else 1):
        kernel.tell(kind="start")
        kernel.hear_frames(4)
        holding = kernel.run(HOLDING_CELLS[cell])
        kernel.hear(lambda data: data["kind"] == "holding")
        if during_cell:
            # More than may be under way: so acknowledgements are heard, too.
            kernel.hear_frames(frames.OUTSTANDING + 10)
        sent = time.monotonic()
        kernel.tell(kind="stop")
        if not during_cell:
            # The edit goes on, and says so, though nobody in the kernel listens.
            first = kernel.hear_frames(1)
            assert kernel.hear_frames(3)["step"] > first["step"]
            kernel.release_cell()
        ended = kernel.hear(lambda data: data["kind"] == "ended")
        delays.append(ended["at"] - sent)
        if during_cell:
            kernel.release_cell()
        assert (ended["reason"], ended["in_cell"]) == ("stopped", during_cell)
        kernel.finish(holding)
    print("DELAYS", version, cell, subshell, [round(1000 * d, 1) for d in delays])
    if during_cell:
        assert statistics.median(delays) < 0.1
    if subshell:
        kernel.control("delete_subshell_request", subshell_id=kernel.subshell_id)


def test_which_kernels_route_replies_elsewhere(kernels: Callable[[str], Kernel]) -> None:
    for version in dict.fromkeys(case[0] for case in CASES):
        expected = version == "7.4.0"
        kernel = kernels(version)
        kernel.finish(kernel.run(f"assert Editor(True).rerouted is {expected}"))


# ---------------------------------------------------------------------------------- kernels to test


def overlay(version: str, cache: Path) -> Path:
    """A folder with this ipykernel and nothing else, fetched once."""
    folder = cache / version.replace("*", "x")
    if not folder.is_dir():
        fresh = tempfile.mkdtemp(dir=cache)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        what = ["--no-deps", "--target", fresh, f"ipykernel=={version}"]
        subprocess.run([*pip, *what], check=True, timeout=300)
        shutil.move(fresh, folder)
    return folder


@contextlib.contextmanager
def running_kernel(folder: Path, home: Path) -> Iterator[Kernel]:
    """A kernel of the ipykernel in `folder`, with an `Editor` in it."""
    connection_file, _ = write_connection_file(str(home / "kernel.json"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "IPYTHONDIR": str(home / "ipython"),
        "OMP_NUM_THREADS": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", connection_file]
    process = subprocess.Popen(command, env=environment)
    client = BlockingKernelClient()
    client.load_connection_file(connection_file)
    client.start_channels(hb=False)  # a busy machine is not a dead kernel
    try:
        client.wait_for_ready(timeout=LONG)
        with socket.create_server(("127.0.0.1", 0)) as server:
            kernel = Kernel(client, leash=server)
            making = kernel.run(EDITOR.format(port=server.getsockname()[1]))
            kernel.finish(making)
            kernel.leash, _ = server.accept()
        with kernel.leash:
            kernel.finish(kernel.run(f"assert ipykernel.__file__.startswith({str(folder)!r})"))
            yield kernel
    finally:
        client.shutdown()
        try:
            process.wait(timeout=LONG)
        finally:
            process.kill()
            client.stop_channels()
