"""The Airflow server over the shapes of Airflow 2, written by hand as its stable REST API (v1) describes them."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.recorded_airflow import Airflow, recorded_airflow
from tests.unit.servers.test_airflow import Asking, settings

from pierhead.sdk.testing import platform
from pierhead.sdk.testing_people import approve_with
from pierhead.servers.airflow import build

pytestmark = pytest.mark.anyio

DAG = "/api/v1/dags/daily"
RUN = f"{DAG}/dagRuns/scheduled__1"
DELTA = {"__type": "TimeDelta", "days": 0, "seconds": 300, "microseconds": 0}
LOG = b"""[2026-11-20T02:01:07.051+0000] {taskinstance.py:1150} INFO - Starting attempt 1 of 1
[2026-11-20T02:01:09.051+0000] {taskinstance.py:2905} ERROR - Task failed with exception
Traceback (most recent call last):
  File "/opt/airflow/dags/daily.py", line 12, in load
FileNotFoundError: [Errno 2] No such file or directory: '/data/orders.csv'
"""


def task(name: str, *below: str) -> dict[str, Any]:
    kind = {"class_name": "PythonOperator", "module_path": "airflow.operators.python"}
    shape = {"task_id": name, "owner": "data", "class_ref": kind, "downstream_task_ids": list(below), "retries": 0.0}
    return {**shape, "retry_delay": DELTA, "execution_timeout": None, "pool": "default_pool", "is_mapped": False}


def instance(name: str, state: str, tries: int, index: int = -1) -> dict[str, Any]:
    when = {"execution_date": "2026-11-20T00:00:00+00:00", "start_date": "2026-11-20T02:01:07+00:00", "end_date": None}
    place = {"dag_id": "daily", "dag_run_id": "scheduled__1", "task_id": name, "map_index": index, "state": state}
    return {**place, **when, "try_number": tries, "max_tries": 0, "duration": 1.5, "sla_miss": None, "trigger": None}


def shapes() -> dict[str, Any]:
    run = {"dag_id": "daily", "dag_run_id": "scheduled__1", "execution_date": "2026-11-20T00:00:00+00:00"}
    run |= {"logical_date": "2026-11-20T00:00:00+00:00", "state": "failed", "run_type": "scheduled", "conf": {}}
    instances = [instance("load", "failed", 1), instance("publish", "upstream_failed", 0)]
    dag = {"dag_id": "daily", "is_paused": False, "owners": ["data"], "tags": [{"name": "x"}], "file_token": "tok.en"}
    dag["params"] = {"rows": {"__class": "airflow.models.param.Param", "value": 1, "schema": {"type": "integer"}}}
    dataset = {"id": 1, "uri": "s3://orders", "consuming_dags": [{"dag_id": "reader"}]}
    dataset["producing_tasks"] = [{"dag_id": "daily", "task_id": "publish"}]
    return {
        DAG: dag,
        f"{DAG}/details": dag,
        f"{DAG}/tasks": {"tasks": [task("load", "publish"), task("publish")], "total_entries": 2},
        f"{DAG}/dagRuns": {"dag_runs": [run], "total_entries": 1},
        RUN: run,
        f"{RUN}/taskInstances": {"task_instances": instances, "total_entries": 2},
        f"{RUN}/taskInstances/load": instances[0],
        "/api/v1/datasets": {"datasets": [dataset], "total_entries": 1},
        "/api/v1/health": {
            "metadatabase": {"status": "healthy"},
            "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": "2026-11-20T02:00:00+00:00"},
        },
    }


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with recorded_airflow() as running:
        running.answers, running.writes = shapes(), []
        running.sick[f"{RUN}/taskInstances/load/logs/1"] = (200, LOG)
        yield running


@asynccontextmanager
async def asking(airflow: Airflow, folder: Path) -> AsyncGenerator[Asking]:
    more = {"api": "v1", "writes": ["clear", "trigger", "pause"], "operators": ["data-eng"]}
    server = build("airflow", settings(airflow.url, folder, **more))
    async with (
        platform(server, access="everyone", approvals=approve_with("approve")) as up,
        up.client("alice", groups=["data-eng"]) as client,
    ):
        yield Asking(client)


def clearing(airflow: Airflow, *names: str) -> None:
    """Airflow 2 answers with references: no state, no map index."""
    refer = [{"task_id": name, "dag_id": "daily", "dag_run_id": "scheduled__1", "execution_date": ""} for name in names]
    common = {"dag_run_id": "scheduled__1", "only_failed": True, "include_downstream": False}
    dry = {"dry_run": True, "task_ids": ["load", "publish"], **common}
    real = {"dry_run": False, "task_ids": list(names), "only_failed": False, "reset_dag_runs": True}
    airflow.writes = [
        {"method": "POST", "path": f"{DAG}/clearTaskInstances", "body": body, "status": 200, "answer": answer}
        for body, answer in ((dry, {"task_instances": refer}), (real, {"task_instances": refer}))
    ]


async def test_a_run_is_diagnosed_from_text_logs_and_without_versions(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="daily")
        assert airflow.signed_in == 0
        (first,) = told["data"]["first_failed"]
        assert (first["task_id"], first["category"]) == ("load", "missing_input")
        assert any("version" in each for each in told["missing"])
        where = {"dag_id": "daily", "run_id": "scheduled__1", "task_id": "load"}
        log = await ask.answer("airflow_get_task_logs", **where)
        assert any("FileNotFoundError" in line["text"] for line in log["data"]["lines"])
        assert airflow.accepts[-1] == "text/plain"


async def test_a_dag_its_source_and_its_datasets_are_told(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick["/api/v1/dagSources/tok.en"] = (200, b"# the code of daily")
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_get_dag", dag_id="daily", include=["retries", "assets", "source"])
        edges = await ask.answer("airflow_get_dependencies", dag_id="daily")
        health = await ask.answer("airflow_get_health")
    assert told["data"]["source"] == "# the code of daily"
    assert told["data"]["retries"][0]["delay_s"] == 300
    assert told["data"]["assets"]["writes"] == ["s3://orders"]
    assert [edge["dag_id"] for edge in edges["data"]["edges"]] == ["reader"]
    assert health["data"]["parts"]["scheduler"]["status"] == "healthy"


@pytest.mark.parametrize("option", [{"owner": "data"}, {"state": "failed"}])
async def test_a_filter_that_airflow_2_does_not_have_is_refused(
    airflow: Airflow, tmp_path: Path, option: dict[str, str]
) -> None:
    async with asking(airflow, tmp_path) as ask:
        assert (await ask.error("airflow_search_dags", **option))["code"] == "airflow-option"
    assert not airflow.asked


async def test_a_clear_is_pinned_by_the_states_beside_the_references(airflow: Airflow, tmp_path: Path) -> None:
    clearing(airflow, "load", "publish")
    async with asking(airflow, tmp_path) as ask:
        plan = await ask.answer("airflow_plan_clear", dag_id="daily", run_id="scheduled__1")
        assert [item["instances"][0]["state"] for item in plan["items"]] == ["failed", "upstream_failed"]
        assert plan["items"][1]["overwrites"] == ["s3://orders"]
        told = await ask.answer("airflow_clear_tasks", plan_id=plan["plan_id"], reason="the file has come")
        assert (told["status"], told["data"]["cleared"]) == ("ok", ["load", "publish"])
        assert "prevent_running_task" not in airflow.done[-1][2]
        again = await ask.answer("airflow_plan_clear", dag_id="daily", run_id="scheduled__1")
        airflow.answers[f"{RUN}/taskInstances"]["task_instances"][0]["try_number"] = 2
        error = await ask.error("airflow_clear_tasks", plan_id=again["plan_id"], reason="once more")
        assert error["code"] == "plan-changed"


async def test_a_mapped_task_is_not_cleared_in_airflow_2(airflow: Airflow, tmp_path: Path) -> None:
    clearing(airflow, "load")
    airflow.answers[f"{RUN}/taskInstances"]["task_instances"][0]["map_index"] = 0
    async with asking(airflow, tmp_path) as ask:
        error = await ask.error("airflow_plan_clear", dag_id="daily", run_id="scheduled__1")
    assert error["code"] == "airflow-option"


async def test_a_run_is_made_without_a_date_that_airflow_2_would_refuse(airflow: Airflow, tmp_path: Path) -> None:
    run = airflow.answers[RUN]
    body = {"dag_run_id": "", "conf": {"rows": 3}}
    answer = {**run, "state": "queued", "conf": {"rows": 3}}
    conflict = {"detail": "DAGRun with DAG ID: 'daily' and DAGRun ID: already exists", "status": 409}
    airflow.writes = [
        {"method": "POST", "path": f"{DAG}/dagRuns", "body": body, "status": status, "answer": said}
        for status, said in ((200, answer), (409, conflict))
    ]
    async with asking(airflow, tmp_path) as ask:
        what = {"dag_id": "daily", "conf": {"rows": 3}, "idempotency_key": "k"}
        first = (await ask.answer("airflow_trigger_dag", **what))["data"]
        second = (await ask.answer("airflow_trigger_dag", **what))["data"]
        assert (first["run_id"], first["is_new"], second["is_new"]) == (second["run_id"], True, False)
        unfit = await ask.error("airflow_trigger_dag", **{**what, "conf": {"rows": "many"}})
        assert unfit["code"] == "conf-not-allowed"
    assert "logical_date" not in json.dumps(airflow.done)
