"""What a server author imports. Light: no database, no web framework of ours, no policy engine."""

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
from pierhead.core.health import Condition, Dependency
from pierhead.core.identity import Caller
from pierhead.core.usage import Minutes
from pierhead.sdk.asking import ask_for
from pierhead.sdk.authorize import authorize_tool
from pierhead.sdk.needs import Needs
from pierhead.sdk.result import Encoded
from pierhead.sdk.server import Server
from pierhead.usecases.notes import note

__all__ = [
    "Caller",
    "Condition",
    "Conflict",
    "Dependency",
    "Encoded",
    "Forbidden",
    "Invalid",
    "LimitExceeded",
    "Minutes",
    "Misconfigured",
    "Needs",
    "NotFound",
    "Server",
    "ToolFailed",
    "ToolTimedOut",
    "UpstreamUnreachable",
    "ask_for",
    "authorize_tool",
    "note",
]
