"""The data lane: `/data/{server}/api/v1/...`, a server's own routes, reached like the server's MCP endpoint.

The same admission, sign-in (for the same audience), decision, record and relay; other headers pass, and other
answers. The assertion binds method, target, headers and body, so that one for a read buys no write. Which tool a
request stands for is the server's to say: it decides on it, and records the call under that tool's name. Above:
`relay`. Below: `exchange`.
"""

import re
from typing import Final

from pierhead.apps.gateway.answers import Visit
from pierhead.apps.gateway.asgi import Message, Send
from pierhead.apps.gateway.edge import LARGEST_UPLOAD, body_of, check_plain
from pierhead.apps.gateway.exchange import Exchange, Inbound
from pierhead.apps.gateway.methods import DATA
from pierhead.apps.gateway.streams import Answer
from pierhead.core.binding import BOUND_HEADERS, request_digest
from pierhead.core.call import Call, Opaque
from pierhead.core.errors import Invalid, NotFound, UpstreamUnreachable
from pierhead.core.identity import Caller
from pierhead.core.policy import Permit
from pierhead.core.scope import step_up_of
from pierhead.usecases.list_tools import reachable_server
from pierhead.usecases.ports import Rules, Snapshots

ERA: Final = "rest"
KINDS: Final = frozenset({"sql"})
"""The kinds of servers that have such routes."""

_PASSED: Final = frozenset({*BOUND_HEADERS, b"user-agent", b"traceparent", b"tracestate", b"baggage"})
_QUERY: Final = re.compile(rb"[!-~]*")
_LONGEST_S: Final = 65.0
_PROBLEM: Final = b"application/problem+json"
_UNAUTHORIZED, _FORBIDDEN, _REDIRECT, _NOT_MODIFIED, _CLIENT_FAULT, _SERVER_FAULT = 401, 403, 300, 304, 400, 500
# A server's words are its own: on our origin they may run nothing and be framed by nobody.
_GUARDED: Final = (
    (b"content-security-policy", b"sandbox; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


async def read_request(visit: Visit, caller: Caller) -> tuple[Inbound, Call]:
    """One request of the data lane, whole. Errors: Invalid, for a method or a body that no route takes; Gone."""
    verb: str = visit.scope["method"]
    method = DATA.get(verb)
    if method is None:
        raise Invalid(f"no method {verb[:16]!r} here", hint="use GET or POST", code="method-not-allowed")
    check_plain(visit.fields)
    body = await body_of(visit.receive, visit.fields, LARGEST_UPLOAD)
    target = _target(visit)
    digest = request_digest(verb, target, visit.fields, body)
    call = Call(
        caller.correlation_id, visit.server or "", method.name, Opaque(digest, len(body)), ERA, visit.user_agent
    )
    return Inbound(verb, visit.fields, body, digest, method, caller, _guarded(visit.send), target), call


def check_kind(name: str, caller: Caller, snapshots: Snapshots, rules: Rules) -> None:
    """That the server has such routes; told only to those who may reach it. Errors: as `reachable_server`."""
    if reachable_server(name, caller, snapshots, rules).kind not in KINDS:
        raise NotFound(f"server {name!r} has no data routes", hint=f"use /mcp/{name}", code="no-data-routes")


class DataExchange(Exchange):
    """The port `Upstream` for one request of the data lane."""

    __slots__ = ()

    def _passes(self, name: bytes) -> bool:
        return name in _PASSED

    def _patience(self, permit: Permit) -> float:
        del permit  # a route's own limits are the server's; this is beyond the longest of them
        return _LONGEST_S

    def _judge(self, answer: Answer) -> None:
        """What a server's routes answer may pass; that it does not know its gateway is no answer to a client."""
        status = answer.status
        if status == _FORBIDDEN:
            _tell_scopes(answer)
        if status == _UNAUTHORIZED:
            self.alarm = status
            raise UpstreamUnreachable("the server refused its gateway", code="upstream-refused-gateway")
        if _REDIRECT <= status < _CLIENT_FAULT and status != _NOT_MODIFIED:
            raise UpstreamUnreachable("the server sent a redirect", code="upstream-garbage")
        if status >= _SERVER_FAULT and (b"content-type", _PROBLEM) not in answer.headers:
            raise UpstreamUnreachable("the server failed", hint="try again later", code="upstream-failed")


def _tell_scopes(answer: Answer) -> None:
    """The server alone knows which tool a request stands for; where to get another token is told here.

    Errors: ScopeMissing.
    """
    for name, value in answer.headers:
        if name == b"www-authenticate" and (missing := step_up_of(value)) is not None:
            raise missing


def _target(visit: Visit) -> bytes:
    query: bytes = visit.scope["query_string"]
    if not _QUERY.fullmatch(query):
        raise Invalid("the query is not percent-encoded", hint="encode all but plain ASCII", code="bad-headers")
    path = visit.data_path or b"/"
    return path + b"?" + query if query else path


def _guarded(send: Send) -> Send:
    """`send`, with what a browser must know of an answer that is not ours."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [pair for pair in message["headers"] if pair[0] != b"x-content-type-options"]
            message["headers"] = [*kept, *_GUARDED]
        await send(message)

    return sending
