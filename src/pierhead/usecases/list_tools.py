"""The tools a caller may use, by the very rules that decide calls: a list that shows more would be a lie."""

from pierhead.core.call import Call, Opaque, Request
from pierhead.core.catalog import Server, Tool
from pierhead.core.errors import NotFound, Refused
from pierhead.core.identity import Caller
from pierhead.core.policy import DENIED, Refusal, decide, refuse
from pierhead.core.waiting_tools import tool_of
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
    return tuple(tool for tool in server.tools.values() if is_usable(server, tool, caller, revision, rules))


def may_use(server_name: str, tool_name: str, caller: Caller, snapshots: Snapshots, rules: Rules) -> bool:
    """Whether `list_tools` would show that one tool; False too where the server itself may not be reached."""
    try:
        server = reachable_server(server_name, caller, snapshots, rules)
    except (NotFound, Refused):
        return False
    tool = tool_of(server, tool_name)
    return tool is not None and is_usable(server, tool, caller, snapshots.current().revision, rules)


def is_usable(server: Server, tool: Tool, caller: Caller, revision: int, rules: Rules) -> bool:
    """Whether both layers let a caller use a tool of a server that they reach; waiting for an approval counts.

    So does class `deny`: nothing else stands against this caller, who is told that nobody may.
    """
    call = Call(id="", server=server.name, tool=tool.name, arguments=_NO_ARGUMENTS, era="", client="")
    request = Request(call, caller, server, tool, revision)
    decision = decide(request, rules.matches(request), rules.questions)
    return not isinstance(decision, Refusal) or decision.code == DENIED


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
