"""Calls on the record, for `pierhead audit`: from the registry of a running platform, or, where `pierhead serve` ran
without one, from the journals themselves. Not here: checking chains (`wire_audit`), showing calls (`apps/cli/record`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.journal import read
from pierhead.bootstrap.wire_commands import console
from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.project_calls import CallState, project, rank_of

_SERVED: Final = "serve-*"

Asked = Mapping[str, Any]
"""`limit`, and what a call must have: since, principal, server, tool, decision. Empty asks nothing."""


class Records(Protocol):
    def calls(self, asked: Asked) -> list[dict[str, Any]]:
        """The newest first."""
        ...


def records(data: Path) -> Records:
    """Errors: UpstreamUnreachable, where neither a platform runs nor a database was served."""
    try:
        return _Registry(console(data).internal)
    except UpstreamUnreachable:
        journals = tuple(sorted((data / "journal").glob(_SERVED)))
        if not journals:
            raise
        return _Journals(journals)


@dataclass(frozen=True, slots=True)
class _Registry:
    client: InternalClient

    def calls(self, asked: Asked) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/audit", asked)["calls"]
        return found


@dataclass(slots=True)
class _Journals:
    """Reads every journal anew, but only when one has grown."""

    places: tuple[Path, ...]
    _sizes: dict[Path, int] = field(default_factory=dict[Path, int])
    _known: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def calls(self, asked: Asked) -> list[dict[str, Any]]:
        """Errors: Invalid, for a journal that is not whole."""
        sizes = {file: file.stat().st_size for place in self.places for file in place.glob("*.jsonl")}
        if sizes != self._sizes:
            self._sizes = sizes
            found = [call for place in self.places for call in _calls_of(place)]
            self._known = sorted(found, key=lambda call: (call["at"], call["call_id"]), reverse=True)
        return [call for call in self._known if _fits(call, asked)][: int(asked["limit"])]


def _calls_of(journal: Path) -> list[dict[str, Any]]:
    known: dict[str, CallState] = {}
    for record in read(journal):
        fact: dict[str, Any] = json.loads(record.payload)
        call_id = str(fact.get("call_id", ""))
        state = project(known.get(call_id), rank_of(journal.name), record.time_ms, fact)
        if call_id and state is not None:
            known[call_id] = state
    return [_row(state) for state in known.values()]


def _row(call: CallState) -> dict[str, Any]:
    return {
        "call_id": call.call_id,
        "at": call.at_ms / 1000,
        "principal": call.principal,
        "server": call.server,
        "tool": call.tool,
        "effect": call.effect,
        "client": call.client,
        "decision": call.decision,
        "outcome": call.outcome,
        "sentence": call.sentence,
        "duration_ms": call.duration_ms,
        "minutes": call.minutes,
        "minutes_low": call.minutes_low,
        "minutes_high": call.minutes_high,
        "minutes_method": call.minutes_method,
        "minutes_stated_at": call.minutes_stated_at,
        "bytes_out": call.bytes_out,
        "details": json.loads(call.details) if call.details else {},
    }


def _fits(call: Mapping[str, Any], asked: Asked) -> bool:
    wanted = {name: value for name, value in asked.items() if name not in ("since", "limit") and value}
    return call["at"] >= asked.get("since", 0.0) and all(call[name] == value for name, value in wanted.items())
