"""A client's own description, fetched from the address that is its id: a stranger's word, so guarded and bounded.

Fills `usecases.ports_sign_in.ClientDocuments`. Resolved once, public addresses only, no redirect (`outward`), 64 KiB,
five seconds, a few a minute: whoever asks for it has not signed in. Not here: what it may say (`usecases/find_client`).
"""

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final, cast

import anyio
import httpx2

from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.core.errors import LimitExceeded, UpstreamUnreachable
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_sign_in import ClientDocument

_LARGEST: Final = 64 * 1024
_WITHIN_S: Final = 5.0
_A_MINUTE: Final = 30
_MINUTE_S: Final = 60.0
_OK: Final = 200
_AGE: Final = re.compile(r"(?:^|[,\s])max-age=([0-9]{1,9})")


@dataclass(slots=True)
class FetchedDocuments:
    """Fetches. `allowed` are hosts that may lie inside the network."""

    allowed: frozenset[str]
    clock: Clock
    _taken: list[float] = field(default_factory=list[float])

    async def read(self, address: str) -> ClientDocument:
        self._take()
        try:
            with anyio.fail_after(_WITHIN_S):
                return await self._fetched(address)
        except (Unreachable, httpx2.HTTPError, httpx2.StreamError, TimeoutError) as failed:
            raise _unusable(str(failed) or type(failed).__name__) from None

    async def _fetched(self, address: str) -> ClientDocument:
        transport = await outward(address, guarded=True, allowed=self.allowed)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        async with (
            httpx2.AsyncClient(transport=transport, timeout=_WITHIN_S, trust_env=False) as client,
            client.stream("GET", address, headers=headers) as answer,
        ):
            body = bytearray()
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > _LARGEST:
                    raise _unusable(f"it is larger than {_LARGEST} bytes")
        if transport.fault or answer.status_code != _OK:
            raise _unusable(transport.fault or f"its host answers {answer.status_code}")
        found = _AGE.search(answer.headers.get("cache-control", "").lower())
        return ClientDocument(_object(bytes(body)), float(found[1]) if found else 0.0)

    def _take(self) -> None:
        now = self.clock.monotonic()
        self._taken = [moment for moment in self._taken if now - moment < _MINUTE_S]
        if len(self._taken) >= _A_MINUTE:
            raise LimitExceeded("too many descriptions of clients are asked for", hint="wait a minute")
        self._taken.append(now)


def _object(body: bytes) -> dict[str, Any]:
    try:
        value: object = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _unusable("it is no JSON object")
    return cast("dict[str, Any]", value)


def _unusable(why: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(
        f"the client's description cannot be had: {why}",
        hint="try again later, or ask the operator to register the client",
        code="client-document-unreachable",
    )
