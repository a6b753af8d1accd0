"""One visit to the public port, and the answers the gateway gives itself: refusals, and a bare "accepted".

A refusal on an MCP endpoint is a JSON-RPC body with the message's id, whatever its HTTP status: a bare 4xx would
make clients that speak both eras try the other. On the data lane it is a problem document (RFC 9457). Below:
`apps/problem`, the only table. Above: `relay`.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson

from pierhead.apps.gateway.asgi import Receive, Scope, Send
from pierhead.apps.gateway.edge import DESK, Fields, server_of
from pierhead.apps.gateway.envelope import ASSUMED
from pierhead.apps.gateway.exchange import Exchange
from pierhead.apps.gateway.streams import Attention
from pierhead.apps.problem import http_status, json_rpc
from pierhead.core.errors import PierheadError, Unauthenticated
from pierhead.core.problem import MEDIA_TYPE, problem
from pierhead.core.scope import ScopeMissing, least

_LONGEST_AGENT: Final = 64
_ANY_PAGE: Final = ((b"access-control-allow-origin", b"*"), (b"cache-control", b"no-store"))


class Visit:
    """One request, and what is known of it so far."""

    __slots__ = (
        "attention",
        "data_path",
        "era",
        "exchange",
        "extra",
        "fields",
        "message_id",
        "official_path",
        "public_url",
        "receive",
        "scope",
        "send",
        "server",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send, public_url: str) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.public_url = public_url
        self.server: str | None = None
        self.data_path: bytes | None = None
        """The path on the server, of a request of the data lane."""
        self.official_path: bytes | None = None
        """The path of a request to the official registry API."""
        self.fields: Fields = {}
        self.message_id: str | int | None = None
        self.era = ASSUMED
        self.extra: Mapping[str, object] = {}
        self.exchange: Exchange | None = None
        self.attention = Attention(receive)

    @property
    def entered(self) -> str:
        """The server whose door they came through, also where the desk has led them on to another."""
        return DESK if server_of(self.scope["raw_path"]) == DESK else self.server or DESK

    @property
    def user_agent(self) -> str:
        """What the client's HTTP library says of itself."""
        text = self.fields.get(b"user-agent", b"").decode("latin-1")[:_LONGEST_AGENT]
        return text if text.isascii() and text.isprintable() else ""


async def answer(visit: Visit, error: PierheadError) -> None:
    """Say why not. Once the client has seen the start of an answer, only silence is left: the connection closes."""
    if visit.exchange is not None and visit.exchange.started:
        return
    status, kind = http_status(error, visit.era), b"application/json"
    if visit.data_path is not None:
        status, told = problem(error)
        kind, body = MEDIA_TYPE, orjson.dumps({**told, "title": HTTPStatus(status).phrase})
    elif visit.official_path is not None:
        body = orjson.dumps({"error": f"{error.message}; {error.hint}"})
    elif visit.server is None:
        detail = {"code": error.code, "message": error.message, "hint": error.hint}
        body = orjson.dumps({"error": detail})
    else:
        body = orjson.dumps(json_rpc(error, visit.message_id, visit.extra))
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), *_more(visit, error)]
    await visit.send({"type": "http.response.start", "status": status, "headers": headers})
    body = b"" if visit.scope["method"] == "HEAD" else body
    await visit.send({"type": "http.response.body", "body": body, "more_body": False})


async def tell(visit: Visit, result: Mapping[str, object]) -> None:
    """The result of a request that the gateway answers itself."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": visit.message_id, "result": result})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await visit.send({"type": "http.response.start", "status": 200, "headers": headers})
    await visit.send({"type": "http.response.body", "body": body, "more_body": False})


async def accept(visit: Visit) -> None:
    """202: taken, and nothing to say."""
    await visit.send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"0")]})
    await visit.send({"type": "http.response.body", "body": b"", "more_body": False})


def _more(visit: Visit, error: PierheadError) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = [] if visit.official_path is None else [*_ANY_PAGE]
    if isinstance(error, Unauthenticated):
        headers.append((b"www-authenticate", challenge(visit.public_url, visit.entered, error)))
    if isinstance(error, ScopeMissing):
        headers.append((b"www-authenticate", step_up(visit.public_url, visit.entered, error)))
    if error.code == "method-not-allowed":
        is_message = visit.server is not None and visit.data_path is None
        headers.append((b"allow", b"POST" if is_message else b"GET, HEAD, POST, PUT, PATCH, DELETE"))
    return headers


def challenge(public_url: str, server: str, error: Unauthenticated) -> bytes:
    """Where to sign in (RFC 9728), and for how little; the same for servers that exist and servers that do not."""
    text = _way(public_url, server, least(server))
    if error.code != "no-credentials":
        text += ', error="invalid_token"'
    return text.encode("ascii")


def step_up(public_url: str, server: str, error: ScopeMissing) -> bytes:
    """What to ask for besides (RFC 6750, section 3.1), at the door that the client came through."""
    return f'{_way(public_url, server, error.needed)}, error="insufficient_scope"'.encode("ascii")


def _way(public_url: str, server: str, scope: str) -> str:
    place = f"/mcp/{server}" if server else "/mcp"
    return f'Bearer resource_metadata="{public_url}/.well-known/oauth-protected-resource{place}", scope="{scope}"'
