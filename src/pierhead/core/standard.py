"""What the MCP Security Standard is made of: rules, the sources they look at, what breaks one, and what came of each.

A rule whose source is missing is not assessed, and so never passed. Pure. Above: `standard_rules` (the table),
`usecases/check_standard` (the verdicts). Not here: how any rule looks (`usecases/check_listing`, adapters).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pierhead.core.errors import Invalid


class Weight(StrEnum):
    """B blocks approval; W warns, and a waiver with owner, reason and end answers it."""

    BLOCKS = "B"
    WARNS = "W"


class Look(StrEnum):
    """Where a rule looks."""

    LISTING = "T"
    """The answer to `tools/list`."""
    MANIFEST = "M"
    """The entry and the manifest of the server, its lock file."""
    CODE = "C"
    IMAGE = "I"
    CLUSTER = "K"
    PROBE = "P"
    """The server itself, started on loopback."""


class State(StrEnum):
    """What came of a rule. `partly`: what could be looked at holds, and something could not."""

    PASSED = "passed"
    PARTLY = "partly"
    WAIVED = "waived"
    WARNED = "warned"
    FAILED = "failed"
    UNASSESSED = "not assessed"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the standard (`S01`), or of the lint (`L01`). `maps` are what it answers in other catalogues."""

    id: str
    weight: Weight
    looks: tuple[Look, ...]
    title: str
    why: str
    fix: str
    maps: tuple[str, ...] = ()
    is_waivable: bool = False
    """Whether a recorded waiver answers even what blocks; every warning can be waived."""


def rule_of(id_: str, looks: str, title: str, why: str, fix: str, maps: str = "") -> Rule:
    """A row of the table: `id_` is like `S01 B`, with `!` where a waiver answers it; `looks` like `TC`."""
    name, _, weight = id_.partition(" ")
    seen = tuple(Look(letter) for letter in looks)
    answers = tuple(maps.split(", ")) if maps else ()
    return Rule(name, Weight(weight[0]), seen, title, why, fix, answers, is_waivable=weight.endswith("!"))


@dataclass(frozen=True, slots=True)
class Breach:
    """One thing that breaks a rule.

    `place` is a JSON path into the listing (`tools.query.description`) or FILE:LINE; `what` repeats no hostile text.
    """

    rule: str
    weight: Weight
    place: str
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """A recorded answer to a warning. `until` is the last day it holds, as YYYY-MM-DD; `place` empty: everywhere."""

    rule: str
    place: str
    owner: str
    reason: str
    until: str

    def answers(self, breach: Breach, today: str) -> bool:
        """Whether it stands for that breach today."""
        return (
            self.rule == breach.rule
            and today <= self.until
            and (not self.place or breach.place == self.place or breach.place.startswith(f"{self.place}."))
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found, and where it could be looked: a source that is absent says nothing about its rules.

    `unlooked` names rules that a source could not speak to although it is there, with the reason.
    """

    breaches: tuple[Breach, ...]
    looked: frozenset[Look]
    unlooked: Mapping[tuple[str, Look], str]


def joined(several: Iterable[Evidence]) -> Evidence:
    """What several sources found together."""
    breaches: list[Breach] = []
    looked: set[Look] = set()
    unlooked: dict[tuple[str, Look], str] = {}
    for evidence in several:
        breaches += evidence.breaches
        looked |= evidence.looked
        unlooked |= evidence.unlooked
    return Evidence(tuple(dict.fromkeys(breaches)), frozenset(looked), unlooked)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one rule; `missing` are the sources that it could not look at, with why."""

    rule: Rule
    state: State
    breaches: tuple[Breach, ...]
    waived: tuple[tuple[Breach, Waiver], ...]
    missing: Mapping[Look, str]

    @property
    def blocks(self) -> bool:
        return any(breach.weight is Weight.BLOCKS for breach in self.breaches)


def waiver_of(form: Mapping[str, object], known: Mapping[str, Rule]) -> Waiver:
    """One waiver as it is written. Errors: Invalid (`bad-waiver`), naming what is wrong with it."""
    told = {name: form.get(name, "") for name in ("rule", "place", "owner", "reason", "until")}
    wrong = [name for name, value in told.items() if not isinstance(value, str) or (name != "place" and not value)]
    unknown = sorted(form.keys() - told.keys())
    if wrong or unknown:
        message = f"a waiver lacks {', '.join(wrong)}" if wrong else f"a waiver has no {', '.join(unknown)}"
        raise Invalid(message, hint="it has rule, owner, reason, until, and place if it is for one", code="bad-waiver")
    waiver = Waiver(**{name: str(value) for name, value in told.items()})
    if waiver.rule not in known:
        raise Invalid(
            f"there is no rule {waiver.rule!r}", hint="see docs/reference/security-standard.md", code="bad-waiver"
        )
    return waiver
