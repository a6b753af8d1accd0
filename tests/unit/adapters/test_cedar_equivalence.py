"""Short forms decide as their compilation to Cedar does: the fast path is no second policy."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.searching import examples
from tests.unit import samples
from tests.unit.samples import call, server

from pierhead.adapters.cedar import CedarPolicies
from pierhead.core.bounds import UNBOUNDED
from pierhead.core.call import Request
from pierhead.core.catalog import Tool
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Decision, Match, Refusal, decide
from pierhead.core.reach import EVERY, Row
from pierhead.core.snapshot import PolicyText, Snapshot
from pierhead.usecases.compile_policy import compiled
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of


def by_cedar(snapshot: Snapshot, asked: Request, questions: frozenset) -> Decision:
    """What Cedar alone makes of the compiled short forms."""
    policies = CedarPolicies.read((PolicyText("short", compiled(snapshot)),))
    found: list[Match] = []
    for question in sorted(questions):
        tool = asked.tool if question == "use" else None
        found += policies.matches(asked.caller, question, asked.server, tool)
    return decide(asked, found, questions)


def essence(decision: Decision) -> tuple:
    match decision:
        case Refusal():
            return "refuse", decision.question
        case ApprovalNeeded():
            return "approval", decision.approval
        case _:
            return ("permit",)


def rules_of(decision: Decision) -> set[str]:
    return {reason.rule.removeprefix("short#") for reason in decision.reasons}


channels = st.just(EVERY) | st.frozensets(st.sampled_from(("airflow-help", "spark-help")))
rows = st.builds(replace, samples.rows, channels=channels)
tools = st.builds(
    lambda tool, own, fleet, withheld: replace(
        tool,
        bounds=replace(UNBOUNDED, channels=own),
        narrowed_bounds=replace(UNBOUNDED, channels=fleet),
        withheld=withheld,
        rules=tuple(rule for rule in tool.rules if not rule.when),
    ),
    samples.tools,
    channels,
    channels,
    st.sampled_from(("", "", "changed")),
)


@examples(300)
@given(samples.callers, tools, st.lists(rows, max_size=4), st.sampled_from((REACH, REACH_AND_USE)))
def test_short_forms_and_their_compilation_decide_alike_and_by_the_same_rules(
    asking: Caller, tool: Tool, some: list[Row], questions: frozenset
) -> None:
    on = server(tool)
    snapshot = snapshot_of([on], some)
    asked = Request(call(tool.name), asking, on, tool, 1)
    short = decide(asked, SnapshotRules(MemorySnapshots(snapshot), questions).matches(asked), questions)
    cedar = by_cedar(snapshot, asked, questions)
    if not any(rule.lowers for rule in tool.rules):  # Cedar asks by every rule that lowers, where ours names one
        assert rules_of(short) == rules_of(cedar)
    if not (tool.withheld and isinstance(short, Refusal)):  # its code is told last, which Cedar cannot say
        assert essence(short) == essence(cedar)
    assert isinstance(short, Refusal) is isinstance(cedar, Refusal)
