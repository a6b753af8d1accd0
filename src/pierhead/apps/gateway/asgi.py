"""The shapes of ASGI, as this program uses them; no framework stands on the hot path."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

# What a message holds is ASGI's affair; it is read by key at the edge and typed there.
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

SHOWN: Final = "pierhead.certificate"
"""The extension of a request's scope that holds the certificate (DER) which its client showed to our own TLS."""


def shown_on(scope: Scope) -> bytes | None:
    """The certificate that came with this request's connection; None where there was none, or no TLS of ours."""
    extensions = scope.get("extensions")
    found: object = extensions.get(SHOWN) if extensions else None
    return found if isinstance(found, bytes) else None
