"""What the teams that call a server cost, and which of them are too few people to be told of.

Pure. Nobody's figures can be read off a row, nor be had by taking the other rows from what all calls cost.
Source: docs/explanation/cost.md, formula 3. Not here: what a token is (`cost`), who is told (`usecases/show_back`).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

LEAST_PEOPLE: Final = 5
"""Fewer than that are never a row."""


class Share(StrEnum):
    """Whose calls a row counts: a team's, other people's, those without a person, or, where people are few, all."""

    TEAM = "team"
    OTHERS = "others"
    PROGRAMS = "programs"
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class CallerCost:
    """What one person's calls answered while they had the same groups; `person` is empty for programs alone."""

    person: str
    groups: frozenset[str]
    calls: int
    result_tokens: int


@dataclass(frozen=True, slots=True)
class TeamCost:
    """One row. `team` is empty but for a team's; `people` is None where they are not told.

    Units: `result_tokens` by `cost.tokens_of`, at least.
    """

    share: Share
    team: str
    calls: int
    people: int | None
    result_tokens: int


def team_of(groups: Collection[str], teams: Sequence[str]) -> str:
    """The first of `teams` that is one of the groups; empty where none is."""
    return next((team for team in teams if team in groups), "")


def showback(callers: Iterable[CallerCost], teams: Sequence[str]) -> tuple[TeamCost, ...]:
    """The rows: teams from the costliest on, then other people, then programs; together they are all calls.

    Shapes: any number of callers, a person once for each set of groups that they had.
    Teams of fewer than `LEAST_PEOPLE` are other people. Where those are too few still, the smallest team is of them
    too; where no team is left, all calls are one row.
    """
    known = list(callers)
    programs = [each for each in known if not each.person]
    by_team: dict[str, list[CallerCost]] = {}
    for each in known:
        if each.person:
            by_team.setdefault(team_of(each.groups, teams), []).append(each)
    others = by_team.pop("", [])
    for team in [team for team, its in by_team.items() if _people(its) < LEAST_PEOPLE]:
        others += by_team.pop(team)
    if by_team and 0 < _people(others) < LEAST_PEOPLE:
        others += by_team.pop(min(by_team, key=lambda team: (_people(by_team[team]), team)))
    if 0 < _people(others) < LEAST_PEOPLE:
        return (_row(Share.EVERYONE, known, None),)
    rows = [_row(Share.TEAM, its, _people(its), team) for team, its in by_team.items()]
    rows.sort(key=lambda row: (-row.result_tokens, row.team))
    rows += [_row(Share.OTHERS, others, _people(others))] if others else []
    return (*rows, *([_row(Share.PROGRAMS, programs, 0)] if programs else []))


def _people(callers: Iterable[CallerCost]) -> int:
    return len({each.person for each in callers})


def _row(share: Share, callers: Sequence[CallerCost], people: int | None, team: str = "") -> TeamCost:
    tokens = sum(each.result_tokens for each in callers)
    return TeamCost(share, team, sum(each.calls for each in callers), people, tokens)
