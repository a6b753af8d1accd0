"""Every rule of the MCP Security Standard (S) and of the lint of definitions (L), by id, in the order of reports.

An id is never used again. Above: what judges. Not here: the rules themselves (`standard_definitions`,
`standard_running`), how a rule looks (`usecases/check_listing`, adapters).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.core.standard import Breach, Rule, Weight
from pierhead.core.standard_definitions import DEFINITIONS
from pierhead.core.standard_running import RUNNING

RULES: Final[Mapping[str, Rule]] = {
    rule.id: rule for rule in sorted((*DEFINITIONS, *RUNNING), key=lambda rule: (rule.id[0] == "L", rule.id))
}


def breach(rule: str, place: str, what: str, fix: str = "", *, weight: Weight | None = None) -> Breach:
    """A breach of that rule, with its fix and weight unless there are better ones."""
    return Breach(rule, weight or RULES[rule].weight, place, what, fix or RULES[rule].fix)
