"""Form bodies and queries, read strictly: bounded, UTF-8, no member twice.

Two parsers could read a repeated member differently; so it is refused rather than chosen from.
"""

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from pierhead.usecases.register_client import NotGranted

_BODY_LIMIT: Final = 64 * 1024
_FIELDS: Final = 50
_FILES: Final = 20


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


async def upload_of(request: Request, limit: int) -> dict[str, str]:
    """The members of a form with files, at most `limit` bytes in all: a file's text is the member `FIELD:FILENAME`.

    A file that was not chosen is no member. Errors: NotGranted `invalid_request`.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise NotGranted("content-type is not multipart/form-data", hint="send the form of the page")
    body = await body_of(request, limit)
    try:
        form = await MultiPartParser(
            request.headers, _whole(body), max_files=_FILES, max_fields=_FIELDS, max_part_size=limit
        ).parse()
        try:
            return await _texts(form)
        finally:
            await form.close()
    except (MultiPartException, UnicodeError, KeyError):
        raise NotGranted("the form cannot be read", hint="send texts in UTF-8, at most 20 files") from None


async def _whole(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body


async def _texts(form: FormData) -> dict[str, str]:
    """Errors: UnicodeError; NotGranted, for a member that is given twice."""
    found: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            if not value.filename:
                continue
            key, text = f"{name}:{value.filename}", (await value.read()).decode()
        else:
            key, text = name, value
        if key in found:
            raise NotGranted("a member is given twice", hint="send each member once")
        found[key] = text
    return found


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
