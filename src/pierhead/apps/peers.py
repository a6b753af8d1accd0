"""Before a listener that is for the platform's own programs: who is none of them gets no further. Plain ASGI.

TLS has verified the certificate, if one was shown; here it must be that of a role which has business at this listener.
`/healthz` alone answers anybody, with nothing but that it answers: whatever asks a process whether it lives has no
certificate. Above: the registry and the servers. Not here: the handshake (`adapters/own_tls`).
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pierhead.apps.problem import MODERN, http_status
from pierhead.apps.serving import Application, shown_on
from pierhead.core.errors import PierheadError, RecordFailed, Unauthenticated

_HEALTH: Final = "/healthz"
_ROLE: Final = "pierhead.role"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]


def role_on(scope: Scope) -> str:
    """The role that the sender of this request proved; empty where the listener asks for none."""
    role: object = scope.get(_ROLE, "")
    return role if isinstance(role, str) else ""


@dataclass(frozen=True, slots=True)
class PeersOnly:
    """`role` judges a certificate (Errors: Unauthenticated), `admits` its role; `refused` puts a refusal on record."""

    application: Application
    role: Callable[[bytes], str]
    admits: Callable[[str], bool]
    refused: Callable[[str], Awaitable[None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        try:
            scope[_ROLE] = self._role(shown_on(scope))
        except Unauthenticated as nobody:
            await self._turn_away(nobody, scope, send)
            return
        await self.application(scope, receive, send)

    def _role(self, certificate: bytes | None) -> str:
        hint = "connect with the X.509-SVID of a program that has business here"
        if certificate is None:
            raise Unauthenticated("no certificate was shown", hint=hint, code="no-certificate")
        role = self.role(certificate)
        if not self.admits(role):
            raise Unauthenticated(f"{role} has no business here", hint=hint, code="wrong-peer")
        return role

    async def _turn_away(self, nobody: Unauthenticated, scope: Scope, send: Send) -> None:
        """Refuse, on record first; only whether the process answers is told to anybody."""
        if scope["path"] == _HEALTH and nobody.code == "no-certificate":
            await _answer(200, b"ok", b"text/plain", send)
            return
        error: PierheadError = nobody
        try:
            await self.refused(nobody.code)
        except RecordFailed as failed:
            error = failed
        body = orjson.dumps({"code": error.code, "message": error.message, "hint": error.hint})
        await _answer(http_status(error, MODERN), body, b"application/json", send)


async def _answer(status: int, body: bytes, kind: bytes, send: Send) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
