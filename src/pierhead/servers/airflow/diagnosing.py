"""Why a run failed, or waits: where it began in the graph, what the log shows, what changed, what is at risk.

Above: `server`. Below: `graph`, `failures`, `reading`. What cannot be read is `missing`, and nothing is guessed.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pierhead.sdk import NotFound, ToolFailed
from pierhead.sdk.envelope import Envelope, Limits, Link, summed_up
from pierhead.sdk.redacting import redact
from pierhead.servers.airflow.answers import Diagnosis, FailedTask, Wait
from pierhead.servers.airflow.desk import LAST_SUCCESS, LATEST, LATEST_FAILED, Desk
from pierhead.servers.airflow.events import noted, set_by_somebody
from pierhead.servers.airflow.failures import Failure, failure_of
from pierhead.servers.airflow.graph import Graph
from pierhead.servers.airflow.reading import tail
from pierhead.servers.airflow.shapes import Event, Instance, Pool, Run, TaskDefinition, seconds_of

_MOST_FAILED: Final = 3
_MOST_WAITS: Final = 10
_MOST_ASSETS: Final = 10
_LOG: Final = 4 * 2**20
_SLOW: Final = frozenset({"running", "deferred", "up_for_reschedule"})
_UNSTARTED: Final = frozenset({"", "scheduled", "queued"})
_BROKEN: Final = frozenset({"failed", "up_for_retry"})
_UNTOLD_END: Final = {"category": "unknown", "reason": "no task of it failed, or it was cleared"}
#: What a log says that does not know why it ended.
_UNTOLD: Final = frozenset({"unknown", "killed"})


@dataclass(slots=True)
class _Case:
    """One run, with what is known around it."""

    desk: Desk
    dag_id: str
    run: Run
    tasks: Sequence[TaskDefinition]
    instances: Sequence[Instance]
    total: int
    missing: list[str] = field(default_factory=list[str])

    @property
    def graph(self) -> Graph:
        return Graph.of(self.tasks)


async def diagnose(desk: Desk, dag_id: str, run_id: str) -> Envelope[Diagnosis]:
    """Errors: NotFound, UpstreamUnreachable, ToolFailed."""
    run = await _chosen(desk, dag_id, run_id)
    tasks, (instances, total) = await asyncio.gather(desk.api.tasks(dag_id), desk.api.instances(dag_id, run.dag_run_id))
    case = _Case(desk, dag_id, run, tasks, instances, total)
    first = _first_failed(case)
    failed, ended_by, waits, success, assets = await asyncio.gather(
        asyncio.gather(*(_failed_task(case, each) for each in first[:_MOST_FAILED])),
        _ended_by(case),
        _waits(case),
        _last_success(case),
        _at_risk(case),
    )
    data = Diagnosis(
        dag_id=dag_id,
        run_id=run.dag_run_id,
        run_state=run.state,
        first_failed=list(failed),
        ended_by=ended_by,
        failed=sum(each.state == "failed" for each in instances),
        upstream_failed=sum(each.state == "upstream_failed" for each in instances),
        waits=waits,
        version=_version(case, success),
        last_success=success.dag_run_id if success else "",
        assets_at_risk=assets,
    )
    limits = None
    if total > len(instances) or len(first) > _MOST_FAILED:
        limits = Limits(why="rows", seen=max(total, len(first)), next="airflow_get_task_logs for the others")
    answer = Envelope(
        status="partial" if case.missing else "ok",
        summary=summed_up(_summary(data)),
        data=data,
        limits=limits,
        missing=case.missing,
        links=[Link(title=run.dag_run_id, url=desk.link(dag_id, run.dag_run_id))],
    )
    return desk.told(answer, f"run {run.dag_run_id} of {dag_id}")


async def _chosen(desk: Desk, dag_id: str, run_id: str) -> Run:
    """The run that is meant; where none failed, the newest."""
    try:
        return await desk.run_of(dag_id, run_id)
    except NotFound:
        if run_id != LATEST_FAILED:
            raise
        return await desk.run_of(dag_id, LATEST)


def _first_failed(case: _Case) -> list[Instance]:
    broken = [each for each in case.instances if each.state in _BROKEN]
    names = case.graph.first({each.task_id for each in broken})
    return [each for name in names for each in sorted(broken, key=lambda one: one.map_index) if each.task_id == name]


async def _failed_task(case: _Case, instance: Instance) -> FailedTask:
    run_id = case.run.dag_run_id
    known = instance.model_copy(update={"dag_id": case.dag_id, "dag_run_id": run_id})
    try:
        kept = await tail(case.desk, known, _LOG)
        failure = await asyncio.to_thread(failure_of, kept)
    except (NotFound, ToolFailed) as failed:
        case.missing.append(f"log of {instance.name}: {failed.message}")
        failure = Failure()
    verdict = failure.verdict
    if verdict.category in _UNTOLD:
        verdict = noted(await _events(case), known) or verdict
    return FailedTask(
        task_id=instance.task_id,
        map_index=instance.map_index if instance.map_index >= 0 else None,
        state=instance.state,
        operator=instance.operator,
        try_number=instance.try_number,
        retries_left=instance.retries_left,
        category=verdict.category,
        confidence=verdict.confidence,
        rules=list(verdict.rules),
        quote=redact(verdict.quote),
        fingerprint=failure.fingerprint,
        exceptions=failure.exceptions,
        external_ids=failure.external_ids,
        started=instance.start_date,
        ended=instance.end_date,
        url=case.desk.link(case.dag_id, run_id, instance.task_id, instance.map_index),
    )


async def _events(case: _Case) -> Sequence[Event]:
    try:
        return await case.desk.api.events(case.dag_id, case.run.dag_run_id)
    except (NotFound, ToolFailed) as failed:
        case.missing.append(f"events: {failed.message}")
        return []


async def _ended_by(case: _Case) -> dict[str, str]:
    """Why a run failed in which no task did: its time was over, or nothing of it could start."""
    if case.run.state != "failed" or any(each.state in _BROKEN for each in case.instances):
        return {}
    most = seconds_of((await case.desk.api.dag(case.dag_id)).dag_run_timeout)
    lasted = case.run.duration
    if most is not None and lasted is not None and lasted >= most:
        return {"category": "timeout", "reason": f"dagrun_timeout of {most:.0f} s is over: it ran for {lasted:.0f} s"}
    stuck = [each.name for each in case.instances if each.state in _UNSTARTED]
    if not stuck:
        by = set_by_somebody(await _events(case), "", case.run.start_date)
        return {"category": by.category, "reason": by.quote} if by else dict(_UNTOLD_END)
    earlier = {task.task_id for task in case.tasks if task.depends_on_past} & {each.task_id for each in case.instances}
    why = "depends_on_past, and the run before has not succeeded" if earlier else "what they wait for cannot come"
    return {"category": "unknown", "reason": f"deadlock: {', '.join(stuck[:5])} could not start: {why}"}


async def _waits(case: _Case) -> list[Wait]:
    """What a run that has not ended waits for: a paused DAG, a full pool, a sensor."""
    if case.run.state not in {"queued", "running"}:
        return []
    dag = await case.desk.api.dag(case.dag_id)
    paused = [Wait(task_id="", why="paused", detail="the DAG is paused", since="")] if dag.is_paused else []
    pools = await _pools(case)
    sensors = {task.task_id for task in case.tasks if task.is_sensor}
    done = {each.task_id for each in case.instances if each.state in {"success", "skipped"}}
    found: list[Wait] = []
    for each in case.instances:
        since = each.queued_when or each.scheduled_when or each.start_date
        is_next = case.graph.above.get(each.task_id, frozenset()) <= done
        if each.state in _UNSTARTED and is_next and (fault := _fault_of(each.pool, pools)):
            found.append(Wait(task_id=each.name, why="pool", detail=fault, since=since))
        elif each.task_id in sensors and each.state in _SLOW:
            found.append(Wait(task_id=each.name, why="sensor", detail=each.operator, since=each.start_date))
        elif each.state == "queued":
            found.append(Wait(task_id=each.name, why="queue", detail=each.queue, since=since))
    return [*paused, *found][:_MOST_WAITS]


async def _pools(case: _Case) -> dict[str, Pool]:
    try:
        pools = await case.desk.api.pools()
    except (NotFound, ToolFailed) as failed:
        case.missing.append(f"pools: {failed.message}")
        return {}
    return {each.name: each for each in pools}


def _fault_of(name: str, pools: Mapping[str, Pool]) -> str:
    """Why nothing of that pool starts; empty where it does, or where nobody knows the pools."""
    if not pools or not name:
        return ""
    pool = pools.get(name)
    if pool is None:
        return f"there is no pool {name}"
    return f"{name}: {pool.occupied_slots} of {pool.slots} slots taken" if pool.open_slots <= 0 else ""


async def _last_success(case: _Case) -> Run | None:
    try:
        return await case.desk.run_of(case.dag_id, LAST_SUCCESS)
    except NotFound:
        return None


def _version(case: _Case, success: Run | None) -> dict[str, Any]:
    """Whether the DAG changed since it last succeeded; null where nobody knows."""
    now, then = case.run.version, success.version if success else None
    if now is None:
        case.missing.append("dag_versions: this API has none")
    changed = None if now is None or then is None else now != then
    return {"run": now, "last_success": then, "changed": changed}


async def _at_risk(case: _Case) -> list[dict[str, Any]]:
    """The assets that this run should have written and did not, and who is scheduled by them."""
    if not any(each.state in {*_BROKEN, "upstream_failed"} for each in case.instances):
        return []
    try:
        assets = await case.desk.api.assets(dag_id=case.dag_id)
    except (NotFound, ToolFailed) as failed:
        case.missing.append(f"assets: {failed.message}")
        return []
    undone = {each.task_id for each in case.instances if each.state not in {"success", "skipped"}}
    found: list[dict[str, Any]] = []
    for each in assets:
        writers = sorted(end.task_id for end in each.producers if end.dag_id == case.dag_id and end.task_id in undone)
        if writers:
            waiting = sorted({end.dag_id for end in (*each.scheduled, *each.readers)} - {case.dag_id})
            found.append(
                {"asset": each.title, "not_written_by": writers, "dags": waiting, "last_written": each.last_event}
            )
    return found[:_MOST_ASSETS]


def _summary(data: Diagnosis) -> str:
    told = f"{data.run_id} of {data.dag_id} is {data.run_state}"
    for each in data.first_failed[:1]:
        told += f"; first {each.state}: {each.task_id}, {each.category} ({each.confidence})"
        told += f": {each.quote[:200]}" if each.quote else ""
    told += f"; {data.ended_by['category']}: {data.ended_by['reason']}" if data.ended_by else ""
    told += (
        f"; waits: {', '.join(f'{each.task_id or data.dag_id} ({each.why})' for each in data.waits)}"
        if data.waits
        else ""
    )
    return told + ("; another version of the DAG than at the last success" if data.version["changed"] else "")
