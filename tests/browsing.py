"""A real browser: Chromium, quiet, signed in by the button, and what axe minds about a page."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright
from tests import components

_QUIET = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--hide-scrollbars", "--font-render-hinting=none"),
)


@contextmanager
def chromium() -> Iterator[Browser]:
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


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe minds: the rule, and where."""
    page.evaluate(components.axe().read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate("axe.run()")["violations"]
    return [(fault["id"], [node["html"][:120] for node in fault["nodes"]]) for fault in found]
