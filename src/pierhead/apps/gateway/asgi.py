"""The shapes of ASGI, as this program uses them; no framework stands on the hot path."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

# What a message holds is ASGI's affair; it is read by key at the edge and typed there.
Message: TypeAlias = MutableMapping[str, Any]
Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
