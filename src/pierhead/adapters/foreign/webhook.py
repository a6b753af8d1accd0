"""Notices as signed webhooks (Standard Webhooks 1.0): one POST each, to one address that an operator set.

Signed over id, time and body by HMAC-SHA-256, so that whoever takes it knows who sent it, and when. It goes where
`outward` lets it: no redirect, no name that turns out to lie inside. Fills `ports_notices.Notifier`.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Final

import httpx2
import orjson

from pierhead.adapters.foreign.outward import Unreachable, outward
from pierhead.core.errors import Invalid, UpstreamUnreachable
from pierhead.usecases.ports_notices import Notice

_TIMEOUT_S: Final = 10.0
_GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where notices go, and the key that signs them. `allowed` are hosts that may lie inside the network."""

    url: str
    key: bytes = field(repr=False)
    allowed: frozenset[str] = frozenset()

    async def send(self, notice: Notice, now: float) -> None:
        """Errors: UpstreamUnreachable; Invalid, where the address says that it is gone for good."""
        body = orjson.dumps({"type": notice.kind, "timestamp": notice.at, "data": notice.content})
        try:
            transport = await outward(self.url, guarded=True, allowed=self.allowed)
            async with httpx2.AsyncClient(transport=transport, timeout=_TIMEOUT_S) as client:
                answer = await client.post(
                    self.url, content=body, headers=signed_headers(notice.id, now, body, self.key)
                )
        except (Unreachable, httpx2.HTTPError) as failed:
            raise UpstreamUnreachable(f"the webhook was not taken: {failed}"[:300], hint="see notify.url") from None
        if answer.status_code == _GONE:
            raise Invalid("the webhook's address is gone (410)", hint="see notify.url")
        if not answer.is_success:
            reason = transport.fault or f"it answered {answer.status_code}"
            raise UpstreamUnreachable(f"the webhook was not taken: {reason}"[:300], hint="see notify.url")


def signed_headers(identity: str, now: float, body: bytes, key: bytes) -> dict[str, str]:
    """The headers of one message, signed over id, time and body."""
    moment = str(int(now))
    signed = f"{identity}.{moment}.".encode() + body
    signature = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    return {
        "content-type": "application/json",
        "webhook-id": identity,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{signature}",
    }
