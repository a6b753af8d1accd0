"""Messages that call no tool: the same first layer, the same record where one is due."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from tests.unit.samples import ISSUER, ROW, call, caller, server

from pierhead.core.approval import Approval
from pierhead.core.call import Outcome, Ran
from pierhead.core.catalog import Stage
from pierhead.core.errors import Forbidden, NotFound, RecordFailed
from pierhead.core.identity import Party, User
from pierhead.core.policy import Match, Permit, Question, RuleEffect
from pierhead.core.snapshot import Expired, Stale
from pierhead.usecases.match_rules import REACH, SnapshotRules
from pierhead.usecases.memory import (
    MemoryAudit,
    MemoryClock,
    MemorySnapshots,
    MemoryUpstream,
    NoApprovals,
    snapshot_of,
)
from pierhead.usecases.ports import Ports
from pierhead.usecases.relay_message import relay_message

pytestmark = pytest.mark.anyio

MESSAGE = replace(call(), tool="resources/read")
STRANGER = User(ISSUER, "eve", frozenset({"ads"}))


async def _answer(permit: Permit) -> Outcome:
    assert permit.request.tool.name == "resources/read"
    return Ran(b"...", succeeded=None, bytes_out=3)


def _ports(
    snapshots: MemorySnapshots, audit: MemoryAudit, answer: Callable[[Permit], Awaitable[Outcome]] = _answer
) -> Ports:
    rules = SnapshotRules(snapshots, REACH)
    return Ports(snapshots, rules, NoApprovals(), audit, MemoryClock(), MemoryUpstream(answer))


def _open() -> tuple[MemorySnapshots, MemoryAudit]:
    return MemorySnapshots(snapshot_of([server()], [ROW])), MemoryAudit()


async def test_a_read_is_recorded_before_and_after() -> None:
    snapshots, audit = _open()

    async def answer(permit: Permit) -> Outcome:
        assert audit.kinds() == ["call-started"]
        return await _answer(permit)

    outcome = await relay_message(MESSAGE, caller(), _ports(snapshots, audit, answer), recorded=True)
    assert outcome == Ran(b"...", succeeded=None, bytes_out=3)
    assert audit.kinds() == ["call-started", "call-finished"]


async def test_a_message_that_needs_no_record_leaves_none() -> None:
    snapshots, audit = _open()
    await relay_message(MESSAGE, caller(), _ports(snapshots, audit), recorded=False)
    assert audit.facts == []


async def test_no_record_no_read() -> None:
    snapshots, audit = _open()
    audit.full = True

    async def never(_: Permit) -> Outcome:
        raise AssertionError("it was sent")

    with pytest.raises(RecordFailed):
        await relay_message(MESSAGE, caller(), _ports(snapshots, audit, never), recorded=True)


@pytest.mark.parametrize("recorded", [True, False])
async def test_whoever_may_not_reach_the_server_may_ask_it_nothing(*, recorded: bool) -> None:
    snapshots, audit = _open()
    with pytest.raises(Forbidden, match="you may not reach server 'warehouse'"):
        await relay_message(MESSAGE, caller(STRANGER), _ports(snapshots, audit), recorded=recorded)
    assert audit.kinds() == ["call-refused"]


async def test_a_server_that_is_not_live_is_not_found() -> None:
    snapshots, audit = _open()
    snapshots.snapshot = snapshot_of([server(stage=Stage.SUSPENDED)], [ROW])
    with pytest.raises(NotFound):
        await relay_message(MESSAGE, caller(), _ports(snapshots, audit), recorded=False)
    assert audit.kinds() == ["call-refused"]


async def test_a_stale_policy_still_lets_messages_through_and_an_expired_one_does_not() -> None:
    snapshots, audit = _open()
    snapshots.how_old = Stale(61)
    assert await relay_message(MESSAGE, caller(), _ports(snapshots, audit), recorded=False)
    snapshots.how_old = Expired(901)
    with pytest.raises(Exception, match="past its limit"):
        await relay_message(MESSAGE, caller(), _ports(snapshots, audit), recorded=False)


async def test_a_message_cannot_wait_for_an_approval() -> None:
    snapshots, audit = _open()

    class Asking:
        questions = REACH

        def matches(self, request: object) -> tuple[Match, ...]:
            raise AssertionError("a message is no call")

        def reach(self, who: object, name: str) -> tuple[Match, ...]:
            asked = Match(RuleEffect.ASK, Question.REACH, Party.PERSON, "ask", "asks", Approval.CONFIRM)
            return (Match(RuleEffect.PERMIT, Question.REACH, Party.PERSON, "row", name), asked)

    ports = replace(_ports(snapshots, audit), rules=Asking())
    with pytest.raises(Forbidden) as refused:
        await relay_message(MESSAGE, caller(), ports, recorded=True)
    assert refused.value.code == "cannot-wait"
    assert audit.kinds() == ["call-refused"]
