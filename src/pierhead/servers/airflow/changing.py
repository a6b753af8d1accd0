"""What is changed in Airflow: task instances cleared or marked by a plan, runs triggered, DAGs paused.

A plan pins each task instance with its state and its attempt, so that whatever moved on in between is not touched.
Whoever acts is on call, or owns the DAG; that is asked again right before. Below: `api`. Not here: who is asked to
approve (`writing`).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from pierhead.sdk import Caller, Conflict, Forbidden, Invalid, NotFound, Plan, UpstreamUnreachable
from pierhead.sdk.envelope import Envelope, Link, summed_up
from pierhead.sdk.redacting import redact
from pierhead.sdk.schema import value_fault
from pierhead.servers.airflow.answers import Changed, Cleared, Marking, Paused, Pinned, TaskToClear, Triggered
from pierhead.servers.airflow.desk import Desk
from pierhead.servers.airflow.shapes import Instance, Run

MOST_CLEARED: Final = 500
_LARGEST_CONF: Final = 16_384
_CONFLICT: Final = "upstream-conflict"


def allowed(desk: Desk, caller: Caller, dag_id: str) -> None:
    """Errors: Forbidden (`not-your-dag`)."""
    if not desk.chosen.may_act_on(caller, dag_id):
        message = "you are neither on call for this Airflow nor an owner of this DAG"
        raise Forbidden(message, hint="ask its owner, or whoever is on call", code="not-your-dag")


def owned(desk: Desk, caller: Caller, dag_id: str) -> None:
    """Errors: Forbidden (`not-your-dag`)."""
    if not desk.chosen.owns(caller, dag_id):
        raise Forbidden("you are no owner of this DAG", hint="ask its owner", code="not-your-dag")


async def plan_clear(
    desk: Desk, dag_id: str, run_id: str, task_ids: Sequence[str], only_failed: bool, downstream: bool
) -> Plan[TaskToClear]:
    """The exact task instances that Airflow itself says it would clear. Errors: NotFound; Invalid; Conflict."""
    run = await desk.run_of(dag_id, run_id)
    names = sorted(task_ids or [task.task_id for task in await desk.api.tasks(dag_id)])
    found = await desk.api.would_clear(dag_id, run.dag_run_id, names, only_failed=only_failed, downstream=downstream)
    if not found:
        hint = "only_failed=false takes those that succeeded, too"
        raise Invalid("there is nothing to clear", hint=hint, code="nothing-to-clear")
    if len(found) > MOST_CLEARED:
        message = f"these are {len(found)} task instances, more than {MOST_CLEARED}"
        raise Invalid(message, hint="name task_ids", code="too-many-instances")
    running = next((each for each in found if each.state in {"running", "queued"}), None)
    if running is not None:
        message = f"{running.name} is {running.state}: it is not cleared while it works"
        raise Conflict(message, hint="wait for its end", code="task-runs")
    items = _by_task(run.dag_run_id, found, await _written(desk, dag_id))
    outputs = sorted({asset for item in items for asset in item.overwrites})
    summary = f"clear {len(found)} task instances of {dag_id}, run {run.dag_run_id}, which Airflow then runs again"
    return Plan(
        (summary + (f"; written anew: {', '.join(outputs)}" if outputs else ""))[:300],
        items,
        cost=f"they took {sum(each.duration or 0.0 for each in found):.0f} s in their newest attempts",
        evidence=[desk.link(dag_id, run.dag_run_id)],
        count=len(found),
        state=_digest([run.state, run.version, [item.model_dump() for item in items]]),
    )


async def clear(desk: Desk, plan: Plan[TaskToClear], caller: Caller) -> Envelope[Cleared]:
    """Those of the plan and no others. Errors: Forbidden; Conflict, where one of them runs by now."""
    dag_id = str(plan.arguments["dag_id"])
    allowed(desk, caller, dag_id)
    run_id = plan.items[0].run_id
    wanted = [(item.task_id, each.map_index) for item in plan.items for each in item.instances]
    cleared = await desk.api.clear(dag_id, run_id, wanted)
    kept = {(each.task_id, each.map_index) for each in cleared}
    missing = [f"{name}[{index}]: Airflow did not clear it" for name, index in wanted if (name, index) not in kept]
    url = desk.link(dag_id, run_id)
    answer = Envelope(
        status="partial" if missing else "ok",
        summary=summed_up(f"{len(cleared)} task instances of {dag_id}, run {run_id} cleared: they run again"),
        data=Cleared(dag_id=dag_id, run_id=run_id, cleared=[each.name for each in cleared]),
        missing=missing,
        links=[Link(title=run_id, url=url)],
    )
    return desk.told(answer, f"run {run_id}")


def _by_task(run_id: str, found: Sequence[Instance], written: Mapping[str, Sequence[str]]) -> list[TaskToClear]:
    by_task: dict[str, list[Pinned]] = {}
    for each in sorted(found, key=lambda one: (one.task_id, one.map_index)):
        pinned = Pinned(map_index=each.map_index, state=each.state, try_number=each.try_number)
        by_task.setdefault(each.task_id, []).append(pinned)
    return [
        TaskToClear(run_id=run_id, task_id=name, instances=its, overwrites=list(written.get(name, ())))
        for name, its in by_task.items()
    ]


async def _written(desk: Desk, dag_id: str) -> dict[str, list[str]]:
    """The assets that each task of the DAG writes."""
    written: dict[str, list[str]] = {}
    for asset in await desk.api.assets(dag_id=dag_id):
        for end in asset.producers:
            if end.dag_id == dag_id:
                written.setdefault(end.task_id, []).append(redact(asset.title))
    return {name: sorted(its) for name, its in written.items()}


async def trigger(
    desk: Desk, dag_id: str, conf: Mapping[str, Any], logical_date: str, idempotency_key: str, caller: Caller
) -> Envelope[Triggered]:
    """A run, or the one that this key made before. Errors: Invalid; Conflict (`key-reused`, `airflow-run-exists`)."""
    allowed(desk, caller, dag_id)
    dag = await desk.api.dag(dag_id)
    _conf_fits(conf, dag.params)
    logical_date = _moment(logical_date) if logical_date else ""
    who = caller.person
    run_id = f"pierhead__{_digest([dag_id, idempotency_key, who.issuer if who else '', caller.name])[-32:]}"
    try:
        run, is_new = await desk.api.trigger(dag_id, run_id, conf, logical_date), True
    except (Conflict, UpstreamUnreachable) as failed:
        if isinstance(failed, Conflict) and failed.code != _CONFLICT:
            raise
        run, is_new = await _there(desk, dag_id, run_id, logical_date, failed), False
    if dict(run.conf) != dict(conf) or (logical_date and not _same(run.logical_date, logical_date)):
        message = "this idempotency key made a run with other arguments"
        raise Conflict(message, hint="take a new key", code="key-reused")
    summary = f"{dag_id}: run {run.dag_run_id} {'made' if is_new else 'was there'}, {run.state}"
    summary += "; the DAG is paused, so it waits" if dag.is_paused else ""
    data = Triggered(dag_id=dag_id, run_id=run.dag_run_id, state=run.state, is_new=is_new, is_paused=dag.is_paused)
    link = Link(title=run.dag_run_id, url=desk.link(dag_id, run.dag_run_id))
    return desk.told(Envelope(summary=summed_up(summary), data=data, links=[link]), f"run {run.dag_run_id}")


async def _there(desk: Desk, dag_id: str, run_id: str, logical_date: str, failed: Exception) -> Run:
    """The run that the key made. Errors: Conflict (`airflow-run-exists`); `failed`, where there is none."""
    try:
        return await desk.api.run(dag_id, run_id)
    except NotFound:
        pass
    others = await desk.api.runs_at(dag_id, logical_date) if logical_date else []
    if others:
        message = f"{dag_id} has a run of that logical date: {others[0].dag_run_id}"
        raise Conflict(message, hint="clear it: airflow_plan_clear", code="airflow-run-exists") from None
    raise failed


def _same(one: str, other: str) -> bool:
    """Whether both name the same moment."""
    return datetime.fromisoformat(one).astimezone(UTC) == datetime.fromisoformat(other).astimezone(UTC)


def _moment(text: str) -> str:
    """In UTC, as Airflow's API wants it. Errors: Invalid (`bad-arguments`)."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid("there is no such day or hour", hint="2026-11-20T00:00:00Z", code="bad-arguments") from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC).isoformat()


def _conf_fits(conf: Mapping[str, Any], params: Mapping[str, Any]) -> None:
    """Schemas with `$ref` are left to Airflow. Errors: Invalid (`conf-not-allowed`), which repeats no value."""
    if len(json.dumps(dict(conf))) > _LARGEST_CONF:
        raise Invalid("conf is larger than 16 KiB", hint="name a file instead", code="conf-not-allowed")
    unknown = sorted(conf.keys() - params.keys())
    if unknown:
        message = f"the DAG has no params {', '.join(unknown)[:200]}"
        known = ", ".join(sorted(params))[:200] or "none"
        raise Invalid(message, hint=f"its params: {known}", code="conf-not-allowed")
    for name, value in sorted(conf.items()):
        its = params[name]
        schema = cast("Mapping[str, Any]", its).get("schema") if isinstance(its, Mapping) else None
        if isinstance(schema, Mapping) and _misfits(cast("Mapping[str, object]", schema), value):
            message = f"the value of {name} is not what its schema says"
            raise Invalid(message, hint="airflow_get_dag shows the params", code="conf-not-allowed")


def _misfits(schema: Mapping[str, object], value: object) -> bool:
    return "$ref" not in json.dumps(schema) and bool(value_fault(schema, value))


async def set_paused(desk: Desk, dag_id: str, paused: bool, caller: Caller) -> Envelope[Paused]:
    """Errors: Forbidden; NotFound."""
    allowed(desk, caller, dag_id)
    before = await desk.api.dag(dag_id)
    after = before if before.is_paused is paused else await desk.api.set_paused(dag_id, paused=paused)
    words = {True: "paused", False: "active", None: "unknown"}
    summary = f"{dag_id}: {words[before.is_paused]} before, {words[after.is_paused]} now"
    data = Paused(dag_id=dag_id, before=before.is_paused, after=after.is_paused)
    link = Link(title=dag_id, url=desk.link(dag_id))
    return desk.told(Envelope(summary=summed_up(summary), data=data, links=[link]), f"DAG {dag_id}")


async def plan_mark(desk: Desk, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> Plan[Marking]:
    """Errors: NotFound; Invalid (`nothing-to-mark`)."""
    run = await desk.run_of(dag_id, run_id)
    found = await desk.api.instance(dag_id, run.dag_run_id, task_id, map_index)
    if found.state == state:
        raise Invalid(f"{found.name} is {state} already", hint="there is nothing to do", code="nothing-to-mark")
    item = Marking(
        run_id=run.dag_run_id,
        task_id=task_id,
        map_index=map_index,
        before=found.state,
        after=state,
        try_number=found.try_number,
    )
    return Plan(
        f"mark {found.name} of {dag_id}, run {run.dag_run_id} as {state}, though it is {found.state or 'not run'}"[
            :300
        ],
        [item],
        undo="clear it: airflow_plan_clear",
        evidence=[desk.link(dag_id, run.dag_run_id, task_id, map_index)],
    )


async def mark(desk: Desk, plan: Plan[Marking], caller: Caller) -> Envelope[Changed]:
    """Partial, where Airflow says that the task is in another state. Errors: Forbidden."""
    dag_id = str(plan.arguments["dag_id"])
    owned(desk, caller, dag_id)
    (item,) = plan.items
    await desk.api.mark(dag_id, item.run_id, item.task_id, item.map_index, item.after)
    now = await desk.api.instance(dag_id, item.run_id, item.task_id, item.map_index)
    data = Changed(dag_id=dag_id, run_id=item.run_id, task=now.name, before=item.before, after=now.state)
    answer = Envelope(
        status="ok" if now.state == item.after else "partial",
        summary=summed_up(f"{now.name} of {item.run_id}: {item.before or 'no state'} before, {now.state} now"),
        data=data,
        links=[Link(title=now.name, url=desk.link(dag_id, item.run_id, item.task_id, item.map_index))],
    )
    return desk.told(answer, f"task {dag_id}.{now.name}")


def _digest(value: object) -> str:
    """SHA-256 of it as JSON, as lower-case hex."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
