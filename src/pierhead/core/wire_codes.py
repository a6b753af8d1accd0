"""The only table from an error to its numbers: HTTP status, JSON-RPC code, exit code of the command line.

Own JSON-RPC codes stand outside -32768..-32000; what the protocol names keeps the protocol's code. Rows are found
by the error's `code` first, then by its class, nearest first; a test holds every class and every code to a row.
The SDK's host, `apps/problem` and the command line shape the answer; nobody else knows a number.
"""

from collections.abc import Mapping
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
    """How one kind of error looks outside. `in_band` errors are a method's own: legacy eras read them at 200."""

    http: int
    json_rpc: int
    exit: int
    in_band: bool = False


_BY_CLASS: Final[tuple[tuple[type[PierheadError], Numbers], ...]] = (
    (Unauthenticated, Numbers(401, -31401, 3)),
    (Forbidden, Numbers(403, -31403, 6)),
    (LimitExceeded, Numbers(429, -31429, 7)),
    (PolicyExpired, Numbers(503, -31503, 7)),
    (Refused, Numbers(403, -31403, 6)),
    (NotFound, Numbers(404, -31404, 4)),
    (Conflict, Numbers(409, -31409, 5)),
    (Invalid, Numbers(400, -32602, 2, in_band=True)),
    (ToolTimedOut, Numbers(504, -31504, 7)),
    (UpstreamUnreachable, Numbers(502, -31502, 7)),
    (ToolFailed, Numbers(502, -31502, 1)),
    (RecordFailed, Numbers(503, -31507, 7)),
    (Misconfigured, Numbers(500, -31500, 2)),
    (PierheadError, Numbers(500, -32603, 1)),
)

#: Finer cases: a code that looks different from the rest of its class.
_BY_CODE: Final[Mapping[str, Numbers]] = {
    # what the protocol itself names
    "unknown-tool": Numbers(400, -32602, 4, in_band=True),
    "not-json": Numbers(400, -32700, 2),
    "not-a-message": Numbers(400, -32600, 2),
    "unknown-method": Numbers(404, -32601, 2, in_band=True),
    "header-mismatch": Numbers(400, -32020, 2),
    "unsupported-version": Numbers(400, -32022, 2),
    # what HTTP names
    "bad-headers": Numbers(400, -31400, 2),
    "wrong-origin": Numbers(403, -31403, 6),
    "method-not-allowed": Numbers(405, -31405, 2),
    "body-too-slow": Numbers(408, -31408, 7),
    "precondition-failed": Numbers(412, -32602, 5, in_band=True),
    "precondition-required": Numbers(428, -32602, 2, in_band=True),
    "body-too-large": Numbers(413, -31413, 2),
    "unsupported-content": Numbers(415, -31415, 2),
    "wrong-host": Numbers(421, -31421, 2),
    "headers-too-large": Numbers(431, -31431, 2),
    "not-acceptable": Numbers(406, -31406, 2),
    "database-unreachable": Numbers(503, -31502, 7),
    # what is absent in one protocol is a wrong argument in the other
    "unknown-table": Numbers(404, -32602, 4, in_band=True),
    # a source that is there, and not as it was promised
    "schema-drift": Numbers(503, -31502, 7),
    # what only the command line meets
    "check-failed": Numbers(400, -32602, 8),
    "policy-case-failed": Numbers(400, -32602, 8),
    "stale-cassette": Numbers(400, -32602, 8),
}


def numbers(error: PierheadError) -> Numbers:
    """The row of `error`: that of its code if it has its own, else of the nearest class in the tree."""
    row = _BY_CODE.get(error.code)
    return row or next(row for kind, row in _BY_CLASS if isinstance(error, kind))
