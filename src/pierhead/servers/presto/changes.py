"""The tools that change something: none of them exists on a server that is read only."""

from typing import Annotated

from pydantic import Field

from pierhead.sdk import Caller, Plan, Server
from pierhead.sdk.envelope import Envelope
from pierhead.sdk.governed.budget import over_budget
from pierhead.servers.presto.answers import Cancelled, NewPartition, Overwritten
from pierhead.servers.presto.backing import Backing
from pierhead.servers.presto.overwriting import OVERWRITTEN_S, OverwritingDesk
from pierhead.servers.presto.queries import QueryDesk

Name = Annotated[str, Field(min_length=1, max_length=300)]
Reason = Annotated[str, Field(min_length=3, max_length=300)]


def declare_changes(server: Server, backing: Backing, queries: QueryDesk, askers: str) -> None:
    """`askers` may end queries. Overwriting is there only where the entry names tables for it."""
    if backing.chosen.read_only:
        return

    @server.tool(
        policy=askers,
        effect="destructive",
        approval=over_budget,  # its body asks: whose the query is, the engine tells
        idempotent=True,
        minutes_saved=3,
        timeout=60.0,
        offered=backing.offers_to_people,
        proposal="end the query {query_id} of the engine: {reason}",
        undo="run it again",
    )
    async def presto_cancel_query(
        query_id: Annotated[str, Field(min_length=1, max_length=64)], reason: Reason, *, caller: Caller
    ) -> Envelope[Cancelled]:
        """End a query in the engine: your own once you confirm, another's if you are on call and somebody approves."""
        return await queries.cancel(caller, query_id, reason)

    if backing.chosen.overwrite is not None:
        _declare_overwriting(server, backing, " or ".join(f"group:{each}" for each in backing.chosen.overwrite.groups))


def _declare_overwriting(server: Server, backing: Backing, owners: str) -> None:
    desk = OverwritingDesk(backing)

    @server.plan(policy=owners, minutes_saved=3, timeout=120.0, offered=backing.offers_to_people)
    async def presto_plan_overwrite(
        table: Name, partition: Name, sql: Annotated[str, Field(min_length=1, max_length=20_000)], *, caller: Caller
    ) -> Plan[NewPartition]:
        """Plan to replace one partition of an Iceberg table by the rows of a SELECT. Shows rows before and after."""
        return await desk.plan(caller, table, partition, sql)

    @server.tool(
        policy=owners,
        effect="destructive",
        approval="four-eyes",
        minutes_saved=20,
        timeout=OVERWRITTEN_S + 60,
        offered=backing.offers_to_people,
        plan=presto_plan_overwrite,
    )
    async def presto_overwrite_partition(plan: Plan[NewPartition], *, caller: Caller) -> Envelope[Overwritten]:
        """Replace the partition that a plan names, in one commit. Gives the snapshot to roll back to."""
        return await desk.carry_out(caller, plan)
