"""A body that needs a person's yes after all: it knows now what the arguments alone did not tell.

    ask_for("approve", "it affects 5000 rows")      # ends the body; what it began must be undone by then

The call then waits as one that was asked for before it ran: the same result, the same record. Once people agreed, the
same call runs the body again, and there `ask_for` lets it go on, if it says the very same. Not here: approvals that
arguments decide (`approval=` of a tool), the records of approvals (a port).
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.call import Outcome, Waiting
from pierhead.core.errors import PierheadError, ToolFailed
from pierhead.core.policy import ApprovalNeeded, Permit
from pierhead.usecases.call_tool import denied, settling, spend_or_wait
from pierhead.usecases.ports import Approvals, Upstream
from pierhead.usecases.told_by_tools import asking

_Need = tuple[Approval, str]


@dataclass(slots=True)
class _Asked:
    """What a body under way asked for, written on from any of its tasks; and what people agreed to before."""

    granted: _Need | None = None
    needed: list[_Need] = field(default_factory=list[_Need])


_ASKED: Final[ContextVar[_Asked]] = ContextVar("pierhead_asked")


class _AskedFor(ToolFailed):
    """Ends a body. A caller reads it only where nothing can wait for a person, as in an author's own test."""

    default_code = "approval-required"


def ask_for(approval: str, why: str) -> None:
    """End the body of a tool: nothing runs before people agree. Returns once they did, to this class and this why.

    `approval` is `confirm`, `approve`, `four-eyes` or `deny`; `why` says what the arguments did not, without any
    value of a row. Only a tool whose `approval` is decided by a function may ask.
    """
    asked = _ASKED.get(None)
    if asked is not None:
        if asked.granted == (Approval(approval), why):
            return
        asked.needed.append((Approval(approval), why))
    raise _AskedFor(f"this needs {approval}: {why}", hint="nothing was changed")


@dataclass(frozen=True, slots=True)
class MayAsk:
    """An upstream whose body may still ask."""

    upstream: Upstream
    approvals: Approvals

    async def run(self, permit: Permit) -> Outcome:
        ran = await self._try(permit, None)
        return ran if isinstance(ran, Outcome) else await self._agreed(permit, ran)

    async def _try(self, permit: Permit, granted: _Need | None) -> Outcome | _Need:
        """What the body answered, or what it needs before it can."""
        asked = _Asked(granted)
        token = _ASKED.set(asked)
        try:
            outcome = await self.upstream.run(permit)
        except PierheadError:
            if not asked.needed:
                raise
            outcome = None
        finally:
            _ASKED.reset(token)
        return outcome if outcome is not None and not asked.needed else asked.needed[0]

    async def _agreed(self, permit: Permit, need: _Need) -> Outcome:
        """Wait for people, or run again with their yes: once, and for exactly what they agreed to."""
        approval, why = need
        reasons = (*permit.reasons, *asking(permit.request, approval, f"{why}, which needs"))
        if approval is Approval.DENY:
            return denied(permit.request.call, f"{permit.request.tool.name} is denied: {why}", reasons)
        granted = await spend_or_wait(ApprovalNeeded(permit.request, approval, reasons), self.approvals)
        if isinstance(granted, Waiting):
            return granted
        async with settling(granted, self.approvals) as ending:
            ran = await self._try(granted, need)
            ending.outcome = ran if isinstance(ran, Outcome) else None
        return ran if isinstance(ran, Outcome) else await self._agreed(permit, ran)
