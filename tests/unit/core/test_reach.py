"""Rows of layer 1."""

from dataclasses import replace

from hypothesis import given
from tests.unit import samples
from tests.unit.samples import ALICE, ROW, caller

from pierhead.core.identity import Party, Principal
from pierhead.core.reach import EVERY, Row
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
