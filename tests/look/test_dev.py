"""The inspector of `pierhead dev` as its author sees it: started as a program, in a real browser, light, dark, narrow.

By axe, without sideways scroll; a call that policy would refuse, one that waits for people, and code that is broken.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browsing import violations
from tests.look.test_look import OUTPUT

from pierhead.bootstrap.running import free_ports

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def inspector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Its address, and the project's folder; ends by Ctrl-C, cleanly."""
    place, (port,) = tmp_path_factory.mktemp("dev"), free_ports(1)
    pierhead = (sys.executable, "-m", "pierhead.apps.cli")
    subprocess.run([*pierhead, "new", "lunch"], cwd=place, check=True, capture_output=True)
    process = subprocess.Popen(
        [*pierhead, "dev", "lunch", "--port", str(port)], cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert f"http://127.0.0.1:{port}" in process.stdout.readline().decode()
    try:
        yield f"http://127.0.0.1:{port}", place / "lunch"
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert b"Traceback" not in said


def see(page: Page, name: str) -> None:
    OUTPUT.mkdir(exist_ok=True)
    page.screenshot(path=OUTPUT / f"{name}.png", full_page=True)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide == 0, f"{name} scrolls sideways by {wide} px"
    assert violations(page) == []


@pytest.mark.parametrize(("width", "look"), [(1200, "light"), (1200, "dark"), (400, "light"), (400, "dark")])
def test_the_inspector_is_for_everyone(browser: Browser, inspector: tuple[str, Path], width: int, look: str) -> None:
    url, _ = inspector
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=look)  # pyright: ignore[reportArgumentType] - one of two words
    page = context.new_page()
    for _ in range(100):  # it has said where it listens before it does
        try:
            page.goto(url)
            break
        except Exception:  # noqa: BLE001 - the browser has no better error
            page.wait_for_timeout(100)
    see(page, f"dev-{look}-{width}")
    page.locator("#tool-add_note input[name=user]").fill(f"{look}-{width}")
    page.get_by_role("button", name="Call add_note").click()
    page.get_by_text("Would be refused.").wait_for()
    see(page, f"dev-called-{look}-{width}")
    page.get_by_role("button", name="Call delete_note").click()
    page.get_by_role("heading", name="Waiting for people").wait_for()
    see(page, f"dev-waiting-{look}-{width}")
    page.get_by_role("button", name="Deny").first.click()
    context.close()


def test_code_that_is_broken_leaves_the_server_and_says_so(browser: Browser, inspector: tuple[str, Path]) -> None:
    url, project = inspector
    page = browser.new_page()
    code = project / "lunch" / "server.py"
    code.write_text(code.read_text() + "\nnonsense here\n")
    for _ in range(100):
        page.goto(url)
        if page.get_by_text("Not loaded.").count():
            break
        page.wait_for_timeout(100)
    see(page, "dev-broken")
    assert page.get_by_role("button", name="Call list_notes").count() == 1
    page.close()
