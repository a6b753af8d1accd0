"""Facts and their chain."""

import dataclasses
import hashlib
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import AGENT, ALICE, ROBOT, call, caller, match, request

from pierhead.core.audit import GENESIS, Actor, CallRefused, CallStarted, Fact, Reason, chain
from pierhead.core.identity import ANONYMOUS, Both
from pierhead.core.policy import Permit, Question, RuleEffect, inputs_digest

PERMITTING = match(RuleEffect.PERMIT, Question.USE)


def test_every_kind_of_fact_has_a_name_of_its_own() -> None:
    kinds = [kind.__dataclass_fields__["kind"].default for kind in get_args(Fact)]
    assert len(set(kinds)) == len(kinds) == 42


def test_an_intent_names_who_what_and_why_and_the_minutes_in_force() -> None:
    started = CallStarted.of(Permit(request(), (PERMITTING,)), {"sql": "[text 8]"})
    assert dataclasses.asdict(started) == {
        "call_id": "call-1",
        "actor": {
            "principal": "alice",
            "person": "alice",
            "workload": "",
            "groups": ("data-eng",),
            "surface": "ide",
            "environment": "local",
            "channel": "",
        },
        "server": "warehouse",
        "version": "1.0.0",
        "tool": "run_query",
        "effect": "read",
        "era": "2026-07-28",
        "client": "client 1.0",
        "arguments_digest": "d" * 64,
        "arguments_size": 10,
        "arguments": {"sql": "[text 8]"},
        "revision": 1,
        "reasons": (
            {
                "effect": "permit",
                "question": "use",
                "rule": PERMITTING.rule,
                "sentence": PERMITTING.sentence,
            },
        ),
        "minutes": 6,
        "inputs": inputs_digest(request()),
        "approval": "",
        "minutes_low": 6,
        "minutes_high": 6,
        "minutes_method": "estimate",
        "minutes_stated_at": 0.0,
        "kind": "call-started",
    }


def test_a_refusal_names_the_call_as_it_was_asked_for() -> None:
    refused = CallRefused.of(
        call("no_such_tool"), caller(), "unknown-tool", "Unknown tool: no_such_tool", (PERMITTING,)
    )
    assert (refused.tool, refused.code, refused.actor.person) == ("no_such_tool", "unknown-tool", "alice")
    assert refused.reasons == (Reason.of(PERMITTING),)
    assert (refused.revision, refused.inputs) == (0, "")


def test_a_refusal_names_the_revision_and_the_inputs_it_was_decided_on() -> None:
    asked = request()
    refused = CallRefused.of(asked.call, asked.caller, "unknown-tool", "no", (), asked)
    assert (refused.revision, refused.inputs) == (1, inputs_digest(asked))


def test_an_actor_names_each_party_there_is() -> None:
    assert Actor.of(caller(ANONYMOUS)) == Actor("anonymous", "", "", (), "ide", "local")
    assert Actor.of(caller(AGENT)) == Actor(ROBOT, "", ROBOT, (), "ide", "local")
    assert Actor.of(caller(Both(ALICE, AGENT))) == Actor(
        f"alice via {ROBOT}", "alice", ROBOT, ("data-eng",), "ide", "local"
    )


def test_the_hash_is_the_one_that_the_documents_promise() -> None:
    expected = hashlib.sha256(b"0" * 64 + b'|1|1700000000000|{"kind":"call-lost"}').hexdigest()
    assert chain(GENESIS, 1, 1_700_000_000_000, b'{"kind":"call-lost"}') == expected


records = st.tuples(st.integers(1, 9), st.integers(0, 9), st.binary(max_size=4))


@given(st.lists(records, min_size=1, max_size=5), st.lists(records, min_size=1, max_size=5))
def test_different_records_make_different_chains(
    one: list[tuple[int, int, bytes]], two: list[tuple[int, int, bytes]]
) -> None:
    def head(chained: list[tuple[int, int, bytes]]) -> str:
        previous = GENESIS
        for sequence, at, payload in chained:
            previous = chain(previous, sequence, at, payload)
        return previous

    assert (head(one) == head(two)) is (one == two)
