"""A remembered choice covers the very same call, or one that differs where its person said it may; nothing else."""

from dataclasses import replace
from typing import Any

import pytest
from tests.approving import APPROVERS, proposal

from pierhead.core.approval import Approval
from pierhead.core.approval_record import ApprovalRecord, Proposal, proposed
from pierhead.core.choice import LONGEST_S, Choice, choice_of, covers, is_about, is_outdated
from pierhead.core.errors import Invalid

NOW = 1_000.0
CALL = {"table": "flights", "limit": 10, "tags": ["a"]}


def asked(values: dict[str, Any] | None = None, approval: Approval = Approval.CONFIRM, **changes: Any) -> Proposal:
    return proposal(CALL if values is None else values, approval, **changes)


def record(values: dict[str, Any] | None = None, approval: Approval = Approval.CONFIRM) -> ApprovalRecord:
    return proposed("apr_1", asked(values, approval), APPROVERS, NOW)


def choice(*free: str, values: dict[str, Any] | None = None) -> Choice:
    return choice_of(record(values), "cho_1", free, NOW, LONGEST_S)


def test_the_same_call_is_covered_until_its_time_is_over() -> None:
    kept = choice()
    assert covers(kept, asked(), NOW)
    assert covers(kept, asked(dict(reversed(CALL.items()))), NOW + LONGEST_S - 1)
    assert not covers(kept, asked(), NOW + LONGEST_S)
    assert not covers(replace(kept, ended_at=NOW), asked(), NOW)


@pytest.mark.parametrize(
    "changes",
    [
        {"approval": Approval.APPROVE},
        {"person": "bob"},
        {"issuer": "https://other.example"},
        {"requester": "alice via spiffe://x/y"},
        {"surface": "chat"},
        {"client_id": "client-2"},
        {"client_id": ""},
        {"server": "other"},
        {"tool": "other"},
        {"environment": "prod"},
        {"version": "2.0.0"},
        {"revision": 99},
        {"arguments_digest": "0" * 64},
    ],
)
def test_everything_it_pins_must_be_the_same(changes: dict[str, Any]) -> None:
    assert not covers(choice(), replace(asked(), **changes), NOW)


def test_a_client_that_takes_anothers_name_is_another_and_one_that_changes_its_own_is_the_same() -> None:
    kept = choice()
    impostor = replace(asked(), client_id="client-2")
    assert impostor.client == kept.client
    assert not covers(kept, impostor, NOW)
    assert covers(kept, replace(asked(), client="renamed 2"), NOW)


def test_where_nothing_proves_the_client_nothing_is_remembered() -> None:
    unproven = replace(record(), proposal=replace(asked(), client_id=""))
    with pytest.raises(Invalid, match="nothing proves"):
        choice_of(unproven, "cho_1", (), NOW, LONGEST_S)
    by_workload = replace(unproven.proposal, on_behalf_of="alice")
    kept = choice_of(replace(unproven, proposal=by_workload), "cho_1", (), NOW, LONGEST_S)
    assert covers(kept, by_workload, NOW)
    old = replace(choice(), client_id="")
    assert not covers(old, unproven.proposal, NOW), "kept before it was known, and of nobody proven"


def test_a_free_argument_may_be_any_and_the_others_may_not() -> None:
    kept = choice("limit")
    assert covers(kept, asked({**CALL, "limit": 99}), NOW)
    assert not covers(kept, asked({**CALL, "table": "other"}), NOW)
    assert not covers(kept, asked({**CALL, "more": 1}), NOW)
    assert not covers(kept, asked({"limit": 10}), NOW)
    assert covers(kept, asked({name: value for name, value in CALL.items() if name != "limit"}), NOW)


def test_a_secret_is_never_compared_by_what_is_shown_of_it() -> None:
    with pytest.raises(Invalid, match="secret"):
        choice("limit", values={**CALL, "password": "one"})
    free_secret = choice("password", values={**CALL, "password": "one"})
    assert covers(free_secret, asked({**CALL, "password": "two"}), NOW)
    smuggled = choice("limit", values=CALL | {"table": "flights"})
    assert not covers(smuggled, asked({**CALL, "token": "x"}), NOW)
    exact = choice(values={**CALL, "password": "one"})
    assert covers(exact, asked({**CALL, "password": "one"}), NOW)
    assert not covers(exact, asked({**CALL, "password": "two"}), NOW)


@pytest.mark.parametrize("lifetime", [59.0, LONGEST_S + 1])
def test_it_lasts_a_minute_to_eight_hours(lifetime: float) -> None:
    with pytest.raises(Invalid, match="8 hours"):
        choice_of(record(), "cho_1", (), NOW, lifetime)


def test_only_confirmations_and_only_arguments_that_are_there() -> None:
    with pytest.raises(Invalid, match="only confirmations"):
        choice_of(record(approval=Approval.APPROVE), "cho_1", (), NOW, LONGEST_S)
    with pytest.raises(Invalid, match="no argument nothing"):
        choice("nothing")


def test_it_is_outdated_by_another_version_or_policy() -> None:
    assert is_about(choice(), asked(version="2"))
    assert not is_about(choice(), asked(tool="other"))
    assert [is_outdated(choice(), each) for each in (asked(), asked(version="2"), asked(revision=7))] == [
        False,
        True,
        True,
    ]
