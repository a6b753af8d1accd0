"""What the three tools answer that every server has besides its own (`core/waiting_tools`).

They go through governance like any other tool: decided, recorded, run, recorded. Below: the port `ServerApprovals`.
Above: `protocol`, the only host of them. Not here: deciding, which is no tool on any server.
"""

from collections import Counter
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import jsonschema
import orjson

from pierhead.core import waiting_tools as three
from pierhead.core.approval import ApprovalState, Ticket
from pierhead.core.call import Outcome, Ran, Request
from pierhead.core.catalog import Effect, Tool
from pierhead.core.errors import Conflict, LimitExceeded, NotFound
from pierhead.core.identity import Caller
from pierhead.core.policy import Permit
from pierhead.sdk.authorize import Declaration, declare
from pierhead.sdk.result import Answer, failure, moment
from pierhead.sdk.schema import held_against
from pierhead.sdk.tool import Arguments
from pierhead.usecases.ports import ServerApprovals

_WAITS_OF_ONE: Final = 3
"""As many as a run may have open."""
_WAITS: Final = 40
"""Of everybody together: a wait holds a place before the server, and a connection to the registry."""
_NEXT: Final[Mapping[ApprovalState, str]] = {
    ApprovalState.PENDING: "go on with other work, or wait again",
    ApprovalState.APPROVED: "call the tool again with exactly the same arguments",
    ApprovalState.DENIED: "this is final: do not rephrase the action",
    ApprovalState.EXPIRED: "ask the person before you call again",
}


@dataclass(frozen=True, slots=True)
class WaitingTool:
    """One of the three, as a host takes it."""

    tool: Tool
    declaration: Declaration
    checker: jsonschema.Draft202012Validator = field(hash=False, compare=False)

    @classmethod
    def of(cls, tool: Tool) -> "WaitingTool":
        declaration = declare(policy="everyone", effect=tool.effect, minutes_saved=0, timeout=tool.timeout_s)
        return cls(tool, declaration, jsonschema.Draft202012Validator(tool.input_schema))

    def declared(self) -> Tool:
        return self.tool

    def parse(self, raw: bytes) -> Arguments:
        """Errors: Invalid (`bad-arguments`)."""
        return held_against(self.tool.name, self.checker, raw)

    def wire(self) -> dict[str, Any]:
        """As clients are shown it: as little as tells it apart, since it stands in every list."""
        tool = self.tool
        hints = {"readOnlyHint": True} if tool.effect is Effect.READ else {"destructiveHint": False}
        schema = dict(tool.input_schema)
        return {"name": tool.name, "description": tool.description, "inputSchema": schema, "annotations": hints}


TOOLS: Final[Mapping[str, WaitingTool]] = {name: WaitingTool.of(tool) for name, tool in three.WAITING_TOOLS.items()}


@dataclass(frozen=True, slots=True)
class Waits:
    """The waits under way in this process, by who waits."""

    under_way: Counter[str] = field(default_factory=Counter[str])

    @contextmanager
    def one_of(self, who: str) -> Generator[None]:
        """Errors: LimitExceeded (`too-many-waits`)."""
        if self.under_way[who] >= _WAITS_OF_ONE or self.under_way.total() >= _WAITS:
            message = f"{_WAITS_OF_ONE} calls of yours wait already, or {_WAITS} of everybody"
            raise LimitExceeded(message, hint="let one of them end first", code="too-many-waits")
        self.under_way[who] += 1
        try:
            yield
        finally:
            self.under_way[who] -= 1
            if not self.under_way[who]:
                del self.under_way[who]


@dataclass(frozen=True, slots=True)
class OwnApprovals:
    """Upstream of one call of one of the three."""

    approvals: ServerApprovals
    waits: Waits
    values: Mapping[str, Any]

    async def run(self, permit: Permit) -> Outcome:
        """What they answer; what cannot be is a failed answer, which a model reads. Errors: UpstreamUnreachable."""
        try:
            answer = Answer(orjson.dumps(await self._body(permit.request)), is_error=False)
        except (NotFound, Conflict, LimitExceeded) as failed:
            answer = failure(failed)
        return Ran(answer, succeeded=not answer.is_error, bytes_out=len(answer.encoded))

    async def _body(self, request: Request) -> dict[str, Any]:
        caller = request.caller
        match request.tool.name:
            case three.MINE:
                return {"approvals": [_told(one) for one in await self.approvals.mine(caller, request.server.name)]}
            case three.WAIT:
                return _told(await self._waited(caller))
            case _:
                return _told(await self.approvals.cancel(self.values["id"], caller))

    async def _waited(self, caller: Caller) -> Ticket:
        with self.waits.one_of(caller.name):
            return await self.approvals.wait(
                self.values["id"], caller, self.values.get("timeout_s", three.LONGEST_WAIT_S)
            )


def _told(ticket: Ticket) -> dict[str, Any]:
    body: dict[str, Any] = {
        "status": str(ticket.state),
        "summary": ticket.sentence,
        "approval": {"id": ticket.id, "url": ticket.url, "expires_at": moment(ticket.expires_at)},
    }
    if ticket.state in _NEXT:
        body["next"] = _NEXT[ticket.state]
    return body
