"""Envoy asks before it passes a request on: may this caller reach this server? Plain ASGI, the HTTP form of ext_authz.

The answer is layer 1 by the very functions that the relay calls: 200, or the refusal that the client is to read. It
permits nothing by itself: the gateway decides every message again. Envoy asks for `/authz` with the client's own path
behind it, with the client's method and proofs and without a body. What is refused here goes on record here, for it
arrives nowhere else. Not here: Envoy (`pierhead mesh render`).
"""

import hashlib
import logging
from typing import Final

from pierhead.apps.authenticate import Sidecar
from pierhead.apps.gateway.answers import Visit, answer
from pierhead.apps.gateway.asgi import Receive, Scope, Send
from pierhead.apps.gateway.edge import DESK, data_target_of, server_of
from pierhead.apps.gateway.relay import Parts, signed_in
from pierhead.core.call import Call, Opaque
from pierhead.core.errors import NotFound, PierheadError
from pierhead.usecases.call_tool import recording_refusals
from pierhead.usecases.list_tools import reachable_server

_LOG: Final = logging.getLogger("pierhead.gateway")
_PREFIX: Final = b"/authz"
_NO_BODY: Final = Opaque(hashlib.sha256(b"").hexdigest(), 0)


class Authz:
    """The ASGI application of the port that Envoy asks at. `sidecar` says when a certificate is more than a claim."""

    def __init__(self, parts: Parts, sidecar: Sidecar) -> None:
        self._at = parts
        self._sidecar = sidecar

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        visit = Visit(scope, receive, send, self._at.public_url)
        try:
            await self._decide(visit)
        except PierheadError as error:
            await answer(visit, error)
        except Exception:  # noqa: BLE001 - the top of the program: logged, and refused
            _LOG.exception("a decision failed in a way nobody thought of")
            await answer(visit, PierheadError("internal error", hint="tell the operator of this platform"))
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _decide(self, visit: Visit) -> None:
        """Errors: the refusal."""
        at, server = self._at, _server_asked_for(visit.scope["raw_path"])
        visit.fields = at.admission.fields(visit.scope["headers"])
        if server is None:
            raise NotFound("nothing of that path is decided here", hint="ask for /authz/mcp/SERVER")
        visit.server = server
        caller, _ = await signed_in(at, self._sidecar, visit, at.ids.new())
        if server == DESK:
            return
        call = Call(caller.correlation_id, server, "", _NO_BODY, visit.era, visit.user_agent)
        async with recording_refusals(call, caller, at.audit):
            reachable_server(server, caller, at.snapshots, at.rules)


def _server_asked_for(raw_path: bytes) -> str | None:
    """The server of the client's own path, or the desk; as the relay reads it."""
    if not raw_path.startswith(_PREFIX):
        return None
    path = raw_path.removeprefix(_PREFIX)
    data = data_target_of(path)
    return server_of(path) if data is None else data[0]
