"""Pierhead's public face for server authors.

The names load on first use: the console script must start without importing the protocol stack.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pierhead.sdk import (
        Caller,
        Condition,
        Dependency,
        Encoded,
        Estimate,
        Forbidden,
        Invalid,
        Minutes,
        Needs,
        NotFound,
        Plan,
        Server,
        ToolFailed,
        ToolTimedOut,
        UpstreamUnreachable,
        authorize_tool,
        note,
    )

__all__ = [
    "Caller",
    "Condition",
    "Dependency",
    "Encoded",
    "Estimate",
    "Forbidden",
    "Invalid",
    "Minutes",
    "Needs",
    "NotFound",
    "Plan",
    "Server",
    "ToolFailed",
    "ToolTimedOut",
    "UpstreamUnreachable",
    "authorize_tool",
    "note",
]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'pierhead' has no attribute {name!r}")
    from pierhead import sdk  # noqa: PLC0415 - see the module's docstring

    return getattr(sdk, name)
