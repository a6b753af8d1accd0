"""Airflow's API as questions of ours: version 2 (Airflow 3) here, version 1 (Airflow 2) in `api_v1`.

Below: `sdk/upstream` (bounded HTTP), `session` (signing in), `shapes`. Ids are whole segments of paths: none becomes a
path, and none is Airflow's word for all (`~`). Not here: what tools make of the answers.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, TypeVar, cast

from pydantic import BaseModel, ValidationError

from pierhead.sdk import Invalid, NotFound, ToolFailed
from pierhead.sdk.upstream import Json
from pierhead.servers.airflow.session import Session
from pierhead.servers.airflow.shapes import Asset, Dag, Event, ImportFailure, Instance, Pool, Run, TaskDefinition

Shape = TypeVar("Shape", bound=BaseModel)
Parameters = Mapping[str, str | int | Sequence[str]]

MOST_INSTANCES: Final = 1000
"""Of one run: a run with more is looked at in part, and its answer says so."""
_PAGE: Final = 100


class ApiV2:
    """Of one Airflow. Errors of all: NotFound, UpstreamUnreachable, ToolFailed (`airflow-shape` and the upstream's)."""

    root: tuple[str, ...] = ("api", "v2")
    version = "v2"

    def __init__(self, session: Session) -> None:
        self._session = session

    async def dag(self, dag_id: str) -> Dag:
        """With its details: effective configuration, parameters."""
        return read_as(Dag, await self._get("dags", dag_id, "details"))

    async def dags(
        self, *, query: str, owner: str, tag: str, state: str, limit: int, offset: int
    ) -> tuple[list[Dag], int]:
        """DAGs whose id has `query` in it, and how many there are."""
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit, "offset": offset, "order_by": "dag_id"}
        if query:
            asked["dag_id_pattern"] = f"%{query}%"
        if owner:
            asked["owners"] = [owner]
        if tag:
            asked["tags"] = [tag]
        if state in {"paused", "active"}:
            asked["paused"] = "true" if state == "paused" else "false"
        elif state:
            asked["last_dag_run_state"] = state
        return page_of(Dag, await self._get("dags", params=asked), "dags")

    async def tasks(self, dag_id: str) -> list[TaskDefinition]:
        return page_of(TaskDefinition, await self._get("dags", dag_id, "tasks"), "tasks")[0]

    async def source(self, dag: Dag) -> str:
        """The file that defines it. Errors: NotFound, where Airflow does not keep it."""
        return str(as_object(await self._get("dagSources", dag.dag_id)).get("content", ""))

    async def runs(
        self, dag_id: str, *, state: str = "", since: str = "", limit: int = 10, offset: int = 0
    ) -> tuple[list[Run], int]:
        """Runs, the newest first, and how many there are. Shapes: `since` is a moment in ISO 8601."""
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit, "offset": offset, "order_by": "-run_after"}
        if state:
            asked["state"] = [state]
        if since:
            asked["run_after_gte"] = since
        return page_of(Run, await self._get("dags", dag_id, "dagRuns", params=asked), "dag_runs")

    async def run(self, dag_id: str, run_id: str) -> Run:
        return read_as(Run, await self._get("dags", dag_id, "dagRuns", run_id))

    async def instances(self, dag_id: str, run_id: str) -> tuple[list[Instance], int]:
        """The newest attempt of every task of a run, up to a thousand, and how many there are."""
        found: list[Instance] = []
        total = 1
        while len(found) < min(total, MOST_INSTANCES):
            asked: Parameters = {"limit": _PAGE, "offset": len(found)}
            said = await self._get("dags", dag_id, "dagRuns", run_id, "taskInstances", params=asked)
            page, total = page_of(Instance, said, "task_instances")
            if not page:
                break
            found += page
        return found, total

    async def instance(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> Instance:
        """The newest attempt."""
        segments = self._of_task(dag_id, run_id, task_id)
        more = () if map_index < 0 else (str(map_index),)
        return read_as(Instance, await self._get(*segments, *more))

    async def attempt(self, dag_id: str, run_id: str, task_id: str, map_index: int, number: int) -> Instance:
        segments = self._of_task(dag_id, run_id, task_id)
        more = () if map_index < 0 else (str(map_index),)
        return read_as(Instance, await self._get(*segments, *more, "tries", str(number)))

    def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, number: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """The log of one attempt: a JSON object a line, as Airflow keeps it."""
        segments = (*self._of_task(dag_id, run_id, task_id), "logs", str(number))
        asked: Parameters = {"full_content": "true", "map_index": map_index}
        return self._session.stream(*self.root, *segments, params=asked, accept="application/x-ndjson")

    async def assets(self, *, dag_id: str = "", uri: str = "", limit: int = 50) -> list[Asset]:
        """Those a DAG writes or reads, or those whose address has `uri` in it."""
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit}
        if dag_id:
            asked["dag_ids"] = [dag_id]
        if uri:
            asked["uri_pattern"] = f"%{uri}%"
        return page_of(Asset, await self._get("assets", params=asked), "assets")[0]

    async def pools(self) -> list[Pool]:
        return page_of(Pool, await self._get("pools", params={"limit": _PAGE}), "pools")[0]

    async def import_failures(self, limit: int) -> tuple[list[ImportFailure], int]:
        said = await self._get("importErrors", params={"limit": limit, "order_by": "-timestamp"})
        return page_of(ImportFailure, said, "import_errors")

    async def events(self, dag_id: str, run_id: str) -> list[Event]:
        """What Airflow noted of a run, and what people did to it, the newest first."""
        asked: Parameters = {"dag_id": dag_id, "run_id": run_id, "order_by": "-event_log_id", "limit": _PAGE}
        return page_of(Event, await self._get("eventLogs", params=asked), "event_logs")[0]

    async def health(self) -> Mapping[str, Any]:
        return as_object(await self._get("monitor", "health"))

    async def queued(self, state: str) -> int:
        """How many tasks of all runs are in that state."""
        said = await self._get("dags", "~", "dagRuns", "~", "taskInstances", params={"state": [state], "limit": 1})
        return _total(as_object(said), 0)

    async def would_clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str], *, only_failed: bool, downstream: bool
    ) -> list[Instance]:
        """What Airflow says it would clear; nothing is changed."""
        body: Json = {
            "dry_run": True,
            "dag_run_id": run_id,
            "task_ids": list(task_ids),
            "only_failed": only_failed,
            "include_downstream": downstream,
        }
        said = await self._send("POST", "dags", dag_id, "clearTaskInstances", body=body, may_repeat=True)
        return page_of(Instance, said, "task_instances")[0]

    async def clear(self, dag_id: str, run_id: str, wanted: Sequence[tuple[str, int]]) -> list[Instance]:
        """Exactly those (task, map index), and what was cleared. Errors: Conflict, where one of them runs."""
        body: Json = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [name if index < 0 else [name, index] for name, index in wanted],
            "only_failed": False,
            "reset_dag_runs": True,
            "prevent_running_task": True,
        }
        said = await self._send("POST", "dags", dag_id, "clearTaskInstances", body=body)
        return page_of(Instance, said, "task_instances")[0]

    async def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any], logical_date: str) -> Run:
        """Errors: Conflict, where that run is there; UpstreamUnreachable, where it may be."""
        body: Json = {"dag_run_id": run_id, "conf": dict(conf), "logical_date": logical_date or None}
        return read_as(Run, await self._send("POST", "dags", dag_id, "dagRuns", body=body, may_repeat=True))

    async def runs_at(self, dag_id: str, logical_date: str) -> list[Run]:
        asked: Parameters = {"logical_date_gte": logical_date, "logical_date_lte": logical_date, "limit": 1}
        return page_of(Run, await self._get("dags", dag_id, "dagRuns", params=asked), "dag_runs")[0]

    async def set_paused(self, dag_id: str, *, paused: bool) -> Dag:
        asked: Parameters = {"update_mask": "is_paused"}
        said = await self._send("PATCH", "dags", dag_id, body={"is_paused": paused}, params=asked, may_repeat=True)
        return read_as(Dag, said)

    async def mark(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        segments = self._of_task(dag_id, run_id, task_id)
        more = () if map_index < 0 else (str(map_index),)
        await self._send("PATCH", *segments, *more, body={"new_state": state})

    def _of_task(self, dag_id: str, run_id: str, task_id: str) -> tuple[str, ...]:
        return ("dags", dag_id, "dagRuns", run_id, "taskInstances", task_id)

    async def _get(self, *segments: str, params: Parameters | None = None) -> Json:
        return await self._session.json(*self.root, *segments, params=params or {})

    async def _send(
        self, method: str, *segments: str, body: Json, params: Parameters | None = None, may_repeat: bool = False
    ) -> Json:
        """What changes something, or says what would: once, unless it may be repeated."""
        return await self._session.json(
            *self.root, *segments, params=params or {}, method=method, body=body, is_idempotent=may_repeat
        )


def missing_here(option: str, version: str) -> Invalid:
    """An option that this Airflow does not have: refused, for without it the answer would be another one."""
    release = "2" if version == "v1" else "3"
    message = f"Airflow {release} has no filter {option}" if option else f"Airflow {release} cannot do this"
    return Invalid(message, hint="ask without it", code="airflow-option")


def as_object(said: Json) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise _strange("no object")
    return cast("Mapping[str, Any]", said)


def _total(said: Mapping[str, Any], least: int) -> int:
    total = said.get("total_entries")
    return total if isinstance(total, int) else least


def read_as(shape: type[Shape], said: Json) -> Shape:
    try:
        return shape.model_validate(said)
    except ValidationError as invalid:
        raise _strange(
            ", ".join(sorted({str(fault["loc"][0]) for fault in invalid.errors() if fault["loc"]}))
        ) from None


def page_of(shape: type[Shape], said: Json, member: str) -> tuple[list[Shape], int]:
    whole = as_object(said)
    listed = whole.get(member)
    if not isinstance(listed, list):
        raise _strange(f"no list {member}")
    found = [read_as(shape, each) for each in cast("list[Json]", listed)]
    return found, _total(whole, len(found))


def _strange(what: str) -> ToolFailed:
    message = f"Airflow answered what its API does not say: {what}"
    return ToolFailed(
        message, hint="check `api` in the server's entry: v2 for Airflow 3, v1 for 2", code="airflow-shape"
    )


def no_such(what: str, hint: str) -> NotFound:
    """One text for what is not there and what the server's login may not see."""
    return NotFound(f"Airflow has no {what}", hint=hint, code="airflow-not-found")
