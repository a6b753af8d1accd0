"""Every route of the REST API, and the one way each is answered: find the caller, answer, or refuse as JSON.

Routes are listed once, in `ROUTES`; the OpenAPI document (`apps/registry/openapi`) is held to that list by
`make check`. Every route asks who is there before anything else, and so does every path that is no route.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from pierhead.apps.registry import openapi
from pierhead.apps.registry.api.answers import Asked, Endpoint, answer, problem
from pierhead.apps.registry.api.callers import Callers
from pierhead.apps.registry.api.catalogue import me, my_servers, server, servers
from pierhead.apps.registry.api.changes import changes, stream
from pierhead.apps.registry.api.preflight import authorize, authorize_batch, decision
from pierhead.apps.registry.api.record import call, calls, impact
from pierhead.apps.registry.api.who_can import who_can
from pierhead.core.errors import Invalid, NotFound, PierheadError

ROUTES: Final[Mapping[str, Endpoint]] = {
    "GET /api/v1/me": me,
    "GET /api/v1/me/servers": my_servers,
    "GET /api/v1/servers": servers,
    "GET /api/v1/servers/{name}": server,
    "GET /api/v1/calls": calls,
    "GET /api/v1/calls/{id}": call,
    "GET /api/v1/impact": impact,
    "GET /api/v1/changes": changes,
    "GET /api/v1/changes/stream": stream,
    "POST /api/v1/authorize": authorize,
    "POST /api/v1/authorize/batch": authorize_batch,
    "GET /api/v1/decisions/{id}": decision,
    "GET /api/v1/who-can": who_can,
}
"""Method and path to what answers it."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one site, as ASGI routes."""

    callers: Callers

    def routes(self) -> list[Route]:
        """All of them; last, what is no route but would be one of the API."""
        listed = [self._listed(name, endpoint) for name, endpoint in ROUTES.items()]
        rest = Route("/api/{rest:path}", Answering(self.callers, _absent))
        return [Route("/openapi.json", self._document), *listed, rest]

    def _listed(self, name: str, endpoint: Endpoint) -> Route:
        method, _, path = name.partition(" ")
        return Route(path, Answering(self.callers, endpoint, "GET, HEAD" if method == "GET" else method))

    async def _document(self, request: Request) -> Response:
        """OpenAPI 3.1, for anyone: it tells how to ask, and nothing of who may."""
        del request
        return answer(openapi.document(self.callers.site.public_url))


@dataclass(frozen=True, slots=True)
class Answering:
    """One endpoint as plain ASGI, which the router leaves every method to. No `methods`: any."""

    callers: Callers
    endpoint: Endpoint
    methods: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(Request(scope, receive))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        site = self.callers.site
        try:
            caller = await self.callers.of(request)
            if self.methods and request.method not in self.methods.split(", "):
                raise Invalid("another method is needed here", hint=f"use {self.methods}", code="method-not-allowed")
            content = await self.endpoint(Asked(site, caller, request))
            return content if isinstance(content, Response) else answer(content)
        except PierheadError as error:
            return problem(error, site.public_url, self.methods)


async def _absent(asked: Asked) -> object:
    raise NotFound("the API has no such route", hint=f"see {asked.site.public_url}/docs")
