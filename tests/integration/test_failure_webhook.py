"""What tells the incident agent of failures: one incident a task and run, and nothing for what is no failure."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from examples.two_in_the_morning import Agent, Incidents, listening

EVENT = {"dag_id": "daily_orders", "run_id": "night", "task_id": "load", "url": "http://127.0.0.1:9/dags/daily_orders"}


@pytest.fixture
def incidents(tmp_path: Path) -> Incidents:
    return Incidents(tmp_path)


@pytest.fixture
def webhook(incidents: Incidents) -> Iterator[str]:
    server = listening(0, incidents, Agent("http://127.0.0.1:9"))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def told(webhook: str, body: bytes) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(webhook, body), timeout=10) as said:  # noqa: S310 - our own
            return said.status, said.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def test_a_failure_that_is_told_twice_is_one_incident(incidents: Incidents) -> None:
    first = incidents.opened(EVENT)
    assert first.startswith("inc-")
    assert incidents.opened({**EVENT, "url": "http://127.0.0.1:9/another-link"}) == ""
    others = [incidents.opened({**EVENT, name: "other"}) for name in ("dag_id", "run_id", "task_id")]
    assert len({first, *others}) == 4
    assert json.loads(incidents.file(first).read_text())["event"] == EVENT


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'"load"', b"{}", b'{"dag_id": "d"}', b"\xff", json.dumps({**EVENT, "url": 7}).encode()]
)
def test_what_is_no_failure_opens_nothing(webhook: str, incidents: Incidents, body: bytes) -> None:
    assert told(webhook, body) == (400, "bad-event")
    assert list(incidents.folder.iterdir()) == []


def test_what_is_kept_later_adds_to_what_is_known(incidents: Incidents) -> None:
    incident = incidents.opened(EVENT)
    file = incidents.keep({"incident": incident, "analysis": "ana_1"})
    assert json.loads(file.read_text()) == {"incident": incident, "event": EVENT, "analysis": "ana_1"}
    assert list(incidents.folder.iterdir()) == [file]


def test_names_that_are_paths_stay_names(incidents: Incidents) -> None:
    incident = incidents.opened({**EVENT, "dag_id": "../../../etc", "run_id": "/", "task_id": ".."})
    assert incidents.file(incident).parent == incidents.folder
    assert [file.name for file in incidents.folder.iterdir()] == [f"{incident}.json"]


def test_an_incident_that_cannot_be_looked_into_says_why(webhook: str, incidents: Incidents) -> None:
    status, incident = told(webhook, json.dumps(EVENT).encode())
    assert status == 202
    file = incidents.file(incident)
    while "stuck" not in (kept := file.read_text()):
        pass  # it is written once the agent has tried
    assert "proofs" in json.loads(kept)["stuck"]
