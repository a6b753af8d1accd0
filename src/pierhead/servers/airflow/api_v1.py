"""Where version 1 of the API (Airflow 2) differs: other names, and filters that it does not have, which are refused."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from pierhead.sdk import NotFound, ToolFailed
from pierhead.sdk.upstream import Json
from pierhead.servers.airflow.api import ApiV2, Parameters, as_object, missing_here, page_of, read_as
from pierhead.servers.airflow.shapes import Asset, AssetEvent, Dag, Instance, Run


class ApiV1(ApiV2):
    """Of one Airflow 2."""

    root = ("api", "v1")
    version = "v1"

    async def dags(
        self, *, query: str, owner: str, tag: str, state: str, limit: int, offset: int
    ) -> tuple[list[Dag], int]:
        if owner:
            raise missing_here("owner", self.version)
        if state not in {"", "paused", "active"}:
            raise missing_here(f"state={state}", self.version)
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit, "offset": offset, "order_by": "dag_id"}
        if query:
            asked["dag_id_pattern"] = query
        if tag:
            asked["tags"] = [tag]
        if state:
            asked["paused"] = "true" if state == "paused" else "false"
        return page_of(Dag, await self._get("dags", params=asked), "dags")

    async def source(self, dag: Dag) -> str:
        return await self._session.text(*self.root, "dagSources", dag.file_token)

    async def runs(
        self, dag_id: str, *, state: str = "", since: str = "", limit: int = 10, offset: int = 0
    ) -> tuple[list[Run], int]:
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit, "offset": offset, "order_by": "-execution_date"}
        if state:
            asked["state"] = [state]
        if since:
            asked["execution_date_gte"] = since
        return page_of(Run, await self._get("dags", dag_id, "dagRuns", params=asked), "dag_runs")

    async def would_clear(
        self, dag_id: str, run_id: str, task_ids: Sequence[str], *, only_failed: bool, downstream: bool
    ) -> list[Instance]:
        """Airflow 2 names tasks and no more: their states are read beside. Errors: Invalid, for mapped ones."""
        told = await super().would_clear(dag_id, run_id, task_ids, only_failed=only_failed, downstream=downstream)
        names = {each.task_id for each in told}
        found = [each for each in (await self.instances(dag_id, run_id))[0] if each.task_id in names]
        if any(each.map_index >= 0 for each in found):
            raise missing_here("", self.version)
        return found

    async def clear(self, dag_id: str, run_id: str, wanted: Sequence[tuple[str, int]]) -> list[Instance]:
        body: Json = {
            "dry_run": False,
            "dag_run_id": run_id,
            "task_ids": [name for name, _ in wanted],
            "only_failed": False,
            "reset_dag_runs": True,
        }
        said = await self._send("POST", "dags", dag_id, "clearTaskInstances", body=body)
        return page_of(Instance, said, "task_instances")[0]

    async def trigger(self, dag_id: str, run_id: str, conf: Mapping[str, Any], logical_date: str) -> Run:
        body: dict[str, Json] = {"dag_run_id": run_id, "conf": dict(conf)}
        if logical_date:
            body["logical_date"] = logical_date
        return read_as(Run, await self._send("POST", "dags", dag_id, "dagRuns", body=body, may_repeat=True))

    async def runs_at(self, dag_id: str, logical_date: str) -> list[Run]:
        asked: Parameters = {"execution_date_gte": logical_date, "execution_date_lte": logical_date, "limit": 1}
        return page_of(Run, await self._get("dags", dag_id, "dagRuns", params=asked), "dag_runs")[0]

    async def mark(self, dag_id: str, run_id: str, task_id: str, map_index: int, state: str) -> None:
        segments = self._of_task(dag_id, run_id, task_id)
        more = () if map_index < 0 else (str(map_index),)
        await self._send("PATCH", *segments, *more, body={"dry_run": False, "new_state": state})

    def log(
        self, dag_id: str, run_id: str, task_id: str, map_index: int, number: int
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        segments = (*self._of_task(dag_id, run_id, task_id), "logs", str(number))
        asked: Parameters = {"full_content": "true", "map_index": map_index}
        return self._session.stream(*self.root, *segments, params=asked, accept="text/plain")

    async def assets(self, *, dag_id: str = "", uri: str = "", limit: int = 50) -> list[Asset]:
        asked: dict[str, str | int | Sequence[str]] = {"limit": limit}
        if dag_id:
            asked["dag_ids"] = dag_id
        if uri:
            asked["uri_pattern"] = uri
        found = page_of(Asset, await self._get("datasets", params=asked), "datasets")[0]
        events = await asyncio.gather(*(self._last_event(each) for each in found))
        return [each.model_copy(update={"last_asset_event": event}) for each, event in zip(found, events, strict=True)]

    async def _last_event(self, asset: Asset) -> dict[str, str]:
        """Airflow 2 tells beside a dataset when it was written; who may not read that is told nothing of it."""
        asked: Parameters = {"dataset_id": asset.id, "order_by": "-timestamp", "limit": 1}
        try:
            said = await self._get("datasets", "events", params=asked)
            events = page_of(AssetEvent, said, "dataset_events")[0]
        except (NotFound, ToolFailed):
            return {}
        return {"timestamp": events[0].timestamp} if events else {}

    async def health(self) -> Mapping[str, Any]:
        return as_object(await self._get("health"))
