"""The caller's own yes, asked in their client: one question, in every revision that can carry it.

Asked through the resolver of `mcp`, which sends `elicitation/create` in the older revision and answers
`input_required` in the stateless one, where the client calls again with the answer. An answer counts for the very text
that was sent; that text names the record, so an answer to a record that was used up is an answer to nothing. The
record decides what may run, never what a client sends along. Not here: what an answer moves (`usecases/own_approvals`).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

import anyio
from mcp.server.context import ServerRequestContext
from mcp.server.elicitation import AcceptedElicitation, CancelledElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resolve import Resolve, build_resolver_plans, resolve_arguments
from mcp.shared.exceptions import MCPError
from mcp_types import InputRequiredResult, InputResponseRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from pierhead.core.approval import Approval, ApprovalState, FormAnswer, Ticket
from pierhead.core.approval_record import Proposal, proposal_of
from pierhead.core.audit_approvals import ApprovalShown
from pierhead.core.errors import Conflict, Invalid
from pierhead.core.foreseen import Foreseen
from pierhead.core.identity import Caller
from pierhead.core.policy import ApprovalNeeded
from pierhead.sdk.result import moment
from pierhead.usecases.own_approvals import FORM, REMEMBER
from pierhead.usecases.ports import Audit, Clock, ServerApprovals

RequestContext = ServerRequestContext[Any, Any]

_FIRST_TITLED: Final = "2025-11-25"
"""Before it a choice is written otherwise, and `mcp` writes it one way."""
_LONGEST_SHOWN: Final = 2000
"""Characters: what is longer is read on the approval's page, not in a form."""
_CHOICES: Final = {"approve": "Approve once", "deny": "Deny"}
_LASTING: Final = {
    "approve": "Approve once",
    REMEMBER: "Approve, and for 8 hours whenever exactly this is sent",
    "deny": "Deny",
}


def _field(choices: Mapping[str, str]) -> Any:  # noqa: ANN401 - pydantic's own type of a field
    """One choice: clients differ in what else they can show."""
    shown: dict[str, Any] = {"oneOf": [{"const": choice, "title": title} for choice, title in choices.items()]}
    return Field(title="Decision", json_schema_extra=shown)


def _one_of(choices: Mapping[str, str]) -> AfterValidator:
    def check(text: str) -> str:
        if text not in choices:
            raise ValueError("none of the choices")
        return text

    return AfterValidator(check)


def _bare(schema: dict[str, Any]) -> None:
    """Without what pydantic adds for readers of the class: the client shows the field."""
    schema.pop("title", None)
    schema.pop("description", None)


class Decision(BaseModel):
    """The form for what is confirmed each time: every plan is."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_bare)

    decision: Annotated[str, _one_of(_CHOICES)] = _field(_CHOICES)


class LastingDecision(BaseModel):
    """The form for what may be remembered."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_bare)

    decision: Annotated[str, _one_of(_LASTING)] = _field(_LASTING)


def can_ask(ctx: RequestContext) -> bool:
    """Whether this request can carry a form. No security hangs on it: what cannot ask gets the ticket."""
    capabilities = ctx.session.client_capabilities
    declared = capabilities.elicitation if capabilities else None
    if declared is None or (declared.form is None and declared.url is not None):
        return False
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
        return True
    return ctx.protocol_version >= _FIRST_TITLED and ctx.session.can_send_request


def question_of(proposal: Proposal, ticket: Ticket) -> str:
    """What the person reads: made from the arguments, byte for byte the same whenever it is asked of this record.

    Empty where it is too long for a form.
    """
    shown = "\n".join(f"  {_plain(name)}: {_plain(_json(value))}" for name, value in proposal.shown.items())
    lines = [f"{_plain(proposal.summary[:1].upper() + proposal.summary[1:])}?", shown or "  (no arguments)"]
    lines += _change(proposal.foreseen)
    lines += [f"Why you are asked: {_plain(reason)}" for reason in proposal.reasons]
    text = "\n".join([*lines, f"{ticket.id}, open until {moment(ticket.expires_at)}"])
    return text if len(text) <= _LONGEST_SHOWN else ""


def _change(foreseen: Foreseen) -> list[str]:
    """What the server says would change."""
    lines: list[str] = []
    if foreseen.plan is not None:
        lines.append(f"What would change: {foreseen.plan.count}")
        lines += [f"  {_plain(_json(item))}" for item in foreseen.plan.first]
    named = (("How to take it back", foreseen.undo), ("What it takes", foreseen.cost))
    return lines + [f"{name}: {_plain(text)}" for name, text in named if text]


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _plain(text: str) -> str:
    """On one line, and nothing in it that turns, hides or breaks what stands around it."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


@dataclass(slots=True)
class AskedInClient:
    """The approvals of one message: a confirmation is put to whoever sent it, if a person sits there.

    Fills `ports.Approvals`. `question` is what the client has to answer before it calls again.
    """

    approvals: ServerApprovals
    audit: Audit
    clock: Clock
    ctx: RequestContext
    client: str
    question: InputRequiredResult | None = None
    _put: set[str] = field(default_factory=set[str])

    async def ask(self, needed: ApprovalNeeded) -> Ticket:
        """The ticket, or what became of it by the person's answer. Errors: as `ports.Approvals`; Invalid."""
        ticket = await self.approvals.ask(needed)
        if not self._may_ask(needed, ticket):
            return ticket
        proposal = proposal_of(needed)
        text = question_of(proposal, ticket)
        verdict = await self._answer(text, ticket, needed) if text else ""
        if not verdict:
            return ticket
        try:
            return await self.approvals.confirm(ticket, FormAnswer(verdict, proposal.digest), needed.request.caller)
        except Conflict:  # decided meanwhile, on the page or by another call
            return await self.approvals.ask(needed)

    async def spend(self, needed: ApprovalNeeded, ticket: Ticket) -> None:
        await self.approvals.spend(needed, ticket)

    async def finish(self, approval: str, call_id: str, ended: str) -> None:
        await self.approvals.finish(approval, call_id, ended)

    def _may_ask(self, needed: ApprovalNeeded, ticket: Ticket) -> bool:
        """Once a record: whoever gave no answer gets the ticket."""
        caller = needed.request.caller
        waits = ticket.state is ApprovalState.PENDING and needed.approval is Approval.CONFIRM
        if not waits or not caller.interactive or caller.person is None or ticket.id in self._put:
            return False
        self._put.add(ticket.id)
        return can_ask(self.ctx)

    async def _answer(self, text: str, ticket: Ticket, needed: ApprovalNeeded) -> str:
        """Approve, deny, or nothing yet."""
        if self.ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            await self._record(text, ticket, needed)
        with anyio.move_on_after(max(0.0, ticket.expires_at - self.clock.now())):
            form = LastingDecision if proposal_of(needed).foreseen.plan is None else Decision
            outcome = await self._resolved(text, form)
            if isinstance(outcome, InputRequiredResult):
                await self._record(text, ticket, needed)
                self.question = outcome
                return ""
            return verdict_of(outcome)
        return ""

    async def _resolved(
        self, text: str, form: type[BaseModel]
    ) -> "ElicitationResult[Any] | InputRequiredResult | None":
        """Errors: Invalid (`bad-answer`), for what is no answer to the form."""
        try:
            given = InputResponseRequestParams.model_validate(self.ctx.params or {})
            context = Context[Any, Any](request_context=self.ctx, input_params=given)
            wanted = {"outcome": (Resolve(_Asking(text, form)), True)}
            found = await resolve_arguments(wanted, build_resolver_plans(wanted, set()), {}, context)
        except (ToolError, ValidationError):
            message = "the answer to the form was none of its choices"
            raise Invalid(message, hint="call again, and choose one", code="bad-answer") from None
        except MCPError:  # the client declared forms, and could not show this one
            return None
        return found if isinstance(found, InputRequiredResult) else found["outcome"]

    async def _record(self, text: str, ticket: Ticket, needed: ApprovalNeeded) -> None:
        """Who is shown what, on disk before it is sent."""
        request = needed.request
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        shown = ApprovalShown(
            approval_id=ticket.id,
            digest=proposal_of(needed).digest,
            to=_name(request.caller),
            how=FORM,
            surface=request.caller.surface,
            client=self.client,
            text_digest=digest,
            call_id=request.call.id,
        )
        await self.audit.record(shown)


class _Asking:
    """A resolver that asks that text. Its name on the wire is that of this class, whatever it asks."""

    def __init__(self, text: str, form: type[BaseModel]) -> None:
        self.text = text
        self.form = form

    async def __call__(self) -> Elicit[Any]:
        return Elicit(self.text, self.form)


def verdict_of(outcome: object) -> str:
    """What an answer says. By the type of what was given, never by its action alone: nothing but the form counts."""
    match outcome:
        case AcceptedElicitation(data=Decision(decision=chosen) | LastingDecision(decision=chosen)):
            return chosen
        case None | CancelledElicitation():
            return ""
        case _:
            return "deny"


def _name(caller: Caller) -> str:
    return caller.person.subject if caller.person else caller.name
