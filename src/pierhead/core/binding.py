"""What an assertion binds of one HTTP request that is no MCP message: one digest, made alike by gateway and server.

An MCP message is its body alone. Any other request also says something by its method, its target and some headers,
so a digest of the body would let an assertion for a read be spent on a write. Above: the gateway mints over it, the
SDK's host verifies it. Not here: signatures (`adapters/assertion`).
"""

import hashlib
from collections.abc import Mapping
from typing import Final

BOUND_HEADERS: Final = (
    b"accept",
    b"content-type",
    b"idempotency-key",
    b"if-match",
    b"if-none-match",
    b"pierhead-role",
    b"prefer",
)
"""The headers that change what a request does or shows. A gateway passes them on as they are bound here."""

_KIND: Final = b"pierhead-request/1"  # after its length, which is a digit: no JSON object begins so


def request_digest(method: str, target: bytes, headers: Mapping[bytes, bytes], body: bytes) -> str:
    """SHA-256 (hex) over everything of a request that has a meaning.

    Shapes: `target` is path and query as they stand in the request line to the server; `headers` by lower-case name,
    values trimmed, an absent header like an empty one. Each part goes in with its length, so that no two requests
    share a text; and the text never begins like JSON, so that no MCP body has its digest.
    """
    parts = [_KIND, method.encode(), target]
    parts += [headers.get(name, b"") for name in BOUND_HEADERS]
    parts.append(body)
    return hashlib.sha256(b"".join([b"%d:%b" % (len(part), part) for part in parts])).hexdigest()
