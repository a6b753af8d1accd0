"""The only table from an error to the wire: HTTP status, JSON-RPC code, exit code of the command line.

Own JSON-RPC codes stand outside -32768..-32000; what the protocol names keeps the protocol's code. Rows are found
by the error's `code` first, then by its class, nearest first; a test holds every class and every code to a row.
Not here: what an error means (`core/errors`), and who shows it (gateway, registry, command line).
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

MODERN: Final = "2026-07-28"
"""The stateless protocol revision; every other era is legacy."""

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Wire:
    """How one kind of error looks outside. `in_band` errors are a method's own: legacy eras read them at 200."""

    http: int
    rpc: int
    exit: int
    in_band: bool = False


_BY_CLASS: Final[tuple[tuple[type[PierheadError], Wire], ...]] = (
    (Unauthenticated, Wire(401, -31401, 3)),
    (Forbidden, Wire(403, -31403, 6)),
    (LimitExceeded, Wire(429, -31429, 7)),
    (PolicyExpired, Wire(503, -31503, 7)),
    (Refused, Wire(403, -31403, 6)),
    (NotFound, Wire(404, -31404, 4)),
    (Conflict, Wire(409, -31409, 5)),
    (Invalid, Wire(400, -32602, 2, in_band=True)),
    (ToolTimedOut, Wire(504, -31504, 7)),
    (UpstreamUnreachable, Wire(502, -31502, 7)),
    (ToolFailed, Wire(502, -31502, 1)),
    (RecordFailed, Wire(503, -31507, 7)),
    (Misconfigured, Wire(500, -31500, 2)),
    (PierheadError, Wire(500, -32603, 1)),
)

#: Finer cases: a code that looks different from the rest of its class.
_BY_CODE: Final[Mapping[str, Wire]] = {
    # what the protocol itself names
    "unknown-tool": Wire(400, -32602, 4, in_band=True),
    "not-json": Wire(400, -32700, 2),
    "not-a-message": Wire(400, -32600, 2),
    "unknown-method": Wire(404, -32601, 2, in_band=True),
    "header-mismatch": Wire(400, -32020, 2),
    "unsupported-version": Wire(400, -32022, 2),
    # what HTTP names
    "bad-headers": Wire(400, -31400, 2),
    "wrong-origin": Wire(403, -31403, 6),
    "method-not-allowed": Wire(405, -31405, 2),
    "body-too-slow": Wire(408, -31408, 7),
    "body-too-large": Wire(413, -31413, 2),
    "unsupported-content": Wire(415, -31415, 2),
    "wrong-host": Wire(421, -31421, 2),
    "headers-too-large": Wire(431, -31431, 2),
    # what only the command line meets
    "check-failed": Wire(400, -32602, 8),
}


def wire(error: PierheadError) -> Wire:
    """The row of `error`."""
    row = _BY_CODE.get(error.code)
    return row or next(row for kind, row in _BY_CLASS if isinstance(error, kind))


def http_status(error: PierheadError, era: str) -> int:
    """The HTTP status of `error` to a client of that era."""
    row = wire(error)
    return _OK if row.in_band and era != MODERN else row.http


def exit_code(error: PierheadError) -> int:
    """What the command line exits with."""
    return wire(error).exit


def json_rpc(
    error: PierheadError, message_id: str | int | None, extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The JSON-RPC error response to the message of that id."""
    detail: dict[str, object] = {"code": error.code, "hint": error.hint}
    if extra:
        detail.update(extra)
    failure: dict[str, object] = {"code": wire(error).rpc, "message": error.message, "data": detail}
    return {"jsonrpc": "2.0", "id": message_id, "error": failure}
