"""From a call to a request: unknown, unreviewed and not live all read "not found"."""

from pierhead.core.call import Call, Request
from pierhead.core.catalog import Discovery, Server, Stage
from pierhead.core.errors import NotFound, PolicyExpired
from pierhead.core.identity import Caller
from pierhead.core.snapshot import Age, Expired, Snapshot, Stale
from pierhead.core.waiting_tools import tool_of


def resolve(call: Call, caller: Caller, snapshot: Snapshot, age: Age) -> Request:
    """The server and tool that `call` names, under the policy in force.

    Errors: NotFound, alike for what is not there and what is not live; PolicyExpired.
    """
    server = live_server(call.server, snapshot, age)
    tool = tool_of(server, call.tool)
    if tool is None:
        raise no_such_tool(call.tool)
    if isinstance(age, Stale) and tool.effect != "read":
        raise PolicyExpired(
            f"policy was last confirmed {age.age_s:.0f} s ago: only reads run until the registry answers",
            hint="try again when the registry is back",
            code="policy-stale",
        )
    return Request(call, caller, server, tool, snapshot.revision)


def live_server(name: str, snapshot: Snapshot, age: Age) -> Server:
    """The callable server of that name.

    Errors: NotFound, of one that was retired with its own code (`server-ended`); PolicyExpired, when the snapshot is
    too old to decide anything on.
    """
    refuse_expired(age)
    server = snapshot.servers.get(name)
    if server is None or not server.is_callable:
        raise has_ended(server) if server is not None and is_told_of(server) else no_such_server(name)
    return server


def is_told_of(server: Server) -> bool:
    """Whether callers read that a server has ended: one that everybody knew of, and that was announced or retired."""
    return server.stage is Stage.RETIRED and server.discovery is Discovery.OPEN and bool(server.notice)


def has_ended(server: Server) -> NotFound:
    """What its callers read: since when, and what to use instead."""
    message = f"server {server.name!r} can no longer be called: {server.notice}"
    return NotFound(message, hint=server.whom_to_ask, code="server-ended")


def no_such_server(name: str) -> NotFound:
    """One text for what is not there, what is not live, and what only those who may reach it know of."""
    return NotFound(f"no server {name!r}", hint="list the servers you may reach")


def refuse_expired(age: Age) -> None:
    """Errors: PolicyExpired, when the snapshot is too old to decide anything on."""
    if isinstance(age, Expired):
        raise PolicyExpired(
            f"policy was last confirmed {age.age_s:.0f} s ago, which is past its limit",
            hint="try again when the registry is back",
        )


def no_such_tool(name: str) -> NotFound:
    """One text for absent and hidden, so that neither can be told from the other."""
    return NotFound(f"Unknown tool: {name}", hint="list the tools you may use", code="unknown-tool")
