"""A History Server, or the pages of a running driver: the same REST interface, read into an `Application`.

Only summaries are asked for, never a page of every task. Not here: logs, which it does not have.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, cast

from pierhead.sdk import NotFound, ToolFailed
from pierhead.sdk.upstream import Upstream
from pierhead.servers.spark.application import Application, Executor, Job, Query, Spread, Stage

Thing = Mapping[str, Any]

_QUANTILES: Final = "0.5,0.95,1.0"
_MOST_SPREADS: Final = 6
_MOST_QUERIES: Final = 50
_LONGEST_TEXT: Final = 8_000
_LONGEST_PLAN: Final = 40_000
_LARGEST: Final = 64 * 2**20


class History:
    """One of them, at an address."""

    def __init__(self, address: str, title: str, seconds: float) -> None:
        self._upstream = Upstream(f"{address.rstrip('/')}/api/v1", title=title, seconds=seconds, most_bytes=_LARGEST)
        self.address = address.rstrip("/")
        self.title = title

    async def close(self) -> None:
        await self._upstream.close()

    def link(self, application: str) -> str:
        """Its page about an application."""
        return f"{self.address}/history/{application}"

    async def listed(self, since: str, limit: int) -> list[Application]:
        """The newest applications since a day. Errors: as `Upstream`."""
        params: dict[str, str | int] = {"limit": limit}
        if since:
            params["minDate"] = since
        return [_about(each) for each in _things(await self._upstream.json("applications", params=params))]

    async def application(self, name: str, attempt: str = "") -> Application:
        """One attempt, the newest by default. Errors: as `Upstream`."""
        about = cast("Thing", await self._upstream.json("applications", name))
        application = _about(about, attempt)
        if attempt and application.attempt != attempt:
            raise NotFound("it has no such attempt", hint="leave the attempt out", code="no-such-application")
        place = ("applications", name, *([application.attempt] if application.attempt else []))
        for each in _things(await self._upstream.json(*place, "jobs")):
            job = _job(each)
            application.jobs[job.id] = job
        for each in _things(await self._upstream.json(*place, "stages")):
            stage = _stage(each)
            application.stages[stage.id, stage.attempt] = stage
        for each in _things(await self._upstream.json(*place, "allexecutors")):
            executor = _executor(each)
            application.executors[executor.id] = executor
        await self._more(application, place)
        return application

    async def _more(self, application: Application, place: tuple[str, ...]) -> None:
        """What an older one may not have: settings, queries, and how tasks of the longest stages differ."""
        try:
            environment = cast("Thing", await self._upstream.json(*place, "environment"))
            application.properties = {str(name): str(value) for name, value in environment.get("sparkProperties", [])}
            system = {str(name): str(value) for name, value in environment.get("systemProperties", [])}
            application.command = system.get("sun.java.command", "")[:_LONGEST_TEXT]
            params: dict[str, str | int] = {"details": "false", "planDescription": "true", "length": _MOST_QUERIES}
            for each in _things(await self._upstream.json(*place, "sql", params=params)):
                query = _query(each)
                application.queries[query.id] = query
            longest = sorted(application.stages.values(), key=lambda stage: -stage.run_ms)[:_MOST_SPREADS]
            for stage in longest:
                await self._spread(stage, place)
        except (NotFound, ToolFailed):
            return

    async def _spread(self, stage: Stage, place: tuple[str, ...]) -> None:
        numbers = (str(stage.id), str(stage.attempt))
        params = {"quantiles": _QUANTILES}
        try:
            told = cast("Thing", await self._upstream.json(*place, "stages", *numbers, "taskSummary", params=params))
        except NotFound:  # no task of it ended
            return
        if times := told.get("duration") or told.get("executorRunTime"):
            stage.time_spread = Spread(*(float(value) for value in times[:3]))
        read = told.get("inputMetrics", {}).get("recordsRead"), told.get("shuffleReadMetrics", {}).get("readRecords")
        rows = [sum(values) for values in zip(*(each for each in read if each), strict=False)]
        if len(rows) == len(_QUANTILES.split(",")):
            stage.record_spread = Spread(*(float(value) for value in rows))


def _things(told: object) -> list[Thing]:
    return [each for each in cast("list[Thing]", told) if isinstance(each, dict)] if isinstance(told, list) else []


def _about(told: Thing, attempt: str = "") -> Application:
    attempts = cast("list[Thing]", told.get("attempts") or [{}])
    chosen = next((each for each in attempts if attempt and str(each.get("attemptId", "")) == attempt), attempts[0])
    return Application(
        str(told.get("id", "")),
        str(chosen.get("attemptId", "")),
        str(told.get("name", ""))[:300],
        str(chosen.get("sparkUser", "")),
        str(chosen.get("appSparkVersion", "")),
        max(0, int(chosen.get("startTimeEpoch", 0))),
        max(0, int(chosen.get("endTimeEpoch", 0))),
        is_ended=bool(chosen.get("completed")),
    )


def _job(told: Thing) -> Job:
    status = {"SUCCEEDED": "succeeded", "FAILED": "failed"}.get(str(told.get("status")), "running")
    number = int(told.get("jobId", 0))
    return Job(number, _moment(told.get("submissionTime")), _moment(told.get("completionTime")), status)


def _stage(told: Thing) -> Stage:
    failure = str(told.get("failureReason") or "")[:_LONGEST_TEXT]
    return Stage(
        int(told.get("stageId", 0)),
        int(told.get("attemptId", 0)),
        str(told.get("name", ""))[:300],
        str(told.get("status", "")).casefold(),
        int(told.get("numTasks", 0)),
        int(told.get("numCompleteTasks", 0)),
        int(told.get("numFailedTasks", 0)),
        _moment(told.get("submissionTime")),
        _moment(told.get("completionTime")),
        failure,
        int(told.get("inputBytes", 0)),
        int(told.get("shuffleReadBytes", 0)),
        int(told.get("shuffleWriteBytes", 0)),
        int(told.get("diskBytesSpilled", 0)),
        int(told.get("executorRunTime", 0)),
        int(told.get("jvmGcTime", 0)),
    )


def _executor(told: Thing) -> Executor:
    peak = cast("Thing", told.get("peakMemoryMetrics") or {})
    return Executor(
        str(told.get("id", "")),
        str(told.get("hostPort", "")).partition(":")[0],
        _moment(told.get("addTime")),
        _moment(told.get("removeTime")),
        str(told.get("removeReason") or "")[:2000],
        int(told.get("totalTasks", 0)),
        int(told.get("failedTasks", 0)),
        int(told.get("totalDuration", 0)),
        int(told.get("totalGCTime", 0)),
        int(peak.get("JVMHeapMemory", 0)),
    )


def _query(told: Thing) -> Query:
    started = _moment(told.get("submissionTime"))
    ended = started + int(told.get("duration", 0)) if told.get("status") in {"COMPLETED", "FAILED"} else 0
    error = str(told.get("errorMessage") or "")[:_LONGEST_TEXT]
    plan = str(told.get("planDescription", ""))[:_LONGEST_PLAN]
    return Query(int(told.get("id", 0)), str(told.get("description", ""))[:300], started, ended, plan, error)


def _moment(told: object) -> int:
    """Milliseconds of `2026-11-22T04:19:51.845GMT`; 0 for anything else."""
    try:
        return int(datetime.fromisoformat(str(told).replace("GMT", "+00:00")).timestamp() * 1000)
    except ValueError:
        return 0
