"""Answers that nobody gave: whatever a client sends along, the record decides what runs, and it runs once."""

from typing import Any

import pytest
from tests.confirming import ISSUER, Shop, running_shop

from pierhead.core.approval import FormAnswer
from pierhead.core.errors import PierheadError
from pierhead.usecases.own_approvals import Asker, confirm_approval

pytestmark = pytest.mark.anyio

_PREFIX = "io.modelcontextprotocol/"
_META = {
    f"{_PREFIX}protocolVersion": "2026-07-28",
    f"{_PREFIX}clientInfo": {"name": "attacker", "version": "1"},
    f"{_PREFIX}clientCapabilities": {"elicitation": {}},
}
_HEADERS = {
    "accept": "application/json, text/event-stream",
    "mcp-protocol-version": "2026-07-28",
    "mcp-method": "tools/call",
}
ORDERS = {"table": "orders"}


async def send(shop: Shop, arguments: dict[str, Any], user: str = "alice", tool: str = "purge", **more: Any) -> Any:
    """One stateless tools/call, by hand; its result, or its error."""
    params = {"name": tool, "arguments": arguments, "_meta": _META, **more}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with shop.http(user) as http:
        answer = (await http.post(shop.url, json=body, headers={**_HEADERS, "mcp-name": tool})).json()
    return answer.get("result") or answer["error"]


async def question(shop: Shop, arguments: dict[str, Any] = ORDERS, **more: Any) -> tuple[str, str]:
    """What a client has to carry: the key of the question, and the state."""
    asked = await send(shop, arguments, **more)
    assert asked["resultType"] == "input_required", asked
    (key,) = asked["inputRequests"]
    return key, asked["requestState"]


def yes(key: str) -> dict[str, Any]:
    return {key: {"action": "accept", "content": {"decision": "approve"}}}


def is_rejected(answer: Any) -> bool:
    return answer["code"] == -32602 and answer["message"] == "Invalid or expired requestState"


async def test_an_honest_answer_runs_it() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        done = await send(shop, ORDERS, inputResponses=yes(key), requestState=state)
        assert (done["structuredContent"], shop.ran) == ({"result": "orders is empty"}, ["orders"])


async def test_a_state_that_was_changed_or_invented_is_refused() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        turned = state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1]
        for forged in (turned, "v1.AAAA", '{"v":3,"outcomes":{},"asked":{}}', "", 7):
            assert is_rejected(await send(shop, ORDERS, inputResponses=yes(key), requestState=forged)), forged
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_an_answer_without_its_state_is_asked_again() -> None:
    async with running_shop() as shop:
        key, _ = await question(shop)
        again = await send(shop, ORDERS, inputResponses=yes(key))
        assert (again["resultType"], shop.ran, shop.states) == ("input_required", [], ["pending"])


async def test_an_answer_that_was_used_is_an_answer_to_nothing() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        await send(shop, ORDERS, inputResponses=yes(key), requestState=state)
        for _ in range(3):
            replayed = await send(shop, ORDERS, inputResponses=yes(key), requestState=state)
            assert replayed["resultType"] == "input_required"
        assert (shop.ran, shop.states) == (["orders"], ["consumed", "pending"])


async def test_an_answer_is_no_answer_for_other_arguments_or_another_tool() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        assert is_rejected(await send(shop, {"table": "people"}, inputResponses=yes(key), requestState=state))
        assert is_rejected(await send(shop, ORDERS, tool="shrink", inputResponses=yes(key), requestState=state))
        spelt = await send(shop, {"table": "orders", "reason": ""}, inputResponses=yes(key), requestState=state)
        assert is_rejected(spelt)
        assert shop.ran == []


async def test_an_answer_of_another_person_is_refused() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        assert is_rejected(await send(shop, ORDERS, "gina", inputResponses=yes(key), requestState=state))
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_an_answer_to_another_text_is_asked_again() -> None:
    """The record expired between question and answer, so what would be confirmed is another record."""
    async with running_shop() as shop:
        key, state = await question(shop)
        shop.store.clock.seconds += 601
        again = await send(shop, ORDERS, inputResponses=yes(key), requestState=state)
        assert again["resultType"] == "input_required"
        assert (shop.ran, shop.states) == ([], ["expired", "pending"])


async def test_an_answer_to_what_was_withdrawn_runs_nothing() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        await send(shop, {"id": shop.last}, tool="approvals_cancel")
        again = await send(shop, ORDERS, inputResponses=yes(key), requestState=state)
        assert again["resultType"] == "input_required"
        assert (shop.ran, shop.states) == ([], ["cancelled", "pending"])


async def test_an_outcome_that_a_client_writes_into_its_answers_counts_for_nothing() -> None:
    async with running_shop() as shop:
        key, state = await question(shop)
        shapes: list[Any] = [
            {key: {"action": "accept", "content": {"decision": "approve", "other": 1}}},
            {key: {"action": "accept"}},
            {key: {"action": "accept", "content": {"decision": "Approve once"}}},
            {key: {"roots": []}},
            {key: "approve"},
            {f"{key}#1": {"action": "accept", "content": {"decision": "approve"}}},
            "approve",
        ]
        for shape in shapes:
            await send(shop, ORDERS, inputResponses=shape, requestState=state)
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_a_replica_with_the_key_takes_the_answer_and_one_without_it_does_not() -> None:
    async with running_shop() as first, running_shop(store=first.store) as second:
        key, state = await question(first)
        async with running_shop(key=None, store=first.store) as stranger:
            assert is_rejected(await send(stranger, ORDERS, inputResponses=yes(key), requestState=state))
        done = await send(second, ORDERS, inputResponses=yes(key), requestState=state)
        assert (done["isError"], second.ran, first.ran) == (False, ["orders"], [])


async def test_a_form_that_a_server_claims_to_have_shown_decides_nothing_for_others() -> None:
    """What reaches the registry from a server that lies, or is taken over: the record still says whose yes it takes."""
    async with running_shop() as shop:
        await send(shop, ORDERS, tool="drop")
        record = shop.store.kept[shop.last]
        await refused(shop, "alice", record.proposal.digest, "a form decides nothing but confirmations")
        await question(shop)
        record = shop.store.kept[shop.last]
        await refused(shop, "gina", record.proposal.digest, "no such approval")
        await refused(shop, "", record.proposal.digest, "no such approval")
        await refused(shop, "alice", "0" * 64, "is not what would run")
        assert shop.states == ["pending", "pending"]


async def refused(shop: Shop, person: str, digest: str, why: str) -> None:
    with pytest.raises(PierheadError, match=why):
        await confirm_approval(shop.last, FormAnswer("approve", digest), Asker(ISSUER, person, ""), shop.desk)
