"""A real browser before a real server of the site in memory, with a fixed clock and fixed data."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from playwright.sync_api import Browser
from tests.browsing import chromium
from tests.web_site import build


@contextmanager
def served_site() -> Iterator[str]:
    """A fresh site in memory on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(build(address).app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        yield address
        server.should_exit = True
        thread.join(timeout=10)


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """One site for all tests that change nothing."""
    with served_site() as address:
        yield address


@pytest.fixture
def own_url() -> Iterator[str]:
    """A site of its own, for a story that changes it."""
    with served_site() as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Gone with its module: while one is open, its thread has a running loop, and no other test could start one."""
    with chromium() as started:
        yield started
