"""The Airflow server over what a real Airflow 2.11 answered (tests/rigs/airflow_2_recording.py)."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from tests.recorded_airflow import CORPUS_2, Airflow, recorded_airflow
from tests.unit.servers.test_airflow import Asking, settings

from pierhead.sdk.testing import platform
from pierhead.sdk.testing_people import approve_with
from pierhead.servers.airflow import build
from pierhead.servers.airflow.failures import failure_of
from pierhead.servers.airflow.logs import Tail

pytestmark = pytest.mark.anyio

RUN: Final = "/api/v1/dags/fail_fan_in/dagRuns/night"
ORDERS: Final = "s3://warehouse/core/orders"
WHY: Final = {"reason": "the file has come"}
#: What each log shows, of which Airflow 2 keeps text, and between whose lines a task's own words stand.
EXPECTED: Final = {
    "fail_bash": ("code_error", "cannot open the ledger"),
    "fail_connection": ("dependency", "Connection refused"),
    "fail_execution_timeout": ("timeout", "AirflowTaskTimeout: Timeout"),
    "fail_fan_in": ("missing_input", "FileNotFoundError: [Errno 2] No such file or directory: '/data/exports"),
    "fail_killed": ("killed", "Task exited with return code -9"),
    "fail_mapped": ("code_error", "ValueError: partition 2 is empty"),
    "fail_retries_left": ("code_error", "ValueError: order 4711 has no currency"),
    "fail_schema": ("schema_mismatch", "column 'amount' is string in core.orders"),
    "fail_spark_submit": ("missing_input", "s3://warehouse/core/orders/dt=2026-11-20"),
    "fail_terminated": ("killed", "AirflowTaskTerminated: Task received SIGTERM signal"),
}


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with recorded_airflow(CORPUS_2) as running:
        yield running


@asynccontextmanager
async def asking(airflow: Airflow, folder: Path) -> AsyncGenerator[Asking]:
    owners = [{"dags": "*", "groups": ["data-eng"]}]
    more = {"api": "v1", "writes": ["clear", "trigger", "pause", "mark"], "dag_owners": owners}
    server = build("airflow", settings(airflow.url, folder, **more))
    async with (
        platform(server, access="everyone", approvals=approve_with("approve")) as up,
        up.client("alice", groups=["data-eng"]) as client,
    ):
        yield Asking(client)


def test_what_was_recorded_is_an_airflow_2() -> None:
    answers = json.loads((CORPUS_2 / "answers.json").read_text("utf-8"))
    assert answers["/api/v1/version"]["version"].startswith("2.11.")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_log_is_told_for_what_it_was(name: str) -> None:
    content = (CORPUS_2 / f"{name}.log").read_bytes()
    verdict = failure_of(Tail(content, len(content))).verdict
    category, words = EXPECTED[name]
    assert verdict.category == category
    assert words in verdict.quote


def test_every_recorded_log_is_expected() -> None:
    assert {file.stem for file in CORPUS_2.glob("*.log")} == set(EXPECTED)


async def test_a_run_is_diagnosed_from_text_logs_and_without_versions(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in")
        assert airflow.signed_in == 0
        (first,) = told["data"]["first_failed"]
        assert (first["task_id"], first["category"]) == ("right", "missing_input")
        assert (told["data"]["failed"], told["data"]["upstream_failed"]) == (1, 2)
        assert any("version" in each for each in told["missing"])
        (risk,) = told["data"]["assets_at_risk"]
        assert (risk["asset"], risk["not_written_by"]) == (ORDERS, ["join"])
        assert risk["last_written"].startswith("20")
        where = {"dag_id": "fail_fan_in", "run_id": "night", "task_id": "right"}
        log = await ask.answer("airflow_get_task_logs", **where)
        assert any("FileNotFoundError" in line["text"] for line in log["data"]["lines"])
        assert airflow.accepts[-1] == "text/plain"
        (run,) = (await ask.answer("airflow_list_runs", dag_id="fail_fan_in"))["data"]["runs"]
        assert run["seconds"] > 0


async def test_a_mapped_task_its_retries_and_an_attempt_are_told(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        (first,) = (await ask.answer("airflow_diagnose_run", dag_id="fail_mapped"))["data"]["first_failed"]
        assert (first["task_id"], first["map_index"], first["operator"]) == ("load", 2, "_PythonDecoratedOperator")
        where = {"dag_id": "fail_mapped", "run_id": "night", "task_id": "load"}
        assert (await ask.answer("airflow_get_task", **where, map_index=2))["data"]["rendered"]["op_kwargs"]
        waiting = await ask.answer("airflow_diagnose_run", dag_id="fail_retries_left", run_id="night")
        (work,) = waiting["data"]["first_failed"]
        assert (work["state"], work["retries_left"]) == ("up_for_retry", 2)


async def test_a_dag_its_source_its_datasets_and_airflow_itself_are_told(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick["/api/v1/dagSources/a-token"] = (200, b"# the code of daily")
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_get_dag", dag_id="good_daily", include=["retries", "assets", "source"])
        edges = (await ask.answer("airflow_get_dependencies", dag_id="good_daily"))["data"]
        health = (await ask.answer("airflow_get_health"))["data"]
    assert told["data"]["source"] == "# the code of daily"
    assert told["data"]["retries"][0]["delay_s"] == 300
    assert told["data"]["assets"]["writes"] == [ORDERS]
    assert [edge["dag_id"] for edge in edges["edges"]] == ["good_consumer"]
    assert edges["last_events"][ORDERS].startswith("20")
    assert health["parts"]["scheduler"]["status"] == "healthy"
    assert health["import_errors"] == 1
    assert "cannot import name 'nothing_there'" in health["first_import_errors"][0]["error"]
    assert {pool["name"] for pool in health["pools"]} == {"default_pool"}


async def test_when_a_dataset_was_written_may_be_hidden(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick["/api/v1/datasets/events"] = (403, b"{}")
    async with asking(airflow, tmp_path) as ask:
        edges = (await ask.answer("airflow_get_dependencies", dag_id="good_daily"))["data"]
    assert edges["last_events"] == {ORDERS: ""}


@pytest.mark.parametrize("option", [{"owner": "data"}, {"state": "failed"}])
async def test_a_filter_that_airflow_2_does_not_have_is_refused(
    airflow: Airflow, tmp_path: Path, option: dict[str, str]
) -> None:
    async with asking(airflow, tmp_path) as ask:
        assert (await ask.error("airflow_search_dags", **option))["code"] == "airflow-option"
    assert not airflow.asked


async def test_a_clear_is_pinned_by_the_states_beside_the_references(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        plan = await ask.answer("airflow_plan_clear", dag_id="fail_fan_in", run_id="night")
        states = [(item["task_id"], item["instances"][0]["state"]) for item in plan["data"]["items"]]
        assert states == [("join", "upstream_failed"), ("publish", "upstream_failed"), ("right", "failed")]
        assert plan["data"]["items"][0]["overwrites"] == [ORDERS]
        told = await ask.answer("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
        assert (told["status"], told["data"]["cleared"]) == ("ok", ["join", "publish", "right"])
        assert "prevent_running_task" not in airflow.done[-1][2]
        again = await ask.answer("airflow_plan_clear", dag_id="fail_fan_in", run_id="night")
        (right,) = (
            each for each in airflow.answers[f"{RUN}/taskInstances"]["task_instances"] if each["task_id"] == "right"
        )
        right["try_number"] += 1
        error = await ask.error("airflow_clear_tasks", plan_id=again["plan_id"], **WHY)
        assert error["code"] == "plan-changed"


async def test_a_run_that_waits_for_a_pool_that_nobody_made_says_so(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="wait_for_pool", run_id="night")
    assert [(wait["why"], wait["detail"]) for wait in told["data"]["waits"]] == [("pool", "there is no pool no_slots")]


async def test_a_mapped_task_is_not_cleared_in_airflow_2(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        error = await ask.error("airflow_plan_clear", dag_id="fail_mapped", run_id="night")
    assert error["code"] == "airflow-option"


async def test_a_run_is_made_without_a_date_that_airflow_2_would_refuse(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        what = {"dag_id": "good_daily", "conf": {"rows": 2}, "idempotency_key": "k"}
        first = (await ask.answer("airflow_trigger_dag", **what))["data"]
        second = (await ask.answer("airflow_trigger_dag", **what))["data"]
        assert (first["run_id"], first["is_new"], second["is_new"]) == (second["run_id"], True, False)
        unfit = await ask.error("airflow_trigger_dag", **{**what, "conf": {"rows": "many"}})
        assert unfit["code"] == "conf-not-allowed"
    assert "logical_date" not in json.dumps(airflow.done)


async def test_a_dag_is_paused_and_a_task_marked_although_airflow_2_answers_nothing(
    airflow: Airflow, tmp_path: Path
) -> None:
    where = {"dag_id": "fail_mapped", "run_id": "night", "task_id": "load", "map_index": 2}
    load = "/api/v1/dags/fail_mapped/dagRuns/night/taskInstances/load/2"
    async with asking(airflow, tmp_path) as ask:
        paused = (await ask.answer("airflow_set_paused", dag_id="good_daily", paused=True, **WHY))["data"]
        assert (paused["before"], paused["after"]) == (False, True)
        plan = await ask.answer("airflow_plan_mark", **where)
        told = await ask.answer("airflow_mark_task", plan_id=plan["plan_id"], **WHY)
        (answer,) = (each["answer"] for each in airflow.writes if each["path"] == load)
        assert (answer, airflow.done[-1][2]) == ({}, {"dry_run": False, "new_state": "success"})
        assert told["status"] == "partial"
        airflow.answers[load]["state"] = "success"
        assert (await ask.error("airflow_plan_mark", **where))["code"] == "nothing-to-mark"


async def test_a_task_that_a_link_of_airflow_2_names_is_found(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        told: dict[str, Any] = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in")
        url = told["data"]["first_failed"][0]["url"]
        assert url == f"{airflow.url}/dags/fail_fan_in/grid?dag_run_id=night&task_id=right&tab=logs"
        resolved = (await ask.answer("airflow_resolve_url", url=url))["data"]
    assert (resolved["dag_id"], resolved["run_id"], resolved["task_id"]) == ("fail_fan_in", "night", "right")
