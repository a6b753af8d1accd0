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
from pierhead.apps.registry.api import (
    approvals,
    consents,
    duties,
    enrolment,
    entries,
    packet,
    people,
    review_desk,
    versions,
)
from pierhead.apps.registry.api.access import access_review
from pierhead.apps.registry.api.answers import Asked, Endpoint, answer, problem
from pierhead.apps.registry.api.callers import Callers
from pierhead.apps.registry.api.catalogue import me, my_servers, server, servers
from pierhead.apps.registry.api.changes import changes, stream
from pierhead.apps.registry.api.fleet import fleet_health
from pierhead.apps.registry.api.health import health
from pierhead.apps.registry.api.preflight import authorize, authorize_batch, decision
from pierhead.apps.registry.api.record import call, calls, impact
from pierhead.apps.registry.api.simulate import simulate_policy, simulation
from pierhead.apps.registry.api.who_can import who_can
from pierhead.core.errors import Invalid, NotFound, PierheadError

ROUTES: Final[Mapping[str, Endpoint]] = {
    "GET /api/v1/me": me,
    "GET /api/v1/me/servers": my_servers,
    "GET /api/v1/servers": servers,
    "POST /api/v1/servers": entries.register,
    "GET /api/v1/servers/{name}": server,
    "GET /api/v1/fleet-health": fleet_health,
    "PUT /api/v1/servers/{name}": entries.change,
    "GET /api/v1/servers/{name}/health": health,
    "GET /api/v1/servers/{name}/entry": entries.entry,
    "POST /api/v1/servers/{name}/enrolment": enrolment.enrol,
    "DELETE /api/v1/servers/{name}/enrolment": enrolment.end,
    "GET /api/v1/servers/{name}/versions": versions.versions,
    "POST /api/v1/servers/{name}/versions": versions.publish,
    "GET /api/v1/servers/{name}/versions/{version}": versions.version,
    "GET /api/v1/servers/{name}/versions/{version}/packet": packet.packet,
    "GET /api/v1/servers/{name}/versions/{version}/packet/{part}": packet.part,
    "PUT /api/v1/servers/{name}/versions/{version}/packet/{part}": packet.keep,
    "POST /api/v1/servers/{name}/versions/{version}/{step}": versions.step,
    "POST /api/v1/servers/{name}/rollback": versions.rollback,
    "GET /api/v1/servers/{name}/candidate": versions.candidate,
    "GET /api/v1/servers/{name}/diff": versions.diff,
    "GET /api/v1/reviews": review_desk.reviews,
    "GET /api/v1/reviews/{id}": review_desk.review,
    "POST /api/v1/reviews/{id}/decisions": review_desk.decide,
    "POST /api/v1/reviews/{id}/comments": review_desk.comment,
    "GET /api/v1/approvals": approvals.approvals,
    "POST /api/v1/approvals/decisions": approvals.answer_many,
    "GET /api/v1/approvals/{id}": approvals.approval,
    "POST /api/v1/approvals/{id}/decisions": approvals.answer,
    "POST /api/v1/approvals/{id}/remarks": approvals.remark,
    "POST /api/v1/approvals/{id}/cancel": approvals.cancel,
    "POST /api/v1/approvals/{id}/settle": approvals.settle,
    "POST /api/v1/approvals/{id}/break-glass": duties.break_the_glass,
    "POST /api/v1/approvals/{id}/review": duties.review_the_glass,
    "GET /api/v1/absences": duties.absences,
    "POST /api/v1/absences": duties.be_away,
    "POST /api/v1/absences/{id}/end": duties.be_back,
    "GET /api/v1/choices": duties.choices,
    "POST /api/v1/choices/{id}/revoke": duties.forget,
    "GET /api/v1/consents": consents.consents,
    "POST /api/v1/consents/{id}/revoke": consents.revoke,
    "GET /api/v1/fatigue": duties.fatigue,
    "GET /api/v1/people/withdrawn": people.withdrawn,
    "POST /api/v1/people/revoke": people.revoke,
    "POST /api/v1/people/restore": people.restore,
    "GET /api/v1/changes": changes,
    "GET /api/v1/changes/stream": stream,
    "POST /api/v1/authorize": authorize,
    "POST /api/v1/authorize/batch": authorize_batch,
    "GET /api/v1/decisions/{id}": decision,
    "GET /api/v1/who-can": who_can,
    "GET /api/v1/access": access_review,
    "POST /api/v1/policy/simulate": simulate_policy,
    "GET /api/v1/policy/simulations/{id}": simulation,
    "GET /api/v1/calls": calls,
    "GET /api/v1/calls/{id}": call,
    "GET /api/v1/impact": impact,
}
"""Method and path to what answers it."""


@dataclass(frozen=True, slots=True)
class Api:
    """The API of one site, as ASGI routes."""

    callers: Callers

    def routes(self) -> list[Route]:
        """All of them; last, what is no route but would be one of the API."""
        paths = dict.fromkeys(name.partition(" ")[2] for name in ROUTES)
        listed = [Route(path, Answering(self.callers, _methods(path))) for path in paths]
        rest = Route("/api/{rest:path}", Answering(self.callers, {}))
        return [Route("/openapi.json", self._document), *listed, rest]

    async def _document(self, request: Request) -> Response:
        """OpenAPI 3.1, for anyone: it tells how to ask, and nothing of who may."""
        del request
        return answer(openapi.document(self.callers.site.public_url))


@dataclass(frozen=True, slots=True)
class Answering:
    """One path as plain ASGI, which the router leaves every method to. No `methods`: there is no such path."""

    callers: Callers
    methods: Mapping[str, Endpoint]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._response(Request(scope, receive))
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        site = self.callers.site
        try:
            asked = Asked(site, await self.callers.of(request), request)
            content = await self._endpoint(asked)(asked)
            return content if isinstance(content, Response) else answer(content)
        except PierheadError as error:
            oldest_s = site.approvals.limits.reauthenticate_s
            return problem(error, site.public_url, ", ".join(self.methods), oldest_s)

    def _endpoint(self, asked: Asked) -> Endpoint:
        """What answers this method. Errors: NotFound; Invalid (`method-not-allowed`)."""
        if not self.methods:
            raise NotFound("the API has no such route", hint=f"see {asked.site.public_url}/docs")
        found = self.methods.get(asked.request.method)
        if found is None:
            hint = f"use {', '.join(self.methods)}"
            raise Invalid("another method is needed here", hint=hint, code="method-not-allowed")
        return found


def _methods(path: str) -> Mapping[str, Endpoint]:
    """The methods of one path; where something can be read, its headers alone can be read too."""
    found: dict[str, Endpoint] = {}
    for name, endpoint in ROUTES.items():
        method, _, listed = name.partition(" ")
        if listed == path:
            found |= {"GET": endpoint, "HEAD": endpoint} if method == "GET" else {method: endpoint}
    return found
