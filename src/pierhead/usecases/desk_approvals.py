"""The port `Approvals` over a desk in the same process: what servers ask the registry, without a network between.

For an author's tests (`sdk/testing`). Not here: deciding (`answer_approval`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pierhead.core.approval import FormAnswer, Ticket
from pierhead.core.approval_record import ApprovalRecord, fingerprint, proposal_of
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded
from pierhead.usecases.approval_desk import ApprovalDesk, ticket_of
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.own_approvals import (
    Asker,
    await_approval,
    confirm_approval,
    own_approvals,
    withdraw_approval,
)
from pierhead.usecases.ports_approvals import DecisionNews
from pierhead.usecases.spend_approval import finish_approval, spend_approval


class AtOnce:
    """Nobody decides while somebody waits: fills `DecisionNews` where one loop does both."""

    async def decided(self, record_id: str, within_s: float) -> None:
        del record_id, within_s


@dataclass(frozen=True, slots=True)
class DeskApprovals:
    """Fills `ports.ServerApprovals`."""

    desk: ApprovalDesk
    news: DecisionNews = field(default_factory=AtOnce)

    def _ticket(self, record: ApprovalRecord) -> Ticket:
        return ticket_of(record, self.desk.public_url)

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        return self._ticket(await ask_approval(proposal_of(needed), self.desk))

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        await spend_approval(ticket.id, fingerprint(needed), needed.request.call.id, self.desk)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await finish_approval(approval, call_id, ended, self.desk)

    async def confirm(self, ticket: Ticket, answer: FormAnswer, caller: Caller) -> Ticket:
        return self._ticket(await confirm_approval(ticket.id, answer, Asker.of(caller), self.desk))

    async def wait(self, approval: str, caller: Caller, within_s: float) -> Ticket:
        return self._ticket(await await_approval(approval, Asker.of(caller), within_s, self.desk, self.news))

    async def mine(self, caller: Caller, server: str) -> Sequence[Ticket]:
        return [self._ticket(record) for record in await own_approvals(Asker.of(caller), server, self.desk)]

    async def cancel(self, approval: str, caller: Caller) -> Ticket:
        return self._ticket(await withdraw_approval(approval, Asker.of(caller), self.desk))
