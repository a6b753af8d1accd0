"""The tools a caller may use, by the very rules that decide calls: a list that shows more would be a lie."""

from pierhead.core.call import Call, Opaque, Request
from pierhead.core.catalog import Server, Tool
from pierhead.core.identity import Caller
from pierhead.core.policy import Refusal, decide, refuse
from pierhead.usecases.call_tool import unreachable
from pierhead.usecases.match_rules import REACH
from pierhead.usecases.ports import Rules, Snapshots
from pierhead.usecases.resolve import live_server

_NO_ARGUMENTS = Opaque(digest="", size=0)


def list_tools(server_name: str, caller: Caller, snapshots: Snapshots, rules: Rules) -> tuple[Tool, ...]:
    """What `caller` may use on that server, in the server's own order; waiting for an approval counts as may.

    Errors: NotFound for the server; Forbidden where it may not be reached; PolicyExpired.
    """
    server = reachable_server(server_name, caller, snapshots, rules)
    revision = snapshots.current().revision
    requests = [Request(_probe(server_name, tool), caller, server, tool, revision) for tool in server.tools.values()]
    return tuple(
        request.tool
        for request in requests
        if not isinstance(decide(request, rules.matches(request), rules.questions), Refusal)
    )


def reachable_server(name: str, caller: Caller, snapshots: Snapshots, rules: Rules) -> Server:
    """The live server of that name, if `caller` may reach it: asked before every message that calls no tool.

    Errors: NotFound; Forbidden; PolicyExpired.
    """
    snapshot = snapshots.current()
    server = live_server(name, snapshot, snapshots.age())
    refusal = refuse(caller, tuple(rules.reach(caller, name)), REACH, server.whom_to_ask)
    if refusal is not None:
        raise unreachable(name, refusal, snapshot)
    return server


def _probe(server: str, tool: Tool) -> Call:
    return Call(id="", server=server, tool=tool.name, arguments=_NO_ARGUMENTS, era="", client="")
