"""The three tools that every server has besides its own: to wait for an approval, list one's own, withdraw one.

They tell of what the caller asked for and of nothing else, and none of them decides. They stand in no manifest and no
review: they are Pierhead's. Above: `resolve` finds them, the host of a server answers them. Not here: what they do.
"""

from collections.abc import Mapping
from typing import Any, Final

from pierhead.core.approval import Approval
from pierhead.core.catalog import Effect, Server, Tool
from pierhead.core.rule import Who
from pierhead.core.usage import Minutes

WAIT: Final = "approvals_wait"
MINE: Final = "approvals_list_mine"
CANCEL: Final = "approvals_cancel"
LONGEST_WAIT_S: Final = 25
_ID: Final[Mapping[str, Any]] = {"type": "string", "maxLength": 64}


def _tool(name: str, description: str, effect: Effect, **members: Mapping[str, Any]) -> Tool:
    required = [member for member in members if member == "id"]
    return Tool(
        name=name,
        description=description,
        policy=Who(any_person=True),
        effect=effect,
        approval=Approval.NONE,
        minutes=Minutes.estimate(0),
        input_schema={
            "type": "object",
            "properties": members,
            **({"required": required} if required else {}),
            "additionalProperties": False,
        },
        output_schema={},
        timeout_s=LONGEST_WAIT_S + 10.0,
        idempotent=True,
    )


_SECONDS: Final[Mapping[str, Any]] = {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT_S}

WAITING_TOOLS: Final[Mapping[str, Tool]] = {
    tool.name: tool
    for tool in (
        _tool(WAIT, "Wait for the decision on an approval you asked for.", Effect.READ, id=_ID, timeout_s=_SECONDS),
        _tool(MINE, "Your open approvals on this server.", Effect.READ),
        _tool(CANCEL, "Withdraw an approval you asked for.", Effect.WRITE, id=_ID),
    )
}


def is_waiting_tool(tool: Tool) -> bool:
    """Whether that is one of these, and no tool of a server that took its name."""
    return WAITING_TOOLS.get(tool.name) is tool


def tool_of(server: Server, name: str) -> Tool | None:
    """The server's tool of that name, or one of these."""
    return WAITING_TOOLS.get(name) or server.tools.get(name)
