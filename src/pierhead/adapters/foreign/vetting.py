"""The company's own program, asked by a signed webhook before a server is taken in (Standard Webhooks 1.0, one POST).

It answers `{"allow": true}` or `{"allow": false, "reason": "..."}` in time, or nothing is taken: what cannot be
reached, is slow, redirects, errs or answers anything else counts as no answer. It goes where `outward` lets it. Fills
`ports_review.Vetting`. Not here: what follows from an answer (`usecases/vet_offer`).
"""

from dataclasses import dataclass, field
from typing import Final, cast

import anyio
import httpx2
import orjson

from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.adapters.foreign.webhook import signed_headers
from pierhead.core.errors import UpstreamUnreachable
from pierhead.usecases.ports_review import Offer, Vetted

_LARGEST: Final = 64 * 1024
_LONGEST_REASON: Final = 500
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class VettingHook:
    """Who is asked, the key that signs the question, and how many seconds an answer may take, all in all.

    `allowed` are hosts that may lie inside the network.
    """

    url: str
    key: bytes = field(repr=False)
    allowed: frozenset[str]
    within_s: float

    def is_asked(self) -> bool:
        return True

    async def ask(self, offer: Offer, now: float) -> Vetted:
        """Errors: UpstreamUnreachable (`vetting-failed`)."""
        data = {"server": offer.server, "version": offer.version, "by": offer.by, **offer.content}
        body = orjson.dumps({"type": f"server.{offer.event}", "timestamp": now, "data": data})
        try:
            with anyio.fail_after(self.within_s):
                answer = await self._answer(body, signed_headers(offer.id, now, body, self.key))
        except TimeoutError:
            raise _failed(f"it did not answer within {self.within_s:g} s") from None
        except (Unreachable, httpx2.HTTPError, httpx2.StreamError) as failed:
            raise _failed(str(failed)) from None
        return _read(answer)

    async def _answer(self, body: bytes, headers: dict[str, str]) -> bytes:
        transport = await outward(self.url, guarded=True, allowed=self.allowed)
        async with (
            httpx2.AsyncClient(transport=transport, timeout=self.within_s) as client,
            client.stream("POST", self.url, content=body, headers=headers) as answer,
        ):
            if answer.status_code != _OK:
                raise _failed(transport.fault or f"it answered {answer.status_code}, not 200")
            read = bytearray()
            async for chunk in answer.aiter_raw():
                read += chunk
                if len(read) > _LARGEST:
                    raise _failed(f"its answer is longer than {_LARGEST} bytes")
        return bytes(read)


def _read(answer: bytes) -> Vetted:
    """Exactly `allow` and, with a no, why. Errors: UpstreamUnreachable."""
    try:
        form: object = orjson.loads(answer)
    except orjson.JSONDecodeError:
        form = None
    if not isinstance(form, dict):
        raise _failed("its answer is no JSON object")
    members = cast("dict[str, object]", form)
    allows, reason = members.get("allow"), members.get("reason", "")
    if not isinstance(allows, bool) or not isinstance(reason, str):
        raise _failed('its answer is not {"allow": true} or {"allow": false, "reason": "..."}')
    return Vetted(allows, _told(reason))


def _told(reason: str) -> str:
    """A stranger's text for people: one line of what can be seen."""
    seen = "".join(letter if letter.isprintable() else " " for letter in reason)
    return " ".join(seen.split())[:_LONGEST_REASON] or "it gave no reason"


def _failed(why: str) -> UpstreamUnreachable:
    return UpstreamUnreachable(
        f"nothing is taken in: the company's own check of registrations gave no clear answer ({why})"[:400],
        hint="try again; if it stays so, tell an administrator: see review.webhook_url",
        code="vetting-failed",
    )
