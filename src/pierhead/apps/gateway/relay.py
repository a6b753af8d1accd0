"""The gateway's request path: admit, authenticate, read, decide, carry, answer. Plain ASGI.

`Relay` hosts `call_tool` and `relay_message`: every message goes through one of them or is refused here. Below:
`edge` (headers, sizes), `envelope` (what the bytes say), `exchange` (to the server and back), `answers` (refusals),
`open_messages` (what is decided again while it runs), `data` (a server's own routes). Not here: sockets and
signals (`run`).
"""

import asyncio
import hashlib
import logging
from dataclasses import dataclass, field
from typing import Final

from pierhead.apps.authenticate import Credentials, Listener, Sidecar, in_channel
from pierhead.apps.gateway.answers import Visit, accept, answer, tell
from pierhead.apps.gateway.asgi import Receive, Scope, Send
from pierhead.apps.gateway.data import DataExchange, check_kind, read_request
from pierhead.apps.gateway.desk import CALL, Desk, in_band, onward
from pierhead.apps.gateway.edge import (
    DESK,
    Admission,
    Gone,
    body_of,
    check_content,
    data_target_of,
    official_target_of,
    server_of,
)
from pierhead.apps.gateway.envelope import ASSUMED, LEGACY, Envelope, Fault, read
from pierhead.apps.gateway.exchange import Exchange, Inbound, Minter
from pierhead.apps.gateway.forward import Forward
from pierhead.apps.gateway.lanes import Lane, Lanes
from pierhead.apps.gateway.methods import FAREWELL, RESPONSE, STREAM, Governed, Method
from pierhead.apps.gateway.metrics import Tally
from pierhead.apps.gateway.open_messages import OpenMessage, OpenMessages
from pierhead.apps.gateway.streams import Upstreams
from pierhead.apps.problem import MODERN
from pierhead.apps.serving import shown_on
from pierhead.core.approval import Ticket
from pierhead.core.call import Call, Opaque
from pierhead.core.errors import Forbidden, Invalid, PierheadError, ToolTimedOut, Unauthenticated, UpstreamUnreachable
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded
from pierhead.core.scope import ALL
from pierhead.core.task_id import tool_in
from pierhead.usecases.call_tool import call_tool, recording_refusals
from pierhead.usecases.hold_to_scope import hold_call, hold_read
from pierhead.usecases.list_tools import reachable_server
from pierhead.usecases.memory import NoApprovals
from pierhead.usecases.ports import Audit, Clock, Ids, Ports, Rules, Snapshots
from pierhead.usecases.record_failed_sign_ins import FailedSignIns
from pierhead.usecases.relay_message import relay_message

_LOG: Final = logging.getLogger("pierhead.gateway")
_NO_BODY: Final = hashlib.sha256(b"").hexdigest()
_VERSIONS: Final = frozenset({"1.1", "1.0"})
_RECORDED: Final = frozenset({Governed.READ, Governed.DATA})
_LISTENS: Final = {"GET": STREAM, "DELETE": FAREWELL}


class GatewayApprovals(NoApprovals):
    """The gateway cannot ask: what needs an approval here is refused (servers ask, they know the arguments)."""

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        raise Forbidden("the gateway asks nobody", hint=needed.request.server.whom_to_ask, code="cannot-ask")


@dataclass(frozen=True, slots=True)
class Parts:
    """What the relay is made of; put together by `bootstrap/wire_gateway` and `apps/gateway`."""

    public_url: str
    admission: Admission
    listener: Listener
    snapshots: Snapshots
    rules: Rules
    audit: Audit
    clock: Clock
    ids: Ids
    upstreams: Upstreams
    minter: Minter
    forward: Forward
    lanes: Lanes
    failed_sign_ins: FailedSignIns
    open_messages: OpenMessages
    desk: Desk
    tally: Tally = field(default_factory=Tally)


class Relay:
    """The ASGI application of the public port, and of the sidecar's."""

    def __init__(self, parts: Parts, sidecar: Sidecar) -> None:
        self._at = parts
        self._sidecar = sidecar
        self._approvals = GatewayApprovals()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        visit = Visit(scope, receive, send, self._at.public_url)
        try:
            await self._serve(visit)
        except PierheadError as error:
            await answer(visit, error)
        except Gone:
            pass
        except asyncio.CancelledError:
            if visit.attention.ended is None:
                raise
            if isinstance(visit.attention.ended, PierheadError):
                await answer(visit, visit.attention.ended)
        except Exception:  # noqa: BLE001 - the top of the program: logged, and answered
            _LOG.exception("a request failed in a way nobody thought of")
            await answer(visit, PierheadError("internal error", hint="tell the operator of this platform"))

    async def _serve(self, visit: Visit) -> None:
        scope = visit.scope
        visit.server = server_of(scope["raw_path"])
        if (data := data_target_of(scope["raw_path"])) is not None:
            visit.server, visit.data_path = data
        if scope["http_version"] not in _VERSIONS:
            raise Invalid("this version of HTTP is not served here", hint="speak HTTP/1.1", code="bad-headers")
        if visit.server is None:
            await self._forward(visit)
            return
        visit.fields = self._at.admission.fields(scope["headers"])
        call_id = self._at.ids.new()
        caller, until = await signed_in(self._at, self._sidecar, visit, call_id)
        if visit.data_path is not None:
            await self._data(visit, caller, until)
            return
        speaks_modern = visit.fields.get(b"mcp-protocol-version", b"").decode("latin-1") == MODERN
        match scope["method"]:
            case "POST" if visit.server == DESK:
                await self._at_desk(visit, caller, until)
            case "POST":
                await self._message(visit, caller, until)
            case "GET" | "DELETE" if not speaks_modern and visit.server != DESK:
                await self._bare(visit, caller, until)
            case _:
                raise Invalid("this endpoint takes POST", hint="send POST", code="method-not-allowed")

    async def _forward(self, visit: Visit) -> None:
        """What the registry answers. Its lists for clients are for pages of any Origin: they take no cookie."""
        at, scope = self._at, visit.scope
        path = visit.official_path = official_target_of(scope["raw_path"])
        visit.fields = at.admission.fields(scope["headers"], from_anywhere=path is not None)
        if path is None:
            await at.forward.carry(scope, visit.fields, visit.receive, visit.send)
        else:
            await at.forward.carry_official(scope, path, visit.fields, visit.receive, visit.send)

    async def _message(self, visit: Visit, caller: Caller, until: float) -> None:
        """One POSTed message: read it whole, then carry it or say why not."""
        body, found = await self._read(visit)
        await self._relay(visit, caller, until, body, found)

    async def _read(self, visit: Visit) -> tuple[bytes, Envelope | Fault]:
        check_content(visit.fields)
        body = await body_of(visit.receive, visit.fields)
        found = read(body, visit.fields)
        visit.message_id, visit.era = found.id, found.era
        return body, found

    async def _at_desk(self, visit: Visit, caller: Caller, until: float) -> None:
        """One message to the front desk: answered, or carried on as the message it stands for."""
        at = self._at
        body, found = await self._read(visit)
        if isinstance(found, Envelope) and found.id is not None and found.method is not RESPONSE:
            call = _call_of(visit, caller, found)
            async with recording_refusals(call, caller, at.audit):
                if found.target != CALL:
                    at.tally.message(found.era, call.client)
                    await tell(visit, await at.desk.answer(found, body, caller))
                    return
                visit.server, visit.fields, body = onward(found, visit.fields, body)
                visit.send = visit.send if found.era == MODERN else in_band(visit.send)
            found = read(body, visit.fields)
        elif isinstance(found, Envelope):
            await accept(visit)
            return
        await self._relay(visit, caller, until, body, found)

    async def _relay(self, visit: Visit, caller: Caller, until: float, body: bytes, found: Envelope | Fault) -> None:
        """One message that was read: carried, or refused on record."""
        if isinstance(found, Fault):
            visit.extra = found.extra
            call = _call(visit, caller, "", Opaque(hashlib.sha256(body).hexdigest(), len(body)), "")
            async with recording_refusals(call, caller, self._at.audit):
                raise found.error
        call = _call_of(visit, caller, found)
        self._at.tally.message(found.era, call.client)
        if found.method.governed is Governed.DROPPED:
            await self._drop(visit, caller, call)
            return
        await self._carry(visit, _inbound(visit, caller, found.method, body, found.digest), call, until)

    async def _bare(self, visit: Visit, caller: Caller, until: float) -> None:
        """A legacy GET (listening) or DELETE (the end of an MCP session)."""
        method = _LISTENS[visit.scope["method"]]
        version = visit.fields.get(b"mcp-protocol-version", b"").decode("latin-1")
        visit.era = version if version in LEGACY else ASSUMED
        call = _call(visit, caller, method.name, Opaque(_NO_BODY, 0), visit.user_agent)
        await self._carry(visit, _inbound(visit, caller, method, b"", _NO_BODY), call, until)

    async def _data(self, visit: Visit, caller: Caller, until: float) -> None:
        """One request to a server's own routes."""
        at = self._at
        inbound, call = await read_request(visit, caller)
        async with recording_refusals(call, caller, at.audit):
            check_kind(call.server, caller, at.snapshots, at.rules)
        await self._carry(visit, inbound, call, until)

    async def _drop(self, visit: Visit, caller: Caller, call: Call) -> None:
        """A notification nobody needs: acknowledged, if its sender may send here at all."""
        async with recording_refusals(call, caller, self._at.audit):
            reachable_server(call.server, caller, self._at.snapshots, self._at.rules)
        await accept(visit)

    async def _carry(self, visit: Visit, inbound: Inbound, call: Call, until: float) -> None:
        """Decide, run, record; then let the last bytes go."""
        at, method = self._at, inbound.method
        lane = await self._lane(visit, method, call, inbound.caller)
        began = at.clock.now()
        visit.attention.on_long = lambda: at.open_messages.add(
            OpenMessage(visit.attention, inbound.caller, call.server, until, method.listens, began)
        )
        started, outcome = at.clock.monotonic(), "cancelled"
        at.tally.in_flight += 1
        kind = DataExchange if inbound.target else Exchange
        exchange = visit.exchange = kind(inbound, at.upstreams, at.minter, visit.attention)
        try:
            await self._govern(call, inbound.caller, method, exchange)
            await exchange.finish()
            outcome = "ok"
        except PierheadError as failed:
            outcome = _outcome(failed)
            raise
        finally:
            lane.leave()
            visit.attention.stop()
            at.open_messages.discard(visit.attention)
            at.tally.in_flight -= 1
            self._count(call, method, exchange, outcome, at.clock.monotonic() - started)

    async def _govern(self, call: Call, caller: Caller, method: Method, exchange: Exchange) -> None:
        """The use case of this kind of message, with the exchange as its upstream."""
        at = self._at
        ports = Ports(at.snapshots, at.rules, self._approvals, at.audit, at.clock, exchange)
        if method.governed is Governed.TOOL or (method.governed is Governed.TASK and call.tool != method.name):
            if ALL not in caller.scopes:
                await hold_call(call, caller, at.snapshots, at.desk.finder.rules, at.audit)
            await call_tool(call, caller, ports)
            return
        if method.governed is Governed.READ:
            await hold_read(call, caller, at.snapshots, at.rules, at.audit)
        await relay_message(call, caller, ports, recorded=method.governed in _RECORDED)

    async def _lane(self, visit: Visit, method: Method, call: Call, caller: Caller) -> Lane:
        """A place before the server; unknown names share one lane, so that they cannot multiply."""
        name = call.server if call.server in self._at.snapshots.current().servers else ""
        lane = self._at.lanes.of(name, listens=method.listens)
        if not lane.enter_at_once():
            visit.attention.begin(0)
            async with recording_refusals(call, caller, self._at.audit):
                await lane.enter()
            visit.attention.stop()
        return lane

    def _count(self, call: Call, method: Method, exchange: Exchange, outcome: str, seconds: float) -> None:
        at = self._at
        if exchange.alarm:
            at.tally.alarm(call.server, exchange.alarm)
            _LOG.error("server %s refused its gateway with %d", call.server, exchange.alarm)
        if method.governed is Governed.TOOL:
            server = at.snapshots.current().servers.get(call.server)
            tool = call.tool if server is not None and call.tool in server.tools else ""
            at.tally.call(call.server if server else "", tool, call.client, outcome, seconds)
            if tool and outcome == "ok":
                at.desk.finder.past_use.note(call.server, tool)


async def signed_in(at: Parts, sidecar: Sidecar, visit: Visit, call_id: str) -> tuple[Caller, float]:
    """Who sends this, and until when that is known; a failure is on record before its sender reads of it.

    Errors: Unauthenticated.
    """
    server = visit.server or DESK
    audience = f"{at.public_url}/mcp/{server}" if server != DESK else f"{at.public_url}/mcp"
    is_from_sidecar, shown = sidecar.sent(visit.scope), shown_on(visit.scope)
    credentials = Credentials.of(visit.fields, from_sidecar=is_from_sidecar, shown=shown)
    try:
        caller, until = await at.listener.caller(credentials, audience, call_id)
    except Unauthenticated as failed:
        at.tally.rejected_token(failed.code)
        await at.failed_sign_ins.record(failed.code, server, visit.user_agent)
        raise
    return in_channel(caller, visit.fields.get(b"pierhead-channel")), until


def _outcome(failed: PierheadError) -> str:
    match failed:
        case ToolTimedOut():
            return "timeout"
        case UpstreamUnreachable():
            return "upstream_error"
        case _:
            return "denied"


def _inbound(visit: Visit, caller: Caller, method: Method, body: bytes, digest: str) -> Inbound:
    return Inbound(visit.scope["method"], visit.fields, body, digest, method, caller, visit.send)


def _call_of(visit: Visit, caller: Caller, found: Envelope) -> Call:
    return _call(visit, caller, _called(found), Opaque(found.digest, found.size), found.client or visit.user_agent)


def _called(found: Envelope) -> str:
    """The tool that is called; of any other message, and of a task that is none of ours, its method."""
    match found.method.governed:
        case Governed.TOOL:
            return found.target
        case Governed.TASK:
            return tool_in(found.target) or found.method.name
        case _:
            return found.method.name


def _call(visit: Visit, caller: Caller, tool: str, arguments: Opaque, client: str) -> Call:
    return Call(caller.correlation_id, visit.server or "", tool, arguments, visit.era, client)
