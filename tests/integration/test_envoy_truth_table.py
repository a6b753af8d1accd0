"""The unified truth table through real Envoy, before the gateway and the servers that it is put to elsewhere.

What Envoy says by itself, without asking, is coarser and has words of its own: 401 for a token that is none, 403
`RBAC: access denied` where no row names the caller. Either stands for one verdict of the table: refused at reach. All
else is Pierhead's own word, which Envoy passes on. docs/how-to/put-envoy-in-front.md has the same mapping.
"""

from pathlib import Path
from typing import Final

import httpx2
import pytest
from tests.rigs.fleet import Fleet, fleet
from tests.rigs.truth_table import Case, load

from pierhead.core.call import Parsed, digest
from pierhead.usecases.explain_decision import explain_decision
from pierhead.usecases.memory import MemorySnapshots

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(120)]

TABLE: Final = load()
ENVOYS_OWN: Final = "RBAC: access denied"
FACES: Final = {
    "a person in an IDE": Case.of(user="alice", groups=["data-eng"]),
    "a person through a chat": Case.of(user="alice", groups=["data-eng"], workload="CHAT"),
    "a person in a channel": Case.of(user="alice", groups=["data-eng"], workload="CHAT", channel="airflow-help"),
    "a workload alone": Case.of(workload="TRIAGE"),
}
SHOWN: Final = {
    "a person in an IDE": ["read_alert", "reboot", "read_shell", "restart"],
    "a person through a chat": ["read_alert", "reboot"],
    "a person in a channel": ["read_alert", "reboot", "spark_log"],
    "a workload alone": ["read_alert", "sweep"],
}


async def verdict(at: Fleet, case: Case) -> tuple[str, str, set[str]]:
    """What was decided, where a refusal fell, and by which rules; Envoy tells none of its own."""
    at.forget()
    answer = await at.ask(case)
    reached, used = at.at_gateway(), at.at_server()
    if reached is None:
        assert _is_envoys_own(answer, case), (case.name, answer.status_code, answer.text)
        return "refuse", "reach", set()
    if reached.decision != "permit":
        assert "error" in answer.json(), case.name
        return reached.decision, "reach", reached.rules
    assert used, (case.name, answer.text)
    return used.decision, "use" if used.decision == "refuse" else "", reached.rules | used.rules


def _is_envoys_own(answer: httpx2.Response, case: Case) -> bool:
    if not case.is_signed_in:
        return answer.status_code == 401
    return (answer.status_code, answer.text) == (403, ENVOYS_OWN)


async def test_every_case_has_its_verdict_through_envoy(tmp_path: Path) -> None:
    spoke = {"envoy": 0, "pierhead": 0}
    async with fleet(TABLE, tmp_path, behind_envoy=True) as at:
        for case in TABLE.cases:
            decision, layer, rules = await verdict(at, case)
            assert (decision, layer) == (case.decision, case.layer), (case.name, rules)
            assert not rules or case.rule in {"", *rules}, (case.name, rules)
            spoke["pierhead" if rules or decision != "refuse" else "envoy"] += 1
    assert spoke["envoy"] >= 5, "Envoy decides the coarse cases by itself"
    assert spoke["pierhead"] >= 30, "and asks for all others"


async def test_one_server_shows_each_face_its_own_tools_and_explains_them_alike(tmp_path: Path) -> None:
    """A person from an IDE, a chat surface for that person, and a workload alone, each by their proof."""
    async with fleet(TABLE, tmp_path, behind_envoy=True) as at:
        policy = MemorySnapshots(at.rig.snapshots.current())
        for face, who in FACES.items():
            listed = await at.ask(who.on("oncall", ""), "tools/list")
            shown = [tool["name"] for tool in listed.json()["result"]["tools"]]
            assert sorted(shown) == sorted(SHOWN[face]), face
            for tool in policy.current().servers["oncall"].tools:
                await _agree(at, who.on("oncall", tool), policy, is_shown=tool in shown)


async def _agree(at: Fleet, case: Case, policy: MemorySnapshots, *, is_shown: bool) -> None:
    """The call does what its explanation says, by the same rules in the same words; the list shows no other tool."""
    values = {"limit": 10, "table": "flights"}
    who = case.caller("https://issuer.example")
    told = explain_decision(who, "oncall", case.tool, policy, Parsed(values, digest(values), 10))
    unread = explain_decision(who, "oncall", case.tool, policy)  # a server refuses some before it reads arguments
    decision, _, _ = await verdict(at, case)
    assert (decision, is_shown) == (told.decision, told.decision != "refuse"), case
    recorded = at.at_server() or at.at_gateway()
    assert recorded, case
    grounds = {(match.rule, match.sentence) for match in (*told.reasons, *unread.reasons)}
    assert set(recorded.reasons.items()) <= grounds, case
