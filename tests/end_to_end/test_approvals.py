"""A destructive call of an agent that cannot be asked: another person agrees in a real browser, and it runs once."""

import asyncio
import json
import re
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import cache
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import Browser, expect
from tests.browsing import chromium, sign_in, violations
from tests.pages import hidden
from tests.running_platform import Up, up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

FLEET = """
people:
  alice: {groups: [clerks]}
  bob: {groups: [ads]}
  frank: {groups: [platform-admin]}
servers:
  shop:
    kind: sql
    url: sqlite:///shop.db
    owner: data-platform
    support: "#data-help"
    access: {groups: [clerks]}
    approvers: [platform-admin]
    roles:
      clerk: {groups: [clerks], tables: {orders: {operations: [read, delete]}}}
  time:
    kind: stdio
    command: [mcp-server-time, --local-timezone, UTC]
    owner: platform
    support: "#platform-help"
    access: {groups: [clerks]}
    tools:
      get_current_time: {policy: everyone, effect: destructive, minutes_saved: 1}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A platform whose one database has orders that clerks may delete, with another person's yes."""
    folder = tmp_path_factory.mktemp("shop")
    (folder / "fleet.yaml").write_text(FLEET)
    (folder / "data").mkdir()
    with closing(sqlite3.connect(folder / "data" / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, amount INTEGER)")
        database.executemany("INSERT INTO orders VALUES (?, ?)", [(n, n) for n in range(1, 21)])
        database.commit()
    with up(folder / "data", folder / "fleet.yaml") as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def rows(shop: Up) -> int:
    with closing(sqlite3.connect(shop.data / "shop.db")) as database:
        return int(database.execute("SELECT count(*) FROM orders").fetchone()[0])


@cache
def token(shop: Up) -> str:
    return shop.token("alice")


def call(shop: Up, era: str, arguments: dict[str, Any], server: str = "shop", tool: str = "delete_rows") -> Any:
    """One call of alice's, by the official client, which declares no elicitation."""

    async def calling() -> Any:
        headers = {"authorization": f"Bearer {token(shop)}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
            Client(streamable_http_client(shop.mcp(server), http_client=http), mode=era) as client,
        ):
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, result.content[0].text
            return result.structured_content or json.loads(result.content[0].text)

    with ThreadPoolExecutor(1) as apart:  # the browser's driver keeps an event loop in this thread
        return apart.submit(asyncio.run, calling()).result()


@pytest.mark.parametrize(("era", "look", "row"), [("2026-07-28", "light", 1), ("legacy", "dark", 2)])
def test_another_person_agrees_in_the_browser_and_it_runs_once(
    shop: Up, browser: Browser, era: str, look: Any, row: int
) -> None:
    arguments, before = {"table": "orders", "filter": f"id = {row}"}, rows(shop)
    ticket = call(shop, era, arguments)
    assert ticket["status"] == "approval_required"
    assert call(shop, era, dict(reversed(arguments.items())))["approval"] == ticket["approval"]
    assert "exactly the same arguments" in ticket["next"]

    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=look)
    page = context.new_page()
    page.goto(ticket["approval"]["url"])
    page.get_by_role("button", name="frank").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Run delete_rows on shop in local")
    expect(page.locator("#arguments")).to_contain_text(f'"filter": "id = {row}"')
    expect(page.get_by_text("asked by alice")).to_be_visible()
    assert violations(page) == []
    other_tab = context.new_page()
    other_tab.goto(ticket["approval"]["url"])
    page.get_by_role("button", name="Approve once").click()
    expect(page.get_by_text("It runs when it is called again")).to_be_visible()
    page.reload()
    assert violations(page) == []
    assert rows(shop) == before

    assert call(shop, era, arguments)["affected"] == 1
    assert rows(shop) == before - 1
    other_tab.get_by_role("button", name="Deny").click()
    expect(other_tab.get_by_text("Nothing was changed.")).to_be_visible()
    expect(other_tab.get_by_text("Used", exact=True)).to_be_visible()
    context.close()

    again = call(shop, era, arguments)
    assert again["status"] == "approval_required"
    assert again["approval"]["id"] != ticket["approval"]["id"]
    assert rows(shop) == before - 1
    shop.tell("approvals", "cancel", again["approval"]["id"], "--as", "alice")
    _on_record(shop, ticket["approval"]["id"])


def _on_record(shop: Up, approval: str) -> None:
    """The record tells who was shown what, who decided and how, and which call it was spent for."""
    facts = [json.loads(line)["record"]["fact"] for line in shop.tell("audit", "export").splitlines()]
    mine = [fact for fact in facts if fact.get("approval_id") == approval]
    asked, decided = mine[0], next(fact for fact in mine if fact["kind"] == "approval-decided")
    spent = next(fact for fact in mine if fact["kind"] == "approval-spent")
    assert (asked["kind"], asked["requester"], asked["tool"]) == ("approval-asked", "alice", "delete_rows")
    assert (decided["by"], decided["how"], decided["verdict"]) == ("frank", "web", "approve")
    assert decided["digest"] == asked["digest"] == spent["digest"]
    assert sum(fact["kind"] == "approval-spent" for fact in mine) == 1
    assert shop.run("audit", "verify").returncode == 0


def test_who_asked_who_is_not_asked_and_strangers_decide_nothing(shop: Up) -> None:
    arguments = {"table": "orders", "filter": "id = 5"}
    approval = call(shop, "2026-07-28", arguments)["approval"]["id"]
    assert shop.run("approvals", "approve", approval, "--as", "alice").returncode == 6
    assert shop.run("approvals", "approve", approval, "--as", "bob").returncode == 4
    assert shop.run("approvals", "show", "apr_nothing", "--as", "frank").returncode == 4
    with shop.browsing("bob") as browser:
        assert browser.get(f"/approvals/{approval}").status_code == 404
        assert browser.get(f"/approvals/{approval}.json").status_code == 404
    with shop.browsing("alice") as browser:
        page = browser.get(f"/approvals/{approval}").text
        assert "Nobody approves their own call." in page
        assert "Approve once" not in page
        form = {"token": hidden(page, "token"), "verdict": "approve", "digest": "0" * 64}
        sent = browser.post(f"/approvals/{approval}/decisions", data=form, headers={"origin": shop.url})
        assert sent.status_code == 403
        forged = browser.post(f"/approvals/{approval}/decisions", data={**form, "token": "x"})
        assert forged.status_code in {400, 403}
    denied = shop.run("approvals", "deny", approval, "--reason", "not on a Friday", "--as", "frank")
    assert denied.returncode == 0, denied.stderr
    told = call(shop, "legacy", arguments)
    assert (told["status"], told["summary"]) == ("denied", "frank denied delete_rows: not on a Friday")
    assert shop.run("approvals", "approve", approval, "--as", "frank").returncode == 5


def test_the_shell_lists_shows_and_approves(shop: Up) -> None:
    arguments = {"table": "orders", "filter": "id = 6"}
    before = rows(shop)
    approval = call(shop, "2026-07-28", arguments)["approval"]["id"]
    listed = json.loads(shop.tell("approvals", "list", "--as", "frank", "--json"))
    assert [each["id"] for each in listed if each["may_decide"]] == [approval]
    shown = json.loads(shop.tell("approvals", "show", approval, "--as", "frank", "--json"))
    assert shown["arguments"]["filter"] == "id = 6"
    shop.tell("approvals", "approve", approval, "--as", "frank")
    assert call(shop, "2026-07-28", arguments)["affected"] == 1
    assert rows(shop) == before - 1
    assert json.loads(shop.tell("approvals", "show", approval, "--as", "frank", "--json"))["state"] == "consumed"


def test_a_guest_waits_and_runs_like_a_server_of_ours(shop: Up) -> None:
    arguments = {"timezone": "Europe/Berlin"}
    first = call(shop, "legacy", arguments, "time", "get_current_time")
    assert first["status"] == "approval_required"
    shop.tell("approvals", "approve", first["approval"]["id"], "--as", "frank")

    eras = ("legacy", "2026-07-28") * 3
    with ThreadPoolExecutor(len(eras)) as apart:
        asked = [apart.submit(call, shop, era, arguments, "time", "get_current_time") for era in eras]
        answers = [each.result() for each in asked]
    assert sum("status" not in answer for answer in answers) == 1


def test_the_inbox_says_what_waits_for_whom(shop: Up) -> None:
    approval = call(shop, "2026-07-28", {"table": "orders", "filter": "id = 9"})["approval"]["id"]
    with shop.browsing("frank") as browser:
        page = browser.get("/approvals").text
        yours = [each["id"] for each in browser.get("/approvals.json").json()["yours"]]
        assert approval in yours
        assert f"Approvals ({len(yours)})" in page
        assert re.search(r"(call waits|calls wait) for your approval\.", page)
        card = browser.get(f"/approvals/{approval}.json").json()["approval"]
        assert card["arguments"]["filter"] == "id = 9"
    with shop.browsing("alice") as browser:
        page = browser.get("/approvals").text
        assert "Nothing waits for your approval." in page
        assert approval in page
    shop.tell("approvals", "cancel", approval, "--as", "alice")


def test_an_open_inbox_shows_what_is_asked_and_answered_elsewhere_through_the_gateway(
    shop: Up, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    sign_in(page, shop.url, "frank")
    with page.expect_response("**/approvals/stream") as stream:
        page.goto(f"{shop.url}/approvals")
    assert stream.value.headers["content-type"] == "text/event-stream"
    approvals = [
        call(shop, "2026-07-28", {"table": "orders", "filter": f"id = {number}"})["approval"]["id"]
        for number in (71, 72)
    ]
    for approval in approvals:
        expect(page.locator(f'a[href="/approvals/{approval}"]')).to_be_visible(timeout=30_000)
    said = shop.tell("approvals", "decide", *(f"{each}=deny" for each in approvals), "--as", "frank", "--json")
    assert [each["state"] for each in json.loads(said)] == ["denied", "denied"]
    for approval in approvals:
        expect(page.locator(f'[aria-label="Waiting for you"] a[href="/approvals/{approval}"]')).to_have_count(
            0, timeout=30_000
        )
    context.close()
