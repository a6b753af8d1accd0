"""The governed path of messages that call no tool: lists, reads, prompts, subscriptions, the protocol's own.

The same decision as a call's first layer: whoever may not reach the server may not ask it anything. Reads are
recorded before and after, like calls; the rest leaves a record only when it is refused
(docs/reference/unaudited.md). A message is a request of a pseudo-tool named as its method, with the effect `read`.
"""

from typing import Final

from pierhead.core.approval import Approval
from pierhead.core.call import Call, Outcome, Request
from pierhead.core.catalog import Effect, Tool
from pierhead.core.errors import Forbidden
from pierhead.core.identity import Caller
from pierhead.core.policy import Permit, decide
from pierhead.core.rule import NOBODY
from pierhead.core.usage import Minutes
from pierhead.usecases.call_tool import approve, finishing, record_intent, recording_refusals
from pierhead.usecases.ports import Ports
from pierhead.usecases.resolve import live_server

_NO_TIME: Final = Minutes.estimate(0)


async def relay_message(call: Call, caller: Caller, at: Ports, *, recorded: bool) -> Outcome:
    """Carry one message whose method stands in `call.tool`.

    Errors: Refused, NotFound and Invalid before anything was sent, each recorded; RecordFailed, and nothing was
    sent; whatever the upstream raised.
    """
    permit = await _permit(call, caller, at)
    if not recorded:
        return await at.upstream.run(permit)
    await record_intent(permit, at.audit)
    async with finishing(call, at.audit, at.clock) as ending:
        ending.outcome = await at.upstream.run(permit)
    return ending.outcome


async def _permit(call: Call, caller: Caller, at: Ports) -> Permit:
    async with recording_refusals(call, caller, at.audit) as refusals:
        snapshot = at.snapshots.current()
        server = live_server(call.server, snapshot, at.snapshots.age())
        request = Request(call, caller, server, _pseudo_tool(call.tool), snapshot.revision)
        decision = decide(request, at.rules.reach(caller, server.name), at.rules.questions)
        refusals.decided, refusals.reasons = request, decision.reasons
        permit = await approve(decision, call, snapshot, at.approvals)
        if isinstance(permit, Permit):
            return permit
        raise Forbidden("a message that calls no tool cannot wait for an approval", code="cannot-wait")


def _pseudo_tool(method: str) -> Tool:
    """A method in the shape of a tool: no tool has such a name, nobody may use it, it takes no time from anyone."""
    return Tool(
        name=method,
        description="",
        policy=NOBODY,
        effect=Effect.READ,
        approval=Approval.NONE,
        minutes=_NO_TIME,
        input_schema={},
        output_schema={},
    )
