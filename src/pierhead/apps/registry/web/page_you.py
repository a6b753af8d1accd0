"""A person's own page: when they are away and who stands in, where they hear, whom they let in, what is remembered."""

from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, submit, text
from pierhead.apps.registry.web.page_browsers import Heard, browsers, heard
from pierhead.apps.registry.web.page_clients import clients, let_in_by
from pierhead.apps.registry.web.parts import absolute, empty, exact_json, facts, folded, titled, visible
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.absence import Absence
from pierhead.core.choice import Choice
from pierhead.core.consent import Consent


@dataclass(frozen=True, slots=True)
class YouView:
    """`absences` are the viewer's own, `stands_in` those in which they are the deputy; on or to come."""

    person: str
    groups: tuple[str, ...]
    absences: tuple[Absence, ...]
    stands_in: tuple[Absence, ...]
    choices: tuple[Choice, ...]
    browsers: tuple[Heard, ...]
    clients: tuple[Consent, ...]
    now: float


async def you_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    return await shown_you(site, viewer, request)


async def shown_you(site: Site, viewer: Viewer, request: Request, filled: Filled = BLANK) -> Shown:
    """The page, with what became of a form that could not be taken."""
    view = await you_view(site, viewer, request)
    token = site.sessions.form_token(viewer.session)
    key, minutes = site.push.key if site.push else "", site.tokens.terms.access_s // 60
    listed = clients(view.clients, minutes, token)
    return Shown("You", view, lambda: _you(view, [browsers(view.browsers, key, token), listed], token, filled))


async def you_view(site: Site, viewer: Viewer, request: Request) -> YouView:
    now, name = site.now(), viewer.person
    lasting = await site.duty.absences.open(now)
    held = await site.approvals.choices.held(name)
    return YouView(
        person=name,
        groups=tuple(sorted(viewer.groups)),
        absences=tuple(each for each in lasting if each.person == name),
        stands_in=tuple(each for each in lasting if each.deputy == name),
        choices=tuple(each for each in held if each.issuer == site.tokens.terms.people_of),
        browsers=await heard(site, viewer, request),
        clients=await let_in_by(site, viewer),
        now=now,
    )


def _you(view: YouView, programs: h.Node, token: str, filled: Filled) -> h.Node:
    """`programs` are where they hear, and whom they let in."""
    return [
        heading(h.bdi[visible(view.person)], h.p(class_="quiet")["In ", visible(", ".join(view.groups) or "no group")]),
        faults(filled),
        h.div(class_="split")[
            h.div(class_="stack wide")[_absences(view, token), programs, _choices(view, token)],
            h.aside(class_="stack wide side", aria_label="Your absence")[_away(token, filled), _stands_in(view)],
        ],
    ]


def _absences(view: YouView, token: str) -> h.Node:
    listed = [_absence(each, token) for each in view.absences] or empty(
        "You are here. Whatever you are asked waits for you."
    )
    return titled("When you are away", listed)


def _absence(absence: Absence, token: str) -> h.Node:
    pairs: list[tuple[str, h.Node]] = [
        ("From", absolute(absence.since)),
        ("Until", absolute(absence.until)),
        ("Your deputy", h.bdi[visible(absence.deputy)] if absence.deputy else "nobody"),
        ("Reason", visible(absence.reason) or "none"),
    ]
    return h.div(class_="stack")[facts(pairs), form(f"/you/absences/{absence.id}/end", token, submit("I am back"))]


def _away(token: str, filled: Filled) -> h.Node:
    return titled(
        "Be away",
        form(
            "/you/absences",
            token,
            text("Until the end of (UTC)", "until", filled, is_required=True, kind="date"),
            text("Your deputy, if you have one", "deputy", filled),
            area("Reason, for the record", "reason", filled, longest=500),
            submit("Be away"),
            h.p(class_="quiet")[
                "A deputy never decides on what you asked for, and you two count as one of two people."
            ],
        ),
    )


def _stands_in(view: YouView) -> h.Node:
    if not view.stands_in:
        return None
    named = [h.li[h.bdi[visible(each.person)], " until ", absolute(each.until)] for each in view.stands_in]
    return titled("You stand in for", h.ul(class_="stack")[named])


def _choices(view: YouView, token: str) -> h.Node:
    nothing = empty("Every call that asks for your confirmation asks each time.")
    return titled("What you need not confirm again", [_choice(each, token) for each in view.choices] or nothing)


def _choice(choice: Choice, token: str) -> h.Node:
    pairs: list[tuple[str, h.Node]] = [
        ("Call", [h.code[visible(choice.tool)], " on ", h.bdi[visible(choice.server)], f" {visible(choice.version)}"]),
        ("In", visible(choice.environment)),
        ("Through", visible(", ".join(part for part in (choice.surface, choice.client, choice.client_id) if part))),
        ("May differ", visible(", ".join(choice.free)) or "nothing"),
        ("Until", absolute(choice.expires_at)),
    ]
    return h.div(class_="stack")[
        facts(pairs),
        folded("Arguments", exact_json(choice.fixed, f"Arguments of {visible(choice.tool)}")),
        form(f"/you/choices/{choice.id}/revoke", token, submit("Ask me again")),
    ]
