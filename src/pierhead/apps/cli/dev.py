"""`pierhead dev`: a project's server on the platform in memory, with an inspector in the browser, on this machine.

Every request must name this very address, and every form must come from a page of ours. Not here: what is shown
(`dev_page`), what is called (`dev_state`).
"""

import contextlib
import json
import secrets
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import typer

from pierhead.core.errors import Forbidden, Invalid, Misconfigured, PierheadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

    from pierhead.apps.cli.dev_state import Development, Tried
    from pierhead.testing import Identity

_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def register(app: typer.Typer) -> None:
    app.command("dev")(dev)


def dev(
    path: Annotated[Path, typer.Argument(help="The project's folder.")] = Path(),
    port: Annotated[int, typer.Option("--port", help="Where the inspector listens.")] = 8425,
    host: Annotated[str, typer.Option("--host", help="This machine alone: anything else is refused.")] = "127.0.0.1",
    person: Annotated[
        str, typer.Option("--as", help="As whom AI clients call at /mcp; the page changes it.")
    ] = "alice",
) -> None:
    """Run a project's server while you write it: reloaded on change, called as anyone, approvals answered on the page.

    Examples: pierhead dev; pierhead dev lunch --port 9000
    """
    import uvicorn  # noqa: PLC0415 - see the package's docstring

    from pierhead.apps.cli.dev_state import Development  # noqa: PLC0415
    from pierhead.bootstrap.projects import project_in  # noqa: PLC0415

    if host not in _LOOPBACK:
        hint = "leave --host out; put people before it with pierhead up"
        raise Misconfigured(
            f"anyone may call as anyone here, so it does not listen on {host}", hint=hint, code="dev-is-local"
        )
    project = project_in(path)
    now = Development.of(project, lambda line: print(line, file=sys.stderr, flush=True))
    now.speaker = _speaker(person, project.fleet)
    url = f"http://{host if ':' not in host else f'[{host}]'}:{port}"
    print(f"{now.bench.server.name} at {url}: edit, save, call. Ctrl-C ends it.", flush=True)
    print(f"AI clients: {url}/mcp, as {now.speaker.user} ({', '.join(sorted(now.speaker.groups)) or 'in no group'})")
    settings = uvicorn.Config(application(now, url), host, port, log_level="warning", lifespan="on")
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(settings).run()


def application(now: "Development", url: str) -> "Starlette":
    """The inspector's pages, for requests to `url` alone."""
    import asyncio  # noqa: PLC0415
    from contextlib import asynccontextmanager  # noqa: PLC0415

    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.middleware import Middleware  # noqa: PLC0415
    from starlette.routing import Mount, Route  # noqa: PLC0415
    from starlette.staticfiles import StaticFiles  # noqa: PLC0415

    from pierhead.apps.cli.dev_door import Door  # noqa: PLC0415
    from pierhead.apps.registry.web.frame import STATIC  # noqa: PLC0415
    from pierhead.apps.registry.web.safety import SafePages  # noqa: PLC0415

    desk = Desk(now, url)

    @asynccontextmanager
    async def following(app: Starlette) -> AsyncGenerator[None]:
        del app
        task = asyncio.create_task(now.follow())
        yield
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    routes = [
        Route("/", desk.shown),
        Route("/call", desk.called, methods=["POST"]),
        Route("/answer", desk.answered, methods=["POST"]),
        Route("/speaker", desk.spoken, methods=["POST"]),
        Route("/mcp", Door(now, url), methods=["GET", "POST", "DELETE"]),
        Mount("/-/static", StaticFiles(directory=STATIC)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(SafePages)], lifespan=following)


class Desk:
    """The pages. The token in each form is of this run alone."""

    def __init__(self, now: "Development", url: str) -> None:
        self.now = now
        self.url = url
        self.token = secrets.token_urlsafe(24)

    async def shown(self, request: "Request") -> "Response":
        return self._page(request, {"user": "alice"}, None, "")

    async def called(self, request: "Request") -> "Response":
        from pierhead.testing.profiles import ERAS  # noqa: PLC0415

        try:
            typed = await self._form(request)
            arguments = _object(typed.get("arguments", ""))
            who = _who(typed)
            eras = ERAS if typed.get("era") == "both" else (typed.get("era", ERAS[0]),)
            told = [await self.now.call(typed.get("tool", ""), arguments, who, era) for era in eras if era in ERAS]
        except PierheadError as fault:
            return self._refused(request, fault)
        return self._page(request, typed, told[-1] if told else None, _differ(told))

    async def answered(self, request: "Request") -> "Response":
        try:
            typed = await self._form(request)
            await self.now.answer(typed.get("approval", ""), typed.get("verdict", ""))
        except PierheadError as fault:
            return self._refused(request, fault)
        return self._page(request, typed, None, "")

    async def spoken(self, request: "Request") -> "Response":
        try:
            self.now.speaker = _who(await self._form(request))
        except PierheadError as fault:
            return self._refused(request, fault)
        return self._page(request, {"user": self.now.speaker.user}, None, "")

    async def _form(self, request: "Request") -> dict[str, str]:
        """Errors: Forbidden (`wrong-host`, `wrong-origin`)."""
        from pierhead.apps.registry.web.safety import check_host, is_from_here  # noqa: PLC0415

        check_host(request.headers, self.url)
        typed = {name: str(value) for name, value in (await request.form()).items()}
        if not is_from_here(request.headers) or not secrets.compare_digest(typed.get("token", ""), self.token):
            raise Forbidden("the form is too old or not ours", hint="reload the page", code="wrong-origin")
        return typed

    def _page(self, request: "Request", typed: "Mapping[str, str]", tried: "Tried | None", more: str) -> "Response":
        from starlette.responses import HTMLResponse  # noqa: PLC0415

        from pierhead.apps.cli.dev_page import page  # noqa: PLC0415
        from pierhead.apps.registry.web.safety import check_host  # noqa: PLC0415

        try:
            check_host(request.headers, self.url)
        except PierheadError as fault:
            return self._refused(request, fault)
        return HTMLResponse(f"<!doctype html>{page(self.now, self.token, typed, tried, more)}")

    def _refused(self, request: "Request", fault: PierheadError) -> "Response":
        from starlette.responses import PlainTextResponse  # noqa: PLC0415

        from pierhead.core.wire_codes import numbers  # noqa: PLC0415

        del request
        return PlainTextResponse(f"{fault.message}\n{fault.hint}\n", numbers(fault).http)


def _who(typed: "Mapping[str, str]") -> "Identity":
    """Who calls, as a form says it. Errors: Invalid."""
    from pierhead.testing import Identity  # noqa: PLC0415

    groups = frozenset(each.strip() for each in typed.get("groups", "").split(",") if each.strip())
    who = Identity(typed.get("user", "").strip(), groups, typed.get("workload", "").strip())
    if not who.user and not who.workload:
        raise Invalid("nobody calls", hint="say a person or a workload")
    return who


def _speaker(person: str, fleet: Path) -> "Identity":
    """That person, in the groups that the project's fleet file has them in."""
    from pierhead.bootstrap import fleet as fleet_file  # noqa: PLC0415
    from pierhead.testing.bench import identity  # noqa: PLC0415

    return identity(person, fleet_file.load(fleet).people.get(person, ()) if fleet.is_file() else ())


def _object(text: str) -> "Mapping[str, Any]":
    try:
        read: object = json.loads(text or "{}")
    except ValueError as fault:
        raise Invalid(f"the arguments are no JSON: {fault}", hint='write an object, like {"limit": 5}') from None
    if not isinstance(read, dict):
        raise Invalid("the arguments are no object", hint='write one, like {"limit": 5}')
    return cast("Mapping[str, Any]", read)


def _differ(told: "list[Tried]") -> str:
    """What to say where both revisions were asked."""
    if len(told) < 2:  # noqa: PLR2004 - both
        return ""
    same = [each.result.get("structuredContent") or each.result for each in told]
    return "Both revisions answer alike." if same[0] == same[1] else "The two revisions answer differently."
