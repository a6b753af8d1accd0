"""The port `Approvals` over a desk in the same process: what servers ask the registry, without a network between.

For an author's tests (`sdk/testing`). Not here: deciding (`answer_approval`).
"""

from dataclasses import dataclass

from pierhead.core.approval import Ticket
from pierhead.core.approval_record import fingerprint, proposal_of
from pierhead.core.policy import ApprovalNeeded
from pierhead.usecases.approval_desk import ApprovalDesk, ticket_of
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.spend_approval import finish_approval, spend_approval


@dataclass(frozen=True, slots=True)
class DeskApprovals:
    """Fills `ports.Approvals`."""

    desk: ApprovalDesk

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        return ticket_of(await ask_approval(proposal_of(needed), self.desk), self.desk.public_url)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        await spend_approval(ticket.id, fingerprint(needed), needed.request.call.id, self.desk)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await finish_approval(approval, call_id, ended, self.desk)
