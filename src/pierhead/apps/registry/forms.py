"""Form bodies and queries, read strictly: bounded, UTF-8, no member twice.

Two parsers could read a repeated member differently; so it is refused rather than chosen from.
"""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from pierhead.usecases.register_client import NotGranted

_BODY_LIMIT: Final = 64 * 1024
_FIELDS: Final = 50


async def body_of(request: Request, limit: int = _BODY_LIMIT) -> bytes:
    """The whole body, at most `limit` bytes, 64 KiB unless told.

    Errors: NotGranted `invalid_request`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise NotGranted(f"body beyond {limit} bytes", hint="send less")
    return bytes(body)


async def form_of(request: Request) -> dict[str, str]:
    """The members of an urlencoded form.

    Errors: NotGranted `invalid_request`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise NotGranted("content-type is not application/x-www-form-urlencoded", hint="send a form")
    return members((await body_of(request)).decode("latin-1"))


def query_of(request: Request) -> dict[str, str]:
    """The members of the query.

    Errors: NotGranted `invalid_request`.
    """
    encoded: bytes = request.scope["query_string"]
    return members(encoded.decode("latin-1")) if encoded else {}


def members(encoded: str) -> dict[str, str]:
    """The members of an urlencoded text.

    Errors: NotGranted `invalid_request`, for a member given twice, too many, or bytes that are no UTF-8.
    """
    try:
        pairs = parse_qsl(encoded, keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise NotGranted("the form cannot be read", hint="send UTF-8, at most 50 members") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotGranted("a member is given twice", hint="send each member once")
    return found
