"""The Spark server over recordings of real jobs, called as a client calls it: reading, comparing, and bad input."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
from mcp_types import TextContent
from tests.unit.servers.test_spark_corpus import CASES, CORPUS, asked, asking, laid_out

from pierhead.core.errors import Invalid, Misconfigured
from pierhead.servers.spark import build
from pierhead.servers.spark.acting import read_command
from pierhead.servers.spark.event_log_files import Unreadable, event_log_of, read_log
from pierhead.testing import approve_with, platform

pytestmark = pytest.mark.anyio

BY_NAME = {case["name"]: case for case in CASES}
SKEW, SUCCESS, UDF = (BY_NAME[name]["app"] for name in ("skew", "success", "udf-raises"))


async def refused(settings: dict[str, object], tool: str, **arguments: object) -> dict[str, Any]:
    async with asking(settings) as client:
        result = await client.call_tool(tool, arguments)
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    return orjson.loads(content.text)["error"]


async def test_a_skewed_stage_is_told_by_its_quantiles(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        stages = (await asked(client, "spark_list_stages", app=SKEW, sort="skew"))["data"]["stages"]
        stage = (await asked(client, "spark_get_stage", app=SKEW, stage_id=stages[0]["stage"]))["data"]
    assert stage["is_skewed"]
    assert stage["task_ms"]["max"] > 10 * stage["task_ms"]["p50"]
    assert stage["records"]["max"] > 4 * stage["records"]["p50"]


async def test_failed_tasks_are_told_once_for_each_kind(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        stage = (await asked(client, "spark_get_stage", app=UDF, stage_id=0))["data"]
        overview = (await asked(client, "spark_get_application", app=UDF))["data"]
    (failure,) = stage["failures"]
    assert (failure["count"], failure["reason"]) == (4, "ExceptionFailure")
    assert "ValueError: no amount in '1999'" in failure["text"]
    assert (overview["status"], overview["name"], overview["jobs"]) == ("failed", "udf_raises", {"failed": 1})


async def test_a_lost_executor_is_listed_with_its_reason(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        app = BY_NAME["lost-executor"]["app"]
        (executor, *_) = (await asked(client, "spark_list_executors", app=app))["data"]["executors"]
    assert "137" in executor["reason"]


async def test_applications_are_found_by_name_status_and_day(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        failed = await asked(client, "spark_find_applications", name="udf_raises", status="failed")
        none = await asked(client, "spark_find_applications", since="2999-01-01")
    assert [each["id"] for each in failed["data"]["applications"]] == [UDF]
    assert none["data"]["applications"] == []


async def test_logs_are_read_by_literal_words_and_by_level(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        told = await asked(client, "spark_get_logs", app=UDF, contains="no amount")
        executor = await asked(client, "spark_get_logs", app=UDF, source="executor", executor_id="0")
    assert any("ValueError: no amount in '1999'" in line["text"] for line in told["data"]["lines"])
    assert executor["data"]["source"] == "executor log 0"
    assert len(orjson.dumps(told)) < 40_000


async def test_settings_are_told_without_secrets(tmp_path: Path) -> None:
    settings = laid_out(tmp_path, CASES)
    log = tmp_path / "events" / SUCCESS
    secret = "AKIAIOSFODNN7EXAMPLE"
    log.write_text(
        log.read_text().replace('"spark.app.name"', f'"spark.hadoop.fs.s3a.secret.key":"{secret}","spark.app.name"')
    )
    async with asking(settings) as client:
        told = await asked(client, "spark_get_environment", app=SUCCESS, keys_like="secret")
    assert list(told["data"]["settings"]) == ["spark.hadoop.fs.s3a.secret.key"]
    assert secret not in json.dumps(told)


async def test_what_was_cut_is_read_on_by_whoever_got_it_and_by_nobody_else(tmp_path: Path) -> None:
    server = build("spark", laid_out(tmp_path, CASES))
    async with platform(server, access="everyone") as running:
        async with running.client("alice", ["data-eng"]) as client:
            plan = await asked(client, "spark_get_sql_plan", app=SUCCESS, max_chars=500)
            stages = await asked(client, "spark_list_stages", app=SUCCESS, limit=1)
            handle = plan["limits"]["full"]["handle"]
            whole = (await asked(client, "spark_read_result", handle=handle))["data"]
            exchanges = (await asked(client, "spark_read_result", handle=handle, contains="exchange", limit=1))["data"]
            rows = (await asked(client, "spark_read_result", handle=stages["limits"]["full"]["handle"]))["data"]
        async with running.client("bob", ["data-eng"]) as client:
            other = await client.call_tool("spark_read_result", {"handle": handle})
    assert len(plan["data"]["plan"]) == 500
    assert "\n".join(whole["items"]).startswith(plan["data"]["plan"])
    assert (len(exchanges["items"]), exchanges["next_offset"]) == (1, 1)
    assert (rows["items"][0], rows["total"]) == (stages["data"]["stages"][0], stages["limits"]["seen"])
    assert other.is_error


async def test_a_plan_names_what_costs(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES)) as client:
        told = (await asked(client, "spark_get_sql_plan", app=SUCCESS, max_chars=500))["data"]
    assert "HashAggregate" in told["nodes"]
    assert any(each.startswith("Exchange") for each in told["costly"])


async def test_a_run_is_compared_with_the_last_that_went_well(tmp_path: Path) -> None:
    settings = laid_out(tmp_path, CASES)
    earlier, later = (tmp_path / "events" / name for name in (SUCCESS, "app-20991122000000-0009"))
    events = [json.loads(line) for line in earlier.read_text().splitlines()]
    for event in events:
        if event["Event"] == "SparkListenerApplicationStart":
            event |= {"App ID": later.name, "Timestamp": event["Timestamp"] + 86_400_000}
        if event["Event"] == "SparkListenerEnvironmentUpdate":
            event["Spark Properties"]["spark.sql.shuffle.partitions"] = "2000"
    later.write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
    async with asking(settings) as client:
        told = (await asked(client, "spark_compare_runs", app=later.name))["data"]
    assert told["other"] == SUCCESS
    found = {each["what"]: (each["other"], each["this"]) for each in told["differences"]}
    assert found["spark.sql.shuffle.partitions"] == ("8", "2000")


async def test_stage_tools_are_partial_without_an_event_log(tmp_path: Path) -> None:
    async with asking(laid_out(tmp_path, CASES, has_events=False)) as client:
        told = await asked(client, "spark_list_stages", app=UDF)
    assert (told["status"], told["missing"], told["data"]["stages"]) == ("partial", ["event_log"], [])


def pod(app: str, name: str, reason: str, code: int) -> dict[str, Any]:
    ended = {"reason": reason, "exitCode": code, "finishedAt": "2026-11-22T04:30:00Z"}
    labels = {"spark-app-selector": app, "spark-role": "executor"}
    status = {"phase": "Failed", "containerStatuses": [{"name": "spark", "state": {"terminated": ended}}]}
    return {"kind": "Pod", "metadata": {"name": name, "labels": labels}, "status": status}


async def test_what_a_pod_did_outranks_what_a_log_says(tmp_path: Path) -> None:
    settings = laid_out(tmp_path, CASES) | {"pods": [str(tmp_path / "pods")]}
    pods = {"kind": "List", "items": [pod(UDF, "udf-exec-1", "OOMKilled", 137)]}
    (tmp_path / "pods" / "udf.json").write_text(json.dumps(pods))
    async with asking(settings) as client:
        told = (await asked(client, "spark_diagnose_failure", app=UDF))["data"]
        events = (await asked(client, "spark_get_logs", app=UDF, source="events", level="all"))["data"]
    assert (told["category"], told["quote"]) == ("executor_oom", "executor udf-exec-1 OOMKilled, exit code 137")
    assert "code_error" in told["contributing"]
    assert events["lines"][0]["text"] == told["quote"]


async def test_an_airflow_task_stands_for_the_application_its_log_names(tmp_path: Path) -> None:
    logs = tmp_path / "airflow" / "dag_id=ads" / "run_id=r1" / "task_id=load"
    logs.mkdir(parents=True)
    (logs / "attempt=1.log").write_text(
        "[2026-11-20T02:01:07.051+0000] {x.py:1} INFO - submitted app-20200101000000-0001\n"
    )
    (logs / "attempt=2.log").write_text(
        f"[2026-11-20T02:01:07.051+0000] {{x.py:1}} INFO - Connected with app ID {UDF}\n"
    )
    settings = laid_out(tmp_path, CASES) | {
        "airflow_logs": [str(tmp_path / "airflow")],
        "airflow": ["https://airflow.corp.example"],
    }
    link = "https://airflow.corp.example/dags/ads/runs/r1/tasks/load?try_number=2"
    async with asking(settings) as client:
        found = await asked(client, "spark_find_applications", airflow_ref="ads/load/r1")
        told = await asked(client, "spark_get_application", app=link)
    assert [each["id"] for each in found["data"]["applications"]] == [UDF]
    assert told["data"]["app"] == UDF


async def test_a_task_whose_job_left_no_event_log_is_told_by_what_its_log_says(tmp_path: Path) -> None:
    """An Airflow 3 keeps its log as objects, a line each."""
    logs = tmp_path / "airflow" / "dag_id=ads" / "run_id=r1" / "task_id=load"
    logs.mkdir(parents=True)
    name = "local-1795345551260"
    words = [
        f"{name} loads the orders of 2026-11-20",
        "Traceback (most recent call last):",
        '  File "/jobs/load.py", line 3, in <module>',
        "pyspark.errors.exceptions.captured.AnalysisException: [PATH_NOT_FOUND] Path does not exist: s3://raw/orders",
    ]
    lines = [json.dumps({"timestamp": "2026-11-20T02:01:07Z", "level": "info", "event": each}) for each in words]
    (logs / "attempt=1.log").write_text("\n".join(lines) + "\n")
    settings = laid_out(tmp_path, CASES) | {"airflow_logs": [str(tmp_path / "airflow")], "driver_logs": []}
    async with asking(settings) as client:
        told = await asked(client, "spark_diagnose_failure", app="ads/load/r1", attempt="last")
        found = await asked(client, "spark_find_applications", airflow_ref="ads/load/r1")
        stage = await asked(client, "spark_get_stage", app="ads/load/r1", stage_id=0)
    assert (told["data"]["category"], told["data"]["quote"]) == ("missing_input", words[-1])
    assert told["data"]["exceptions"][0]["kind"].endswith("AnalysisException")
    assert [(each["id"], each["status"]) for each in found["data"]["applications"]] == [(name, "unknown")]
    assert (stage["status"], stage["missing"][0]) == ("partial", "event_log")
    assert "its event log is not there" in stage["summary"]
    assert stage["evidence"]["observed_at"] > "2020"


@pytest.mark.parametrize(
    ("app", "code"),
    [
        ("app-20990101000000-0000", "no-such-application"),
        ("job_1700000000000_0001", "no-such-application"),
        ("https://elsewhere.example/history/app-20990101000000-0000", "foreign-host"),
        ("http://127.0.0.1:18080/history/app-1", "foreign-host"),
        ("https://history.corp.example/latest/meta-data", "bad-application"),
        ("https://history.corp.example/history/..%2f..%2fetc/jobs", "bad-application"),
        ("../../etc/passwd", "bad-application"),
        ("app;rm -rf", "bad-application"),
        ("' OR 1=1 --", "bad-application"),
        ("--conf", "bad-application"),
        ("dag/../run", "bad-application"),
        ("https://[::1/x", "bad-application"),
        ("a..b", "bad-application"),
    ],
)
async def test_what_names_no_application_is_refused_with_its_reason(tmp_path: Path, app: str, code: str) -> None:
    settings = laid_out(tmp_path, CASES) | {"airflow": ["https://history.corp.example"]}
    assert (await refused(settings, "spark_diagnose_failure", app=app))["code"] == code


async def test_a_source_that_cannot_be_read_is_named_with_its_reason(tmp_path: Path) -> None:
    settings = laid_out(tmp_path, CASES) | {"history": {"main": "http://127.0.0.1:1"}, "source_s": 2.0}
    shutil.rmtree(tmp_path / "events")
    (tmp_path / "events").mkdir()
    async with asking(settings) as client:
        told = await asked(client, "spark_diagnose_failure", app=UDF)
    states = {each["source"]: each["state"] for each in told["data"]["sources"]}
    assert (told["status"], told["data"]["category"], states["event_log"]) == ("partial", "code_error", "failed")
    assert states["pods"] == "not_configured"


async def test_people_without_the_group_see_fewer_tools(tmp_path: Path) -> None:
    server = build("spark", laid_out(tmp_path, CASES))
    async with platform(server, access="everyone") as running:
        listed: dict[str, set[str]] = {}
        for user, groups in (("alice", ["data-eng"]), ("bob", ["sales"])):
            async with running.client(user, groups) as client:
                listed[user] = {tool.name for tool in (await client.list_tools()).tools}
    hidden = listed["alice"] - listed["bob"]
    assert hidden == {"spark_get_logs", "spark_get_environment", "spark_get_sql_plan"}


@pytest.mark.parametrize("form", ["rolling", "gz", "zstd", "open", "cut off"])
def test_an_event_log_is_read_in_each_form(tmp_path: Path, form: str) -> None:
    plain = (CORPUS / "udf-raises" / "events").read_bytes()
    half = plain.index(b"\n", len(plain) // 2) + 1
    match form:
        case "rolling":
            folder = tmp_path / f"eventlog_v2_{UDF}"
            folder.mkdir()
            (folder / f"appstatus_{UDF}").touch()
            (folder / f"events_1_{UDF}").write_bytes(plain[:half])
            (folder / f"events_2_{UDF}").write_bytes(plain[half:])
        case "gz":
            (tmp_path / f"{UDF}.gz").write_bytes(gzip.compress(plain))
        case "zstd":
            packing: Any = pa
            with packing.CompressedOutputStream(str(tmp_path / f"{UDF}.zstd"), "zstd") as out:
                out.write(plain)
        case "open":
            (tmp_path / f"{UDF}.inprogress").write_bytes(plain)
        case _:
            (tmp_path / UDF).write_bytes(plain[: len(plain) - 400])
    log = event_log_of([tmp_path], UDF)
    assert log is not None
    application = read_log(log, 5.0)
    assert (application.name, application.stages[0, 0].failed) == ("udf_raises", 4)


def test_an_event_log_packed_otherwise_says_so(tmp_path: Path) -> None:
    (tmp_path / f"{UDF}.lzf").write_bytes(b"ZV")
    log = event_log_of([tmp_path], UDF)
    assert log is not None
    with pytest.raises(Unreadable, match="lzf"):
        read_log(log, 5.0)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"event_logs": ["/no/such/folder"]}, "there is no folder"),
        ({"event_logs": [], "driver_logs": []}, "where applications are found"),
        ({"history": {"main": "ftp://x"}}, "history.main"),
        ({"history": {"main": "http://user:secret@x"}}, "history.main"),
        ({"services": ["agent"]}, "services"),
        ({"writes": ["kill"]}, "operators"),
        ({"histroy": {}}, "histroy"),
    ],
)
def test_settings_that_make_no_sense_are_refused_with_their_place(
    tmp_path: Path, members: dict[str, object], said: str
) -> None:
    with pytest.raises(Misconfigured, match=said):
        build("spark", laid_out(tmp_path, []) | members)


def test_the_definitions_are_small(tmp_path: Path) -> None:
    server = build("spark", laid_out(tmp_path, []))
    sizes = {tool.name: len(json.dumps([tool.name, tool.description, tool.input_schema])) for tool in server.manifest()}
    print(json.dumps(sizes, indent=1), sum(sizes.values()) // 4)
    assert max(sizes.values()) <= 1_400
    assert sum(sizes.values()) // 4 <= 4_500


def writing(folder: Path, **members: object) -> dict[str, object]:
    """Settings of a server that offers everything."""
    return laid_out(folder, CASES) | {
        "writes": ["analyses", "kill", "resubmit"],
        "operators": ["oncall:spark"],
        "job_owners": [{"jobs": "udf_*", "groups": ["data-eng"]}],
        "standalone": {"ui": "http://127.0.0.1:1", "rest": "http://127.0.0.1:1"},
        **members,
    }


def test_every_tool_has_the_effect_and_class_of_the_design(tmp_path: Path) -> None:
    declared = {tool.name: tool for tool in build("spark", writing(tmp_path)).manifest()}
    told = {name: (str(tool.effect), str(tool.approval)) for name, tool in declared.items() if tool.effect != "read"}
    assert told == {
        "spark_record_analysis": ("write", "none"),
        "spark_publish_analysis": ("write", "confirm"),
        "spark_kill_application": ("destructive", "approve"),
        "spark_resubmit": ("write", "approve"),
    }
    assert [name for name, tool in declared.items() if tool.drafts] == ["spark_record_analysis"]
    sizes = {name: len(json.dumps([name, tool.description, tool.input_schema])) for name, tool in declared.items()}
    assert max(sizes.values()) <= 1_400, sizes
    assert sum(sizes.values()) // 4 <= 4_500, sizes


def test_a_server_that_only_reads_has_no_tool_that_writes(tmp_path: Path) -> None:
    server = build("spark", laid_out(tmp_path, []))
    assert {str(tool.effect) for tool in server.manifest()} == {"read"}


async def test_an_analysis_is_drafted_from_evidence_found_again_and_published_by_a_person(tmp_path: Path) -> None:
    server = build("spark", writing(tmp_path))
    async with (
        platform(server, access="everyone", approvals=approve_with("approve")) as here,
        here.client("alice", ["data-eng"]) as client,
    ):
        told = await asked(client, "spark_diagnose_failure", app=UDF)
        cause = {
            "claim": "an amount that is none",
            "confidence": "confirmed",
            "evidence": [told["evidence"]["id"]],
            "quote": told["data"]["quote"],
        }
        fingerprint = told["data"]["fingerprint"]
        report = {"title": "Amounts of 1999", "fingerprints": [fingerprint], "root_cause": cause}
        kept = await asked(client, "spark_record_analysis", app=UDF, report=report, idempotency_key="k1")
        again = await asked(client, "spark_record_analysis", app=UDF, report=report, idempotency_key="k1")
        false = report | {"root_cause": cause | {"quote": "the moon is full"}}
        refusal = await client.call_tool(
            "spark_record_analysis", {"app": UDF, "report": false, "idempotency_key": "k2"}
        )
        asked_again = await asked(client, "spark_diagnose_failure", app=UDF)
        await asked(client, "spark_publish_analysis", analysis_id=kept["data"]["id"])
        published = await asked(client, "spark_publish_analysis", analysis_id=kept["data"]["id"])
        found = await asked(client, "spark_search_analyses", fingerprint=fingerprint)
    assert (kept["data"]["state"], again["data"]["id"]) == ("draft", kept["data"]["id"])
    assert refusal.is_error
    assert "false-citation" in str(refusal.content)
    assert asked_again["data"]["similar"] == [f"{kept['data']['id']} (draft): Amounts of 1999"]
    assert published["data"]["state"] == "published"
    assert [(each["title"], each["confidence"]) for each in found["data"]["analyses"]] == [
        ("Amounts of 1999", "confirmed")
    ]


@pytest.mark.parametrize(
    ("user", "groups", "app", "conf", "code"),
    [
        ("alice", ["data-eng"], UDF, {"spark.jars": "https://evil.example/x.jar"}, "conf-not-allowed"),
        ("alice", ["data-eng"], UDF, {"spark.executor.memory": "1g --jars x"}, "conf-not-allowed"),
        ("alice", ["data-eng"], SKEW, {}, "not-your-job"),
        ("olga", ["oncall:spark"], "ads/load/r1", {}, "airflow-owned"),
        ("olga", ["oncall:spark"], UDF, {}, "airflow-owned"),
    ],
)
async def test_what_may_not_be_started_anew_is_refused(
    tmp_path: Path, user: str, groups: list[str], app: str, conf: dict[str, str], code: str
) -> None:
    logs = tmp_path / "airflow" / "dag_id=ads" / "run_id=r1" / "task_id=load"
    logs.mkdir(parents=True)
    if code == "airflow-owned":
        (logs / "attempt=1.log").write_text(f"[2026-11-20T02:01:07.051+0000] {{x.py:1}} INFO - app ID {UDF}\n")
    server = build("spark", writing(tmp_path, airflow_logs=[str(tmp_path / "airflow")]))
    async with platform(server, access="everyone") as here, here.client(user, groups) as client:
        result = await client.call_tool("spark_plan_resubmit", {"app": app, "conf": conf})
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert orjson.loads(content.text)["error"]["code"] == code


def test_a_submission_is_changed_where_it_is_told_and_nowhere_else() -> None:
    command = read_command(
        "org.apache.spark.deploy.SparkSubmit --master spark://m:7077 --deploy-mode client --verbose"
        " --conf spark.executor.memory=1g --executor-memory 2g --conf a.b=c job.py --conf spark.executor.memory=9g"
    )
    assert command.option("--master") == "spark://m:7077"
    assert command.changed({"spark.executor.memory": "4g"}) == [
        "--conf",
        "spark.executor.memory=4g",
        "--master",
        "spark://m:7077",
        "--verbose",
        "--conf",
        "a.b=c",
        "job.py",
        "--conf",
        "spark.executor.memory=9g",
    ]
    with pytest.raises(Invalid, match="how it was submitted"):
        read_command("com.example.Main x")


@pytest.mark.parametrize(
    ("said", "status", "category", "confidence"),
    [
        ("reconciliation failed: 17 orders without a customer", "failed", "code_error", "possible"),
        ("done, 0 failed", "succeeded", "none", "possible"),
    ],
)
async def test_the_last_words_of_a_program_that_left_without_stopping_spark_are_heard(
    tmp_path: Path, said: str, status: str, category: str, confidence: str
) -> None:
    settings = laid_out(tmp_path, [])
    (tmp_path / "logs" / "app-20261122084336-0000.log").write_text(
        "26/11/22 08:38:39 INFO DAGScheduler: Job 1 finished: count at job.py:3, took 2.2 ms\n"
        f"{said}\n"
        "26/11/22 08:38:40 INFO SparkContext: Invoking stop() from shutdown hook\n"
        "26/11/22 08:38:40 INFO SparkContext: SparkContext is stopping with exitCode 0 from run at Executors.java.\n"
        "26/11/22 08:38:41 INFO SparkContext: Successfully stopped SparkContext (Uptime: 56308 ms)\n"
    )
    async with asking(settings) as client:
        answer = await asked(client, "spark_diagnose_failure", app="app-20261122084336-0000")
    told = answer["data"]
    assert ("exit_code" in answer["missing"]) == (status == "succeeded")
    assert (told["status"], told["category"], told["confidence"]) == (status, category, confidence)
    assert told["quote"] == (said if status == "failed" else "")


_BEYOND = """Application application_1 failed 2 times due to AM Container for appattempt_1 exited with exitCode: -104
Diagnostics: Container [pid=1,containerID=c] is running 52428800B beyond the 'PHYSICAL' memory limit. Current usage: 1.1
GB of 1 GB physical memory used; Killing container."""
_ABSENT = """User class threw exception: org.apache.spark.sql.AnalysisException: [PATH_NOT_FOUND] Path does not exist:
hdfs://nn:8020/orders/dt=2026-11-20. SQLSTATE: 42K03"""


@pytest.mark.parametrize(
    ("final", "diagnostics", "category"),
    [
        ("FAILED", _BEYOND, "driver_oom"),
        ("FAILED", _ABSENT, "missing_input"),
        ("FAILED", "something else", "unknown"),
        ("KILLED", "Application application_1 was killed by user etl at 10.0.0.1", "killed"),
    ],
)
async def test_what_yarn_reported_is_read_from_its_copy(
    tmp_path: Path, final: str, diagnostics: str, category: str
) -> None:
    """The shape is that of the ResourceManager's own documentation; no cluster was started for it."""
    settings = laid_out(tmp_path, []) | {"pods": [str(tmp_path / "pods")]}
    report = {"id": "application_1763600000000_0042", "state": "FINISHED", "finalStatus": final}
    whole = {"app": {**report, "finishedTime": 1763603600000, "diagnostics": diagnostics}}
    (tmp_path / "pods" / "application_1763600000000_0042.json").write_text(json.dumps(whole))
    async with asking(settings) as client:
        told = (await asked(client, "spark_diagnose_failure", app="application_1763600000000_0042"))["data"]
    assert (told["status"], told["category"]) == ("failed", category)
    assert told["quote"] in f"driver {report['id']} {final}: {' '.join(diagnostics.split())}"
    assert bool(told["quote"]) == (category != "unknown")


_STOP = (
    "26/11/22 08:38:40 INFO SparkContext: SparkContext is stopping with exitCode 0 from stop at Main.java:0.",
    "26/11/22 08:38:41 INFO SparkContext: Successfully stopped SparkContext (Uptime: 56308 ms)",
)
_WORKED = "26/11/22 08:38:39 INFO DAGScheduler: Job 1 finished: count at job.py:3, took 2.2 ms"
_ABSENT_PATH = "[PATH_NOT_FOUND] Path does not exist: s3a://lake/dt=1"


@pytest.mark.parametrize(
    ("lines", "status", "category", "rule"),
    [
        # A program that catches what failed, logs it and stops Spark itself.
        ([_WORKED, f"2026-11-22 08:38:40 - ERROR - {_ABSENT_PATH}", *_STOP], "failed", "missing_input", "input.path"),
        ([_WORKED, *_STOP, "CRITICAL:root:quality gate failed"], "failed", "code_error", "code.last-words"),
        ([_WORKED, "ERROR 3 rows dropped", *_STOP], "succeeded", "none", ""),
        ([_WORKED, "ERROR job failed", "INFO all well after all", *_STOP], "succeeded", "none", ""),
        (["ERROR job failed", _WORKED, *_STOP], "succeeded", "none", ""),
        # The same with Spark's own logger; without an exception nobody knows whether it matters.
        (
            [_WORKED, f"26/11/22 08:38:40 ERROR Orders: load: {_ABSENT_PATH}", "\tat com.example.Orders.run(", *_STOP],
            "failed",
            "missing_input",
            "input.path",
        ),
        ([_WORKED, "26/11/22 08:38:40 ERROR Orders: three rows dropped", *_STOP], "succeeded", "none", ""),
        # What was raised before a job that ended well was survived.
        (
            [f"26/11/22 08:38:30 ERROR Reader: {_ABSENT_PATH}", _WORKED, *_STOP],
            "succeeded",
            "none",
            "",
        ),
        # However a stage failed, the scheduler cancels what is left of it.
        (
            [
                "26/11/22 08:38:38 INFO TaskSetManager: Starting task 0.0 in stage 0.0 (TID 0)",
                "26/11/22 08:38:39 INFO TaskSchedulerImpl: Stage 0 was cancelled",
                "Traceback (most recent call last):",
                '  File "/srv/job.py", line 3, in <module>',
                "ZeroDivisionError: division by zero",
                *_STOP,
            ],
            "failed",
            "code_error",
            "code.python",
        ),
        # A shell that cannot compile its script goes on to the next line.
        (["/srv/a.scala:23: error: not found: type Generator", "scala> :quit"], "failed", "code_error", ""),
        # A quiet log.
        (["26/11/22 08:38:30 WARN Utils: x", "reconciliation failed: 17 orders"], "failed", "code_error", ""),
        (["26/11/22 08:38:30 WARN Utils: x"], "unknown", "unknown", ""),
    ],
)
async def test_the_last_complaint_of_a_program_that_stopped_spark_itself_is_heard(
    tmp_path: Path, lines: list[str], status: str, category: str, rule: str
) -> None:
    settings = laid_out(tmp_path, [])
    (tmp_path / "logs" / "app-20261122084336-0000.log").write_text("\n".join(lines))
    async with asking(settings) as client:
        told = (await asked(client, "spark_diagnose_failure", app="app-20261122084336-0000"))["data"]
    assert (told["status"], told["category"]) == (status, category)
    assert rule in ["", *told["rules"]]


async def test_workers_that_go_with_their_context_did_not_end_it(tmp_path: Path) -> None:
    settings = laid_out(tmp_path, [])
    (tmp_path / "logs" / "app-20261122084336-0000.log").write_text(
        "26/11/22 08:38:39 INFO TaskSetManager: Starting task 0.0 in stage 0.0 (TID 0)\n"
        "26/11/22 08:38:40 INFO SparkContext: Invoking stop() from shutdown hook\n"
        "26/11/22 08:38:40 INFO DAGScheduler: ResultStage 0 failed due to Stage cancelled because SparkContext was"
        " shut down\n"
        "26/11/22 08:38:40 ERROR Executor: Exception in task 0.0: Python worker exited unexpectedly (crashed)\n"
    )
    async with asking(settings) as client:
        told = (await asked(client, "spark_diagnose_failure", app="app-20261122084336-0000"))["data"]
    assert (told["status"], told["category"], told["contributing"]) == ("failed", "killed", [])


async def test_what_tasks_raised_ends_nothing_where_the_driver_went_on(tmp_path: Path) -> None:
    settings, app = laid_out(tmp_path, []), "app-20261122084336-0000"
    (tmp_path / "logs" / f"{app}.log").write_text("\n".join([_WORKED, *_STOP]))
    (tmp_path / "work" / app / "0").mkdir(parents=True)
    (tmp_path / "work" / app / "0" / "stderr").write_text(
        "26/11/22 08:38:39 ERROR Executor: Exception in task 1.0 in stage 0.0 (TID 1)\nConnectionError: closed\n"
    )
    async with asking(settings) as client:
        told = (await asked(client, "spark_diagnose_failure", app=app))["data"]
    assert (told["status"], told["category"]) == ("succeeded", "none")
