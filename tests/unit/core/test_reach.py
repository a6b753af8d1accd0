"""Rows of layer 1."""

from dataclasses import replace

from hypothesis import given
from tests.unit import samples
from tests.unit.samples import ALICE, ROW, caller

from pierhead.core.identity import Party, Principal
from pierhead.core.reach import EVERY, Row, is_part, is_within
from pierhead.core.rule import parse_who


def test_every_holds_whatever_is_asked() -> None:
    assert "anything" in EVERY


def test_a_row_admits_by_who_surface_and_environment_together() -> None:
    row = Row("warehouse", parse_who("group:data-eng"), frozenset({"ide"}), frozenset({"local"}), EVERY)
    assert row.admits(caller(ALICE, "ide", "local"), Party.PERSON)
    assert not row.admits(caller(ALICE, "chat", "local"), Party.PERSON)
    assert not row.admits(caller(ALICE, "ide", "production"), Party.PERSON)
    in_help = replace(row, channels=frozenset({"help"}))
    assert in_help.admits(caller(ALICE, "ide", "local", "help"), Party.PERSON)
    assert not in_help.admits(caller(ALICE, "ide", "local"), Party.PERSON)
    assert not in_help.admits(caller(ALICE, "ide", "local", "other"), Party.PERSON)
    assert not replace(row, who=parse_who("group:ads")).admits(caller(), Party.PERSON)


@given(samples.principals)
def test_an_empty_set_of_surfaces_or_environments_admits_nobody(principal: Principal) -> None:
    everybody = replace(ROW, who=parse_who("everyone or workload:x"))
    for nowhere in ("surfaces", "environments", "channels"):
        row = replace(everybody, **{nowhere: frozenset()})
        assert not any(row.admits(caller(principal), party) for party in Party)


def test_a_row_is_within_another_that_admits_all_whom_it_admits_from_everywhere() -> None:
    wide = replace(ROW, who=parse_who("group:data-eng or group:ads"))
    assert ROW.is_within(wide)
    assert ROW.is_within(ROW)
    assert not wide.is_within(ROW)
    for place in ("surfaces", "environments", "channels"):
        narrow = replace(ROW, **{place: frozenset({"a"})})
        assert narrow.is_within(ROW)
        assert not ROW.is_within(narrow)
        assert not replace(narrow, **{place: frozenset({"a", "b"})}).is_within(narrow)
        assert not replace(narrow, who=wide.who).is_within(narrow)


def test_a_set_is_part_of_another_by_its_members_and_of_every_always() -> None:
    one, two = frozenset({"a"}), frozenset({"a", "b"})
    assert is_part(one, two)
    assert is_part(two, two)
    assert not is_part(two, one)
    assert is_part(two, EVERY)
    assert is_part(EVERY, EVERY)
    assert not is_part(EVERY, two)
    assert is_part(frozenset(), frozenset())


def test_rows_are_within_others_if_each_is_in_one_of_them() -> None:
    other = replace(ROW, who=parse_who("group:ads"))
    assert is_within([ROW], [other, ROW])
    assert not is_within([ROW, other], [ROW])
    assert is_within([], [ROW])
    assert not is_within([ROW], [])
