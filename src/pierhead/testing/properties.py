"""What every server promises, ready to run over an author's own: each is a sentence, and a function that tests it.

They call tools with their declared examples. Above: the fixture `ready_property`. Not here: what one tool means.
"""

# ruff: noqa: S101 - what fails here is read as the failure of a test

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, TextContent

from pierhead.core.approval import Approval
from pierhead.sdk.tool import BoundTool
from pierhead.testing.bench import Bench, Identity
from pierhead.testing.profiles import ERAS, MODERN, PROFILES

_LONGER_THAN_ANY_APPROVAL_S: Final = 7 * 24 * 3600

Property = Callable[[Bench, Identity], Awaitable[None]]


async def denied_callers_see_no_tool(bench: Bench, who: Identity) -> None:
    bench.deny_all()
    for era in ERAS:
        async with bench.client(who, era) as client:
            assert (await client.list_tools()).tools == [], f"a denied caller sees tools in {era}"
            for name, example in _examples(bench):
                said = await _outcome(client, name, example)
                assert said == "refused", f"{name} answered a denied caller: {said}"
    assert "call-started" not in bench.audit.kinds()


async def unknown_arguments_are_refused(bench: Bench, who: Identity) -> None:
    bench.approve_with("approve")
    for era in ERAS:
        async with bench.client(who, era) as client:
            for name, example in _examples(bench):
                started = _started(bench)
                await _outcome(client, name, {**example, "no_such_argument": True})
                assert _started(bench) == started, f"{name} ran with an argument that it does not declare"


async def approvals_are_good_for_one_call_as_it_was_asked(bench: Bench, who: Identity) -> None:
    """Replayed, changed and expired approvals execute nothing."""
    for name, (first, second) in _asking(bench):
        async with bench.client(who, MODERN) as client:
            started, known = _started(bench), len(bench.people.asked)
            await _outcome(client, name, first)
            assert _started(bench) == started, f"{name} ran before anybody agreed"
            assert len(bench.people.asked) == known + 1, f"{name} asked nobody"
            await _agree(bench, known)
            await _outcome(client, name, second)
            assert _started(bench) == started, f"{name} ran with arguments that nobody agreed to"
            bench.clock.seconds += _LONGER_THAN_ANY_APPROVAL_S
            await _outcome(client, name, first)
            assert _started(bench) == started, f"{name} ran by an approval that was over"
            await _agree(bench, len(bench.people.asked) - 1)
            await _outcome(client, name, first)
            assert _started(bench) == started + 1, f"{name} did not run once people agreed"
            await _outcome(client, name, first)
            assert _started(bench) == started + 1, f"{name} ran twice by one approval"
            bench.clock.seconds += _LONGER_THAN_ANY_APPROVAL_S


async def results_keep_within_their_limit(bench: Bench, who: Identity) -> None:
    bench.approve_with("approve")
    async with bench.client(who, MODERN) as client:
        for name, example in _examples(bench):
            result = await _called(client, name, example)
            said = "".join(block.text for block in result.content if isinstance(block, TextContent)) if result else ""
            assert "result-too-large" not in said, f"{name} answers too much: take limit and cursor"


async def lists_are_stable(bench: Bench, who: Identity) -> None:
    for era in ERAS:
        async with bench.client(who, era) as client:
            assert await _listed(client) == await _listed(client), f"the list of tools changes between calls in {era}"


async def both_revisions_agree(bench: Bench, who: Identity) -> None:
    answers: list[tuple[object, Mapping[str, object]]] = []
    reads = [(name, example) for name, example in _examples(bench) if _is_read(bench.server.tools[name])]
    for era in ERAS:
        async with bench.client(who, era) as client:
            told = {f"{name} {example}": await _outcome(client, name, example) for name, example in reads}
            answers.append((await _listed(client), told))
    assert answers[0] == answers[1], "the two protocol revisions answer differently"


async def every_client_can_hold_it(bench: Bench, who: Identity) -> None:
    del who
    names, instructions = list(bench.server.tools), bench.server.low_level.instructions or ""
    for profile in PROFILES.values():
        assert len(names) <= (profile.most_tools or len(names)), f"{profile.name} sends {profile.most_tools} tools"
        longest = max((len(f"mcp_{bench.server.name}_{name}") for name in names), default=0)
        assert longest <= (profile.longest_name or longest), f"{profile.name} cuts names of {longest} characters"
    first = instructions[:512]
    assert first == instructions or first.rstrip()[-1:] in ".!?:;\n" or "\n" in first, (
        "the first 512 characters of the instructions do not stand alone: codex reads no more"
    )


PROPERTIES: Final[Mapping[str, Property]] = {
    property_.__name__.replace("_", " "): property_
    for property_ in (
        denied_callers_see_no_tool,
        unknown_arguments_are_refused,
        approvals_are_good_for_one_call_as_it_was_asked,
        results_keep_within_their_limit,
        lists_are_stable,
        both_revisions_agree,
        every_client_can_hold_it,
    )
}


def _examples(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    return [(name, dict(each)) for name, tool in bench.server.tools.items() for each in tool.declaration.examples]


def _asking(bench: Bench) -> list[tuple[str, tuple[dict[str, Any], dict[str, Any]]]]:
    """The tools that people are asked about, whatever their arguments; a plan's own tests know what to plan."""
    return [
        (name, (dict(tool.declaration.examples[0]), dict(tool.declaration.examples[1])))
        for name, tool in bench.server.tools.items()
        if tool.declaration.approval not in {Approval.NONE, Approval.DENY}
        and tool.declaration.examples
        and not tool.declaration.plan_tool
    ]


def _is_read(tool: BoundTool) -> bool:
    return tool.declaration.effect == "read" and tool.declaration.approval is Approval.NONE


def _started(bench: Bench) -> int:
    return bench.audit.kinds().count("call-started")


async def _agree(bench: Bench, place: int) -> None:
    """Let whoever is needed agree to the record at that place."""
    record = bench.people.asked[place]
    asker = record.proposal.person
    who = (
        [asker]
        if record.proposal.approval is Approval.CONFIRM
        else [each for each in ("ann", "ben", "cleo") if each != asker]
    )
    for person in who[: record.required]:
        await bench.people.decide(record.id, "approve", by=person)


async def _called(client: Client, name: str, arguments: Mapping[str, Any]) -> CallToolResult | None:
    try:
        return await client.call_tool(name, dict(arguments))
    except MCPError:
        return None


async def _outcome(client: Client, name: str, arguments: Mapping[str, Any]) -> object:
    """What came of a call, without what differs from call to call."""
    result = await _called(client, name, arguments)
    if result is None:
        return "refused"
    if result.is_error:
        return "failed"
    content = dict(result.structured_content or {})
    return _without_ids({**content, "data": _without_ids(content.get("data"))})


def _without_ids(told: object) -> object:
    """What was told, but for the members that a plan has anew each time."""
    if not isinstance(told, dict):
        return told
    members = cast("dict[str, object]", told)
    return {key: value for key, value in members.items() if key not in {"plan_id", "expires_at", "next"}}


async def _listed(client: Client) -> list[dict[str, Any]]:
    tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", exclude={"meta"}) for tool in tools]
