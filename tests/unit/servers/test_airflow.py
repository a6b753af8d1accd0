"""The Airflow server, called as a client calls it, over what a real Airflow 3 answered."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.recorded_airflow import PASSWORD, Airflow, recorded_airflow

from pierhead.bootstrap.secret_references import Secrets
from pierhead.bootstrap.variables import with_variables
from pierhead.core.errors import Misconfigured
from pierhead.sdk.testing import platform
from pierhead.servers.airflow import build

pytestmark = pytest.mark.anyio


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    with recorded_airflow() as running:
        yield running


def settings(url: str, folder: Path, **more: object) -> Mapping[str, object]:
    secret = folder / "password"
    secret.write_text(f"{PASSWORD}\n")
    login = {"user": "reader", "password": {"file": str(secret)}}
    return {"kind": "airflow", "owner": "data", "support": "#data", "url": url, "login": login, **more}


class Asking:
    """A client that reads answers and refusals."""

    def __init__(self, client: Any) -> None:
        self.client = client

    async def answer(self, tool: str, **arguments: object) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content
        return result.structured_content

    async def error(self, tool: str, **arguments: object) -> dict[str, Any]:
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        return json.loads(result.content[0].text)["error"]


@asynccontextmanager
async def asking(airflow: Airflow, folder: Path, **more: object) -> AsyncIterator[Asking]:
    server = build("airflow", settings(airflow.url, folder, **more))
    async with platform(server, access="everyone") as up, up.client("alice", groups=["data-eng"]) as client:
        yield Asking(client)


async def test_a_run_is_diagnosed_where_its_failure_began(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_fan_in")
    data = told["data"]
    (first,) = data["first_failed"]
    assert (first["task_id"], first["category"], first["confidence"]) == ("right", "missing_input", "confirmed")
    assert "orders.csv" in first["quote"]
    assert (data["failed"], data["upstream_failed"], data["last_success"]) == (1, 2, "")
    assert [risk["not_written_by"] for risk in data["assets_at_risk"]] == [["join"]]
    assert (
        data["assets_at_risk"][0]["dags"] == ["fail_spark_submit", "good_consumer"]
        or "good_consumer" in (data["assets_at_risk"][0]["dags"])
    )
    assert len(json.dumps(told)) < 6_000


async def test_a_pasted_link_is_diagnosed_and_a_foreign_one_is_not_asked(airflow: Airflow, tmp_path: Path) -> None:
    others = {"nightly": "https://nightly.example"}
    async with asking(airflow, tmp_path, others=others) as ask:
        link = f"{airflow.url}/dags/fail_fan_in/runs/manual__1/tasks/right?try_number=1"
        assert (await ask.answer("airflow_diagnose_run", url=link))["data"]["run_id"] == "manual__1"
        resolved = (await ask.answer("airflow_resolve_url", url=link))["data"]
        assert (resolved["dag_id"], resolved["task_id"], resolved["try_number"]) == ("fail_fan_in", "right", 1)
        before = list(airflow.asked)
        for bad, code in (
            ("https://evil.example/dags/fail_fan_in", "foreign-link"),
            ("https://nightly.example/dags/x", "instance-mismatch"),
            ("file:///etc/passwd", "bad-link"),
            ("https://u:p@nightly.example/dags/x", "bad-link"),
            (f"{airflow.url}/dags/~/runs/x", "bad-id"),
            (f"{airflow.url}/home", "bad-link"),
        ):
            assert (await ask.error("airflow_diagnose_run", url=bad))["code"] == code
        assert airflow.asked == before


async def test_a_task_that_airflow_tries_again_says_how_often(airflow: Airflow, tmp_path: Path) -> None:
    airflow.answers["/api/v2/dags/fail_retries_left/dagRuns/manual__1"]["state"] = "running"
    async with asking(airflow, tmp_path) as ask:
        task = "work"
        airflow.sick[f"/api/v2/dags/fail_retries_left/dagRuns/manual__1/taskInstances/{task}/logs"] = (404, b"{}")
        told = await ask.answer("airflow_diagnose_run", dag_id="fail_retries_left", run_id="manual__1")
    (first,) = told["data"]["first_failed"]
    assert (first["state"], first["retries_left"], first["category"]) == ("up_for_retry", 2, "unknown")
    assert told["status"] == "partial"
    assert told["missing"][0].startswith("log of work: ")


async def test_a_run_that_waits_says_for_what(airflow: Airflow, tmp_path: Path) -> None:
    run = "/api/v2/dags/wait_for_pool/dagRuns/manual__1"
    airflow.answers[run]["state"] = "running"
    airflow.answers[f"{run}/taskInstances"]["task_instances"][0]["state"] = "scheduled"
    airflow.answers["/api/v2/dags/wait_for_pool/details"]["is_paused"] = True
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="wait_for_pool", run_id="manual__1")
    assert [(wait["task_id"], wait["why"]) for wait in told["data"]["waits"]] == [("", "paused"), ("load", "pool")]


@pytest.mark.parametrize(
    ("limit", "depends", "category", "words"),
    [
        ("PT4S", False, "timeout", "dagrun_timeout of 4 s is over: it ran for 9 s"),
        ({"days": 0, "seconds": 4, "microseconds": 0}, False, "timeout", "it ran for 9 s"),
        (None, True, "unknown", "deadlock: load could not start: depends_on_past"),
        ("PT1H", False, "unknown", "deadlock: load could not start: what they wait for"),
    ],
)
async def test_a_run_that_failed_although_no_task_did_says_what_ended_it(
    airflow: Airflow, tmp_path: Path, limit: object, depends: bool, category: str, words: str
) -> None:
    dag = "/api/v2/dags/wait_for_pool"
    airflow.answers[f"{dag}/dagRuns/manual__1"] |= {"state": "failed", "duration": 9.0}
    airflow.answers[f"{dag}/dagRuns/manual__1/taskInstances"]["task_instances"][0]["state"] = None
    airflow.answers[f"{dag}/details"]["dag_run_timeout"] = limit
    airflow.answers[f"{dag}/tasks"]["tasks"][0]["depends_on_past"] = depends
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="wait_for_pool", run_id="manual__1")
    assert told["data"]["first_failed"] == []
    assert told["data"]["ended_by"]["category"] == category
    assert words in told["data"]["ended_by"]["reason"]
    assert words in told["summary"]


async def test_a_run_whose_failed_tasks_were_cleared_is_no_deadlock(airflow: Airflow, tmp_path: Path) -> None:
    dag = "/api/v2/dags/wait_for_pool"
    airflow.answers[f"{dag}/dagRuns/manual__1"]["state"] = "failed"
    airflow.answers[f"{dag}/dagRuns/manual__1/taskInstances"]["task_instances"][0]["state"] = "success"
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_diagnose_run", dag_id="wait_for_pool", run_id="manual__1")
    assert told["data"]["ended_by"] == {"category": "unknown", "reason": "no task of it failed, or it was cleared"}


async def test_a_log_answers_with_its_traceback_and_keeps_its_level(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        base = "/api/v2/dags/fail_fan_in/dagRuns/manual__1/taskInstances"
        (right,) = (each for each in airflow.answers[base]["task_instances"] if each["task_id"] == "right")
        airflow.answers[f"{base}/right"] = right
        where = {"dag_id": "fail_fan_in", "run_id": "manual__1", "task_id": "right"}
        told = await ask.answer("airflow_get_task_logs", **where)
        text = "\n".join(line["text"] for line in told["data"]["lines"])
        assert "ERROR Task failed with exception\nTraceback (most recent call last):" in text
        assert "FileNotFoundError" in text
        assert airflow.accepts[-1] == "application/x-ndjson"
        (join,) = (each for each in airflow.answers[base]["task_instances"] if each["task_id"] == "join")
        airflow.answers[f"{base}/join"] = join
        unrun = await ask.error("airflow_get_task_logs", **{**where, "task_id": "join"})
        assert unrun["message"] == "Airflow has no log of join: it has not run (upstream_failed)"
        task = (await ask.answer("airflow_get_task", **where))["data"]
        assert (task["upstream"], task["downstream"], task["try_number"]) == (["start"], ["join"], 1)
        assert (await ask.error("airflow_get_task", **where, **{"try": 7}))["code"] == "airflow-not-found"


async def test_lists_are_bounded_and_a_cursor_belongs_to_its_question(airflow: Airflow, tmp_path: Path) -> None:
    listed = airflow.answers["/api/v2/dags"]
    listed["dags"] = listed["dags"][:2]
    async with asking(airflow, tmp_path) as ask:
        first = await ask.answer("airflow_search_dags", query="fail", limit=2)
        cursor = first["page"]["next_cursor"]
        assert "dag_id_pattern=%25fail%25" in airflow.asked[-1]
        await ask.answer("airflow_search_dags", query="fail", limit=2, cursor=cursor)
        assert "offset=2" in airflow.asked[-1]
        assert (await ask.error("airflow_search_dags", query="other", cursor=cursor))["code"] == "bad-cursor"
        literal = await ask.answer("airflow_search_dags", query="%")
        assert (literal["data"]["dags"], literal["summary"]) == ([], "0 DAGs")
        runs = await ask.answer("airflow_list_runs", dag_id="good_daily", since="2026-11-01")
        assert "run_after_gte=2026-11-01T00%3A00%3A00Z" in airflow.asked[-1]
        assert runs["data"]["runs"][0]["run_id"] == "manual__1"


async def test_a_dag_tells_what_is_asked_of_it(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        include = ["schedule", "retries", "owners", "graph", "assets", "sensors"]
        data = (await ask.answer("airflow_get_dag", dag_id="good_daily", include=include))["data"]
        assert data["owners"] == ["data-platform"]
        assert data["tasks"] == [{"task_id": "extract", "operator": "BashOperator", "next": []}]
        assert set(data["params"]) == {"day", "rows"}
        assert "s3://warehouse/core/orders" in data["assets"]["writes"]
        edges = (await ask.answer("airflow_get_dependencies", dag_id="good_daily"))["data"]["edges"]
        assert {edge["dag_id"] for edge in edges} == {"good_consumer"}
        assert (await ask.error("airflow_get_dependencies"))["code"] == "bad-arguments"


async def test_two_runs_are_held_against_each_other(airflow: Airflow, tmp_path: Path) -> None:
    runs = airflow.answers["/api/v2/dags/good_daily/dagRuns"]["dag_runs"]
    base = "/api/v2/dags/good_daily/dagRuns"
    older = {**runs[0], "dag_run_id": "manual__0", "conf": {"rows": 2, "password": "hunter2"}}
    runs.append(older)
    airflow.answers[f"{base}/manual__0/taskInstances"] = airflow.answers[f"{base}/manual__1/taskInstances"]
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_compare_runs", dag_id="good_daily", run_id="manual__1")
    assert told["data"]["other"]["run_id"] == "manual__0"
    assert told["data"]["conf"]["rows"] == {"run": None, "other": 2}
    assert "hunter2" not in json.dumps(told)
    assert told["data"]["version"]["changed"] is False


async def test_health_says_what_it_could_not_read(airflow: Airflow, tmp_path: Path) -> None:
    airflow.sick["/api/v2/importErrors"] = (403, b'{"detail": "Forbidden"}')
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_get_health")
    assert told["status"] == "partial"
    assert told["data"]["parts"]["scheduler"]["status"] == "healthy"
    assert any(each.startswith("import errors: ") for each in told["missing"])


async def test_another_instance_is_refused_by_its_name(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path, instance="daily", others={"nightly": "https://nightly.example"}) as ask:
        assert (await ask.answer("airflow_get_health", instance="daily"))["data"]["instance"] == "daily"
        before = list(airflow.asked)
        for other, hint in (("nightly", "server of nightly"), ("unheard-of", "leave instance out")):
            error = await ask.error("airflow_get_health", instance=other)
            assert (error["code"], hint in error["hint"]) == ("instance-mismatch", True)
        assert airflow.asked == before


async def test_words_of_the_entry_name_secrets_too(airflow: Airflow, tmp_path: Path) -> None:
    code = "patient = 'Ada Lovelace'\n"
    airflow.answers["/api/v2/dagSources/good_daily"] = {"content": code, "dag_id": "good_daily", "version_number": 1}
    what = {"dag_id": "good_daily", "include": ["source"]}
    async with asking(airflow, tmp_path) as ask:
        assert "Lovelace" in json.dumps(await ask.answer("airflow_get_dag", **what))
    async with asking(airflow, tmp_path, secret_names=["patient"]) as ask:
        assert "Lovelace" not in json.dumps(await ask.answer("airflow_get_dag", **what))


async def test_a_login_may_be_a_variable_of_the_process_that_serves(airflow: Airflow, tmp_path: Path) -> None:
    written = {**settings(airflow.url, tmp_path), "login": {"user": "reader", "password": {"env": "AIRFLOW"}}}
    server = build("airflow", with_variables(written, Secrets({"AIRFLOW": PASSWORD}.get, None)))
    async with platform(server, access="everyone") as up, up.client("alice") as client:
        assert (await Asking(client).answer("airflow_list_runs", dag_id="good_daily"))["data"]["runs"]


@pytest.mark.parametrize(
    ("sick", "code"),
    [
        ((200, b"<html>sign in</html>"), "upstream-not-json"),
        ((503, b"busy"), "upstream-unreachable"),
        ((200, b'{"dag_runs": 7}'), "airflow-shape"),
        ((200, b"[]"), "airflow-shape"),
        ((400, b'{"detail": "password=hunter2 is wrong"}'), "upstream-refused"),
    ],
)
async def test_an_airflow_that_is_ill_is_told_as_such(
    airflow: Airflow, tmp_path: Path, sick: tuple[int, bytes], code: str
) -> None:
    airflow.sick["/api/v2/dags/good_daily/dagRuns"] = sick
    async with asking(airflow, tmp_path) as ask:
        error = await ask.error("airflow_list_runs", dag_id="good_daily")
    assert error["code"] == code
    assert "hunter2" not in json.dumps(error)


@pytest.mark.parametrize("name", ["~", "..", "a/b", "a%2Fb", "", "x" * 251, "a?b=c", "a\nb"])
async def test_what_is_no_id_of_airflows_is_not_asked(airflow: Airflow, tmp_path: Path, name: str) -> None:
    async with asking(airflow, tmp_path) as ask:
        assert (await ask.error("airflow_list_runs", dag_id=name))["code"] == "bad-arguments"
        assert (await ask.error("airflow_get_task", dag_id="d", run_id=name, task_id="t"))["code"] == "bad-arguments"
    assert not airflow.asked


async def test_a_token_that_airflow_no_longer_takes_is_renewed_once(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        await ask.answer("airflow_list_runs", dag_id="good_daily")
        airflow.token = "token-2"
        await ask.answer("airflow_list_runs", dag_id="good_daily")
        assert airflow.signed_in == 2


async def test_a_password_that_is_wrong_is_said_and_not_shown(airflow: Airflow, tmp_path: Path) -> None:
    async with asking(airflow, tmp_path) as ask:
        (tmp_path / "password").write_text("wrong secret")
        error = await ask.error("airflow_list_runs", dag_id="good_daily")
        assert error["code"] == "airflow-sign-in"
        assert "wrong secret" not in json.dumps(error)
        (tmp_path / "password").unlink()
        assert (await ask.error("airflow_list_runs", dag_id="good_daily"))["code"] == "airflow-sign-in"


async def test_logs_are_for_engineers_and_named_services(airflow: Airflow, tmp_path: Path) -> None:
    server = build("airflow", settings(airflow.url, tmp_path, groups={"service": "workload:spiffe://corp/agent"}))
    policies = {tool.name: tool.policy for tool in server.manifest()}
    assert str(policies["airflow_get_task_logs"]) == "group:data-eng or workload:spiffe://corp/agent"
    assert {tool.effect for tool in server.manifest()} == {"read"}
    async with platform(server, access="everyone") as up, up.client("bob") as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
    assert "airflow_get_task_logs" not in names
    assert "airflow_diagnose_run" in names


async def test_the_definitions_are_small(airflow: Airflow, tmp_path: Path) -> None:
    server = build("airflow", settings(airflow.url, tmp_path))
    told = {tool.name: len(json.dumps([tool.name, tool.description, tool.input_schema])) for tool in server.manifest()}
    assert max(told.values()) <= 1_400
    assert sum(told.values()) // 4 <= 4_500


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"url": "airflow.example"}, "url"),
        ({"login": {"user": "reader"}}, "login"),
        ({"login": {"user": "reader", "password": "plain"}}, "login.password"),
        ({"login": {"token": {"env": "plain"}}}, "login.token"),
        ({"login": {}}, "login"),
        ({"api": "v3"}, "api"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_place(
    tmp_path: Path, change: Mapping[str, object], fault: str
) -> None:
    with pytest.raises(Misconfigured, match=fault) as refused:
        build("airflow", {**settings("https://airflow.example", tmp_path), **change})
    assert refused.value.code == "bad-airflow-settings"
    assert "plain" not in refused.value.message


async def test_the_source_of_a_dag_is_sliced_and_for_engineers(airflow: Airflow, tmp_path: Path) -> None:
    code = "# orders\npassword = 'hunter2'\n" + "x = 1\n" * 1_000
    airflow.answers["/api/v2/dagSources/good_daily"] = {"content": code, "dag_id": "good_daily", "version_number": 1}
    what = {"dag_id": "good_daily", "include": ["source"], "source_max_bytes": 500}
    async with asking(airflow, tmp_path) as ask:
        told = await ask.answer("airflow_get_dag", **what)
    assert told["data"]["source"].startswith("# orders")
    assert "hunter2" not in json.dumps(told)
    assert len(told["data"]["source"]) <= 520
    assert told["limits"]["why"] == "bytes"
    server = build("airflow", settings(airflow.url, tmp_path))
    async with platform(server, access="everyone") as up, up.client("bob") as client:
        assert (await Asking(client).error("airflow_get_dag", **what))["code"] == "source-for-engineers"
        assert "dag_id" in (await Asking(client).answer("airflow_get_dag", dag_id="good_daily"))["data"]
