"""Cases put to a model, live or recorded: its calls run on the platform in memory, as the person of the case.

Nobody answers approvals here, so what waits for a person runs nothing. Above: the command `eval`. Not here: what is
expected of it (`eval_judges`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import orjson
from mcp.shared.exceptions import MCPError
from mcp_types import TextContent

from pierhead.core.audit import CallFinished, CallStarted
from pierhead.core.cost import tokens_of
from pierhead.core.token_weight import token_weight
from pierhead.testing.bench import Bench
from pierhead.testing.eval_cases import EvalCase
from pierhead.testing.eval_cassette import Recording, ToolAsked, Turn, digest_of

if TYPE_CHECKING:
    from mcp import Client

    from pierhead.sdk.server import Server

MOST_TURNS: Final = 10
MOST_CALLS: Final = 20
"""A model that has not come to an end by then is stopped, and the case has failed."""
_ERA: Final = "2026-07-28"
_TOOLS_OF_PIERHEAD: Final = "approvals_"


class Speaker(Protocol):
    """A model, or what one said."""

    @property
    def spent(self) -> tuple[int, int]: ...

    async def say(self, answers: Sequence[str]) -> Turn:
        """Its next turn, after the answers to the calls of the last one."""
        ...


Tools = Sequence[Mapping[str, Any]]
Speakers = Callable[[EvalCase, Tools], Speaker]


@dataclass(frozen=True, slots=True)
class Called:
    """One call that was made. `is_ok`: the record says that the tool ran, and ended well. `text` is what the model was
    answered, `found` its JSON where it is some.
    """

    tool: str
    arguments: Mapping[str, Any]
    is_ok: bool
    text: str
    found: object = None


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of one case.

    Units: `tokens` are what definitions and results take in a context, at least, counted once each and alike for every
    model; `minutes` by the declarations, for calls that ended well.
    Source: docs/explanation/cost.md, docs/explanation/time-saved.md.
    """

    recording: Recording
    offered: tuple[str, ...]
    calls: tuple[Called, ...]
    is_ended: bool
    tokens: int
    minutes: float


async def run_case(server: "Server", case: EvalCase, speakers: Speakers) -> Ran:
    """Put one case to a model, on a platform of its own. Errors: of the speaker."""
    bench = Bench(server)
    async with bench.client(case.asker.identity, _ERA) as client:
        tools = await tools_of(client)
        speaker = speakers(case, tools)
        turns, calls = await _conversation(bench, client, speaker)
    spent = speaker.spent
    digest = digest_of(case.prompt, tools)
    recording = Recording(
        name=case.name, digest=digest, turns=tuple(turns), input_tokens=spent[0], output_tokens=spent[1]
    )
    weight = sum(_weight(tool) for tool in tools) + sum(tokens_of(len(call.text.encode())) for call in calls)
    offered = tuple(tool["name"] for tool in tools)
    return Ran(recording, offered, tuple(calls), not turns[-1].calls, weight, _minutes(bench))


async def digests(server: "Server", cases: Sequence[EvalCase]) -> Mapping[str, str]:
    """By the name of each case: the digest of what a model would be given now."""
    found: dict[str, str] = {}
    for case in cases:
        async with Bench(server).client(case.asker.identity, _ERA) as client:
            found[case.name] = digest_of(case.prompt, await tools_of(client))
    return found


async def tools_of(client: "Client") -> Tools:
    """The definitions that this person is shown, without Pierhead's own."""
    listed = await client.list_tools()
    kept = [tool for tool in listed.tools if not tool.name.startswith(_TOOLS_OF_PIERHEAD)]
    members = {"name", "description", "input_schema", "output_schema"}
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True, include=members) for tool in kept]


async def _conversation(bench: Bench, client: "Client", speaker: Speaker) -> tuple[list[Turn], list[Called]]:
    turns: list[Turn] = []
    calls: list[Called] = []
    answers: list[str] = []
    while len(turns) < MOST_TURNS and len(calls) < MOST_CALLS:
        turn = await speaker.say(answers)
        turns.append(turn)
        if not turn.calls:
            break
        made = [await _call(bench, client, asked) for asked in turn.calls[:MOST_CALLS]]
        calls += made
        if len(made) < len(turn.calls):
            break
        answers = [call.text for call in made]
    return turns, calls


async def _call(bench: Bench, client: "Client", asked: ToolAsked) -> Called:
    """On the governed path; what is refused is answered to the model, as any client would be."""
    known = len(bench.audit.facts)
    try:
        answer = await client.call_tool(asked.tool, dict(asked.arguments))
    except MCPError as refused:
        return Called(asked.tool, asked.arguments, is_ok=False, text=f"error: {refused.error.message}")
    text = "\n".join(part.text for part in answer.content if isinstance(part, TextContent))
    found = answer.structured_content if answer.structured_content is not None else _json(text)
    return Called(asked.tool, asked.arguments, is_ok=bool(_ended_well(bench, known)), text=text, found=found)


def _ended_well(bench: Bench, since: int = 0) -> frozenset[str]:
    """The calls that the record has as ended `ok`, from its fact of that number on."""
    ended = (fact for fact in bench.audit.facts[since:] if isinstance(fact, CallFinished))
    return frozenset(fact.call_id for fact in ended if fact.outcome == "ok")


def _json(text: str) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def _weight(tool: Mapping[str, Any]) -> int:
    return token_weight(tool["name"], tool.get("description", ""), (tool["inputSchema"], tool.get("outputSchema", {})))


def _minutes(bench: Bench) -> float:
    """What calls that ended well spare, each once with the same arguments, by the record."""
    ended = _ended_well(bench)
    counted = {
        (fact.tool, fact.arguments_digest): fact.minutes
        for fact in bench.audit.facts
        if isinstance(fact, CallStarted) and fact.call_id in ended
    }
    return sum(counted.values())
