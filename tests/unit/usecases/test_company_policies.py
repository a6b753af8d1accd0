"""Company policies in a revision: published, told, followed, and refused where nothing can read them."""

import json
from dataclasses import replace

import pytest
from tests.unit.samples import ROW, SERVER, caller

from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import Invalid
from pierhead.core.identity import Caller, Party
from pierhead.core.policy import Match, Question, RuleEffect
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import EMPTY, NO_POLICIES, PolicyText, SnapshotChange
from pierhead.usecases.discover import may_know
from pierhead.usecases.match_rules import REACH, SnapshotRules
from pierhead.usecases.memory import MemorySnapshots, snapshot_of
from pierhead.usecases.revision_text import Piece, RevisionText, digest_of, policies_text, whole_text
from pierhead.usecases.tell_changes import changed
from pierhead.usecases.wire_forms import no_engine, snapshot_from_form, snapshot_to_form

TEXTS = (PolicyText("company.cedar", "permit (principal, action, resource);"),)


class Permitting:
    """Company policies that permit everybody everything, and say so."""

    def __init__(self, texts: tuple[PolicyText, ...] = TEXTS) -> None:
        self.texts, self.named = texts, NOBODY

    def matches(self, caller: Caller, question: Question, server: Server, tool: Tool | None) -> tuple[Match, ...]:
        return (Match(RuleEffect.PERMIT, question, Party.PERSON, "company.cedar#1", "all may"),)


WITH = replace(snapshot_of([SERVER], [ROW]), policies=Permitting())


def test_a_revision_with_policies_survives_its_form_where_there_is_an_engine() -> None:
    form = json.loads(json.dumps(snapshot_to_form(WITH)))
    assert form["policies"] == [{"name": "company.cedar", "text": TEXTS[0].text}]
    assert snapshot_from_form(form, engine=Permitting).policies.texts == TEXTS


def test_a_revision_with_policies_is_not_taken_where_nothing_reads_them() -> None:
    with pytest.raises(Invalid) as refused:
        snapshot_from_form(snapshot_to_form(WITH))
    assert refused.value.code == "policy-engine-missing"
    assert no_engine(()) is NO_POLICIES


@pytest.mark.parametrize("wrong", [{}, {"policies": None}, {"policies": [{"name": "a"}]}, {"policies": ["a"]}])
def test_policies_that_went_missing_are_no_form(wrong: dict) -> None:
    form = {name: value for name, value in snapshot_to_form(WITH).items() if name != "policies"}
    with pytest.raises(Invalid) as refused:
        snapshot_from_form({**form, **wrong}, engine=Permitting)
    assert refused.value.code == "wire-form"


def test_without_policies_nothing_is_said() -> None:
    assert NO_POLICIES.matches(caller(), Question.REACH, SERVER, None) == ()


def test_other_policies_are_another_revision_and_are_told_whole() -> None:
    pieces = {f"s{number}": Piece("{}", "", str(number)) for number in range(100)}
    told = policies_text(TEXTS)
    assert digest_of(pieces) != digest_of(pieces, told)
    assert json.loads(whole_text(1, {}, told))["policies"] == json.loads(told)
    text = RevisionText()
    text.put(1, "a", pieces)
    text.put(2, "b", {**pieces, "s1": Piece("{}", "", "x")})
    assert "base" in json.loads(text.since("a"))
    text.put(3, "c", pieces, told)
    assert json.loads(text.since("b"))["policies"] == json.loads(told)
    text.put(4, "d", {**pieces, "s1": Piece("{}", "", "y")}, told)
    assert "base" in json.loads(text.since("c"))


def test_a_change_keeps_the_policies_of_what_it_is_told_against() -> None:
    assert SnapshotChange(2, {}, {}, frozenset()).on(WITH).policies is WITH.policies
    assert EMPTY.policies is NO_POLICIES


def test_other_policies_change_every_server() -> None:
    without = snapshot_of([SERVER], [ROW])
    assert changed(without, WITH) == {"warehouse": True}
    assert changed(WITH, replace(WITH, policies=Permitting())) == {}


def test_a_permit_of_reach_counts_where_a_row_that_stands_open_leaves_it_to_the_policies() -> None:
    for who, surfaces, counts in (
        ("policies", {"ide"}, True),
        ("group:ads or policies", {"ide"}, True),
        ("policies", {"chat"}, False),
        ("group:ads", {"ide"}, False),
    ):
        row = replace(ROW, who=parse_who(who), surfaces=frozenset(surfaces))
        snapshots = MemorySnapshots(replace(snapshot_of([SERVER], [row]), policies=Permitting()))
        found = SnapshotRules(snapshots, REACH).reach(caller(), "warehouse")
        assert [match.rule for match in found] == (["company.cedar#1"] if counts else [])
        assert SnapshotRules(snapshots, REACH).reach(caller(), "elsewhere") == ()


def test_whoever_policies_let_reach_a_gated_server_knows_of_it() -> None:
    gated = replace(SERVER, discovery="gated")
    row = replace(ROW, who=parse_who("policies"))
    assert may_know(gated, caller(), MemorySnapshots(replace(snapshot_of([gated], [row]), policies=Permitting())))
    assert not may_know(gated, caller(), MemorySnapshots(snapshot_of([gated], [row])))
