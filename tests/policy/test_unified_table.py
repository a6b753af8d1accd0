"""One truth table, put to the decision function, to SDK servers, and to a gateway before them.

Envoy before that gateway: tests/integration/test_envoy_truth_table.py.
"""

import hashlib
from functools import cache
from pathlib import Path

import pytest
from tests.rigs.fleet import fleet
from tests.rigs.gateway import MASTER, WallClock, headers, message
from tests.rigs.truth_table import Case, load

from pierhead.adapters.assertion import Minter
from pierhead.core.call import Parsed, digest
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.memory import MemorySnapshots

pytestmark = pytest.mark.anyio

TABLE = load()
KNOWN = [case for case in TABLE.cases if case.tool in TABLE.servers[case.server]["tools"]]


def _id(case: Case) -> str:
    return case.name.replace(" ", "_")


def read(case: Case) -> Parsed:
    values = {"limit": 10, "table": "flights", **case.arguments}
    return Parsed(values, digest(values), 10)


@cache
def decided_by() -> Snapshot:
    """What every case is put to: making the servers takes longer than all answers."""
    return TABLE.snapshot(TABLE.sdk_servers(), {})


@pytest.mark.parametrize("case", KNOWN, ids=_id)
def test_the_decision_function_decides_as_the_table_says(case: Case) -> None:
    snapshots = MemorySnapshots(decided_by())
    asking = case.caller("https://issuer.example")
    found = explain_decision(asking, case.server, case.tool, snapshots, read(case))
    assert found.decision == case.decision
    assert case.rule in {"", *(reason.rule for reason in found.reasons)}


async def test_a_gateway_and_the_servers_behind_it_decide_as_the_table_says(tmp_path: Path) -> None:
    async with fleet(TABLE, tmp_path) as running:
        for case in TABLE.cases:
            running.forget()
            answer = await running.ask(case)
            if not case.is_signed_in:
                assert (answer.status_code, running.served.facts) == (401, []), case.name
                continue
            reached = running.at_gateway()
            assert reached, (case.name, answer.text)
            assert reached.decision == ("permit" if case.is_reached else "refuse"), (case.name, answer.text)
            assert bool(running.served.facts) is case.is_reached, case.name
            served = running.at_server()
            if served is not None:
                assert served.decision == case.decision, (case.name, answer.text)
            assert case.rule in {"", *reached.rules, *(served.rules if served else ())}, case.name


async def test_a_server_that_is_called_past_the_gateway_decides_alike(tmp_path: Path) -> None:
    async with fleet(TABLE, tmp_path) as running:
        minter = Minter(MASTER, WallClock())
        snapshot = running.rig.snapshots.current()
        for place, case in enumerate(KNOWN):
            running.forget()
            body = message("tools/call", {"name": case.tool, "arguments": case.arguments})
            caller = case.caller(running.rig.url)
            shown = minter.mint(caller, case.server, f"direct-{place}", hashlib.sha256(body).hexdigest()).decode()
            sent = {**headers("tools/call", case.tool), "pierhead-assertion": shown}
            answer = await running.rig.client.post(snapshot.servers[case.server].upstream, content=body, headers=sent)
            told = running.at_server()
            assert told, (case.name, answer.text)
            assert told.decision == case.decision, (case.name, answer.text)
            assert case.rule in {"", *told.rules}, (case.name, told.rules)
