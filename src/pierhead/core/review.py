"""The review gate: which sign-offs a version needs, what each one binds, and when the gate stands open.

Pure. Above: `usecases/sign_off`. Not here: who is a member of which group, storage, reminders.
Source: docs/explanation/review-gate.md.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from pierhead.core.catalog import DataClass, Effect, Risk, Tool
from pierhead.core.definitions import ChangeClass

__all__ = [
    "OPENING",
    "WORKING_DAYS",
    "Binding",
    "ChangeClass",
    "Comment",
    "Gate",
    "GateState",
    "Review",
    "SignOff",
    "Verdict",
    "due_at",
    "expires_at",
    "is_open",
    "required_gates",
    "rises",
    "sign_off_of",
    "state_of",
    "stricter",
    "with_sign_off",
]


class Gate(StrEnum):
    """Who has to vouch for a version."""

    SECURITY = "security"
    LEGAL = "legal"
    GENAI = "genai"


class Verdict(StrEnum):
    """What one reviewer decides."""

    APPROVE = "approve"
    APPROVE_WITH_CONDITIONS = "approve-with-conditions"
    REQUEST_CHANGES = "request-changes"
    REJECT = "reject"
    WAIVE = "waive"


class GateState(StrEnum):
    """Where one gate of one review stands."""

    NOT_REQUIRED = "not-required"
    PENDING = "pending"
    CHANGES_REQUESTED = "changes-requested"
    APPROVED = "approved"
    APPROVED_WITH_CONDITIONS = "approved-with-conditions"
    REJECTED = "rejected"
    WAIVED = "waived"
    EXPIRED = "expired"


OPENING: Final = frozenset({GateState.APPROVED, GateState.APPROVED_WITH_CONDITIONS, GateState.WAIVED})
"""States in which a required gate stands open."""


@dataclass(frozen=True, slots=True)
class Binding:
    """Exactly what is signed: another digest is another thing. Digests are 64 lower-case hex digits (SHA-256)."""

    server: str
    version: str
    tools_digest: str
    manifest_digest: str
    access_digest: str


@dataclass(frozen=True, slots=True)
class SignOff:
    """One reviewer's decision. Times are seconds since 1970-01-01 UTC.

    `expires_at` is when it stops to count: for a waiver the end that its owner named. `conditions` are what the
    approval depends on, one sentence each; `evidence` are links or references.
    """

    gate: Gate
    verdict: Verdict
    by: str
    at: float
    reason: str
    conditions: tuple[str, ...]
    evidence: tuple[str, ...]
    expires_at: float
    auth: str = ""
    """How they proved who they are, and how long before: what an access token or a sign-in was worth."""
    waiver_owner: str = ""
    """Of a waiver: who answers for what nobody looked at, until its end; empty for every other verdict."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said in a review; a comment decides nothing."""

    by: str
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Review:
    """One submission of one version, and what became of it.

    `required` are the gates that apply, `due_at` when each should have answered; `sign_offs` every decision, oldest
    first: the last one of a gate counts. `closed_at` is None while it waits. `lock` counts its changes.
    `registered_by` and `owner` are whose server it is: they cannot decide.
    """

    id: str
    binding: Binding
    change: ChangeClass
    submitted_by: str
    submitted_at: float
    required: frozenset[Gate]
    due_at: tuple[tuple[Gate, float], ...]
    sign_offs: tuple[SignOff, ...]
    comments: tuple[Comment, ...]
    closed_at: float | None
    lock: int
    registered_by: str = ""
    owner: str = ""
    packet_digest: str = ""
    """Of everything that was handed in with it (`packet`); empty for nothing."""


_DAY_S: Final = 86_400
_TERM_DAYS: Final = 365
_SHORT_TERM_DAYS: Final = 180
WORKING_DAYS: Final = {Gate.SECURITY: 3, Gate.LEGAL: 5, Gate.GENAI: 3}
"""How long each gate has, unless an operator says otherwise."""
_SATURDAY: Final = 5
_STATES: Final = {
    Verdict.APPROVE: GateState.APPROVED,
    Verdict.APPROVE_WITH_CONDITIONS: GateState.APPROVED_WITH_CONDITIONS,
    Verdict.REQUEST_CHANGES: GateState.CHANGES_REQUESTED,
    Verdict.REJECT: GateState.REJECTED,
    Verdict.WAIVE: GateState.WAIVED,
}


def required_gates(
    risk: Risk, tools: Iterable[Tool], changes: Iterable[ChangeClass], *, is_tested: bool
) -> frozenset[Gate]:
    """Who must sign a version of that risk and these tools, given every class of difference from the one before.

    A first or major version goes to everyone whom it concerns; another wording to GenAI, and a new tool or argument
    too, unless `is_tested`: its packet holds tests and evaluations that pass. A patch, which changes nothing that
    people or models are shown, goes to nobody.
    Source: docs/explanation/review-gate.md, "Who signs".
    """
    found = frozenset(changes)
    reads_anew = ChangeClass.WORDING in found or (ChangeClass.MINOR in found and not is_tested)
    gates = {Gate.GENAI} if reads_anew else set[Gate]()
    if not found & {ChangeClass.FIRST, ChangeClass.MAJOR}:
        return frozenset(gates)
    gates.add(Gate.SECURITY)
    if risk.data_class.rank >= DataClass.CONFIDENTIAL.rank or risk.has_personal_data or risk.egress:
        gates.add(Gate.LEGAL)
    writes = any(tool.effect is not Effect.READ for tool in tools)
    if writes or risk.is_autonomous or risk.has_untrusted_results:
        gates.add(Gate.GENAI)
    return frozenset(gates)


def stricter(one: Risk, other: Risk) -> Risk:
    """The graver of two in every member: to declare less of a risk is for those to sign who would have signed more."""
    return Risk(
        data_class=max(one.data_class, other.data_class, key=lambda data_class: data_class.rank),
        has_personal_data=one.has_personal_data or other.has_personal_data,
        egress=tuple(sorted({*one.egress, *other.egress})),
        is_autonomous=one.is_autonomous or other.is_autonomous,
        has_untrusted_results=one.has_untrusted_results or other.has_untrusted_results,
    )


def rises(before: Risk, after: Risk) -> bool:
    """Whether what a server holds is graver than it was: of a higher data class, or of people now."""
    is_higher = after.data_class.rank > before.data_class.rank
    return is_higher or (after.has_personal_data and not before.has_personal_data)


def due_at(required: Iterable[Gate], submitted_at: float, days: Mapping[Gate, int]) -> tuple[tuple[Gate, float], ...]:
    """When each gate should have answered: after so many working days (Monday to Friday, UTC).

    Units: seconds since 1970-01-01 UTC; days. Every gate has its days.
    """
    return tuple((gate, _after_working_days(submitted_at, days[gate])) for gate in sorted(required))


def _after_working_days(start: float, count: int) -> float:
    moment = datetime.fromtimestamp(start, UTC)
    while count:
        moment += timedelta(days=1)
        count -= moment.weekday() < _SATURDAY
    return moment.timestamp()


def expires_at(gate: Gate, data_class: DataClass, signed_at: float) -> float:
    """Until when a sign-off counts at most: a year, half of it from `confidential` up but for GenAI.

    Units: seconds since 1970-01-01 UTC.
    """
    is_short = data_class.rank >= DataClass.CONFIDENTIAL.rank and gate is not Gate.GENAI
    return signed_at + (_SHORT_TERM_DAYS if is_short else _TERM_DAYS) * _DAY_S


def sign_off_of(review: Review, gate: Gate) -> SignOff | None:
    """The decision that counts for that gate: its last one."""
    return next((made for made in reversed(review.sign_offs) if made.gate is gate), None)


def state_of(review: Review, gate: Gate, now: float) -> GateState:
    """Where that gate stands at `now`."""
    if gate not in review.required:
        return GateState.NOT_REQUIRED
    made = sign_off_of(review, gate)
    if made is None:
        return GateState.PENDING
    state = _STATES[made.verdict]
    # "not before its end", so that an end that is no number counts as passed
    return GateState.EXPIRED if state in OPENING and not now < made.expires_at else state


def is_open(review: Review, now: float) -> bool:
    """Whether every gate that is required has signed, and no signature has run out."""
    return all(state_of(review, gate, now) in OPENING for gate in review.required)


def with_sign_off(review: Review, made: SignOff) -> Review:
    """The review after one more decision."""
    return replace(review, sign_offs=(*review.sign_offs, made))
