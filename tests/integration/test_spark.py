"""A real Spark: a master, a worker and a History Server, with jobs that fail, are killed, and are started anew."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from mcp.client import Client
from mcp_types import TextContent
from tests.components import spark
from tests.rigs.spark_cluster import Cluster, cluster, waited

from pierhead.servers.spark import build
from pierhead.testing import approve_with, platform

pytestmark = [pytest.mark.slow, pytest.mark.anyio, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Generator[Cluster]:
    python, home = spark()
    with cluster(python, home, tmp_path_factory.mktemp("spark") / "cluster") as started:
        started.logs.mkdir()
        yield started


@asynccontextmanager
async def asking(running: Cluster, **members: object) -> AsyncGenerator[Client]:
    settings: dict[str, object] = {
        "owner": "data-platform",
        "support": "#spark",
        "history": {"main": running.address("history")},
        "driver_logs": [str(running.logs)],
        "executor_logs": [str(running.work)],
        "engineers": ["data-eng"],
        "operators": ["oncall:spark"],
        "standalone": {"ui": running.address("master-ui"), "rest": running.address("rest")},
        "writes": ["kill", "resubmit"],
        **members,
    }
    async with (
        platform(build("spark", settings), access="everyone", approvals=approve_with("approve")) as here,
        here.client("alice", ["data-eng", "oncall:spark"]) as client,
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


async def test_a_failure_is_told_by_the_history_server_and_by_a_packed_rolling_event_log(running: Cluster) -> None:
    packed = {"spark.eventLog.rolling.enabled": "true", "spark.eventLog.compress": "true", "spark.ui.enabled": "false"}
    job = running.submit("udf_raises", str(running.folder), conf=packed)
    assert await asyncio.to_thread(job.ended) == 1
    async with asking(running) as client:
        by_history = await asyncio.to_thread(
            waited, lambda: asyncio.run(_known(running, job.application)), "the application in the History Server"
        )
        told = await asked(
            client, "spark_diagnose_failure", app=f"{running.address('history')}/history/{job.application}/jobs/"
        )
        stage = await asked(client, "spark_get_stage", app=job.application, stage_id=0)
    assert by_history
    assert (told["data"]["category"], told["data"]["quote"]) == ("code_error", "ValueError: no amount in '1999'")
    assert (told["status"], stage["data"]["stage"]["failed"]) == ("ok", 4)
    async with asking(running, history={}, event_logs=[str(running.events)], driver_logs=[]) as client:
        by_log = await asked(client, "spark_diagnose_failure", app=job.application)
    assert (by_log["data"]["category"], by_log["data"]["confidence"]) == ("code_error", "confirmed")


async def _known(running: Cluster, application: str) -> bool:
    async with asking(running) as client:
        listed = await asked(client, "spark_find_applications", name="udf")
        return application in {each["id"] for each in listed["data"]["applications"]}


async def test_a_lost_executor_without_an_event_log_is_told_by_the_drivers_words(running: Cluster) -> None:
    unlogged = {"spark.eventLog.enabled": "false", "spark.stage.maxConsecutiveAttempts": "1"}
    job = running.submit("together", str(running.folder), conf=unlogged)
    await asyncio.to_thread(waited, lambda: "Starting task 0.0 in stage" in job.log.read_text(), "a task", 120)
    for process in running.executors(job.known()):
        os.kill(process, signal.SIGKILL)
    assert await asyncio.to_thread(job.ended) != 0
    async with asking(running) as client:
        told = await asked(client, "spark_diagnose_failure", app=job.application)
    assert (told["status"], told["data"]["category"]) == ("partial", "executor_lost")
    assert "event_log" in told["missing"]
    assert "137" in told["data"]["quote"] or "lost" in told["data"]["quote"].casefold()


async def test_a_running_application_is_ended_once_somebody_agreed_and_only_then(running: Cluster) -> None:
    job = running.submit("slow", str(running.folder))
    application = await asyncio.to_thread(job.known)
    async with asking(running) as client:
        told = await asked(client, "spark_kill_application", app=application, reason="its input is wrong")
        again = await asked(client, "spark_kill_application", app=application, reason="once more")
    assert (told["data"]["before"], told["data"]["after"]) == ("RUNNING", "KILLED")
    assert again["error"]["code"] == "not-running"
    assert await asyncio.to_thread(job.ended) != 0


async def test_an_application_is_started_anew_as_planned(running: Cluster) -> None:
    job = running.submit("success", str(running.folder))
    assert await asyncio.to_thread(job.ended) == 0
    conf = {"spark.sql.shuffle.partitions": "16"}
    async with asking(running, history={}, event_logs=[str(running.events)]) as client:
        plan = await asked(client, "spark_plan_resubmit", app=job.application, conf=conf)
        refused = await asked(client, "spark_plan_resubmit", app=job.application, conf={"spark.jars": "x.jar"})
        told = await asked(client, "spark_resubmit", plan_id=plan["plan_id"], reason="the input has come")
    changed = {each["setting"]: (each["before"], each["after"]) for each in plan["data"]["items"]}
    assert changed["spark.sql.shuffle.partitions"] == ("8", "16")
    assert refused["error"]["code"] == "conf-not-allowed"
    assert told["data"]["app"].startswith("app-")
    assert told["data"]["app"] != job.application
