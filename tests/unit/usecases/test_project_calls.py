"""One row a call, from facts of two writers that come in any order."""

import json
from dataclasses import asdict, replace
from itertools import permutations

import pytest
from tests.unit.samples import call, caller, match, request

from pierhead.core.audit import CallFinished, CallLost, CallRefused, CallStarted, Fact
from pierhead.core.audit_policy import PolicyPublished
from pierhead.core.policy import Permit, Question, RuleEffect, decide
from pierhead.usecases.project_calls import LOST, RUNNING, CallState, project, rank_of

SERVER = rank_of("server-warehouse")
GATEWAY = rank_of("gateway")


def started() -> CallStarted:
    reasons = [match(RuleEffect.PERMIT, question) for question in (Question.REACH, Question.USE)]
    permit = decide(request(), reasons, frozenset({Question.REACH, Question.USE}))
    assert isinstance(permit, Permit)
    return CallStarted.of(permit, arguments=None)


def refused(code: str) -> CallRefused:
    return CallRefused.of(call(), caller(), code, "why not", ())


def after(*facts: tuple[int, Fact]) -> CallState | None:
    """The row after facts, each as it comes from a journal: JSON."""
    state = None
    for at_ms, (rank, fact) in enumerate(facts, start=1):
        state = project(state, rank, at_ms, json.loads(json.dumps(asdict(fact))))
    return state


def test_a_server_knows_more_than_a_gateway() -> None:
    assert rank_of("server-warehouse") > rank_of("gateway") == rank_of("registry")


def test_an_intent_is_a_running_call_with_its_last_reason() -> None:
    state = after((SERVER, started()))
    assert state == CallState(
        call_id="call-1",
        rank=SERVER,
        at_ms=1,
        principal="alice",
        person="alice",
        surface="ide",
        server="warehouse",
        tool="run_query",
        effect="read",
        client="client 1.0",
        decision="permit",
        outcome=RUNNING,
        sentence="a rule permits use",
        arguments_digest="d" * 64,
        minutes=6,
        minutes_low=6,
        minutes_high=6,
        minutes_method="estimate",
        groups='["data-eng"]',
    )


def test_an_intent_of_before_estimates_were_kept_whole_has_its_middle_alone() -> None:
    fact = {name: value for name, value in asdict(started()).items() if not name.startswith("minutes_")}
    state = project(None, SERVER, 1, json.loads(json.dumps(fact)))
    assert state is not None
    assert (state.minutes, state.minutes_low, state.minutes_high, state.minutes_method) == (6, 0, 0, "")
    assert state.minutes_stated_at == 0


def test_an_intent_without_reasons_has_no_sentence() -> None:
    state = after((SERVER, replace(started(), reasons=())))
    assert state is not None
    assert state.sentence == ""


def test_an_end_completes_the_call_it_ends() -> None:
    state = after((SERVER, started()), (SERVER, CallFinished("call-1", "ok", "", 7, 12.5)))
    assert state is not None
    assert (state.outcome, state.duration_ms, state.bytes_out, state.at_ms) == ("ok", 12.5, 7, 1)


def test_an_intent_that_nobody_ended_is_lost() -> None:
    state = after((SERVER, started()), (SERVER, CallLost("call-1")))
    assert state is not None
    assert (state.outcome, state.duration_ms) == (LOST, None)


@pytest.mark.parametrize(("code", "decision"), [("approval_required", "ask"), ("cannot-reach", "refuse")])
def test_a_refusal_saves_nothing_and_says_why(code: str, decision: str) -> None:
    state = after((GATEWAY, refused(code)))
    assert state is not None
    assert (state.decision, state.outcome, state.sentence) == (decision, code, "why not")
    assert (state.effect, state.minutes, state.duration_ms) == ("", 0.0, None)


def test_the_word_of_the_server_counts_whoever_is_heard_first() -> None:
    """The facts of one writer keep their order; those of two interleave in any way."""
    ended = CallFinished("call-1", "tool_error", "exception", 3, 5.0)
    of_server = [(SERVER, started()), (SERVER, ended)]
    of_gateway = [(GATEWAY, started()), (GATEWAY, CallFinished("call-1", "relayed", "", 900, 9.0))]
    for order in set(permutations("ssgg")):
        facts = {"s": iter(of_server), "g": iter(of_gateway)}
        state = after(*(next(facts[writer]) for writer in order))
        assert state is not None
        assert (state.rank, state.outcome, state.bytes_out) == (SERVER, "tool_error", 3), order


@pytest.mark.parametrize(
    "fact", [CallFinished("call-1", "ok", "", 7, 1.0), CallLost("call-1"), PolicyPublished(1, "d", "fleet")]
)
def test_a_fact_that_begins_no_call_makes_none(fact: Fact) -> None:
    assert after((SERVER, fact)) is None


def test_a_fact_about_something_else_leaves_the_call_as_it_is() -> None:
    before = after((SERVER, started()))
    assert after((SERVER, started()), (SERVER, PolicyPublished(1, "d", "fleet"))) == before


def test_what_a_server_noted_stands_with_the_call() -> None:
    ended = CallFinished("call-1", "ok", "", 7, 12.5, {"tables": ["café"], "rows": 2})
    state = after((SERVER, started()), (SERVER, ended))
    assert state is not None
    assert state.details == '{"tables":["café"],"rows":2}'
    old = {name: value for name, value in asdict(CallFinished("call-1", "ok", "", 7, 1.0)).items() if name != "details"}
    before = project(None, SERVER, 1, json.loads(json.dumps(asdict(started()))))
    assert (project(before, SERVER, 2, old) or state).details == ""
