"""A physical plan in few words: which operators it has, and which of them cost."""

import re
from typing import Final

_OPERATOR: Final = re.compile(r"^[\s:|+\-*]*(?:\(\d+\) )?(?:\*\(\d+\) |\* )?([A-Z][A-Za-z]{2,40})\b")
_COSTLY: Final = {
    "CartesianProduct": "joins every row with every row",
    "BroadcastNestedLoopJoin": "compares every row with a whole table",
    "SortMergeJoin": "sorts and shuffles both sides",
    "Exchange": "shuffles",
    "BatchEvalPython": "runs Python row by row",
    "ArrowEvalPython": "runs Python in batches",
    "SortAggregate": "sorts to aggregate",
    "ObjectHashAggregate": "collects objects in memory",
    "Window": "holds a whole partition for each window",
    "Expand": "multiplies rows",
    "Generate": "multiplies rows",
}
_MOST: Final = 40


def operators(plan: str) -> dict[str, int]:
    """How often each operator stands in it; of an adaptive plan, in the part that was final."""
    counts: dict[str, int] = {}
    for line in _final(plan).splitlines():
        found = _OPERATOR.match(line)
        if found and found[1] not in {"Physical", "Plan", "Details", "Input", "Output", "Initial", "Final"}:
            counts[found[1]] = counts.get(found[1], 0) + 1
        if len(counts) >= _MOST:
            break
    return counts


def costly(plan: str) -> list[str]:
    """The operators that cost, and why."""
    counts = operators(plan)
    return [f"{name} ({counts[name]}): {why}" for name, why in _COSTLY.items() if name in counts]


def _final(plan: str) -> str:
    """Without the explanations below, and without the plan as it first was."""
    tree = re.split(r"\n\s*\n", plan.partition("== Physical Plan ==")[2] or plan, maxsplit=1)[0]
    return re.split(r"== Initial Plan ==", tree, maxsplit=1)[0]
