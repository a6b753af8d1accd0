"""Reads what is left of an application from every source at once, each for a bounded time.

A source that fails takes no other with it: how it did is told, and the others go on. Above: the desk. Below: one
module a source.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar, cast

import orjson

from pierhead.sdk import NotFound, ToolFailed, UpstreamUnreachable
from pierhead.sdk.failure_rules import Fact
from pierhead.sdk.failure_text import facts_in_text
from pierhead.servers.spark import logs
from pierhead.servers.spark.application import Application
from pierhead.servers.spark.endings import facts_in_driver_log
from pierhead.servers.spark.event_log_files import EventLog, Unreadable, event_log_of, read_log
from pierhead.servers.spark.found import Found, State, Told
from pierhead.servers.spark.history import History
from pierhead.servers.spark.pods import Pods, pods_of
from pierhead.servers.spark.references import Reference
from pierhead.servers.spark.settings import Place, SparkSettings
from pierhead.servers.spark.shapes import facts_of_application, skew_in_log
from pierhead.servers.spark.stored import Stored

Result = TypeVar("Result")

_STRUCTURED: Final = '"event":'
_HEAD: Final = 2**20
_TAIL: Final = 8 * 2**20
_EXECUTOR_TAIL: Final = 2 * 2**20
_MOST_EXECUTORS: Final = 20


class Reader:
    """Over the sources that one server's settings name."""

    def __init__(
        self, chosen: SparkSettings, histories: Sequence[History], drivers: Sequence[History], stored: Stored
    ) -> None:
        self._chosen = chosen
        self._stored = stored
        self._histories = histories
        self._drivers = drivers

    async def application(self, reference: Reference, attempt: str = "") -> Found:
        """Only what event logs, History Servers and running drivers tell."""
        found = await self._begun(reference)
        await self._events(found, attempt or reference.attempt)
        return found

    async def everything(self, reference: Reference, attempt: str = "") -> Found:
        """All sources. Errors: NotFound (`no-such-application`), where not one of them knows it."""
        found = await self._begun(reference)
        await asyncio.gather(self._events(found, attempt or reference.attempt), self._pods(found))
        await asyncio.gather(self._driver(found), self._executors(found))
        if found.application is not None:
            found.facts += facts_of_application(found.application)
        if not found.is_anything:
            raise no_such_application(found)
        return found

    async def located(self, reference: Reference, executor: str = "") -> Found:
        """Where its logs lie, unread, that of `executor` among them. Errors: NotFound (`no-such-application`)."""
        found = await self._begun(reference)
        names, chosen = [found.id], self._chosen
        found.driver_log = await self._file(found, "driver_log", chosen.driver_logs, lambda: self._driver_log(names))
        executors = await self._file(
            found, "executor_logs", chosen.executor_logs, lambda: self._executor_logs(names, executor) or None
        )
        found.executor_logs = executors or {}
        return found

    def _event_log(self, application: str, attempt: str) -> EventLog | None:
        """In folders first. Errors: OSError, NotFound, Unreadable."""
        folders = self._chosen.folders(self._chosen.event_logs)
        found = event_log_of(folders, application, attempt)
        return found or event_log_of(self._stored.event_logs(application), application, attempt)

    def _driver_log(self, names: Sequence[str]) -> Path | None:
        """Errors: OSError, NotFound, Unreadable."""
        found = logs.driver_log(self._chosen.folders(self._chosen.driver_logs), names)
        return found or logs.driver_log(self._stored.driver_logs(names), names)

    def _executor_logs(self, names: Sequence[str], first: str = "") -> dict[str, Path]:
        """Errors: OSError, NotFound, Unreadable."""
        found = logs.executor_logs(self._chosen.folders(self._chosen.executor_logs), names)
        return found or logs.executor_logs(self._stored.executor_logs(names, first), names)

    async def _begun(self, reference: Reference) -> Found:
        """With the id that an Airflow task's log names, where a task was given."""
        if reference.airflow is None:
            return Found(reference.id)
        task, folders = reference.airflow, self._chosen.airflow_logs
        found = Found("")
        log = await self._file(found, "airflow_log", folders, lambda: logs.airflow_log(folders, task))
        if log is None:
            return found
        found.airflow_log = log
        found.id = await asyncio.to_thread(logs.application_in, log) or str(task)
        return found

    async def _events(self, found: Found, attempt: str) -> None:
        folders, seconds = self._chosen.event_logs, self._chosen.source_s

        def read() -> Application | None:
            log = self._event_log(found.id, attempt)
            return read_log(log, seconds * 0.9) if log else None

        if folders and found.id:
            found.application = await self._source(found, "event_log", asyncio.to_thread(read))
        elif not self._histories:
            found.told["event_log"] = Told("not_configured")
        for name, asked in (("event_log", self._histories), ("driver_api", self._drivers)):
            for history in asked:
                if found.application is None and found.id:
                    found.application = await self._source(found, name, history.application(found.id, attempt))
                    found.is_live = name == "driver_api" and found.application is not None

    async def _pods(self, found: Found) -> None:
        folders = self._chosen.pods

        def read() -> Pods | None:
            pods = pods_of(folders, found.id)
            return pods if pods.is_found else None

        pods = await self._file(found, "pods", folders, read)
        if pods is not None:
            found.facts += pods.facts
            found.pods = pods.names

    async def _driver(self, found: Found) -> None:
        folders = self._chosen.driver_logs
        names = [found.id, *(name for name in found.pods if "-exec-" not in name)]

        def read() -> tuple[Path, list[Fact]] | None:
            """Its own log; where there is none, what the task that submitted it heard of it."""
            log = (self._driver_log(names) if folders and found.id else None) or found.airflow_log
            return (log, _driver_facts(log)) if log else None

        if found.airflow_log is None and not folders:
            found.told["driver_log"] = Told("not_configured")
            return
        told = await self._source(found, "driver_log", asyncio.to_thread(read))
        if told is not None:
            found.driver_log = told[0]
            found.facts += told[1]

    async def _executors(self, found: Found) -> None:
        folders = self._chosen.executor_logs
        names = [found.id, *found.pods]

        def read() -> tuple[dict[str, Path], list[Fact]] | None:
            places = self._executor_logs(names) if found.id else {}
            newest = sorted(places.values(), key=lambda place: place.stat().st_mtime)[-_MOST_EXECUTORS:]
            return (places, [fact for place in newest for fact in _executor_facts(place)]) if places else None

        told = await self._file(found, "executor_logs", folders, read)
        if told is not None:
            found.executor_logs = told[0]
            found.facts += told[1]

    async def _file(
        self, found: Found, name: str, folders: Sequence[Place], read: Callable[[], Result | None]
    ) -> Result | None:
        if not folders:
            found.told[name] = Told("not_configured")
            return None
        return await self._source(found, name, asyncio.to_thread(read))

    async def _source(self, found: Found, name: str, asked: Awaitable[Result | None]) -> Result | None:
        """What a source gives; how it did is told."""
        state: State = "read"
        detail, given = "", None
        try:
            async with asyncio.timeout(self._chosen.source_s):
                given = await asked
            state = "read" if given is not None else "not_found"
        except TimeoutError:
            state, detail = "timeout", f"no answer within {self._chosen.source_s:g} s"
        except NotFound:
            state = "not_found"
        except PermissionError:
            state, detail = "denied", "this server may not read it"
        except Unreadable as unread:
            state, detail = "failed", str(unread)
        except (UpstreamUnreachable, ToolFailed) as failed:
            state = "denied" if failed.code == "upstream-denied" else "failed"
            detail = failed.message
        except OSError as failed:
            state, detail = "failed", failed.strerror or "it cannot be read"
        found.told[name] = Told(state, detail)
        return given


def no_such_application(found: Found) -> NotFound:
    """Says how each source did."""
    looked = "; ".join(f"{name}: {told.state}" for name, told in found.told.items()) or "no source is configured"
    return NotFound(f"no source knows this application ({looked})", hint="find it", code="no-such-application")


def _driver_facts(log: Path) -> list[Fact]:
    head, tail = _ends(log, _HEAD, _TAIL)
    lines = [*head, *tail]
    return [*facts_in_driver_log(lines), *skew_in_log(lines)]


def _executor_facts(log: Path) -> list[Fact]:
    head, tail = _ends(log, 0, _EXECUTOR_TAIL)
    return facts_in_text([*head, *tail], "executor", f"executor log {log.parent.name}")


def _ends(log: Path, head: int, tail: int) -> tuple[list[str], list[str]]:
    """The lines at the beginning and at the end of a file; a long one's middle is left out."""
    size = log.stat().st_size
    with log.open("rb") as file:
        if size <= head + tail:
            return [], _decoded(file.read()).splitlines()
        first = _decoded(file.read(head)).splitlines()
        file.seek(size - tail)
        return first[:-1], _decoded(file.read(tail)).splitlines()[1:]


def _decoded(content: bytes) -> str:
    is_wide = content[:2] in {b"\xff\xfe", b"\xfe\xff"}
    text = content.decode("utf-16" if is_wide else "utf-8", errors="replace")
    return "\n".join(map(_said, text.splitlines())) if _STRUCTURED in text else text


def _said(line: str) -> str:
    """What a line of an Airflow 3 log says: each is an object, with the words of its task in `event`."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return line
    said = cast("dict[str, object]", entry).get("event") if isinstance(entry, dict) else None
    return said if isinstance(said, str) else line


def last_lines(log: Path) -> list[str]:
    """The lines at the end of a log, enough of them for the exception that ended it. Errors: none; no lines then."""
    try:
        return _ends(log, 0, _EXECUTOR_TAIL)[1]
    except OSError:
        return []
