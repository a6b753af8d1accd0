"""The caller's own yes, asked in their client: in both revisions, over a real socket, by the official client."""

from typing import Any

import anyio
import orjson
import pytest
from mcp_types import ElicitRequestFormParams, ElicitResult
from tests.confirming import CHAT, ERAS, acting, choosing, running_shop, told

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("era", ERAS)]


async def test_what_the_person_confirms_runs_once_and_is_asked_for_anew(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        assert told(await client.call_tool("purge", {"table": "orders"})) == {"result": "orders is empty"}
        assert (shop.ran, shop.states) == (["orders"], ["consumed"])
        await client.call_tool("purge", {"table": "orders"})
        assert (shop.ran, shop.states) == (["orders", "orders"], ["consumed", "consumed"])
        assert len(shop.asked) == 2
        assert shop.asked[0].message != shop.asked[1].message


async def test_the_question_tells_the_exact_call_and_offers_its_choices(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        await client.call_tool("purge", {"table": "x\u202eof\nApproved?", "reason": "Aufräumen"})
        (asked,) = shop.asked
        lines = asked.message.splitlines()
        assert lines[0] == "Run purge of shop in prod?"
        assert '  table: "x\\u202eof\\nApproved?"' in lines
        assert '  reason: "Aufräumen"' in lines
        assert lines[-1] == f"{shop.last}, open until 2023-11-14T22:23:20Z"
        assert asked.requested_schema["properties"]["decision"]["oneOf"] == [
            {"const": "approve", "title": "Approve once"},
            {"const": "remember", "title": "Approve, and for 8 hours whenever exactly this is sent"},
            {"const": "deny", "title": "Deny"},
        ]
        assert asked.requested_schema["required"] == ["decision"]


async def test_the_record_tells_who_was_shown_what_before_they_answered(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        await client.call_tool("purge", {"table": "orders"})
        shown = next(fact for fact in shop.audit.facts if fact.kind == "approval-shown")
        made = next(fact for fact in shop.store.facts if fact.kind == "approval-decided")
        assert (shown.to, shown.how, shown.surface, shown.approval_id) == ("alice", "form", "ide", shop.last)
        assert (made.by, made.how, made.verdict, made.digest) == ("alice", "form", "approve", shown.digest)
        assert shop.audit.kinds().index("approval-shown") < shop.audit.kinds().index("call-started")
        assert [fact.kind for fact in shop.store.facts].count("approval-spent") == 1


@pytest.mark.parametrize("answer", [choosing("deny"), acting("decline")])
async def test_a_no_denies_and_stays_a_no(era: str, answer: Any) -> None:
    async with running_shop() as shop, shop.client(era, answer) as client:
        assert told(await client.call_tool("purge", {"table": "orders"}))["status"] == "denied"
        assert told(await client.call_tool("purge", {"table": "orders"}))["status"] == "denied"
        assert (shop.ran, shop.states, len(shop.asked)) == ([], ["denied"], 1)


async def test_no_answer_leaves_it_waiting_and_returns_the_ticket(era: str) -> None:
    async with running_shop() as shop, shop.client(era, acting("cancel")) as client:
        waits = told(await client.call_tool("purge", {"table": "orders"}))
        assert (waits["status"], waits["approval"]["id"]) == ("approval_required", shop.last)
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_an_answer_that_is_none_of_the_choices_decides_nothing(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("whatever")) as client:
        wrong = await client.call_tool("purge", {"table": "orders"})
        assert wrong.is_error
        assert orjson.loads(wrong.content[0].text)["error"]["code"] == "bad-answer"
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_an_agent_that_claims_to_show_forms_is_asked_nothing(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve"), interactive=False) as client:
        assert told(await client.call_tool("purge", {"table": "orders"}))["status"] == "approval_required"
        assert (shop.ran, shop.states, shop.asked) == ([], ["pending"], [])


async def test_a_client_without_forms_gets_the_ticket(era: str) -> None:
    async with running_shop() as shop, shop.client(era, None) as client:
        assert told(await client.call_tool("purge", {"table": "orders"}))["status"] == "approval_required"
        assert (shop.ran, shop.states) == ([], ["pending"])


async def test_what_another_person_has_to_approve_is_put_into_no_form(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        waits = told(await client.call_tool("drop", {"table": "orders"}))
        assert (waits["status"], shop.asked, shop.ran) == ("approval_required", [], [])


async def test_a_body_that_asks_late_asks_in_the_client_too(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        assert told(await client.call_tool("shrink", {"table": "orders"})) == {"result": "orders"}
        assert (shop.ran, shop.states, len(shop.asked)) == (["shrunk orders"], ["consumed"], 1)
        assert "it has 5000 rows" in shop.asked[0].message


async def test_arguments_too_long_for_a_form_are_decided_on_the_page(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        assert told(await client.call_tool("purge", {"table": "x" * 3000}))["status"] == "approval_required"
        assert shop.asked == []


async def test_a_person_through_a_program_they_sit_before_is_asked(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve"), program=CHAT) as client:
        assert told(await client.call_tool("purge", {"table": "orders"})) == {"result": "orders is empty"}
        assert (shop.ran, len(shop.asked)) == (["orders"], 1)


async def test_ten_at_once_run_it_once_for_each_yes(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("approve")) as client:
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(client.call_tool, "purge", {"table": "orders"})
        spent = [fact for fact in shop.store.facts if fact.kind == "approval-spent"]
        yeses = [fact for fact in shop.store.facts if fact.kind == "approval-decided"]
        assert len(shop.ran) == len(spent) <= len(yeses)


async def test_what_is_decided_on_the_page_meanwhile_counts(era: str) -> None:
    async with running_shop() as shop:

        async def late(params: ElicitRequestFormParams) -> ElicitResult:
            await shop.deny_on_the_page()
            return await choosing("approve")(params)

        async with shop.client(era, late) as client:
            assert told(await client.call_tool("purge", {"table": "orders"}))["status"] == "denied"
            assert shop.ran == []


async def test_a_client_that_takes_anothers_name_is_asked_all_the_same(era: str) -> None:
    """The choice is that of the client whose token it was, whatever any client calls itself."""
    async with running_shop() as shop:
        async with shop.client(era, choosing("remember")) as client:
            await client.call_tool("purge", {"table": "orders"})
        shop.token_of = "client-2"
        async with shop.client(era, choosing("deny")) as impostor:
            await impostor.call_tool("purge", {"table": "orders"})
        names = {record.proposal.client for record in shop.store.kept.values()}
        assert (len(names), len(shop.asked), shop.ran) == (1, 2, ["orders"])
        shop.token_of = "client-1"
        async with shop.client(era, None) as client:
            await client.call_tool("purge", {"table": "people"})
        assert {record.proposal.client_id for record in shop.store.kept.values()} == {"client-1", "client-2"}


async def test_what_is_remembered_in_the_form_is_not_asked_again(era: str) -> None:
    async with running_shop() as shop, shop.client(era, choosing("remember")) as client:
        for _ in range(3):
            assert told(await client.call_tool("purge", {"table": "orders"})) == {"result": "orders is empty"}
        assert (len(shop.asked), shop.ran, shop.states) == (1, ["orders"] * 3, ["consumed"] * 3)
        await client.call_tool("purge", {"table": "people"})
        assert len(shop.asked) == 2
        hows = [fact.how for fact in shop.store.facts if fact.kind == "approval-decided"]
        assert hows == ["form", "remembered", "remembered", "form"]
