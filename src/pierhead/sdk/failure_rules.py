"""What went wrong, judged from facts by the one table of rules (`failure_table`).

Above: servers that diagnose. Not here: reading what is left of a failure (`log_reading`).
"""

import re
from collections.abc import Sequence
from typing import Final

from pierhead.sdk.failure_shapes import Category, Confidence, Fact, Rule, Verdict
from pierhead.sdk.failure_table import RULES

__all__ = ["RULES", "Category", "Confidence", "Fact", "Rule", "Verdict", "classify", "fact_of", "line_at", "rule_for"]

LONGEST_QUOTE: Final = 400
#: What Python shows of a program between the frames of a trace: it names what it does not say.
_SOURCE: Final = re.compile(r"(^ +File \x22[^\x22]*\x22, line \d+.*\n)(?: {4,}.*\n)+", re.MULTILINE)
_FINAL: Final = 25
_SURE: Final = 60
_WEAK: Final = 45
_CONTAINER: Final = 100


def rule_for(kind: str, text: str) -> "tuple[Rule, str] | None":
    """The weightiest rule that fits a text, and the line of it that shows that; nothing where none fits.

    Of equal ones the one that fits last: a chain of causes ends with what is at its root.
    """
    best: tuple[Rule, re.Match[str]] | None = None
    text = _SOURCE.sub(r"\1", text)
    for rule in RULES:
        if best is not None and rule.weight < best[0].weight:
            continue
        found = rule.fits(kind, text)
        if found and (best is None or rule.weight > best[0].weight or found.end() > best[1].end()):
            best = rule, found
    if best is None:
        return None
    rule, match = best
    if rule.category == "code_error":  # a chain of exceptions ends with what is at its root
        *_, match = rule.pattern.finditer(text)
    elif _is_indented(text, match):  # the source that a traceback shows says less than what it raised
        match = next((each for each in rule.pattern.finditer(text) if not _is_indented(text, each)), match)
    return rule, line_at(text, match.end() - 1)


def _is_indented(text: str, match: "re.Match[str]") -> bool:
    start = text.rfind("\n", 0, max(match.end() - 1, 0)) + 1
    return text[start : start + 1].isspace()


def line_at(text: str, place: int) -> str:
    """The line in which a character stands, cut to a quote around it."""
    start = text.rfind("\n", 0, max(place, 0)) + 1
    end = text.find("\n", max(place, start))
    line = text[start : end if end >= 0 else len(text)]
    if len(line) > LONGEST_QUOTE:
        begin = max(0, min(place - start - LONGEST_QUOTE // 2, len(line) - LONGEST_QUOTE))
        line = line[begin : begin + LONGEST_QUOTE]
    return line.strip()


def fact_of(kind: str, text: str, at: float, source: str, *, is_final: bool = False) -> Fact | None:
    """What a text amounts to, by the table; nothing where no rule knows it."""
    found = rule_for(kind, text)
    return Fact(kind, found[0].category, at, source, found[1], found[0].id, is_final) if found else None


def classify(facts: Sequence[Fact]) -> Verdict:
    """The judgement over all facts, in any order. Facts without a rule only stand beside it."""
    known = {rule.id: rule for rule in RULES}
    judged = [(fact, known[fact.rule]) for fact in facts if fact.rule in known]
    if not judged:
        return Verdict("unknown", "possible")
    best, rule = max(judged, key=lambda pair: (_loudness(*pair), -_moment(pair[0])))
    # A task that would not end is why somebody, or a deadline, ended it.
    if rule.category in {"timeout", "killed"} and any(each.category == "skew" for _, each in judged):
        best, rule = next(pair for pair in judged if pair[1].category == "skew")
    same = [(fact, each) for fact, each in judged if each.category == rule.category]
    others = sorted((pair for pair in judged if pair[1].category != rule.category), key=lambda pair: -_loudness(*pair))
    return Verdict(
        rule.category,
        _sureness(best, rule, [fact for fact, _ in same]),
        list(dict.fromkeys([rule.id, *(each.id for _, each in same)])),
        best.quote,
        [best, *(fact for fact, _ in same if fact is not best)],
        list(dict.fromkeys(each.category for _, each in others)),
    )


def _loudness(fact: Fact, rule: Rule) -> int:
    """Containers first; then the words that something ended with; consequences last."""
    if rule.is_container_fact:
        return _CONTAINER + rule.weight
    return rule.weight + (_FINAL if fact.is_final else 0)


def _moment(fact: Fact) -> float:
    return fact.at or float("inf")


def _sureness(best: Fact, rule: Rule, same: Sequence[Fact]) -> Confidence:
    """Two sources, or a rule with its quote that ended it: confirmed. A weak pattern alone: possible."""
    if rule.weight < _WEAK:
        return "possible"
    is_shown = bool(best.quote) and rule.weight >= _SURE and (best.is_final or rule.is_container_fact)
    return "confirmed" if is_shown or len({fact.source for fact in same}) > 1 else "likely"
