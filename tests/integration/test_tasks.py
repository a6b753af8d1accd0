"""A call that waits for people, as a task: over a real socket, message by message."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest
from mcp.server.mcpserver import Context
from tests.approving import person
from tests.confirming import CHAT, KEY, Shop, running_shop
from tests.following_tasks import DECLARED, TASKS, Follower

from pierhead import Server
from pierhead.core.rule import parse_who
from pierhead.usecases.answer_approval import Answer, decide_approval

pytestmark = pytest.mark.anyio

ORDERS = {"table": "orders"}
NO_SUCH_TASK = {
    "code": -32602,
    "message": "no such task, or it is not yours",
    "data": {"code": "no-such-task", "hint": "call the tool again"},
}


@asynccontextmanager
async def following(shop: Shop, user: str = "alice", program: str = "", **more: Any) -> AsyncGenerator[Follower]:
    async with shop.http(user, program, **more) as http:
        yield Follower(http, shop.url)


async def decide(shop: Shop, verdict: str = "approve", comment: str = "") -> None:
    record = shop.store.kept[shop.last]
    given = Answer(verdict, comment, "web", record.proposal.digest)
    await decide_approval(record.id, given, person("frank"), shop.desk)
    shop.clock.seconds += 2  # what was looked at a moment ago is not looked at again


def wrong_in(task: dict[str, Any]) -> str:
    """The code of the failed answer with which the call of that task ended."""
    assert (task["status"], task["result"]["isError"]) == ("completed", True)
    return str(json.loads(task["result"]["content"][0]["text"])["error"]["code"])


def narrowed(shop: Shop, who: str) -> None:
    """The fleet narrows who may drop."""
    whole = shop.snapshots.snapshot
    entry = whole.servers["shop"]
    tools = {**entry.tools, "drop": replace(entry.tools["drop"], narrowed=parse_who(who))}
    shop.snapshots.snapshot = replace(whole, revision=2, servers={"shop": replace(entry, tools=tools)})


# what a task tells


async def test_a_call_that_waits_is_a_task_and_its_poll_makes_it_once_people_agreed() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.call("drop", ORDERS)
        assert (task["resultType"], task["status"], task["pollIntervalMs"]) == ("task", "working", 15_000)
        assert (task["createdAt"], task["ttlMs"]) == ("2023-11-14T22:13:20Z", 3_600_000)
        assert f"/approvals/{shop.last}" in task["statusMessage"]
        waits = await alice.poll(task["taskId"])
        assert (waits["resultType"], waits["status"], waits["ttlMs"]) == ("complete", "working", 3_600_000)
        assert shop.ran == []
        await decide(shop)
        done = await alice.poll(task["taskId"])
        assert (done["status"], done["taskId"]) == ("completed", task["taskId"])
        assert done["result"]["structuredContent"] == {"result": "orders"}
        assert done["result"]["isError"] is False
        assert (shop.ran, shop.states) == (["dropped orders"], ["consumed"])


async def test_each_poll_is_on_record_and_the_one_that_runs_as_a_call_of_its_tool() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await alice.poll(task)
        await decide(shop)
        await alice.poll(task)
        await alice.poll(task)
        assert shop.audit.kinds() == ["call-refused"] * 2 + ["call-started", "call-finished"] + ["call-refused"]
        began = next(fact for fact in shop.audit.facts if fact.kind == "call-started")
        spent = next(fact for fact in shop.store.facts if fact.kind == "approval-spent")
        assert (began.tool, began.actor.person, began.approval) == ("drop", "alice", shop.last)
        assert (spent.call_id, spent.approval_id) == (began.call_id, shop.last)
        assert {fact.tool for fact in shop.audit.facts if fact.kind == "call-refused"} == {"drop"}


async def test_who_says_nothing_of_tasks_sees_none_and_may_ask_about_none() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        alice.capabilities = {}
        assert (await alice.call("drop", ORDERS))["structuredContent"]["status"] == "approval_required"
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            refused = await alice.say(method, {"taskId": task})
            assert (refused["code"], refused["data"]) == (-32021, {"requiredCapabilities": DECLARED})
        news = {"notifications": {"taskIds": [task]}}
        assert (await alice.say("subscriptions/listen", news))["code"] == -32021
        assert (len(shop.store.kept), shop.states) == (1, ["pending"])


async def test_the_server_says_that_it_has_tasks_and_what_needs_nobody_is_answered_at_once() -> None:
    async with running_shop() as shop, following(shop) as alice:
        assert (await alice.say("server/discover", {}))["capabilities"]["extensions"] == {TASKS: {}}
        assert (await alice.call("look", ORDERS))["structuredContent"] == {"result": "orders"}


async def test_a_no_ends_the_task_with_its_reason() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(shop, "deny", "not on a Friday")
        for _ in range(2):
            ended = await alice.poll(task)
            assert (ended["status"], ended["result"]["isError"]) == ("completed", False)
            told = ended["result"]["structuredContent"]
            assert (told["status"], told["summary"]) == ("denied", "frank denied drop: not on a Friday")
        assert shop.ran == []


async def test_a_task_that_is_withdrawn_is_cancelled_and_so_is_its_approval() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        acknowledged = await alice.say("tasks/cancel", {"taskId": task})
        assert {name for name in acknowledged if name != "_meta"} == {"resultType"}
        assert shop.states == ["cancelled"]
        assert (await alice.poll(task))["status"] == "cancelled"
        assert await alice.say("tasks/cancel", {"taskId": task}) == acknowledged
        ran = [fact.tool for fact in shop.audit.facts if fact.kind == "call-started"]
        assert ran == ["approvals_cancel", "approvals_cancel"]


async def test_input_for_a_task_is_acknowledged_and_changes_nothing() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        answers = {"gate": {"action": "accept", "content": {"decision": "approve"}}}
        sent = await alice.say("tasks/update", {"taskId": task, "inputResponses": answers})
        assert sent["resultType"] == "complete"
        assert ((await alice.poll(task))["status"], shop.states, shop.ran) == ("working", ["pending"], [])


async def test_a_task_that_nobody_answered_in_time_has_failed() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        shop.clock.seconds += 3601
        ended = await alice.poll(task)
        assert (ended["status"], ended["error"]["data"]["code"]) == ("failed", "approval-state")
        assert "expired" in ended["error"]["message"]
        assert len(shop.store.kept) == 1


async def test_what_can_be_answered_in_the_client_is_asked_before_it_is_a_task() -> None:
    async with running_shop() as shop, following(shop) as alice:
        alice.capabilities = {**DECLARED, "elicitation": {}}
        assert (await alice.call("purge", ORDERS))["resultType"] == "input_required"
        alice.capabilities = DECLARED
        assert (await alice.call("purge", ORDERS))["resultType"] == "task"
        assert len(shop.store.kept) == 1


async def test_what_a_body_asks_for_late_and_what_is_too_long_for_a_name_are_tickets() -> None:
    async with running_shop() as shop, following(shop, interactive=False) as alice:
        assert (await alice.call("shrink", ORDERS))["structuredContent"]["status"] == "approval_required"
        long = "".join(chr(0x100 + n * 7919 % 20000) for n in range(1500))
        assert (await alice.call("drop", {"table": long}))["structuredContent"]["status"] == "approval_required"


# whose it is


async def test_a_task_is_one_persons_and_reads_to_all_others_as_none() -> None:
    async with running_shop() as shop, following(shop) as alice, following(shop, "bob") as bob:
        task = await alice.begin("drop", ORDERS)
        async with following(shop, program=CHAT) as through_a_program:
            for other in (bob, through_a_program):
                for method in ("tasks/get", "tasks/update", "tasks/cancel"):
                    assert await other.say(method, {"taskId": task, "inputResponses": {}}) == NO_SUCH_TASK
        await decide(shop)
        assert await bob.poll(task) == NO_SUCH_TASK
        assert (shop.ran, shop.states) == ([], ["approved"])
        assert [fact.code for fact in shop.audit.facts if fact.kind == "call-refused"][-1] == "no-such-task"


async def test_a_name_that_was_altered_or_invented_is_no_task() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(shop)
        sealed = task.partition(":")[0]
        turned = sealed[:-2] + ("A" if sealed[-2] != "A" else "B") + sealed[-1]
        forged = [f"{turned}:drop", f"{sealed}:look", f"{sealed}:purge", f"{sealed}:", sealed, f"{shop.last}:drop"]
        for name in (*forged, "v1.AAAA:drop", ":drop", "x" * 2000):
            refused = await alice.poll(name)
            assert refused["code"] == -32602, name
        assert (shop.ran, shop.states) == ([], ["approved"])


async def test_a_state_of_a_question_is_no_task_and_a_task_no_state() -> None:
    async with running_shop() as shop, following(shop) as alice:
        alice.capabilities = {**DECLARED, "elicitation": {}}
        asked = await alice.call("purge", ORDERS)
        assert await alice.poll(f"{asked['requestState']}:purge") == NO_SUCH_TASK
        alice.capabilities = DECLARED
        task = await alice.begin("purge", ORDERS)
        alice.capabilities = {**DECLARED, "elicitation": {}}
        state = task.partition(":")[0]
        replayed = await alice.say("tools/call", {"name": "purge", "arguments": ORDERS, "requestState": state})
        assert replayed["message"] == "Invalid or expired requestState"


# what changed meanwhile


async def test_a_task_survives_its_server_and_any_replica_may_be_polled() -> None:
    async with running_shop() as first, following(first) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(first)
        async with running_shop(KEY, first.store) as second, following(second) as elsewhere:
            assert (await elsewhere.poll(task))["status"] == "completed"
            assert (first.ran, second.ran) == ([], ["dropped orders"])
        over = await alice.poll(task)
        assert (over["code"], over["data"]["code"]) == (-32602, "task-over")
        assert "ran once" in over["message"]
        another = running_shop(b"the key of another installation..", first.store)
        async with another as other, following(other) as stranger:
            assert await stranger.poll(task) == NO_SUCH_TASK


async def test_rules_that_changed_void_the_yes_and_the_task() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(shop)
        whole = shop.snapshots.snapshot
        rows = tuple(replace(row, who=parse_who("group:data-eng")) for row in whole.rows["shop"])
        shop.snapshots.snapshot = replace(whole, revision=2, rows={"shop": rows})
        assert wrong_in(await alice.poll(task)) == "approval-differs"
        assert (shop.ran, shop.states) == ([], ["approved"])


async def test_a_tool_that_its_caller_lost_is_no_task_any_more() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(shop)
        narrowed(shop, "group:nobody-at-all")
        for method in ("tasks/get", "tasks/update", "tasks/cancel"):
            assert await alice.say(method, {"taskId": task}) == NO_SUCH_TASK
        assert (shop.ran, shop.states) == ([], ["approved"])


async def test_what_needs_nobody_any_more_is_not_run_by_polls() -> None:
    needs = ["approve"]

    def build(ran: list[str]) -> Server:
        server = Server("shop", owner="data", support="#data")

        @server.tool(policy="everyone", effect="write", minutes_saved=1, approval=lambda *_: needs[0])
        async def paint(table: str) -> str:
            """Paint a table."""
            ran.append(table)
            return table

        return server

    async with running_shop(build=build) as shop, following(shop) as alice:
        task = await alice.begin("paint", ORDERS)
        await decide(shop)
        needs[0] = "none"
        for _ in range(3):
            assert wrong_in(await alice.poll(task)) == "approval-differs"
        assert (shop.ran, shop.states) == ([], ["approved"])


# once, and not more


async def test_of_many_polls_at_once_in_two_processes_one_makes_the_call() -> None:
    async with running_shop() as first, running_shop(KEY, first.store) as second:
        async with following(first) as alice, following(second) as elsewhere:
            task = await alice.begin("drop", ORDERS)
            await decide(first)
            ended: list[dict[str, Any]] = []

            async def poll(follower: Follower) -> None:
                ended.append(await follower.poll(task))

            async with anyio.create_task_group() as polls:
                for _ in range(20):
                    polls.start_soon(poll, alice)
                    polls.start_soon(poll, elsewhere)
        assert first.ran + second.ran == ["dropped orders"]
        assert {each.get("status", each.get("code")) for each in ended} <= {"completed", "working", -32602}
        assert [fact.kind for fact in first.store.facts].count("approval-spent") == 1


async def test_a_result_can_be_read_again_for_minutes_and_is_then_told_no_more() -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        await decide(shop)
        first = await alice.poll(task)
        shop.clock.seconds += 200
        again = await alice.poll(task)
        assert again["result"] == first["result"]
        shop.clock.seconds += 200
        assert (await alice.poll(task))["data"]["code"] == "task-over"
        assert shop.ran == ["dropped orders"]


async def test_polls_that_come_too_often_ask_the_registry_once_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_shop() as shop, following(shop) as alice:
        task = await alice.begin("drop", ORDERS)
        looks: list[str] = []
        one = type(shop.store).one

        async def counted(store: Any, record_id: str) -> Any:
            looks.append(record_id)
            return await one(store, record_id)

        monkeypatch.setattr(type(shop.store), "one", counted)
        for _ in range(30):
            assert (await alice.poll(task))["status"] == "working"
        assert len(looks) == 1
        shop.clock.seconds += 2
        await alice.poll(task)
        assert len(looks) == 2


# calls that take longer than a poll


@dataclass
class Slow:
    """A server whose tools end when they are let."""

    may_end: anyio.Event = field(default_factory=anyio.Event)
    began: anyio.Event = field(default_factory=anyio.Event)

    def build(self, ran: list[str]) -> Server:
        server = Server("shop", owner="data", support="#data")

        @server.tool(policy="everyone", effect="destructive", minutes_saved=1)
        async def melt(table: str) -> str:
            """Melt a table, slowly."""
            self.began.set()
            await self.may_end.wait()
            ran.append(table)
            return table

        @server.tool(policy="everyone", effect="destructive", minutes_saved=1)
        async def sing(table: str, ctx: Context[Any, Any]) -> str:
            """Sing of a table while it melts."""
            self.began.set()
            await self.may_end.wait()
            await ctx.report_progress(1, 2)
            ran.append(table)
            return table

        return server


@pytest.mark.parametrize("tool", ["melt", "sing"])
async def test_a_call_goes_on_when_the_client_that_polled_leaves_and_is_told_later(tool: str) -> None:
    slow = Slow()
    async with running_shop(build=slow.build) as shop, following(shop) as alice:
        task = await alice.begin(tool, ORDERS)
        await decide(shop)
        async with anyio.create_task_group() as polls:
            polls.start_soon(alice.poll, task)
            await slow.began.wait()
            polls.cancel_scope.cancel()
        async with shop.http() as http:
            again = Follower(http, shop.url)
            slow.may_end.set()
            done = await again.poll(task)
        assert (done["status"], done["result"]["structuredContent"]) == ("completed", {"result": "orders"})
        assert (shop.ran, shop.states) == (["orders"], ["consumed"])
        assert shop.audit.kinds().count("call-finished") == 1


async def test_a_server_that_stops_lets_the_calls_of_tasks_end() -> None:
    slow = Slow()
    async with running_shop(build=slow.build) as shop:
        async with shop.http() as http:
            alice = Follower(http, shop.url)
            task = await alice.begin("melt", ORDERS)
            await decide(shop)
            async with anyio.create_task_group() as polls:
                polls.start_soon(alice.poll, task)
                await slow.began.wait()
                polls.cancel_scope.cancel()
        slow.may_end.set()
    assert (shop.ran, shop.states) == (["orders"], ["consumed"])
    assert shop.audit.kinds()[-1] == "call-finished"
