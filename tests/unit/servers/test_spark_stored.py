"""Spark's logs in buckets, over obstore's own store in memory: what is copied, its bounds, and how failing is told."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore
from tests.unit.servers.test_spark_corpus import CORPUS

from pierhead.core.errors import Misconfigured
from pierhead.sdk import NotFound
from pierhead.servers.spark import bucket as buckets
from pierhead.servers.spark import copies, stored
from pierhead.servers.spark.bucket import Bucket
from pierhead.servers.spark.event_log_files import Unreadable, event_log_of, event_logs_in, read_log
from pierhead.servers.spark.logs import driver_log, executor_logs
from pierhead.servers.spark.settings import SparkSettings
from pierhead.servers.spark.store_settings import StoreSettings
from pierhead.servers.spark.stored import Stored

APP = "app-20261122042923-0001"
EVENTS = (CORPUS / "success" / "events").read_bytes()


def settings(**members: object) -> SparkSettings:
    places = {
        "event_logs": ["s3://logs/events"],
        "driver_logs": ["s3://logs/drivers"],
        "executor_logs": ["s3://logs/work"],
    }
    return SparkSettings.parse("spark", {"owner": "data", "support": "#spark", **places, **members})


@contextmanager
def over(objects: dict[str, bytes]) -> Generator[tuple[Stored, MemoryStore]]:
    memory, chosen = MemoryStore(), settings()
    for name, content in objects.items():
        obstore.put(memory, name, content)
    made = Stored(chosen, lambda place: Bucket(place, chosen.store, None, 10, memory))
    try:
        yield made, memory
    finally:
        made.close()


def names_in(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_only_the_attempts_of_the_application_are_copied() -> None:
    wanted = {f"events/{APP}": EVENTS, f"events/{APP}_2.inprogress": EVENTS}
    others = {f"events/{APP}0": b"x", "events/app-1": b"x", f"events/sub/{APP}": b"x", f"events/.{APP}": b"x"}
    rolling = {f"events/eventlog_v2_{APP}_3/events_1_{APP}": EVENTS, f"events/eventlog_v2_{APP}_3/appstatus_{APP}": b""}
    with over({**wanted, **others, **rolling}) as (made, _):
        (folder,) = made.event_logs(APP)
        assert names_in(folder) == sorted(name.removeprefix("events/") for name in {**wanted, **rolling})
        found = event_log_of([folder], APP)
        assert found is not None
        assert (found.attempt, found.is_open) == ("3", False)
        assert read_log(found, 5).is_ended
        assert made.event_logs("app-2") == []
        (root,) = made.root
    assert not root.exists()


def test_a_copy_follows_its_objects() -> None:
    with over({f"events/{APP}.inprogress": b"{}\n"}) as (made, memory):
        (folder,) = made.event_logs(APP)
        first = (folder / f"{APP}.inprogress").stat().st_ino
        made.event_logs(APP)
        assert (folder / f"{APP}.inprogress").stat().st_ino == first  # unchanged: not copied again
        obstore.put(memory, f"events/{APP}", EVENTS)
        obstore.delete(memory, f"events/{APP}.inprogress")
        made.event_logs(APP)
        assert names_in(folder) == [APP]
        assert folder.stat().st_mode & 0o077 == 0


def test_an_object_that_is_gone_once_it_was_listed_takes_no_other_with_it() -> None:
    memory, held = MemoryStore(), copies.Copies()
    for name in ("one", "two"):
        obstore.put(memory, f"x/{name}", name.encode())
    opened, until = Bucket("s3://logs/x", StoreSettings(), None, 5, memory), time.monotonic() + 5
    wanted = [copies.Wanted(each, 10, 10) for each in opened.objects(until)]
    obstore.delete(memory, "x/one")
    folder = held.made(opened, "both", wanted, until)
    assert [each.name for each in folder.iterdir()] == ["two"]
    held.close()


def test_a_driver_is_found_by_its_name_or_by_what_it_says() -> None:
    said = b"starting\n" * 100_000 + f"Submitted {APP}\n".encode()
    objects = {"drivers/one.log": b"something else", "drivers/two/stderr": said, "drivers/two/stdout": said}
    with over({**objects, "drivers/app-7-driver.log": b"seven"}) as (made, _):
        by_name, by_text = (
            driver_log(made.driver_logs(["app-7"]), ["app-7"]),
            driver_log(made.driver_logs([APP]), [APP]),
        )
        assert by_name is not None
        assert by_name.read_bytes() == b"seven"
        assert by_text is not None
        assert by_text.parts[-2:] == ("two", "stderr")
        assert made.driver_logs(["app-8"]) == []


def test_the_newest_executors_are_copied_and_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_MOST_EXECUTORS", 2)
    with over({f"work/{APP}/{number}/stderr": b"lost" for number in range(4)}) as (made, _):
        found = executor_logs(made.executor_logs([APP], "0"), [APP])
    assert len(found) == 2
    assert "0" in found


def test_a_long_log_keeps_its_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "_HEAD", 10)
    monkeypatch.setattr(stored, "_DRIVER_TAIL", 10)
    with over({f"drivers/{APP}.log": b"beginning\n" + b"." * 500 + b"\nthe end.\n"}) as (made, _):
        (folder,) = made.driver_logs([APP])
        told = (folder / f"{APP}.log").read_text()
    assert told == "beginning\n\n[500 bytes of the object are left out]\n\nthe end.\n"


def test_listing_copies_the_ends_of_the_newest_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {f"events/eventlog_v2_{APP}/events_{number}_{APP}": EVENTS for number in (1, 2, 10)}
    packed = {"events/app-2.zstd": bytes(100), "events/app-3.zstd": bytes(200)}
    monkeypatch.setattr(stored, "_LARGEST_PACKED", 150)
    with over({**parts, **packed, "events/app-4": EVENTS}) as (made, _):
        (folder,) = made.glanced()
        assert {log.id for log in event_logs_in(folder)} == {APP, "app-2", "app-4"}
        assert {name for name in names_in(folder) if "/" in name} == {
            f"eventlog_v2_{APP}/events_{number}_{APP}" for number in (1, 10)
        }
        assert (folder / "app-2.zstd").stat().st_size == 100


def test_what_is_too_much_is_refused_with_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    objects = {f"events/{APP}": EVENTS, f"drivers/{APP}.log": b"x" * 500}
    monkeypatch.setattr(stored, "_LARGEST_EVENTS", 100)
    monkeypatch.setattr(copies, "_MOST_KEPT", 400)
    with over(objects) as (made, _):
        with pytest.raises(Unreadable, match="more than is copied: mount it"):
            made.event_logs(APP)
        with pytest.raises(Unreadable, match="no room"):
            made.driver_logs([APP])
        monkeypatch.setattr(buckets, "MOST_LISTED", 0)
        with pytest.raises(Unreadable, match="name a longer prefix"):
            made.glanced()


def test_the_oldest_unused_copies_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "_MOST_KEPT", 700)
    monkeypatch.setattr(copies, "_UNUSED_S", -1.0)
    with over({f"drivers/app-{number}.log": b"x" * 300 for number in range(3)}) as (made, _):
        folders = [made.driver_logs([f"app-{number}"])[0] for number in range(3)]
        assert [folder.exists() for folder in folders] == [False, True, True]


@pytest.mark.parametrize(
    "name", ["events/a/../../x", "events/\x1b[31m", "events/" + "a/" * 9 + "x", "events/" + "a" * 300]
)
def test_names_that_are_no_files_below_a_folder_are_passed_over(name: str) -> None:
    assert not buckets.is_plain(name.removeprefix("events/"))
    assert buckets.is_plain("eventlog_v2_app-1/events_1_app-1.zstd")


class Answers(BaseHTTPRequestHandler):
    """Answers every question with the status that the bucket's name says; `b000` never does."""

    released = threading.Event()

    def do_GET(self) -> None:
        status = int(self.path[2:5])
        if not status:
            self.released.wait(30)
            return
        body = b"<?xml version='1.0'?><Error><Code>Told</Code><Message>of-the-store</Message></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002 - as the library names it


@pytest.fixture(scope="module")
def answering() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Answers.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("bucket", "kind"),
    [
        ("b401", PermissionError),
        ("b403", PermissionError),
        ("b404", NotFound),
        ("b000", TimeoutError),
        ("b400", Unreadable),
    ],
)
def test_how_a_store_failed_is_told_without_its_words(answering: str, bucket: str, kind: type[Exception]) -> None:
    chosen = SparkSettings.parse("spark", {"owner": "d", "support": "#s", "event_logs": [f"s3://{bucket}/x"]})
    opened = Bucket(f"s3://{bucket}/x", StoreSettings(endpoint=answering, is_public=True), chosen.login, 0.2)
    for ask in (opened.objects, partial(opened.beginning_with, "app-1")):
        with pytest.raises(kind) as told:
            ask(until=time.monotonic() + 5)
        assert "of-the-store" not in str(told.value)
        assert answering not in str(told.value)


def test_a_store_that_is_away_is_told_so() -> None:
    opened = Bucket("s3://logs/x", StoreSettings(endpoint="http://127.0.0.1:9", is_public=True), None, 0.2)
    with pytest.raises(Unreadable, match="cannot be reached"):
        opened.objects(time.monotonic() + 5)


def test_a_secret_file_that_is_gone_is_told_without_its_name(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("k")
    login = {"access_key": {"file": str(tmp_path / "key")}, "secret_key": {"file": str(tmp_path / "gone")}}
    chosen = settings(login=login, store={"endpoint": "http://127.0.0.1:9"})
    made = Stored(chosen)
    with pytest.raises(PermissionError) as told:
        made.event_logs(APP)
    assert "gone" not in str(told.value)


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"login": {"access_key": "plain", "secret_key": {"file": "/x"}}}, "write {env: NAME}"),
        ({"store": {"endpoint": "ftp://x"}}, "store.endpoint"),
        ({"event_logs": ["s3://UPPER/x"]}, "there is no folder"),
        ({"event_logs": ["s3://logs/../other"]}, "there is no folder"),
        ({"pods": ["s3://logs/pods"]}, "there is no folder"),
    ],
)
def test_entries_about_buckets_that_make_no_sense_are_refused(members: dict[str, object], fault: str) -> None:
    with pytest.raises(Misconfigured, match=fault):
        settings(**members)


def test_without_the_library_a_bucket_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None: ...

    monkeypatch.setattr("pierhead.servers.spark.settings.find_spec", absent)
    with pytest.raises(Misconfigured, match=r"pierhead\[spark\]"):
        settings()
