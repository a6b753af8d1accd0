"""Which applications there are: of History Servers, and of folders of event logs, whose ends alone are read."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from pierhead.sdk import NotFound, ToolFailed
from pierhead.servers.spark.application import Application
from pierhead.servers.spark.event_log import read_events
from pierhead.servers.spark.event_log_files import EventLog, Unreadable, event_logs_in, read_log
from pierhead.servers.spark.history import History
from pierhead.servers.spark.settings import SparkSettings
from pierhead.servers.spark.stored import Stored

_MOST_OPENED: Final = 300
_MOST_ASKED: Final = 500
_HEAD: Final = 2**20
_TAIL: Final = 256 * 1024
_PACKED_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Listed:
    """One application, newest attempt. Units: milliseconds since 1970-01-01 UTC."""

    id: str
    name: str
    user: str
    status: str
    started: int
    ended: int
    source: str
    link: str = ""

    @property
    def day(self) -> str:
        return datetime.fromtimestamp(self.started / 1000, UTC).date().isoformat()


async def applications_in(
    chosen: SparkSettings, histories: Sequence[History], stored: Stored, since: str
) -> tuple[list[Listed], list[str]]:
    """All of them, the newest first, and the sources that could not be asked."""
    found: dict[str, Listed] = {}
    missing: list[str] = []
    for history in histories:
        try:
            for each in await history.listed(since, _MOST_ASKED):
                found[each.id] = _listed(each, history.title, history.link(each.id))
        except (NotFound, ToolFailed) as failed:
            missing.append(f"{history.title}: {failed.message}")
    if chosen.event_logs:
        try:
            async with asyncio.timeout(chosen.source_s):
                told = await asyncio.to_thread(_of_folders, chosen, stored, missing)
        except TimeoutError:
            missing.append("event_log: it takes too long")
        except OSError as failed:
            missing.append(f"event_log: {failed.strerror}")
        else:
            # A History Server does not say whether jobs failed; the log does.
            found |= {each.id: _linked(each, found.get(each.id)) for each in told}
    return sorted(found.values(), key=lambda each: -each.started), missing


def _linked(told: Listed, known: Listed | None) -> Listed:
    source = known.source if known else told.source
    link = known.link if known else ""
    return Listed(told.id, told.name, told.user, told.status, told.started, told.ended, source, link)


def _of_folders(chosen: SparkSettings, stored: Stored, missing: list[str]) -> list[Listed]:
    folders = [*chosen.folders(chosen.event_logs), *_copied(stored, missing)]
    logs = [log for folder in folders for log in event_logs_in(folder)]
    newest = sorted(logs, key=lambda log: -log.modified)[:_MOST_OPENED]
    until = time.monotonic() + chosen.source_s * 0.8
    found: dict[str, Listed] = {}
    for log in newest:
        if time.monotonic() > until:
            break
        try:
            application = _glanced(log)
        except (OSError, Unreadable):
            continue
        if application.started and application.id not in found:
            found[application.id] = _listed(application, "event log", "")
    return list(found.values())


def _copied(stored: Stored, missing: list[str]) -> list[Path]:
    """Of buckets; one that cannot be read is missing, and folders are told still."""
    try:
        return stored.glanced()
    except TimeoutError:
        missing.append("event_log: the object store takes too long")
    except (OSError, Unreadable) as failed:
        missing.append(f"event_log: {getattr(failed, 'strerror', None) or failed}")
    except NotFound as absent:
        missing.append(f"event_log: {absent.message}")
    return []


def _glanced(log: EventLog) -> Application:
    """What the beginning and the end of a log tell."""
    if log.place.is_dir() or "." in log.place.name.removesuffix(".inprogress"):
        return read_log(log, _PACKED_S)
    with log.place.open("rb") as file:
        lines = file.read(_HEAD).split(b"\n")
        size = log.place.stat().st_size
        if size > _HEAD:
            file.seek(max(_HEAD, size - _TAIL))
            lines += file.read().split(b"\n")
    return read_events(
        lines, Application(log.id, log.attempt), most_bytes=_HEAD + _TAIL, until=time.monotonic() + _PACKED_S
    )


def _listed(application: Application, source: str, link: str) -> Listed:
    return Listed(
        application.id,
        application.name,
        application.user,
        application.status,
        application.started,
        application.ended,
        source,
        link,
    )
