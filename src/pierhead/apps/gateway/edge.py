"""What every request must satisfy before anything reads it: headers, Host, Origin, sizes; and its body, whole.

Plain ASGI. Not here: deadlines for slow senders (`run`, at the connection), and what the body says (`envelope`).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pierhead.apps.gateway.asgi import Receive
from pierhead.core.errors import Forbidden, Invalid

LARGEST_BODY: Final = 4 * 1024 * 1024
LARGEST_UPLOAD: Final = 10 * 1024 * 1024
"""Of the data lane: many rows at once are more than a message."""

_HEADER_BYTES: Final = 32 * 1024
_HEADER_COUNT: Final = 100
_ONCE: Final = frozenset(
    {b"host", b"authorization", b"content-length", b"content-type", b"content-encoding", b"origin"}
    | {b"idempotency-key", b"pierhead-channel", b"pierhead-role"}
)
_SERVER: Final = re.compile(rb"/mcp/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})")
_DESK: Final = b"/mcp"
DESK: Final = ""
"""The front desk in the place of a server's name: no server is called so."""

_DATA: Final = re.compile(rb"/data/([A-Za-z0-9][A-Za-z0-9_.-]{0,63})(/api/v1(?:/[!-~]*)?|/openapi\.json|/docs)")
_OFFICIAL: Final = re.compile(rb"/+(?:r/+[a-z][a-z0-9-]{0,62}/+)?v0(?:\.1)?(?:/[A-Za-z0-9/._~+%-]*)?")
_ESCAPED: Final = re.compile(rb"%(?:2[FfBb])?")
_SLASHES: Final = re.compile(rb"/+")
_AMBIGUOUS: Final = (b"//", b"/./", b"/../", b"\\")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")

Fields = dict[bytes, bytes]
"""Header values by lower-case name, trimmed."""


class Gone(Exception):
    """The client went away before its request was complete."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Which Host and Origin values are ours. An empty set admits none."""

    hosts: frozenset[bytes]
    origins: frozenset[bytes]

    @classmethod
    def of(cls, public_url: str) -> "Admission":
        """The public address; and, where that is this very machine, its other loopback names."""
        url = urlsplit(public_url)
        hosts = {url.netloc.lower()}
        if url.hostname in {"127.0.0.1", "localhost", "::1"}:
            hosts |= {f"{name}:{url.port}" if url.port else name for name in _LOOPBACK}
        origins = {f"{url.scheme}://{host}" for host in hosts}
        return cls(frozenset(host.encode() for host in hosts), frozenset(origin.encode() for origin in origins))

    def fields(self, headers: Iterable[tuple[bytes, bytes]], *, from_anywhere: bool = False) -> Fields:
        """The headers of an admitted request; `from_anywhere` if pages of any Origin may send it.

        Errors: Invalid (headers too large, repeated, wrong Host); Forbidden (Origin).
        """
        fields = _gathered(headers)
        if fields.get(b"host", b"").lower() not in self.hosts:
            raise Invalid("this Host is not served here", hint="use the public address", code="wrong-host")
        origin = fields.get(b"origin")
        if not from_anywhere and origin is not None and origin.lower() not in self.origins:
            raise Forbidden("pages of this Origin may not call", hint="use the public address", code="wrong-origin")
        return fields


def _gathered(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    fields: Fields = {}
    size = count = 0
    for name, value in headers:
        size += len(name) + len(value)
        count += 1
        if name in fields:
            fields[name] = _joined(name, fields[name], value)
        else:
            fields[name] = value.strip()
    if size > _HEADER_BYTES or count > _HEADER_COUNT:
        raise Invalid("the headers are too large", hint="send fewer and shorter headers", code="headers-too-large")
    return fields


def _joined(name: bytes, first: bytes, second: bytes) -> bytes:
    if name.startswith(b"mcp-"):
        raise Invalid(f"the header {name.decode()} is repeated", hint="send it once", code="header-mismatch")
    if name in _ONCE:
        raise Invalid(f"the header {name.decode()} is repeated", hint="send it once", code="bad-headers")
    return first + (b"; " if name == b"cookie" else b", ") + second.strip()


def server_of(raw_path: bytes) -> str | None:
    """The server a raw path names, or the desk: byte-exact, no trailing slash, nothing percent-encoded."""
    if raw_path == _DESK:
        return DESK
    found = _SERVER.fullmatch(raw_path)
    return found[1].decode() if found else None


def data_target_of(raw_path: bytes) -> tuple[str, bytes] | None:
    """The server that a raw path of the data lane names, and the path on it; spelt in one way only."""
    found = _DATA.fullmatch(raw_path)
    if found is None or any(odd in found[2] for odd in _AMBIGUOUS) or found[2].endswith((b"/.", b"/..")):
        return None
    return found[1].decode(), found[2]


def official_target_of(raw_path: bytes) -> bytes | None:
    """The path of the official registry API that a raw path is, spelt in one way; clients spell it in several.

    A base with a slash at its end doubles one, and names come with `%2F`, versions with `%2B`: nothing else there
    needs an escape, so nothing else may be escaped.
    """
    found = _OFFICIAL.fullmatch(raw_path)
    if found is None or any(code == b"%" for code in _ESCAPED.findall(raw_path)):
        return None
    path = _SLASHES.sub(b"/", raw_path)
    segments = path.split(b"/")
    return None if b"." in segments or b".." in segments else path


def check_plain(fields: Fields) -> None:
    """A body that is not compressed; raises Invalid."""
    if fields.get(b"content-encoding", b"identity") != b"identity":
        raise Invalid("the body is compressed", hint="send it plain", code="unsupported-content")


def check_content(fields: Fields) -> None:
    """Plain JSON of a size we read; raises Invalid."""
    check_plain(fields)
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Invalid("the body is not declared as JSON", hint="send application/json", code="unsupported-content")


async def body_of(receive: Receive, fields: Fields, largest: int = LARGEST_BODY) -> bytes:
    """The request's body, whole.

    Errors: Invalid, beyond `largest` bytes; Gone.
    """
    announced = fields.get(b"content-length", b"0")
    if not announced.isdigit() or int(announced) > largest:
        raise _too_large(largest)
    message = await receive()
    body: bytes = message.get("body", b"")
    if message["type"] == "http.request" and not message.get("more_body", False) and len(body) <= largest:
        return body
    parts, size = [body], len(body)
    while message["type"] == "http.request" and message.get("more_body", False) and size <= largest:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
    if size > largest:
        raise _too_large(largest)
    if message["type"] != "http.request":
        raise Gone
    return b"".join(parts)


def _too_large(largest: int) -> Invalid:
    megabytes = largest // (1024 * 1024)
    return Invalid(f"the body is larger than {megabytes} MiB", hint="send less at once", code="body-too-large")
