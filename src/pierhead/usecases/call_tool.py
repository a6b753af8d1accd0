"""The one governed path: resolve, decide, approve, record, run, record.

Hosted by the gateway (rules: reach; upstream: the relay), by every server and by the guard before a guest
(rules: reach and use; upstream: your function). No effect without its audit record first.
"""

import asyncio
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import Final, Self, assert_never

from pierhead.core.approval import ApprovalState, Ticket
from pierhead.core.audit import CallFinished, CallRefused, CallStarted
from pierhead.core.call import Call, Opaque, Outcome, Parsed, Ran, Request, Waiting, plan_of
from pierhead.core.catalog import Discovery
from pierhead.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PierheadError,
    RecordFailed,
    Refused,
    ToolFailed,
    ToolTimedOut,
    UpstreamUnreachable,
)
from pierhead.core.identity import Caller
from pierhead.core.json import Json
from pierhead.core.policy import DENIED, ApprovalNeeded, Decision, Match, Permit, Question, Refusal, decide
from pierhead.core.redaction import kept_details, redact
from pierhead.core.snapshot import Snapshot
from pierhead.usecases.notes import SHEET, Sheet
from pierhead.usecases.ports import Approvals, Audit, Clock, Ports
from pierhead.usecases.resolve import no_such_server, no_such_tool, resolve
from pierhead.usecases.spend_approval import UNKNOWN
from pierhead.usecases.steadfast import Steadfast


async def call_tool(call: Call, caller: Caller, at: Ports) -> Outcome:
    """Carry one tool call from its name to its recorded end.

    Errors: Refused, NotFound and Invalid before anything ran, each recorded; RecordFailed, and nothing ran;
    ToolFailed after the intent was recorded; whatever the tool raised. What an approval was spent for runs once.
    """
    async with recording_refusals(call, caller, at.audit) as refusals:
        snapshot = at.snapshots.current()
        request = resolve(call, caller, snapshot, at.snapshots.age())
        decision = decide(request, at.rules.matches(request), at.rules.questions)
        refusals.decided, refusals.reasons = request, decision.reasons
        permit = await approve(decision, call, snapshot, at.approvals)
    if isinstance(permit, Waiting):
        fact = CallRefused.of(call, caller, _why_waiting(permit), permit.approval, decision.reasons, request)
        await at.audit.record(fact)
        return permit
    return await (run_once(permit, at) if permit.approval else run(permit, at))


async def run(permit: Permit, at: Ports) -> Outcome:
    """Record, run, record."""
    await record_intent(permit, at.audit)
    async with finishing(permit.request.call, at.audit, at.clock) as ending:
        ending.outcome = await at.upstream.run(permit)
    return ending.outcome


async def run_once(permit: Permit, at: Ports) -> Outcome:
    """Run what an approval was spent for, and tell how it ended."""
    async with settling(permit, at.approvals) as ending:
        ending.outcome = await run(permit, at)
    return ending.outcome


class settling:  # noqa: N801 - as `recording_refusals`
    """Tell how the call ended that spent an approval. Whatever is not surely known is left to a person.

    No outcome, and no failure: the body asked for more, and did nothing.
    """

    __slots__ = ("_approvals", "_permit", "outcome")

    def __init__(self, permit: Permit, approvals: Approvals) -> None:
        self._permit = permit
        self._approvals = approvals
        self.outcome: Outcome | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, failed: BaseException | None, _where: object) -> None:
        await _surely(self._tell(_known_end(self.outcome, failed)))

    async def _tell(self, ended: str) -> None:
        """An end that cannot be told is no error of the call: when its time is over, the approval counts as lost."""
        with suppress(UpstreamUnreachable, Conflict):
            await self._approvals.finish(self._permit.approval, self._permit.request.call.id, ended)


_UNSURE: Final = (RecordFailed, ToolTimedOut, UpstreamUnreachable)


def _known_end(outcome: Outcome | None, failed: BaseException | None) -> str:
    if failed is None:
        return "asked-again" if outcome is None else _ended(outcome)
    if isinstance(failed, PierheadError) and not isinstance(failed, _UNSURE):
        return failed.code
    return UNKNOWN


async def approve(decision: Decision, call: Call, snapshot: Snapshot, approvals: Approvals) -> Permit | Waiting:
    """Turn a decision into a permit, a wait, or the refusal it is.

    Errors: NotFound for a tool the caller may not use (hidden reads as absent); Forbidden, naming the reason
    and whom to ask, for a server the caller may not reach, and for a tool that is withheld from everybody; Conflict
    (`plan-changed`) for a plan that is no longer what it was. Class `deny` is no error: it is an answer, and final.
    """
    match decision:
        case Permit():
            if _is_changed(decision.request):
                raise _plan_changed()
            return decision
        case ApprovalNeeded():
            return await spend_or_wait(decision, approvals)
        case Refusal(question=Question.USE, code=code) if code == DENIED:
            return denied(call, decision.sentence, decision.reasons)
        case Refusal():
            raise refused(decision, call, snapshot)
        case _:
            assert_never(decision)


def refused(refusal: Refusal, call: Call, snapshot: Snapshot) -> Forbidden | NotFound:
    """What a caller reads of a refusal: of a tool that is not theirs no more than of one that is not there."""
    if refusal.question is not Question.USE:
        return unreachable(call.server, refusal, snapshot)
    if refusal.code == "definition_drift":
        return Forbidden(refusal.sentence, hint=refusal.whom_to_ask, code=refusal.code)
    return no_such_tool(call.tool)


def denied(call: Call, sentence: str, reasons: Iterable[Match]) -> Waiting:
    """The answer to a call that nobody can approve: no record, and nothing to wait for."""
    ticket = Ticket("", ApprovalState.DENIED, "", 0.0, sentence)
    return Waiting(call, sentence, tuple(dict.fromkeys(match.sentence for match in reasons)), ticket)


def _why_waiting(waiting: Waiting) -> str:
    is_denied = waiting.ticket is not None and waiting.ticket.state is ApprovalState.DENIED
    return DENIED if is_denied else "approval_required"


async def spend_or_wait(needed: ApprovalNeeded, approvals: Approvals) -> Permit | Waiting:
    """Ask, and spend the yes if it is there. Of many who come at once one gets it; the others wait.

    Errors: Refused (`approvals-away`), where nobody could ask or knows whether it was spent: nothing runs then.
    Conflict (`plan-changed`), and what people were asked for, or agreed to, is superseded.
    """
    try:
        ticket = await approvals.ask(needed)
        if _is_changed(needed.request):
            raise _plan_changed()
        if ticket.state is ApprovalState.APPROVED:
            try:
                await approvals.spend(needed, ticket)
            except Conflict:
                ticket = await approvals.ask(needed)
            else:
                return Permit(needed.request, needed.reasons, ticket.id)
    except UpstreamUnreachable as away:
        tool = needed.request.tool.name
        message = f"{tool} needs an approval, and the registry that keeps them is away; nothing was executed"
        raise Refused(message, hint="call again when it is back", code="approvals-away") from away
    reasons = tuple(match.sentence for match in needed.reasons)
    return Waiting(needed.request.call, ticket.sentence, reasons, ticket)


def _is_changed(request: Request) -> bool:
    plan = plan_of(request.call)
    return plan is not None and plan.is_changed


def _plan_changed() -> Conflict:
    message = "what this would change is no longer what was planned; nothing was executed"
    return Conflict(message, hint="plan again, and carry out the new plan", code="plan-changed")


def unreachable(server: str, refusal: Refusal, snapshot: Snapshot) -> Forbidden | NotFound:
    """What a caller reads who may not reach a server: the reason, and whom to ask; of a gated one, that it is not."""
    if snapshot.servers[server].discovery is Discovery.GATED:
        return no_such_server(server)
    open_to = " or ".join(str(row.who) for row in snapshot.rows.get(server, ())) or "nobody"
    message = f"you may not reach server {server!r}: {refusal.sentence}; it is open to {open_to}"
    return Forbidden(message, hint=refusal.whom_to_ask, code="cannot-reach")


async def record_intent(permit: Permit, audit: Audit) -> None:
    """Put the intent on disk. A caller who leaves meanwhile leaves a whole record: begun, and cancelled."""
    call = permit.request.call
    try:
        await _surely(audit.record(CallStarted.of(permit, kept_arguments(call))))
    except asyncio.CancelledError:
        await _surely(audit.record(CallFinished(call.id, "cancelled", "", bytes_out=0, duration_ms=0.0)))
        raise


def kept_arguments(call: Call) -> Json:
    """What the intent keeps of the arguments: their redacted shape, or nothing where they were not read."""
    match call.arguments:
        case Parsed(values=values):
            return redact(values)
        case Opaque():
            return None
        case _:
            assert_never(call.arguments)


class recording_refusals:  # noqa: N801 - reads as a verb; a class, since a generator a call costs three times as much
    """Record, then raise on: a refusal that leaves no trace would be an invitation to probe."""

    __slots__ = ("_audit", "_call", "_caller", "decided", "reasons")

    def __init__(self, call: Call, caller: Caller, audit: Audit) -> None:
        self._call = call
        self._caller = caller
        self._audit = audit
        self.decided: Request | None = None
        self.reasons: tuple[Match, ...] = ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: object, refused: BaseException | None, _where: object) -> None:
        if isinstance(refused, Refused | NotFound | Invalid):
            code, message = refused.code, refused.message
            fact = CallRefused.of(self._call, self._caller, code, message, self.reasons, self.decided)
            await self._audit.record(fact)


_NOT_YET: Final = Ran(result=None, succeeded=None, bytes_out=0)
_OUTCOMES: Final = (
    (ToolTimedOut, "timeout"),
    (UpstreamUnreachable, "upstream_error"),
    (ToolFailed, "tool_error"),
)


class finishing:  # noqa: N801 - as `recording_refusals`
    """Record how the call ended, also when its caller goes away: the record is shielded from cancellation."""

    __slots__ = ("_audit", "_before", "_call", "_clock", "_notes", "_started", "outcome")

    def __init__(self, call: Call, audit: Audit, clock: Clock) -> None:
        self._call = call
        self._audit = audit
        self._clock = clock
        self._started = clock.monotonic()
        self._notes: Sheet = {}
        self.outcome: Outcome = _NOT_YET

    async def __aenter__(self) -> Self:
        self._before = SHEET.set(self._notes)
        return self

    async def __aexit__(self, _kind: object, failed: BaseException | None, _where: object) -> None:
        SHEET.reset(self._before)
        ended, error = (_ended(self.outcome), "") if failed is None else _failed(failed)
        size = self.outcome.bytes_out if isinstance(self.outcome, Ran) else 0
        milliseconds = (self._clock.monotonic() - self._started) * 1000
        details = kept_details(self._notes) if self._notes else self._notes
        fact = CallFinished(self._call.id, ended, error, size, round(milliseconds, 3), details)
        await _surely(self._audit.record(fact))


def _ended(outcome: Outcome) -> str:
    match outcome:
        case Waiting():
            return "approval_required"
        case Ran(succeeded=None):
            return "relayed"
        case Ran(succeeded=succeeded):
            return "ok" if succeeded else "tool_error"
        case _:
            assert_never(outcome)


def _failed(failed: BaseException) -> tuple[str, str]:
    """Outcome and error code of a call that ended by an exception."""
    match failed:
        case asyncio.CancelledError():
            return "cancelled", ""
        case PierheadError():
            outcome = next((name for kind, name in _OUTCOMES if isinstance(failed, kind)), "tool_error")
            return outcome, failed.code
        case Exception():
            return "tool_error", "exception"
        case _:
            return "upstream_error", ""


async def _surely(recording: Awaitable[None]) -> None:
    """Wait for the record however often the caller is cancelled meanwhile, then let the cancellation go on."""
    if isinstance(recording, Steadfast):
        await recording
        return
    record = asyncio.ensure_future(recording)
    try:
        await asyncio.shield(record)
    except asyncio.CancelledError as cancelled:
        while not record.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({record})
        raise cancelled from record.exception()
