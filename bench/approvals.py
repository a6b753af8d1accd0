"""Approvals as people and agents meet them, on SQLite and on PostgreSQL: the inbox, a decision's way, a spent call.

Real processes behind a gateway: a registry that keeps 10,000 approvals, and a server that deletes rows. A decision
counts from when it is sent until the call that waits for it (`approvals_wait`, through the other gateway) is answered.
Not here: how that registry is filled and started (`many_approvals`).
"""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import httpx2

from bench import components
from bench.load import Flawed, Request, tools_call
from bench.many_approvals import ALL, CLERKS, FEW, NONE, Inbox, filled, serving
from bench.processes import NotStarted
from bench.registry import DATABASES, Stage, looks, on_database, sign_in, until_ready
from bench.results import Results, Target

LOOKS: Final = 60
DECISIONS: Final = 100
PEOPLE: Final = {"approver": ALL, "few": FEW, "stranger": NONE}
_PAUSE_S: Final = 0.05


def _targets(database: str) -> tuple[Target, ...]:
    name = f"approvals.{database}"
    return (
        *(Target(f"{name}.{what}.{who}", "p95", None, at_most=100.0) for who in PEOPLE for what in ("page", "rest")),
        Target(f"{name}.card", "p95", None, at_most=100.0),
        Target(f"{name}.decision_to_waiting_call", "p99", None, at_most=1000.0),
    )


TARGETS: Final = tuple(target for database in DATABASES for target in _targets(database))


def measure(results: Results, folder: Path, say: Callable[[str], None]) -> None:
    """Everything on each database in turn. What cannot be started, or answers wrongly, is named in the results."""
    for database in DATABASES:
        try:
            with on_database(database, folder) as url:
                say(f"approvals: filling {database}; load average {os.getloadavg()[0]:.1f}")
                with serving(filled(folder / f"approvals-{database}", url)) as inbox:
                    _measure(Stage(f"approvals.{database}", inbox.at, inbox.place.folder, results, say), inbox)
        except (components.Absent, NotStarted, Flawed, OSError, subprocess.SubprocessError) as failed:
            results.miss(f"approvals.{database}", str(failed))


def _measure(stage: Stage, inbox: Inbox) -> None:
    for who, person in PEOPLE.items():
        with httpx2.Client(base_url=inbox.place.url, timeout=60) as http:
            until_ready(http)
            sign_in(http, inbox.place.url, person)
            looks(stage, http, f"page.{who}", "/approvals", LOOKS)
            if person == ALL:
                looks(stage, http, "card", "/approvals/apr_00004444", LOOKS)
            http.cookies.clear()
            http.headers["authorization"] = f"Bearer {inbox.place.tokens[person, '/api/v1']}"
            looks(stage, http, f"rest.{who}", "/api/v1/approvals?state=any", LOOKS)
    stage.say(f"{stage.name} decisions; load average {os.getloadavg()[0]:.1f}")
    with stage.spending("whole_way", "call") as counted:
        ways = asyncio.run(_ways(inbox))
        counted.append(len(ways))
    stage.add("ask", [way.asked_ms for way in ways], 0.99)
    stage.add("decision", [way.decided_ms for way in ways], 0.99)
    stage.add("decision_to_waiting_call", [way.heard_ms for way in ways], 0.99)
    stage.add("spent_call", [way.ran_ms for way in ways], 0.99)


@dataclass(frozen=True, slots=True)
class Way:
    """One deletion: asked for, decided, heard of by who waited (from when the decision was sent), and run."""

    asked_ms: float
    decided_ms: float
    heard_ms: float
    ran_ms: float


async def _ways(inbox: Inbox) -> list[Way]:
    async with _people(inbox) as people:
        return [await people.way(number) for number in range(DECISIONS)]


@dataclass(frozen=True, slots=True)
class _People:
    """Clerks at the one gateway, waiting at the other, and an approver at the registry's API."""

    inbox: Inbox
    gateways: tuple[httpx2.AsyncClient, httpx2.AsyncClient]

    async def way(self, number: int) -> Way:
        """Errors: Flawed."""
        clerk, arguments = f"clerk-{number % CLERKS}", {"table": "orders", "filter": f"id = {number}"}
        asked, asked_ms = await self._called(0, clerk, "delete_rows", arguments)
        ticket = str(asked["approval"]["id"])
        waiting = asyncio.ensure_future(self._heard(clerk, ticket))
        await asyncio.sleep(_PAUSE_S)  # until it waits
        sent = time.perf_counter()
        decided_ms = await self._decided(ticket)
        heard_at = await waiting
        ran, ran_ms = await self._called(0, clerk, "delete_rows", arguments)
        if ran.get("affected") != 1:
            raise Flawed(f"an approved call did not run: {ran}")
        return Way(asked_ms, decided_ms, (heard_at - sent) * 1000, ran_ms)

    async def _heard(self, clerk: str, ticket: str) -> float:
        """When somebody who waits at the second gateway is told. Errors: Flawed."""
        said, _ = await self._called(1, clerk, "approvals_wait", {"id": ticket, "timeout_s": 25})
        if said.get("status") != "approved":
            raise Flawed(f"who waited was told {said}")
        return time.perf_counter()

    async def _decided(self, ticket: str) -> float:
        headers = {"authorization": f"Bearer {self.inbox.place.tokens[ALL, '/api/v1']}"}
        began, path = time.perf_counter(), f"/api/v1/approvals/{ticket}"
        shown = await self.gateways[0].get(path, headers=headers)
        answer = {"verdict": "approve", "digest": shown.json()["digest"]}
        done = await self.gateways[0].post(f"{path}/decisions", json=answer, headers=headers)
        if done.status_code != 200:
            raise Flawed(f"a decision was answered {done.status_code}: {done.text[:200]}")
        return (time.perf_counter() - began) * 1000

    async def _called(self, gateway: int, clerk: str, tool: str, arguments: Any) -> tuple[dict[str, Any], float]:
        token = self.inbox.place.tokens[clerk, "/mcp/shop"]
        request = Request(tool, tools_call(tool, arguments), "", token)
        headers, began = {**request.headers(), "host": f"127.0.0.1:{self.inbox.place.port}"}, time.perf_counter()
        answer = await self.gateways[gateway].post("/mcp/shop", content=request.body, headers=headers)
        took = (time.perf_counter() - began) * 1000
        said: Any = answer.json().get("result", {}).get("structuredContent")
        if answer.status_code != 200 or not isinstance(said, dict):
            raise Flawed(f"{tool} was answered {answer.status_code}: {answer.text[:200]}")
        return cast("dict[str, Any]", said), took


@asynccontextmanager
async def _people(inbox: Inbox) -> AsyncGenerator[_People]:
    first, second = (f"http://127.0.0.1:{gateway.port}" for gateway in inbox.at.gateways)
    async with (
        httpx2.AsyncClient(base_url=first, timeout=60) as one,
        httpx2.AsyncClient(base_url=second, timeout=60) as other,
    ):
        yield _People(inbox, (one, other))
