"""`pierhead check --live`: a server of the SDK, started and asked, as its author does it."""

import json
from pathlib import Path
from typing import Any, Final

import pytest
from tests.running_platform import pierhead

pytestmark = pytest.mark.slow

_SERVER: Final = '''
from typing import Annotated
from pydantic import Field
from pierhead import Server

server = Server("lunch", owner="kitchen", support="#lunch", description="What is cooked.")


@server.tool(policy="group:staff", effect="read", minutes_saved=1)
async def menu(day: Annotated[str, Field(max_length=10, description="A day, as 2026-11-22.")]) -> list[str]:
    """What the kitchen cooks on a day: the names of the dishes, none if it is closed."""
    return [day]
'''
_FLEET: Final = """
people:
  alice: {{groups: [staff]}}
servers:
  handbook:
    kind: knowledge
    owner: kitchen
    support: "#lunch"
    description: How the kitchen works.
    access: {{everyone: true}}
    data_class: internal
    on_call: oncall:kitchen
    runbook: https://runbooks.corp.example/kitchen
    sources: {{recipes: {{folder: {folder}, holds: runbooks, readers: [everyone]}}}}
"""
#: What two people, statements and an address of the probe's own show.
_OF_PEOPLE: Final = ("S26", "S28", "S29", "S30")
_ASSESSED: Final = ("S20", "S22", "S27", "S40", "S41", "S42", "S43", "S46")


def test_a_server_of_the_sdk_is_started_asked_and_assessed(tmp_path: Path) -> None:
    (tmp_path / "lunch.py").write_text(_SERVER)
    done = pierhead("check", str(tmp_path), "--live", "--inputs", "60", "-o", "json")
    report: dict[str, Any] = json.loads(done.stdout)
    states = {rule["id"]: rule["state"] for rule in report["rules"]}
    assert done.returncode == 0, [rule for rule in report["rules"] if rule["findings"]]
    assert {states[rule] for rule in _ASSESSED} <= {"passed"}, {rule: states[rule] for rule in _ASSESSED}
    unseen = {rule["id"] for rule in report["rules"] if "P" in rule["missing"]}
    assert "S23" in unseen, "no argument is an address, so nothing was asked of the canary"
    assert unseen.isdisjoint(_OF_PEOPLE)
    assert "P" not in next(rule["missing"] for rule in report["rules"] if rule["id"] == "S15")


def test_a_kind_of_the_fleet_file_is_started_and_asked(tmp_path: Path) -> None:
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "soup.md").write_text("# Soup\n\nBoil water, then add what is left of yesterday.\n")
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(_FLEET.format(folder=tmp_path / "recipes"))
    done = pierhead("check", "handbook", "--fleet", str(fleet), "--live", "--inputs", "6", "-o", "json")
    report: dict[str, Any] = json.loads(done.stdout)
    states = {rule["id"]: rule["state"] for rule in report["rules"]}
    assert done.returncode == 0, [rule for rule in report["rules"] if rule["findings"]]
    assert {states[rule] for rule in (*_ASSESSED, *_OF_PEOPLE)} <= {"passed", "partly"}
