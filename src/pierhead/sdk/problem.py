"""An error as RFC 9457 tells it, as bytes. What it says is `core/problem`'s alone.

Above: `routes`, for every request that is no MCP message.
"""

from http import HTTPStatus

import orjson

from pierhead.core.errors import PierheadError
from pierhead.core.problem import MEDIA_TYPE
from pierhead.core.problem import problem as told

__all__ = ("MEDIA_TYPE", "problem")


def problem(error: PierheadError) -> tuple[int, bytes]:
    """Status and body."""
    status, body = told(error)
    return status, orjson.dumps({**body, "title": HTTPStatus(status).phrase})
