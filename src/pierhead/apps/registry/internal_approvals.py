"""What servers ask the registry about approvals: to ask people, to spend a yes, to tell how a call ended.

Part of /internal/v1, behind its key: whoever holds it is a server of ours, and says for whom it asks. A server that
its team runs asks the same for itself alone (`enrolled`). Nothing is decided here but the caller's own confirmation in
a form. Below: the use cases. Not here: people (`web`, `api`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.registry.internal import (
    Endpoint,
    body_read,
    json_answer,
    members_of,
    require_own,
    speaks_for_all,
)
from pierhead.core.approval import FormAnswer
from pierhead.core.approval_record import ApprovalRecord, Proposal
from pierhead.usecases.approval_desk import ApprovalDesk, record_of, ticket_of
from pierhead.usecases.approval_forms import proposal_from_form, ticket_to_form
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


@dataclass(frozen=True, slots=True)
class InternalApprovals:
    """The routes over one desk."""

    desk: ApprovalDesk
    news: DecisionNews

    def routes(self) -> Mapping[str, Endpoint]:
        return {
            "POST /approvals": self.ask,
            "POST /approvals/mine": self.mine,
            "POST /approvals/{id}/confirm": self.confirm,
            "POST /approvals/{id}/wait": self.wait,
            "POST /approvals/{id}/cancel": self.cancel,
            "POST /approvals/{id}/spend": self.spend,
            "POST /approvals/{id}/finish": self.finish,
        }

    async def ask(self, request: Request) -> Response:
        proposal = proposal_from_form(await body_read(request))
        require_own(request, proposal.server)
        own = proposal if speaks_for_all(request) else _apart(proposal)
        return self._ticket(await ask_approval(own, self.desk))

    async def confirm(self, request: Request) -> Response:
        """What a person chose in a form of their client, before which the gateway knows that they sit."""
        asker, verdict, digest = members_of(await body_read(request), asker=dict, verdict=str, digest=str)
        answer = FormAnswer(verdict, digest)
        return self._ticket(await confirm_approval(await self._own(request), answer, _asker(asker), self.desk))

    async def wait(self, request: Request) -> Response:
        asker, wait_s = members_of(await body_read(request), asker=dict, wait_s=float)
        waited = await_approval(await self._own(request), _asker(asker), wait_s, self.desk, self.news)
        return self._ticket(await waited)

    async def mine(self, request: Request) -> Response:
        asker, server = members_of(await body_read(request), asker=dict, server=str)
        require_own(request, server)
        found = await own_approvals(_asker(asker), server, self.desk)
        tickets = [ticket_to_form(ticket_of(record, self.desk.public_url)) for record in found]
        return json_answer({"tickets": tickets})

    async def cancel(self, request: Request) -> Response:
        (asker,) = members_of(await body_read(request), asker=dict)
        return self._ticket(await withdraw_approval(await self._own(request), _asker(asker), self.desk))

    async def spend(self, request: Request) -> Response:
        digest, call_id = members_of(await body_read(request), digest=str, call_id=str)
        return self._ticket(await spend_approval(await self._own(request), digest, call_id, self.desk))

    async def finish(self, request: Request) -> Response:
        call_id, ended = members_of(await body_read(request), call_id=str, ended=str)
        return self._ticket(await finish_approval(await self._own(request), call_id, ended[:100], self.desk))

    async def _own(self, request: Request) -> str:
        """The approval that is named, if it is one of a server that its sender speaks for. Errors: NotFound."""
        named = str(request.path_params["id"])
        if not speaks_for_all(request):
            require_own(request, (await record_of(named, self.desk)).proposal.server)
        return named

    def _ticket(self, record: ApprovalRecord) -> Response:
        return json_answer(ticket_to_form(ticket_of(record, self.desk.public_url)))


def _apart(proposal: Proposal) -> Proposal:
    """The same, with a call and a run that are its server's alone.

    A process of a team says both itself: by those of another server it could end what waits there, or use up how much
    may wait.
    """

    def own(text: str) -> str:
        return sha256(f"{proposal.server} {text}".encode()).hexdigest()

    return replace(proposal, call_key=own(proposal.call_key), run=own(proposal.run))


def _asker(form: object) -> Asker:
    return Asker(*members_of(form, issuer=str, person=str, program=str))
