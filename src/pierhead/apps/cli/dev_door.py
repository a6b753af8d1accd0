"""`/mcp` of `pierhead dev`: an AI client calls the server that is being written, as the person who was chosen.

Policy warns here as on the page: the person is taken to be in every group that the tools name, and what would have been
refused is told. Below: `dev_state`, whose bench answers. Not here: pages (`dev`).
"""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import TYPE_CHECKING, Any, Final, cast

from pierhead.core.errors import PierheadError

if TYPE_CHECKING:
    from pierhead.apps.cli.dev_state import Development

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_MOST_BYTES: Final = 4 * 1024 * 1024


class Door:
    """One ASGI application, whatever code is loaded: it hands each request to the application of now."""

    def __init__(self, now: "Development", url: str) -> None:
        self._now = now
        self._url = url

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        from starlette.datastructures import Headers  # noqa: PLC0415 - see the package's docstring
        from starlette.responses import PlainTextResponse  # noqa: PLC0415

        from pierhead.apps.registry.web.safety import check_host  # noqa: PLC0415
        from pierhead.sdk.host import ASSERTION_HEADER  # noqa: PLC0415

        try:
            check_host(Headers(scope=scope), self._url)
        except PierheadError as fault:
            await PlainTextResponse(fault.message, 403)(scope, receive, send)
            return
        if self._now.door is None:
            await PlainTextResponse("the server is being loaded", 503)(scope, receive, send)
            return
        body, is_whole = await _read(receive)
        self._warn(body)
        said = self._now.bench.message_of(self._now.spoken_for())
        headers = [pair for pair in scope["headers"] if pair[0] != ASSERTION_HEADER]
        inner = {**scope, "path": "/mcp", "root_path": "", "headers": [*headers, (ASSERTION_HEADER, said)]}
        await self._now.door(inner, _again(body, receive, is_whole=is_whole), send)

    def _warn(self, body: bytes) -> None:
        """Tell of a call that policy would refuse, before it is made."""
        try:
            read: object = json.loads(body or b"null")
        except ValueError:
            return
        asked = cast("dict[str, Any]", read) if isinstance(read, dict) else {}
        if asked.get("method") == "tools/call" and isinstance(asked.get("params"), dict):
            self._now.warn(str(asked["params"].get("name", "")))


async def _read(receive: Receive) -> tuple[bytes, bool]:
    """The body as far as it is read here, and whether that is all of it: the host refuses what is longer."""
    body = b""
    while len(body) <= _MOST_BYTES:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body, True
    return body, False


def _again(body: bytes, receive: Receive, *, is_whole: bool) -> Receive:
    """`receive` with what was read put back in front."""
    unread = True

    async def again() -> Message:
        nonlocal unread
        if unread:
            unread = False
            return {"type": "http.request", "body": body, "more_body": not is_whole}
        return await receive()

    return again
