"""An approval is good for the process that was asked about: another version of it runs nothing of the old one's."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.approving import desk_over, person
from tests.unit.samples import ALICE, ROW, caller

from pierhead import Server
from pierhead.core.approval import ApprovalState
from pierhead.core.call import Call, Parsed, Ran, Waiting, digest
from pierhead.core.catalog import Stage
from pierhead.core.policy import Permit
from pierhead.core.rule import parse_who
from pierhead.sdk.governance import Governance, govern
from pierhead.usecases.answer_approval import Answer, decide_approval
from pierhead.usecases.desk_approvals import DeskApprovals
from pierhead.usecases.memory import MemoryAudit, MemoryClock, MemorySnapshots, snapshot_of
from pierhead.usecases.memory_approvals import MemoryApprovals

pytestmark = pytest.mark.anyio
CALLER = replace(caller(ALICE), scopes=frozenset({"shop.read", "shop.write"}))


def server(version: str) -> Server:
    made = Server("shop", owner="shop", support="#shop", version=version)

    @made.tool(policy="everyone", effect="destructive", minutes_saved=1)
    async def purge(table: str) -> str:
        """Purge a table."""
        return table

    return made


class Body:
    def __init__(self) -> None:
        self.ran: list[str] = []

    async def run(self, permit: Permit) -> Ran:
        self.ran.append(permit.approval)
        return Ran({}, succeeded=True, bytes_out=2)


@pytest.fixture
def store() -> MemoryApprovals:
    return MemoryApprovals(MemoryClock())


@pytest.fixture
def process(store: MemoryApprovals) -> Callable[[str], Governance]:
    """A process of that version, while policy knows version 1 still."""
    known = server("1").listed(Stage.DEPLOYED, "http://127.0.0.1:1/mcp")
    row = replace(ROW, server="shop", who=parse_who("everyone"))
    snapshots = MemorySnapshots(snapshot_of([known], (row,)))

    desk = DeskApprovals(desk_over(store))

    def started(version: str) -> Governance:
        made = server(version)
        return govern("shop", made.tools, snapshots, desk, MemoryAudit(), MemoryClock(), version=made.version)

    return started


def call(call_id: str) -> Call:
    values = {"table": "weather"}
    return Call(call_id, "shop", "purge", Parsed(values, digest(values), 10), "2026-07-28", "")


async def test_a_server_that_came_back_as_another_version_asks_anew(
    store: MemoryApprovals, process: Callable[[str], Governance]
) -> None:
    body = Body()
    asked = await process("1").run(call("a"), CALLER, body)
    assert isinstance(asked, Waiting)
    (record,) = store.kept.values()
    answer = Answer("approve", "", "web", record.proposal.digest)
    await decide_approval(record.id, answer, person("frank"), desk_over(store))

    again = await process("2").run(call("b"), CALLER, body)
    assert isinstance(again, Waiting)
    assert body.ran == []
    assert store.kept[record.id].state is ApprovalState.SUPERSEDED
    assert [each.state for each in store.kept.values()] == [ApprovalState.SUPERSEDED, ApprovalState.PENDING]


async def test_the_version_that_was_approved_runs_it_once(
    store: MemoryApprovals, process: Callable[[str], Governance]
) -> None:
    body = Body()
    await process("1").run(call("a"), CALLER, body)
    (record,) = store.kept.values()
    answer = Answer("approve", "", "web", record.proposal.digest)
    await decide_approval(record.id, answer, person("frank"), desk_over(store))
    ran = await process("1").run(call("b"), CALLER, body)
    assert isinstance(ran, Ran)
    assert body.ran == [record.id]


def test_what_the_registry_says_of_an_estimate_is_no_other_definition() -> None:
    known = server("1").listed(Stage.DEPLOYED, "http://127.0.0.1:1/mcp")
    dated = {name: replace(tool, minutes=replace(tool.minutes, stated_at=1000.0)) for name, tool in known.tools.items()}
    snapshots = MemorySnapshots(snapshot_of([replace(known, tools=dated)], ()))
    approvals = DeskApprovals(desk_over(MemoryApprovals(MemoryClock())))
    made = govern("shop", server("1").tools, snapshots, approvals, MemoryAudit(), MemoryClock(), version="1")
    published = made.snapshots.current().servers["shop"].tools["purge"]
    assert published.withheld == ""
    assert published.minutes.stated_at == 1000.0
