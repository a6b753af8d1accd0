"""A real browser before a real server of the site in memory, with a fixed clock and fixed data."""

import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright
from tests import components
from tests.web_site import build

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--font-render-hinting=none"),
)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The site in memory on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(build(address).app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield address
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = components.chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=list(_QUIET))
        yield started
        started.close()


def sign_in(page: Page, url: str, person: str) -> None:
    """As a person would: by the button."""
    page.goto(f"{url}/sign-in")
    page.get_by_role("button", name=person).click()
    page.wait_for_url(f"{url}/servers")
