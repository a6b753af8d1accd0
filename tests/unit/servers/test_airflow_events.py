"""What Airflow noted beside its logs, as a real 3.3 answered it: why a task ended whose own log does not say so."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.recorded_airflow import Airflow, recorded_airflow
from tests.unit.servers.test_airflow import asking

from pierhead.servers.airflow.events import noted
from pierhead.servers.airflow.shapes import Event, Instance

pytestmark = pytest.mark.anyio

RUN: Final = "/api/v2/dags/fail_fan_in/dagRuns/manual__1"
STARTED: Final = "2026-11-22T11:26:41.000000Z"
BEAT: Final = "Task did not emit heartbeat within time limit (60 seconds) and will be terminated."


def event(name: str, extra: str, **more: Any) -> Event:
    its: dict[str, Any] = {"task_id": "right", "map_index": -1, "try_number": 1, "when": "2026-11-22T11:27:55.476950Z"}
    return Event.model_validate({**its, "event": name, "extra": extra, **more})


RUNNING: Final = event("running", '{"host_name": "worker-1"}')
LATE: Final = event("heartbeat timeout", BEAT)
MISMATCH: Final = event(
    "state mismatch", "Executor LocalExecutor reported that the task instance finished with state failed"
)
#: An action of a person names neither map index nor attempt.
SET: Final = event("patch_task_instance", '{"new_state": "failed"}', map_index=None, try_number=None)


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with recorded_airflow() as running:
        instances = running.answers[f"{RUN}/taskInstances"]["task_instances"]
        for each in instances:
            each["start_date"] = STARTED if each["task_id"] == "right" else each["start_date"]
        running.sick[f"{RUN}/taskInstances/right/logs"] = (200, b"")
        yield running


def tell(airflow: Airflow, *events: Event) -> None:
    told = [each.model_dump() | {"task_id": each.task_id or None} for each in events]
    airflow.answers["/api/v2/eventLogs"] = {"event_logs": told, "total_entries": len(told)}


@pytest.mark.parametrize(
    ("events", "category", "quote"),
    [
        ((MISMATCH, LATE, RUNNING), "executor_lost", f"heartbeat timeout: {BEAT}"),
        ((MISMATCH, RUNNING), "executor_lost", f"state mismatch: {MISMATCH.extra}"),
        ((SET, LATE, RUNNING), "killed", 'patch_task_instance: {"new_state": "failed"}'),
        ((event("patch_dag_run", '{"state": "failed"}', task_id=""),), "killed", 'patch_dag_run: {"state": "failed"}'),
    ],
)
async def test_a_task_without_a_log_is_told_by_what_airflow_noted(
    airflow: Airflow, tmp_path: Path, events: tuple[Event, ...], category: str, quote: str
) -> None:
    tell(airflow, *events)
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in", run_id="manual__1")
    (first,) = told["data"]["first_failed"]
    assert (first["category"], first["confidence"], first["quote"]) == (category, "confirmed", quote)
    assert (told["status"], quote[:40] in told["summary"]) == ("ok", True)


@pytest.mark.parametrize(
    "other",
    [
        RUNNING,
        event("heartbeat timeout", BEAT, task_id="left"),
        event("heartbeat timeout", BEAT, try_number=2),
        event("heartbeat timeout", BEAT, map_index=3),
        SET.model_copy(update={"when": "2026-11-22T11:26:40Z"}),
        SET.model_copy(update={"task_id": "left"}),
        SET.model_copy(update={"extra": '{"new_state": "success"}'}),
    ],
)
def test_what_was_noted_of_another_attempt_or_of_success_says_nothing(other: Event) -> None:
    assert noted([other], Instance(task_id="right", try_number=1, start_date=STARTED)) is None


async def test_a_log_that_says_why_is_asked_for_nothing_more(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick.clear()
    async with asking(airflow, tmp_path) as ask:
        await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in", run_id="manual__1")
    assert not [path for path in airflow.asked if "eventLogs" in path]


async def test_events_that_the_login_may_not_read_are_missing(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick["/api/v2/eventLogs"] = (403, b"{}")
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in", run_id="manual__1")
    assert told["status"] == "partial"
    assert any(each.startswith("events: ") for each in told["missing"])
    assert told["data"]["first_failed"][0]["category"] == "unknown"


async def test_a_run_that_somebody_failed_is_told_so(airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers[RUN] |= {"state": "failed", "start_date": STARTED}
    for each in airflow.answers[f"{RUN}/taskInstances"]["task_instances"]:
        each["state"] = "success"
    tell(airflow, event("patch_dag_run", '{"state": "failed"}', task_id="", map_index=None, try_number=None))
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in", run_id="manual__1")
    assert told["data"]["ended_by"] == {"category": "killed", "reason": 'patch_dag_run: {"state": "failed"}'}
