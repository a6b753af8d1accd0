"""Diagnosis over recordings of real Spark jobs: each by its event log and logs, and again without the event log.

The recordings are `tests/corpus/spark`, made by `tests/rigs/spark_recording.py`. Others
(`s3-denied`, `delta-append`, `scala-null`, `caught-and-logged`, `survived`, ...) are of programs that were written
before their rules, run once on Spark 3.5.7 (Delta 3.3, Iceberg 1.6, S3A) and 4.3.0, and shortened in the same way.
"""

import json
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp.client import Client

from pierhead.servers.spark import build
from pierhead.testing import platform

pytestmark = pytest.mark.anyio

CORPUS = Path(__file__).parents[2] / "corpus" / "spark"
CASES = [json.loads(each.read_text()) for each in sorted(CORPUS.glob("*/case.json"))]
FAILURES = [case for case in CASES if case["category"]]
SUCCESSES = [case for case in CASES if not case["category"]]
#: These have no event log at all, or say nothing in it: their driver failed in its own code, or died.
_LEAST_RIGHT = 0.9


def laid_out(folder: Path, cases: list[dict[str, Any]], *, has_events: bool = True) -> dict[str, object]:
    """The recordings where a server looks for them, and the settings of that server."""
    for each in ("events", "logs", "work", "pods"):
        (folder / each).mkdir(parents=True)
    for case in cases:
        place, app = CORPUS / case["name"], case["app"] or f"{case['name']}-unsent"
        shutil.copyfile(place / "driver.log", folder / "logs" / f"{app}.log")
        if (place / "events").exists() and has_events:
            shutil.copyfile(place / "events", folder / "events" / app)
        if (place / "executors").exists():
            shutil.copytree(place / "executors", folder / "work" / app)
    return {
        "owner": "data-platform",
        "support": "#spark",
        "event_logs": [str(folder / "events")],
        "driver_logs": [str(folder / "logs")],
        "executor_logs": [str(folder / "work")],
        "engineers": ["data-eng"],
    }


@asynccontextmanager
async def asking(settings: dict[str, object]) -> AsyncGenerator[Client]:
    server = build("spark", settings)
    async with (
        platform(server, access="everyone") as running,
        running.client("alice", ["data-eng"]) as client,
    ):
        yield client


async def asked(client: Client, tool: str, **arguments: object) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@pytest.mark.slow
@pytest.mark.parametrize("has_events", [True, False], ids=["with the event log", "without the event log"])
async def test_real_failures_are_told_with_the_line_that_shows_them(tmp_path: Path, *, has_events: bool) -> None:
    wrong: list[str] = []
    async with asking(laid_out(tmp_path, CASES, has_events=has_events)) as client:
        for case in FAILURES:
            app = case["app"] or f"{case['name']}-unsent"
            answer = await asked(client, "spark_diagnose_failure", app=app)
            data = answer["data"]
            if (data["category"], bool(data["quote"])) != (case["category"], True):
                wrong.append(f"{case['name']}: {data['category']} for {case['category']}, {data['quote']!r}")
            if not has_events:
                assert answer["status"] == "partial"
                assert "event_log" in answer["missing"]
    assert len(FAILURES) >= 24
    assert len(wrong) <= (1 - _LEAST_RIGHT) * len(FAILURES), "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.parametrize("has_events", [True, False], ids=["with the event log", "without the event log"])
async def test_what_a_job_that_ended_well_survived_is_no_failure(tmp_path: Path, *, has_events: bool) -> None:
    async with asking(laid_out(tmp_path, SUCCESSES, has_events=has_events)) as client:
        for case in SUCCESSES:
            answer = await asked(client, "spark_diagnose_failure", app=case["app"])
            told = answer["data"]
            assert (case["name"], told["status"], told["category"]) == (case["name"], "succeeded", "none")
