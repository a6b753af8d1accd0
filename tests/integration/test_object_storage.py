"""Spark's logs in a real S3-compatible store (moto's server): found, diagnosed and read as those in folders are."""

import urllib.request
from collections.abc import Generator
from pathlib import Path
from typing import Any

import obstore
import pytest
from mcp.client import Client
from obstore.store import S3Store
from pydantic import SecretStr
from tests.components import object_store
from tests.unit.servers.test_spark_corpus import CASES, asked, asking, laid_out

pytestmark = [pytest.mark.slow, pytest.mark.anyio]

NAMES = {"executor-memory", "driver-memory", "missing-path", "died-unlogged", "module"}
CHOSEN = [case for case in CASES if case["name"] in NAMES]
BY_NAME = {case["name"]: case for case in CHOSEN}


def app_of(case: dict[str, Any]) -> str:
    return case["app"] or f"{case['name']}-unsent"


def send(method: str, url: str, content: bytes = b"") -> None:
    request = urllib.request.Request(url, content, {"Content-Type": "text/plain"}, method=method)  # noqa: S310 - our own
    urllib.request.urlopen(request, timeout=30).close()  # noqa: S310


@pytest.fixture(scope="module")
def store() -> Generator[str]:
    with object_store() as address:
        yield address


@pytest.fixture(scope="module")
def settings(store: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Of a server over a bucket into which the recordings were put."""
    folder = tmp_path_factory.mktemp("recordings")
    made = laid_out(folder / "here", CHOSEN)
    send("PUT", f"{store}/spark-logs")
    there = S3Store(
        "spark-logs",
        endpoint=store,
        region="eu-central-1",
        access_key_id="writer",
        secret_access_key="of-the-rig",
        client_options={"allow_http": True},
    )
    for each in sorted(folder.rglob("*")):
        if each.is_file():
            obstore.put(there, str(each.relative_to(folder / "here")), each.read_bytes())
    # As Hadoop and consoles keep folders: empty objects.
    for empty in ("logs", f"work/{app_of(BY_NAME['executor-memory'])}"):
        send("PUT", f"{store}/spark-logs/{empty}/")
    (folder / "key").write_text("of-the-rig\n")
    return {
        **made,
        "event_logs": ["s3://spark-logs/events"],
        "driver_logs": ["s3://spark-logs/logs/"],
        "executor_logs": ["s3://spark-logs/work"],
        "store": {"endpoint": store, "region": "eu-central-1"},
        "login": {"access_key": SecretStr("reader"), "secret_key": {"file": str(folder / "key")}},
        "source_s": 30,
    }


async def test_failures_are_told_from_a_bucket(settings: dict[str, object]) -> None:
    async with asking(settings) as client:
        for case in CHOSEN:
            answer = await asked(client, "spark_diagnose_failure", app=app_of(case))
            states = {each["source"]: each["state"] for each in answer["data"]["sources"]}
            assert (case["name"], answer["data"]["category"]) == (case["name"], case["category"])
            assert answer["data"]["quote"]
            assert states["driver_log"] == "read"
            assert states["event_log"] == ("not_found" if case["name"] == "died-unlogged" else "read")


async def test_applications_of_a_bucket_are_listed_and_their_logs_read(settings: dict[str, object]) -> None:
    app = app_of(BY_NAME["executor-memory"])
    async with asking(settings) as client:
        listed = (await asked(client, "spark_find_applications"))["data"]["applications"]
        stages = (await asked(client, "spark_list_stages", app=app))["data"]["stages"]
        driver = (await asked(client, "spark_get_logs", app=app, level="all"))["data"]
        executor = (await asked(client, "spark_get_logs", app=app, source="executor", level="all"))["data"]
    assert {each["id"] for each in listed} == {case["app"] for case in CHOSEN if case["name"] != "died-unlogged"}
    assert stages[0]["failed"]
    assert driver["source"] == "driver log"
    assert driver["lines"]
    assert executor["source"].startswith("executor log")
    assert executor["lines"]


async def refused(client: Client, app: str) -> dict[str, str]:
    """How each source did, as the answer's text says."""
    result = await client.call_tool("spark_diagnose_failure", {"app": app})
    text = str(result.content[0])
    return {
        name: state
        for name in ("event_log", "driver_log")
        for state in ("denied", "not_found")
        if f"{name}: {state}" in text
    }


async def test_what_a_store_denies_is_denied_and_what_is_not_there_not_found(
    settings: dict[str, object], store: str
) -> None:
    app = app_of(BY_NAME["missing-path"])
    absent = {**settings, "event_logs": ["s3://no-such-bucket/events"], "driver_logs": ["s3://spark-logs/elsewhere"]}
    async with asking(absent) as client:
        assert await refused(client, app) == {"event_log": "not_found", "driver_log": "not_found"}
    send("POST", f"{store}/moto-api/reset-auth", b"0")  # from here on, keys count
    try:
        async with asking(settings) as client:
            assert await refused(client, app) == {"event_log": "denied", "driver_log": "denied"}
            told = await asked(client, "spark_find_applications")
    finally:
        send("POST", f"{store}/moto-api/reset-auth", b"inf")
    assert told["status"] == "partial"
    assert told["missing"] == ["event_log: the store lets this server read no such object"]


async def test_a_bucket_beside_a_folder_that_fails_takes_the_folder_not_with_it(
    settings: dict[str, object], tmp_path: Path
) -> None:
    case = BY_NAME["missing-path"]
    laid_out(tmp_path, [case])
    both: dict[str, object] = {
        **settings,
        "event_logs": [str(tmp_path / "events"), "s3://no-such-bucket/x"],
        "driver_logs": [str(tmp_path / "logs"), "s3://no-such-bucket/x"],
    }
    async with asking(both) as client:
        answer = await asked(client, "spark_diagnose_failure", app=app_of(case))
        listed = await asked(client, "spark_find_applications")
    assert answer["data"]["category"] == case["category"]
    assert [each["id"] for each in listed["data"]["applications"]] == [case["app"]]
    assert listed["missing"] == ["event_log: there is no such bucket or object"]
