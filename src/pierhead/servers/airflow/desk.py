"""What the reading tools of an Airflow server do: find, tell, compare. Bounded, and the newest attempt by default.

Above: `server` declares the tools. Below: `api`. Beside: `diagnosing`, `reading` (logs), `changing`.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from pierhead.sdk import NotFound, ToolFailed
from pierhead.sdk.envelope import Envelope, Limits, Link, Page, summed_up
from pierhead.sdk.redacting import redact, redact_value
from pierhead.servers.airflow.answers import (
    Dags,
    DagTold,
    FoundDag,
    Health,
    Resolved,
    Runs,
    RunTold,
    TaskTold,
)
from pierhead.servers.airflow.api import ApiV2, no_such
from pierhead.servers.airflow.cursors import begin_of, cursor_at
from pierhead.servers.airflow.graph import Graph
from pierhead.servers.airflow.links import link_to, place_of
from pierhead.servers.airflow.settings import AirflowSettings
from pierhead.servers.airflow.shapes import Dag, Instance, Run, TaskDefinition, seconds_of

Data = TypeVar("Data", bound=BaseModel)
Clock = Callable[[], float]

LATEST: Final = "latest"
LATEST_FAILED: Final = "latest_failed"
LAST_SUCCESS: Final = "last_success"
_RENDERED: Final = 4096
_VALUE: Final = 500
_FIRST_ERRORS: Final = 5
_MOST_TASKS: Final = 50
_SCHEDULE: Final = {
    "timetable_summary",
    "timetable_description",
    "next_run",
    "catchup",
    "start_date",
    "timezone",
    "max_active_runs",
    "max_active_tasks",
    "dag_run_timeout",
    "max_consecutive_failed_dag_runs",
}


class Desk:
    """Over one Airflow. `now` is the wall clock, for the moment of evidence, in Unix seconds."""

    def __init__(self, chosen: AirflowSettings, api: ApiV2, now: Clock) -> None:
        self.chosen = chosen
        self.api = api
        self.now = now

    def told(self, answer: Envelope[Data], source: str) -> Envelope[Data]:
        """With its evidence."""
        return answer.observed(f"{self.chosen.title}: {source}", self.now())

    def link(self, dag_id: str, run_id: str = "", task_id: str = "", map_index: int = -1) -> str:
        return link_to(self.chosen, dag_id, run_id, task_id, map_index)

    async def run_of(self, dag_id: str, run_id: str, *, but: str = "") -> Run:
        """A run by its id, or by a word for one. Errors: NotFound (`airflow-not-found`), Invalid."""
        if run_id not in {LATEST, LATEST_FAILED, LAST_SUCCESS}:
            return await self.api.run(dag_id, run_id)
        state = {LATEST_FAILED: "failed", LAST_SUCCESS: "success"}.get(run_id, "")
        runs, _ = await self.api.runs(dag_id, state=state, limit=2)
        found = next((run for run in runs if run.dag_run_id != but), None)
        if found is None:
            await self.api.dag(dag_id)
            what = {LATEST_FAILED: "failed run", LAST_SUCCESS: "successful run"}.get(run_id, "run")
            raise no_such(f"{what} of {dag_id}", "airflow_list_runs shows those it has")
        return found

    def resolve(self, url: str) -> Envelope[Resolved]:
        """Errors: Invalid, as `place_of`."""
        place = place_of(url, self.chosen)
        data = Resolved(
            instance=self.chosen.title,
            dag_id=place.dag_id,
            run_id=place.run_id,
            task_id=place.task_id,
            map_index=place.map_index if place.map_index >= 0 else None,
            try_number=place.number or None,
        )
        missing = [f"the run of {place.logical_date}: airflow_list_runs finds it"] if place.logical_date else []
        parts = [part for part in (place.dag_id, place.run_id, place.task_id) if part]
        status = "partial" if missing else "ok"
        answer = Envelope(status=status, summary=summed_up(" / ".join(parts)), data=data, missing=missing)
        return self.told(answer, "link")

    async def search(self, query: str, owner: str, tag: str, state: str, limit: int, cursor: str) -> Envelope[Dags]:
        """Errors: Invalid (`airflow-option`, `bad-cursor`)."""
        asked = ("search", query, owner, tag, state)
        begin = begin_of(cursor, asked)
        found, total = await self.api.dags(query=query, owner=owner, tag=tag, state=state, limit=limit, offset=begin)
        end = begin + len(found)
        more = cursor_at(end, asked) if end < total and found else None
        # Airflow takes % and _ for wildcards, and has no way to say that they are none.
        meant = [dag for dag in found if query.casefold() in dag.dag_id.casefold()]
        of = f" of {total}" if len(meant) == len(found) else ""
        summary = f"{len(meant)}{of} DAGs" + (": " + ", ".join(dag.dag_id for dag in meant) if meant else "")
        answer = Envelope(
            summary=summed_up(summary),
            data=Dags(dags=[_found(dag) for dag in meant]),
            page=Page(returned=len(meant), next_cursor=more),
        )
        return self.told(answer, "DAGs")

    async def dag(self, dag_id: str, include: Sequence[str], source_max_bytes: int) -> Envelope[DagTold]:
        """What was asked for; what cannot be read is `missing`. Errors: NotFound."""
        wanted = frozenset(include)
        dag, tasks = await asyncio.gather(self.api.dag(dag_id), self.api.tasks(dag_id))
        missing: list[str] = []
        assets = await self._assets(dag_id, missing) if "assets" in wanted else {}
        source, size = await self._source(dag, source_max_bytes, missing) if "source" in wanted else ("", 0)
        limits = None
        if size > len(source.encode()) > 0:
            limits = Limits(why="bytes", seen=size, next="a larger source_max_bytes, or its file in the repository")
        elif len(tasks) > _MOST_TASKS and wanted & {"graph", "retries"}:
            limits = Limits(why="rows", seen=len(tasks), next="airflow_get_task for one")
        data = _told_of(dag, tasks, wanted, assets, source, size)
        state = "paused" if dag.is_paused else "active"
        summary = f"{dag_id}: {state}, {len(tasks)} tasks, {dag.timetable_description or dag.timetable_summary}"
        answer = Envelope(
            status="partial" if missing else "ok",
            summary=summed_up(redact(summary)),
            data=data,
            limits=limits,
            missing=missing,
            links=[Link(title=dag_id, url=self.link(dag_id))],
        )
        return self.told(answer, f"DAG {dag_id}")

    async def _assets(self, dag_id: str, missing: list[str]) -> dict[str, list[str]]:
        try:
            found = await self.api.assets(dag_id=dag_id)
        except (NotFound, ToolFailed) as failed:
            missing.append(f"assets: {failed.message}")
            return {}
        writes = [each.title for each in found if any(end.dag_id == dag_id for end in each.producers)]
        reads = [each.title for each in found if any(end.dag_id == dag_id for end in (*each.readers, *each.scheduled))]
        return {"writes": writes, "reads": reads}

    async def _source(self, dag: Dag, most: int, missing: list[str]) -> tuple[str, int]:
        """The beginning of its file, redacted, and how many bytes the file has."""
        try:
            whole = redact(await self.api.source(dag))
        except (NotFound, ToolFailed) as failed:
            missing.append(f"source: {failed.message}")
            return "", 0
        raw = whole.encode()
        return raw[:most].decode(errors="ignore"), len(raw)

    async def runs(self, dag_id: str, state: str, since: str, limit: int) -> Envelope[Runs]:
        moment = f"{since}T00:00:00Z" if since and "T" not in since else since
        found, total = await self.api.runs(dag_id, state=state, since=moment, limit=limit)
        states = ", ".join(f"{run.dag_run_id} {run.state}" for run in found[:5])
        limits = Limits(why="rows", seen=total, next="narrow by state or since") if total > len(found) else None
        answer = Envelope(
            summary=summed_up(f"{len(found)} of {total} runs of {dag_id}" + (f": {states}" if states else "")),
            data=Runs(runs=[self.run_told(dag_id, run) for run in found]),
            page=Page(returned=len(found)),
            limits=limits,
            links=[Link(title=dag_id, url=self.link(dag_id))],
        )
        return self.told(answer, f"runs of {dag_id}")

    def run_told(self, dag_id: str, run: Run) -> RunTold:
        return RunTold(
            run_id=run.dag_run_id,
            state=run.state,
            kind=run.run_type,
            logical_date=run.logical_date,
            started=run.start_date,
            ended=run.end_date,
            seconds=_rounded(run.duration),
            version=run.version,
            url=self.link(dag_id, run.dag_run_id),
        )

    async def instance(self, dag_id: str, run_id: str, task_id: str, number: int, map_index: int) -> Instance:
        """One attempt, by default the newest. Errors: NotFound."""
        newest = await self.api.instance(dag_id, run_id, task_id, map_index)
        if number in {0, newest.try_number}:
            return newest
        if number > newest.try_number:
            raise no_such(f"try {number} of {newest.name}", f"its newest is {newest.try_number}")
        return await self.api.attempt(dag_id, run_id, task_id, map_index, number)

    async def task(self, dag_id: str, run_id: str, task_id: str, number: int, map_index: int) -> Envelope[TaskTold]:
        run = await self.run_of(dag_id, run_id)
        found, tasks = await asyncio.gather(
            self.instance(dag_id, run.dag_run_id, task_id, number, map_index), self.api.tasks(dag_id)
        )
        graph = Graph.of(tasks)
        rendered, size = _rendered(found.rendered_fields)
        cut = Limits(why="bytes", seen=size, next="the rest is on its page") if size > _RENDERED else None
        data = TaskTold(
            task_id=found.task_id,
            map_index=found.map_index if found.map_index >= 0 else None,
            run_id=run.dag_run_id,
            state=found.state,
            try_number=found.try_number,
            max_tries=found.max_tries,
            retries_left=found.retries_left,
            operator=found.operator,
            pool=found.pool,
            queue=found.queue,
            hostname=found.hostname,
            started=found.start_date,
            ended=found.end_date,
            seconds=_rounded(found.duration),
            version=found.dag_version.version_number if found.dag_version else None,
            rendered=rendered,
            upstream=sorted(graph.above.get(task_id, ())),
            downstream=sorted(graph.below.get(task_id, ())),
        )
        url = self.link(dag_id, run.dag_run_id, task_id, found.map_index)
        summary = f"{found.name} of {run.dag_run_id}: {found.state or 'no state'}, try {found.try_number}"
        answer = Envelope(
            summary=summed_up(summary), data=data, limits=cut, links=[Link(title=f"{found.name} and its log", url=url)]
        )
        return self.told(answer, f"task {dag_id}.{found.name}")

    async def health(self) -> Envelope[Health]:
        """What could be read of it. Errors: UpstreamUnreachable, where nothing could."""
        said, failures, pools = await asyncio.gather(
            self.api.health(), self.api.import_failures(_FIRST_ERRORS), self.api.pools(), return_exceptions=True
        )
        queued, running = await asyncio.gather(
            self.api.queued("queued"), self.api.queued("running"), return_exceptions=True
        )
        if isinstance(said, BaseException):
            raise said
        named = {"import errors": failures, "pools": pools, "queue": queued, "running tasks": running}
        missing = [f"{name}: {_why(each)}" for name, each in named.items() if isinstance(each, BaseException)]
        found, total = ([], 0) if isinstance(failures, BaseException) else failures
        parts = _parts(said)
        full = [] if isinstance(pools, BaseException) else pools
        data = Health(
            instance=self.chosen.title,
            parts=parts,
            import_errors=total,
            first_import_errors=[
                {"file": each.filename, "error": redact(_last_line(each.stack_trace)), "at": each.timestamp}
                for each in found
            ],
            pools=[each.model_dump(exclude={"scheduled_slots"}) for each in full],
            queued=None if isinstance(queued, BaseException) else queued,
            running=None if isinstance(running, BaseException) else running,
        )
        ill = [name for name, its in parts.items() if its["status"] not in {"healthy", ""}]
        summary = f"{self.chosen.title}: " + (f"ill: {', '.join(ill)}" if ill else "healthy")
        summary += f"; {total} import errors; queued {data.queued}, running {data.running}"
        status = "partial" if missing else "ok"
        return self.told(Envelope(status=status, summary=summed_up(summary), data=data, missing=missing), "health")


def _why(failed: BaseException) -> str:
    """Errors: whatever is none of ours."""
    if isinstance(failed, NotFound | ToolFailed):
        return failed.message
    raise failed


def _parts(said: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    parts: dict[str, dict[str, str]] = {}
    for name, its in said.items():
        if isinstance(its, Mapping):
            members = {str(key): str(value) for key, value in its.items() if value is not None}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            beat = next((value for key, value in members.items() if key.endswith("heartbeat")), "")
            parts[name] = {"status": members.get("status", ""), "heartbeat": beat}
    return parts


def _last_line(trace: str) -> str:
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return lines[-1][:_VALUE] if lines else ""


def _found(dag: Dag) -> FoundDag:
    return FoundDag(
        dag_id=dag.dag_id,
        owners=dag.owners,
        tags=dag.tags,
        is_paused=dag.is_paused,
        schedule=dag.timetable_summary or dag.timetable_description,
        next_run=dag.next_run,
        has_import_errors=dag.has_import_errors,
        description=redact(dag.description)[:_VALUE],
    )


def _told_of(
    dag: Dag,
    tasks: Sequence[TaskDefinition],
    wanted: frozenset[str],
    assets: dict[str, list[str]],
    source: str,
    size: int,
) -> DagTold:
    schedule = dag.model_dump(include=_SCHEDULE)
    shown = tasks[:_MOST_TASKS]
    graph = [{"task_id": task.task_id, "operator": task.kind, "next": task.downstream_task_ids} for task in shown]
    retries = [
        {"task_id": task.task_id, "retries": task.retries, "delay_s": seconds_of(task.retry_delay)}
        | {"timeout_s": seconds_of(task.execution_timeout), "pool": task.pool, "trigger_rule": task.trigger_rule}
        for task in shown
    ]
    return DagTold(
        dag_id=dag.dag_id,
        is_paused=dag.is_paused,
        description=redact(dag.description)[:_VALUE],
        version=dag.latest_dag_version.version_number if dag.latest_dag_version else None,
        schedule={key: value for key, value in schedule.items() if value not in (None, "")}
        if "schedule" in wanted
        else {},
        tasks=graph if "graph" in wanted else [],
        sensors=[
            {"task_id": task.task_id, "operator": task.kind, "timeout_s": seconds_of(task.execution_timeout)}
            for task in tasks
            if task.is_sensor
        ][:_MOST_TASKS]
        if "sensors" in wanted
        else [],
        retries=retries if "retries" in wanted else [],
        assets=assets,
        owners=sorted({*dag.owners, *(task.owner for task in tasks if task.owner)}) if "owners" in wanted else [],
        params=redact_value(dag.params) if "schedule" in wanted else {},
        source=source,
        source_bytes=size,
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _rendered(fields: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Rendered fields within 4 KB, redacted, and how large they are."""
    clean = redact_value(dict(fields))
    size = len(json.dumps(clean, default=str))
    if size <= _RENDERED:
        return clean, size
    room = _RENDERED
    kept: dict[str, Any] = {}
    for name, value in clean.items():
        text = value if isinstance(value, str) else json.dumps(value, default=str)
        kept[name] = text[: max(0, room)]
        room -= len(kept[name]) + len(name)
    return kept, size
