"""The story of two in the morning, without a model: real engines, the platform's gateway, and the agent's own calls."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from examples.two_in_the_morning import BUDGETS, Agent, Incidents, Stuck, clear, listening
from tests.components import airflow, spark
from tests.coordinators import Address
from tests.rigs.night import DAY, RUN, Night, night
from tests.running_platform import eventually

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def at(trino_address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    airflow(), spark()
    if not isinstance(trino_address, Address) or not trino_address.lake.is_dir():
        pytest.skip("component trino: none of our own with its iceberg connector")
    with night(tmp_path_factory.mktemp("night"), nullcontext(trino_address)) as running:
        yield running


@contextmanager
def hooked(at: Night, incidents: Incidents) -> Iterator[str]:
    """The agent's webhook, which Airflow tells of failures meanwhile."""
    server = listening(0, incidents, Agent(at.platform.url, at.proofs))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        at.tell(address)
        yield address
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def told_again(webhook: str, event: dict[str, str]) -> str:
    with urllib.request.urlopen(urllib.request.Request(webhook, json.dumps(event).encode()), timeout=10) as said:  # noqa: S310
        return said.read().decode()


def looked_into(at: Night, incidents: Incidents) -> dict[str, Any]:
    """The DAG fails, Airflow tells the agent, and the agent looks into it; a second telling opens nothing."""
    with hooked(at, incidents) as webhook:
        assert at.fail() == "failed"
        file = eventually(lambda: next(iter(incidents.folder.glob("inc-*.json")), None), "an incident")
        case = eventually(lambda: finished(file), "the end of the agent's calls")
        assert (case["event"]["task_id"], case["event"]["url"]) == ("load", at.link)
        assert told_again(webhook, case["event"]) == "known"
    assert list(incidents.folder.iterdir()) == [file]
    return case


def finished(file: Path) -> dict[str, Any]:
    try:
        case: dict[str, Any] = json.loads(file.read_text())
    except ValueError:
        return {}
    assert "stuck" not in case, case
    return case if "plan" in case else {}


def is_within_budgets(case: dict[str, Any]) -> bool:
    sizes = {number: sum(step["size"] for step in case["steps"] if step["number"] == number) for number in BUDGETS}
    print(json.dumps({step["tool"]: step["size"] for step in case["steps"]}))
    return all(0 < sizes[number] <= most for number, most in BUDGETS.items())


def started(at: Night, tool: str) -> list[str]:
    """Who called a tool that ran, call by call, as its server recorded before it did."""
    lines = [json.loads(line) for line in at.platform.tell("audit", "export").splitlines()]
    facts = [each["record"]["fact"] for each in lines if each["writer"] == "server-airflow"]
    return [each["actor"]["principal"] for each in facts if each["kind"] == "call-started" and each["tool"] == tool]


def test_a_failure_at_night_ends_in_one_clear_that_a_person_approved(at: Night, tmp_path: Path) -> None:
    case = looked_into(at, Incidents(tmp_path))
    assert is_within_budgets(case)
    report = case["report"]
    assert report["title"] == "daily_orders: missing_input of orders"
    assert f"dt={DAY}" in report["root_cause"]["quote"]
    assert report["root_cause"]["claim"] == f"orders is stale: dt={DAY} has not landed; newest dt=2026-11-19"
    assert "event_log" in report["not_checked"]
    assert report["contributing"] == ["no sensor of the DAG waits for orders"]
    assert "shop (oncall:shop)" in report["fix"]["proposal"]

    alone = Agent(at.platform.url, at.proofs)
    at.prove()
    assert {name for name, only_reads in asyncio.run(alone.tools()) if not only_reads} == {"spark_record_analysis"}
    whose = asyncio.run(alone.ask(5, "knowledge", "knowledge_find_owner", entity="airflow_clear_tasks"))
    assert whose["data"]["owners"] == [
        {
            "thing": "airflow",
            "team": "data-platform",
            "on_call": "oncall:airflow",
            "channel": "#data-platform",
            "told_by": "registry",
        }
    ]
    with pytest.raises(Stuck, match="airflow_clear_tasks"):
        asyncio.run(clear(alone, case))

    nora = Agent(at.platform.url, person=at.platform.token("nora"))
    waiting = asyncio.run(clear(nora, case))
    approval = waiting["approval"]["id"]
    assert at.platform.run("approvals", "approve", approval, "--as", "nora").returncode != 0
    assert asyncio.run(clear(nora, waiting))["approval"]["id"] == approval
    assert started(at, "airflow_clear_tasks") == []

    at.land()
    at.platform.tell("approvals", "approve", approval, "--as", "olaf")
    done = asyncio.run(clear(nora, waiting))
    assert done["cleared"] == ["load", "publish"]
    assert at.airflow.ended("daily_orders", RUN) == "success"
    runs = asyncio.run(nora.ask(9, "airflow", "airflow_list_runs", dag_id="daily_orders"))["data"]["runs"]
    assert [(run["run_id"], run["state"]) for run in runs] == [(RUN, "success")]
    with pytest.raises(Stuck, match="plan-used"):
        asyncio.run(clear(nora, waiting))
    assert started(at, "airflow_clear_tasks") == ["nora"]
