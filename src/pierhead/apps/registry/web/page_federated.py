"""Signing in at the company's identity provider: out to it, and back.

Without a provider neither page is there; with one, the built-in sign-in is not. Below: `usecases/federate`, which
judges the answer. Not here: the page with the button (`page_sign_in`).
"""

from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.web.safety import own_path
from pierhead.apps.registry.web.site import Site
from pierhead.core.errors import Forbidden, NotFound
from pierhead.usecases.federate import Federation, sign_in_elsewhere

START = "/sign-in/start"


def address(site: Site, wanted: str) -> str:
    """Where somebody who must sign in goes: at once to the provider, where there is one."""
    place = START if site.federation else "/sign-in"
    return f"{place}?next={quote(wanted, safe='')}"


def refuse_built_in(site: Site) -> None:
    """Errors: Forbidden (`built-in-sign-in-off`), where people sign in at a provider."""
    if site.federation:
        raise Forbidden(
            f"people sign in at {site.federation.provider.issuer}; the built-in sign-in is off",
            hint="sign in there: open /sign-in",
            code="built-in-sign-in-off",
        )


async def leave(site: Site, request: Request) -> Response:
    """To the provider, with a question whose answer only this browser can bring back."""
    federation = _federation(site)
    query = query_of(request)
    attempt, cookie = site.attempts.start(own_path(query.get("next", "")), is_fresh=query.get("fresh") == "1")
    response = RedirectResponse(await federation.provider.question(attempt), 303)
    site.attempts.write(cookie, response)
    return response


async def come_back(site: Site, request: Request) -> Response:
    """From the provider: a new session, and on to where the person was going."""
    federation = _federation(site)
    attempt, wanted = site.attempts.read(request)
    person = await sign_in_elsewhere(query_of(request), attempt, federation)
    response = RedirectResponse(own_path(wanted), 303)
    site.attempts.end(response)
    site.sessions.write(site.sessions.start(person.name, person.proved_at), response)
    return response


def _federation(site: Site) -> Federation:
    if site.federation is None:
        raise NotFound("people sign in here", hint="open /sign-in")
    return site.federation
