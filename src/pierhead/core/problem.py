"""An error as RFC 9457 tells it: a value, with our code, hint and whether trying again may help.

The numbers are `wire_codes`' alone; the message is the error's own, which never holds driver text or row data. Not
here: bytes. Above: the SDK's routes, and the gateway in front of them.
"""

from typing import Final

from pierhead.core.errors import PierheadError
from pierhead.core.wire_codes import numbers

MEDIA_TYPE: Final = b"application/problem+json"

_RETRYABLE: Final = frozenset(
    {"tool-timed-out", "upstream-unreachable", "limit-exceeded", "policy-stale", "record-failed", "locked"}
    | {"too-many-calls", "too-many-at-once", "database-unreachable"}
)


def is_retryable(error: PierheadError) -> bool:
    """Whether the same call may succeed later, with nothing changed by the caller."""
    return error.code in _RETRYABLE


def problem(error: PierheadError) -> tuple[int, dict[str, object]]:
    """Status, and body but for the status's own words.

    `type` is a name, not an address: it must mean the same on every installation.
    """
    status = numbers(error).http
    return status, {
        "type": f"urn:pierhead:error:{error.code}",
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "retryable": is_retryable(error),
    }
