"""/internal/v1: what gateways, servers, the supervisor and the command line ask of the registry.

Reached on loopback with the internal key alone; the gateway never forwards it. Below: the use cases that do the
work. Not here: people (`web`, `oauth`) and programs of others (`api`).
"""

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from pierhead.apps.peers import role_on
from pierhead.apps.problem import MODERN, http_status
from pierhead.apps.registry.asked_by_servers import WITH_CERTIFICATE
from pierhead.core.errors import Forbidden, Invalid, LimitExceeded, NotFound, PierheadError, Unauthenticated
from pierhead.core.peer import server_in
from pierhead.core.scope import ALL, EVERY, REGISTRY
from pierhead.usecases.enrol_server import check_own_facts, not_its_own
from pierhead.usecases.grant_tokens import Grant, TokenDesk, issue
from pierhead.usecases.health_forms import health_to_form, probe_from_form, probe_to_form
from pierhead.usecases.ports import Clock
from pierhead.usecases.ports_catalogue import Entry, Version
from pierhead.usecases.ports_health import PROBES_KEPT, HealthStore
from pierhead.usecases.ports_records import Filter, Processes, Records
from pierhead.usecases.ports_registry import Envelope, FactPages, FactStore, ProcessStates
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.registry_desk import RegistryDesk, entry_of
from pierhead.usecases.report_impact import FORMULA, METHOD, RANGE_FORMULA, report_impact
from pierhead.usecases.report_process import StateChange, report_state
from pierhead.usecases.serve_policy import ServedPolicy
from pierhead.usecases.ship_facts import take_facts
from pierhead.usecases.watch_health import keep_looks
from pierhead.usecases.wire_forms import manifest_from_form

PREFIX: Final = "/internal/v1"
_BODY_LIMIT: Final = 16 * 2**20
_LONGEST_WAIT_S: Final = 60.0
_LONGEST_TOKEN_S: Final = 24 * 3600
_LARGEST_PAGE: Final = 5000
#: A token beyond 16 KiB is accepted nowhere; audiences are encoded in four thirds of their length.
_NAMED_BYTES: Final = 6000
_WRITER: Final = re.compile(r"gateway(-[a-z0-9-]{1,40})?|server-[a-z0-9][a-z0-9_-]{0,62}")
_CLIENT: Final = "pierhead-cli"

SPEAKER: Final = "pierhead.speaker"
"""Where a request's scope says for which server its sender may speak: its name, or every one."""
EVERY_SERVER: Final = "*"

Endpoint = Callable[[Request], Awaitable[Response]]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Internal:
    """Everything these routes need."""

    key: bytes = field(repr=False)
    registry: RegistryDesk
    policy: ServedPolicy
    seal: Callable[[str], Envelope]
    facts: FactStore
    pages: FactPages
    records: Records
    states: ProcessStates
    processes: Processes
    desk: TokenDesk
    healths: HealthStore
    clock: Clock
    makes_tokens: bool
    """Whether people are the built-in sign-in's: others have tokens of their own provider."""
    approvals: Mapping[str, Endpoint]
    """What servers ask about approvals and plans: see `internal_approvals`, `internal_plans`."""

    def application(self) -> "KeyedRoutes":
        routes = {
            "GET /snapshot": self.snapshot,
            "POST /facts": self.take,
            "POST /servers/{server}/manifest": self.manifest,
            "POST /servers/{server}/state": self.state,
            "GET /servers/states": self.all_states,
            "GET /entries": self.entries,
            "GET /entries/{server}": self.entry,
            "POST /health": self.keep_health,
            "GET /health": self.all_health,
            "GET /health/{server}": self.health,
            "POST /tokens": self.token,
            "GET /audit": self.calls,
            "GET /audit/calls/{call_id}": self.call,
            "GET /audit/export": self.export,
            "GET /audit/chain": self.chain,
            "GET /impact": self.impact,
            **self.approvals,
        }
        return KeyedRoutes(self.key, router_of(routes), router_of({name: routes[name] for name in WITH_CERTIFICATE}))

    async def snapshot(self, request: Request) -> Response:
        """The signed revision, and what people no longer have: at once if there is news, else after `wait_s`.

        `base` names the revision that the asker holds whole: then it may be told only what changed since.
        """
        await self.until_news(request)
        base = request.query_params.get("base", "")
        return self.sealed(self.policy.payload(self.registry.clock.now(), base))

    async def until_news(self, request: Request) -> None:
        """Until there is another policy than the asker holds, at most as long as they wait."""
        wait_s = min(number_of(request, "wait_s", 0.0), _LONGEST_WAIT_S)
        people = int(number_of(request, "people", 0)) if "people" in request.query_params else None
        await self.policy.after(int(number_of(request, "after", 0)), wait_s, people)

    def sealed(self, payload: str) -> Response:
        """That text, signed."""
        envelope = self.seal(payload)
        return json_answer({"payload": envelope.payload, "signature": envelope.signature})

    async def take(self, request: Request) -> Response:
        writer, lines = await lines_read(request)
        if not _WRITER.fullmatch(writer):
            raise Invalid(f"no such writer: {writer[:80]!r}", hint="gateway, gateway-REPLICA or server-NAME")
        if not speaks_for_all(request):
            require_own(request, writer.removeprefix("server-"))
            check_own_facts(request.scope[SPEAKER], lines)
        return json_answer({"acknowledged": await take_facts(writer, lines, self.facts)})

    async def manifest(self, request: Request) -> Response:
        require_own(request, request.path_params["server"])
        manifest = manifest_from_form(await body_read(request))
        await publish_manifest(request.path_params["server"], manifest, self.registry)
        return Response(status_code=204)

    async def state(self, request: Request) -> Response:
        state, reason = members_of(await body_read(request), state=str, reason=str)
        require_own(request, request.path_params["server"])
        change = StateChange(request.path_params["server"], state, reason)
        await report_state(change, self.states, self.registry)
        return Response(status_code=204)

    async def all_states(self, _: Request) -> Response:
        """What every server's process was last said to do."""
        known = await self.processes.states()
        return json_answer({"states": {server: asdict(state) for server, state in known.items()}})

    async def entries(self, request: Request) -> Response:
        """Every server that is declared, by name: what its process is to be, and where its current version stands.

        Who says which state they have `seen` is answered when there is another, or after `wait_s`: another registry
        may have changed it.
        """
        if "seen" in request.query_params:
            wait_s = min(number_of(request, "wait_s", 0.0), _LONGEST_WAIT_S)
            await self.policy.entries_after(int(number_of(request, "seen", 0)), wait_s)
        seen = self.policy.entries  # before reading: a change meanwhile is told at once
        known = await self.registry.catalogue.entries()
        current = await self.registry.catalogue.current_versions()
        told = {name: _entry(entry, current.get(name)) for name, entry in known.items()}
        return json_answer({"entries": told, "seen": seen})

    async def entry(self, request: Request) -> Response:
        require_own(request, request.path_params["server"])
        entry = await entry_of(request.path_params["server"], self.registry)
        versions = await self.registry.catalogue.versions(entry.name)
        current = next((version for version in versions if version.version == entry.current), None)
        return json_answer(_entry(entry, current))

    async def keep_health(self, request: Request) -> Response:
        """What somebody saw of servers just now."""
        (looks,) = members_of(await body_read(request), looks=list)
        now = self.clock.now()
        probes = [probe_from_form(look, now) for look in cast("list[object]", looks)]
        await keep_looks(probes, self.healths, now)
        return Response(status_code=204)

    async def all_health(self, _: Request) -> Response:
        known = await self.healths.healths()
        return json_answer({"health": {server: health_to_form(health) for server, health in known.items()}})

    async def health(self, request: Request) -> Response:
        """One server with its last looks, newest first."""
        server = request.path_params["server"]
        known = await self.healths.health(server)
        if known is None:
            raise NotFound(f"nobody looked at a server {server!r} yet", hint="pierhead server list names the servers")
        probes = await self.healths.probes(server, _limit(request, PROBES_KEPT))
        return json_answer({"health": health_to_form(known), "probes": [probe_to_form(probe) for probe in probes]})

    async def token(self, request: Request) -> Response:
        """For `pierhead token`: whoever holds the internal key may speak for anyone of the built-in sign-in."""
        person, server, ttl_s = members_of(await body_read(request), person=str, server=str, ttl_s=int)
        if not self.makes_tokens:
            raise Forbidden(
                "people sign in at the company's identity provider, so nobody is given a token here",
                hint="let your client sign in, or send an access token of that provider",
                code="built-in-sign-in-off",
            )
        if not 0 < ttl_s <= _LONGEST_TOKEN_S:
            raise Invalid("a token lives 1 s to 24 h", hint="ask for a shorter time")
        resource = " ".join(await self._resources(server))
        scope = f"{ALL} {EVERY}" if self.desk.terms.issuer + REGISTRY in resource.split(" ") else ALL
        grant = Grant(person, resource, _CLIENT, _CLIENT, ttl_s, scope, self.desk.clock.now())
        token, expires_at = await issue(grant, self.desk)
        return json_answer({"token": token, "expires_at": expires_at})

    async def calls(self, request: Request) -> Response:
        query = request.query_params
        wanted = Filter(
            since=number_of(request, "since", 0.0),
            principal=query.get("principal", ""),
            server=query.get("server", ""),
            tool=query.get("tool", ""),
            decision=query.get("decision", ""),
            limit=_limit(request, 200),
        )
        return json_answer({"calls": [asdict(call) for call in await self.records.calls(wanted)]})

    async def call(self, request: Request) -> Response:
        call_id = request.path_params["call_id"]
        call = await self.records.call(call_id)
        if call is None:
            raise NotFound(f"no call {call_id!r}", hint="pierhead audit search lists calls")
        facts = [asdict(fact) for fact in await self.records.facts_of(call_id)]
        return json_answer({"call": asdict(call), "facts": facts})

    async def export(self, request: Request) -> Response:
        """Raw lines, writer by writer; `next` is where to go on, null at the end."""
        after = (request.query_params.get("writer", ""), int(number_of(request, "sequence", 0)))
        lines = await self.pages.lines(after, _limit(request, 1000))
        last = {"writer": lines[-1].writer, "sequence": lines[-1].sequence} if lines else None
        content = [{"writer": kept.writer, "line": kept.line.decode()} for kept in lines]
        return json_answer({"lines": content, "next": last})

    async def chain(self, _: Request) -> Response:
        return json_answer(asdict(await self.records.chain()))

    async def impact(self, request: Request) -> Response:
        impact = await report_impact(self.records, number_of(request, "since", 0.0))
        return json_answer({**asdict(impact), "formula": FORMULA, "range_formula": RANGE_FORMULA, "method": METHOD})

    async def _resources(self, server: str) -> list[str]:
        """What a token is good for: one server, or, asked for none, the front desk, both APIs, and each server.

        Where there are more servers than a token can name, it names none: their calls go over the front desk.
        """
        issuer = self.desk.terms.issuer
        if server:
            await entry_of(server, self.registry)
            return [f"{issuer}/mcp/{server}"]
        each = [f"{issuer}/mcp/{name}" for name in await self.registry.catalogue.entries()]
        named = each if sum(map(len, each)) <= _NAMED_BYTES else []
        return [f"{issuer}/mcp", f"{issuer}/api/v1", f"{issuer}/r/me", *named]


@dataclass(frozen=True, slots=True)
class KeyedRoutes:
    """Plain ASGI around the routes: the key first, for every path alike; then refusals as JSON.

    A server that proved by its certificate which one it is speaks for itself alone, whatever key it holds.
    """

    key: bytes = field(repr=False)
    routes: Router
    of_servers: Router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        presented = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(presented, b"Bearer " + self.key):
            refused = Unauthenticated("the internal API needs the internal key", hint="it is keys/internal.key")
            await problem(refused)(scope, receive, send)
            return
        own = server_in(role_on(scope))
        scope[SPEAKER] = own or EVERY_SERVER
        await (self.of_servers if own else self.routes)(scope, receive, send)


def speaks_for_all(request: Request) -> bool:
    """Whether its sender holds the internal key."""
    return bool(request.scope[SPEAKER] == EVERY_SERVER)


def require_own(request: Request, server: str) -> None:
    """Whoever holds the internal key speaks for every server, a server's own process for itself alone.

    Errors: Forbidden (`not-its-own`).
    """
    own = request.scope[SPEAKER]
    if own not in {EVERY_SERVER, server}:
        raise not_its_own(own)


def problem(error: PierheadError) -> Response:
    """An error as this API tells it."""
    content = {"code": error.code, "message": error.message, "hint": error.hint}
    return json_answer(content, http_status(error, MODERN))


def _entry(entry: Entry, current: Version | None) -> dict[str, object]:
    """What the supervisor needs: a process runs the document that was signed, and what was declared only before."""
    return {
        "origin": entry.origin,
        "document": entry.document if current is None else {**current.document, **_contacts(entry)},
        "declared": entry.document,
        "by": entry.by,
        "lock": entry.lock,
        "current": entry.current,
        "stage": "" if current is None else current.stage,
    }


def _contacts(entry: Entry) -> dict[str, object]:
    return {name: entry.document[name] for name in ("owner", "support") if name in entry.document}


def router_of(routes: Mapping[str, Endpoint]) -> Router:
    """These endpoints by method and path; what they refuse is told as this API tells it."""
    return Router([_route(name, endpoint) for name, endpoint in routes.items()], redirect_slashes=False)


def _route(name: str, endpoint: Endpoint) -> Route:
    method, _, path = name.partition(" ")

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PierheadError as error:
            return problem(error)

    return Route(path, answered, methods=[method])


def json_answer(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, {"cache-control": "no-store"}, media_type="application/json")


async def body_read(request: Request) -> object:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _BODY_LIMIT:
            raise LimitExceeded(f"body beyond {_BODY_LIMIT} bytes", hint="send less at once")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Invalid("the body is no JSON", hint="send one JSON object") from None


async def lines_read(request: Request) -> tuple[str, list[bytes]]:
    """The writer, and the lines of its journal."""
    writer, records = members_of(await body_read(request), writer=str, records=list)
    if not all(isinstance(line, str) for line in records):
        raise Invalid("a record is no text", hint="send each line as it stands in the journal")
    return writer, [line.encode() for line in cast("list[str]", records)]


def members_of(form: object, **kinds: type) -> tuple[Any, ...]:
    """Exactly these members of an object, in this order."""
    if not isinstance(form, Mapping) or set(cast("Mapping[str, object]", form)) != set(kinds):
        raise Invalid(f"the members are {', '.join(kinds)}", hint="send each once and no other", code="wire-form")
    members = cast("Mapping[str, object]", form)
    for name, kind in kinds.items():
        if not isinstance(members[name], kind) or isinstance(members[name], bool):
            raise Invalid(f"member {name!r} is no {kind.__name__}", code="wire-form")
    return tuple(members[name] for name in kinds)


def number_of(request: Request, name: str, default: float) -> float:
    text = request.query_params.get(name)
    try:
        number = default if text is None else float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise Invalid(f"{name} is no number from 0 on", hint="times are seconds since 1970-01-01 UTC")
    return number


def _limit(request: Request, default: int) -> int:
    return max(1, min(int(number_of(request, "limit", default)), _LARGEST_PAGE))
