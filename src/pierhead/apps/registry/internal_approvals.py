"""What servers ask the registry about approvals: to ask people, to spend a yes, to tell how a call ended.

Part of /internal/v1, behind its key: whoever holds it is a server of ours, and says for whom it asks. Deciding is not
among these routes. Below: the use cases. Not here: people (`web`, `api`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.internal import Endpoint, body_read, json_answer, members_of
from pierhead.core.approval_record import ApprovalRecord
from pierhead.usecases.approval_desk import ApprovalDesk, ticket_of
from pierhead.usecases.approval_forms import proposal_from_form, ticket_to_form
from pierhead.usecases.ask_approval import ask_approval
from pierhead.usecases.spend_approval import finish_approval, spend_approval


@dataclass(frozen=True, slots=True)
class InternalApprovals:
    """The routes over one desk."""

    desk: ApprovalDesk

    def routes(self) -> Mapping[str, Endpoint]:
        return {
            "POST /approvals": self.ask,
            "POST /approvals/{id}/spend": self.spend,
            "POST /approvals/{id}/finish": self.finish,
        }

    async def ask(self, request: Request) -> Response:
        return self._ticket(await ask_approval(proposal_from_form(await body_read(request)), self.desk))

    async def spend(self, request: Request) -> Response:
        digest, call_id = members_of(await body_read(request), digest=str, call_id=str)
        return self._ticket(await spend_approval(request.path_params["id"], digest, call_id, self.desk))

    async def finish(self, request: Request) -> Response:
        call_id, ended = members_of(await body_read(request), call_id=str, ended=str)
        return self._ticket(await finish_approval(request.path_params["id"], call_id, ended[:100], self.desk))

    def _ticket(self, record: ApprovalRecord) -> Response:
        return json_answer(ticket_to_form(ticket_of(record, self.desk.public_url)))
