"""What hangs together: DAGs through assets, and one run beside another."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pierhead.sdk import Invalid
from pierhead.sdk.envelope import Envelope, Limits, Link, summed_up
from pierhead.sdk.redacting import redact_value
from pierhead.servers.airflow.answers import Compared, Dependencies, Edge
from pierhead.servers.airflow.api import no_such
from pierhead.servers.airflow.desk import Desk
from pierhead.servers.airflow.shapes import Asset, Instance, Run

_MOST_EDGES: Final = 50
_MOST_TASKS: Final = 20
_SPREAD: Final = 10
"""How many DAGs of one step are looked at."""


async def dependencies(desk: Desk, dag_id: str, asset: str, direction: str, depth: int) -> Envelope[Dependencies]:
    """What stands before or behind a DAG or an asset, `depth` steps far. Errors: Invalid, NotFound."""
    if bool(dag_id) == bool(asset):
        raise Invalid("name a DAG or an asset, and not both", hint="dag_id, or asset", code="bad-arguments")
    assets = await _begin(desk, dag_id, asset, direction)
    edges = [edge for each in assets for edge in _edges(each, direction, 1, dag_id)]
    events = {each.title: each.last_event for each in assets}
    seen = {dag_id}
    for step in range(2, depth + 1):
        reached = sorted({edge.dag_id for edge in edges if edge.depth == step - 1} - seen)[:_SPREAD]
        seen |= set(reached)
        found = await asyncio.gather(*(_assets_of(desk, each, direction) for each in reached))
        for name, its in zip(reached, found, strict=True):
            edges += [edge for each in its for edge in _edges(each, direction, step, name)]
            events |= {each.title: each.last_event for each in its}
    kept = edges[:_MOST_EDGES]
    limits = Limits(why="rows", seen=len(edges), next="a smaller depth") if len(edges) > len(kept) else None
    what = dag_id or asset
    names = ", ".join(dict.fromkeys(edge.dag_id for edge in kept)) or "none"
    summary = summed_up(f"{len(edges)} edges {direction} of {what}: {names}")
    return desk.told(
        Envelope(summary=summary, data=Dependencies(edges=kept, last_events=events), limits=limits),
        f"assets of {what}",
    )


async def _begin(desk: Desk, dag_id: str, asset: str, direction: str) -> list[Asset]:
    """The assets at which it begins. Errors: NotFound."""
    if dag_id:
        await desk.api.dag(dag_id)
        return await _assets_of(desk, dag_id, direction)
    found = [each for each in await desk.api.assets(uri=asset) if asset in {each.uri, each.name}]
    if not found:
        raise no_such("asset of that address", "give it whole; airflow_get_dag shows those of a DAG")
    return found


async def _assets_of(desk: Desk, dag_id: str, direction: str) -> list[Asset]:
    return [each for each in await desk.api.assets(dag_id=dag_id) if _joins(each, dag_id, direction)]


def _joins(asset: Asset, dag_id: str, direction: str) -> bool:
    """Whether an asset leads on from that DAG in that direction."""
    ends = asset.producers if direction == "downstream" else (*asset.readers, *asset.scheduled)
    return any(end.dag_id == dag_id for end in ends)


def _edges(asset: Asset, direction: str, depth: int, start: str) -> list[Edge]:
    if direction == "upstream":
        ends = [("writes", end) for end in asset.producers]
    else:
        ends = [("is scheduled by", end) for end in asset.scheduled] + [("reads", end) for end in asset.readers]
    return [
        Edge(asset=asset.title, dag_id=end.dag_id, task_id=end.task_id, kind=kind, depth=depth)
        for kind, end in ends
        if end.dag_id != start
    ]


async def compare(desk: Desk, dag_id: str, run_id: str, other_id: str) -> Envelope[Compared]:
    """One run beside another: durations, conf, version. Errors: NotFound."""
    run = await desk.run_of(dag_id, run_id)
    other = await desk.run_of(dag_id, other_id, but=run.dag_run_id)
    (mine, total), (theirs, _) = await asyncio.gather(
        desk.api.instances(dag_id, run.dag_run_id), desk.api.instances(dag_id, other.dag_run_id)
    )
    rows = _beside(mine, theirs)
    limits = None
    if len(rows) > _MOST_TASKS or total > len(mine):
        limits = Limits(why="rows", seen=max(len(rows), total), next="airflow_get_task for one")
    missing = [] if run.version is not None and other.version is not None else ["dag_versions: this API has none"]
    data = Compared(
        run=desk.run_told(dag_id, run),
        other=desk.run_told(dag_id, other),
        seconds=_difference(run.duration, other.duration),
        tasks=rows[:_MOST_TASKS],
        conf=_changes(run.conf, other.conf),
        version={"run": run.version, "other": other.version, "changed": _changed(run, other)},
    )
    summary = f"{run.dag_run_id} {run.state}, {other.dag_run_id} {other.state}"
    summary += f"; {len(data.conf)} values of conf differ" if data.conf else "; the same conf"
    summary += "; another version of the DAG" if _changed(run, other) else ""
    answer = Envelope(
        status="partial" if missing else "ok",
        summary=summed_up(summary),
        data=data,
        limits=limits,
        missing=missing,
        links=[Link(title=each.dag_run_id, url=desk.link(dag_id, each.dag_run_id)) for each in (run, other)],
    )
    return desk.told(answer, f"runs of {dag_id}")


def _changed(run: Run, other: Run) -> bool | None:
    return None if run.version is None or other.version is None else run.version != other.version


def _beside(mine: Sequence[Instance], theirs: Sequence[Instance]) -> list[dict[str, Any]]:
    """Every task of either run, the largest difference first; a mapped task is counted as one, its longest part."""
    here, there = _by_task(mine), _by_task(theirs)
    rows: list[dict[str, Any]] = []
    for name in sorted({*here, *there}):
        one, two = here.get(name), there.get(name)
        row = {
            "task_id": name,
            "state": one.state if one else "absent",
            "other_state": two.state if two else "absent",
            "seconds": _rounded(one),
            "other_seconds": _rounded(two),
        }
        rows.append(row)
    return sorted(rows, key=lambda row: (row["state"] == row["other_state"], -_gap(row), row["task_id"]))


def _gap(row: Mapping[str, Any]) -> float:
    return abs((row["seconds"] or 0.0) - (row["other_seconds"] or 0.0))


def _rounded(instance: Instance | None) -> float | None:
    return round(instance.duration, 1) if instance and instance.duration is not None else None


def _by_task(instances: Sequence[Instance]) -> dict[str, Instance]:
    found: dict[str, Instance] = {}
    for each in instances:
        kept = found.get(each.task_id)
        is_worse = kept is None or (each.state == "failed", each.duration or 0.0) > (
            kept.state == "failed",
            kept.duration or 0.0,
        )
        if is_worse:
            found[each.task_id] = each
    return found


def _changes(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> dict[str, Any]:
    """What differs, redacted."""
    names = sorted(name for name in {*mine, *theirs} if mine.get(name) != theirs.get(name))
    clean, other = redact_value(dict(mine)), redact_value(dict(theirs))
    return {name: {"run": clean.get(name), "other": other.get(name)} for name in names[:_MOST_TASKS]}


def _difference(mine: float | None, theirs: float | None) -> float | None:
    return None if mine is None or theirs is None else round(mine - theirs, 1)
