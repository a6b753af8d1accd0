"""Approvals for programs that people use: the inbox, one approval, a decision, a withdrawal, a settlement.

Who may see and decide is the use cases' to say, and every answer says it of the caller. Deciding is for people in
person, and there is no MCP tool for it. Not here: what servers ask (`internal_approvals`).
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Final, Literal

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.bodies import Sentence, Strict, read_body
from pierhead.apps.registry.api.finding import page_size
from pierhead.apps.registry.approval_shown import CLOSED, OPEN, ApprovalLine, Sight, line_of, sight_of, whole_of
from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord
from pierhead.core.errors import Invalid
from pierhead.core.foreseen import Foreseen
from pierhead.usecases.answer_approval import (
    Answer,
    cancel_approval,
    decide_approval,
    proof_of,
    seen_approval,
    settle_approval,
)
from pierhead.usecases.answer_several import MOST_AT_ONCE, Answered, answer_several
from pierhead.usecases.ports_approvals import ApprovalFilter, Everyone, Seer
from pierhead.usecases.remark_on_approval import remark_on_approval

_TO_REVIEW: Final = "to-review"
_STATES: Final[Mapping[str, frozenset[ApprovalState]]] = {
    _TO_REVIEW: frozenset(),
    "open": OPEN,
    "closed": CLOSED,
    "any": frozenset(),
    **{str(state): frozenset({state}) for state in ApprovalState},
}
_USUAL_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
_Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Answering(Strict):
    """One person's answer to what they were shown."""

    verdict: Literal["approve", "deny"]
    digest: _Digest
    comment: str = Field(default="", max_length=2000)


class AnsweringOne(Answering):
    """One of several answers, to the approval that it names."""

    id: str = Field(max_length=100)


class AnsweringSeveral(Strict):
    """Several answers, each for itself."""

    answers: list[AnsweringOne] = Field(min_length=1, max_length=MOST_AT_ONCE)


class Settling(Strict):
    """What a person found of a call that was lost, or asks about one that waits."""

    comment: Sentence


def proof(asked: Asked) -> str:
    """What proves whoever decides through the API."""
    age = proof_of(asked.caller, asked.site.now())
    return f"access token, {age}" if age else "access token"


async def approvals(asked: Asked) -> object:
    """Those the caller may see, newest first. Errors: Invalid."""
    query = asked.query("state", "server", "limit", "cursor")
    named = query.get("state", "open")
    states = _STATES.get(named)
    if states is None:
        raise Invalid("no such state of an approval", hint=f"one of {', '.join(_STATES)}")
    limit = page_size(query.get("limit"), _USUAL_PAGE, _LARGEST_PAGE)
    cursor = query.get("cursor", "")
    after = await asked.site.approvals.store.one(cursor) if cursor else None
    before = (after.created_at, after.id) if after else None
    sight = await _sight(asked)
    wanted = ApprovalFilter(
        _seer(asked, sight),
        states,
        server=query.get("server", ""),
        limit=limit + 1,
        before=before,
        to_review=named == _TO_REVIEW,
    )
    found = await asked.site.approvals.store.listed(wanted)
    shown = found[:limit]
    more = shown[-1].id if len(found) > limit else None
    return {"approvals": [_line(line_of(each, sight)) for each in shown], "next": more}


async def approval(asked: Asked) -> object:
    """One approval, whole. Errors: NotFound."""
    asked.query()
    return await shown(asked, await seen(asked))


async def answer(asked: Asked) -> object:
    """Approve or deny. Errors: as `decide_approval`; NotFound; Invalid."""
    asked.query()
    known = await seen(asked)
    said = await read_body(Answering, asked, "answer")
    made = Answer(said.verdict, said.comment.strip(), "api", said.digest, proof(asked))
    return await shown(asked, await decide_approval(known.id, made, asked.caller, asked.site.approvals))


async def answer_many(asked: Asked) -> object:
    """Approve or deny several, each for itself. Errors: Invalid; of each, what stood against it is told beside it."""
    asked.query()
    said = await read_body(AnsweringSeveral, asked, "answer-several")
    answers = [
        (each.id, Answer(each.verdict, each.comment.strip(), "api", each.digest, proof(asked))) for each in said.answers
    ]
    made = await answer_several(answers, asked.caller, asked.site.auditors, asked.site.approvals)
    return {"answers": [_answered(each) for each in made]}


def _answered(answered: Answered) -> Mapping[str, object]:
    refused, record = answered.refused, answered.record
    problem = {"code": refused.code, "message": refused.message, "hint": refused.hint} if refused else None
    return {"id": answered.id, "state": record.state if record else None, "refused": problem}


async def remark(asked: Asked) -> object:
    """Ask whoever asked, or answer them. Errors: as `remark_on_approval`; NotFound; Invalid."""
    asked.query()
    known = await seen(asked)
    said = await read_body(Settling, asked, "remark")
    made = await remark_on_approval(known.id, said.comment.strip(), "api", asked.caller, asked.site.approvals)
    return await shown(asked, made)


async def cancel(asked: Asked) -> object:
    """Withdraw what the caller asked for. Errors: as `cancel_approval`."""
    asked.query()
    known = await seen(asked)
    return await shown(asked, await cancel_approval(known.id, asked.caller, asked.site.approvals))


async def settle(asked: Asked) -> object:
    """Say what became of a lost call. Errors: as `settle_approval`; NotFound; Invalid."""
    asked.query()
    known = await seen(asked)
    said = await read_body(Settling, asked, "settle")
    return await shown(asked, await settle_approval(known.id, said.comment, asked.caller, asked.site.approvals))


def _seer(asked: Asked, sight: Sight) -> Seer | Everyone:
    who = asked.caller.person
    return Everyone() if asked.sees_all else Seer(who.subject if who else "", sight.groups)


async def _sight(asked: Asked) -> Sight:
    return await sight_of(asked.caller, asked.site.auditors, asked.site.approvals)


async def seen(asked: Asked) -> ApprovalRecord:
    record_id = str(asked.request.path_params["id"])
    return await seen_approval(record_id, asked.caller, asked.site.auditors, asked.site.approvals)


def _line(line: ApprovalLine) -> Mapping[str, object]:
    members = {name: getattr(line, name) for name in ApprovalLine.__dataclass_fields__}
    return {**members, "created_at": moment(line.created_at), "expires_at": moment(line.expires_at)}


async def shown(asked: Asked, record: ApprovalRecord) -> Mapping[str, object]:
    """One approval, whole, as the caller may see it."""
    whole = whole_of(record, await _sight(asked))
    decisions = [{**asdict(made), "at": moment(made.at)} for made in whole.decisions]
    return {
        **_line(whole.line),
        "version": whole.version,
        "arguments": whole.arguments,
        "foreseen": _foreseen(whole.foreseen),
        "reason": whole.reason,
        "on_behalf_of": whole.on_behalf_of,
        "arguments_digest": whole.arguments_digest,
        "digest": whole.digest,
        "client": whole.client,
        "revision": whole.revision,
        "reasons": whole.reasons,
        "decisions": decisions,
        "ended": whole.ended,
        "call_id": whole.call_id,
        "spent_at": moment(whole.spent_at) if whole.spent_at else None,
        "may_cancel": whole.may_cancel,
        "may_settle": whole.may_settle,
        "may_break_glass": whole.may_break_glass,
        "may_review": whole.may_review,
        "may_remember": whole.may_remember,
        "review_due_at": moment(whole.review_due_at) if whole.review_due_at else None,
        "may_remark": whole.may_remark,
    }


def _foreseen(foreseen: Foreseen) -> Mapping[str, object]:
    plan = foreseen.plan
    told = {"undo": foreseen.undo, "cost": foreseen.cost, "evidence": foreseen.evidence, "plan": None}
    if plan is None:
        return told
    return told | {
        "plan": {
            "id": plan.id,
            "made_by": plan.made_by,
            "arguments": plan.arguments,
            "digest": plan.digest,
            "count": plan.count,
            "first": plan.first,
            "expires_at": moment(plan.expires_at),
        }
    }
