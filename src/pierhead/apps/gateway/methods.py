"""Every MCP method there is for the gateway: one row each. What has no row is refused with -32601.

A row says in which eras the method exists, which parameter names its target (mirrored in `Mcp-Name`), and how it
is governed. Source: docs/reference/mcp-methods.md. Not here: the decision itself (`usecases`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Governed(Enum):
    """What happens to a message after its sender was found to reach the server."""

    TOOL = auto()
    """Decided by name, recorded before and after."""
    TASK = auto()
    """A call of the tool that the task's name says, as the server will hold it to: decided and recorded as that."""
    READ = auto()
    """Content leaves the server: recorded before and after, under the method's name."""
    DATA = auto()
    """As a read; which tool it stands for, and so which scope it needs, is known to the server alone."""
    PASSED = auto()
    """Carried; recorded only when refused (docs/reference/unaudited.md)."""
    DROPPED = auto()
    """Acknowledged with 202; the stateless era has nobody to tell."""


@dataclass(frozen=True, slots=True)
class Method:
    """One row."""

    name: str
    modern: bool
    legacy: bool
    governed: Governed
    target: str = ""
    repeatable: bool = False
    listens: bool = False


def _rows() -> tuple[Method, ...]:
    passed, read = Governed.PASSED, Governed.READ
    return (
        # both eras
        Method("tools/call", True, True, Governed.TOOL, target="name"),
        Method("prompts/get", True, True, read, target="name"),
        Method("resources/read", True, True, read, target="uri"),
        Method("completion/complete", True, True, read),
        Method("tools/list", True, True, passed, repeatable=True),
        Method("prompts/list", True, True, passed, repeatable=True),
        Method("resources/list", True, True, passed, repeatable=True),
        Method("resources/templates/list", True, True, passed, repeatable=True),
        # modern only
        Method("server/discover", True, False, passed, repeatable=True),
        Method("subscriptions/listen", True, False, passed, listens=True),
        Method("tasks/get", True, False, Governed.TASK, target="taskId"),
        Method("tasks/update", True, False, passed, target="taskId"),
        Method("tasks/cancel", True, False, read, target="taskId"),
        # legacy only
        Method("initialize", False, True, passed),
        Method("ping", False, True, passed),
        Method("logging/setLevel", False, True, passed),
        Method("resources/subscribe", False, True, passed),
        Method("resources/unsubscribe", False, True, passed),
    )


def _notifications() -> tuple[Method, ...]:
    return tuple(
        Method(f"notifications/{name}", False, True, Governed.PASSED)
        for name in ("initialized", "cancelled", "progress", "roots/list_changed")
    )


REQUESTS: Final[Mapping[str, Method]] = {row.name: row for row in _rows()}
NOTIFICATIONS: Final[Mapping[str, Method]] = {row.name: row for row in _notifications()}

RESPONSE: Final = Method("response", False, True, Governed.PASSED)
"""A legacy client's answer to a question the server asked on an open stream."""

DROPPED: Final = Method("notification", True, False, Governed.DROPPED)
"""Any notification of the stateless era."""

STREAM: Final = Method("GET", False, True, Governed.PASSED, repeatable=True, listens=True)
FAREWELL: Final = Method("DELETE", False, True, Governed.PASSED)
"""A legacy client's listening stream, and the end of its MCP session."""

DATA: Final[Mapping[str, Method]] = {
    verb: Method(f"data/{verb.lower()}", True, True, Governed.DATA, repeatable=verb in ("GET", "HEAD"))
    for verb in ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE")
}
"""A request of the data lane, by its HTTP method: which tool it stands for is known to the server alone."""
