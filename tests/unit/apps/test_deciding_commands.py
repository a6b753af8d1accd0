"""Several answers at once from the shell: each by its own word, none by another's, and an exit code that tells."""

import pytest
from tests.shells import Shell
from tests.web_site import BY_TWO, PLANNED, WAITING

from pierhead.usecases.memory_approvals import MemoryApprovals


def states(shell: Shell) -> dict[str, str]:
    store = shell.world.site.approvals.store
    assert isinstance(store, MemoryApprovals)
    return {name: str(record.state) for name, record in store.kept.items()}


def decide(shell: Shell, *words: str, person: str = "frank") -> tuple[int, list[dict[str, str]]]:
    said = shell.run(person, "approvals", "decide", *words, "--json")
    return said.code, said.document if said.out else []


def test_each_is_answered_by_its_own_word_and_the_rest_stays_open(shell: Shell) -> None:
    code, told = decide(shell, f"{WAITING.id}=approve", f"{PLANNED.id}=deny", "--reason", "agreed")
    assert code == 0
    assert [(each["id"], each["answer"], each["state"], each["code"]) for each in told] == [
        (WAITING.id, "approve", "approved", ""),
        (PLANNED.id, "deny", "denied", ""),
    ]
    kept = states(shell)
    assert (kept[WAITING.id], kept[PLANNED.id], kept[BY_TWO.id]) == ("approved", "denied", "pending")


@pytest.mark.parametrize(
    ("first", "code", "reason"),
    [
        ("apr_none=approve", 4, "not-found"),
        ("apr_no=approve", 5, "approval-state"),
    ],
)
def test_what_is_not_taken_hinders_no_other_and_is_the_exit_code(
    shell: Shell, first: str, code: int, reason: str
) -> None:
    found, told = decide(shell, first, f"{WAITING.id}=approve")
    assert (found, [each["code"] for each in told]) == (code, [reason, ""])
    assert states(shell)[WAITING.id] == "approved"


def test_nobody_answers_their_own_call_in_a_batch_either(shell: Shell) -> None:
    assert decide(shell, f"{WAITING.id}=approve", person="alice")[0] == 6
    assert states(shell)[WAITING.id] == "pending"


@pytest.mark.parametrize("word", ["all=approve", "approve", "apr_waits", "apr_waits=yes", "=approve", "apr_waits=ask"])
def test_there_is_no_word_for_all_and_nothing_is_taken_of_what_cannot_be_read(shell: Shell, word: str) -> None:
    said = shell.run("frank", "approvals", "decide", f"{WAITING.id}=approve", word)
    assert said.code == 2
    assert "no word for all" in said.err
    assert states(shell)[WAITING.id] == "pending"


def test_one_is_answered_once(shell: Shell) -> None:
    assert decide(shell, f"{WAITING.id}=approve", f"{WAITING.id}=deny")[0] == 2
    assert states(shell)[WAITING.id] == "pending"


def test_a_table_says_what_became_of_each(shell: Shell) -> None:
    said = shell.run("frank", "approvals", "decide", f"{WAITING.id}=approve", "apr_no=deny")
    assert said.code == 5
    assert "approved" in said.out
    assert "approval-state" in said.out
