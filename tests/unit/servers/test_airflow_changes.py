"""What an Airflow server changes, over what a real Airflow 3 said to the same requests (`writes.json`)."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.recorded_airflow import Airflow, recorded_airflow
from tests.unit.servers.test_airflow import Asking, settings

from pierhead.core.errors import Misconfigured
from pierhead.sdk.testing import Running, platform
from pierhead.sdk.testing_people import approve_with
from pierhead.servers.airflow import build

pytestmark = pytest.mark.anyio

EVERYTHING = {
    "writes": ["clear", "trigger", "pause", "mark"],
    "operators": ["oncall:airflow"],
    "dag_owners": [{"dags": "fail_*", "groups": ["data-eng"]}, {"dags": "good_*", "groups": ["data-eng"]}],
}
FAN_IN = "/api/v2/dags/fail_fan_in/clearTaskInstances"
PLAN = {"dag_id": "fail_fan_in", "run_id": "latest_failed", "task_ids": ["right"], "downstream": True}
WHY = {"reason": "orders.csv is there now"}


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with recorded_airflow() as running:
        yield running


@asynccontextmanager
async def changing(airflow: Airflow, folder: Path, **more: Any) -> AsyncGenerator[tuple[Asking, Running]]:
    """As alice, of data-eng; people who are asked agree."""
    groups = more.pop("as_groups", ["data-eng"])
    server = build("airflow", settings(airflow.url, folder, **{**EVERYTHING, **more}))
    async with (
        platform(server, access="everyone", approvals=approve_with("approve")) as up,
        up.client("alice", groups=groups) as client,
    ):
        yield Asking(client), up


def test_every_tool_has_the_effect_and_class_of_the_design(tmp_path: Path) -> None:
    server = build("airflow", settings("http://127.0.0.1:1", tmp_path, **EVERYTHING))
    declared = {tool.name: tool for tool in server.manifest()}
    assert {name: str(tool.effect) for name, tool in declared.items() if tool.effect != "read"} == {
        "airflow_clear_tasks": "destructive",
        "airflow_trigger_dag": "write",
        "airflow_set_paused": "write",
        "airflow_mark_task": "destructive",
    }
    assert str(declared["airflow_mark_task"].approval) == "four-eyes"
    assert str(declared["airflow_set_paused"].approval) == "confirm"
    sizes = {name: len(json.dumps([name, tool.description, tool.input_schema])) for name, tool in declared.items()}
    assert max(sizes.values()) <= 1_400, sizes
    assert sum(sizes.values()) // 4 <= 4_500, sizes


def test_a_service_gets_what_reads_and_the_plan_of_a_clear(tmp_path: Path) -> None:
    service = "workload:spiffe://corp/agent"
    server = build("airflow", settings("http://127.0.0.1:1", tmp_path, **EVERYTHING, groups={"service": service}))
    others = {tool.name for tool in server.manifest() if service not in str(tool.policy)}
    assert others == {
        "airflow_clear_tasks",
        "airflow_trigger_dag",
        "airflow_set_paused",
        "airflow_plan_mark",
        "airflow_mark_task",
    }


@pytest.mark.parametrize(
    ("writes", "there"),
    [
        ([], set[str]()),
        (["clear"], {"airflow_clear_tasks"}),
        (["mark"], {"airflow_plan_mark", "airflow_mark_task"}),
        (["trigger", "pause"], {"airflow_trigger_dag", "airflow_set_paused"}),
    ],
)
def test_only_what_the_entry_names_exists(tmp_path: Path, writes: list[str], there: set[str]) -> None:
    reading = {tool.name for tool in build("airflow", settings("http://127.0.0.1:1", tmp_path)).manifest()}
    server = build("airflow", settings("http://127.0.0.1:1", tmp_path, **{**EVERYTHING, "writes": writes}))
    assert {tool.name for tool in server.manifest()} - reading == there


def test_writing_without_anybody_who_may_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="name those who may act"):
        build("airflow", settings("http://127.0.0.1:1", tmp_path, writes=["pause"]))
    with pytest.raises(Misconfigured, match="only owners mark"):
        build("airflow", settings("http://127.0.0.1:1", tmp_path, writes=["mark"], operators=["oncall:airflow"]))


def test_only_owners_mark_and_a_plan_of_it_is_worth_as_much_as_another(tmp_path: Path) -> None:
    mine = {"dag_owners": [{"dags": "*", "groups": ["data-eng"]}]}
    server = build("airflow", settings("http://127.0.0.1:1", tmp_path, **{**EVERYTHING, **mine}))
    declared = {tool.name: tool for tool in server.manifest()}
    for name in ("airflow_plan_mark", "airflow_mark_task"):
        assert str(declared[name].policy) == "group:data-eng"
    assert declared["airflow_plan_mark"].minutes == declared["airflow_plan_clear"].minutes


async def test_what_a_clear_would_do_is_said_where_nothing_may_be_cleared(airflow: Airflow, tmp_path: Path) -> None:
    async with changing(airflow, tmp_path, writes=[]) as (ask, _):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
    assert plan["data"]["count"] == 3
    assert "no tool here carries it out" in plan["next"]
    assert all(body["dry_run"] for _, _, body in airflow.done)


async def test_a_plan_names_each_task_instance_and_what_it_writes_and_exactly_that_is_cleared(
    airflow: Airflow, tmp_path: Path
) -> None:
    async with changing(airflow, tmp_path) as (ask, up):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        assert plan["data"]["count"] == 3
        assert [(item["task_id"], item["instances"][0]["state"]) for item in plan["data"]["items"]] == [
            ("join", "upstream_failed"),
            ("publish", "upstream_failed"),
            ("right", "failed"),
        ]
        assert plan["data"]["items"][0]["overwrites"] == ["s3://warehouse/core/orders"]
        assert all(body["dry_run"] for _, _, body in airflow.done)
        airflow.done.clear()
        told = await ask.answer("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
        assert told["data"]["cleared"] == ["join", "publish", "right"]
        assert told["status"] == "ok"
        (real,) = (body for _, _, body in airflow.done if not body["dry_run"])
        assert real["task_ids"] == ["join", "publish", "right"]
        assert (real["dag_run_id"], real["only_failed"], real["prevent_running_task"]) == ("manual__1", False, True)
        assert str(up.people.asked[0].proposal.approval) == "approve"
        again = await ask.error("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
        assert again["code"] == "plan-used"


async def test_the_caller_confirms_where_the_entry_says_so(airflow: Airflow, tmp_path: Path) -> None:
    async with changing(airflow, tmp_path, confirm_in=["test"]) as (ask, up):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        await ask.answer("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
        assert [str(record.proposal.approval) for record in up.people.asked] == ["confirm"]


@pytest.mark.parametrize(("member", "value"), [("state", "success"), ("try_number", 2), ("state", "running")])
async def test_a_plan_of_what_moved_on_in_between_clears_nothing(
    airflow: Airflow, tmp_path: Path, member: str, value: object
) -> None:
    async with changing(airflow, tmp_path) as (ask, _):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        airflow.writes[0]["answer"]["task_instances"][0][member] = value
        error = await ask.error("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
    assert error["code"] == ("plan-failed" if value == "running" else "plan-changed")
    assert all(body["dry_run"] for _, _, body in airflow.done)


async def test_another_run_in_between_makes_another_plan(airflow: Airflow, tmp_path: Path) -> None:
    async with changing(airflow, tmp_path) as (ask, _):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        runs = airflow.answers["/api/v2/dags/fail_fan_in/dagRuns"]["dag_runs"]
        runs.insert(0, {**runs[0], "dag_run_id": "manual__2"})
        error = await ask.error("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
    assert error["code"] == "plan-changed"
    assert all(body["dry_run"] for _, _, body in airflow.done)


async def test_what_airflow_did_not_clear_is_missing(airflow: Airflow, tmp_path: Path) -> None:
    airflow.writes[3]["answer"]["task_instances"].pop()
    async with changing(airflow, tmp_path) as (ask, _):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        told = await ask.answer("airflow_clear_tasks", plan_id=plan["plan_id"], **WHY)
    assert (told["status"], told["missing"]) == ("partial", ["right[-1]: Airflow did not clear it"])


async def test_nothing_is_planned_where_nothing_failed(airflow: Airflow, tmp_path: Path) -> None:
    async with changing(airflow, tmp_path) as (ask, _):
        where = {"dag_id": "fail_fan_in", "run_id": "manual__1"}
        assert (await ask.error("airflow_plan_clear", **where, task_ids=["start"]))["code"] == "nothing-to-clear"
        assert (await ask.answer("airflow_plan_clear", **where))["data"]["count"] == 3


async def test_a_key_makes_one_run(airflow: Airflow, tmp_path: Path) -> None:
    what = {"dag_id": "good_daily", "conf": {"rows": 2}, "idempotency_key": "night-1"}
    async with changing(airflow, tmp_path) as (ask, _):
        first = (await ask.answer("airflow_trigger_dag", **what))["data"]
        second = (await ask.answer("airflow_trigger_dag", **what))["data"]
        assert (first["run_id"], first["is_new"]) == (second["run_id"], True)
        assert second["is_new"] is False
        airflow.answers[f"/api/v2/dags/good_daily/dagRuns/{first['run_id']}"]["conf"] = {"rows": 3}
        assert (await ask.error("airflow_trigger_dag", **what))["code"] == "key-reused"


async def test_a_run_that_was_made_though_its_answer_was_lost_is_found(airflow: Airflow, tmp_path: Path) -> None:
    what = {"dag_id": "good_daily", "conf": {"rows": 2}, "idempotency_key": "night-1"}
    async with changing(airflow, tmp_path) as (ask, _):
        made = (await ask.answer("airflow_trigger_dag", **what))["data"]["run_id"]
        airflow.sick["POST /api/v2/dags/good_daily/dagRuns"] = (500, b"{}")
        told = (await ask.answer("airflow_trigger_dag", **what))["data"]
        assert (told["run_id"], told["is_new"]) == (made, False)
        other = await ask.error("airflow_trigger_dag", **{**what, "idempotency_key": "night-2"})
        assert other["code"] == "upstream-unreachable"
        airflow.answers["/api/v2/dags/good_daily/dagRuns"]["dag_runs"][0]["dag_run_id"] = "manual__9"
        dated = {**what, "idempotency_key": "night-3", "logical_date": "2026-11-20"}
        error = await ask.error("airflow_trigger_dag", **dated)
    assert error["code"] == "airflow-run-exists"
    assert "manual__9" in error["message"]


@pytest.mark.parametrize("conf", [{"colour": 1}, {"rows": "two secret words"}, {"rows": 0}, {"day": "x" * 20_000}])
async def test_conf_that_the_params_do_not_allow_makes_no_run(
    airflow: Airflow, tmp_path: Path, conf: dict[str, object]
) -> None:
    async with changing(airflow, tmp_path) as (ask, _):
        error = await ask.error("airflow_trigger_dag", dag_id="good_daily", conf=conf, idempotency_key="k")
    assert error["code"] == "conf-not-allowed"
    assert "secret" not in json.dumps(error)
    assert not airflow.done


async def test_a_dag_is_paused_once_and_told_before_and_after(airflow: Airflow, tmp_path: Path) -> None:
    async with changing(airflow, tmp_path) as (ask, up):
        told = await ask.answer("airflow_set_paused", dag_id="good_daily", paused=True, **WHY)
        assert (told["data"]["before"], told["data"]["after"]) == (False, True)
        airflow.answers["/api/v2/dags/good_daily/details"]["is_paused"] = True
        await ask.answer("airflow_set_paused", dag_id="good_daily", paused=True, reason="once more")
        assert [body for _, _, body in airflow.done] == [{"is_paused": True}]
        assert {str(record.proposal.approval) for record in up.people.asked} == {"confirm"}


async def test_a_task_is_marked_by_plan_and_by_two_people(airflow: Airflow, tmp_path: Path) -> None:
    base = "/api/v2/dags/fail_mapped/dagRuns/manual__1/taskInstances"
    (load,) = (each for each in airflow.answers[base]["task_instances"] if each["map_index"] == 2)
    airflow.answers[f"{base}/load/2"] = load
    async with changing(airflow, tmp_path) as (ask, up):
        where = {"dag_id": "fail_mapped", "run_id": "manual__1", "task_id": "load", "map_index": 2}
        plan = await ask.answer("airflow_plan_mark", **where)
        assert (plan["data"]["items"][0]["before"], plan["data"]["items"][0]["after"]) == ("failed", "success")
        await ask.answer("airflow_mark_task", plan_id=plan["plan_id"], **WHY)
        assert airflow.done == [("PATCH", f"{base}/load/2", {"new_state": "success"})]
        assert str(up.people.asked[0].proposal.approval) == "four-eyes"
        load["state"] = "success"
        assert (await ask.error("airflow_plan_mark", **where))["code"] == "nothing-to-mark"


async def test_an_owner_acts_on_their_own_dags_and_whoever_is_on_call_on_all(airflow: Airflow, tmp_path: Path) -> None:
    mine = [{"dags": "finance_*", "groups": ["data-eng"]}]
    arguments = {"dag_id": "good_daily", "paused": True, **WHY}
    async with changing(airflow, tmp_path, dag_owners=mine) as (ask, _):
        plan = await ask.answer("airflow_plan_clear", **PLAN)
        for tool, given in (
            ("airflow_set_paused", arguments),
            ("airflow_clear_tasks", {"plan_id": plan["plan_id"], **WHY}),
            ("airflow_trigger_dag", {"dag_id": "good_daily", "idempotency_key": "k"}),
        ):
            assert (await ask.error(tool, **given))["code"] == "not-your-dag"
        assert all(body.get("dry_run") for _, _, body in airflow.done)
    async with changing(airflow, tmp_path, dag_owners=mine, as_groups=["oncall:airflow"]) as (ask, _):
        assert (await ask.answer("airflow_set_paused", **arguments))["data"]["after"] is True
