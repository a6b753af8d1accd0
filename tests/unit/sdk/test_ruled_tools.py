"""Reviewed rules of approval before a server's own code: as clients of both revisions meet them."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from pierhead import Caller, Estimate, Server
from pierhead.core.approval import Approval
from pierhead.core.approval_rule import ApprovalRule
from pierhead.core.condition import parse_condition
from pierhead.core.errors import Invalid
from pierhead.core.reach import EVERY
from pierhead.core.rule import parse_who
from pierhead.sdk.testing import Running
from pierhead.testing import platform

pytestmark = pytest.mark.anyio

Expects = Callable[[Mapping[str, Any], Caller], Awaitable[Any]]
ERAS = ("2026-07-28", "legacy")


def rule(approval: str, *when: str, **members: Any) -> ApprovalRule:
    made = ApprovalRule(
        0, Approval(approval), False, EVERY, EVERY, EVERY, EVERY, EVERY, tuple(map(parse_condition, when))
    )
    return replace(made, **members)


def expecting(rows: float) -> Expects:
    async def expected(arguments: Mapping[str, Any], caller: Caller) -> Estimate:
        del arguments, caller
        return Estimate(rows=rows)

    return expected


def server(expects: Expects | None = None, **declared: Any) -> Server:
    made = Server("desk", owner="shop", support="#shop")
    members = {"policy": "everyone", "effect": "read", "minutes_saved": 1, **declared}

    @made.tool(**members, estimate=expects)
    async def count(table: str, environment: str = "") -> int:
        """Count rows."""
        del table, environment
        return 7

    return made


@asynccontextmanager
async def under(made: Server, *rules: ApprovalRule) -> AsyncGenerator[Running]:
    """The server on the platform, its tool under these rules."""
    async with platform(made, access="everyone") as running:
        (known,) = running.snapshots.snapshot.servers.values()
        ruled = {name: replace(tool, rules=rules) for name, tool in known.tools.items()}
        servers = {made.name: replace(known, tools=ruled)}
        running.snapshots.snapshot = replace(running.snapshots.snapshot, servers=servers)
        yield running


async def answered(made: Server, *rules: ApprovalRule, mode: str = ERAS[0], **arguments: object) -> dict[str, Any]:
    async with under(made, *rules) as running, running.client("alice", mode=mode) as client:
        await client.list_tools()  # so that the client holds answers to their schemas
        result = await client.call_tool("count", {"table": "weather", **arguments})
        assert not result.is_error, result.content
        return result.structured_content or {}


@pytest.mark.parametrize("mode", ERAS)
async def test_a_rule_over_an_estimate_makes_a_call_wait_and_the_answer_fits_its_schema(mode: str) -> None:
    over, within = rule("confirm", "estimate.rows > 1000"), rule("confirm", "estimate.rows > 5000")
    waiting = await answered(server(expecting(2000)), over, mode=mode)
    assert waiting["status"] == "approval_required"
    assert any("estimate.rows > 1000" in reason for reason in waiting["reasons"])
    assert await answered(server(expecting(2000)), within, mode=mode) == {"result": 7}


async def _broken(arguments: Mapping[str, Any], caller: Caller) -> Estimate:
    raise RuntimeError(arguments, caller)


async def _lying(arguments: Mapping[str, Any], caller: Caller) -> Any:
    del arguments, caller
    return {"rows": 0}


@pytest.mark.parametrize("expects", [None, _broken, _lying, expecting(float("nan"))])
async def test_a_server_that_estimates_nothing_waits_as_if_it_were_the_most(expects: Expects | None) -> None:
    told = await answered(
        server(expects), rule("confirm", "estimate.rows > 10"), rule("approve", "estimate.rows > 1e9")
    )
    assert told["status"] == "approval_required"
    assert any("so it counts as if it held" in reason for reason in told["reasons"])
    assert any("needs approve" in reason for reason in told["reasons"])


async def test_a_false_estimate_lowers_nothing_that_is_declared() -> None:
    made = server(expecting(0), effect="destructive")
    told = await answered(made, rule("four-eyes", "estimate.rows > 10"))
    assert told["status"] == "approval_required"
    assert told["summary"].startswith("count needs the approval of another person")


async def test_what_the_body_would_refuse_is_refused_before_anybody_is_asked() -> None:
    async def refuses(arguments: Mapping[str, Any], caller: Caller) -> Estimate:
        raise Invalid(f"no table {arguments['table']} for {caller.name}", code="bad-arguments")

    made = rule("approve", "estimate.rows > 1")
    async with under(server(refuses), made) as running, running.client("alice") as client:
        result = await client.call_tool("count", {"table": "weather"})
        assert result.is_error
        assert running.people.asked == ()


async def test_nothing_is_estimated_where_no_rule_reads_it() -> None:
    asked: list[str] = []

    async def counting(arguments: Mapping[str, Any], caller: Caller) -> Estimate:
        asked.append(f"{caller.name} {arguments['table']}")
        return Estimate(rows=1)

    assert await answered(server(counting), rule("approve", 'table == "users"')) == {"result": 7}
    assert asked == []
    assert await answered(server(counting), rule("approve", "estimate.rows > 5")) == {"result": 7}
    assert asked == ["alice weather"]


async def test_a_caller_chooses_no_environment_by_an_argument() -> None:
    """The platform in memory stands in `test`: what a caller writes of environments is an argument like any other."""
    dev = rule("none", lowers=True, environments=frozenset({"dev"}))
    made = server(effect="write", approval="approve")
    told = await answered(made, dev, environment="dev")
    assert told["status"] == "approval_required"
    here = replace(dev, environments=frozenset({"test"}))
    assert await answered(made, here) == {"result": 7}


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("approval", ["none", "deny"])
async def test_a_denied_call_is_a_normal_answer_and_runs_nothing(mode: str, approval: str) -> None:
    rules = [rule("deny", 'table == "weather"')] if approval == "none" else []
    told = await answered(server(approval=approval), *rules, mode=mode)
    assert told["status"] == "denied"
    assert "approval" not in told
    assert "next" not in told
    assert "policy denies this call" in told["summary"]


@pytest.mark.parametrize("mode", ERAS)
async def test_a_denied_tool_that_somebody_may_not_use_reads_as_absent(mode: str) -> None:
    made = server(approval="deny", policy="group:data-eng")
    async with platform(made, access="everyone") as running:
        async with running.client("alice", mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == []
            with pytest.raises(MCPError, match="Unknown tool: count"):
                await client.call_tool("count", {"table": "weather"})
        async with running.client("bob", ["data-eng"], mode=mode) as client:
            assert "count" in [tool.name for tool in (await client.list_tools()).tools]
            told = (await client.call_tool("count", {"table": "weather"})).structured_content
            assert told is not None
            assert told["status"] == "denied"


async def test_a_rule_for_others_changes_nothing() -> None:
    assert await answered(server(), rule("approve", who=parse_who("group:interns"))) == {"result": 7}
