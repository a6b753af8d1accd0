"""The verdicts of the MCP Security Standard on one server: what passed, what broke, what was waived, what nobody saw.

A rule is passed only if every source that it looks at was there; waivers answer warnings, and what the table lets
them answer besides. Pure. Above: `pierhead check`. Below: evidence from `check_listing` and adapters.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pierhead.core.definitions import ChangeClass
from pierhead.core.standard import Breach, Evidence, Look, Rule, State, Verdict, Waiver, Weight
from pierhead.core.standard_rules import RULES
from pierhead.usecases.check_lint import MANY_TOKENS, MOST_TOKENS, TOOL_TOKENS, TokenReport
from pierhead.usecases.wire_forms import Form

ABSENT: Mapping[Look, str] = {
    Look.LISTING: "no tools/list",
    Look.MANIFEST: "no entry",
    Look.CODE: "no source code",
    Look.IMAGE: "no image",
    Look.CLUSTER: "no cluster files",
    Look.PROBE: "not started: add --live",
}


@dataclass(frozen=True, slots=True)
class Change:
    """How what was checked differs from the version that is registered: `minor`, `major`, ..., and where."""

    change: ChangeClass
    version: str
    told: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that came of one target."""

    target: str
    verdicts: tuple[Verdict, ...]
    tokens: TokenReport
    unused: tuple[Waiver, ...] = ()
    """Waivers that answer nothing here: too late, or the thing is mended."""
    change: Change | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def blocks(self) -> bool:
        return any(verdict.blocks for verdict in self.verdicts)


def judge(evidence: Evidence, waivers: Sequence[Waiver], today: str) -> tuple[Verdict, ...]:
    """A verdict for every rule, in the order of the table. `today` is YYYY-MM-DD."""
    by_rule: dict[str, list[Breach]] = {}
    for each in evidence.breaches:
        by_rule.setdefault(each.rule, []).append(each)
    return tuple(_verdict(rule, by_rule.get(rule.id, []), evidence, waivers, today) for rule in RULES.values())


def unused(verdicts: Iterable[Verdict], waivers: Sequence[Waiver]) -> tuple[Waiver, ...]:
    """The waivers that answered nothing."""
    used = {waiver for verdict in verdicts for _, waiver in verdict.waived}
    return tuple(waiver for waiver in waivers if waiver not in used)


def _verdict(rule: Rule, found: list[Breach], evidence: Evidence, waivers: Sequence[Waiver], today: str) -> Verdict:
    left: list[Breach] = []
    waived: list[tuple[Breach, Waiver]] = []
    for breach in found:
        answer = _answer(rule, breach, waivers, today)
        if answer is None:
            left.append(breach)
        else:
            waived.append((breach, answer))
    missing = {look: why for look in rule.looks if (why := _missing(rule, look, evidence))}
    return Verdict(rule, _state(rule, left, waived, missing), tuple(left), tuple(waived), missing)


def _answer(rule: Rule, breach: Breach, waivers: Sequence[Waiver], today: str) -> Waiver | None:
    if breach.weight is Weight.BLOCKS and not rule.is_waivable:
        return None
    return next((waiver for waiver in waivers if waiver.answers(breach, today)), None)


def _missing(rule: Rule, look: Look, evidence: Evidence) -> str:
    if look not in evidence.looked:
        return ABSENT[look]
    return evidence.unlooked.get((rule.id, look), "")


def _state(rule: Rule, left: list[Breach], waived: list[tuple[Breach, Waiver]], missing: Mapping[Look, str]) -> State:
    if left:
        return State.FAILED if any(breach.weight is Weight.BLOCKS for breach in left) else State.WARNED
    if waived:
        return State.WAIVED
    if not missing:
        return State.PASSED
    return State.UNASSESSED if len(missing) == len(rule.looks) else State.PARTLY


def report_to_form(report: Report) -> Form:
    """The report as plain JSON: every rule, what it answers in other catalogues, tokens, the change."""
    return {
        "target": report.target,
        "blocks": report.blocks,
        "counts": {str(state): sum(one.state is state for one in report.verdicts) for state in State},
        "rules": [_verdict_to_form(verdict) for verdict in report.verdicts],
        "tokens": {
            "tools": dict(report.tokens.tools),
            "total": report.tokens.total,
            "budget": {"tool": TOOL_TOKENS, "server": MANY_TOKENS, "waiver_from": MOST_TOKENS},
        },
        "change": None
        if report.change is None
        else {
            "class": str(report.change.change),
            "registered": report.change.version,
            "told": list(report.change.told),
        },
        "unused_waivers": [_waiver_to_form(waiver) for waiver in report.unused],
        "notes": list(report.notes),
    }


def _verdict_to_form(verdict: Verdict) -> Form:
    rule = verdict.rule
    return {
        "id": rule.id,
        "severity": str(rule.weight),
        "title": rule.title,
        "why": rule.why,
        "state": str(verdict.state),
        "findings": [_breach_to_form(breach) for breach in verdict.breaches],
        "waived": [{**_breach_to_form(breach), "waiver": _waiver_to_form(waiver)} for breach, waiver in verdict.waived],
        "missing": {str(look): why for look, why in verdict.missing.items()},
        "maps": list(rule.maps),
    }


def _breach_to_form(breach: Breach) -> Form:
    return {"severity": str(breach.weight), "place": breach.place, "what": breach.what, "fix": breach.fix}


def _waiver_to_form(waiver: Waiver) -> Form:
    return {
        "rule": waiver.rule,
        "place": waiver.place,
        "owner": waiver.owner,
        "reason": waiver.reason,
        "until": waiver.until,
    }
