"""Every page there is, and the one way a page is answered: check the host, find the viewer, show, or refuse.

A refusal is a page too, with a twin. Pages are listed once, in `PAGES`; tests walk that list.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, cast

import htpy as h
import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from pierhead.apps.problem import MODERN, http_status
from pierhead.apps.registry import openapi
from pierhead.apps.registry.forms import form_of, query_of, upload_of
from pierhead.apps.registry.web import page_authorize, page_browsers, page_federated, page_sign_in
from pierhead.apps.registry.web.answers import answer_form, cancel_form, remark_form, settle_form
from pierhead.apps.registry.web.answers_duty import away_form, back_form, break_form, forget_form, review_glass_form
from pierhead.apps.registry.web.changes import (
    comment_form,
    decision_form,
    publish_form,
    roll_back_form,
    step_form,
    suspend_form,
)
from pierhead.apps.registry.web.frame import LOOKS, STATIC, Around, document, heading
from pierhead.apps.registry.web.live import live, mark_of_approval, mark_of_inbox
from pierhead.apps.registry.web.page_access import access_page
from pierhead.apps.registry.web.page_admin import admin_page
from pierhead.apps.registry.web.page_approval import approval_page, confirming_page
from pierhead.apps.registry.web.page_approvals import approvals_page
from pierhead.apps.registry.web.page_audit import audit_page, call_page
from pierhead.apps.registry.web.page_batch import batch_form, batch_page
from pierhead.apps.registry.web.page_browsers import end_form
from pierhead.apps.registry.web.page_clients import revoke_form
from pierhead.apps.registry.web.page_connect import connect_page
from pierhead.apps.registry.web.page_data import data_page, statement_page
from pierhead.apps.registry.web.page_docs import docs
from pierhead.apps.registry.web.page_enrolment import enrol_form
from pierhead.apps.registry.web.page_fatigue import fatigue_page
from pierhead.apps.registry.web.page_fleet import fleet_page
from pierhead.apps.registry.web.page_impact import impact_page
from pierhead.apps.registry.web.page_packet import packet_file
from pierhead.apps.registry.web.page_parts import parts_page
from pierhead.apps.registry.web.page_register import register_form, register_page
from pierhead.apps.registry.web.page_review import review_page
from pierhead.apps.registry.web.page_reviews import reviews_page
from pierhead.apps.registry.web.page_server import server_page
from pierhead.apps.registry.web.page_servers import servers_page
from pierhead.apps.registry.web.page_simulate import LARGEST, simulate_form, simulate_page
from pierhead.apps.registry.web.page_simulation import simulation_page
from pierhead.apps.registry.web.page_why import why_page
from pierhead.apps.registry.web.page_you import you_page
from pierhead.apps.registry.web.parts import to
from pierhead.apps.registry.web.safety import SafePages, check_form, check_host, is_alias, own_path
from pierhead.apps.registry.web.session import COOKIE, Session
from pierhead.apps.registry.web.site import FormOf, PageOf, Shown, Site, Viewer
from pierhead.apps.registry.web.view_approvals import approvals_waiting
from pierhead.apps.registry.web.view_reviews import waiting_for
from pierhead.core.errors import NotFound, PierheadError, Unauthenticated

_DATA: Final = "/servers/{name}/data"
PAGES: Final[Mapping[str, PageOf]] = {
    "/servers": servers_page,
    "/servers/register": register_page,
    "/servers/{name}/data": data_page,
    "/servers/{name}": server_page,
    "/fleet-health": fleet_page,
    "/reviews": reviews_page,
    "/reviews/{id}": review_page,
    "/approvals": approvals_page,
    "/approvals/fatigue": fatigue_page,
    "/approvals/batch": batch_page,
    "/approvals/{id}": approval_page,
    "/approvals/{id}/approve": confirming_page,
    "/you": you_page,
    "/admin": admin_page,
    "/audit": audit_page,
    "/calls/{id}": call_page,
    "/impact": impact_page,
    "/access": access_page,
    "/access/simulate": simulate_page,
    "/access/simulations/{id}": simulation_page,
    "/why": why_page,
    "/connect": connect_page,
    "/-/parts": parts_page,
}
"""Path to page, for everyone who is signed in. A twin stands at the same path with `.json`."""

FORMS: Final[Mapping[str, FormOf]] = {
    "/servers/register": register_form,
    "/servers/{name}/steps": step_form,
    "/servers/{name}/roll-back": roll_back_form,
    "/servers/{name}/versions": publish_form,
    "/servers/{name}/enrolment": enrol_form,
    "/reviews/{id}/decisions": decision_form,
    "/reviews/{id}/comments": comment_form,
    "/approvals/batch": batch_form,
    "/approvals/{id}/decisions": answer_form,
    "/approvals/{id}/remarks": remark_form,
    "/approvals/{id}/cancel": cancel_form,
    "/approvals/{id}/settle": settle_form,
    "/approvals/{id}/break-glass": break_form,
    "/approvals/{id}/review": review_glass_form,
    "/you/browsers/{id}/end": end_form,
    "/you/absences": away_form,
    "/you/absences/{id}/end": back_form,
    "/you/choices/{id}/revoke": forget_form,
    "/you/clients/{id}/revoke": revoke_form,
    "/admin/suspend": suspend_form,
    "/access/simulate": simulate_form,
}
"""Path to what a form sent there does, for those who are signed in: each checks by itself who may."""

_UPLOADS: Final = {"/access/simulate": LARGEST}
"""The forms that take files, and how large they may be."""

_LOOK_COOKIE: Final = "pierhead_look"
_YEAR_S: Final = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Problem:
    """Why there is no page: the error's own code, message and hint."""

    code: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True)
class Web:
    """The pages of one site, as ASGI routes."""

    site: Site

    def routes(self) -> list[Mount | Route]:
        """All of them, each behind the headers of safety."""
        pages = [
            route
            for path, page in PAGES.items()
            for route in (
                self._route(f"{path}.json", partial(self._page, page, is_twin=True)),
                self._route(path, partial(self._page, page, is_twin=False)),
            )
        ]
        forms = [self._route(path, partial(self._form, form), "POST") for path, form in FORMS.items()]
        return [
            self._route("/", self._start),
            self._route("/sign-in.json", partial(self._sign_in, is_twin=True)),
            self._route("/sign-in", partial(self._sign_in, is_twin=False)),
            self._route("/sign-in", self._enter, "POST"),
            self._route("/sign-in/start", partial(page_federated.leave, self.site)),
            self._route("/sign-in/callback", partial(page_federated.come_back, self.site)),
            self._route("/sign-out", self._leave, "POST"),
            self._route("/-/look", self._choose_look, "POST"),
            self._route("/you/browsers", self._hear, "POST"),
            self._route("/approvals/stream", self._live),
            self._route("/approvals/{id}/stream", self._live),
            self._route("/docs", self._docs),
            self._route(f"{_DATA}.json", partial(self._statement, is_twin=True), "POST"),
            self._route(_DATA, partial(self._statement, is_twin=False), "POST"),
            self._route("/oauth/authorize", self._authorize),
            self._route("/oauth/continue", self._continue),
            self._route("/oauth/decline", self._decline),
            self._route("/reviews/{id}/packet/{part}", self._packet_part),
            *forms,
            *pages,
            Mount("/-/static", SafePages(StaticFiles(directory=STATIC))),
        ]

    def _route(self, path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str = "GET") -> Route:
        async def answered(request: Request) -> Response:
            try:
                if method == "GET" and self._is_elsewhere(request):
                    return RedirectResponse(f"{self.site.public_url}{_address(request)}", 307)
                check_host(request.headers, self.site.public_url)
                return await endpoint(request)
            except PierheadError as error:
                return self._problem(request, error)

        return Route(path, _asgi(answered), methods=[method])

    async def _start(self, request: Request) -> Response:
        del request
        return RedirectResponse("/servers", 303)

    async def _page(self, page: PageOf, request: Request, *, is_twin: bool) -> Response:
        viewer = self._viewer(request)
        if viewer is None:
            return self._to_sign_in(request, is_twin=is_twin)
        shown = await page(self.site, viewer, request)
        return await self._answer(request, shown, viewer.session, is_twin=is_twin)

    async def _form(self, form_of_page: FormOf, request: Request) -> Response:
        """A form from one of our pages: on to where it leads, or back with what must change."""
        viewer = self._signed_in(request)
        largest = _UPLOADS.get(request.url.path)
        form = await (form_of(request) if largest is None else upload_of(request, largest))
        check_form(request, form, viewer.session, self.site.sessions)
        done = await form_of_page(self.site, viewer, request, form)
        self.site.known.forget()
        if isinstance(done, str):
            return RedirectResponse(own_path(done), 303)
        return await self._answer(request, done, viewer.session, is_twin=False, status=200 if done.is_result else 400)

    async def _statement(self, request: Request, *, is_twin: bool) -> Response:
        """A statement from the data page: a form, since an address would keep it in histories and logs."""
        viewer = self._signed_in(request)
        form = await form_of(request)
        check_form(request, form, viewer.session, self.site.sessions)
        shown = await statement_page(self.site, viewer, request, form)
        return await self._answer(request, shown, viewer.session, is_twin=is_twin)

    def _to_sign_in(self, request: Request, *, is_twin: bool) -> Response:
        if is_twin:
            raise Unauthenticated("nobody is signed in", hint="sign in at /sign-in")
        return RedirectResponse(page_federated.address(self.site, _address(request)), 303)

    def _is_elsewhere(self, request: Request) -> bool:
        """Asked as localhost where cookies and clients know 127.0.0.1: led over, since a session has one host."""
        host, public = request.headers.get("host", ""), self.site.public_url
        return host != public.partition("://")[2] and is_alias(host, public)

    async def _sign_in(self, request: Request, *, is_twin: bool) -> Response:
        session = self.site.sessions.read(request) or self.site.sessions.start("", 0)
        token = self.site.sessions.form_token(session)
        query = query_of(request)
        shown = page_sign_in.sign_in(self.site, query.get("next", ""), token, is_fresh=query.get("fresh") == "1")
        response = await self._answer(request, shown, session, is_twin=is_twin)
        self.site.sessions.write(session, response)
        return response

    async def _docs(self, request: Request) -> Response:
        shown = docs(openapi.document(self.site.public_url))
        session = self.site.sessions.read(request) or self.site.sessions.start("", 0)
        return await self._answer(request, shown, session, is_twin=False)

    async def _enter(self, request: Request) -> Response:
        page_federated.refuse_built_in(self.site)
        form = await form_of(request)
        check_form(request, form, self.site.sessions.read(request), self.site.sessions)
        person = form.get("person", "")
        await page_sign_in.enter(self.site, person)
        response = RedirectResponse(own_path(form.get("next", "")), 303)
        self.site.sessions.write(self.site.sessions.start(person, self.site.now()), response)
        return response

    async def _leave(self, request: Request) -> Response:
        check_form(request, await form_of(request), self.site.sessions.read(request), self.site.sessions)
        viewer = self._viewer(request)
        if viewer is not None:
            self.site.streams.end(viewer.session.id)
            await page_browsers.end_here(self.site, viewer, request)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(COOKIE)
        response.delete_cookie(page_browsers.COOKIE)
        return response

    async def _live(self, request: Request) -> Response:
        """Whether the inbox, or one approval, has changed, as long as it is looked at."""
        viewer, approval_id = self._signed_in(request), str(request.path_params.get("id", ""))
        marked = partial(mark_of_approval, approval_id=approval_id) if approval_id else mark_of_inbox
        if approval_id:
            await marked(self.site, viewer)  # what is hidden is not found, before anything is told
        return live(self.site, viewer, partial(self._viewer, request), partial(marked, self.site))

    async def _hear(self, request: Request) -> Response:
        viewer = self._signed_in(request)
        form = await form_of(request)
        check_form(request, form, viewer.session, self.site.sessions)
        return await page_browsers.add_browser(self.site, viewer, request, form)

    async def _choose_look(self, request: Request) -> Response:
        form = await form_of(request)
        check_form(request, form, self.site.sessions.read(request), self.site.sessions)
        look = form.get("look", "")
        response = RedirectResponse(own_path(form.get("next", "")), 303)
        response.set_cookie(_LOOK_COOKIE, look if look in LOOKS else "system", max_age=_YEAR_S, samesite="lax")
        return response

    async def _packet_part(self, request: Request) -> Response:
        viewer = self._viewer(request)
        return await packet_file(self.site, viewer, request) if viewer else self._to_sign_in(request, is_twin=False)

    async def _authorize(self, request: Request) -> Response:
        asked = await page_authorize.asked_for(self.site, query_of(request))
        if isinstance(asked, Response):
            return asked
        viewer = self._viewer(request)
        if viewer is None:
            return self._to_sign_in(request, is_twin=False)
        anew = page_authorize.proved_anew(self.site, viewer, query_of(request))
        if anew:
            return RedirectResponse(anew, 303)
        shown = await page_authorize.let_in(self.site, viewer, asked, query_of(request))
        is_way_back = isinstance(shown, Response)
        return shown if is_way_back else await self._answer(request, shown, viewer.session, is_twin=False)

    async def _continue(self, request: Request) -> Response:
        ticket = query_of(request).get("ticket", "")
        return await page_authorize.say_yes(self.site, self._signed_in(request), ticket)

    async def _decline(self, request: Request) -> Response:
        return page_authorize.say_no(self.site, self._signed_in(request), query_of(request).get("ticket", ""))

    def _signed_in(self, request: Request) -> Viewer:
        viewer = self._viewer(request)
        if viewer is None:
            raise Unauthenticated("nobody is signed in", hint="sign in at /sign-in")
        return viewer

    def _viewer(self, request: Request) -> Viewer | None:
        session = self.site.sessions.read(request)
        groups = self.site.tokens.people.groups(session.person) if session else None
        return Viewer(session.person, groups, session) if session and groups is not None else None

    async def _answer(
        self, request: Request, shown: Shown, session: Session, *, is_twin: bool, status: int = 200
    ) -> Response:
        if is_twin:
            return _json(shown.view)
        waiting = await self._waiting(session)
        content = document(shown.title, shown.body(), self._around(request, session, waiting))
        return Response(str(content), status, media_type="text/html")

    async def _waiting(self, session: Session) -> Mapping[str, int]:
        """How much waits for that person, by the place where it does."""
        groups = self.site.tokens.people.groups(session.person)
        if groups is None:
            return {}
        viewer = Viewer(session.person, groups, session)
        return {
            "/reviews": await waiting_for(self.site, viewer),
            "/approvals": await approvals_waiting(self.site, viewer),
        }

    def _around(self, request: Request, session: Session | None, waiting: Mapping[str, int] | None = None) -> Around:
        person = session.person if session else ""
        groups = self.site.tokens.people.groups(person) or frozenset()
        return Around(
            person=person,
            groups=tuple(sorted(groups)),
            look=request.cookies.get(_LOOK_COOKIE, ""),
            path=request.url.path,
            form_token=self.site.sessions.form_token(session) if session else "",
            waiting=waiting or {},
            is_admin=not groups.isdisjoint(self.site.admins),
        )

    def _problem(self, request: Request, error: PierheadError) -> Response:
        status = http_status(error, MODERN)
        problem = Problem(error.code, error.message, error.hint)
        if request.url.path.endswith(".json"):
            return _json(problem, status)
        around = self._around(request, self.site.sessions.read(request))
        content = document(_title(error), _problem_page(problem, _title(error)), around)
        return Response(str(content), status, media_type="text/html")


def _address(request: Request) -> str:
    return own_path(request.url.path + (f"?{request.url.query}" if request.url.query else ""))


def _title(error: PierheadError) -> str:
    return "Not found" if isinstance(error, NotFound) else "This did not work"


def _problem_page(problem: Problem, title: str) -> h.Node:
    return h.div(class_="narrow stack")[
        heading(title, h.p(class_="read")[f"{problem.message[:1].upper()}{problem.message[1:]}."]),
        h.p(class_="read quiet")[f"What you can do: {problem.hint}." if problem.hint else None],
        h.p(class_="quiet")["Code: ", h.code[problem.code]],
        h.p[to("/servers", "Go to the servers")],
    ]


def _json(view: object, status: int = 200) -> Response:
    return Response(orjson.dumps(view, default=_plain), status, media_type="application/json")


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(map(str, cast("frozenset[object]", value)))
    return str(value)


def _asgi(endpoint: Callable[[Request], Awaitable[Response]]) -> SafePages:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive))
        await response(scope, receive, send)

    return SafePages(app)
