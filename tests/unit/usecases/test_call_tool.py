"""The one governed path: what is recorded, in which order, whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from tests.unit.samples import ISSUER, ROW, TOOL, call, caller, server

from pierhead.core.approval import Approval
from pierhead.core.audit import CallFinished, CallRefused, CallStarted, Fact
from pierhead.core.call import Call, Outcome, Ran, Waiting
from pierhead.core.catalog import Effect, Stage
from pierhead.core.errors import (
    Forbidden,
    Invalid,
    NotFound,
    PierheadError,
    PolicyExpired,
    RecordFailed,
    ToolFailed,
    ToolTimedOut,
    UpstreamUnreachable,
)
from pierhead.core.identity import User
from pierhead.core.policy import Permit
from pierhead.core.rule import NOBODY, parse_who
from pierhead.core.snapshot import Expired, Stale
from pierhead.usecases.call_tool import call_tool, recording_refusals
from pierhead.usecases.match_rules import REACH, REACH_AND_USE, SnapshotRules
from pierhead.usecases.memory import (
    MemoryAudit,
    MemoryClock,
    MemorySnapshots,
    MemoryUpstream,
    NoApprovals,
    snapshot_of,
)
from pierhead.usecases.notes import note
from pierhead.usecases.ports import Audit, Ports
from pierhead.usecases.steadfast import Steadfast

pytestmark = pytest.mark.anyio

STRANGER = User(ISSUER, "eve", frozenset({"ads"}))


@dataclass(slots=True)
class Host:
    """A host in memory, and what ran on it."""

    snapshots: MemorySnapshots = field(default_factory=lambda: MemorySnapshots(snapshot_of([server()], [ROW])))
    audit: MemoryAudit = field(default_factory=MemoryAudit)
    clock: MemoryClock = field(default_factory=MemoryClock)
    ran: list[list[str]] = field(default_factory=list[list[str]])
    answer: Callable[[Permit], Awaitable[Outcome]] | None = None
    questions: frozenset = REACH_AND_USE

    def ports(self, audit: Audit | None = None) -> Ports:
        rules = SnapshotRules(self.snapshots, self.questions)
        return Ports(self.snapshots, rules, NoApprovals(), audit or self.audit, self.clock, MemoryUpstream(self._run))

    async def _run(self, permit: Permit) -> Outcome:
        self.ran.append(self.audit.kinds())
        return await self.answer(permit) if self.answer else Ran({"rows": 1}, succeeded=True, bytes_out=7)

    def refusal(self) -> CallRefused:
        (fact,) = self.audit.facts
        assert isinstance(fact, CallRefused)
        assert self.ran == []
        return fact

    def finished(self) -> CallFinished:
        fact = self.audit.facts[-1]
        assert isinstance(fact, CallFinished)
        return fact


@pytest.fixture
def host() -> Host:
    return Host()


async def test_the_intent_is_recorded_before_the_tool_runs_and_its_end_after(host: Host) -> None:
    outcome = await call_tool(call(), caller(), host.ports())
    assert outcome == Ran({"rows": 1}, succeeded=True, bytes_out=7)
    assert host.ran == [["call-started"]]
    assert host.audit.kinds() == ["call-started", "call-finished"]
    assert host.finished() == CallFinished("call-1", "ok", "", 7, 0.0)


async def test_no_record_no_run(host: Host) -> None:
    host.audit.full = True
    with pytest.raises(RecordFailed):
        await call_tool(call(), caller(), host.ports())
    assert host.ran == []
    assert host.audit.facts == []


async def test_the_intent_keeps_the_shape_of_the_arguments_and_no_value(host: Host) -> None:
    await call_tool(call(values={"sql": "SELECT 'hunter2'", "password": "hunter2"}), caller(), host.ports())
    started = host.audit.facts[0]
    assert isinstance(started, CallStarted)
    assert started.arguments == {"sql": "[text 16]", "password": "[secret]"}
    assert "hunter2" not in repr(host.audit.facts)


async def test_arguments_that_a_host_does_not_read_are_recorded_by_digest_alone(host: Host) -> None:
    await call_tool(call(), caller(), host.ports())
    started = host.audit.facts[0]
    assert isinstance(started, CallStarted)
    assert (started.arguments, started.arguments_digest) == (None, "d" * 64)


async def test_an_unknown_tool_is_not_found_and_recorded(host: Host) -> None:
    with pytest.raises(NotFound, match="Unknown tool: drop_table"):
        await call_tool(call("drop_table"), caller(), host.ports())
    assert (host.refusal().code, host.refusal().reasons) == ("unknown-tool", ())


async def test_a_tool_one_may_not_use_reads_exactly_like_one_that_is_not_there(host: Host) -> None:
    host.snapshots.snapshot = snapshot_of([server(replace(TOOL, policy=NOBODY))], [ROW])
    with pytest.raises(NotFound) as hidden:
        await call_tool(call(), caller(), host.ports())
    host.snapshots.snapshot = snapshot_of([server(replace(TOOL, name="other"))], [ROW])
    with pytest.raises(NotFound) as absent:
        await call_tool(call(), caller(), host.ports())
    assert (hidden.value.message, hidden.value.hint, hidden.value.code) == (
        absent.value.message,
        absent.value.hint,
        absent.value.code,
    )
    assert host.ran == []


async def test_a_server_one_may_not_reach_names_the_reason_and_whom_to_ask(host: Host) -> None:
    with pytest.raises(Forbidden) as refused:
        await call_tool(call(), caller(STRANGER), host.ports())
    assert refused.value.message == (
        "you may not reach server 'warehouse': no rule lets eve reach it as a person; it is open to group:data-eng"
    )
    assert refused.value.hint == "ask data-platform in #data-help"
    assert host.refusal().code == "cannot-reach"


async def test_a_server_without_a_row_is_open_to_nobody(host: Host) -> None:
    host.snapshots.snapshot = snapshot_of([server()], [])
    with pytest.raises(Forbidden, match="it is open to nobody"):
        await call_tool(call(), caller(), host.ports())


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in {Stage.DEPLOYED, Stage.DEPRECATED}])
async def test_a_server_that_is_not_live_reads_like_one_that_is_not_there(host: Host, stage: Stage) -> None:
    host.snapshots.snapshot = snapshot_of([server(stage=stage)], [ROW])
    with pytest.raises(NotFound, match="no server 'warehouse'") as not_live:
        await call_tool(call(), caller(), host.ports())
    host.snapshots.snapshot = snapshot_of([], [ROW])
    with pytest.raises(NotFound) as absent:
        await call_tool(call(), caller(), host.ports())
    assert (not_live.value.message, not_live.value.code) == (absent.value.message, absent.value.code)


async def test_under_a_stale_policy_only_reads_run(host: Host) -> None:
    writing = replace(TOOL, name="write", effect=Effect.WRITE)
    host.snapshots.snapshot = snapshot_of([server(TOOL, writing)], [ROW])
    host.snapshots.how_old = Stale(61)
    assert isinstance(await call_tool(call(), caller(), host.ports()), Ran)
    with pytest.raises(PolicyExpired, match="61 s ago: only reads run") as refused:
        await call_tool(call("write"), caller(), host.ports())
    assert refused.value.code == "policy-stale"
    assert len(host.ran) == 1


async def test_under_an_expired_policy_nothing_runs(host: Host) -> None:
    host.snapshots.how_old = Expired(901)
    with pytest.raises(PolicyExpired, match="901 s ago, which is past its limit"):
        await call_tool(call(), caller(), host.ports())
    assert host.refusal().code == "policy-expired"


@pytest.mark.parametrize("approval", [Approval.CONFIRM, Approval.APPROVE, Approval.FOUR_EYES])
async def test_a_tool_that_needs_an_approval_waits_and_nothing_runs(host: Host, approval: Approval) -> None:
    host.snapshots.snapshot = snapshot_of([server(replace(TOOL, approval=approval))], [ROW])
    outcome = await call_tool(call(), caller(), host.ports())
    assert isinstance(outcome, Waiting)
    assert outcome.approval == (
        f"run_query needs approval ({approval}); nobody can give it yet, so nothing was executed"
    )
    assert outcome.reasons[-1] == f"run_query is read and declared to need {approval}"
    assert (host.refusal().code, len(host.refusal().reasons)) == ("approval_required", 3)


async def test_a_tool_that_is_denied_outright_answers_so_and_runs_for_nobody(host: Host) -> None:
    host.snapshots.snapshot = snapshot_of([server(replace(TOOL, approval=Approval.DENY))], [ROW])
    answer = await call_tool(call(), caller(), host.ports())
    assert isinstance(answer, Waiting)
    assert answer.ticket is not None
    assert (answer.ticket.id, answer.ticket.state) == ("", "denied")
    assert "declared to need deny" in answer.approval
    assert host.ran == []
    assert "ask" in {reason.effect for reason in host.refusal().reasons}
    assert host.refusal().code == "denied"


async def test_who_may_not_use_a_denied_tool_reads_that_it_is_not_there(host: Host) -> None:
    denied = replace(TOOL, approval=Approval.DENY, policy=parse_who("group:legal"))
    host.snapshots.snapshot = snapshot_of([server(denied)], [ROW])
    with pytest.raises(NotFound, match="Unknown tool"):
        await call_tool(call(), caller(), host.ports())


async def test_a_refusal_that_cannot_be_recorded_is_still_no_run(host: Host) -> None:
    host.audit.full = True
    with pytest.raises(RecordFailed):
        await call_tool(call(), caller(STRANGER), host.ports())
    assert host.ran == []


async def test_invalid_arguments_are_recorded_with_the_call(host: Host) -> None:
    with pytest.raises(Invalid):
        async with recording_refusals(call(), caller(), host.audit):
            raise Invalid("no such column", code="bad-arguments")
    assert host.refusal().code == "bad-arguments"


@pytest.mark.parametrize(
    ("raised", "outcome", "error"),
    [
        (ToolTimedOut("late"), "timeout", "tool-timed-out"),
        (UpstreamUnreachable("gone"), "upstream_error", "upstream-unreachable"),
        (ToolFailed("broken"), "tool_error", "tool-failed"),
        (Invalid("no such row", code="no-row"), "tool_error", "no-row"),
        (ValueError("a bug in the tool"), "tool_error", "exception"),
    ],
)
async def test_whatever_a_tool_raises_is_recorded_and_goes_on(
    host: Host, raised: Exception, outcome: str, error: str
) -> None:
    async def fail(_: Permit) -> Outcome:
        host.clock.seconds += 1.5
        raise raised

    host.answer = fail
    with pytest.raises(type(raised)) as seen:
        await call_tool(call(), caller(), host.ports())
    assert seen.value is raised
    assert host.finished() == CallFinished("call-1", outcome, error, 0, 1500.0)
    assert not isinstance(raised, PierheadError) or raised.code == error


async def test_the_end_of_the_program_inside_a_tool_is_recorded_and_goes_on(host: Host) -> None:
    class ProgramEnds(BaseException):
        """As SystemExit, which the event loop would not let a test see."""

    async def end(_: Permit) -> Outcome:
        raise ProgramEnds

    host.answer = end
    with pytest.raises(ProgramEnds):
        await call_tool(call(), caller(), host.ports())
    assert host.finished() == CallFinished("call-1", "upstream_error", "", 0, 0.0)


@pytest.mark.parametrize(
    ("answered", "outcome"),
    [
        (Ran("x", succeeded=True, bytes_out=1), "ok"),
        (Ran("x", succeeded=False, bytes_out=1), "tool_error"),
        (Ran("x", succeeded=None, bytes_out=1), "relayed"),
        (Waiting(call(), "wait", ()), "approval_required"),
    ],
)
async def test_every_way_to_answer_has_its_name(host: Host, answered: Outcome, outcome: str) -> None:
    async def answer(_: Permit) -> Outcome:
        return answered

    host.answer = answer
    assert await call_tool(call(), caller(), host.ports()) == answered
    assert host.finished().outcome == outcome


async def test_the_gateway_asks_about_reach_alone(host: Host) -> None:
    host.questions = REACH
    host.snapshots.snapshot = snapshot_of([server(replace(TOOL, policy=NOBODY))], [ROW])
    assert isinstance(await call_tool(call(), caller(), host.ports()), Ran)


@dataclass(slots=True)
class SlowAudit:
    """A disk that takes its time: records only once it is told to."""

    kept: MemoryAudit
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    slow_kind: str = "call-finished"

    async def record(self, fact: Fact) -> None:
        if fact.kind == self.slow_kind:
            self.waiting.set()
            await self.go.wait()
        await self.kept.record(fact)


class Spool(SlowAudit):
    """The same disk, written to by someone else: who records holds a future of it, as the journal gives it."""

    def record(self, fact: Fact) -> Steadfast:  # pyright: ignore[reportIncompatibleMethodOverride]
        written = Steadfast()

        def settle(writing: asyncio.Task[None]) -> None:
            failed = writing.exception()
            if failed:
                written.set_exception(failed)
            else:
                written.set_result(None)

        asyncio.create_task(super().record(fact)).add_done_callback(settle)
        return written


AUDITS = pytest.mark.parametrize("kind", [SlowAudit, Spool])


async def _cancelled_while(audit: SlowAudit, ports: Ports, times: int) -> None:
    """Cancel a call, again and again, while its record is being written; then let the disk go on."""
    running = asyncio.create_task(call_tool(call(), caller(), ports))
    await audit.waiting.wait()
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
        assert not running.done()
    audit.go.set()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_cancelled_call_is_recorded_as_cancelled(host: Host) -> None:
    started = asyncio.Event()

    async def hang(_: Permit) -> Outcome:
        started.set()
        await asyncio.Event().wait()
        raise AssertionError

    host.answer = hang
    running = asyncio.create_task(call_tool(call(), caller(), host.ports()))
    await started.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert host.finished().outcome == "cancelled"


@AUDITS
@pytest.mark.parametrize("times", [1, 3])
async def test_the_record_of_the_end_survives_every_cancellation(host: Host, kind: type[SlowAudit], times: int) -> None:
    audit = kind(host.audit)
    await _cancelled_while(audit, host.ports(audit), times)
    assert host.audit.kinds() == ["call-started", "call-finished"]
    assert host.finished().outcome == "ok"


@AUDITS
@pytest.mark.parametrize("times", [1, 3])
async def test_a_caller_who_leaves_before_the_tool_runs_leaves_no_open_intent(
    host: Host, kind: type[SlowAudit], times: int
) -> None:
    audit = kind(host.audit, slow_kind="call-started")
    await _cancelled_while(audit, host.ports(audit), times)
    assert host.ran == []
    assert host.audit.kinds() == ["call-started", "call-finished"]
    assert host.finished().outcome == "cancelled"


@AUDITS
async def test_a_record_that_fails_while_its_caller_leaves_does_not_undo_the_cancellation(
    host: Host, kind: type[SlowAudit]
) -> None:
    audit = kind(host.audit)
    running = asyncio.create_task(call_tool(call(), caller(), host.ports(audit)))
    await audit.waiting.wait()
    host.audit.full = True
    running.cancel()
    await asyncio.sleep(0)
    audit.go.set()
    with pytest.raises(asyncio.CancelledError) as cancelled:
        await running
    assert kind is Spool or isinstance(cancelled.value.__cause__, RecordFailed)


async def test_an_end_that_cannot_be_recorded_is_an_error_and_not_a_success(host: Host) -> None:
    async def fill_the_disk(_: Permit) -> Outcome:
        host.audit.full = True
        return Ran("x", succeeded=True, bytes_out=1)

    host.answer = fill_the_disk
    with pytest.raises(RecordFailed):
        await call_tool(call(), caller(), host.ports())


async def test_two_calls_at_once_do_not_mix_their_records(host: Host) -> None:
    calls: list[Call] = [replace(call(), id=f"call-{number}") for number in range(20)]
    await asyncio.gather(*(call_tool(one, caller(), host.ports()) for one in calls))
    for one in calls:
        kinds = [fact.kind for fact in host.audit.facts if getattr(fact, "call_id", "") == one.id]
        assert kinds == ["call-started", "call-finished"]


async def test_what_a_tool_notes_is_in_the_record_of_its_end(host: Host) -> None:
    async def noting(_: Permit) -> Outcome:
        note(rows=2, cut="rows")
        await asyncio.to_thread(note, rows=3)
        return Ran(None, succeeded=True, bytes_out=0)

    host.answer = noting
    await call_tool(call(), caller(), host.ports())
    assert host.finished().details == {"rows": 3, "cut": "rows"}


async def test_what_a_failing_tool_noted_is_in_the_record_too(host: Host) -> None:
    async def failing(_: Permit) -> Outcome:
        note(verdict="refused")
        raise ToolFailed("no")

    host.answer = failing
    with pytest.raises(ToolFailed):
        await call_tool(call(), caller(), host.ports())
    assert host.finished().details == {"verdict": "refused"}


async def test_calls_side_by_side_do_not_note_on_each_other(host: Host) -> None:
    async def noting(permit: Permit) -> Outcome:
        note(of=permit.request.call.id)
        await asyncio.sleep(0)
        note(again=permit.request.call.id)
        return Ran(None, succeeded=True, bytes_out=0)

    host.answer = noting
    await asyncio.gather(*(call_tool(replace(call(), id=str(n)), caller(), host.ports()) for n in range(4)))
    ends = [fact for fact in host.audit.facts if isinstance(fact, CallFinished)]
    assert [end.details for end in ends] == [{"of": end.call_id, "again": end.call_id} for end in ends]


def test_a_note_outside_a_call_is_no_fault() -> None:
    note(rows=2)
