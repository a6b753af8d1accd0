"""From facts to one row a call. Pure; run where facts are stored (`adapters/db/facts`).

A server's own facts win over the gateway's of the same call: the gateway relays bytes and cannot know how a call
ended. Facts of one writer come in order; those of two come in any.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

RUNNING: Final = "running"
LOST: Final = "lost"


@dataclass(frozen=True, slots=True)
class CallState:
    """What is known of one call. `rank` is that of the writer it is known from; -1 durations are not known yet."""

    call_id: str
    rank: int
    at_ms: int
    principal: str
    person: str
    surface: str
    server: str
    tool: str
    effect: str
    client: str
    decision: str
    outcome: str
    sentence: str
    arguments_digest: str
    minutes: float = 0.0
    duration_ms: float | None = None
    bytes_out: int = 0
    details: str = ""
    """What the server noted, as JSON; empty where it noted nothing."""
    minutes_low: float = 0.0
    minutes_high: float = 0.0
    minutes_method: str = ""
    minutes_stated_at: float = 0.0
    groups: str = ""
    """The groups that the person had who asked, as a JSON list; empty where nothing ran, or nobody was told."""


def rank_of(writer: str) -> int:
    """Whose word counts more: a server knows, a gateway has heard."""
    return 2 if writer.startswith("server-") else 1


def project(before: CallState | None, rank: int, at_ms: int, fact: Mapping[str, object]) -> CallState | None:
    """The call after `fact`; unchanged where a better source has spoken, None where the fact is about no call."""
    kind = fact.get("kind")
    if before is not None and before.rank > rank:
        return before
    match kind:
        case "call-started" | "call-refused":
            return _begun(rank, at_ms, fact)
        case "call-finished" if before is not None:
            return replace(
                before,
                outcome=cast("str", fact["outcome"]),
                duration_ms=cast("float", fact["duration_ms"]),
                bytes_out=cast("int", fact["bytes_out"]),
                details=_details(fact),
            )
        case "call-lost" if before is not None:
            return replace(before, outcome=LOST)
        case _:
            return before


def _begun(rank: int, at_ms: int, fact: Mapping[str, object]) -> CallState:
    """An intent or a refusal. Intents of before estimates were kept whole have the most likely figure alone."""
    actor = cast("Mapping[str, object]", fact["actor"])
    is_started = fact["kind"] == "call-started"
    return CallState(
        call_id=_text(fact, "call_id"),
        rank=rank,
        at_ms=at_ms,
        principal=_text(actor, "principal"),
        person=_text(actor, "person"),
        surface=_text(actor, "surface"),
        server=_text(fact, "server"),
        tool=_text(fact, "tool"),
        effect=_text(fact, "effect") if is_started else "",
        client=_text(fact, "client"),
        decision="permit" if is_started else _decision(fact),
        outcome=RUNNING if is_started else _text(fact, "code"),
        sentence=_last_sentence(fact) if is_started else _text(fact, "message"),
        arguments_digest=_text(fact, "arguments_digest"),
        minutes=cast("float", fact["minutes"]) if is_started else 0.0,
        minutes_low=cast("float", fact.get("minutes_low", 0.0)),
        minutes_high=cast("float", fact.get("minutes_high", 0.0)),
        minutes_method=cast("str", fact.get("minutes_method", "")),
        minutes_stated_at=cast("float", fact.get("minutes_stated_at", 0.0)),
        groups=_compact(actor.get("groups")) if is_started else "",
    )


def _decision(fact: Mapping[str, object]) -> str:
    return "ask" if fact["code"] == "approval_required" else "refuse"


def _last_sentence(fact: Mapping[str, object]) -> str:
    reasons = cast("Sequence[Mapping[str, object]]", fact["reasons"])
    return _text(reasons[-1], "sentence") if reasons else ""


def _details(fact: Mapping[str, object]) -> str:
    """Records made before servers could note anything have no such member."""
    return _compact(fact.get("details"))


def _compact(told: object) -> str:
    """As JSON; nothing for nothing."""
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")) if told else ""


def _text(form: Mapping[str, object], name: str) -> str:
    return cast("str", form[name])
