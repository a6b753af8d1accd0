"""Signing in and out in a browser, and the two looks: the pages that need no one signed in.

The built-in sign-in believes whoever sits at this machine, so it serves the loopback interface alone
(`bootstrap/settings` checks). Not here: a client's sign-in, which ends on `page_authorize`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import htpy as h

from pierhead.apps.registry.web.frame import form_token, heading
from pierhead.apps.registry.web.parts import Tone, empty, notice, titled
from pierhead.apps.registry.web.safety import own_path
from pierhead.apps.registry.web.site import Shown, Site
from pierhead.core.audit_sign_in import SignInFailed, SignInSucceeded
from pierhead.core.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignInView:
    """Who can sign in here, or where instead. `wanted` is where the person was going."""

    people: tuple[Person, ...]
    wanted: str
    provider: str
    """The host of the company's identity provider; empty for the built-in sign-in."""


_AGAIN: Final = "What you are about to approve needs a sign-in of just now. Afterwards you decide on it once more."
_ELSEWHERE: Final = "Your company's identity provider says who you are."


def sign_in(site: Site, wanted: str, token: str, *, is_fresh: bool = False) -> Shown:
    """`is_fresh` is whether somebody who is signed in must prove it again, for what they are about to do."""
    if site.federation:
        view = SignInView((), own_path(wanted), site.federation.provider.issuer.partition("://")[2])
        return Shown("Sign in", view, lambda: _sign_in_elsewhere(view, is_fresh=is_fresh))
    people = site.tokens.people
    known = tuple(Person(name, tuple(sorted(people.groups(name) or ()))) for name in people.names())
    view = SignInView(known, own_path(wanted), "")
    return Shown("Sign in", view, lambda: _sign_in(view, token, is_fresh=is_fresh))


def _sign_in(view: SignInView, token: str, *, is_fresh: bool) -> h.Node:
    client = view.wanted.startswith("/oauth/authorize")
    why = "An AI client asks for your yes; sign in to see what it wants." if client else "Choose who you are."
    why = _AGAIN if is_fresh else why
    return h.div(class_="narrow stack wide")[
        heading("Sign in", h.p(class_="quiet")[why]),
        notice(
            Tone.NOTE,
            "Demo people.",
            "This is the built-in sign-in for one machine. A company uses its own identity provider.",
        ),
        _people(view.people, view.wanted, token),
        _recorded(),
    ]


def _sign_in_elsewhere(view: SignInView, *, is_fresh: bool) -> h.Node:
    """Where somebody lands who signed out; whoever needs a sign-in is led on at once."""
    return h.div(class_="narrow stack wide")[
        heading("Sign in", h.p(class_="quiet")[_AGAIN if is_fresh else _ELSEWHERE]),
        h.p[
            h.a(
                class_="button main",
                href=f"/sign-in/start?{'fresh=1&' if is_fresh else ''}next={quote(view.wanted, safe='')}",
            )["Continue to ", h.bdi[view.provider]]
        ],
        h.p(class_="read quiet")["Signing out of Pierhead does not sign you out there."],
        _recorded(),
    ]


def _recorded() -> h.Node:
    return titled(
        "What is recorded",
        h.p(class_="read quiet")[
            "That you signed in, with the time and the client. From then on every call made for you: tool, "
            "decision, reasons, outcome and duration. Argument values are not kept, only their shape."
        ],
    )


def _people(people: Sequence[Person], wanted: str, token: str) -> h.Node:
    if not people:
        return empty("Nobody can sign in: the fleet file names no people.")
    return h.form(method="post", action="/sign-in")[
        form_token(token),
        h.input(type="hidden", name="next", value=wanted),
        h.ul(class_="stack")[
            (
                h.li[
                    h.button(class_="button person", name="person", value=person.name)[
                        h.span[person.name], h.span(class_="quiet")[", ".join(person.groups) or "no groups"]
                    ]
                ]
                for person in people
            )
        ],
    ]


async def enter(site: Site, person: str) -> None:
    """Record that `person` signed in, or that somebody tried to.

    Errors: Forbidden, for a name nobody has.
    """
    if site.tokens.people.groups(person) is None:
        await site.tokens.audit.record(SignInFailed(reason="person-unknown", server="", client="web"))
        raise Forbidden("nobody here has that name", hint="choose one of the people on /sign-in", code="person-unknown")
    await site.tokens.audit.record(SignInSucceeded(person=person, client="web"))
