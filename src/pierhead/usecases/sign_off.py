"""One reviewer's decision on one gate: signs a version with exactly these digests, or sends it back.

The gate opens in the same change as the last signature that it needs. Two reviewers at once both count: the second
reads again what the first has written, and is asked again whether they may. Not here: who sees which review (pages).
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Final

from pierhead.core.audit_reviews import ReviewDecided
from pierhead.core.catalog import Stage, Step
from pierhead.core.errors import Conflict, Invalid, NotFound
from pierhead.core.identity import Caller
from pierhead.core.review import Comment, Gate, Review, SignOff, Verdict, expires_at, is_open, with_sign_off
from pierhead.usecases.advance_server import move, open_gate
from pierhead.usecases.ports_catalogue import Change, Version
from pierhead.usecases.registry_desk import RegistryDesk, commit, put_in_force, version_of
from pierhead.usecases.restrict_access import check_condition
from pierhead.usecases.rights import may_decide, person_of, require

_TRIES: Final = 5
_LONGEST_REASON: Final = 2_000
_LONGEST_COMMENT: Final = 4_000
_MOST_COMMENTS: Final = 500
_MOST_ITEMS: Final = 20
_LONGEST_ITEM: Final = 500
_LONGEST_OWNER: Final = 200


@dataclass(frozen=True, slots=True)
class GateDecision:
    """What one reviewer decides. `expires_at` may shorten a term; a waiver must name its end."""

    gate: Gate
    verdict: Verdict
    reason: str
    conditions: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    expires_at: float | None = None
    auth: str = ""
    """What proved the reviewer, and how long before, for the record."""
    waiver_owner: str = ""
    """Who answers for a waiver until its end; a waiver must name them."""


async def decide_gate(review_id: str, decision: GateDecision, caller: Caller, desk: RegistryDesk) -> Review:
    """Record a decision and what follows from it.

    Errors: NotFound; Forbidden (`not-yours`, `person-needed`); Invalid (`bad-decision`, `reason-needed`); Conflict
    (`review-closed`, `review-outdated`, `changed-meanwhile`).
    """
    person_of(caller)
    _check(decision, desk.clock.now())

    async def once() -> Review:
        review = await _waiting(review_id, desk)
        require(may_decide(review, decision.gate, caller, desk.rights))
        version = await _bound(review, desk)
        await commit(_decided(review, version, decision, caller, desk), desk)
        return review

    review = await _again_if_changed(once)
    await put_in_force(review.binding.server, caller.name, desk)
    return await _found(review_id, desk)


async def add_comment(review_id: str, text: str, caller: Caller, desk: RegistryDesk) -> Review:
    """Say something in a review. Who may read it may speak in it.

    Errors: NotFound; Forbidden (`person-needed`); Invalid (`bad-comment`); Conflict (`changed-meanwhile`).
    """
    by = person_of(caller)
    if not text.strip() or len(text) > _LONGEST_COMMENT:
        raise Invalid(f"a comment has 1 to {_LONGEST_COMMENT} characters", hint="say it shorter", code="bad-comment")

    async def once() -> Review:
        review = await _found(review_id, desk)
        if len(review.comments) >= _MOST_COMMENTS:
            raise Invalid(f"this review holds {_MOST_COMMENTS} comments", hint="go on in a ticket", code="bad-comment")
        said = Comment(by, desk.clock.now(), text)
        await commit(Change((), reviews=(replace(review, comments=(*review.comments, said)),)), desk)
        return await _found(review_id, desk)

    return await _again_if_changed(once)


async def _again_if_changed(once: Callable[[], Awaitable[Review]]) -> Review:
    """Safe to repeat: each try reads everything anew and asks every question again."""
    for _ in range(_TRIES - 1):
        try:
            return await once()
        except Conflict as conflict:
            if conflict.code != "changed-meanwhile":
                raise
    return await once()


async def _found(review_id: str, desk: RegistryDesk) -> Review:
    review = await desk.catalogue.review(review_id)
    if review is None:
        raise NotFound(f"no review {review_id!r}", hint="see the queue of reviews")
    return review


async def _waiting(review_id: str, desk: RegistryDesk) -> Review:
    review = await _found(review_id, desk)
    if review.closed_at is not None:
        raise Conflict(f"review {review_id} is closed", hint="see what became of the version", code="review-closed")
    return review


async def _bound(review: Review, desk: RegistryDesk) -> Version:
    """The version that the review is about, unchanged since."""
    version = await version_of(review.binding.server, review.binding.version, desk)
    if version.binding != review.binding or version.stage is not Stage.IN_REVIEW:
        raise Conflict(
            f"{version.server} {version.version} is not what this review was opened for",
            hint="see the review that was opened since",
            code="review-outdated",
        )
    return version


def _decided(review: Review, version: Version, decision: GateDecision, caller: Caller, desk: RegistryDesk) -> Change:
    now, made = desk.clock.now(), _signed(version, decision, caller, desk)
    after = with_sign_off(review, made)
    fact = ReviewDecided.of(review, made)
    change = Change((fact,), versions=(version,), reviews=(after,))
    if made.verdict is Verdict.REJECT:
        return _rejected(change, made, now)
    return open_gate(change, now) if is_open(after, now) else change


def _rejected(change: Change, made: SignOff, now: float) -> Change:
    (version,), (review,) = change.versions, change.reviews
    after, moved, fact = move(version, Step.REJECT, made.by, made.reason, now)
    closed = replace(review, closed_at=now)
    return replace(change, facts=(*change.facts, fact), versions=(after,), moves=(moved,), reviews=(closed,))


def _signed(version: Version, decision: GateDecision, caller: Caller, desk: RegistryDesk) -> SignOff:
    """The decision with its term: as long as the gate allows, or shorter."""
    now = desk.clock.now()
    risk = desk.declarations.read(version.server, version.document).risk
    longest = expires_at(decision.gate, risk.data_class, now)
    return SignOff(
        gate=decision.gate,
        verdict=decision.verdict,
        by=caller.name,
        at=now,
        reason=decision.reason,
        conditions=decision.conditions,
        evidence=decision.evidence,
        expires_at=longest if decision.expires_at is None else min(decision.expires_at, longest),
        auth=decision.auth,
        waiver_owner=decision.waiver_owner.strip(),
    )


def _check(decision: GateDecision, now: float) -> None:
    if not decision.reason.strip() or len(decision.reason) > _LONGEST_REASON:
        raise Invalid(
            f"say why, in 1 to {_LONGEST_REASON} characters", hint="the reason is recorded", code="reason-needed"
        )
    faults = [fault for fault in _faults(decision, now) if fault]
    if faults:
        raise Invalid("; ".join(faults), hint="see docs/explanation/review-gate.md", code="bad-decision")


def _faults(decision: GateDecision, now: float) -> list[str]:
    is_waiver, owner = decision.verdict is Verdict.WAIVE, decision.waiver_owner.strip()
    has_conditions = decision.verdict is Verdict.APPROVE_WITH_CONDITIONS
    ends = decision.expires_at
    items = (*decision.conditions, *decision.evidence)
    return [
        "name the conditions" if has_conditions and not decision.conditions else "",
        "conditions belong to approve-with-conditions" if decision.conditions and not has_conditions else "",
        "a waiver names its end" if is_waiver and ends is None else "",
        "a waiver names its owner, who answers for it until then" if is_waiver and not owner else "",
        "an owner belongs to a waiver" if owner and not is_waiver else "",
        f"an owner has at most {_LONGEST_OWNER} characters" if len(owner) > _LONGEST_OWNER else "",
        "the end is not in the future" if ends is not None and not now < ends < float("inf") else "",
        f"at most {_MOST_ITEMS} conditions and as many references" if len(items) > 2 * _MOST_ITEMS else "",
        *(f"an item has 1 to {_LONGEST_ITEM} characters" for text in items if not 0 < len(text) <= _LONGEST_ITEM),
        *(check_condition(text) for text in decision.conditions),
    ]
