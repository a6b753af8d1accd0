"""How one approval's card looks: what would run, exactly; whose yes it takes; the buttons of those who may.

One address for browser, chat link and URL-mode elicitation. The words about the action are ours, made from its
arguments. Not here: what the buttons do (`answers`).
"""

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.approval_shown import ApprovalWhole
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, submit
from pierhead.apps.registry.web.page_approval_duty import decided_how, glass, remember
from pierhead.apps.registry.web.page_approvals import needs, state_badge
from pierhead.apps.registry.web.parts import (
    Tone,
    absolute,
    effect_badge,
    exact_json,
    facts,
    moment,
    notice,
    theirs,
    titled,
    to,
    visible,
)
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.apps.registry.web.view_approvals import ApprovalView, approval_view
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import Decided
from pierhead.core.catalog import Effect


async def approval_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    return await shown_approval(site, viewer, str(request.path_params["id"]))


async def shown_approval(site: Site, viewer: Viewer, approval_id: str, filled: Filled = BLANK) -> Shown:
    """The card, with what became of an answer that could not be taken."""
    view = await approval_view(site, viewer, approval_id)
    token = site.sessions.form_token(viewer.session)
    return Shown(visible(f"Approval of {view.approval.line.tool}"), view, lambda: _card(view, token, filled))


def _card(view: ApprovalView, token: str, filled: Filled) -> h.Node:
    known = view.approval
    return [
        _head(view),
        faults(filled),
        _state(known),
        h.div(class_="split")[
            h.div(class_="stack wide")[
                titled("What would run", exact_json(known.arguments, "Arguments"), identity="arguments"),
                _answer(known, token, filled),
                _settle(known, token),
                glass(known, token),
            ],
            h.aside(class_="stack wide side", aria_label="About this approval")[
                _who(view), _rule(known), _decisions(view)
            ],
        ],
    ]


def _head(view: ApprovalView) -> h.Node:
    line = view.approval.line
    return heading(
        ["Run ", h.code[visible(line.tool)], " on ", h.bdi[visible(line.server)], " in ", visible(line.environment)],
        h.p(class_="row")[
            state_badge(line.state),
            effect_badge(Effect(line.effect)),
            h.span(class_="quiet")["asked by ", h.bdi[visible(line.requester)], " ", moment(line.created_at, view.now)],
        ],
        h.p[to("/approvals", "All approvals")],
    )


def _state(known: ApprovalWhole) -> h.Node:
    line = known.line
    match line.state:
        case ApprovalState.PENDING:
            return notice(Tone.WAIT, "Waiting.", f"It takes {needs(line)}, until ", absolute(line.expires_at), ".")
        case ApprovalState.APPROVED:
            return notice(
                Tone.GOOD, "Approved.", "It runs when it is called again, once, until ", absolute(line.expires_at), "."
            )
        case ApprovalState.FAILED_UNKNOWN:
            return notice(
                Tone.BAD, "Unknown end.", "It was begun, and nobody knows how it ended. It will not run again."
            )
        case _:
            said = f"{visible(known.ended)}." if known.ended else ""
            return notice(Tone.NOTE, "Nothing left to decide.", said, _result(known))


def _result(known: ApprovalWhole) -> h.Node:
    return h.span[" ", to(f"/calls/{known.call_id}", "The call")] if known.call_id else None


def _answer(known: ApprovalWhole, token: str, filled: Filled) -> h.Node:
    line = known.line
    content: list[h.Node] = []
    if line.may_decide:
        content.append(
            form(
                f"/approvals/{line.id}/decisions",
                token,
                h.input(type="hidden", name="digest", value=known.digest),
                area("Reason, told to whoever asked", "comment", filled),
                remember(known),
                h.div(class_="row")[
                    submit("Approve once", is_main=True, name="verdict", value="approve"),
                    submit("Deny", name="verdict", value="deny"),
                ],
            )
        )
    elif line.state is ApprovalState.PENDING:
        content.append(h.p[f"{visible(line.why_not).capitalize()}."])
    if known.may_cancel:
        content.append(form(f"/approvals/{line.id}/cancel", token, submit("Withdraw")))
    return titled("Your decision", *content, identity="decide") if content else None


def _settle(known: ApprovalWhole, token: str) -> h.Node:
    if not known.may_settle:
        return None
    told = area("What you found: what the call did, and what not", "comment", is_required=True)
    return titled("Settle it", form(f"/approvals/{known.line.id}/settle", token, told, submit("Settle", is_main=True)))


def _who(view: ApprovalView) -> h.Node:
    known, line = view.approval, view.approval.line
    pairs: list[tuple[str, h.Node]] = [
        ("Asked by", h.bdi[visible(line.requester)]),
        ("Through", visible(f"{line.surface}, {known.client}" if known.client else line.surface)),
        ("Server", to(f"/servers/{line.server}", [h.bdi[line.server], " ", visible(known.version)])),
        ("Asked", absolute(line.created_at)),
        ("Until", absolute(line.expires_at)),
    ]
    return titled("Who", facts(pairs))


def _rule(known: ApprovalWhole) -> h.Node:
    return titled(
        "Why it asks",
        h.ul(class_="why")[(h.li[visible(reason)] for reason in known.reasons)],
        facts(
            [
                ("Needs", needs(known.line)),
                ("Policy revision", str(known.revision)),
                ("Pinned as", h.code[known.digest]),
                ("Arguments", h.code[known.arguments_digest]),
            ]
        ),
    )


def _decisions(view: ApprovalView) -> h.Node:
    made = view.approval.decisions
    return titled("Decisions", h.ul(class_="stack")[(_decision(each, view.now) for each in made)]) if made else None


def _decision(made: Decided, now: float) -> h.Element:
    return h.li(class_="stack")[
        h.p[h.strong[h.bdi[visible(made.by)]], f": {made.verdict}, ", moment(made.at, now)],
        decided_how(made),
        theirs(made.comment) if made.comment else None,
    ]
