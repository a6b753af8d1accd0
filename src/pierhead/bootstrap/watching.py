"""Looking at every server's process again and again, and telling the registry what was seen.

From outside, through the door that the gateway uses: a process that hangs does not answer, whatever it thinks of
itself; what it says of its guest and its definitions is told along. A registry that is away misses a look, no more.
A server that its team runs is looked at in the same way, and nothing that it says is taken on trust. Above:
`apps/cli/up`. Not here: judging (`usecases/watch_health`).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.processes import answer_of
from pierhead.core.errors import PierheadError
from pierhead.core.health import Condition

_ANSWER_S: Final = 5.0
_AT_ONCE: Final = 32

_MOST_DEPENDENCIES: Final = 20
_LONGEST_NAME: Final = 100
_LONGEST_REASON: Final = 300

Form = dict[str, object]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server's process says how it is."""

    port: int
    path: str = "/healthz"
    host: str = "127.0.0.1"


async def watch(places: Callable[[], Mapping[str, Place]], client: InternalClient, every_s: float) -> None:
    """Until cancelled. `places` are those of now, by server name."""
    while True:
        looks = await look_at(places())
        if looks:
            with contextlib.suppress(PierheadError):
                await asyncio.to_thread(client.post, "/health", {"looks": looks})
        await asyncio.sleep(every_s)


async def look_at(places: Mapping[str, Place]) -> list[Form]:
    """One look at each, some at a time."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, place: Place) -> Form:
        async with turn:
            return await _look(name, place)

    return list(await asyncio.gather(*(one(name, place) for name, place in places.items())))


async def _look(name: str, place: Place) -> Form:
    began = time.monotonic()
    answer = await answer_of(place.port, place.path, _ANSWER_S, place.host)
    latency_ms = (time.monotonic() - began) * 1000
    told = told_in(answer)
    if told is not None and told.get("server") != name:
        return _form(name, {}, "down", latency_ms, "something else answers where it should")
    if told is None:
        reason = f"its process does not answer within {_ANSWER_S:g} s" if latency_ms > _ANSWER_S * 900 else "it is away"
        return _form(name, {}, "down", latency_ms, reason)
    faults = _faults(told)
    return _form(name, told, "degraded" if faults else "up", latency_ms, "; ".join(faults))


def told_in(answer: bytes | None) -> Mapping[str, Any] | None:
    """What a process says of itself, as far as it is in the form that we know; None for what says nothing."""
    try:
        told = json.loads(answer) if answer is not None else None
    except ValueError:
        return None
    return _sound(cast("Mapping[str, Any]", told)) if isinstance(told, dict) else None


def _sound(told: Mapping[str, Any]) -> Mapping[str, Any]:
    """What it said, in the form that we know: another member, and a member of another kind, was not said."""
    texts = {name: _text(told, name, _LONGEST_NAME) for name in ("server", "policy", "version", "tools_digest")}
    listed = told.get("dependencies")
    given: list[object] = cast("list[object]", listed)[:_MOST_DEPENDENCIES] if isinstance(listed, list) else []
    needs = [_need(cast("Mapping[str, Any]", one)) for one in given if isinstance(one, dict)]
    return {**texts, "is_as_published": told.get("is_as_published") is True, "dependencies": needs}


def _need(one: Mapping[str, Any]) -> Form:
    condition = _text(one, "condition", _LONGEST_NAME)
    return {
        "name": _text(one, "name", _LONGEST_NAME) or "unnamed",
        "condition": condition if condition in set(Condition) else str(Condition.UNKNOWN),
        "reason": _text(one, "reason", _LONGEST_REASON),
    }


def _text(members: Mapping[str, Any], name: str, longest: int) -> str:
    """Cut to what is kept; half a surrogate pair, which no other program reads, becomes a question mark."""
    return str(members.get(name, ""))[:longest].encode("utf-8", "replace").decode()


def _faults(told: Mapping[str, Any]) -> list[str]:
    """What is not well, in words."""
    faults = [] if told.get("policy") == "loaded" else ["it has no policy and refuses every call"]
    if told.get("is_as_published") is not True:
        faults.append("the registry has not taken its definitions")
    unwell = [one for one in told.get("dependencies", ()) if one["condition"] != "up"]
    return [*faults, *(f"{one['name']}: {one['reason']}" for one in unwell)]


def _form(name: str, told: Mapping[str, Any], condition: str, latency_ms: float, reason: str) -> Form:
    return {
        "server": name,
        "version": told.get("version", ""),
        "condition": condition,
        "latency_ms": latency_ms,
        "reason": reason,
        "tools_digest": told.get("tools_digest", ""),
        "is_as_published": told.get("is_as_published", False),
        "dependencies": told.get("dependencies", []),
    }
