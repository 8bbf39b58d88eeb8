"""What a person does in JupyterLab or Notebook 7, and what a test asks its kernel."""

from __future__ import annotations

import ast
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import nbformat
from playwright.sync_api import Page

from tests.browser.servers import TOKEN, Server

WAIT = 60_000  # milliseconds; a limit, not a pause


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)


def open_notebook(page: Page, server: Server, name: str, *, view: str = "lab/tree") -> None:
    """Open a notebook and wait until its kernel is connected and idle.

    `view` is "lab/tree" for JupyterLab and "notebooks" for Notebook 7.
    """
    reset = "&reset" if view.startswith("lab") else ""
    page.goto(f"{server.url}/{view}/{quote(name)}?token={TOKEN}{reset}")
    wait_for_kernel(page)


def reopen(page: Page) -> None:
    """Reload the page, and wait until the notebook has found its kernel again."""
    page.reload()
    wait_for_kernel(page)


def wait_for_kernel(page: Page) -> None:
    """Wait until a notebook is shown whose kernel is connected and idle."""
    page.wait_for_function("window.jupyterapp?.restored !== undefined", timeout=WAIT)
    page.evaluate("window.jupyterapp.restored.then(() => undefined)")
    page.locator(".jp-NotebookPanel .jp-Notebook .jp-Cell").first.wait_for(timeout=WAIT)
    page.wait_for_function(
        """() => {
            const kernel = jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel;
            return kernel?.connectionStatus === "connected" && kernel.status === "idle";
        }""",
        timeout=WAIT,
    )


def run_all(page: Page) -> None:
    """Run every cell, and fail with its traceback if one fails."""
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells').then(() => undefined)")
    errors = page.evaluate(
        """() => jupyterapp.shell.currentWidget.content.widgets
            .filter((cell) => cell.model.type === "code")
            .flatMap((cell) => cell.model.outputs.toJSON())
            .filter((output) => output.output_type === "error")
            .map((output) => [output.ename + ": " + output.evalue, ...output.traceback].join("\\n"))
        """
    )
    if errors:
        raise AssertionError("a cell failed:\n" + "\n".join(errors))


def keep_widgets(page: Page) -> None:
    """Have notebooks saved with their widgets' state. JupyterLab remembers that between pages."""
    page.evaluate(
        """async (command) => {
            const { commands } = jupyterapp;
            if (!commands.isToggled(command)) await commands.execute(command);
        }""",
        "@jupyter-widgets/jupyterlab-manager:saveWidgetState",
    )


def save(page: Page) -> None:
    """Save the notebook."""
    page.evaluate("jupyterapp.commands.execute('docmanager:save').then(() => undefined)")


def kernel_run(page: Page, code: str) -> None:
    """Run statements in the kernel of the page, outside any cell."""
    ask(page, code, "None")


def kernel_eval(page: Page, expression: str, *, after: str = "") -> Any:
    """The value of an expression in the kernel of the page; it must fit into JSON."""
    return json.loads(ast.literal_eval(ask(page, after, f"__import__('json').dumps({expression})")))


def wait_in_kernel(page: Page, condition: str) -> None:
    """Wait until an expression is true in the kernel of the page."""
    deadline = time.monotonic() + WAIT / 1000
    while not kernel_eval(page, f"bool({condition})"):
        if time.monotonic() > deadline:
            raise AssertionError(f"still not true in the kernel: {condition}")


def ask(page: Page, code: str, expression: str) -> str:
    """Run statements, then give the repr of an expression."""
    reply = page.evaluate(
        """async ([code, expression]) => {
            const kernel = jupyterapp.shell.currentWidget.sessionContext.session.kernel;
            const future = kernel.requestExecute({
                code, silent: false, store_history: false, stop_on_error: false,
                user_expressions: { value: expression },
            });
            return (await future.done).content;
        }""",
        [code, expression],
    )
    if reply["status"] != "ok":
        raise AssertionError("\n".join([code, *reply.get("traceback", [reply["status"]])]))
    value = reply["user_expressions"]["value"]
    if value["status"] != "ok":
        raise AssertionError("\n".join([expression, *value["traceback"]]))
    return str(value["data"]["text/plain"])
