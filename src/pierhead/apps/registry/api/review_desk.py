"""The review gate for programs: the queue, one review, a decision on one gate, a comment.

Whoever may know of a server may read its reviews; who may decide is `usecases/rights`' to say, and every answer says
it of the caller. Not here: what would be signed in full (`versions`), the page where people read it (`web`).
"""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import Field

from pierhead.apps.registry.api.answers import Asked, moment
from pierhead.apps.registry.api.approvals import proof
from pierhead.apps.registry.api.bodies import Sentence, Strict, read_body
from pierhead.apps.registry.api.finding import page_size
from pierhead.apps.registry.api.sight import may_see
from pierhead.apps.registry.api.times import Time, seconds_of
from pierhead.core.errors import Invalid, NotFound
from pierhead.core.review import Gate, GateState, Review, SignOff, Verdict, sign_off_of
from pierhead.usecases.read_reviews import gate_states, may_decide
from pierhead.usecases.sign_off import GateDecision, add_comment, decide_gate

_STATES: Final = ("open", "closed", "any")
_USUAL_PAGE: Final = 50
_LARGEST_PAGE: Final = 200
_Items = Annotated[list[Sentence], Field(max_length=20)]


class Deciding(Strict):
    """One reviewer's decision on one gate."""

    gate: str
    verdict: str
    reason: Sentence
    conditions: _Items = Field(default_factory=list[str])
    evidence: _Items = Field(default_factory=list[str])
    expires_at: Time | None = None
    waiver_owner: Annotated[str, Field(max_length=200)] = ""


class Commenting(Strict):
    """What somebody says in a review."""

    text: Annotated[Sentence, Field(max_length=4000)]


async def reviews(asked: Asked) -> object:
    """The reviews that the caller may read: those that wait, oldest first; others newest first."""
    query = asked.query("state", "server", "limit", "cursor")
    state = query.get("state", "open")
    if state not in _STATES:
        raise Invalid("no such state of a review", hint=f"one of {', '.join(_STATES)}")
    limit = page_size(query.get("limit"), _USUAL_PAGE, _LARGEST_PAGE)
    found = await _known(asked, query.get("server", ""), state)
    places = {each.id: place for place, each in enumerate(found, start=1)}
    start = places.get(query.get("cursor", ""), 0)
    shown = found[start : start + limit]
    more = shown[-1].id if len(found) > start + limit else None
    return {"reviews": [_form(asked, each) for each in shown], "next": more}


async def review(asked: Asked) -> object:
    """One review with every decision and comment. Errors: NotFound."""
    asked.query()
    return _whole(asked, await _seen(asked))


async def decide(asked: Asked) -> object:
    """Decide on one gate. Errors: as `decide_gate`; NotFound; Invalid."""
    asked.query()
    known = await _seen(asked)
    said = await read_body(Deciding, asked, "decide")
    if said.gate not in set(Gate):
        raise Invalid("there is no such gate", hint=f"one of {', '.join(Gate)}", code="bad-decision")
    if said.verdict not in set(Verdict):
        raise Invalid("there is no such verdict", hint=f"one of {', '.join(Verdict)}", code="bad-decision")
    decision = GateDecision(
        gate=Gate(said.gate),
        verdict=Verdict(said.verdict),
        reason=said.reason,
        conditions=tuple(said.conditions),
        evidence=tuple(said.evidence),
        expires_at=seconds_of(said.expires_at or "", "expires_at"),
        auth=proof(asked),
        waiver_owner=said.waiver_owner,
    )
    return _whole(asked, await decide_gate(known.id, decision, asked.caller, asked.site.registry))


async def comment(asked: Asked) -> object:
    """Say something in a review. Errors: as `add_comment`; NotFound; Invalid."""
    asked.query()
    known = await _seen(asked)
    said = await read_body(Commenting, asked, "comment")
    return _whole(asked, await add_comment(known.id, said.text, asked.caller, asked.site.registry))


async def _known(asked: Asked, server: str, state: str) -> list[Review]:
    catalogue = asked.site.registry.catalogue
    found = await (catalogue.open_reviews() if state == "open" else catalogue.reviews(server))
    entries = await catalogue.entries()
    return [
        each
        for each in found
        if server in {"", each.binding.server}
        and (state != "closed" or each.closed_at is not None)
        and each.binding.server in entries
        and may_see(asked, entries[each.binding.server])
    ]


async def _seen(asked: Asked) -> Review:
    """The review that the address names. Errors: NotFound, alike for what is not there and what is hidden."""
    catalogue = asked.site.registry.catalogue
    found = await catalogue.review(str(asked.request.path_params["id"]))
    entry = await catalogue.entry(found.binding.server) if found else None
    if found is None or entry is None or not may_see(asked, entry):
        raise NotFound("no such review, or not yours to see", hint="GET /api/v1/reviews lists yours")
    return found


def _form(asked: Asked, each: Review) -> Mapping[str, object]:
    bound = each.binding
    return {
        "id": each.id,
        "server": bound.server,
        "version": bound.version,
        "change": each.change,
        "digests": {"tools": bound.tools_digest, "manifest": bound.manifest_digest, "access": bound.access_digest},
        "packet_digest": each.packet_digest,
        "submitted_by": each.submitted_by,
        "submitted_at": moment(each.submitted_at),
        "closed_at": None if each.closed_at is None else moment(each.closed_at),
        "gates": [
            _gate(asked, each, gate, state)
            for gate, state in gate_states(each, asked.site.now()).items()
            if state is not GateState.NOT_REQUIRED
        ],
    }


def _gate(asked: Asked, each: Review, gate: Gate, state: GateState) -> Mapping[str, object]:
    rights, due, made = asked.site.registry.rights, dict(each.due_at), sign_off_of(each, gate)
    why_not = may_decide(each, gate, asked.caller, rights)
    return {
        "gate": gate,
        "state": state,
        "group": rights.reviewers.get(gate, ""),
        "due_at": moment(due[gate]) if gate in due else None,
        "by": made.by if made else None,
        "may_decide": not why_not,
        "why_not": why_not,
    }


def _whole(asked: Asked, each: Review) -> Mapping[str, object]:
    comments = [{"by": said.by, "at": moment(said.at), "text": said.text} for said in each.comments]
    return {**_form(asked, each), "decisions": [_decision(made) for made in each.sign_offs], "comments": comments}


def _decision(made: SignOff) -> Mapping[str, object]:
    return {
        "gate": made.gate,
        "verdict": made.verdict,
        "by": made.by,
        "at": moment(made.at),
        "reason": made.reason,
        "conditions": list(made.conditions),
        "evidence": list(made.evidence),
        "expires_at": moment(made.expires_at),
        "auth": made.auth,
        "waiver_owner": made.waiver_owner,
    }
