"""/enrolled/v1: what a server that its team runs asks of the registry, with a key that is good for that server alone.

It follows its own share of the policy, ships its own record, tells what it offers and how it is, asks for approvals of
its own calls. Reached at the public address, since that process may run anywhere. Below: the routes of `internal`, held
to one server. Not here: making that key (`api/enrolment`).
"""

from dataclasses import dataclass, replace
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router

from pierhead.apps.registry.asked_by_servers import WAITING
from pierhead.apps.registry.internal import (
    SPEAKER,
    Internal,
    Receive,
    Scope,
    Send,
    body_read,
    json_answer,
    lines_read,
    problem,
    require_own,
    router_of,
)
from pierhead.core.errors import Unauthenticated
from pierhead.usecases.enrol_server import check_own_facts, not_its_own, server_of_bearer
from pierhead.usecases.publish_manifest import publish_manifest
from pierhead.usecases.registry_desk import RegistryDesk, entry_of
from pierhead.usecases.ship_facts import take_facts
from pierhead.usecases.wire_forms import manifest_from_form

PREFIX: Final = "/enrolled/v1"
_SCHEME: Final = "Bearer "


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The routes. Nothing of `internal` is here that is not named."""

    internal: Internal

    def application(self) -> "OwnRoutes":
        routes = {
            "GET /snapshot": self.snapshot,
            "POST /facts": self.take,
            "POST /servers/{server}/manifest": self.manifest,
            "POST /servers/{server}/state": self.internal.state,
            **{name: self.internal.approvals[name] for name in WAITING},
        }
        return OwnRoutes(self.internal.registry, router_of(routes))

    async def snapshot(self, request: Request) -> Response:
        """Its own share of the signed revision, and what people no longer have: at once if there is news."""
        internal, own = self.internal, str(request.scope[SPEAKER])
        await internal.until_news(request)
        return internal.sealed(internal.policy.payload_for(own, internal.registry.clock.now()))

    async def take(self, request: Request) -> Response:
        """Facts of its own journal, about its own calls."""
        own = str(request.scope[SPEAKER])
        writer, lines = await lines_read(request)
        if writer != f"server-{own}":
            raise not_its_own(own)
        check_own_facts(own, lines)
        return json_answer({"acknowledged": await take_facts(writer, lines, self.internal.facts)})

    async def manifest(self, request: Request) -> Response:
        """What it offers. Where it listens is not its to say: that was declared, and signed."""
        name, desk = request.path_params["server"], self.internal.registry
        require_own(request, name)
        entry = await entry_of(name, desk)
        told = manifest_from_form(await body_read(request))
        place = desk.declarations.read(name, entry.document).place
        await publish_manifest(name, replace(told, upstream=place), desk)
        return Response(status_code=204)


@dataclass(frozen=True, slots=True)
class OwnRoutes:
    """Plain ASGI around the routes: whose key it is first, for every path alike."""

    registry: RegistryDesk
    routes: Router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        presented = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        try:
            key = await server_of_bearer(presented.removeprefix(_SCHEME), self.registry)
        except Unauthenticated as refused:
            await problem(refused)(scope, receive, send)
            return
        scope[SPEAKER] = key.server
        await self.routes(scope, receive, send)
