"""A call that waits for people, as a task that its client polls.

Nothing runs by itself: a poll is the same caller calling again. While people decide it looks and tells; once they
agreed, the poll that finds it so makes the call, governed and recorded as any call of that tool, and the approval is
spent as ever, once. A call that takes longer than a poll goes on by itself, and a later poll tells its result, which
this process keeps for some minutes and nobody stores. Below: `task_seal`, `task_told`. Above: `protocol`, `short`.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from mcp.shared.exceptions import MCPError

from pierhead.core.approval import ApprovalState, Ticket
from pierhead.core.audit import CallRefused
from pierhead.core.call import Call, Outcome, Ran, Waiting
from pierhead.core.errors import Conflict, Invalid, NotFound, PierheadError, ToolFailed, ToolTimedOut
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Permit
from pierhead.sdk.governance import DeclaredTool, Governance
from pierhead.sdk.result import Answer, approval_required, failure
from pierhead.sdk.task_seal import Handle, TaskSeal
from pierhead.sdk.task_told import KEPT_S, Told, completed, created, failed, no_such_task, polled, told_by
from pierhead.usecases.call_tool import recording_refusals
from pierhead.usecases.memory import NoApprovals
from pierhead.usecases.ports import ServerApprovals, Upstream

_PATIENCE_S: Final = 10.0
"""How long a poll waits for the call that it made."""
_FRESH_S: Final = 1.0
"""For so long nobody is asked again whether people decided."""
_LOOKED_AT: Final = 1000
_KEPT: Final = 100
_KEPT_BYTES: Final = 16 * 1024 * 1024
_WAITS: Final = "approval_required"


@dataclass(frozen=True, slots=True)
class Poll:
    """One poll: whose, of which task, and the call that it makes once it may."""

    handle: Handle
    call: Call
    caller: Caller
    tool: DeclaredTool
    upstream: Upstream


@dataclass(frozen=True, slots=True)
class _Ended:
    """How the call of a task ended; `ran` once its approval was spent."""

    told: Told
    ran: bool
    size: int = 0
    at: float = 0.0


@dataclass(slots=True)
class Tasks:
    """The tasks of one server, as one of its processes knows them."""

    governance: Governance
    seal: TaskSeal
    _running: "dict[str, asyncio.Task[_Ended]]" = field(default_factory=dict[str, "asyncio.Task[_Ended]"])
    _kept: dict[str, _Ended] = field(default_factory=dict[str, _Ended])
    _looked: dict[str, tuple[float, Ticket]] = field(default_factory=dict[str, tuple[float, Ticket]])

    @property
    def are_offered(self) -> bool:
        """Whether any call can wait for people here."""
        return not isinstance(self.governance.approvals, NoApprovals)

    def offered(self, waiting: Waiting, arguments: Mapping[str, Any], caller: Caller) -> dict[str, Any] | None:
        """The task in the place of that answer; None where it cannot be one: nothing waits, or it is too long."""
        ticket = waiting.ticket
        if ticket is None or not ticket.id or ticket.state is not ApprovalState.PENDING:
            return None
        now = self.governance.clock.now()
        handle = Handle("", waiting.call.tool, ticket.id, now, ticket.expires_at, arguments)
        task_id = self.seal.closed(handle, caller)
        return created(replace(handle, task_id=task_id), ticket) if task_id else None

    async def polled(self, poll: Poll) -> dict[str, Any]:
        """What the task is now; makes its call if people agreed.

        Errors: Invalid (`no-such-task`, `task-over`); whatever refuses that call to its caller, before anything ran.
        """
        at = self.governance
        async with recording_refusals(poll.call, poll.caller, at.audit):
            told = await self._without_running(poll)
        if told is None:
            told = await self._ended(self._begun(poll))
        else:
            await at.audit.record(CallRefused.of(poll.call, poll.caller, _WAITS, told.sentence, ()))
        return polled(poll.handle, told, at.clock.now())

    async def drained(self, within_s: float = _PATIENCE_S) -> None:
        """Let the calls under way end; what does not end in time is cut, and is a person's to settle."""
        if self._running:
            _, left = await asyncio.wait(self._running.values(), timeout=within_s)
            for each in left:
                each.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _without_running(self, poll: Poll) -> Told | None:
        """What can be told as it stands; None where the call is to be made."""
        approval = poll.handle.approval
        if (told := await self._at_hand(approval)) is not None:
            return told
        ticket = await self._looked_at(poll)
        told = await self._at_hand(approval)  # another poll may have been quicker
        return told_by(ticket, poll.call) if told is None and ticket.state is not ApprovalState.APPROVED else told

    async def _at_hand(self, approval: str) -> Told | None:
        if approval in self._running:
            return await self._ended(self._running[approval])
        self._forget()
        kept = self._kept.get(approval)
        return kept.told if kept is not None else None

    async def _looked_at(self, poll: Poll) -> Ticket:
        """The approval as it is now, or was a moment ago."""
        at, approval = self.governance, poll.handle.approval
        when, before = self._looked.get(approval, (0.0, None))
        if before is not None and at.clock.monotonic() - when < _FRESH_S:
            return before
        self._looked.pop(approval, None)
        try:
            ticket = await at.approvals.wait(approval, poll.caller, 0.0)
        except NotFound:
            raise no_such_task() from None
        if ticket.state is ApprovalState.PENDING:
            self._looked[approval] = at.clock.monotonic(), ticket
            while len(self._looked) > _LOOKED_AT:
                self._looked.pop(next(iter(self._looked)))
        return ticket

    def _begun(self, poll: Poll) -> "asyncio.Task[_Ended]":
        """The call, in a task of its own: its poll may be given up, and it is not."""
        approval = poll.handle.approval
        running = self._running[approval] = asyncio.create_task(self._call(poll))
        running.add_done_callback(partial(self._over, approval))
        return running

    def _over(self, approval: str, running: "asyncio.Task[_Ended]") -> None:
        self._running.pop(approval, None)
        if running.cancelled() or running.exception() is not None:
            return
        ended = running.result()
        if ended.ran:
            self._kept[approval] = replace(ended, at=self.governance.clock.monotonic())
            self._forget()

    def _forget(self) -> None:
        """Keep results for minutes, and no more than some."""
        now, size = self.governance.clock.monotonic(), sum(each.size for each in self._kept.values())
        for approval, each in list(self._kept.items()):
            if now - each.at <= KEPT_S and len(self._kept) <= _KEPT and size <= _KEPT_BYTES:
                break
            size -= self._kept.pop(approval).size

    async def _ended(self, running: "asyncio.Task[_Ended]") -> Told:
        await asyncio.wait({running}, timeout=_PATIENCE_S)
        return running.result().told if running.done() else Told("working", "it is approved, and runs now")

    async def _call(self, poll: Poll) -> _Ended:
        """Call the tool as its caller would, and spend the approval of this task, or run nothing."""
        at, handle = self.governance, poll.handle
        spending = _Spending(at.approvals, handle.approval)
        size = 0
        try:
            call, _ = await at.read(poll.call, poll.caller, poll.tool, handle.arguments)
            outcome = await at.run(call, poll.caller, _OnceSpent(poll.upstream), spending)
        except (Invalid, ToolTimedOut) as wrong:
            told = completed(failure(wrong), wrong.message)
        except MCPError as raised:
            told = failed(raised)
        except PierheadError as refused:
            if not spending.is_spent:
                raise
            told = failed(refused)
        else:
            told, size = _told(outcome, is_spent=spending.is_spent), getattr(outcome, "bytes_out", 0)
        return _Ended(told, spending.is_spent, size)


def _told(outcome: Outcome, *, is_spent: bool) -> Told:
    """Errors: Invalid (`task-over`)."""
    match outcome:
        case Ran(result=Answer() as answer):
            return completed(answer, "it ran")
        case Ran(succeeded=None):
            return failed(ToolFailed("it asks its caller while it runs, which a task cannot carry"))
        case Ran():
            return completed(outcome.result, "it ran")  # pyright: ignore[reportArgumentType] - wire form, by its upstream
        case Waiting(ticket=Ticket(state=state) as ticket) if not is_spent and state is not ApprovalState.APPROVED:
            return told_by(ticket, outcome.call)
        case Waiting() if is_spent:
            return completed(approval_required(outcome), outcome.approval)
        case Waiting():
            message = "what was approved is not what would run now: the rules, the tool or who calls changed"
            differs = Conflict(message, hint="call the tool again", code="approval-differs")
            return completed(failure(differs), message)


@dataclass(slots=True)
class _Spending:
    """The approvals of one task's call: this one and no other, until it is spent. Fills `ports.Approvals`."""

    approvals: ServerApprovals
    approval: str
    is_spent: bool = False

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        """The approval as it is: a poll asks people for nothing, but for what its call asks late, once it runs."""
        if self.is_spent:
            return await self.approvals.ask(needed)
        return await self.approvals.wait(self.approval, needed.request.caller, 0.0)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        await self.approvals.spend(needed, ticket)
        self.is_spent = True

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await self.approvals.finish(approval, call_id, ended)


@dataclass(frozen=True, slots=True)
class _OnceSpent:
    """An upstream that runs for an approval alone: what needs none any more would run with every poll."""

    upstream: Upstream

    async def run(self, permit: Permit) -> Outcome:
        if not permit.approval:
            message = f"{permit.request.tool.name} needs no approval now; the task of that call is void"
            raise Conflict(message, hint="call the tool again", code="approval-differs")
        return await self.upstream.run(permit)


@dataclass(slots=True)
class Begun:
    """An upstream that remembers whether its body was begun: who asks late is given no task."""

    upstream: Upstream
    is_begun: bool = False

    async def run(self, permit: Permit) -> Outcome:
        self.is_begun = True
        return await self.upstream.run(permit)
