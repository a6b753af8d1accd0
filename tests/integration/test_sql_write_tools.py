"""The writing tools as a client sees them: who is offered which, who must say yes, and what the record keeps."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError
from tests.integration.sql_ledgers import WRITES, Ledger, MariadbLedger, SqliteLedger, state

from pierhead.sdk.testing import platform
from pierhead.sdk.testing_people import approve_with
from pierhead.servers.sql import build

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

DIRECT = {"insert_rows", "update_rows", "delete_rows"}
TOOLS = {*DIRECT, "plan_delete_rows", "delete_planned_rows"}
LOOSE = {"operations": WRITES, "approval": "none"}
STRICT = {"operations": WRITES}


@pytest.fixture(params=["sqlite", "mariadb"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    if request.param == "mariadb":
        return MariadbLedger.load(request.getfixturevalue("mariadb_url"))
    return SqliteLedger.load(tmp_path)


def server(ledger: Ledger, roles: Mapping[str, Any], **settings: Any) -> Any:
    return build(
        "ledger",
        {"owner": "data", "support": "#data", "url": ledger.url, "roles": roles, **settings},
    )


async def test_a_caller_sees_the_tools_that_their_role_writes_with(ledger: Ledger) -> None:
    roles = {
        "reader": {"groups": ["readers"], "tables": {"lines": {"operations": ["read"]}}},
        "appender": {"groups": ["appenders"], "tables": {"lines": {"operations": ["read", "create"]}}},
        "clerk": {"groups": ["clerks"], "tables": {"lines": LOOSE}},
        "planner": {"groups": ["planners"], "plans": ["delete"], "tables": {"lines": LOOSE}},
    }
    seen = {"readers": set[str](), "appenders": {"insert_rows"}, "clerks": DIRECT, "planners": TOOLS, "x": set[str]()}
    async with platform(server(ledger, roles), access="everyone") as running:
        for group, offered in seen.items():
            async with running.client("ann", [group]) as client:
                listed = {tool.name for tool in (await client.list_tools()).tools}
                assert listed & TOOLS == offered
        async with running.client("ann", ["readers"]) as client:
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool("insert_rows", {"table": "lines", "rows": [{"account": 9, "line": 9}]})
    assert len(ledger.rows("SELECT * FROM lines")) == 3


async def test_a_read_only_source_writes_nothing_whatever_its_roles_say(ledger: Ledger) -> None:
    built = server(ledger, {"clerk": {"plans": ["delete"], "tables": {"lines": LOOSE}}}, read_only=True)
    async with platform(built, access="everyone") as running, running.client("ann") as client:
        assert {tool.name for tool in (await client.list_tools()).tools}.isdisjoint(TOOLS)
        listed = (await client.call_tool("list_tables", {})).structured_content
        assert listed["tables"][0]["operations"] == ["read"]
        described = (await client.call_tool("describe_table", {"table": "lines"})).structured_content
        assert not any(column["writable"] for column in described["columns"])
    assert not built.tools.keys() & TOOLS


async def test_inserting_needs_nobody_and_changing_needs_approval_unless_the_policy_says_so(
    ledger: Ledger,
) -> None:
    before = ledger.rows("SELECT * FROM accounts ORDER BY id")
    roles = {"clerk": {"tables": {"accounts": STRICT, "lines": LOOSE}}}
    async with platform(server(ledger, roles), access="everyone") as running, running.client("ann") as client:
        for tool, arguments in (
            ("update_rows", {"table": "accounts", "set": {"balance": 1}, "filter": "id = 1"}),
            ("update_rows", {"table": "accounts", "rows": [{"id": 1, "balance": 1}], "insert_missing": True}),
            ("delete_rows", {"table": "accounts", "filter": "id = 1"}),
        ):
            waiting = (await client.call_tool(tool, arguments)).structured_content
            assert waiting["status"] == "approval_required"
            preview = (await client.call_tool(tool, {**arguments, "dry_run": True})).structured_content
            assert (preview["affected"], preview["dry_run"]) == (1, True)
        assert ledger.rows("SELECT * FROM accounts ORDER BY id") == before
        for tool, arguments in (
            ("insert_rows", {"table": "accounts", "rows": [{"name": "five"}], "returning": True}),
            ("update_rows", {"table": "lines", "set": {"note": "z"}, "filter": "account = 2"}),
            ("delete_rows", {"table": "lines", "filter": "account = 1"}),
        ):
            done = (await client.call_tool(tool, arguments)).structured_content
            assert done["affected"] >= 1
    assert [(int(account), note) for account, note in ledger.rows("SELECT account, note FROM lines")] == [(2, "z")]
    refused = [fact for fact in running.audit.facts if fact.kind == "call-refused"]
    assert [fact.code for fact in refused] == ["approval_required"] * 3


async def test_an_approval_may_wait_for_a_number_of_rows(ledger: Ledger) -> None:
    rule = {"operations": WRITES, "approval": {"update": "four-eyes if affected > 1", "delete": "none"}}
    async with (
        platform(server(ledger, {"clerk": {"tables": {"lines": rule}}}), access="everyone") as running,
        running.client("ann") as client,
    ):
        many = {"table": "lines", "set": {"note": None}, "filter": "line > 0"}
        before = state(ledger)
        waiting = (await client.call_tool("update_rows", many)).structured_content
        assert waiting["status"] == "approval_required"
        assert any("it affects 3 rows" in reason for reason in waiting["reasons"])
        assert state(ledger) == before
        assert running.audit.facts[-1].outcome == "approval_required"
        one = (await client.call_tool("update_rows", {**many, "filter": "account = 2"})).structured_content
        assert one["affected"] == 1
        assert (await client.call_tool("delete_rows", {"table": "lines", "filter": "line > 0"})).structured_content[
            "affected"
        ] == 3


async def test_what_is_not_granted_is_refused_before_any_intent(ledger: Ledger) -> None:
    roles = {"clerk": {"tables": {"lines": {"operations": ["read", "update"]}, "cities": LOOSE}}}
    async with platform(server(ledger, roles), access="everyone") as running, running.client("ann") as client:
        for tool, arguments in (
            ("delete_rows", {"table": "lines", "filter": "line = 1"}),
            ("insert_rows", {"table": "lines", "rows": [{"line": 1}]}),
        ):
            with pytest.raises(MCPError, match="your role may not"):
                await client.call_tool(tool, arguments)
        unknown = await client.call_tool("delete_rows", {"table": "accounts", "filter": "id = 1"})
        assert unknown.is_error
    assert running.audit.kinds() == ["call-refused"] * 3


async def test_the_record_of_a_write_names_tables_columns_and_counts_and_holds_no_value(ledger: Ledger) -> None:
    roles = {"clerk": {"tables": {"lines": LOOSE}}}
    async with platform(server(ledger, roles), access="everyone") as running, running.client("ann") as client:
        row = {"account": 5, "line": 5, "note": "canary"}
        answer = await client.call_tool("insert_rows", {"table": "lines", "rows": [row], "idempotency_key": "k"})
        assert answer.structured_content["keys"] == [{"account": 5, "line": 5}]
    details = running.audit.facts[-1].details
    assert (details["lane"], details["operation"], details["tables"]) == ("structured", "create", ["lines"])
    assert (details["columns"], details["affected"], details["dry_run"]) == (["account", "line", "note"], 1, False)
    assert len(details["executed"]) == 64
    assert "canary" not in str(details)


async def test_arguments_that_make_no_update_are_told(ledger: Ledger) -> None:
    roles = {"clerk": {"tables": {"lines": LOOSE}}}
    before = state(ledger)
    async with platform(server(ledger, roles), access="everyone") as running, running.client("ann") as client:
        for arguments in (
            {"table": "lines"},
            {"table": "lines", "set": {"note": "x"}},
            {"table": "lines", "set": {"note": "x"}, "filter": ""},
            {"table": "lines", "set": {"note": "x"}, "filter": "line = 1", "rows": [{"account": 1, "line": 1}]},
            {"table": "lines", "set": {"note": "x"}, "filter": "line = 1 OR"},
            {"table": "lines", "set": {"note": "x"}, "filter": "line = 1", "max_affected": 0},
            {"table": "lines", "set": {"note": "x"}, "filter": "line = 1", "idempotency_key": "x\n"},
        ):
            assert (await client.call_tool("update_rows", arguments)).is_error
    assert state(ledger) == before


async def test_a_planned_deletion_takes_the_very_rows_that_were_planned(ledger: Ledger) -> None:
    rule = {"operations": WRITES, "approval": "approve if affected > 1", "require_if_match": True}
    built = server(ledger, {"clerk": {"plans": ["delete"], "tables": {"lines": rule}}})
    async with (
        platform(built, access="everyone", approvals=approve_with("approve")) as running,
        running.client("ann") as client,
    ):
        plan = (
            await client.call_tool("plan_delete_rows", {"table": "lines", "filter": "line >= 1"})
        ).structured_content
        assert (plan["data"]["count"], len(plan["data"]["items"])) == (3, 3)
        assert len(ledger.rows("SELECT * FROM lines")) == 3
        done = (await client.call_tool("delete_planned_rows", {"plan_id": plan["plan_id"]})).structured_content
        assert done["affected"] == 3
        assert running.people.asked[0].proposal.summary == 'delete 3 rows of lines where "line >= 1" in test'
        nothing = await client.call_tool("plan_delete_rows", {"table": "lines", "filter": "line >= 1"})
        assert "no-such-row" in nothing.content[0].text
    assert ledger.rows("SELECT * FROM lines") == []


async def test_few_planned_rows_need_nobody_and_rows_that_changed_stay(ledger: Ledger) -> None:
    rule = {"operations": WRITES, "approval": {"delete": "approve if affected > 1", "update": "none"}}
    built = server(ledger, {"clerk": {"plans": ["delete"], "tables": {"lines": rule}}})
    where = "account = 1 and line = 1"
    async with platform(built, access="everyone") as running, running.client("ann") as client:
        asked = {"table": "lines", "filter": where}
        stale = (await client.call_tool("plan_delete_rows", asked)).structured_content["plan_id"]
        changed = {"table": "lines", "filter": where, "set": {"note": "changed meanwhile"}}
        assert (await client.call_tool("update_rows", changed)).structured_content["affected"] == 1
        refused = await client.call_tool("delete_planned_rows", {"plan_id": stale})
        assert "plan-changed" in refused.content[0].text
        fresh = (await client.call_tool("plan_delete_rows", asked)).structured_content["plan_id"]
        assert (await client.call_tool("delete_planned_rows", {"plan_id": fresh})).structured_content["affected"] == 1
        assert running.people.asked == ()
    assert len(ledger.rows("SELECT * FROM lines")) == 2
