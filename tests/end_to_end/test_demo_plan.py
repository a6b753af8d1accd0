"""What a newcomer tries after `make up`: plan, ask, another person's yes in a browser, once, and refused on replay."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from playwright.sync_api import Browser, expect
from tests.browsing import chromium, violations
from tests.running_platform import Up

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


def readings(platform: Up, where: str) -> int:
    with closing(sqlite3.connect(platform.data / "warehouse.db")) as database:
        return int(database.execute(f"SELECT count(*) FROM weather WHERE {where}").fetchone()[0])


def call(platform: Up, era: str, tool: str, **arguments: object) -> dict[str, Any]:
    """One call of alice's, by the official client, which declares no elicitation."""

    async def calling() -> Any:
        headers = {"authorization": f"Bearer {platform.token('alice')}"}
        async with (
            httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http,
            Client(streamable_http_client(platform.mcp("warehouse"), http_client=http), mode=era) as client,
        ):
            result = await client.call_tool(tool, arguments)
            return result.structured_content or json.loads(result.content[0].text)

    with ThreadPoolExecutor(1) as apart:  # the browser's driver keeps an event loop in this thread
        return apart.submit(asyncio.run, calling()).result()


@pytest.mark.parametrize(
    ("era", "look", "where"),
    [
        ("2026-07-28", "light", "wind_speed > 1000"),
        ("legacy", "dark", "origin = 'JFK' and time_hour = '2013-05-09T02:00:00Z'"),
    ],
)
def test_a_wrong_reading_is_deleted_once_another_person_has_seen_it(
    platform: Up, browser: Browser, era: str, look: Any, where: str
) -> None:
    every = readings(platform, "1")
    plan = call(platform, era, "plan_delete_rows", table="weather", filter=where)
    assert (plan["data"]["count"], len(plan["data"]["items"])) == (1, 1)
    assert readings(platform, where) == 1
    execute = {"plan_id": plan["plan_id"], "reason": "no <b>such</b> wind"}
    ticket = call(platform, era, "delete_planned_rows", **execute)
    assert ticket["status"] == "approval_required"

    context = browser.new_context(viewport={"width": 1200, "height": 900}, color_scheme=look)
    page = context.new_page()
    page.goto(ticket["approval"]["url"])
    page.get_by_role("button", name="frank").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Delete 1 row of weather where")
    expect(page.locator("#plan")).to_contain_text("1 thing in all.")
    expect(page.locator("#why")).to_contain_text("no <b>such</b> wind")
    expect(page.get_by_text(" s left")).to_be_visible()
    page.get_by_role("button", name="Approve once").click()
    expect(page.get_by_text("It runs when it is called again")).to_be_visible()
    assert violations(page) == []
    context.close()
    assert readings(platform, where) == 1

    assert call(platform, era, "delete_planned_rows", **execute)["affected"] == 1
    assert (readings(platform, where), readings(platform, "1")) == (0, every - 1)
    again = call(platform, era, "delete_planned_rows", **execute)
    assert again["error"]["code"] == "plan-used"
    assert readings(platform, "1") == every - 1


def test_what_was_approved_is_void_once_the_rows_are_others(platform: Up) -> None:
    where = "temp < 11"
    plan = call(platform, "2026-07-28", "plan_delete_rows", table="weather", filter=where)
    ticket = call(platform, "2026-07-28", "delete_planned_rows", plan_id=plan["plan_id"])
    platform.tell("approvals", "approve", ticket["approval"]["id"], "--as", "frank")
    with closing(sqlite3.connect(platform.data / "warehouse.db")) as database:
        database.execute(
            "UPDATE weather SET visib = visib + 1 WHERE rowid = (SELECT max(rowid) FROM weather WHERE temp < 11)"
        )
        database.commit()
    refused = call(platform, "legacy", "delete_planned_rows", plan_id=plan["plan_id"])
    assert refused["error"]["code"] == "plan-changed"
    shown = json.loads(platform.tell("approvals", "show", ticket["approval"]["id"], "--as", "frank", "--json"))
    assert shown["state"] == "superseded"
    assert readings(platform, where) == plan["data"]["count"] > 0
