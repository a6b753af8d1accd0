"""Every route of the registry, and what each asks of whoever comes: with no credential, and with wrong ones.

The list is read from the application itself, so that a new route is either refused to strangers or stands, with its
reason, among those that anyone may ask.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

import httpx2
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, Router

from pierhead.apps.registry.app import build, parts_of
from pierhead.apps.registry.official.routes import ROUTES as OFFICIAL
from pierhead.apps.registry.official.routes import OfficialRoute
from pierhead.bootstrap import fleet as fleet_file
from pierhead.bootstrap.keys import Keys
from pierhead.bootstrap.wire_registry import RegistrySetting, registry_adapters

PUBLIC_URL: Final = "http://127.0.0.1:8420"
FLEET: Final = """
people: {alice: {groups: [data-eng]}}
servers:
  clock:
    kind: stdio
    command: [mcp-server-time]
    owner: data-platform
    support: "#data-help"
    access: everyone
    tools: {now: {policy: everyone, effect: read, minutes_saved: 1}}
"""
_READ: Final = "says how to sign in, and nothing of anybody"
_FORM: Final = "judges the credential in its body, and refuses without a good one"
ANONYMOUS: Final = {
    "/healthz": "says that the process answers, for whoever watches it",
    "/internal/metrics": "counts without names, on this machine alone: the gateway carries nothing below /internal",
    "/.well-known/": _READ,
    "/mcp/{server}/.well-known/": _READ,
    "/oauth/jwks": "public keys",
    "/oauth/register": "a client registers before anybody can sign in; limited in number, and worth nothing by itself",
    "/oauth/token": _FORM,
    "/oauth/revoke": _FORM,
    "/oauth/authorize": "tells a client that is not registered that it is none; then leads to sign-in",
    "/openapi.json": "tells how to ask, and nothing of who may",
    "/docs": "the same as a page",
    "/sign-in": "where people prove who they are",
    "/-/static": "the style sheet and its like",
    "GET /v0.1/servers": "IDEs send no credential; shows what everyone may reach, and no owner",
}
"""Where anyone may ask, and why. What begins so is meant."""
_TO_SIGN_IN: Final = frozenset({302, 303, 307})
_REFUSED: Final = frozenset({401, 403, 404, 405, 501})
_EMPTY_FORM: Final = {"content-type": "application/x-www-form-urlencoded"}
_WRONG: Final = (
    {"authorization": "Bearer wrong"},
    {"authorization": "Basic YWxpY2U6YWxpY2U="},
    {"cookie": "pierhead_session=wrong"},
)


@asynccontextmanager
async def application(folder: Path) -> AsyncGenerator[Starlette]:
    """The registry as it runs, over its real database."""
    keys, file = Keys.at(folder), folder / "fleet.yaml"
    file.write_text(FLEET)
    fleet = fleet_file.load(file, folder)
    keys.ensure(tuple(fleet.servers))
    async with AsyncExitStack() as opened:
        setting = RegistrySetting(folder, fleet, PUBLIC_URL, "ide", "local")
        yield build(parts_of(await registry_adapters(setting, opened)))


def inventory(routes: Iterable[BaseRoute], prefix: str = "") -> Iterator[tuple[str, frozenset[str]]]:
    """Every path with the methods it is listed for; none listed: it judges the method itself."""
    for route in routes:
        match route:
            case Route():
                yield prefix + route.path, frozenset(route.methods or ())
            case Mount():
                inner, path = routes_within(route.app), prefix + route.path
                yield from inventory(inner, path) if inner else [(f"{path}/x", frozenset[str]())]
            case OfficialRoute():
                for start, (name, _) in product(("", "/r/me"), OFFICIAL.items()):
                    method, _, path = name.partition(" ")
                    yield f"{start}{path}", frozenset({method})
            case _:
                raise AssertionError(f"a kind of route that this test cannot see through: {route}")


def routes_within(app: Any) -> list[BaseRoute]:
    """The routes of what is mounted, through what is wrapped around it; none for a folder of files."""
    while app is not None and not isinstance(app, Router | Starlette):
        app = getattr(app, "routes", None) or getattr(app, "app", None)
        if isinstance(app, list):
            return app
    return list(app.routes) if app is not None else []


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", "clock", path)


def is_anonymous(method: str, path: str) -> bool:
    return path == "/" or any(path.startswith(start) or f"{method} {path}".startswith(start) for start in ANONYMOUS)


def refusals(folder: Path) -> dict[tuple[str, str, int], httpx2.Response]:
    """What every route that is not for anyone answers, by method, path and credential (0: none at all)."""

    async def asked() -> dict[tuple[str, str, int], httpx2.Response]:
        found: dict[tuple[str, str, int], httpx2.Response] = {}
        async with application(folder) as app:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url=PUBLIC_URL) as http:
                for path, listed in inventory(app.routes):
                    methods = sorted((listed - {"HEAD"}) or {"GET", "POST", "PUT", "DELETE"})
                    closed = [method for method in methods if not is_anonymous(method, path)]
                    for method, (number, headers) in product(closed, enumerate(({}, *_WRONG))):
                        sent = headers if method == "GET" else {**headers, **_EMPTY_FORM}
                        found[method, path, number] = await http.request(method, filled(path), headers=sent)
        return found

    return asyncio.run(asked())


def test_every_route_refuses_whoever_has_no_credential_or_a_wrong_one(tmp_path: Path) -> None:
    answers = refusals(tmp_path)
    let_in = {
        key: answer.status_code
        for key, answer in answers.items()
        if answer.status_code not in _REFUSED and not _leads_to_sign_in(answer)
    }

    assert let_in == {}
    assert len(answers) > 200, "routes are missing: this test does not see the application any more"


def test_the_api_and_the_internal_api_refuse_before_they_look_at_anything(tmp_path: Path) -> None:
    answers = refusals(tmp_path)
    ours = {key: answer.status_code for key, answer in answers.items() if key[1].startswith(("/api/", "/internal/"))}

    assert set(ours.values()) == {401}
    assert {path.split("/")[1] for _, path, _ in ours} == {"api", "internal"}


def test_what_is_refused_tells_nothing_of_what_is_there(tmp_path: Path) -> None:
    told = [key for key, answer in refusals(tmp_path).items() if "data-platform" in answer.text]

    assert told == []


def test_the_routes_for_anyone_are_there_and_each_has_its_reason(tmp_path: Path) -> None:
    async def listed() -> list[str]:
        async with application(tmp_path) as app:
            found = list(inventory(app.routes))
        return [name for path, methods in found for name in (path, *(f"{method} {path}" for method in methods))]

    found = asyncio.run(listed())

    assert all(ANONYMOUS.values())
    assert [start for start in ANONYMOUS if not any(name.startswith(start) for name in found)] == []


def _leads_to_sign_in(answer: httpx2.Response) -> bool:
    return answer.status_code in _TO_SIGN_IN and answer.headers["location"].startswith("/sign-in")
