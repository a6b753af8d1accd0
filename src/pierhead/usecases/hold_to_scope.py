"""A token that is good for less than its principal may do: refused, and told what to ask for, once policy permits.

Asked before `call_tool` and `relay_message`, by the host that knows both layers' rules. Only who would see the tool
learns that a scope is missing: to everybody else it is not there, whatever their token. Below: `core/scope`. Not here:
how a client is told (`apps/gateway/answers`, `sdk/routes`).
"""

from pierhead.core.call import Call
from pierhead.core.catalog import Effect
from pierhead.core.identity import Caller
from pierhead.core.policy import Refusal, decide
from pierhead.core.scope import covers, scope_missing, scope_of
from pierhead.core.waiting_tools import tool_of
from pierhead.usecases.call_tool import recording_refusals, refused
from pierhead.usecases.list_tools import reachable_server
from pierhead.usecases.ports import Audit, Rules, Snapshots
from pierhead.usecases.resolve import resolve


async def hold_call(call: Call, caller: Caller, snapshots: Snapshots, rules: Rules, audit: Audit) -> None:
    """Refuse a call of a tool that the caller's scopes do not reach. `rules` answer reach and use.

    What does not exist is left to `call_tool`. Errors: ScopeMissing, or what policy says first; each recorded.
    """
    snapshot = snapshots.current()
    server = snapshot.servers.get(call.server)
    tool = tool_of(server, call.tool) if server is not None else None
    if tool is None or covers(caller.scopes, scope_of(call.server, tool.effect)):
        return
    async with recording_refusals(call, caller, audit) as refusals:
        request = resolve(call, caller, snapshot, snapshots.age())
        decision = decide(request, rules.matches(request), rules.questions)
        refusals.decided, refusals.reasons = request, decision.reasons
        if isinstance(decision, Refusal):
            raise refused(decision, call, snapshot)
        raise scope_missing(caller.scopes, call.server, tool.effect)


async def hold_read(call: Call, caller: Caller, snapshots: Snapshots, rules: Rules, audit: Audit) -> None:
    """Refuse a message by which content leaves the server, unless the caller's scopes let them read there.

    Errors: as `hold_call`.
    """
    if covers(caller.scopes, scope_of(call.server, Effect.READ)):
        return
    async with recording_refusals(call, caller, audit):
        reachable_server(call.server, caller, snapshots, rules)
        raise scope_missing(caller.scopes, call.server, Effect.READ)
