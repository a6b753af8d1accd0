"""To wait for an approval, list one's own and withdraw one: on every server, in both revisions, for whoever asked."""

from typing import Any

import anyio
import orjson
import pytest
from mcp.shared.exceptions import MCPError
from tests.approving import person
from tests.confirming import ERAS, Shop, running_shop, told

from pierhead.core.waiting_tools import WAITING_TOOLS
from pierhead.usecases.answer_approval import Answer, decide_approval

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ERAS)]


async def approve(shop: Shop) -> None:
    record = shop.store.kept[shop.last]
    await decide_approval(record.id, Answer("approve", "", "web", record.proposal.digest), person("frank"), shop.desk)


async def approve_once_somebody_waits(shop: Shop) -> None:
    while shop.audit.kinds()[-1] != "call-started":  # noqa: ASYNC110 - a list of facts has no event
        await anyio.sleep(0.01)
    await approve(shop)


def error(result: Any) -> str:
    assert result.is_error
    return orjson.loads(result.content[0].text)["error"]["code"]


async def test_the_three_stand_last_in_the_list_and_say_what_they_are(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in listed][-3:] == list(WAITING_TOOLS)
        assert [tool.annotations.read_only_hint for tool in listed[-3:] if tool.annotations] == [True, True, None]


async def test_a_wait_ends_with_the_decision_and_the_call_then_runs(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        ticket = told(await client.call_tool("drop", {"table": "orders"}))["approval"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(approve_once_somebody_waits, shop)
            waited = told(await client.call_tool("approvals_wait", {"id": ticket["id"], "timeout_s": 20}))
        assert (waited["status"], waited["approval"]) == ("approved", ticket)
        assert "exactly the same arguments" in waited["next"]
        assert told(await client.call_tool("drop", {"table": "orders"})) == {"result": "orders"}
        assert told(await client.call_tool("approvals_wait", {"id": ticket["id"]}))["status"] == "consumed"
        assert shop.audit.kinds().count("call-started") == 3


async def test_a_wait_that_nobody_ends_says_that_it_waits_still(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        ticket = told(await client.call_tool("drop", {"table": "orders"}))["approval"]
        waited = told(await client.call_tool("approvals_wait", {"id": ticket["id"], "timeout_s": 0.05}))
        assert waited["status"] == "pending"


async def test_others_see_none_of_it_and_read_the_same_as_of_what_is_not_there(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as alice, shop.client(era, None, "bob") as bob:
        ticket = told(await alice.call_tool("drop", {"table": "orders"}))["approval"]
        assert told(await bob.call_tool("approvals_list_mine", {})) == {"approvals": []}
        for tool in ("approvals_wait", "approvals_cancel"):
            hidden = await bob.call_tool(tool, {"id": ticket["id"]})
            absent = await bob.call_tool(tool, {"id": "apr_nothing"})
            assert error(hidden) == error(absent) == "not-found"
            assert hidden.content == absent.content
        (mine,) = told(await alice.call_tool("approvals_list_mine", {}))["approvals"]
        assert (mine["approval"], mine["status"]) == (ticket, "pending")


async def test_whoever_asked_withdraws_and_only_once(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        ticket = told(await client.call_tool("drop", {"table": "orders"}))["approval"]
        assert told(await client.call_tool("approvals_cancel", {"id": ticket["id"]}))["status"] == "cancelled"
        assert error(await client.call_tool("approvals_cancel", {"id": ticket["id"]})) == "approval-state"
        assert shop.states == ["cancelled"]


@pytest.mark.parametrize(
    "arguments", [{}, {"id": 7}, {"id": "a", "timeout_s": 26}, {"id": "a", "verdict": "approve"}, {"id": "a" * 65}]
)
async def test_odd_arguments_are_refused(era: str, arguments: dict[str, Any]) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        assert error(await client.call_tool("approvals_wait", arguments)) == "bad-arguments"


async def test_one_person_holds_three_waits_at_most(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        ticket = told(await client.call_tool("drop", {"table": "orders"}))["approval"]
        ended: list[Any] = []

        async def wait() -> None:
            ended.append(await client.call_tool("approvals_wait", {"id": ticket["id"], "timeout_s": 5}))
            if len(ended) == 1:
                await approve(shop)

        async with anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(wait)
        assert error(ended[0]) == "too-many-waits"
        assert [told(each)["status"] for each in ended[1:]] == ["approved"] * 3


async def test_there_is_no_tool_that_decides(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        ticket = told(await client.call_tool("drop", {"table": "orders"}))["approval"]
        for name in ("approvals_approve", "approvals_confirm", "approvals_decide"):
            with pytest.raises(MCPError, match="Unknown tool"):
                await client.call_tool(name, {"id": ticket["id"]})
        assert shop.states == ["pending"]
