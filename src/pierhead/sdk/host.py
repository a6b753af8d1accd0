"""The ASGI application of one server: only the gateway's messages come in, and each goes through governance.

Two ways in, one path: a plain tool called in the stateless revision is answered here without the full protocol
stack (`short`); everything else goes through `mcp`, with governance as its middleware (`protocol`). Tests hold both
to the same answers. A server that brings routes has a second host of its tools here (`routes`). Not here: sockets,
journals, snapshots (bootstrap brings them).
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

import orjson
from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server as LowLevelServer
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.transport_security import TransportSecuritySettings

from pierhead.core.binding import request_digest
from pierhead.core.errors import Invalid, LimitExceeded, PierheadError, Unauthenticated
from pierhead.core.identity import Caller
from pierhead.core.wire_codes import numbers
from pierhead.sdk.governance import Admission, DeclaredTool, Governance, Verifier
from pierhead.sdk.protocol import ADMISSION, Governed
from pierhead.sdk.routes import Request, Routing, refusal, send_reply
from pierhead.sdk.server import Server
from pierhead.sdk.short import Short
from pierhead.sdk.task_seal import TaskSeal
from pierhead.sdk.tasks import Tasks

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

ASSERTION_HEADER: Final = b"pierhead-assertion"
LARGEST_BODY: Final = 4 * 1024 * 1024
LARGEST_UPLOAD: Final = 10 * 1024 * 1024
"""To a server's routes, which may ask for less: many rows at once are more than a message."""
#: Who sent the message that is being answered, for what `mcp` does before its middleware.
_ADMITTED: Final[ContextVar[Caller]] = ContextVar("pierhead_admitted")
_PATH: Final = "/mcp"
_BLANKS: Final = b" \t"
_ROUTED: Final = frozenset({"/api/v1", "/openapi.json", "/docs"})
_ROUTED_BELOW: Final = "/api/v1/"
_ONCE: Final = frozenset({ASSERTION_HEADER, b"authorization", b"content-type", b"idempotency-key", b"pierhead-role"})
LOCAL: Final = frozenset({"127.0.0.1", "localhost"})


def host(
    server: Server,
    governance: Governance,
    verifier: Verifier,
    state_key: bytes | None = None,
    names: frozenset[str] = LOCAL,
) -> Application:
    """The application of an SDK server, at `/mcp`. Speaks every supported revision; keeps legacy sessions.

    The server's own routes, if it brings any, stand at `/api/v1`, `/openapi.json` and `/docs`. `state_key` seals what a
    client carries between two rounds of one call: the same for every replica; without it a key of this process alone.
    `names` are the hosts that requests may be addressed to, at any port: one that runs elsewhere than its gateway has
    a name of its own.
    """
    tasks = Tasks(governance, TaskSeal.of(governance.server, state_key))
    short = Short(server.tools, governance, orjson.dumps(server.low_level.server_info_stamp), tasks)
    _seal(server.low_level, state_key)
    door = _host(server.low_level, server.tools, tasks, _Way(verifier, short, names))
    if server.routes is None:
        return door
    return _Paths(door, verifier, Routing(server.routes, server.tools, governance))


def host_guest(
    front: LowLevelServer[Any],
    tools: Mapping[str, DeclaredTool],
    governance: Governance,
    verifier: Verifier,
    state_key: bytes | None = None,
    names: frozenset[str] = LOCAL,
) -> Application:
    """The application of a guard: `front` forwards to a guest, governed exactly as an SDK server is."""
    _seal(front, state_key)
    tasks = Tasks(governance, TaskSeal.of(governance.server, state_key))
    return _host(front, tools, tasks, _Way(verifier, None, names))


@dataclass(frozen=True, slots=True)
class _Way:
    """How messages come in: proved by `verifier`, answered by `short` where that can be, addressed to `names`."""

    verifier: Verifier
    short: Short | None
    names: frozenset[str]

    def security(self) -> TransportSecuritySettings:
        named = sorted(self.names)
        return TransportSecuritySettings(
            allowed_hosts=[f"{name}:*" for name in named], allowed_origins=[f"http://{name}:*" for name in named]
        )


def _host(front: LowLevelServer[Any], tools: Mapping[str, DeclaredTool], tasks: Tasks, way: _Way) -> Application:
    governance = tasks.governance
    front.get_tool_input_schema = _seen(tools, governance)
    # An author's tests host one server many times: the governance of the last host is the one in force.
    front.middleware[:] = [kept for kept in front.middleware if not isinstance(kept, Governed)]
    front.middleware.append(Governed(governance, tools, front.server_info_stamp, tasks))
    stack = front.streamable_http_app(
        streamable_http_path=_PATH, max_request_body_size=LARGEST_BODY, transport_security=way.security()
    )
    names = frozenset(name.encode() for name in way.names)
    return _Door(AuthContextMiddleware(stack), way.verifier, way.short, names, tasks)


def _seal(front: LowLevelServer[Any], key: bytes | None) -> None:
    """Seal what clients carry between rounds: to this server, principal, tool and arguments, for ten minutes.

    Whatever stands there already makes way for the configured key; without one it stays.
    """
    known = [each for each in front.middleware if isinstance(each, RequestStateBoundary)]
    if known and key is None:
        return
    security = RequestStateSecurity.ephemeral() if key is None else RequestStateSecurity(keys=[key])
    kept = [each for each in front.middleware if each not in known]
    front.middleware[:] = [*kept, RequestStateBoundary(security, default_audience=front.name)]


def _seen(tools: Mapping[str, DeclaredTool], governance: Governance) -> Callable[[str], Mapping[str, Any] | None]:
    """The schema that `mcp` holds `Mcp-Param-*` headers against, before any middleware: none for a hidden tool.

    With a schema, a wrong header is an answer of its own, and a tool that must read as absent would show.
    """

    def schema(name: str) -> Mapping[str, Any] | None:
        tool = tools.get(name)
        if tool is None or not governance.may_see(name, _ADMITTED.get()):
            return None
        return tool.declared().input_schema

    return schema


@dataclass(frozen=True, slots=True)
class _Door:
    """Reads the body, asks who sent it, and lets it in by the short way or the long one."""

    stack: Application
    verifier: Verifier
    short: Short | None
    names: frozenset[bytes]
    tasks: Tasks

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.stack(scope, self._draining(receive), send)
            return
        # Blanks around a value are no part of it; the HTTP parser leaves those behind it.
        scope["headers"] = [(name, value.strip(_BLANKS)) for name, value in scope["headers"]]
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await _whole(receive, LARGEST_BODY)
            admission = _admission(scope, self.verifier, headers, lambda: hashlib.sha256(body).hexdigest())
        except PierheadError as refused:
            await _refuse(refused, send)
            return
        plain = self.short if _is_plain_post(scope, headers, self.names) else None
        if plain is not None and await plain.answer(headers, body, admission, receive, send):
            return
        scope[ADMISSION] = admission
        scope["user"] = _session_owner(admission.caller)
        token = _ADMITTED.set(admission.caller)
        try:
            await self.stack(scope, _replay(body, receive), send)
        finally:
            _ADMITTED.reset(token)

    def _draining(self, receive: Receive) -> Receive:
        """What the server itself is told: before what its tools stand on is let go, calls of tasks have ended."""

        async def next_message() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.tasks.drained()
            return message

        return next_message


@dataclass(frozen=True, slots=True)
class _Paths:
    """Leads the requests of a server's own routes to them, and everything else to the door of MCP."""

    door: Application
    verifier: Verifier
    routing: Routing

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_routed(scope["path"]):
            await self.door(scope, receive, send)
            return
        try:
            headers = _joined(scope["headers"])
            body = await _whole(receive, LARGEST_UPLOAD)
            path, query, method = scope["raw_path"], scope["query_string"], scope["method"]
            target = path + b"?" + query if query else path
            admission = _admission(scope, self.verifier, headers, lambda: request_digest(method, target, headers, body))
        except PierheadError as refused:
            await send_reply(refusal(refused), send)
            return
        request = Request(method, path, query, headers, body)
        await self.routing.carry(request, admission, receive, send)


def _admission(
    scope: Message, verifier: Verifier, headers: Mapping[bytes, bytes], digest: Callable[[], str]
) -> Admission:
    """Who sent the request: as a door in this process has found already, or as its proof says.

    `digest` is of everything that a proof binds. Errors: Unauthenticated.
    """
    found: Admission | None = scope.get(ADMISSION)
    if found is not None:
        return found
    return Admission(*verifier.verify(headers.get(verifier.header, b""), digest() if verifier.is_bound else ""))


def _is_routed(path: str) -> bool:
    return path.startswith(_ROUTED_BELOW) or path in _ROUTED


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The headers by name, trimmed; what HTTP lets stand twice is joined. Errors: Invalid, for what may not."""
    headers: dict[bytes, bytes] = {}
    for name, value in pairs:
        if name not in headers:
            headers[name] = value.strip(_BLANKS)
        elif name in _ONCE:
            raise Invalid(f"the header {name.decode('latin-1')} is repeated", hint="send it once", code="bad-headers")
        else:
            headers[name] += b", " + value.strip(_BLANKS)
    return headers


def _is_plain_post(scope: Message, headers: Mapping[bytes, bytes], names: frozenset[bytes]) -> bool:
    """Whether nothing in the request's line and headers needs the judgement of the full protocol stack."""
    name, _, port = headers.get(b"host", b"").rpartition(b":")
    return (
        scope["method"] == "POST"
        and scope["path"] == _PATH
        and name in names
        and port.isdigit()
        and b"origin" not in headers
        and len(headers) == len(scope["headers"])
        and headers.get(b"content-type") == b"application/json"
    )


async def _whole(receive: Receive, largest: int) -> bytes:
    """The request's body. Errors: LimitExceeded; Unauthenticated where the client left before it was whole."""
    message = await receive()
    parts: list[bytes] = [message.get("body", b"")]
    size = len(parts[0])
    while message.get("more_body", False) and size <= largest:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Unauthenticated("the client left before its request was whole")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > largest:
        raise LimitExceeded(f"the body is larger than {largest} bytes", hint="send less", code="body-too-large")
    return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` with the body put back in front."""
    unread = True

    async def again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return again


def _session_owner(caller: Caller) -> AuthenticatedUser:
    """To whom `mcp` binds a legacy session: another principal on it gets 404. It holds no credential."""
    who = caller.person
    issuer = who.issuer if who else ""
    token = AccessToken(token="", client_id=caller.name, scopes=[], subject=caller.name, claims={"iss": issuer})
    return AuthenticatedUser(token)


async def _refuse(error: PierheadError, send: Send) -> None:
    code = numbers(error)
    data = {"code": error.code, "hint": error.hint}
    body = orjson.dumps(
        {"jsonrpc": "2.0", "id": None, "error": {"code": code.json_rpc, "message": error.message, "data": data}}
    )
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": code.http, "headers": headers})
    await send({"type": "http.response.body", "body": body})
