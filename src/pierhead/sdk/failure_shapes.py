"""The words of diagnosis: what a rule is, what a fact, what a verdict. Not here: the rules, and judging by them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Category = Literal[
    "missing_input",
    "schema_mismatch",
    "driver_oom",
    "executor_oom",
    "executor_lost",
    "fetch_failed",
    "skew",
    "permission",
    "dependency",
    "timeout",
    "code_error",
    "killed",
    "unknown",
]
Confidence = Literal["confirmed", "likely", "possible"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: which words, in facts of which kinds (none: of all), speak for which category, and how loudly.

    `unless` are words that take the fact out of it again.
    """

    id: str
    category: Category
    pattern: "re.Pattern[str]"
    weight: int
    kinds: frozenset[str] = frozenset()
    unless: "re.Pattern[str] | None" = None
    is_container_fact: bool = False

    def fits(self, kind: str, text: str) -> "re.Match[str] | None":
        if self.kinds and kind not in self.kinds:
            return None
        found = self.pattern.search(text)
        return found if found and not (self.unless and self.unless.search(text)) else None


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that was seen: what kind it is of, in which source, when, and the words that show it.

    `kind` is `driver`, `executor` or `task` for text, by who wrote it; `container` for what became of a pod or a
    process; `state` for what a cluster manager says; `shape` for what was measured. `at` is Unix seconds, 0 where
    nobody knows. `is_final` marks what ended it: the last words of its driver.
    """

    kind: str
    value: str
    at: float
    source: str
    quote: str = ""
    rule: str = ""
    is_final: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """The category, how sure that is, the rules that spoke for it, and the line that shows it best."""

    category: Category
    confidence: Confidence
    rules: Sequence[str] = ()
    quote: str = ""
    facts: Sequence[Fact] = field(default=())
    contributing: Sequence[str] = ()
    """Other categories that something speaks for, the strongest first."""
