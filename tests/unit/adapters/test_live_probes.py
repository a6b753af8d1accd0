"""Each rule of the standard that a running server shows: one that keeps it, and one that breaks it, over real HTTP."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx2
import pytest
from tests.rigs.careless_server import FALSE, TOKENS, TOOLS, careless

from pierhead.adapters.live.people import canary, probe_people
from pierhead.adapters.live.probe import MARKER, Live, logged, probe, recorded
from pierhead.bootstrap.wire_live import Running
from pierhead.core.standard import Breach, Look
from pierhead.core.standard_rules import RULES
from pierhead.sdk.schema import value_fault

pytestmark = pytest.mark.slow  # each starts a server, and stops it

#: The rules that the careless server breaks when it is told to.
OVER_HTTP: Final = ("S15", "S20", "S22", "S23", "S26", "S28", "S29", "S30", "S41", "S42", "S46")
_FACTS: Final = (
    {"kind": "call-started", **dict.fromkeys(("actor", "server", "tool", "arguments_digest", "reasons"), "x")},
    {"record": {"kind": "call-finished"}},
)


def found(*faults: str) -> dict[str, list[Breach]]:
    """What the probes say of a server with those faults, by rule."""
    with careless(faults) as server, canary() as known, httpx2.Client(trust_env=False) as http:
        live = Live(server.url, TOKENS, value_fault, 24, FALSE, 0.0, http)
        breaches = [*probe(live, TOOLS), *probe_people(live, live.listed(0, "first"), known)[0]]
    told: dict[str, list[Breach]] = {}
    for each in breaches:
        told.setdefault(each.rule, []).append(each)
    return told


def test_a_careful_server_breaks_nothing() -> None:
    assert found() == {}


@pytest.mark.parametrize("rule", OVER_HTTP)
def test_a_server_that_breaks_a_rule_is_found_out(rule: str) -> None:
    assert rule in found(rule)


def test_every_false_proof_that_is_taken_is_told() -> None:
    told = " ".join(each.what for each in found("S20")["S20"])
    assert all(f"{what} is answered" in told for what in ("no token", "an unsigned token", *FALSE))
    assert "metadata" in told


def test_a_server_that_answers_every_origin_is_told_so_three_times() -> None:
    assert len(found("S22")["S22"]) == 3


def test_a_statement_and_a_quotation_mark_both_show_unbound_values() -> None:
    assert {each.place for each in found("S26")["S26"]} == {"tools.run_statement", "tools.find_goods"}


def test_a_handle_is_not_guessed_and_not_anothers() -> None:
    assert {each.what for each in found("S29")["S29"]} == {
        "its result_id can be guessed",
        "it takes the result_id of another person",
    }


def test_what_was_not_asked_of_the_canary_is_not_said_to_hold() -> None:
    with careless() as server, canary() as known, httpx2.Client(trust_env=False) as http:
        live = Live(server.url, TOKENS, value_fault, 1, http=http)
        _, unseen = probe_people(live, TOOLS, known)
        _, nothing = probe_people(live, (), known)
    assert set(unseen) == {"S23"}
    assert set(nothing) == {"S23", "S26", "S28", "S29", "S30"}


def test_logs_without_what_was_given_pass_and_others_are_named() -> None:
    assert list(logged({"up.log": "call c-1 of find_goods"}, TOKENS)) == []
    told = list(logged({"a.log": f"one\n{MARKER}", "b.log": TOKENS[1]}, TOKENS))
    assert [(each.rule, each.place) for each in told] == [("S39", "a.log:2"), ("S39", "b.log:1")]


def test_a_record_says_who_what_and_what_came_of_it() -> None:
    assert list(recorded(_FACTS)) == []
    assert [each.rule for each in recorded(())] == ["S40"]
    told = list(recorded(({**_FACTS[0], "actor": ""}, _FACTS[1])))
    assert [(each.rule, each.place) for each in told] == [("S40", "record.actor")]


@pytest.mark.parametrize(("program", "rules"), [("pass", []), ("raise SystemExit(3)", ["S43"])])
def test_a_process_that_ends_in_disorder_is_told(program: str, rules: list[str], tmp_path: Path) -> None:
    code = f"import signal\ndef end(*_):\n    {program}\n    raise SystemExit(0)\n"
    code += "signal.signal(signal.SIGTERM, end)\nprint('up', flush=True)\nsignal.pause()"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert [each.rule for each in Running(process, tmp_path, "").stopped()] == rules


def test_every_rule_that_a_running_server_shows_has_both_fixtures() -> None:
    """S27 asks a database's own catalogue: `pierhead doctor --db`, tests/end_to_end/test_serve_postgres.py."""
    shown = {rule.id for rule in RULES.values() if Look.PROBE in rule.looks}
    assert shown == {*OVER_HTTP, "S27", "S39", "S40", "S43"}
