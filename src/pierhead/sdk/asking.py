"""A body that needs a person's yes after all: it knows now what the arguments alone did not tell.

    ask_for("approve", "it affects 5000 rows")      # ends the body; what it began must be undone by then

The call then waits as one that was asked for before it ran: the same result, the same record. Not here: approvals
that arguments decide (`approval=` of a tool), the records of approvals (a port).
"""

from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Final, NoReturn

from pierhead.core.approval import Approval
from pierhead.core.call import Outcome, Waiting
from pierhead.core.errors import PierheadError, ToolFailed
from pierhead.core.policy import ApprovalNeeded, Permit
from pierhead.usecases.ports import Approvals, Upstream
from pierhead.usecases.told_by_tools import asking


@dataclass(slots=True)
class _Asked:
    """What a body under way asked for; written on from any of its tasks."""

    needed: list[tuple[Approval, str]] = field(default_factory=list[tuple[Approval, str]])


_ASKED: Final[ContextVar[_Asked]] = ContextVar("pierhead_asked")


class _AskedFor(ToolFailed):
    """Ends a body. A caller reads it only where nothing can wait for a person, as in an author's own test."""

    default_code = "approval-required"


def ask_for(approval: str, why: str) -> NoReturn:
    """End the body of a tool: nothing runs before people agree.

    `approval` is `confirm`, `approve`, `four-eyes` or `deny`; `why` says what the arguments did not, without any
    value of a row. Only a tool whose `approval` is decided by a function may ask.
    """
    asked = _ASKED.get(None)
    if asked is not None:
        asked.needed.append((Approval(approval), why))
    raise _AskedFor(f"this needs {approval}: {why}", hint="nothing was changed")


@dataclass(frozen=True, slots=True)
class MayAsk:
    """An upstream whose body may still ask."""

    upstream: Upstream
    approvals: Approvals

    async def run(self, permit: Permit) -> Outcome:
        asked = _Asked()
        token = _ASKED.set(asked)
        try:
            outcome = await self.upstream.run(permit)
        except PierheadError:
            if not asked.needed:
                raise
            outcome = None
        finally:
            _ASKED.reset(token)
        if outcome is not None and not asked.needed:
            return outcome
        return await self._wait(permit, *asked.needed[0])

    async def _wait(self, permit: Permit, approval: Approval, why: str) -> Waiting:
        reasons = (*permit.reasons, *asking(permit.request, approval, f"{why}, which needs"))
        text = await self.approvals.ask(ApprovalNeeded(permit.request, approval, reasons))
        return Waiting(permit.request.call, text, tuple(match.sentence for match in reasons))
