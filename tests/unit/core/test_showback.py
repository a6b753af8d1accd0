"""What teams cost: nothing is lost, and no row or difference of rows is of fewer than five people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.showback import LEAST_PEOPLE, CallerCost, Share, TeamCost, showback, team_of

TEAMS = ("data", "ops", "finance")
_CALLERS = st.lists(
    st.builds(
        CallerCost,
        person=st.sampled_from(["", *"abcdefghijklmnopqrstuvwxyz"]),
        groups=st.frozensets(st.sampled_from([*TEAMS, "staff"]), max_size=2),
        calls=st.integers(1, 9),
        result_tokens=st.integers(0, 999),
    ),
    max_size=60,
)


def people(team: str, count: int, first: int = 0) -> list[CallerCost]:
    return [CallerCost(f"{team}-{first + each}", frozenset({team, "staff"}), 2, 10) for each in range(count)]


ROBOT = CallerCost("", frozenset(), 7, 70)


def told(*callers: list[CallerCost]) -> list[tuple[str, str, int | None]]:
    rows = showback([each for some in callers for each in some], TEAMS)
    return [(row.share, row.team, row.people) for row in rows]


def test_the_first_team_of_the_list_counts() -> None:
    assert team_of({"ops", "data", "staff"}, TEAMS) == "data"
    assert team_of({"staff"}, TEAMS) == ""


def test_teams_come_from_the_costliest_on_then_the_others_then_programs() -> None:
    rows = showback([*people("ops", 6), *people("data", 5), *people("staff", 5), ROBOT], TEAMS)
    assert rows == (
        TeamCost(Share.TEAM, "ops", 12, 6, 60),
        TeamCost(Share.TEAM, "data", 10, 5, 50),
        TeamCost(Share.OTHERS, "", 10, 5, 50),
        TeamCost(Share.PROGRAMS, "", 7, 0, 70),
    )


def test_a_small_team_is_among_the_others() -> None:
    assert told(people("data", 9), people("ops", 4), people("staff", 1)) == [("team", "data", 9), ("others", "", 5)]


def test_where_the_others_are_few_the_smallest_team_is_of_them() -> None:
    found = told(people("data", 9), people("ops", 6), people("finance", 2), [ROBOT])
    assert found == [("team", "data", 9), ("others", "", 8), ("programs", "", 0)]
    assert told(people("data", 5), people("ops", 5), people("staff", 1)) == [("team", "ops", 5), ("others", "", 6)]


def test_of_few_people_there_is_one_row_with_all_calls() -> None:
    assert showback([*people("data", 2), *people("ops", 2), ROBOT], TEAMS) == (
        TeamCost(Share.EVERYONE, "", 15, None, 110),
    )


@pytest.mark.parametrize(("callers", "rows"), [([], ()), ([ROBOT], (TeamCost(Share.PROGRAMS, "", 7, 0, 70),))])
def test_without_people_there_is_nobody_to_hide(callers: list[CallerCost], rows: tuple[TeamCost, ...]) -> None:
    assert showback(callers, TEAMS) == rows


def test_a_person_with_other_groups_later_counts_once() -> None:
    later = CallerCost("data-0", frozenset({"data"}), 1, 1)
    assert told(people("data", 4), people("ops", 5), [later]) == [("others", "", 9)]


@given(_CALLERS)
def test_no_row_is_of_few_people_and_together_they_are_all_calls(callers: list[CallerCost]) -> None:
    rows = showback(callers, TEAMS)
    assert sum(row.calls for row in rows) == sum(each.calls for each in callers)
    assert sum(row.result_tokens for row in rows) == sum(each.result_tokens for each in callers)
    for row in rows:
        if row.share in {Share.TEAM, Share.OTHERS}:
            assert row.people is not None
            assert row.people >= LEAST_PEOPLE
    if any(row.share is Share.EVERYONE for row in rows):
        assert len(rows) == 1
