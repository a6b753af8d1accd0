"""What people no longer have only ever takes away, is bounded, and nothing of it is lost by the bound."""

from hypothesis import given
from hypothesis import strategies as st

from pierhead.core.identity import ANONYMOUS, Both, User, Workload
from pierhead.core.withdrawal import MOST, NOTHING_WITHDRAWN, Withdrawal, Withdrawals

ISSUER = "https://login.example"
ALICE = User(ISSUER, "alice", frozenset({"ads", "data-eng"}))
AGENT = Workload("spiffe://corp.example/agent")


def withdrawals(*each: Withdrawal) -> Withdrawals:
    return Withdrawals.of(7, each)


def test_groups_are_taken_from_that_person_of_that_issuer_alone() -> None:
    found = withdrawals(Withdrawal(ISSUER, "alice", 0.0, frozenset({"data-eng", "web"})))
    assert found.left(ALICE) == User(ISSUER, "alice", frozenset({"ads"}))
    for other in (User(ISSUER, "bob", ALICE.groups), User("https://other.example", "alice", ALICE.groups)):
        assert found.left(other) is other
    assert found.before(ISSUER, "alice") == 0
    assert NOTHING_WITHDRAWN.left(ALICE) is ALICE


def test_the_later_moment_and_the_groups_of_both_hold() -> None:
    first = Withdrawal(ISSUER, "alice", 20.0, frozenset({"ads"}))
    both = first.and_also(Withdrawal(ISSUER, "alice", 10.0, frozenset({"web"})))
    assert both == Withdrawal(ISSUER, "alice", 20.0, frozenset({"ads", "web"}))


def test_what_a_person_began_ends_when_they_lost_something_since_also_behind_a_workload() -> None:
    moment = withdrawals(Withdrawal(ISSUER, "alice", 20.0, frozenset()))
    assert (moment.ends(ALICE, 19.9), moment.ends(ALICE, 20.0)) == (True, False)
    assert moment.ends(Both(ALICE, AGENT), 19.9)
    group = withdrawals(Withdrawal(ISSUER, "alice", 0.0, frozenset({"ads"})))
    assert group.ends(ALICE, 19.9)
    assert not group.ends(User(ISSUER, "alice", frozenset({"web"})), 19.9)
    assert not any(found.ends(each, 0) for found in (moment, group) for each in (AGENT, ANONYMOUS))


def test_past_the_bound_everyone_shares_the_others_moment_and_groups_stay_by_name() -> None:
    many = [Withdrawal(ISSUER, f"person-{number}", 1000.0 + number, frozenset()) for number in range(MOST)]
    old, older = Withdrawal(ISSUER, "old", 999.0, frozenset()), Withdrawal(ISSUER, "older", 0.0, frozenset({"ads"}))
    found = withdrawals(older, *many, old)
    assert len(found.people) == MOST + 1
    assert found.before(ISSUER, "old") == found.before(ISSUER, "nobody told of") == 999.0
    assert found.groups_of(ISSUER, "older") == frozenset({"ads"})
    assert found.before(ISSUER, "person-3") == 1003.0
    assert withdrawals(*many).everyone_before == 0


@given(st.sets(st.sampled_from(["ads", "data-eng", "web"])), st.sets(st.sampled_from(["ads", "data-eng", "web"])))
def test_nobody_ever_gains_a_group(has: set[str], lost: set[str]) -> None:
    user = User(ISSUER, "alice", frozenset(has))
    left = withdrawals(Withdrawal(ISSUER, "alice", 0.0, frozenset(lost))).left(user)
    assert left.groups == has - lost
