"""A server's life: what is not in the table cannot happen."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import SERVER

from pierhead.core.catalog import CALLABLE, TRANSITIONS, Stage, Step

# Written out a second time, on purpose: a change to the table must be made twice.
EXPECTED = {
    Stage.REGISTERED: {Step.SUBMIT: Stage.IN_REVIEW, Step.RETIRE: Stage.RETIRED},
    Stage.REJECTED: {Step.SUBMIT: Stage.IN_REVIEW, Step.RETIRE: Stage.RETIRED},
    Stage.IN_REVIEW: {Step.WITHDRAW: Stage.REGISTERED, Step.REJECT: Stage.REJECTED, Step.APPROVE: Stage.APPROVED},
    Stage.APPROVED: {Step.DEPLOY: Stage.DEPLOYED, Step.RETIRE: Stage.RETIRED},
    Stage.DEPLOYED: {
        Step.SUSPEND: Stage.SUSPENDED,
        Step.DEPRECATE: Stage.DEPRECATED,
        Step.QUARANTINE: Stage.QUARANTINED,
    },
    Stage.DEPRECATED: {
        Step.SUSPEND: Stage.SUSPENDED,
        Step.QUARANTINE: Stage.QUARANTINED,
        Step.RETIRE: Stage.RETIRED,
    },
    Stage.SUSPENDED: {
        Step.RESUME: Stage.DEPLOYED,
        Step.DEPRECATE: Stage.DEPRECATED,
        Step.QUARANTINE: Stage.QUARANTINED,
        Step.RETIRE: Stage.RETIRED,
    },
    Stage.QUARANTINED: {
        Step.RESUME: Stage.DEPLOYED,
        Step.DEPRECATE: Stage.DEPRECATED,
        Step.RETIRE: Stage.RETIRED,
    },
    Stage.RETIRED: {},
}


@pytest.mark.parametrize(("stage", "step"), list(itertools.product(Stage, Step)))
def test_a_step_leads_where_the_table_says_or_nowhere(stage: Stage, step: Step) -> None:
    assert TRANSITIONS.get((stage, step)) == EXPECTED[stage].get(step)


def test_the_gate_alone_opens_the_way_to_approved() -> None:
    assert [key for key, to in TRANSITIONS.items() if to is Stage.APPROVED] == [(Stage.IN_REVIEW, Step.APPROVE)]


@given(st.lists(st.sampled_from(Step)))
def test_nothing_is_deployed_that_was_never_approved(steps: list[Step]) -> None:
    stage, approved = Stage.REGISTERED, False
    for step in steps:
        stage = TRANSITIONS.get((stage, step), stage)
        approved = approved or stage is Stage.APPROVED
        assert approved or stage not in CALLABLE


@given(st.lists(st.sampled_from(Step)))
def test_retired_is_the_end(steps: list[Step]) -> None:
    assert all((Stage.RETIRED, step) not in TRANSITIONS for step in steps)


@pytest.mark.parametrize("stage", Stage)
def test_deployed_and_deprecated_servers_are_callable_and_no_others(stage: Stage) -> None:
    assert replace(SERVER, stage=stage).is_callable is (stage in {Stage.DEPLOYED, Stage.DEPRECATED})


def test_a_server_says_whom_to_ask() -> None:
    assert SERVER.whom_to_ask == "ask data-platform in #data-help"
