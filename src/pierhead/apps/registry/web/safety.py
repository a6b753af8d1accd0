"""What guards every page: the content policy, the host it was asked under, and where a form came from.

Plain ASGI around the pages alone; the machine side of OAuth and the API have their own rules.
"""

import re
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pierhead.apps.registry.web.session import Session, Sessions
from pierhead.core.errors import Forbidden

CONTENT_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    # Not no-referrer: that would make the Origin of our own forms "null".
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
_THIS_MACHINE: Final = ("127.0.0.1", "localhost", "[::1]")
_OWN_PATH: Final = re.compile(r"/(?![/\\])[!-\[\]-~]*")


class SafePages:
    """Adds the headers of safety; what does not say how it may be kept is not kept."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        await self._app(scope, receive, guarded)


def check_host(headers: Headers, public_url: str) -> None:
    """Refuse a name that is not ours: a rebound name would share our cookies' machine.

    Errors: Forbidden `wrong-host`.
    """
    if headers.get("host", "") != public_url.partition("://")[2]:
        raise Forbidden("asked under another host name", hint=f"open {public_url}", code="wrong-host")


def is_alias(host: str, public_url: str) -> bool:
    """Whether `host` is this machine under another of its names, where the public URL is this machine too."""
    name, _, port = public_url.partition("://")[2].rpartition(":")
    return name in _THIS_MACHINE and host in {f"{alias}:{port}" for alias in _THIS_MACHINE}


def check_form(request: Request, form: Mapping[str, str], session: Session | None, sessions: Sessions) -> Session:
    """The session of a form that one of our own pages sent.

    Errors: Forbidden `wrong-origin`, for another site's form or one that is too old.
    """
    if (
        session is None
        or not is_from_here(request.headers)
        or not sessions.is_form_token(session, form.get("token", ""))
    ):
        raise Forbidden("the form is too old or not ours", hint="reload the page and try again", code="wrong-origin")
    return session


def is_from_here(headers: Headers) -> bool:
    """Whether a page of this very host sent it, as the browser says; where it does not say, no."""
    host = headers.get("host", "")
    return bool(host) and headers.get("origin", "").partition("://")[2] == host


def own_path(path: str) -> str:
    """`path` if it is one of our own, else the start page: no sign-in leads away."""
    return path if _OWN_PATH.fullmatch(path) else "/servers"
