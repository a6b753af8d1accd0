"""The verdicts: what passes, what nobody saw, what a waiver answers, and what is declared of a server."""

from dataclasses import replace
from typing import Any, Final

import pytest
from tests.unit.samples import TOOL

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect
from pierhead.core.definitions import ChangeClass
from pierhead.core.errors import Invalid
from pierhead.core.standard import Evidence, Look, Rule, State, Verdict, Waiver, Weight, joined, waiver_of
from pierhead.core.standard_rules import RULES, breach
from pierhead.usecases.check_declared import Declared, check_declared
from pierhead.usecases.check_lint import TokenReport
from pierhead.usecases.check_standard import Change, Report, judge, report_to_form, unused

TODAY: Final = "2026-11-22"
ENTRY: Final[dict[str, Any]] = {
    "description": "What is cooked.",
    "owner": "kitchen",
    "support": "#lunch",
    "on_call": "kitchen",
    "runbook": "https://runbooks.corp.example/lunch",
    "data_class": "internal",
    "untrusted_results": False,
}
WAIVER: Final = Waiver("S14", "tools.menu", "kitchen", "the name says it", "2026-12-31")


def verdict(rule: str, evidence: Evidence, *waivers: Waiver) -> Verdict:
    return next(each for each in judge(evidence, waivers, TODAY) if each.rule.id == rule)


def evidence(*rules: str, looked: str = "T", place: str = "tools.menu.description") -> Evidence:
    return Evidence(tuple(breach(rule, place, "it is so") for rule in rules), frozenset(map(Look, looked)), {})


def declared(tool: Any = TOOL, **more: Any) -> set[str]:
    given = {"entry": ENTRY, "tools": (tool,), **more}
    return {f"{each.rule} {each.weight}" for each in check_declared(Declared(**given)).breaches}


def test_every_rule_has_its_verdict_in_order() -> None:
    assert [each.rule.id for each in judge(evidence(), (), TODAY)] == list(RULES)
    assert list(RULES) == [*(f"S{n:02}" for n in range(1, 47)), *(f"L{n:02}" for n in range(1, 12))]


def test_a_rule_passes_only_if_every_source_was_looked_at() -> None:
    assert verdict("S05", evidence()).state is State.PASSED
    assert verdict("S13", evidence()).state is State.PARTLY
    assert verdict("S20", evidence()).state is State.UNASSESSED
    assert verdict("S20", evidence()).missing == {Look.PROBE: "not started: add --live"}
    assert verdict("S13", evidence(looked="TC")).state is State.PASSED


def test_a_source_that_cannot_speak_to_a_rule_leaves_it_unseen() -> None:
    unseen = replace(evidence(looked="M"), unlooked={("S31", Look.MANIFEST): "no lock file"})
    assert verdict("S31", unseen).state is State.UNASSESSED
    assert verdict("S45", unseen).state is State.PASSED


def test_what_breaks_a_rule_is_told_even_where_a_source_is_missing() -> None:
    found = verdict("S13", evidence("S13"))
    assert (found.state, found.blocks) == (State.FAILED, True)
    assert verdict("S14", evidence("S14")).state is State.WARNED
    assert not verdict("S14", evidence("S14")).blocks


def test_a_waiver_answers_a_warning_at_its_place_until_its_end() -> None:
    assert verdict("S14", evidence("S14"), WAIVER).state is State.WAIVED
    assert verdict("S14", evidence("S14"), replace(WAIVER, place="")).state is State.WAIVED
    assert verdict("S14", evidence("S14"), replace(WAIVER, place="tools.men")).state is State.WARNED
    assert verdict("S14", evidence("S14"), replace(WAIVER, until="2026-11-21")).state is State.WARNED
    assert verdict("S14", evidence("S14"), replace(WAIVER, until=TODAY)).state is State.WAIVED


def test_no_waiver_answers_what_blocks_but_for_the_rules_that_say_so() -> None:
    assert verdict("S05", evidence("S05"), replace(WAIVER, rule="S05")).state is State.FAILED
    assert verdict("L07", evidence("L07"), replace(WAIVER, rule="L07")).state is State.WAIVED


def test_waivers_that_answer_nothing_are_told() -> None:
    idle = replace(WAIVER, rule="S07")
    found = judge(evidence("S14"), (WAIVER, idle), TODAY)
    assert unused(found, (WAIVER, idle)) == (idle,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": ""}, "lacks reason"),
        ({"until": 3}, "lacks until"),
        ({"who": "me"}, "has no who"),
        ({"rule": "S99"}, "no rule 'S99'"),
    ],
)
def test_a_waiver_is_whole_or_refused(change: dict[str, object], said: str) -> None:
    form = {"rule": "S14", "owner": "kitchen", "reason": "because", "until": "2026-12-31"}
    assert waiver_of(form, RULES).place == ""
    with pytest.raises(Invalid, match=said):
        waiver_of({**form, **change}, RULES)


def test_evidence_of_several_sources_is_joined_each_thing_once() -> None:
    one, other = evidence("S05"), replace(evidence("S05", "S06", looked="C"), unlooked={("S18", Look.CODE): "none"})
    both = joined((one, other))
    assert [each.rule for each in both.breaches] == ["S05", "S06"]
    assert both.looked == {Look.LISTING, Look.CODE}
    assert both.unlooked == {("S18", Look.CODE): "none"}


def test_a_report_says_everything_as_plain_json() -> None:
    verdicts = judge(evidence("S05", "S14"), (WAIVER,), TODAY)
    change = Change(ChangeClass.MAJOR, "1.0.0", ("menu: removed",))
    report = Report("lunch", verdicts, TokenReport({"menu": 90}), (WAIVER,), change, ("a note",))
    form: Any = report_to_form(report)
    assert form["blocks"]
    assert form["counts"]["failed"] == 1
    by_id = {rule["id"]: rule for rule in form["rules"]}
    assert by_id["S05"]["findings"][0]["place"] == "tools.menu.description"
    assert by_id["S05"]["maps"] == ["MCP03", "ASI01", "MCP06", "NSA indirect injection"]
    assert by_id["S14"]["waived"][0]["waiver"]["owner"] == "kitchen"
    assert by_id["S20"]["missing"] == {"P": "not started: add --live"}
    assert form["tokens"]["total"] == 90
    assert form["change"] == {"class": "major", "registered": "1.0.0", "told": ["menu: removed"]}
    clean: Any = report_to_form(Report("lunch", judge(evidence(), (), TODAY), TokenReport({})))
    assert (clean["blocks"], clean["change"]) == (False, None)


def test_every_rule_says_what_why_and_what_to_do() -> None:
    for rule in RULES.values():
        assert isinstance(rule, Rule)
        assert rule.title
        assert rule.why
        assert rule.fix
        assert rule.looks
    assert [rule.id for rule in RULES.values() if rule.is_waivable] == ["L04", "L07"]
    assert breach("S05", "", "so", weight=Weight.WARNS).weight is Weight.WARNS


def test_a_whole_entry_breaks_nothing() -> None:
    assert declared() == set()


def test_what_an_entry_does_not_say_is_found() -> None:
    assert declared(entry={}) == {"S16 B", "S45 W", "L11 W"}
    assert declared(entry={**ENTRY, "description": "word " * 30}) == {"L11 W"}
    seen = check_declared(Declared(None, (TOOL,))).unlooked
    assert {rule for rule, _ in seen} >= {"S15", "S31", "S44", "S45"}


def test_what_destroys_asks_people_and_can_be_sent_twice() -> None:
    destroys = replace(TOOL, effect=Effect.DESTRUCTIVE)
    assert declared(destroys) == {"S17 B"}
    assert declared(replace(destroys, approval=Approval.APPROVE)) == {"S17 W"}
    assert declared(destroys, asking=frozenset({TOOL.name})) == {"S17 W"}
    planned = replace(destroys, approval=Approval.APPROVE, input_schema={"properties": {"plan_id": {}}})
    assert declared(planned) == set()
    assert declared(replace(TOOL, timeout_s=900.0)) == {"S41 W"}


@pytest.mark.parametrize(
    ("command", "found"),
    [
        (("/usr/bin/mcp-server-time",), set[str]()),
        (("mcp-server-time",), {"S35 B"}),
        (("/bin/bash", "-c", "x"), {"S35 B"}),
        (("/usr/bin/npx", "-y", "some-server"), {"S35 B"}),
        (("/usr/bin/npx", "-y", "some-server@1.2.3"), set[str]()),
        (("/usr/bin/docker", "run", "x@sha256:" + "a" * 64), set[str]()),
    ],
)
def test_a_guests_command_is_one_pinned_program(command: tuple[str, ...], found: set[str]) -> None:
    assert declared(command=command, is_guest=True) == found


def test_a_guests_environment_holds_no_secret_as_it_stands() -> None:
    secret = {"API_TOKEN": "abc", "OTHER_TOKEN": "${OTHER}", "ZONE": "UTC", "EMPTY_SECRET": ""}
    assert declared(entry={**ENTRY, "environment": secret}) == {"S35 B"}
    assert declared(entry={**ENTRY, "environment": "none"}) == set()


def test_text_of_strangers_is_declared_and_the_three_together_are_decided_on() -> None:
    silent = {key: value for key, value in ENTRY.items() if key != "untrusted_results"}
    assert declared(entry=silent, is_guest=True) == {"S44 B"}
    assert declared(entry=silent) == set()
    three = {**ENTRY, "data_class": "restricted", "untrusted_results": True, "egress": ["mail.example"]}
    assert declared(entry=three) == {"S44 B"}
    assert declared(entry={**three, "approvers": ["security"]}) == set()
