"""Looking at every server's process again and again, and telling the registry what was seen.

From outside, through the door that the gateway uses: a process that hangs does not answer, whatever it thinks of
itself; what it says of its guest and its definitions is told along. A registry that is away misses a look, no more.
Above: `apps/cli/up`. Not here: judging (`usecases/watch_health`).
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from pierhead.adapters.internal_client import InternalClient
from pierhead.adapters.processes import Child, answer_of
from pierhead.core.errors import PierheadError

_ANSWER_S: Final = 5.0
_AT_ONCE: Final = 32

Form = dict[str, object]


async def watch(children: Callable[[], Mapping[str, Child]], client: InternalClient, every_s: float) -> None:
    """Until cancelled. `children` are the processes of now, by server name."""
    while True:
        looks = await look_at(children())
        if looks:
            with contextlib.suppress(PierheadError):
                await asyncio.to_thread(client.post, "/health", {"looks": looks})
        await asyncio.sleep(every_s)


async def look_at(children: Mapping[str, Child]) -> list[Form]:
    """One look at each, some at a time."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(name: str, child: Child) -> Form:
        async with turn:
            return await _look(name, child)

    return list(await asyncio.gather(*(one(name, child) for name, child in children.items())))


async def _look(name: str, child: Child) -> Form:
    began = time.monotonic()
    answer = await answer_of(child.port, child.ready_path, _ANSWER_S)
    latency_ms = (time.monotonic() - began) * 1000
    told = _told(answer)
    if told is None:
        reason = f"its process does not answer within {_ANSWER_S:g} s" if latency_ms > _ANSWER_S * 900 else "it is away"
        return _form(name, {}, "down", latency_ms, reason)
    faults = _faults(told)
    return _form(name, told, "degraded" if faults else "up", latency_ms, "; ".join(faults))


def _told(answer: bytes | None) -> Mapping[str, Any] | None:
    try:
        told = json.loads(answer) if answer is not None else None
    except ValueError:
        return None
    return cast("Mapping[str, Any]", told) if isinstance(told, dict) else None


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
