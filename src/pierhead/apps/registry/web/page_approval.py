"""How one approval's card looks: what would run, exactly; whose yes it takes; the buttons of those who may.

One address for browser, chat link and URL-mode elicitation. The words about the action are ours, made from its
arguments. Not here: what the buttons do (`answers`).
"""

from typing import Final

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.approval_shown import ApprovalWhole
from pierhead.apps.registry.web.card import change, consequences, counting, question, reason, until
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, submit
from pierhead.apps.registry.web.live import approval_mark, watching
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
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.approval_record import Decided
from pierhead.core.catalog import Effect

_COUNTED: Final = frozenset({ApprovalState.PENDING, ApprovalState.APPROVED})
_VERDICTS: Final = {"approve": "approved", "deny": "denied", "ask": "said", "settle": "settled"}


async def approval_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    return await shown_approval(site, viewer, str(request.path_params["id"]))


async def shown_approval(site: Site, viewer: Viewer, approval_id: str, filled: Filled = BLANK) -> Shown:
    """The card, with what became of an answer that could not be taken."""
    view = await approval_view(site, viewer, approval_id)
    token = site.sessions.form_token(viewer.session)
    return Shown(visible(f"Approval of {view.approval.line.tool}"), view, lambda: _card(view, token, filled))


async def confirming_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    """Once more, before one of two says yes: the exact arguments, and nothing between them and the button."""
    view = await approval_view(site, viewer, str(request.path_params["id"]))
    token = site.sessions.form_token(viewer.session)
    return Shown(visible(f"Approve {view.approval.line.tool}"), view, lambda: _confirming(view, token))


def _card(view: ApprovalView, token: str, filled: Filled) -> h.Node:
    known = view.approval
    return [
        _head(view),
        watching(f"/approvals/{known.line.id}/stream", approval_mark(view)) if known.line.state in _COUNTED else None,
        faults(filled),
        _state(view),
        h.div(class_="split")[
            h.div(class_="stack wide")[
                reason(known),
                change(known),
                _answer(view, token, filled),
                _remark(known, token),
                _settle(known, token),
                glass(known, token),
            ],
            h.aside(class_="stack wide side", aria_label="About this approval")[
                consequences(known.foreseen), _who(view), _rule(known), _decisions(view)
            ],
        ],
        counting() if known.line.state in _COUNTED else None,
    ]


def _head(view: ApprovalView) -> h.Node:
    line = view.approval.line
    return heading(
        question(line),
        h.p(class_="row")[
            state_badge(line.state),
            effect_badge(Effect(line.effect)),
            h.span(class_="quiet")["asked by ", h.bdi[visible(line.requester)], " ", moment(line.created_at, view.now)],
        ],
        h.p[to("/approvals", "All approvals")],
    )


def _state(view: ApprovalView) -> h.Node:
    known, line, now = view.approval, view.approval.line, view.now
    match line.state:
        case ApprovalState.PENDING:
            return notice(Tone.WAIT, "Waiting.", f"It takes {needs(line)}, until", until(line, now))
        case ApprovalState.APPROVED:
            return notice(Tone.GOOD, "Approved.", "It runs when it is called again, once, until", until(line, now))
        case ApprovalState.FAILED_UNKNOWN:
            return notice(
                Tone.BAD, "Unknown end.", "It was begun, and nobody knows how it ended. It will not run again."
            )
        case _:
            said = f"{visible(known.ended)}." if known.ended else ""
            return notice(Tone.NOTE, "Nothing left to decide.", said, _result(known))


def _result(known: ApprovalWhole) -> h.Node:
    return h.span[" ", to(f"/calls/{known.call_id}", "The call")] if known.call_id else None


def _answer(view: ApprovalView, token: str, filled: Filled) -> h.Node:
    known, line = view.approval, view.approval.line
    content: list[h.Node] = []
    if line.may_decide:
        content.append(_deciding(known, token, filled))
    elif line.state is ApprovalState.PENDING:
        content.append(h.p[f"{visible(line.why_not).capitalize()}."])
    if known.may_cancel:
        content.append(form(f"/approvals/{line.id}/cancel", token, submit("Withdraw")))
    return titled("Your decision", *content, identity="decide") if content else None


def _deciding(known: ApprovalWhole, token: str, filled: Filled) -> h.Node:
    """The three buttons; of two approvers each approves on a page of its own."""
    line = known.line
    is_apart = line.approval is Approval.FOUR_EYES
    yes = (
        h.a(class_="button main", href=f"/approvals/{line.id}/approve")["Approve…"]
        if is_apart
        else submit("Approve once", is_main=True, name="verdict", value="approve")
    )
    return form(
        f"/approvals/{line.id}/decisions",
        token,
        h.input(type="hidden", name="digest", value=known.digest),
        area("Reason or question, told to whoever asked", "comment", filled),
        remember(known),
        h.div(class_="row")[
            yes, submit("Deny", name="verdict", value="deny"), submit("Ask", name="verdict", value="ask")
        ],
        ends=True,
    )


def _remark(known: ApprovalWhole, token: str) -> h.Node:
    """For whoever asked: an answer to a question."""
    if not known.may_remark or known.line.may_decide:
        return None
    told = area("Told to those who decide", "comment", is_required=True)
    return titled("Say something", form(f"/approvals/{known.line.id}/remarks", token, told, submit("Send")))


def _confirming(view: ApprovalView, token: str) -> h.Node:
    known, line = view.approval, view.approval.line
    if not line.may_decide:
        refused = h.p[f"{visible(line.why_not).capitalize()}."]
        return [heading(question(line)), refused, h.p[to(f"/approvals/{line.id}", "The approval")]]
    return [
        heading(
            question(line),
            h.p[f"Yours would be yes {len(line.approved_by) + 1} of {line.required}, until ", until(line, view.now)],
        ),
        titled("What would run", exact_json(known.arguments, "Arguments"), identity="arguments"),
        *(
            [titled("What the plan was made with", exact_json(plan.arguments, "Arguments of the plan"))]
            if (plan := known.foreseen.plan)
            else []
        ),
        form(
            f"/approvals/{line.id}/decisions",
            token,
            h.input(type="hidden", name="digest", value=known.digest),
            area("Reason, told to whoever asked", "comment"),
            h.div(class_="row")[
                submit("Approve once", is_main=True, name="verdict", value="approve"),
                to(f"/approvals/{line.id}", "Back"),
            ],
            ends=True,
        ),
        counting(),
    ]


def _settle(known: ApprovalWhole, token: str) -> h.Node:
    if not known.may_settle:
        return None
    told = area("What you found: what the call did, and what not", "comment", is_required=True)
    return titled("Settle it", form(f"/approvals/{known.line.id}/settle", token, told, submit("Settle", is_main=True)))


def _who(view: ApprovalView) -> h.Node:
    known, line = view.approval, view.approval.line
    pairs: list[tuple[str, h.Node]] = [
        ("Asked by", h.bdi[visible(line.requester)]),
        ("On behalf of", h.bdi[visible(known.on_behalf_of)] if known.on_behalf_of else "nobody else"),
        ("Through", visible(f"{line.surface}, {known.client}" if known.client else line.surface)),
        ("Run", h.bdi[visible(known.run_id)] if known.run_id else "none was named"),
        ("Server", to(f"/servers/{line.server}", [h.bdi[line.server], " ", visible(known.version)])),
        ("Asked", absolute(line.created_at)),
        ("Until", absolute(line.expires_at)),
    ]
    if known.evidence_ids:
        named = [h.div[h.code[visible(each)]] for each in known.evidence_ids]
        pairs.append(("Named as evidence", [h.p(class_="quiet")["By whoever called, and checked by nobody:"], named]))
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
                *([("Plan", h.code[plan.digest])] if (plan := known.foreseen.plan) else []),
            ]
        ),
    )


def _decisions(view: ApprovalView) -> h.Node:
    made = view.approval.decisions
    return titled("Decisions", h.ul(class_="stack")[(_decision(each, view.now) for each in made)]) if made else None


def _decision(made: Decided, now: float) -> h.Element:
    return h.li(class_="stack")[
        h.p[
            h.strong[h.bdi[visible(made.by)]], f": {_VERDICTS.get(made.verdict, made.verdict)}, ", moment(made.at, now)
        ],
        decided_how(made),
        theirs(made.comment) if made.comment else None,
    ]
