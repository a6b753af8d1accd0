"""What the reading tools of a Spark server do: find, describe, diagnose. Each answers in the one envelope.

Sources of an application are read by `reading`; comparing is `comparing`, logs are `log_desk`, acting is `acting`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from pierhead.sdk import Caller, NotFound
from pierhead.sdk.envelope import Envelope, Limits, Link, Page, summed_up
from pierhead.sdk.redacting import redact, redact_value
from pierhead.servers.spark.answers import (
    Applications,
    Diagnosis,
    Environment,
    ExecutorRow,
    Executors,
    FoundApplication,
    Overview,
    PlanTold,
    SpreadTold,
    StageFailure,
    StageRow,
    Stages,
    StageTold,
)
from pierhead.servers.spark.application import Application, Executor, Query, Spread, Stage
from pierhead.servers.spark.diagnosis import diagnosed, moment, status_of
from pierhead.servers.spark.found import Found
from pierhead.servers.spark.history import History
from pierhead.servers.spark.listing import Listed, applications_in
from pierhead.servers.spark.plans import costly, operators
from pierhead.servers.spark.reading import Reader, last_lines, no_such_application
from pierhead.servers.spark.references import Reference, read_airflow, read_reference
from pierhead.servers.spark.results_desk import ResultsDesk
from pierhead.servers.spark.settings import SparkSettings
from pierhead.servers.spark.shapes import skewed
from pierhead.servers.spark.stored import Stored

Data = TypeVar("Data")

_MOST_EXECUTOR_LOGS: Final = 4
_LONGEST_REASON: Final = 600
_SLOW: Final = 1000.0
_MOST_SETTINGS: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for; what is empty narrows nothing. Days are written 2026-11-20."""

    name: str = ""
    user: str = ""
    status: str = ""
    since: str = ""
    until: str = ""

    def fits(self, each: Listed) -> bool:
        is_named = self.name.casefold().strip("*") in each.name.casefold()
        is_then = (not self.since or each.day >= self.since) and (not self.until or each.day <= self.until)
        return is_named and is_then and self.user in {"", each.user} and self.status in {"", each.status}


class Desk:
    """Over the sources of one server."""

    def __init__(self, chosen: SparkSettings, results: ResultsDesk) -> None:
        self.chosen = chosen
        self.results = results
        self._histories = [
            History(address, f"the History Server {name}", chosen.source_s) for name, address in chosen.history.items()
        ]
        self._drivers = [History(address, "a running driver", chosen.source_s) for address in chosen.drivers]
        self.stored = Stored(chosen)
        self.reader = Reader(chosen, self._histories, self._drivers, self.stored)

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in (*self._histories, *self._drivers)))
        await asyncio.to_thread(self.stored.close)

    def reference(self, app: str) -> Reference:
        """Errors: Invalid (`bad-application`, `foreign-host`)."""
        return read_reference(app, self.chosen.hosts)

    async def found(self, app: str, attempt: str = "") -> Found:
        """What event logs and History Servers tell. Errors: as `reference`; NotFound, where no log of it is left."""
        found = await self.reader.application(self.reference(app), attempt)
        if found.application is None:
            located = await self.reader.located(self.reference(app))
            found.told |= located.told
            if not located.is_anything:
                raise no_such_application(found)
        return found

    async def find(self, wanted_by: Wanted, airflow_ref: str, limit: int) -> Envelope[Applications]:
        """Errors: Invalid (`bad-application`) for an Airflow reference that is none."""
        wanted, task, missing = "", None, list[str]()
        if airflow_ref:
            task = read_airflow(airflow_ref) if "://" not in airflow_ref else self.reference(airflow_ref).airflow
            found = await self.reader.application(Reference(airflow=task) if task else self.reference(airflow_ref))
            wanted = found.id
            if not wanted:
                missing.append("airflow_log")
        listed = [] if airflow_ref and not wanted else await self._listed(wanted_by.since, missing)
        fitting = [each for each in listed if wanted in {"", each.id} and wanted_by.fits(each)]
        if wanted_by == Wanted() and wanted not in {"", str(task), *(each.id for each in listed)}:
            fitting = [Listed(wanted, "", "", "unknown", 0, 0, "airflow_log")]
        rows = [_row(each) for each in fitting[:limit]]
        links = [Link(title=each.name, url=each.link) for each in fitting[:limit] if each.link]
        more = Limits(why="rows", seen=len(fitting), next="narrow by name, user, status or days")
        return Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(f"{len(rows)} of {len(fitting)} applications that fit"),
            data=Applications(applications=rows),
            page=Page(returned=len(rows)),
            limits=more if len(fitting) > limit else None,
            missing=missing,
            links=links,
        )

    async def listed(self) -> list[Listed]:
        """Every application that is known, the newest first."""
        return await self._listed("", [])

    async def _listed(self, since: str, missing: list[str]) -> list[Listed]:
        told, failed = await applications_in(self.chosen, self._histories, self.stored, since)
        missing += failed
        return told

    async def diagnose(self, app: str, attempt: str, similar: Sequence[str] = ()) -> Envelope[Diagnosis]:
        found = await self.reader.everything(self.reference(app), attempt)
        text = await asyncio.to_thread(_ends_of, found)
        answer = diagnosed(found, text, similar)
        where = f" (without {', '.join(found.missing)})" if found.missing else ""
        summary = f"{found.id} {answer.status}: {answer.category}, {answer.confidence}{where}. {answer.quote}"
        told = self.told(found, summary, answer)
        # Spark says the same of a program that left in good order and of one that left with a code.
        unknown = ["exit_code"] if answer.category == "none" and answer.confidence != "confirmed" else []
        return told.model_copy(update={"missing": [*told.missing, *unknown]})

    async def overview(self, app: str) -> Envelope[Overview]:
        found = await self.found(app)
        application = found.application or Application(found.id)
        stages = list(application.stages.values())
        answer = Overview(
            app=found.id,
            name=redact(application.name),
            user=application.user,
            attempt=application.attempt,
            status=status_of(found) if found.application else "unknown",
            started=moment(application.started / 1000),
            ended=moment(application.ended / 1000),
            duration_s=application.duration / 1000,
            spark=application.spark,
            resources={name: application.properties[name] for name in _RESOURCES if name in application.properties},
            jobs=_counted(job.status for job in application.jobs.values()),
            stages=_counted(stage.status for stage in stages),
            executors=sum(1 for executor in application.executors.values() if executor.id != "driver"),
            input_bytes=application.input_bytes,
            shuffle_bytes=sum(stage.shuffle_read for stage in stages),
            spilled_bytes=sum(stage.spill for stage in stages),
        )
        summary = f"{found.id} {answer.name}: {answer.status} after {answer.duration_s:.0f} s"
        return self.told(found, _if_known(found, summary), answer)

    async def stages(self, caller: Caller, app: str, status: str, sort: str, limit: int) -> Envelope[Stages]:
        found = await self.found(app)
        every = list(found.application.stages.values()) if found.application else []
        fitting = [stage for stage in every if not status or stage.status == status]
        rows = sorted((_stage_row(stage) for stage in fitting), key=_ORDERS[sort], reverse=True)
        told = self.told(found, _if_known(found, f"{len(rows)} of {len(every)} stages"), Stages(stages=rows[:limit]))
        return await self.results.cut(told, caller, rows, limit, "rows")

    async def stage(self, app: str, stage_id: int, attempt: int | None, include: Sequence[str]) -> Envelope[StageTold]:
        """Errors: NotFound (`no-such-stage`)."""
        found = await self.found(app)
        every = found.application.stages if found.application else {}
        attempts = [stage for (number, _), stage in every.items() if number == stage_id]
        chosen = [stage for stage in attempts if attempt in {None, stage.attempt}]
        if not chosen and found.application is None:
            chosen = [Stage(stage_id, attempt or 0)]
        if not chosen:
            hint = f"its stages are {', '.join(sorted({str(number) for number, _ in every})[:20]) or 'not known'}"
            raise NotFound(f"there is no stage {stage_id}", hint=hint, code="no-such-stage")
        stage = max(chosen, key=lambda each: each.attempt)
        times = stage.spread_of_times()
        answer = StageTold(
            stage=_stage_row(stage),
            task_ms=_spread(times) if "quantiles" in include else None,
            records=_spread(stage.spread_of_records()) if "quantiles" in include else None,
            is_skewed=skewed(stage),
            gc_share=_share(stage.gc_ms, stage.run_ms),
            failures=_failures(stage) if "failures" in include else [],
        )
        words = f"one task took {times.most / _SLOW:.1f} s, {times.skew:g} times the middle" if answer.is_skewed else ""
        summary = f"stage {stage_id}: {stage.status}, {stage.failed} failed tasks. {words}"
        return self.told(found, _if_known(found, summary), answer)

    async def environment(self, caller: Caller, app: str, section: str, keys_like: str) -> Envelope[Environment]:
        found = await self.found(app)
        properties = found.application.properties if found.application else {}
        if section == "command" and found.application:
            properties = {"command": found.application.command}
        fitting = {name: value for name, value in sorted(properties.items()) if keys_like.casefold() in name.casefold()}
        settings = {str(name): str(value)[:_LONGEST_REASON] for name, value in redact_value(fitting).items()}
        kept = dict(list(settings.items())[:_MOST_SETTINGS])
        told = self.told(
            found,
            _if_known(found, f"{len(kept)} of {len(properties)} settings"),
            Environment(section=section, settings=kept),
        )
        rows = [f"{name}={value}" for name, value in settings.items()]
        return await self.results.cut(told, caller, rows, _MOST_SETTINGS, "rows")

    async def executors(self, caller: Caller, app: str, only: str, limit: int) -> Envelope[Executors]:
        found = await self.found(app)
        every = list(found.application.executors.values()) if found.application else []
        fitting = [each for each in every if only == "all" or each.is_failed]
        rows = [_executor_row(each) for each in sorted(fitting, key=lambda each: (-each.failed, each.removed))]
        told = self.told(
            found, _if_known(found, f"{len(rows)} of {len(every)} executors"), Executors(executors=rows[:limit])
        )
        return await self.results.cut(told, caller, rows, limit, "rows")

    async def plan(self, caller: Caller, app: str, execution_id: int | None, max_chars: int) -> Envelope[PlanTold]:
        """Errors: NotFound (`no-such-query`)."""
        found = await self.found(app)
        queries = found.application.queries if found.application else {}
        query: Query | None = max(queries.values(), key=lambda each: each.duration, default=None)
        if execution_id is not None:
            query = queries.get(execution_id)
        if query is None and (queries or found.application):
            hint = f"its executions are {', '.join(map(str, sorted(queries)))[:200] or 'none'}"
            raise NotFound("there is no such SQL execution", hint=hint, code="no-such-query")
        query = query or Query(-1)
        text = redact(query.plan)
        answer = PlanTold(
            execution_id=query.id,
            description=redact(query.description),
            duration_s=query.duration / 1000,
            nodes=operators(text),
            costly=costly(text),
            error=redact(query.error)[:_LONGEST_REASON],
            plan=text[:max_chars],
        )
        told = self.told(found, _if_known(found, f"execution {query.id}: {query.duration / 1000:.1f} s"), answer)
        return await self.results.cut(told, caller, text.split("\n"), max_chars, "bytes")

    def again(self, answer: Envelope[Data]) -> Envelope[Data]:
        """The same answer, whose data were changed, with evidence for them."""
        evidence = answer.evidence
        return (
            answer
            if evidence is None
            else answer.observed(evidence.source, datetime.fromisoformat(evidence.observed_at).timestamp())
        )

    def told(self, found: Found, summary: str, data: Data) -> Envelope[Data]:
        """An answer about one application: partial where its event log is not there, with links and evidence."""
        missing = found.missing
        if found.application is None and "event_log" not in missing:
            missing.insert(0, "event_log")
        if found.application is not None and found.application.unread:
            missing.append(f"event_log: its rest ({found.application.unread})")
        links = [Link(title="History Server", url=each.link(found.id)) for each in self._histories if found.application]
        envelope = Envelope(
            status="partial" if any(each.startswith("event_log") for each in missing) else "ok",
            summary=summed_up(redact(summary)),
            data=data,
            missing=missing,
            links=links[:1],
        )
        return envelope.observed(f"spark application {found.id}", self.results.now())


_RESOURCES: Final = (
    "spark.executor.instances",
    "spark.executor.memory",
    "spark.executor.memoryOverhead",
    "spark.executor.cores",
    "spark.driver.memory",
    "spark.cores.max",
    "spark.dynamicAllocation.enabled",
    "spark.master",
)
_ORDERS: Final[Mapping[str, Callable[[StageRow], float]]] = {
    "duration": lambda row: row.duration_s,
    "skew": lambda row: row.skew,
    "failed": lambda row: row.failed,
    "shuffle": lambda row: row.shuffle_read,
    "spill": lambda row: row.spill,
}


def _if_known(found: Found, summary: str) -> str:
    """`summary`, where there is something to sum up."""
    if found.application is not None:
        return summary
    return f"nothing is known of {found.id}: its event log is not there; spark_diagnose_failure reads what is left"


def _row(each: Listed) -> FoundApplication:
    return FoundApplication(
        id=each.id,
        name=redact(each.name),
        user=each.user,
        status=each.status,
        started=moment(each.started / 1000),
        duration_s=max(0, each.ended - each.started) / 1000 if each.ended else 0.0,
        source=each.source,
    )


def _stage_row(stage: Stage) -> StageRow:
    return StageRow(
        stage=stage.id,
        attempt=stage.attempt,
        name=redact(stage.name)[:120],
        status=stage.status,
        tasks=stage.tasks,
        failed=stage.failed,
        duration_s=stage.duration / 1000,
        skew=stage.spread_of_times().skew,
        input_bytes=stage.input_bytes,
        shuffle_read=stage.shuffle_read,
        spill=stage.spill,
    )


def _spread(spread: Spread) -> SpreadTold:
    return SpreadTold(p50=spread.p50, p95=spread.p95, max=spread.most, skew=spread.skew)


def _failures(stage: Stage) -> list[StageFailure]:
    kinds = sorted(stage.failures.values(), key=lambda each: -each.count)[:5]
    told = [
        StageFailure(
            reason=each.reason, count=each.count, executor=each.executor, text=redact(each.text)[:_LONGEST_REASON]
        )
        for each in kinds
    ]
    if not told and stage.failure:
        text = redact(stage.failure)[:_LONGEST_REASON]
        told.append(StageFailure(reason="stage", count=max(1, stage.failed), executor="", text=text))
    return told


def _executor_row(executor: Executor) -> ExecutorRow:
    return ExecutorRow(
        executor=executor.id,
        host=executor.host,
        reason=redact(executor.reason)[:_LONGEST_REASON],
        tasks=executor.tasks,
        failed=executor.failed,
        gc_share=_share(executor.gc_ms, executor.run_ms),
        peak_memory=executor.peak_memory,
        removed=moment(executor.removed / 1000),
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _counted(words: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


def _ends_of(found: Found) -> list[tuple[str, str]]:
    """The ends of its logs, the driver's first."""
    places: list[tuple[str, Path]] = []
    if found.driver_log is not None:
        places.append(("driver log", found.driver_log))
    for number, place in list(found.executor_logs.items())[-_MOST_EXECUTOR_LOGS:]:
        places.append((f"executor log {number}", place))
    return [(source, "\n".join(last_lines(place))) for source, place in places]
