"""An error as RFC 9457 tells it: `application/problem+json`, with our code, hint and whether trying again may help.

The numbers are `core/wire_codes`' alone; the message is the error's own, which never holds driver text or row data.
Above: `routes`, for every request that is no MCP message.
"""

from http import HTTPStatus
from typing import Final

import orjson

from pierhead.core.errors import PierheadError
from pierhead.core.wire_codes import numbers
from pierhead.sdk.result import is_retryable

MEDIA_TYPE: Final = b"application/problem+json"


def problem(error: PierheadError) -> tuple[int, bytes]:
    """Status and body. `type` is a name, not an address: it must mean the same on every installation."""
    status = numbers(error).http
    body = {
        "type": f"urn:pierhead:error:{error.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
        "code": error.code,
        "hint": error.hint,
        "retryable": is_retryable(error),
    }
    return status, orjson.dumps(body)
