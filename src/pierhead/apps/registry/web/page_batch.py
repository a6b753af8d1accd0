"""Several approvals on one page: each with its own tick box and its own answer.

There is no "approve all": what is not ticked is not approved, and what two people must approve is approved on its own
page. Not here: one approval (`page_approval`), what an answer does (`usecases/answer_several`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import htpy as h
from starlette.requests import Request

from pierhead.apps.registry.approval_shown import ApprovalWhole, sight_of, whole_of
from pierhead.apps.registry.web.answers_duty import fresh_enough, prove_anew
from pierhead.apps.registry.web.card import change, counting, question, reason, until
from pierhead.apps.registry.web.frame import heading
from pierhead.apps.registry.web.inputs import BLANK, Filled, area, faults, form, one_of, submit
from pierhead.apps.registry.web.page_approvals import needs
from pierhead.apps.registry.web.parts import empty, in_words, moment, to, visible
from pierhead.apps.registry.web.site import Shown, Site, Viewer
from pierhead.core.approval import Approval, ApprovalState
from pierhead.core.errors import Invalid
from pierhead.usecases.answer_approval import Answer
from pierhead.usecases.answer_several import MOST_AT_ONCE, answer_several
from pierhead.usecases.ports_approvals import ApprovalFilter, Seer

_LOOKED_AT = 100
_PATH = "/approvals/batch"


@dataclass(frozen=True, slots=True)
class BatchView:
    """What waits for the viewer, oldest first, those of one run together; as many as one page answers."""

    approvals: tuple[ApprovalWhole, ...]
    now: float


async def batch_page(site: Site, viewer: Viewer, request: Request) -> Shown:
    del request
    return await _shown(site, viewer, BLANK)


async def batch_form(site: Site, viewer: Viewer, request: Request, sent: Mapping[str, str]) -> str | Shown:
    """Take each answer by itself; what could not be taken is told, and the rest stays answered."""
    del request
    auth = fresh_enough(site, viewer)
    if not auth and any(name.startswith("verdict-") and word == "approve" for name, word in sent.items()):
        return prove_anew(_PATH)
    try:
        answers = list(_answers(sent, auth))
        told = await answer_several(answers, viewer.caller(site), site.auditors, site.approvals)
    except Invalid as refused:
        return await _shown(site, viewer, Filled(sent, problem=_sentence(refused.message)))
    problems = [f"{each.id}: {each.refused.message}." for each in told if each.refused is not None]
    if not problems:
        return "/approvals"
    return await _shown(site, viewer, Filled(problem=f"Of {len(told)}, {len(problems)} were not: {' '.join(problems)}"))


def _answers(sent: Mapping[str, str], auth: str) -> Iterator[tuple[str, Answer]]:
    """Errors: Invalid, for a yes to what is not ticked: then nothing at all is taken."""
    comment = sent.get("comment", "").strip()
    for name, verdict in sent.items():
        kind, _, record_id = name.partition("-")
        if kind != "verdict" or not verdict:
            continue
        if verdict == "approve" and sent.get(f"read-{record_id}") != "yes":
            raise Invalid("tick each call that you approve", hint="read it first", code="bad-decision")
        yield record_id, Answer(verdict, comment, "web", sent.get(f"digest-{record_id}", ""), auth)


def _sentence(message: str) -> str:
    return f"{message[:1].upper()}{message[1:]}."


async def _shown(site: Site, viewer: Viewer, filled: Filled) -> Shown:
    view = await _view(site, viewer)
    token = site.sessions.form_token(viewer.session)
    return Shown("Several approvals", view, lambda: _page(view, token, filled))


async def _view(site: Site, viewer: Viewer) -> BatchView:
    sight = await sight_of(viewer.caller(site), site.auditors, site.approvals)
    pending = frozenset({ApprovalState.PENDING})
    wanted = ApprovalFilter(Seer(viewer.person, sight.groups), pending, limit=_LOOKED_AT)
    found = sorted(await site.approvals.store.listed(wanted), key=lambda each: (each.proposal.run, each.created_at))
    shown = [whole_of(each, sight) for each in found]
    return BatchView(tuple(each for each in shown if each.line.may_decide)[:MOST_AT_ONCE], site.now())


def _page(view: BatchView, token: str, filled: Filled) -> h.Node:
    waiting = len(view.approvals)
    head = heading(
        f"{in_words(waiting)} {'call' if waiting == 1 else 'calls'} to answer.",
        h.p(class_="read quiet")["Each has its own answer. What you leave open stays open."],
        h.p[to("/approvals", "All approvals")],
    )
    if not view.approvals:
        return [head, faults(filled), empty("Nothing is waiting for you.")]
    return [
        head,
        faults(filled),
        form(
            _PATH,
            token,
            h.div(class_="stack wide side")[(_one(known, view.now, filled) for known in view.approvals)],
            area("Reason, told to whoever asked", "comment", filled),
            h.div(class_="row")[submit("Send these answers", is_main=True)],
        ),
        counting(),
    ]


def _one(known: ApprovalWhole, now: float, filled: Filled) -> h.Element:
    line = known.line
    return h.section(class_="stack")[
        h.h2[question(line)],
        h.div(class_="quiet")[
            h.p["Asked by ", h.bdi[visible(line.requester)], " ", moment(line.created_at, now)],
            h.p["Until ", until(line, now)],
            h.p[f"Needs {needs(line)}. ", to(f"/approvals/{line.id}", "Its own page")],
        ],
        reason(known, mark=f"-{line.id}"),
        change(known, mark=f"-{line.id}"),
        h.input(type="hidden", name=f"digest-{line.id}", value=known.digest),
        _choice(known, filled),
    ]


def _choice(known: ApprovalWhole, filled: Filled) -> h.Node:
    line, name = known.line, f"verdict-{known.line.id}"
    if line.approval is Approval.FOUR_EYES:
        apart = to(f"/approvals/{line.id}/approve", "Approve it on its own page")
        return [
            one_of("Your answer", name, [("", "Leave it"), ("deny", "Deny")], filled, is_required=False),
            h.p[apart],
        ]
    tick = h.input(
        type="checkbox", name=f"read-{line.id}", value="yes", checked=filled.value(f"read-{line.id}") == "yes"
    )
    answers = [("", "Leave it"), ("approve", "Approve once"), ("deny", "Deny")]
    read = h.label(class_="row")[tick, "I have read it"]
    return h.div(class_="stack")[read, one_of("Your answer", name, answers, filled, is_required=False)]
