"""How an error looks on the wire: HTTP status and JSON-RPC response. The numbers are `core/wire_codes`' alone.

Not here: what an error means (`core/errors`), and who shows it (gateway, registry, command line).
"""

from collections.abc import Mapping
from typing import Final

from pierhead.core.errors import PierheadError
from pierhead.core.wire_codes import numbers

MODERN: Final = "2026-07-28"
"""The stateless protocol revision; every other era is legacy."""
REVISIONS: Final = (MODERN, "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""What clients may speak to any server, newest first: a guest that knows only one of them is spoken to in that."""

_OK: Final = 200


def http_status(error: PierheadError, era: str) -> int:
    """The HTTP status of `error` to a client of that era."""
    row = numbers(error)
    return _OK if row.in_band and era != MODERN else row.http


def json_rpc(
    error: PierheadError, message_id: str | int | None, extra: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The JSON-RPC error response to the message of that id."""
    detail: dict[str, object] = {"code": error.code, "hint": error.hint}
    if extra:
        detail.update(extra)
    failure: dict[str, object] = {"code": numbers(error).json_rpc, "message": error.message, "data": detail}
    return {"jsonrpc": "2.0", "id": message_id, "error": failure}
