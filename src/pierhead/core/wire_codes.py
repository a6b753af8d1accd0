"""The only table from an error to its numbers: HTTP status, JSON-RPC code, exit code.

Read by the SDK's host and by `apps/problem.py`, which shape the answer; nobody else knows a number.
Own JSON-RPC codes lie outside -32768..-32000, as the protocol asks. Exit codes: docs/reference/cli.md.
"""

from dataclasses import dataclass
from typing import Final

from pierhead.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    Misconfigured,
    NotFound,
    PierheadError,
    PolicyExpired,
    RecordFailed,
    Refused,
    ToolFailed,
    ToolTimedOut,
    Unauthenticated,
    UpstreamUnreachable,
)


@dataclass(frozen=True, slots=True)
class Numbers:
    http: int
    json_rpc: int
    exit: int


INVALID_PARAMS: Final = -32602
_CODES: Final = {"unknown-tool": Numbers(400, INVALID_PARAMS, 4)}
_TYPES: Final[dict[type[PierheadError], Numbers]] = {
    Unauthenticated: Numbers(401, -31401, 3),
    Forbidden: Numbers(403, -31403, 6),
    LimitExceeded: Numbers(429, -31429, 6),
    PolicyExpired: Numbers(503, -31503, 7),
    Refused: Numbers(403, -31403, 6),
    NotFound: Numbers(404, -31404, 4),
    Conflict: Numbers(409, INVALID_PARAMS, 5),
    Invalid: Numbers(400, INVALID_PARAMS, 2),
    ToolTimedOut: Numbers(504, -31504, 7),
    UpstreamUnreachable: Numbers(502, -31502, 7),
    ToolFailed: Numbers(500, -31500, 1),
    RecordFailed: Numbers(503, -31507, 1),
    Misconfigured: Numbers(500, -32603, 2),
    PierheadError: Numbers(500, -32603, 1),
}


def numbers(error: PierheadError) -> Numbers:
    """The numbers of `error`: those of its code if it has its own, else of the nearest class in the tree."""
    own = _CODES.get(error.code)
    if own is not None:
        return own
    return next(_TYPES[kind] for kind in type(error).__mro__ if kind in _TYPES)
