"""Duties of approvers from the shell: away and back, the broken glass, choices, habits."""

from tests.shells import Shell


def test_somebody_is_away_and_back(shell: Shell) -> None:
    away = shell.run("bob", "approvals", "away", "--until", "2026-11-25T00:00:00Z", "--reason", "fair", "-o", "json")
    assert away.code == 0, away.err
    (made,) = away.document["absences"]
    assert (made["person"], made["until"]) == ("bob", "2026-11-25T00:00:00.000Z")
    assert made["id"] in shell.run("bob", "approvals", "absences").out
    assert shell.run("bob", "approvals", "back", made["id"], "-o", "json").document == {"absences": []}


def test_what_is_not_ones_own_is_not_there(shell: Shell) -> None:
    assert shell.run("bob", "approvals", "back", "abs_2").code == 4
    assert shell.run("bob", "approvals", "forget", "cho_1").code == 4
    assert shell.run("bob", "approvals", "choices").code == 0


def test_only_what_asks_two_people_has_a_glass(shell: Shell) -> None:
    broken = shell.run("frank", "approvals", "break-glass", "apr_waits", "--reason", "it burns")
    assert broken.code == 6
    assert shell.run("carol", "approvals", "review", "apr_waits", "--found", "nothing").code == 6
    assert shell.run("carol", "approvals", "list", "--state", "to-review", "--json").document == []


def test_habits_are_told_to_auditors(shell: Shell) -> None:
    assert "drop_rows needs it" in shell.run("carol", "approvals", "fatigue").out
    told = shell.run("carol", "approvals", "fatigue", "--json").document
    assert [each["person"] for each in told["people"]] == ["gina"]
    assert shell.run("bob", "approvals", "fatigue").code == 6
