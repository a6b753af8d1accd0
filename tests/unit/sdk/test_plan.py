"""Plan, approve, execute: what an author writes, and what a caller meets, in both revisions."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date
from itertools import count
from typing import Any

import anyio
import pytest
from mcp.client import Client
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from pierhead import Caller, Plan, Server
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.audit_approvals import ApprovalAsked
from pierhead.core.errors import Misconfigured, UpstreamUnreachable
from pierhead.sdk.plan import NoPlans
from pierhead.testing import Running, approve_with, platform

pytestmark = pytest.mark.anyio
ERAS = pytest.mark.parametrize("era", ["2026-07-28", "legacy"])


class Booking(BaseModel):
    id: int
    carrier: str


@dataclass
class Desk:
    """Bookings, a server that deletes them, and what it did."""

    bookings: list[Booking] = field(default_factory=lambda: [Booking(id=n, carrier="AA") for n in range(1, 13)])
    deleted: list[list[int]] = field(default_factory=list[list[int]])

    def server(self, **declared: Any) -> Server:
        server = Server("desk", owner="shop", support="#shop")

        @server.plan(policy="everyone", minutes_saved=2)
        async def plan_purge(carrier: str, *, caller: Caller) -> Plan[Booking]:
            """List the bookings that a purge would delete."""
            assert caller.name
            found = [one for one in self.bookings if one.carrier == carrier]
            return Plan(f"delete {len(found)} bookings of {carrier}", found, undo="there is no way back")

        @server.tool(policy="everyone", effect="destructive", minutes_saved=5, plan=plan_purge, **declared)
        async def purge(plan: Plan[Booking], *, caller: Caller) -> int:
            """Delete the bookings that a plan lists."""
            assert caller.name
            gone = [one.id for one in plan.items]
            self.bookings = [one for one in self.bookings if one.id not in gone]
            self.deleted.append(gone)
            return len(gone)

        return server


@asynccontextmanager
async def running(server: Server, era: str, verdict: Any = None) -> AsyncGenerator[tuple[Running, Client]]:
    async with (
        platform(server, access="everyone", approvals=approve_with(verdict)) as here,
        here.client("alice", mode=era) as client,
    ):
        yield here, client


async def refused(client: Client, tool: str, **arguments: object) -> str:
    """The code with which a call is refused."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    return str(json.loads(result.content[0].text)["error"]["code"])


async def asked(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@ERAS
async def test_a_plan_says_what_would_change_and_changes_nothing(era: str) -> None:
    desk = Desk()
    async with running(desk.server(), era) as (_, client):
        plan = await asked(client, "plan_purge", carrier="AA")
        assert plan["data"]["count"] == 12
        assert [item["id"] for item in plan["data"]["items"]] == list(range(1, 11))
        assert plan["summary"] == "delete 12 bookings of AA"
        assert plan["plan_id"] == plan["data"]["plan_id"]
        assert plan["status"] == "ok"
        assert "purge" in plan["next"]
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert set(tools["purge"].input_schema["properties"]) == {"plan_id", "reason"}
    assert tools["plan_purge"].annotations.read_only_hint
    assert desk.deleted == []


@ERAS
async def test_a_plan_that_people_agreed_to_is_carried_out_once(era: str) -> None:
    desk = Desk()
    async with running(desk.server(), era) as (here, client):
        plan = await asked(client, "plan_purge", carrier="AA")
        arguments = {"plan_id": plan["plan_id"], "reason": "they asked us to"}
        ticket = await asked(client, "purge", **arguments)
        assert ticket["status"] == "approval_required"
        (record,) = here.people.asked
        assert record.proposal.summary == "delete 12 bookings of AA in test"
        assert record.proposal.reason == "they asked us to"
        assert record.proposal.foreseen.undo == "there is no way back"
        planned = record.proposal.foreseen.plan
        assert planned is not None
        assert (planned.digest, planned.count, len(planned.first)) == (plan["data"]["plan_digest"], 12, 10)
        assert record.expires_at == planned.expires_at
        assert (await asked(client, "purge", **arguments))["approval"] == ticket["approval"]
        await here.people.decide(record.id, "approve")
        assert (await asked(client, "purge", **arguments))["result"] == 12
        assert await refused(client, "purge", **arguments) == "plan-used"
    assert desk.deleted == [list(range(1, 13))]
    assert [one.state for one in here.people.asked] == [ApprovalState.CONSUMED]
    fact = here.people.store.facts[0]
    assert isinstance(fact, ApprovalAsked)
    assert fact.plan_digest == plan["data"]["plan_digest"]


@ERAS
async def test_an_approval_of_a_plan_is_superseded_when_the_world_changes(era: str) -> None:
    desk = Desk()
    async with running(desk.server(), era) as (here, client):
        plan_id = (await asked(client, "plan_purge", carrier="AA"))["plan_id"]
        await asked(client, "purge", plan_id=plan_id)
        await here.people.decide(here.people.asked[0].id, "approve")
        desk.bookings.append(Booking(id=13, carrier="AA"))
        assert await refused(client, "purge", plan_id=plan_id) == "plan-changed"
        assert [one.state for one in here.people.asked] == [ApprovalState.SUPERSEDED]
        assert await refused(client, "purge", plan_id=plan_id) == "plan-changed"
        assert here.audit.kinds()[-1] == "call-refused"
        del desk.bookings[-1]
        again = await asked(client, "purge", plan_id=plan_id)
        assert again["approval"]["id"] != here.people.asked[0].id
    assert desk.deleted == []


async def test_a_change_in_the_last_moment_stops_the_body() -> None:
    desk, looks = Desk(), count()
    server = Server("desk", owner="shop", support="#shop")

    @server.plan(policy="everyone", minutes_saved=2)
    def plan_purge() -> Plan[int]:
        """Look three times, and see something new the third time."""
        return Plan("delete a booking", [1 if next(looks) < 2 else 2])

    @server.tool(policy="everyone", effect="write", minutes_saved=2, plan=plan_purge)
    def purge(plan: Plan[int], reason: str) -> str:
        """Delete what a plan lists."""
        desk.deleted.append(list(plan.items))
        return reason

    async with running(server, "2026-07-28") as (_, client):
        plan_id = (await asked(client, "plan_purge"))["plan_id"]
        assert await refused(client, "purge", plan_id=plan_id, reason="x") == "plan-changed"
        assert await refused(client, "purge", plan_id=plan_id, reason="x") == "plan-changed"
    assert desk.deleted == []


async def test_a_plan_belongs_to_its_person_and_ends_after_half_an_hour() -> None:
    desk = Desk()
    async with running(desk.server(), "2026-07-28", "approve") as (here, client):
        plan_id = (await asked(client, "plan_purge", carrier="AA"))["plan_id"]
        async with here.client("bob") as other:
            assert await refused(other, "purge", plan_id=plan_id) == "no-such-plan"
        assert await refused(client, "purge", plan_id="id-9") == "no-such-plan"
        here.clock.seconds += 1800
        assert await refused(client, "purge", plan_id=plan_id) == "no-such-plan"
    assert desk.deleted == []
    assert here.people.asked == ()


async def test_who_may_no_longer_plan_has_no_plans() -> None:
    desk, may_plan = Desk(), [True]
    server = Server("desk", owner="shop", support="#shop")

    @server.plan(policy="everyone", minutes_saved=2, offered=lambda _: may_plan[0])
    async def plan_purge() -> Plan[int]:
        """Plan one."""
        return Plan("delete a booking", [1])

    @server.tool(policy="everyone", effect="destructive", minutes_saved=2, plan=plan_purge)
    async def purge(plan: Plan[int]) -> int:
        """Delete it."""
        desk.deleted.append(list(plan.items))
        return 1

    async with running(server, "2026-07-28", "approve") as (_, client):
        plan_id = (await asked(client, "plan_purge"))["plan_id"]
        may_plan[0] = False
        assert await refused(client, "purge", plan_id=plan_id) == "no-such-plan"
        may_plan[0] = True
        assert (await asked(client, "purge", plan_id=plan_id))["result"] == 1


async def test_a_plan_that_fails_or_takes_too_long_the_second_time_runs_nothing() -> None:
    server, looks = Server("desk", owner="shop", support="#shop"), count()

    @server.plan(policy="everyone", minutes_saved=2, timeout=0.05)
    async def plan_purge(how: str) -> Plan[int]:
        """Plan well once."""
        if next(looks) % 2 == 0:
            return Plan("delete a booking", [1])
        if how == "slow":
            await anyio.sleep_forever()
        raise RuntimeError(how)

    @server.tool(policy="everyone", effect="destructive", minutes_saved=2, plan=plan_purge)
    async def purge(plan: Plan[int]) -> int:
        """Never runs."""
        raise AssertionError(plan)

    async with running(server, "2026-07-28", "approve") as (_, client):
        for how in ("slow", "broken"):
            plan_id = (await asked(client, "plan_purge", how=how))["plan_id"]
            assert await refused(client, "purge", plan_id=plan_id) == "plan-failed"


async def test_without_the_registry_no_plan_is_made_or_carried_out() -> None:
    server = Desk().server()
    async with running(server, "2026-07-28", "approve") as (_, client):
        plan_id = (await asked(client, "plan_purge", carrier="AA"))["plan_id"]
        server.plans = NoPlans()
        assert await refused(client, "plan_purge", carrier="AA") == "upstream-unreachable"
        with pytest.raises(MCPError, match="keeps the plans, is away"):
            await client.call_tool("purge", {"plan_id": plan_id})
    with pytest.raises(UpstreamUnreachable):
        await NoPlans().use_plan(plan_id)


async def test_two_who_carry_out_one_plan_at_once_do_so_once() -> None:
    desk = Desk()
    async with running(desk.server(), "2026-07-28", "approve") as (_, client):
        plan_id = (await asked(client, "plan_purge", carrier="AA"))["plan_id"]

        async def purge() -> None:
            await client.call_tool("purge", {"plan_id": plan_id})

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(purge)
    assert len(desk.deleted) == 1


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan("", [1]), "summary"),
        (Plan("x" * 301, [1]), "summary"),
        (Plan("delete", [1, 2], count=1), "lists what it would change"),
        (Plan("delete", [1], count=9), "gives a digest"),
        (7, "gave no Plan"),
    ],
)
async def test_a_plan_that_says_too_little_is_none(plan: object, message: str) -> None:
    server = Server("desk", owner="shop", support="#shop")

    @server.plan(policy="everyone", minutes_saved=2)
    async def plan_purge() -> Plan[int]:
        """Plan badly."""
        return plan  # pyright: ignore[reportReturnType]

    async with running(server, "2026-07-28") as (_, client):
        result = await client.call_tool("plan_purge", {})
        assert result.is_error
        assert message in result.content[0].text


async def test_of_a_plan_too_long_to_list_its_digest_speaks_and_little_is_shown() -> None:
    server, state = Server("desk", owner="shop", support="#shop"), ["one"]

    @server.plan(policy="everyone", minutes_saved=2)
    async def plan_purge(at: date) -> Plan[str]:
        """Plan much."""
        assert isinstance(at, date)
        return Plan("delete all", ["x" * 7000] * 4, count=90_000, state=state[0])

    @server.tool(
        policy="everyone",
        effect="destructive",
        minutes_saved=2,
        plan=plan_purge,
        approval=lambda args: "four-eyes" if args["plan"]["count"] > 100 else "confirm",
        when="plan.count < 100000",
    )
    async def purge(plan: Plan[str]) -> int:
        """Delete them."""
        return plan.count or 0

    async with running(server, "2026-07-28") as (here, client):
        plan = await asked(client, "plan_purge", at="2013-02-01")
        assert (plan["data"]["count"], len(plan["data"]["items"])) == (90_000, 2)
        await asked(client, "purge", plan_id=plan["plan_id"])
        assert here.people.asked[0].proposal.approval is Approval.FOUR_EYES
        state[0] = "two"
        assert await refused(client, "purge", plan_id=plan["plan_id"]) == "plan-changed"


def test_a_plan_is_declared_before_it_is_carried_out() -> None:
    server = Desk().server()

    async def other() -> Plan[int]:
        return Plan("nothing", [])

    with pytest.raises(Misconfigured, match="no plan of desk"):
        server.tool(policy="everyone", effect="write", minutes_saved=1, plan=other)


def test_what_is_no_plan_does_not_load() -> None:
    server = Desk().server()

    def numbers() -> list[int]:
        """Give numbers."""
        return []

    with pytest.raises(Misconfigured, match="must return a Plan"):
        server.plan(policy="everyone", minutes_saved=1)(numbers)

    async def plan_more() -> Plan[int]:
        """Plan more."""
        return Plan("nothing", [])

    server.plan(policy="everyone", minutes_saved=1)(plan_more)

    async def more(plan_id: str, plan: Plan[int]) -> int:
        """Do more."""
        return len(plan_id) + len(plan.items)

    with pytest.raises(Misconfigured, match="must take its plan in one parameter"):
        server.tool(policy="everyone", effect="write", minutes_saved=1, plan=plan_more)(more)
