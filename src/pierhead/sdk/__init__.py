"""What a server author imports. Light: no database, no web framework of ours, no policy engine."""

from pierhead.core.errors import (
    Forbidden,
    Invalid,
    Misconfigured,
    NotFound,
    ToolFailed,
    ToolTimedOut,
    UpstreamUnreachable,
)
from pierhead.core.identity import Caller
from pierhead.core.usage import Minutes
from pierhead.sdk.authorize import authorize_tool
from pierhead.sdk.server import Server
from pierhead.usecases.notes import note

__all__ = [
    "Caller",
    "Forbidden",
    "Invalid",
    "Minutes",
    "Misconfigured",
    "NotFound",
    "Server",
    "ToolFailed",
    "ToolTimedOut",
    "UpstreamUnreachable",
    "authorize_tool",
    "note",
]
