"""Slices of an application's logs, bounded here: of its driver, an executor, or what became of its pods.

Text of logs is content. Not here: looking for exceptions in them (`diagnosis`).
"""

import asyncio
from pathlib import Path
from typing import Final, Literal

from pierhead.sdk import NotFound
from pierhead.sdk.envelope import Envelope, Limits, Page
from pierhead.sdk.log_reading import LogQuestion, read_log
from pierhead.sdk.log_sources import BytesSource, FileSource, LogSource
from pierhead.servers.spark.answers import LogLineTold, LogTold
from pierhead.servers.spark.desk import Desk
from pierhead.servers.spark.found import Found
from pierhead.servers.spark.pods import pods_of

Source = Literal["driver", "executor", "events"]
_NEXT: Final = "the cursor, or words in `contains`"


async def log_slice(desk: Desk, app: str, source: Source, executor_id: str, question: LogQuestion) -> Envelope[LogTold]:
    """Errors: NotFound (`no-such-log`); Invalid (`bad-cursor`)."""
    found = await desk.reader.located(desk.reference(app), executor_id)
    name, opened = await _opened(desk, found, source, executor_id)
    sliced = await read_log(opened, question, seconds=desk.chosen.source_s * 2)
    data = LogTold(
        source=name,
        lines=[LogLineTold(number=line.number, text=line.text) for line in sliced.lines],
        matched=sliced.matched,
        bytes_total=sliced.bytes_total,
        bytes_read=sliced.bytes_read,
    )
    limits = Limits(why=sliced.truncated, seen=sliced.bytes_read, next=_NEXT) if sliced.truncated else None
    summary = f"{name}: {sliced.matched} matches in {sliced.bytes_read} bytes, {len(data.lines)} lines shown"
    envelope = Envelope(
        summary=summary,
        data=data,
        limits=limits,
        page=Page(returned=len(data.lines), next_cursor=sliced.next_cursor),
    )
    return envelope.observed(f"{name} of spark application {found.id}", desk.results.now())


async def _opened(desk: Desk, found: Found, source: Source, executor: str) -> tuple[str, LogSource]:
    """Errors: NotFound (`no-such-log`)."""
    chosen = desk.chosen
    match source:
        case "events":
            pods = await asyncio.to_thread(pods_of, chosen.pods, found.id)
            if not pods.facts:
                raise _absent("nothing is copied of its pods", found)
            text = "\n".join(fact.quote for fact in sorted(pods.facts, key=lambda fact: fact.at))
            return "pod events", BytesSource(text.encode())
        case "executor":
            number = executor or next(iter(sorted(found.executor_logs)), "")
            place = found.executor_logs.get(number)
            if place is None:
                raise _absent(f"there is no log of executor {number or '?'}", found)
            return f"executor log {number}", _file(place, (*chosen.folders(chosen.executor_logs), *desk.stored.root))
        case "driver":
            place = found.driver_log or found.airflow_log
            if place is None:
                raise _absent("there is no driver log", found)
            return "driver log", _file(
                place, (*chosen.folders(chosen.driver_logs), *chosen.airflow_logs, *desk.stored.root)
            )


def _file(place: Path, folders: tuple[Path, ...]) -> FileSource:
    return FileSource(place, next(folder for folder in folders if place.is_relative_to(folder)))


def _absent(what: str, found: Found) -> NotFound:
    executors = ", ".join(sorted(found.executor_logs)[:20])
    told = "; ".join(f"{name}: {each.state}" for name, each in found.told.items())
    return NotFound(f"{what} ({told})", hint=f"executors with a log: {executors or 'none'}", code="no-such-log")
