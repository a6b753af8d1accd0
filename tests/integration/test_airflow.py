"""A real Airflow 3: a run is started, fails, is told why, repaired, cleared as planned, and succeeds."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from mcp.client import Client
from mcp_types import TextContent
from tests.components import airflow
from tests.rigs.airflow_instance import AirflowInstance, airflow_instance

from pierhead.servers.airflow import build
from pierhead.testing import approve_with, platform

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(400)]

DAG = "fail_until_repaired"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[AirflowInstance]:
    python = airflow()
    with airflow_instance(python, tmp_path_factory.mktemp("airflow") / "home") as started:
        yield started


@asynccontextmanager
async def asking(running: AirflowInstance, folder: Path) -> AsyncGenerator[Client]:
    secret = folder / "password"
    secret.write_text(running.password)
    settings: dict[str, object] = {
        "owner": "data-platform",
        "support": "#airflow",
        "url": running.url,
        "login": {"user": "admin", "password": {"file": str(secret)}},
        "writes": ["clear", "trigger", "pause"],
        "operators": ["oncall:airflow"],
    }
    async with (
        platform(build("airflow", settings), access="everyone", approvals=approve_with("approve")) as here,
        here.client("alice", ["data-eng", "oncall:airflow"]) as client,
    ):
        yield client


async def asked(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    """What a call answers, once whoever is asked has said yes."""
    told: dict[str, Any] = {}
    for _ in range(3):
        result = await client.call_tool(tool, arguments)
        (content,) = result.content
        assert isinstance(content, TextContent)
        told = orjson.loads(content.text)
        if told.get("status") != "approval_required":
            return told
    raise AssertionError(told)


async def test_a_run_fails_is_explained_repaired_and_cleared_as_planned(
    running: AirflowInstance, tmp_path: Path
) -> None:
    async with asking(running, tmp_path) as client:
        begun = await asked(client, "airflow_trigger_dag", dag_id=DAG, idempotency_key="night")
        run_id = begun["data"]["run_id"]
        assert await asyncio.to_thread(running.ended, DAG, run_id) == "failed"
        again = await asked(client, "airflow_trigger_dag", dag_id=DAG, idempotency_key="night")
        assert (again["data"]["run_id"], again["data"]["is_new"]) == (run_id, False)
        link = f"{running.url}/dags/{DAG}/runs/{run_id}/tasks/load"
        resolved = await asked(client, "airflow_resolve_url", url=link)
        assert (resolved["data"]["run_id"], resolved["data"]["task_id"]) == (run_id, "load")
        told = await asked(client, "airflow_diagnose_run", url=link)
        (first,) = told["data"]["first_failed"]
        assert (first["task_id"], first["category"]) == ("load", "missing_input")
        where = {"dag_id": DAG, "run_id": run_id}
        log = await asked(client, "airflow_get_task_logs", **where, task_id="load", level="all")
        assert any("No such file or directory" in line["text"] for line in log["data"]["lines"])

        dag = await asked(client, "airflow_get_dag", dag_id=DAG, include=["source"], source_max_bytes=2000)
        assert "DAGs that fail, each in one way" in dag["data"]["source"]
        assert dag["data"]["source_bytes"] > 2000

        plan = await asked(client, "airflow_plan_clear", **where)
        assert [item["task_id"] for item in plan["data"]["items"]] == ["after", "load"]
        (running.home / "repaired").touch()
        cleared = await asked(client, "airflow_clear_tasks", plan_id=plan["plan_id"], reason="the file has come")
        assert cleared["data"]["cleared"] == ["after", "load"]
        assert await asyncio.to_thread(running.ended, DAG, run_id) == "success"
        task = await asked(client, "airflow_get_task", **where, task_id="load")
        assert (task["data"]["state"], task["data"]["try_number"]) == ("success", 2)
        first_task = await asked(client, "airflow_get_task", **where, task_id="first")
        assert first_task["data"]["try_number"] == 1

        its = f"/api/v2/dags/{DAG}/dagRuns/{run_id}"
        await asyncio.to_thread(running.asked, its, running.token(), {"state": "failed"}, "PATCH")
        ended = await asked(client, "airflow_diagnose_run", **where)
        assert ended["data"]["ended_by"]["category"] == "killed"
        assert ended["data"]["ended_by"]["reason"].startswith("patch_dag_run: ")

        paused = await asked(client, "airflow_set_paused", dag_id=DAG, paused=True, reason="over")
        assert (paused["data"]["before"], paused["data"]["after"]) == (False, True)
        unfit = await asked(client, "airflow_trigger_dag", dag_id=DAG, idempotency_key="k", conf={"x": 1})
        assert unfit["error"]["code"] == "conf-not-allowed"
