"""Clients that a person let in: the part of their own page that shows them, and takes it back one by one.

Below: `usecases/remember_consent`. Not here: asking (`page_authorize`).
"""

from collections.abc import Mapping, Sequence

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.inputs import form, submit
from pierhead.apps.registry.web.parts import absolute, empty, facts, titled, visible
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.consent import MEANING, Consent
from pierhead.core.errors import Conflict
from pierhead.core.identity import User
from pierhead.usecases.remember_consent import consents_of, revoke_consent


async def let_in_by(site: Site, viewer: Viewer) -> tuple[Consent, ...]:
    """The clients that the viewer let in."""
    return tuple(await consents_of(_user(site, viewer), site.people.consents))


def clients(known: Sequence[Consent], minutes: int, token: str) -> h.Node:
    """`minutes` is how long a token lives that is not renewed any more."""
    listed = [_one(each, minutes, token) for each in known] or empty("No client signs in as you.")
    return titled("Clients that you let in", listed, identity="clients")


def _one(consent: Consent, minutes: int, token: str) -> h.Element:
    is_kept = consent.asked_again_at > consent.given_at
    pairs: list[tuple[str, h.Node]] = [
        ("Client, as it calls itself", h.bdi[visible(consent.client)]),
        ("Its answers go to", h.code[visible(consent.returns_to)]),
        ("It may", h.ul[(h.li[MEANING[use]] for use in consent.uses)]),
        ("Since", absolute(consent.given_at)),
        ("You are asked again", absolute(consent.asked_again_at) if is_kept else "each time it signs in"),
    ]
    return h.div(class_="stack")[
        facts(pairs),
        form(
            f"/you/clients/{consent.id}/revoke",
            token,
            submit("Let it in no more"),
            h.p(class_="quiet")[f"What it has now ends within {minutes} minutes, and is not renewed."],
        ),
    ]


async def revoke_form(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> str:
    """Errors: NotFound. One that is over already, in another tab, is what was wanted."""
    del sent
    try:
        await revoke_consent(str(request.path_params["id"]), _user(site, viewer), site.people.consents)
    except Conflict:
        return "/you"
    return "/you"


def _user(site: Site, viewer: Viewer) -> User:
    return User(site.tokens.terms.people_of, viewer.person, viewer.groups)
