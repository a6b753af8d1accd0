"""Hearing of approvals in a browser: the part of a person's own page that turns it on and off, browser by browser.

A browser gives its address to scripts alone, so a script turns it on; taking it back works without. Which browser this
is, a cookie remembers, so that signing out ends it too. Below: `usecases/hear_in_browser`. Not here: what is told.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import htpy as h
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from pierhead.apps.registry.web.frame import form_token
from pierhead.apps.registry.web.inputs import form, submit
from pierhead.apps.registry.web.parts import absolute, empty, facts, titled, visible
from pierhead.apps.registry.web.site import Site, Viewer
from pierhead.core.browser import Browser
from pierhead.core.errors import NotFound
from pierhead.core.identity import User
from pierhead.usecases.hear_in_browser import PushDesk, hear_in_browser, hear_no_more, heard_in

COOKIE: Final = "pierhead_browser"
_YEAR_S: Final = 365 * 86_400
_BROWSERS: Final = (("Edg", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS: Final = (
    ("Windows", "Windows"),
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Mac OS", "macOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class Heard:
    """One browser as its person sees it: never its address."""

    id: str
    label: str
    service: str
    made_at: float
    is_this: bool


async def heard(site: Site, viewer: Viewer, request: Request) -> tuple[Heard, ...]:
    """Where the viewer hears of approvals."""
    if site.push is None:
        return ()
    mine, here = await heard_in(_user(site, viewer), site.push), request.cookies.get(COOKIE, "")
    return tuple(Heard(each.id, each.label, each.service, each.made_at, each.id == here) for each in mine)


def browsers(known: Sequence[Heard], key: str, token: str) -> h.Node:
    """`key` is empty where browsers are told nothing."""
    if not key:
        return None
    listed = [_one(each, token) for each in known] or empty("No browser tells you of approvals while it is closed.")
    add = None if any(each.is_this for each in known) else _add(key, token)
    return titled("Where you hear of approvals", listed, add, identity="browsers")


def _one(known: Heard, token: str) -> h.Element:
    pairs: list[tuple[str, h.Node]] = [
        ("Browser", visible(known.label) + (", this one" if known.is_this else "")),
        ("Through", h.code[visible(known.service)]),
        ("Since", absolute(known.made_at)),
    ]
    return h.div(class_="stack")[facts(pairs), form(f"/you/browsers/{known.id}/end", token, submit("Tell me no more"))]


def _add(key: str, token: str) -> h.Node:
    """Hidden until the script has found that this browser can; the script fills the three fields, and sends it."""
    return [
        h.form(class_="stack", method="post", action="/you/browsers", id="tell", hidden=True, data_key=key)[
            form_token(token),
            (h.input(type="hidden", name=name) for name in ("address", "key", "secret")),
            h.button(class_="button")["Tell me in this browser"],
            h.p(class_="quiet")["It says how many calls wait for you, and nothing of them. Signing out ends it."],
        ],
        h.p(class_="quiet", id="tell-said", role="status"),
        h.script(src="/-/static/push.js", defer=True),
    ]


async def add_browser(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> Response:
    """Errors: NotFound, where browsers are told nothing; as `hear_in_browser`."""
    desk = _desk(site)
    label = label_of(request.headers.get("user-agent", ""))
    given = {name: sent.get(name, "") for name in ("address", "key", "secret")}
    wanted = Browser("", "", "", **given, label=label, made_at=0.0)
    made = await hear_in_browser(wanted, _user(site, viewer), desk)
    response = RedirectResponse("/you#browsers", 303)
    is_secure = site.public_url.startswith("https://")
    response.set_cookie(COOKIE, made.id, max_age=_YEAR_S, httponly=True, samesite="lax", secure=is_secure)
    return response


async def end_form(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> str:
    """Errors: NotFound."""
    del sent
    await hear_no_more(str(request.path_params["id"]), "removed", _user(site, viewer), _desk(site))
    return "/you#browsers"


async def end_here(site: Site, viewer: Viewer, request: Request) -> None:
    """Whoever signs out of a browser is told nothing in it any more."""
    known = request.cookies.get(COOKIE, "")
    if site.push is None or not known:
        return
    try:
        await hear_no_more(known, "signed out", _user(site, viewer), site.push)
    except NotFound:
        return  # another's by now, or removed: nothing is left to end


def label_of(user_agent: str) -> str:
    """Which browser it says that it is, in one of few words: what it says is anybody's."""
    name = next((word for mark, word in _BROWSERS if mark in user_agent), "A browser")
    system = next((word for mark, word in _SYSTEMS if re.search(rf"\b{mark}", user_agent)), "")
    return f"{name} on {system}" if system else name


def _user(site: Site, viewer: Viewer) -> User:
    return User(site.tokens.terms.people_of, viewer.person, viewer.groups)


def _desk(site: Site) -> PushDesk:
    if site.push is None:
        raise NotFound("browsers are told nothing here", hint="an operator sets notify.push_contact")
    return site.push
