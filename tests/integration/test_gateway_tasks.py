"""Tasks at the gateway: a poll is a call of the tool that its task names, and is decided and recorded as that."""

import json

import httpx2
import pytest
from tests.integration.test_gateway import OK, error, kinds, plain
from tests.rigs.gateway import META, Rig, gateway, headers, message, serving

from pierhead.core.audit import CallFinished, CallRefused, CallStarted

pytestmark = pytest.mark.anyio

TASK = "v1.sealed:echo"


async def ask(rig: Rig, method: str, task: str, name: str | None = None) -> httpx2.Response:
    return await rig.post(message(method, {"taskId": task}), method=method, name=task if name is None else name)


async def test_a_poll_is_on_record_as_a_call_of_its_tool_and_carried_unchanged() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        answer = await ask(rig, "tasks/get", TASK)
        assert (answer.status_code, answer.content) == (200, OK)
        started, finished = rig.audit.facts
        assert isinstance(started, CallStarted)
        assert isinstance(finished, CallFinished)
        assert (started.tool, started.actor.person, finished.outcome) == ("echo", "alice", "relayed")
        sent, text = app.asked[0]
        assert (sent[b"mcp-name"], json.loads(text)["params"]["taskId"]) == (TASK.encode(), TASK)


async def test_a_task_of_a_tool_that_its_caller_may_not_use_reads_as_one_that_is_not_there() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        hidden = await ask(rig, "tasks/get", "v1.sealed:drop")
        called = await rig.call("drop")
        assert (hidden.status_code, error(hidden)) == (called.status_code, error(called))
        assert [type(fact) for fact in rig.audit.facts] == [CallRefused, CallRefused]
        assert app.asked == []


async def test_a_name_in_the_header_that_is_not_the_tasks_is_refused() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        for name in ("v1.sealed:other", "v1.other:echo", "echo"):
            refused = await ask(rig, "tasks/get", TASK, name)
            assert (refused.status_code, error(refused)["code"]) == (400, -32020)
        assert app.asked == []


async def test_to_withdraw_is_on_record_and_a_task_that_is_none_of_ours_is_carried_as_a_message() -> None:
    async with serving(plain()) as server, gateway(f"{server}/mcp") as rig:
        await ask(rig, "tasks/cancel", TASK)
        assert (rig.audit.facts[0].tool, kinds(rig)) == ("tasks/cancel", ["call-started", "call-finished"])
        await ask(rig, "tasks/get", "somebody-elses")
        await ask(rig, "tasks/update", TASK)
        assert len(kinds(rig)) == 2


async def test_who_may_not_reach_the_server_polls_nothing() -> None:
    app = plain()
    async with serving(app) as server, gateway(f"{server}/mcp", access="group:legal") as rig:
        for task in (TASK, "somebody-elses"):
            assert error(await ask(rig, "tasks/get", task))["data"]["code"] == "cannot-reach"
        assert app.asked == []


async def test_the_front_desk_asks_for_no_task_since_it_could_not_be_polled_there() -> None:
    app = plain()
    able = {"elicitation": {}, "extensions": {"io.modelcontextprotocol/tasks": {}, "com.example/other": {}}}
    params = {"name": "call_tool", "arguments": {"server": "warehouse", "tool": "echo"}}
    params["_meta"] = {**META, "io.modelcontextprotocol/clientCapabilities": able}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    async with serving(app) as server, gateway(f"{server}/mcp") as rig:
        token = rig.token(aud=f"{rig.url}/mcp")
        sent = headers("tools/call", "call_tool", authorization=f"Bearer {token}")
        assert (await rig.client.post(f"{rig.url}/mcp", content=body, headers=sent)).status_code == 200
        asked = json.loads(app.asked[0][1])["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]
        assert asked == {"elicitation": {}, "extensions": {"com.example/other": {}}}
