"""Cases of a policy: who does what, and what must come of it. Put to the very rules that decide calls.

Pure. A case about something that is not there fails, whatever it expects: a name that is misspelt would otherwise be
"refused" for ever, and nobody would notice. Above: `bootstrap/policy_cases` reads them. Not here: which policy is
asked (the port `Snapshots`), what follows from a failure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pierhead.core.call import Parsed, canonical, digest
from pierhead.core.errors import NotFound
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.usecases.explain_decision import Explanation, explain_decision
from pierhead.usecases.ports import Snapshots


@dataclass(frozen=True, slots=True)
class PolicyCase:
    """One expectation. `place` is where it is written; `tool` is empty where only reach is asked.

    `expect` is permit, refuse or approval. `rule` must have taken part, `reason` stand in the sentence; empty: any.
    """

    name: str
    place: str
    caller: Caller
    server: str
    tool: str
    arguments: Mapping[str, Json] = field(hash=False)
    expect: str
    rule: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a case: `got` is a decision, or `nothing` where there was nothing to decide on."""

    case: PolicyCase
    got: str
    why: str
    rules: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not self.faults


def judge_cases(
    cases: Iterable[PolicyCase], snapshots: Snapshots, untold: Mapping[str, str] | None = None
) -> tuple[Judged, ...]:
    """Every case under the policy in force there, in the order they stand in.

    `untold` are servers whose tools nobody could tell, and why: a case about one of those tools fails with that.
    Errors: PolicyExpired.
    """
    return tuple(_judged(case, snapshots, untold or {}) for case in cases)


def _judged(case: PolicyCase, snapshots: Snapshots, untold: Mapping[str, str]) -> Judged:
    arguments = Parsed(case.arguments, digest(case.arguments), len(canonical(case.arguments)))
    try:
        found = explain_decision(case.caller, case.server, case.tool, snapshots, arguments)
    except NotFound as absent:
        why = untold.get(case.server, absent.message)
        return Judged(case, "nothing", why, (), (f"there is nothing to decide on: {why}",))
    rules = tuple(dict.fromkeys(match.rule for match in found.reasons))
    return Judged(case, found.decision, found.sentence, rules, tuple(_faults(case, found, rules)))


def _faults(case: PolicyCase, found: Explanation, rules: tuple[str, ...]) -> Iterable[str]:
    if found.decision != case.expect:
        yield f"expected {case.expect}, got {found.decision}: {found.sentence}"
    if case.rule and case.rule not in rules:
        yield f"rule {case.rule} took no part; these did: {', '.join(rules) or 'none'}"
    if case.reason not in found.sentence:
        yield f"the sentence is {found.sentence!r}, without {case.reason!r}"
