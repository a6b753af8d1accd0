"""A client asks for a person's yes: the consent page, where it is needed, and the way back to the client.

The way back is a link with a one-time ticket, not a form: `form-action 'self'` also governs where a form's answer
redirects, so a browser would stop a form on its way to the client. Until client and redirect are known to be good,
every fault is shown here; after that it goes to the client, with our issuer in it (RFC 9207).
Below: `usecases/grant_tokens`, and `usecases/remember_consent` for whom it is not needed again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

import htpy as h
from starlette.responses import RedirectResponse, Response

from pierhead.apps.registry.web.answers_duty import prove_anew
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.parts import Tone, absolute, facts, notice, titled
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.consent import MEANING
from pierhead.core.errors import Invalid
from pierhead.core.scope import ADMIN, ALL, READ, WRITE
from pierhead.usecases.grant_tokens import AuthorizationRequest, check_request, grant_code, scopes_of, server_of
from pierhead.usecases.register_client import NotGranted, is_assured, is_loopback, is_registered_redirect, redirect_host
from pierhead.usecases.remember_consent import give_consent, known_consent, reuse_consent, uses_asked

_CALLS: Final = "It can then call what you may call, and nothing you may not. Each call is recorded."
_HELD: Final = "It can then do what stands below, as far as you may yourself, and nothing else. Each call is recorded."
_MEANING: Final[Mapping[str, str]] = {
    READ: "read the registry as you see it",
    WRITE: "publish servers, and change the status of your own",
    ADMIN: "act as security or as an administrator, where you are one",
}


@dataclass(frozen=True, slots=True)
class ConsentView:
    """What the client asks for. `client` is the client's own word."""

    client: str
    described_at: str
    """The address that the client's name comes from; empty where it is the client's own word alone."""
    returns_to: str
    is_this_machine: bool
    server: str
    resource: str
    scopes: tuple[str, ...]
    person: str
    minutes: int
    days: int
    kept_days: int
    """For how long the person is not asked about this client again; 0: they are asked each time."""
    said_before: float
    """When they let it in before; 0 where they did not."""
    uses: tuple[str, ...]
    """The kinds of use that a yes is kept for."""
    ticket: str


async def asked_for(site: Site, query: Mapping[str, str]) -> AuthorizationRequest | Response:
    """The request, checked; or the way back to the client with what is wrong.

    Errors: Invalid, where there is no way back that could be trusted.
    """
    client = await site.tokens.clients.client(query.get("client_id", ""))
    if client is None:
        raise Invalid("this client is not registered here", hint="remove and add the server in your client again")
    redirect = query.get("redirect_uri", "")
    if not is_registered_redirect(redirect, client):
        raise Invalid("redirect_uri is not one this client registered", hint="add the server in your client again")
    asked = AuthorizationRequest(
        client,
        redirect,
        query.get("code_challenge", ""),
        query.get("resource", ""),
        query.get("state", ""),
        query.get("scope", ""),
    )
    if query.get("response_type") != "code":
        return back(asked, site, error="unsupported_response_type", error_description="response_type must be code")
    try:
        check_request(asked, query.get("code_challenge_method", ""), site.public_url)
    except NotGranted as refused:
        return back(asked, site, error=refused.code, error_description=f"{refused.message}; {refused.hint}")
    return asked


def proved_anew(site: Site, viewer: Viewer, query: Mapping[str, str]) -> str:
    """Where somebody goes first whose sign-in is older than their client asks for; empty where it is not.

    OpenID Connect Core, 3.1.2.1, as RFC 9470 uses it: `max_age`, and `prompt=login`. What they come back to asks for a
    minute, not for less: that is how long reading takes.
    """
    stated = query.get("max_age", "")
    oldest = float(stated) if stated.isascii() and stated.isdigit() and len(stated) <= len("31536000") else None
    is_asked = "login" in query.get("prompt", "").split()
    if not is_asked and (oldest is None or site.now() - viewer.session.proved_at <= oldest):
        return ""
    words = [word for word in query.get("prompt", "").split() if word != "login"]
    again = {name: value for name, value in query.items() if name != "prompt"}
    again |= {"prompt": " ".join(words)} if words else {}
    again["max_age"] = f"{max(oldest or 0.0, 60.0):.0f}"
    return prove_anew(f"/oauth/authorize?{urlencode(again)}")


async def let_in(site: Site, viewer: Viewer, asked: AuthorizationRequest, query: Mapping[str, str]) -> Response | Shown:
    """Back to a client that its person need not be asked about again; else the question."""
    is_to_be_asked = "consent" in query.get("prompt", "").split()  # OpenID Connect Core, 3.1.2.1
    if not is_to_be_asked and await reuse_consent(asked, viewer.person, site.people.consents):
        return await _with_code(site, viewer, asked)
    return await _question(site, viewer, asked)


async def _question(site: Site, viewer: Viewer, asked: AuthorizationRequest) -> Shown:
    terms, before = site.tokens.terms, await known_consent(asked, viewer.person, site.people.consents)
    is_kept = is_assured(asked.redirect_uri, asked.client)
    view = ConsentView(
        client=asked.client.name,
        described_at=asked.client.id if asked.client.id.startswith("https://") else "",
        returns_to=redirect_host(asked.redirect_uri),
        is_this_machine=is_loopback(asked.redirect_uri),
        server=server_of(asked.resource, site.public_url),
        resource=asked.resource,
        scopes=tuple(scopes_of(asked.scope, asked.resource, site.public_url).split()),
        person=viewer.person,
        minutes=terms.access_s // 60,
        days=int(terms.family_s // 86_400),
        kept_days=int(terms.consent_s // 86_400) if is_kept else 0,
        said_before=before.given_at if before else 0.0,
        uses=uses_asked(asked, site.public_url),
        ticket=site.tickets.keep(asked, viewer.session.id),
    )
    return Shown("Allow a client", view, lambda: _consent(view))


def _consent(view: ConsentView) -> h.Node:
    target = view.server or "Pierhead"
    where = "a program on this machine" if view.is_this_machine else view.returns_to
    return h.div(class_="narrow stack wide")[
        heading(
            ["Let ", h.bdi[view.client], f" use {target} as {view.person}?"],
            h.p(class_="quiet")[_HELD if _is_held(view) else _CALLS],
        ),
        _local_warning(view),
        facts(
            [
                ("Client, as it calls itself", h.bdi[view.client]),
                *([("Described at", h.code[view.described_at])] if view.described_at else []),
                ("Your answer goes to", [h.code[view.returns_to], f", {where}" if view.is_this_machine else None]),
                ("Server" if view.server else "For use of", h.code[view.resource]),
                *([("It may", h.ul[(h.li[_meaning(scope)] for scope in view.scopes)])] if _is_held(view) else []),
                ("For", f"{view.minutes} minutes at a time, renewed for up to {view.days} days"),
                *([("You let it in before", absolute(view.said_before))] if view.said_before else []),
                ("Asked again", _asked_again(view)),
            ]
        ),
        h.div(class_="row")[
            h.a(class_="button main", href=f"/oauth/continue?ticket={view.ticket}")[f"Continue as {view.person}"],
            h.a(class_="button", href=f"/oauth/decline?ticket={view.ticket}")["Decline"],
        ],
        titled(
            "If you did not start this",
            h.p(class_="read quiet")["Decline. Nothing is granted, and closing this page does the same."],
        ),
    ]


def _asked_again(view: ConsentView) -> h.Node:
    """What a yes is good for beyond this once, and where it is taken back."""
    yours = h.a(href="/you#clients")["your page"]
    if not view.kept_days:
        return ["each time: nothing proves that it is this client that asks. Take it back on ", yours, "."]
    kinds = h.ul[(h.li[MEANING[use]] for use in view.uses)]
    return [f"after {view.kept_days} days, or for more than to", kinds, "Take it back before then on ", yours, "."]


def _is_held(view: ConsentView) -> bool:
    """Whether the client would be held back from a part of what the person may do."""
    return bool(view.scopes) and ALL not in view.scopes


def _meaning(scope: str) -> h.Node:
    """A scope in words; of tools with the word that clients and errors name it by."""
    if scope in _MEANING:
        return _MEANING[scope]
    server, _, kind = scope.rpartition(".")
    whose = "every server" if server == ALL else server
    deed = "that only read" if kind == "read" else "that change or delete things"
    return [f"use the tools of {whose} {deed} (", h.code[scope], ")"]


def _local_warning(view: ConsentView) -> h.Node:
    if not view.is_this_machine:
        return None
    return notice(
        Tone.WAIT,
        "On this machine.",
        "Any program here can call itself by any name. Continue only if you started this from your client.",
    )


async def say_yes(site: Site, viewer: Viewer, ticket: str) -> Response:
    """Follow the consent's link: a code for the client, and back."""
    asked = site.tickets.take(ticket, viewer.session.id)
    await give_consent(asked, viewer.person, site.people.consents)
    return await _with_code(site, viewer, asked)


async def _with_code(site: Site, viewer: Viewer, asked: AuthorizationRequest) -> Response:
    return back(asked, site, code=await grant_code(asked, viewer.person, site.tokens, float(viewer.session.proved_at)))


def say_no(site: Site, viewer: Viewer, ticket: str) -> Response:
    asked = site.tickets.take(ticket, viewer.session.id)
    return back(asked, site, error="access_denied", error_description="the person declined")


def back(asked: AuthorizationRequest, site: Site, **members: str) -> Response:
    """To the client, with its state and our issuer."""
    state = {"state": asked.state} if asked.state else {}
    query = urlencode({**members, **state, "iss": site.public_url})
    joint = "&" if "?" in asked.redirect_uri else "?"
    return RedirectResponse(f"{asked.redirect_uri}{joint}{query}", 302)
