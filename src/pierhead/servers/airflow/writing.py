"""The tools of an Airflow server that change something: none exists that the entry does not name in `writes`.

Declares; the work is done in `changing`. Clearing and triggering are confirmed by the caller in the environments of
`confirm_in`, and approved by somebody else in all others; marking is four-eyes everywhere.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from pierhead.sdk import Caller, Plan, Server
from pierhead.sdk.envelope import Envelope
from pierhead.servers.airflow import changing
from pierhead.servers.airflow.answers import Changed, Cleared, Marking, Paused, TaskToClear, Triggered
from pierhead.servers.airflow.desk import Desk
from pierhead.servers.airflow.ids import Key, MapIndex, Moment, Reason, RunId

Asks = Callable[[Caller, Mapping[str, Any]], str]


def declare_changes(server: Server, desk: Desk) -> None:
    """Those that the entry names; saying what a clear would do changes nothing, and is there without them."""
    chosen = desk.chosen

    def approval(caller: Caller, arguments: Mapping[str, Any]) -> str:
        del arguments
        return "confirm" if caller.environment in chosen.confirm_in else "approve"

    _declare_clearing(server, desk, approval)
    if "trigger" in chosen.writes:
        _declare_triggering(server, desk, approval)
    if "pause" in chosen.writes:
        _declare_pausing(server, desk)
    if "mark" in chosen.writes:
        _declare_marking(server, desk)


def _declare_clearing(server: Server, desk: Desk, approval: Asks) -> None:
    @server.plan(policy=desk.chosen.readers(desk.chosen.groups.everybody), minutes_saved=3)
    async def airflow_plan_clear(
        dag_id: Key,
        run_id: RunId,
        task_ids: Annotated[list[Key], Field(max_length=100, description="none: all")] | None = None,
        only_failed: bool = True,
        downstream: bool = False,
    ) -> Plan[TaskToClear]:
        """Say exactly which task instances of a run a clear would run again, and which assets they write anew."""
        return await changing.plan_clear(desk, dag_id, run_id, task_ids or [], only_failed, downstream)

    if "clear" not in desk.chosen.writes:
        return

    @server.tool(
        policy=desk.chosen.actors(),
        effect="destructive",
        approval=approval,
        idempotent=True,
        minutes_saved=8,
        timeout=60,
        plan=airflow_plan_clear,
    )
    async def airflow_clear_tasks(plan: Plan[TaskToClear], reason: Reason, *, caller: Caller) -> Envelope[Cleared]:
        """Clear the task instances of a plan, so that Airflow runs them again; fails if any is not as planned."""
        del reason
        return await changing.clear(desk, plan, caller)


def _declare_triggering(server: Server, desk: Desk, approval: Asks) -> None:
    @server.tool(
        policy=desk.chosen.actors(),
        effect="write",
        approval=approval,
        idempotent=True,
        minutes_saved=5,
        timeout=60,
        proposal="run the DAG {dag_id} with conf {conf}",
    )
    async def airflow_trigger_dag(
        dag_id: Key,
        idempotency_key: Annotated[str, Field(min_length=1, max_length=100)],
        conf: dict[str, Any] | None = None,
        logical_date: Moment = "",
        *,
        caller: Caller,
    ) -> Envelope[Triggered]:
        """Start a run of a DAG; the same key gives the same run. conf is held against the DAG's params."""
        return await changing.trigger(desk, dag_id, conf or {}, logical_date, idempotency_key, caller)


def _declare_pausing(server: Server, desk: Desk) -> None:
    @server.tool(
        policy=desk.chosen.actors(),
        effect="write",
        approval="confirm",
        idempotent=True,
        minutes_saved=2,
        proposal="set paused of the DAG {dag_id} to {paused}: {reason}",
        undo="set it back",
    )
    async def airflow_set_paused(dag_id: Key, paused: bool, reason: Reason, *, caller: Caller) -> Envelope[Paused]:
        """Pause a DAG, so that no run of it begins, or let it run again."""
        del reason
        return await changing.set_paused(desk, dag_id, paused, caller)


def _declare_marking(server: Server, desk: Desk) -> None:
    @server.plan(policy=desk.chosen.owners(), minutes_saved=3)
    async def airflow_plan_mark(
        dag_id: Key,
        run_id: RunId,
        task_id: Key,
        map_index: MapIndex = -1,
        state: Literal["success", "failed", "skipped"] = "success",
    ) -> Plan[Marking]:
        """Say what marking a task instance would set, and what it is."""
        return await changing.plan_mark(desk, dag_id, run_id, task_id, map_index, state)

    @server.tool(
        policy=desk.chosen.owners(),
        effect="destructive",
        approval="four-eyes",
        idempotent=True,
        minutes_saved=3,
        timeout=60,
        plan=airflow_plan_mark,
    )
    async def airflow_mark_task(plan: Plan[Marking], reason: Reason, *, caller: Caller) -> Envelope[Changed]:
        """Set the state of the task instance of a plan, without running it."""
        del reason
        return await changing.mark(desk, plan, caller)
