"""A real Chromium and real notebook servers, for tests that do what a person does."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from tests.browser.servers import Server, end_kernels, jupyter_server

LIMIT = 60_000  # milliseconds; a busy machine is no failure
expect.set_options(timeout=LIMIT)

ARTIFACTS = Path(__file__).parents[2] / "test-artifacts"

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Nothing may come from the network: what works here works offline.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# What the hosts themselves say, whatever the notebook holds.
HOSTS_OWN_ERRORS = re.compile(
    "|".join(
        (
            r"Cannot read properties of undefined \(reading 'schema'\)",  # Notebook 7.6
            r"ERR_NAME_NOT_RESOLVED .*fontawesome",  # Voila 0.5
            r"shared module is not a function.*@jupyterlab/docregistry",  # Voila 0.5
        )
    ),
    re.DOTALL,
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser per module: Playwright's loop must not outlive the tests that need it."""
    names = ("chromium", "chromium-browser", "google-chrome")
    executable = next(filter(None, map(shutil.which, names)), None)
    if executable is None:
        pytest.fail("the browser tests need Chromium: run `make test` or install it", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that must log no error; a picture of how it ended is kept in test-artifacts/."""
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(LIMIT)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.extend(error_text(message)))
    yield page
    ARTIFACTS.mkdir(exist_ok=True)
    name = re.sub(r"\W+", "-", request.node.name).strip("-")
    page.screenshot(path=ARTIFACTS / f"{name}.png")
    context.close()
    ours = [error for error in errors if not HOSTS_OWN_ERRORS.search(error)]
    assert ours == [], "the page logged errors"


def error_text(message: ConsoleMessage) -> list[str]:
    """What a console message says, if it is an error, and about which address."""
    return [f"{message.text} ({message.location['url']})"] if message.type == "error" else []


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A JupyterLab for the whole run."""
    with jupyter_server("lab", tmp_path_factory.mktemp("lab")) as server:
        yield server


@pytest.fixture
def lab(lab_server: Server) -> Iterator[Server]:
    """JupyterLab; each test opens a notebook and a kernel of its own, which ends with it."""
    yield lab_server
    end_kernels(lab_server)
