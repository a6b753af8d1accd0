"""The tools of whoever owns policy, from the shell, on the whole platform."""

import json
from pathlib import Path

import pytest
from tests.running_platform import Up, eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

CASES = """
cases:
  - {case: she reads, as: alice, server: warehouse, tool: run_query, expect: permit}
  - {case: he does not, as: bob, server: warehouse, tool: run_query, expect: refuse}
"""


def test_cases_reviews_and_proposals_are_answered_by_the_running_platform(platform: Up, tmp_path: Path) -> None:
    cases, proposal = tmp_path / "cases.yaml", tmp_path / "new.yaml"
    cases.write_text(CASES)
    proposal.write_text(
        "servers: {time: {kind: stdio, command: [mcp-server-time], owner: platform, support: '#help',"
        " access: 'group:data-eng',"
        " tools: {get_current_time: {policy: everyone, effect: read, minutes_saved: 0.5}}}}\n"
    )
    eventually(lambda: platform.run("policy", "test", str(cases)).returncode == 0, "the cases hold")
    found = json.loads(platform.tell("policy", "who-can", "--table", "flights", "--as", "carol", "--json"))
    assert {(each["server"], each["role"]) for each in found["grants"]} == {("warehouse", "analyst")}
    simulated = platform.run("policy", "simulate", "--fleet", str(proposal), "--as", "carol", "--json")
    assert simulated.returncode == 10, simulated.stderr
    assert ("bob", "time", "loses") in {
        (each["who"], each["server"], each["moved"]) for each in json.loads(simulated.stdout)["reach"]
    }
