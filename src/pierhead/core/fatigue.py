"""Approval fatigue, measured: how many each person answers a day and how fast, what each rule's calls come to.

A rule that is always approved is proposed for review, and decisions too fast to have been read are flagged: nothing is
changed by it. Pure. Above: `usecases/measure_fatigue`. Source of the measures: docs/explanation/approvals.md.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from pierhead.core.approval import ApprovalState
from pierhead.core.approval_record import ApprovalRecord, Decided
from pierhead.core.choice import REMEMBERED

DAY_S: Final = 86_400.0
_VERDICTS: Final = frozenset({"approve", "deny"})


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a habit is told: `cases` of a rule, `approved` of 1; `fast_s` seconds, `fast_times` of a person."""

    cases: int = 50
    approved: float = 0.98
    fast_s: float = 3.0
    fast_times: int = 3


@dataclass(frozen=True, slots=True)
class PersonFatigue:
    """One person's decisions. `a_day` over the days on which they decided; `busiest` is the most of one day."""

    person: str
    decisions: int
    a_day: float
    busiest: int
    median_s: float
    denied: float
    fast: int
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class RuleFatigue:
    """What became of the calls that one rule asked about. Shares are of 1.

    `median_s` is the middle of the seconds to a decision, None if there was none; `waited_s` of those that a call
    waited until it was settled, by its last decision or by nobody in time.
    """

    rule: str
    server: str
    tool: str
    cases: int
    approved: float
    denied: float
    expired: float
    median_s: float | None
    waited_s: float
    is_proposed: bool


@dataclass(frozen=True, slots=True)
class Fatigue:
    """Most decisions first, most cases first. `records` are all that was looked at."""

    people: tuple[PersonFatigue, ...]
    rules: tuple[RuleFatigue, ...]
    records: int


def fatigue_of(records: Sequence[ApprovalRecord], thresholds: Thresholds) -> Fatigue:
    """What these records say of habits.

    Shapes: any number of records in any order; what a remembered choice decided counts for nobody.
    Units: seconds, shares of 1.
    Source: docs/explanation/approvals.md, "Fatigue is measured".
    """
    return Fatigue(tuple(_people(records, thresholds)), tuple(_rules(records, thresholds)), len(records))


def _people(records: Iterable[ApprovalRecord], at: Thresholds) -> list[PersonFatigue]:
    found: defaultdict[str, list[tuple[Decided, float]]] = defaultdict(list)
    for record in records:
        for made in _decisions(record):
            found[made.by].append((made, max(0.0, made.at - record.created_at)))
    people = [_person(name, made, at) for name, made in found.items()]
    return sorted(people, key=lambda each: (-each.decisions, each.person))


def _person(name: str, made: Sequence[tuple[Decided, float]], at: Thresholds) -> PersonFatigue:
    days = Counter(int(decision.at // DAY_S) for decision, _ in made)
    fast = sum(seconds < at.fast_s for _, seconds in made)
    return PersonFatigue(
        person=name,
        decisions=len(made),
        a_day=round(len(made) / len(days), 2),
        busiest=max(days.values()),
        median_s=round(median(seconds for _, seconds in made), 1),
        denied=_share(sum(decision.verdict == "deny" for decision, _ in made), len(made)),
        fast=fast,
        is_flagged=fast >= at.fast_times,
    )


def _rules(records: Iterable[ApprovalRecord], at: Thresholds) -> list[RuleFatigue]:
    found: defaultdict[tuple[str, str, str], list[ApprovalRecord]] = defaultdict(list)
    for record in records:
        if _is_case(record):
            asked = record.proposal
            for rule in asked.reasons or ("",):
                found[rule, asked.server, asked.tool].append(record)
    rules = [_rule(key, cases, at) for key, cases in found.items()]
    return sorted(rules, key=lambda each: (-each.cases, each.server, each.tool, each.rule))


def _rule(key: tuple[str, str, str], cases: Sequence[ApprovalRecord], at: Thresholds) -> RuleFatigue:
    denied = sum(record.state is ApprovalState.DENIED for record in cases)
    unanswered = sum(record.state is ApprovalState.EXPIRED and len(record.yeses) < record.required for record in cases)
    approved = len(cases) - denied - unanswered
    deciding = [made.at - record.created_at for record in cases for made in _decisions(record)]
    return RuleFatigue(
        *key,
        cases=len(cases),
        approved=_share(approved, len(cases)),
        denied=_share(denied, len(cases)),
        expired=_share(unanswered, len(cases)),
        median_s=round(median(deciding), 1) if deciding else None,
        waited_s=round(median(map(_wait, cases)), 1),
        is_proposed=len(cases) >= at.cases and approved / len(cases) > at.approved,
    )


def _wait(record: ApprovalRecord) -> float:
    """How long whoever asked waited, in seconds: as many as it takes where two must agree."""
    is_answered = record.state is ApprovalState.DENIED or len(record.yeses) >= record.required
    return (_decisions(record)[-1].at if is_answered else record.expires_at) - record.created_at


def _is_case(record: ApprovalRecord) -> bool:
    """Somebody decided on it, or nobody did in time; what was withdrawn, superseded or still waits says nothing."""
    if any(made.how == REMEMBERED for made in record.decisions):
        return False
    is_answered = record.state is ApprovalState.DENIED or len(record.yeses) >= record.required
    return is_answered or record.state is ApprovalState.EXPIRED


def _decisions(record: ApprovalRecord) -> list[Decided]:
    return [made for made in record.decisions if made.verdict in _VERDICTS and made.how != REMEMBERED]


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4)
