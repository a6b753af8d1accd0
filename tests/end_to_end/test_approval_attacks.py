"""Attacks on approvals from outside: what an agent, a stranger, an approver or a restart can send is tried on a
platform of real processes. What ran stands in a file outside of it.

The table of all attacks and where each is tried: docs/explanation/approval-attacks.md.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.rigs.clerks import Clerks, Said, asked
from tests.rigs.parts import GATEWAYS, META, ROLES, Parts, call_body, call_headers, nursery_in, parts

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

#: Ids that are none, as a path holds them.
MALFORMED = ("apr_", "apr_" + "x" * 3000, "apr_%00", "%FF", "..%2f..", "'%20OR%201=1--", "%E2%80%AE", "0")


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    """One platform; each test has a clerk and entries of its own, and leaves all parts running."""
    folder = tmp_path_factory.mktemp("attacks")
    with nursery_in(folder / "plugins") as nursery, parts(folder / "platform", nursery, clerks=30) as running:
        yield running


Story = Callable[[Callable[[Clerks], Awaitable[None]]], None]


@pytest.fixture
def story(part: Parts) -> Story:
    def told(telling: Callable[[Clerks], Awaitable[None]]) -> None:
        async def main() -> None:
            await telling(Clerks(part))

        asyncio.run(main())

    return told


async def raw(clerks: Clerks, person: str, body: object, **headers: str) -> Said:
    """A call as its bytes are given, by one gateway or the other in turn."""
    sent = {**call_headers(clerks.part, await clerks.token(person, "ledger")), **headers}
    return await asked(clerks.part.url(GATEWAYS[0]), "POST", "/mcp/ledger", sent, body)


def test_nothing_that_an_agent_says_of_itself_approves_its_call(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        ticket = (await clerks.call("clerk-0", "forged")).ticket
        arguments = {"entry": "forged"}
        claims = {"approved": True, "approval": ticket, "io.pierhead/approval": {"id": ticket, "state": "approved"}}
        forged: list[dict[str, Any]] = [
            {**call_body({**arguments, **claims})},
            call_body({**arguments, "approval_id": ticket}),
            _with(call_body(arguments), _meta={**META, **claims}),
            _with(call_body(arguments), inputResponses={"decision": {"action": "accept", "content": claims}}),
            _with(call_body(arguments), requestState="eyJhcHByb3ZlZCI6dHJ1ZX0", inputResponses={}),
            _with(call_body(arguments), **claims),
        ]
        for body in forged:
            assert not (await raw(clerks, "clerk-0", body)).has_run, body
        headed = {"x-pierhead-approval": ticket, "pierhead-approved-by": "frank", "x-approval": "approved"}
        assert (await raw(clerks, "clerk-0", call_body(arguments), **headed)).ticket == ticket
        assert part.effects()["forged"] == 0

    story(telling)


def _with(body: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {**body, "params": {**body["params"], **members}}


def test_another_form_is_the_same_call_and_another_meaning_is_another(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        first = (await clerks.call("clerk-1", "caf\u00e9")).ticket
        body = json.dumps(call_body("ARGUMENTS"))
        same = (
            '{"entry":"caf\\u00e9"}',
            '{ "entry" :\n\t"caf\\u00E9" }',
            '{"hang":false,"entry":"c\\u0061f\u00e9"}',
            '{"entry":"caf\u00e9","hang":false}',
        )
        for form in same:
            answer = await raw(clerks, "clerk-1", body.replace('"ARGUMENTS"', form).encode())
            assert answer.ticket == first, form
        others = ("cafe\u0301", "caf\u00e9 ", "CAF\u00c9", "\u0441af\u00e9")
        tickets = [(await clerks.call(f"clerk-{2 + n % 2}", other)).ticket for n, other in enumerate(others)]
        tickets.append((await clerks.call("clerk-2", "caf\u00e9")).ticket)
        assert len({first, *tickets}) == 1 + len(tickets)
        assert (await clerks.answer(first)).status == 200
        for number, other in enumerate(others):
            assert not (await clerks.call(f"clerk-{2 + number % 2}", other)).has_run
        assert (await raw(clerks, "clerk-1", body.replace('"ARGUMENTS"', same[2]).encode())).has_run

    story(telling)


def test_ids_that_are_malformed_absent_or_foreign_say_the_same_and_do_nothing(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        foreign = (await clerks.call("clerk-4", "foreign")).ticket
        bodies: dict[str, object] = {
            "decisions": {"verdict": "approve", "digest": "0" * 64},
            "cancel": {},
            "settle": {"comment": "x"},
        }
        for known in (foreign, "apr_absent", *MALFORMED):
            found = [await clerks.api("clerk-5", "GET", f"/approvals/{known}")]
            found += [
                await clerks.api("mallory", "POST", f"/approvals/{known}/{step}", body) for step, body in bodies.items()
            ]
            assert {answer.status for answer in found} == {404}, (known, found)
            if known not in MALFORMED:
                assert {answer.document["code"] for answer in found} == {"not-found"}
        for server_route in ("spend", "finish", ""):
            path = f"/internal/v1/approvals/{foreign}/{server_route}".rstrip("/")
            outside = await asked(part.public_url, "POST", path, {"authorization": "Bearer x"}, {})
            assert outside.status in {401, 403, 404}
        assert (await clerks.api("clerk-4", "GET", f"/approvals/{foreign}")).document["state"] == "pending"
        ids = [(await clerks.call(f"clerk-{6 + n % 3}", f"id-{n}")).ticket for n in range(9)]
        assert len({each[:8] for each in ids}) == 9, "ids that resemble each other can be guessed"

    story(telling)


def test_whoever_approves_and_denies_at_once_one_of_them_decides(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        for number in range(8):
            entry, clerk = f"at-once-{number}", f"clerk-{9 + number % 4}"
            ticket = (await clerks.call(clerk, entry)).ticket
            answers = await asyncio.gather(clerks.answer(ticket, "approve"), clerks.answer(ticket, "deny", "gina"))
            assert sorted(answer.status for answer in answers)[:1] == [200]
            assert [answer.status for answer in answers].count(200) == 1
            was_approved = answers[0].status == 200
            told = await clerks.call(clerk, entry)
            assert told.has_run == was_approved
            assert told.result.get("status") == (None if was_approved else "denied")
            assert part.effects()[entry] == was_approved

    story(telling)


def test_nobody_approves_what_they_asked_for_by_any_road(part: Parts, story: Story) -> None:
    """Ivy may do both: call the ledger, and approve calls of others."""

    async def telling(clerks: Clerks) -> None:
        ticket = (await clerks.call("ivy", "own")).ticket
        for verdict in ("approve", "deny"):
            answer = await clerks.answer(ticket, verdict, "ivy")
            assert (answer.status, answer.document["code"]) == (403, "not-yours")
        other = (await clerks.call("clerk-13", "others")).ticket
        assert (await clerks.answer(other, person="ivy")).status == 200
        assert (await clerks.call("clerk-13", "others")).has_run
        assert not (await clerks.call("ivy", "own", GATEWAYS[1])).has_run
        assert part.effects()["own"] == 0

    story(telling)


def test_what_was_withdrawn_takes_no_answer_and_the_same_call_asks_anew(story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        ticket = (await clerks.call("clerk-14", "withdrawn")).ticket
        for person, wanted in (("frank", 404), ("clerk-15", 404), ("clerk-14", 200), ("clerk-14", 409)):
            assert (await clerks.api(person, "POST", f"/approvals/{ticket}/cancel", {})).status == wanted
        late = await clerks.answer(ticket)
        assert (late.status, late.document["code"]) == (409, "approval-state")
        again = await clerks.call("clerk-14", "withdrawn")
        assert again.ticket not in {"", ticket}

    story(telling)


def test_a_yes_survives_a_restart_of_everything_and_is_used_once(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        ticket = (await clerks.call("clerk-16", "survives")).ticket
        assert (await clerks.answer(ticket)).status == 200
        for role in ROLES:
            part.kill(role)
        for role in ROLES:
            part.start(role)
        assert (await clerks.call("clerk-16", "survives", GATEWAYS[1])).has_run
        assert (await clerks.call("clerk-16", "survives")).ticket not in {"", ticket}
        assert part.effects()["survives"] == 1

    story(telling)


def test_who_lost_the_group_decides_no_more_and_their_yes_is_void(part: Parts, story: Story) -> None:
    """Frank agrees to one call and leaves the group; the token that he holds still names it."""

    async def telling(clerks: Clerks) -> None:
        agreed = (await clerks.call("clerk-17", "agreed")).ticket
        waits = (await clerks.call("clerk-17", "waits")).ticket
        assert (await clerks.answer(agreed)).status == 200
        with _changed(part, "frank: {groups: [platform-admin]}", "frank: {groups: [clerks]}", "registry"):
            told = await clerks.call("clerk-17", "agreed")
            assert not told.has_run
            assert told.ticket not in {"", agreed}
            assert (await clerks.api("gina", "GET", f"/approvals/{agreed}")).document["state"] == "superseded"
            for verdict in ("approve", "deny"):
                late = await clerks.answer(waits, verdict)
                assert (late.status, late.document["code"]) == (403, "not-yours")
            assert not (await clerks.call("clerk-17", "waits")).has_run
        assert part.effects()["agreed"] == part.effects()["waits"] == 0

    story(telling)


def test_another_version_of_the_tool_needs_another_yes(part: Parts, story: Story) -> None:
    async def telling(clerks: Clerks) -> None:
        ticket = (await clerks.call("clerk-18", "version")).ticket
        assert (await clerks.answer(ticket)).status == 200
        with _changed(part, "    edition: 1.0.0", "    edition: 1.0.1", "server"):
            await _until_decided_by(clerks, "1.0.1")
            assert (await clerks.call("clerk-18", "version")).ticket not in {"", ticket}
            state = (await clerks.api("gina", "GET", f"/approvals/{ticket}")).document["state"]
            assert state == "superseded"
        assert part.effects()["version"] == 0

    story(telling)


@contextmanager
def _changed(part: Parts, before: str, after: str, role: str) -> Generator[None]:
    """The fleet file with another text while the block runs, and the part that reads it at its start."""
    file = part.folder / "fleet.yaml"
    text = file.read_text()
    assert before in text
    try:
        for content in (text.replace(before, after), text):
            file.write_text(content)
            part.kill(role)
            part.start(role)
            if content != text:
                yield
    finally:
        file.write_text(text)


async def _until_decided_by(clerks: Clerks, version: str) -> None:
    """Until that version is what the server itself decides by: the registry was told, and the policy is everywhere."""
    for _ in range(300):
        ticket = (await clerks.call("clerk-19", "probe")).ticket
        shown = await clerks.api("gina", "GET", f"/approvals/{ticket}") if ticket else None
        if shown is not None and shown.document.get("version") == version:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"the server does not decide by {version}")
