"""What is needed from outside, as Protocols named for the need. Adapters and `memory` fill them."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pierhead.core.approval import FormAnswer, Ticket
from pierhead.core.audit import Fact
from pierhead.core.call import Outcome, Request
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded, Match, Permit, Question
from pierhead.core.snapshot import Age, Snapshot


class Clock(Protocol):
    """Time."""

    def now(self) -> float:
        """Seconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never steps; only differences mean anything."""
        ...


class Ids(Protocol):
    """Names for new things."""

    def new(self) -> str:
        """A fresh, sortable identifier."""
        ...


class Snapshots(Protocol):
    """The policy in force here."""

    def current(self) -> Snapshot: ...

    def age(self) -> Age:
        """How long ago the registry last confirmed `current()`."""
        ...


class Rules(Protocol):
    """The policy engine."""

    @property
    def questions(self) -> frozenset[Question]:
        """What this host must see permitted; never empty."""
        ...

    def matches(self, request: Request) -> Sequence[Match]:
        """Every rule that took part, for every question of this host. A rule that errs counts as a forbid."""
        ...

    def reach(self, caller: Caller, server: str) -> Sequence[Match]:
        """The layer-1 rules alone, for messages that name no tool."""
        ...


class Approvals(Protocol):
    """Asking people, and spending their yes."""

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        """Put the question once: the same call gets the same ticket.

        Errors: UpstreamUnreachable, where the keeper of approvals does not answer; LimitExceeded; Invalid.
        """
        ...

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        """Use an approved ticket up for this very call. One of many gets it.

        Errors: Conflict, and it was not this call; UpstreamUnreachable, and nobody knows: then nothing may run.
        """
        ...

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        """Tell how the call ended that spent it; `unknown` where nobody knows.

        Errors: UpstreamUnreachable; Conflict.
        """
        ...


class ServerApprovals(Approvals, Protocol):
    """What a server asks of approvals besides, for whoever asked and for nobody else."""

    async def confirm(self, ticket: Ticket, answer: FormAnswer, caller: Caller) -> Ticket:
        """The caller's own yes or no, as they gave it in a form.

        Errors: Conflict, where it was decided meanwhile; NotFound; Forbidden, where another's yes is needed;
        UpstreamUnreachable.
        """
        ...

    async def wait(self, approval: str, caller: Caller, within_s: float) -> Ticket:
        """Once people decided, or after `within_s` seconds. Errors: NotFound; UpstreamUnreachable."""
        ...

    async def mine(self, caller: Caller, server: str) -> Sequence[Ticket]:
        """What the caller asked for on that server and is open still. Errors: UpstreamUnreachable."""
        ...

    async def cancel(self, approval: str, caller: Caller) -> Ticket:
        """Withdraw what the caller asked for. Errors: NotFound; Conflict; UpstreamUnreachable."""
        ...


class Audit(Protocol):
    """The durable record."""

    def record(self, fact: Fact) -> Awaitable[None]:
        """Awaited, returns once the fact is on disk; raises RecordFailed if that cannot be had."""
        ...


class Upstream(Protocol):
    """What runs when everything has been decided."""

    async def run(self, permit: Permit) -> Outcome: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything one call needs. `upstream` belongs to this call, the rest to its host."""

    snapshots: Snapshots
    rules: Rules
    approvals: Approvals
    audit: Audit
    clock: Clock
    upstream: Upstream
