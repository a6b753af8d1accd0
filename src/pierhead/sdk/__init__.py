"""What a server author imports. Light: no database, no web framework of ours, no policy engine.

`Server` and `Plan` load on first use: what only reads declarations, as the registry does, need not hold the protocol
stack, some 30 MB a process.
"""

from typing import TYPE_CHECKING

from pierhead.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    Misconfigured,
    NotFound,
    ToolFailed,
    ToolTimedOut,
    UpstreamUnreachable,
)
from pierhead.core.foreseen import Estimate
from pierhead.core.health import Condition, Dependency
from pierhead.core.identity import Caller
from pierhead.core.usage import Minutes
from pierhead.sdk.asking import ask_for
from pierhead.sdk.authorize import authorize_tool
from pierhead.sdk.needs import Needs
from pierhead.sdk.result import Encoded
from pierhead.usecases.notes import note

if TYPE_CHECKING:
    from pierhead.sdk.plan import Plan
    from pierhead.sdk.server import Server

__all__ = [
    "Caller",
    "Condition",
    "Conflict",
    "Dependency",
    "Encoded",
    "Estimate",
    "Forbidden",
    "Invalid",
    "LimitExceeded",
    "Minutes",
    "Misconfigured",
    "Needs",
    "NotFound",
    "Plan",
    "Server",
    "ToolFailed",
    "ToolTimedOut",
    "UpstreamUnreachable",
    "ask_for",
    "authorize_tool",
    "note",
]


def __getattr__(name: str) -> object:
    if name == "Server":
        from pierhead.sdk.server import Server  # noqa: PLC0415 - see the module's docstring

        return Server
    if name == "Plan":
        from pierhead.sdk.plan import Plan  # noqa: PLC0415 - as `Server`

        return Plan
    raise AttributeError(f"module 'pierhead.sdk' has no attribute {name!r}")
