"""How the official API answers: `{"error": text}` for a refusal, CORS on everything, ETag and 304 on what may be kept.

Below: `apps/problem`, the only table of statuses. Above: `routes`. Not here: what an answer holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response

from pierhead.apps.problem import MODERN, http_status
from pierhead.core.errors import Conflict, PierheadError, Unauthenticated
from pierhead.core.scope import REGISTRY, ScopeMissing

CORS: Final = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": "GET, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type",
}
_SAFE: Final = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}
_FOR_ALL: Final = "public, max-age=60"
_FOR_ONE: Final = "private"
_UNKEPT: Final = "no-store"
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """A good answer: its JSON text, and whether it is for one person alone."""

    body: bytes
    is_private: bool
    is_kept: bool = True
    """Whether anybody may keep it at all."""


def answered(request: Request, answer: Answer) -> Response:
    """The answer, or 304 for whoever has it already."""
    if not answer.is_kept:
        return _response(request, 200, answer.body, {"cache-control": _UNKEPT})
    tag = f'"{sha256(answer.body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": _FOR_ONE if answer.is_private else _FOR_ALL}
    if answer.is_private:
        headers["vary"] = "Authorization"
    if _has(request, tag):
        return Response(None, 304, {**CORS, **_SAFE, **headers})
    return _response(request, 200, answer.body, headers)


def _has(request: Request, tag: str) -> bool:
    """RFC 9110, section 13.1.2: weak comparison, since a proxy may weaken a tag that it compresses under."""
    presented = request.headers.get("if-none-match", "")
    return presented.strip() == "*" or tag in {each.strip().removeprefix("W/") for each in presented.split(",")}


def refused(request: Request, error: PierheadError, public_url: str, scope: str) -> Response:
    """An error as this API tells it; for 401 with the way to sign in (RFC 9728)."""
    headers = {"cache-control": _UNKEPT}
    if isinstance(error, Unauthenticated):
        headers["www-authenticate"] = challenge(public_url, error, scope)
    if isinstance(error, ScopeMissing):
        headers["www-authenticate"] = f'{_challenge(public_url, error.needed)}, error="insufficient_scope"'
    status = _BAD_REQUEST if isinstance(error, Conflict) else http_status(error, MODERN)
    text = f"{error.message}; {error.hint}" if error.hint else error.message
    return _response(request, status, orjson.dumps({"error": text}), headers)


def challenge(public_url: str, error: Unauthenticated, scope: str) -> str:
    text = _challenge(public_url, scope)
    return text if error.code == "no-credentials" else f'{text}, error="invalid_token"'


def _challenge(public_url: str, scope: str) -> str:
    place = f"{public_url}/.well-known/oauth-protected-resource{REGISTRY}"
    return f'Bearer realm="MCP Registry", scope="{scope}", resource_metadata="{place}"'


def not_offered(request: Request, text: str) -> Response:
    """501: the contract knows it, this registry does not do it."""
    return _response(request, 501, orjson.dumps({"error": text}), {"cache-control": _UNKEPT})


def wrong_method(request: Request, allowed: str) -> Response:
    content = {"error": f"{request.method} is not offered here; use {allowed}"}
    return _response(request, 405, orjson.dumps(content), {"cache-control": _UNKEPT, "allow": allowed})


def preflight(allowed: str) -> Response:
    """For browsers that ask first. `Allow` says all, CORS only what pages of others may send."""
    return Response(None, 204, {**CORS, **_SAFE, "allow": allowed, "cache-control": _UNKEPT})


def _response(request: Request, status: int, body: bytes, headers: Mapping[str, str]) -> Response:
    every = {**CORS, **_SAFE, **headers, "content-length": str(len(body))}
    shown = b"" if request.method == "HEAD" else body
    return Response(shown, status, every, media_type="application/json")
