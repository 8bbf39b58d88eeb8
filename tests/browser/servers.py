"""Notebook servers as a person would start them, each in a world of its own.

A server gets empty folders for everything Jupyter would otherwise read from or write to the home
of whoever runs the tests, and ends with its whole process group.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TOKEN = "t"
START_LIMIT = 90.0  # seconds, for a cold disk on a busy machine


@dataclass(frozen=True)
class Server:
    """A running server: where it answers, and the folder whose notebooks it serves."""

    url: str
    notebooks: Path


@contextlib.contextmanager
def jupyter_server(
    app: str, home: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """Run `jupyter lab`, `jupyter notebook` or `jupyter server` for as long as the block lasts."""
    notebooks = home / "notebooks"
    notebooks.mkdir(parents=True)
    config = home / "config"
    without_news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig").mkdir(parents=True)
    (config / "labconfig" / "page_config.json").write_text(json.dumps(without_news))
    port = free_port()
    command = [
        sys.executable, "-m", "jupyter", app, "--no-browser", "--allow-root",
        "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={notebooks}", *arguments,
    ]  # fmt: skip
    if app in ("lab", "notebook"):
        command.append("--expose-app-in-browser")
    url = f"http://127.0.0.1:{port}"
    with process(command, home, url + f"/api?token={TOKEN}", environment or {}):
        yield Server(url, notebooks)


def end_kernels(server: Server) -> None:
    """Shut down every kernel that a Jupyter server runs."""
    kernels = f"{server.url}/api/kernels"
    headers = {"Authorization": f"token {TOKEN}"}
    with urllib.request.urlopen(urllib.request.Request(kernels, headers=headers)) as reply:
        running = json.load(reply)
    for kernel in running:
        address = f"{kernels}/{kernel['id']}"
        urllib.request.urlopen(
            urllib.request.Request(address, headers=headers, method="DELETE")
        ).close()


@contextlib.contextmanager
def voila_server(home: Path, notebook: Path) -> Iterator[Server]:
    """Serve one notebook as a page, without its code."""
    port = free_port()
    command = [
        sys.executable, "-m", "voila", str(notebook), "--no-browser", "--Voila.ip=127.0.0.1",
        f"--port={port}", "--Voila.port_retries=0",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with process(command, home, url + "/voila/static/voila.js", {}):
        yield Server(url, notebook.parent)


@contextlib.contextmanager
def marimo_server(home: Path, notebook: Path) -> Iterator[Server]:
    """Serve one marimo notebook as an app."""
    port = free_port()
    command = [
        sys.executable, "-m", "marimo", "--quiet", "run", str(notebook), "--headless",
        "--host=127.0.0.1", f"--port={port}", "--no-token",
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with process(command, home, url + "/health", {}):
        yield Server(url, notebook.parent)


@contextlib.contextmanager
def process(
    command: list[str], home: Path, ready: str, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server, wait until `ready` answers, and stop it with all it started."""
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=home,
            env=own_environment(home) | dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until_ready(server, ready, log)
        yield server
    finally:
        stop(server)


def own_environment(home: Path) -> dict[str, str]:
    """The environment of the tests, less whatever would let a server read someone's settings."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "IPYTHON", "VOILA", "MARIMO"))
    }
    for name, folder in {
        "HOME": "home",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "XDG_CONFIG_HOME": "xdg-config",
        "XDG_CACHE_HOME": "xdg-cache",
        "XDG_STATE_HOME": "xdg-state",
    }.items():
        (home / folder).mkdir(parents=True, exist_ok=True)
        environment[name] = str(home / folder)
    return environment


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if server.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            urllib.request.urlopen(url, timeout=5).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"{url} did not answer; the server said:\n{log.read_text()[-4000:]}")


def stop(server: subprocess.Popen[bytes]) -> None:
    """End a server's process group: asked first, so that it ends its kernels, then told."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, request)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(timeout=10)
            return


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
