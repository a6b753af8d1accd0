"""What one message is: method, target, id and era, from the bytes; or a refusal. Never an exception.

Reads what the gateway decides on and nothing else: results, arguments and answers stay bytes. Headers that repeat
the body must agree with it, in every era; the body decides. Pure. Below: `strict_json`, `methods`. Above: `relay`.
"""

import hashlib
from base64 import b64decode, b64encode
from binascii import Error as BadBase64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, NoReturn

from pierhead.apps.gateway.methods import DROPPED, NOTIFICATIONS, REQUESTS, RESPONSE, Method
from pierhead.apps.gateway.strict_json import NotStrict, is_object, parse
from pierhead.apps.problem import MODERN, REVISIONS
from pierhead.core.errors import Invalid
from pierhead.core.json import Json

LEGACY: Final = frozenset(REVISIONS) - {MODERN}
ASSUMED: Final = "2025-03-26"
"""The era of a client that names none."""

Headers = Mapping[bytes, bytes]
"""Header values by lower-case name, each name once, values trimmed."""

_PREFIX: Final = "io.modelcontextprotocol/"
_VERSION: Final = _PREFIX + "protocolVersion"
_CAPABILITIES: Final = _PREFIX + "clientCapabilities"
_CLIENT: Final = _PREFIX + "clientInfo"
_REQUEST: Final = frozenset({"jsonrpc", "id", "method", "params"})
_RESPONSE: Final = frozenset({"jsonrpc", "id", "result", "error"})
_READ_HERE: Final = {name.casefold(): name for name in ("name", "uri", "taskId", "arguments", "_meta")}
_LONGEST_ID: Final = 256
_LONGEST_TARGET: Final = 2048
_LONGEST_CLIENT: Final = 64


class Envelope(NamedTuple):
    """One message that may be carried, once its sender is found to be allowed to."""

    method: Method
    id: str | int | None
    target: str
    era: str
    client: str
    digest: str
    size: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a message is refused, with what the answer needs: the message's id if it had one, and its era."""

    error: Invalid
    id: str | int | None
    era: str
    extra: Mapping[str, object] = field(default_factory=dict[str, object], hash=False)


def read(body: bytes, headers: Headers) -> Envelope | Fault:
    """The envelope of `body`, sent with `headers`; or the fault to answer with."""
    reading = _Reading(headers)
    try:
        return reading.envelope(body)
    except _Stop as stop:
        return Fault(stop.error, reading.id, reading.era, stop.extra)


class _Stop(Exception):
    """The first rule that was broken."""

    def __init__(self, error: Invalid, extra: Mapping[str, object]) -> None:
        super().__init__(error.message)
        self.error = error
        self.extra = extra


def _stop(error: Invalid, extra: Mapping[str, object] | None = None) -> NoReturn:
    raise _Stop(error, extra or {})


class _Reading:
    """One reading; keeps what is known so far, so that a fault can name the id."""

    __slots__ = ("era", "headers", "id", "version")

    def __init__(self, headers: Headers) -> None:
        self.headers = headers
        self.id: str | int | None = None
        self.version = headers.get(b"mcp-protocol-version", b"").decode("latin-1")
        self.era = self.version if self.version == MODERN or self.version in LEGACY else ASSUMED

    def envelope(self, body: bytes) -> Envelope:
        message = self._message(body)
        method = message.get("method")
        if "method" not in message:
            return self._response(message, body)
        if not isinstance(method, str):
            _stop(Invalid("the method is not a text", hint="send a JSON-RPC 2.0 message", code="not-a-message"))
        if not message.keys() <= _REQUEST:
            _stop(
                Invalid(
                    "the message holds members JSON-RPC does not know",
                    hint="send jsonrpc, id, method, params",
                    code="not-a-message",
                )
            )
        params = _params(message)
        meta = _meta(params)
        if "id" not in message:
            return self._notification(method, meta, body)
        self._agree_on_version(meta, is_request=True)
        return self._request(method, params, meta, body)

    def _message(self, body: bytes) -> Mapping[str, Json]:
        """The one JSON object there is, with its id."""
        try:
            message = parse(body)
        except NotStrict as fault:
            _stop(Invalid(str(fault), hint="send one JSON-RPC message as plain UTF-8 JSON", code="not-json"))
        if not is_object(message):
            _stop(
                Invalid(
                    "the body is not one JSON-RPC message",
                    hint="send one object; batches do not exist",
                    code="not-a-message",
                )
            )
        if "id" in message:
            self.id = _id(message["id"])
        if message.get("jsonrpc") != "2.0":
            _stop(
                Invalid('the member "jsonrpc" is not "2.0"', hint="send a JSON-RPC 2.0 message", code="not-a-message")
            )
        return message

    def _request(self, method: str, params: Mapping[str, Json], meta: Mapping[str, Json], body: bytes) -> Envelope:
        is_modern = self.era == MODERN
        row = REQUESTS.get(method)
        target = _target(row, params) if row else ""
        self._agree(b"mcp-method", method, required=is_modern)
        self._agree(b"mcp-name", target, required=is_modern and bool(row and row.target))
        if row is None or not (row.modern if is_modern else row.legacy):
            _stop(
                Invalid(
                    f"no method {method[:64]!r} in {self.era}",
                    hint="see docs/reference/mcp-methods.md",
                    code="unknown-method",
                )
            )
        if method == "initialize":
            asked = params.get("protocolVersion")
            self.era = asked if isinstance(asked, str) and asked in LEGACY else "2025-11-25"
        return self._envelope(row, target, _client(meta, params), body)

    def _notification(self, method: str, meta: Mapping[str, Json], body: bytes) -> Envelope:
        self._agree_on_version(meta, is_request=False)
        self._agree(b"mcp-method", method, required=False)
        row = DROPPED if self.era == MODERN else NOTIFICATIONS.get(method)
        if row is None:
            _stop(
                Invalid(
                    f"no notification {method[:64]!r}", hint="see docs/reference/mcp-methods.md", code="unknown-method"
                )
            )
        return self._envelope(row, "", "", body)

    def _response(self, message: Mapping[str, Json], body: bytes) -> Envelope:
        is_one = ("result" in message) != ("error" in message) and message.keys() <= _RESPONSE
        if self.id is None or not is_one or self.era == MODERN:
            _stop(
                Invalid(
                    "the body is neither request nor notification",
                    hint="send a JSON-RPC 2.0 message",
                    code="not-a-message",
                )
            )
        self._agree_on_version({}, is_request=False)
        return self._envelope(RESPONSE, "", "", body)

    def _envelope(self, method: Method, target: str, client: str, body: bytes) -> Envelope:
        digest = hashlib.sha256(body).hexdigest()
        return Envelope(method, self.id, target, self.era, client, digest, len(body))

    def _agree_on_version(self, meta: Mapping[str, Json], *, is_request: bool) -> None:
        """The header and the body name one version, and it is one of ours."""
        named = meta.get(_VERSION)
        if self.version == MODERN and is_request:
            missing = [name for name in (_VERSION, _CAPABILITIES) if name not in meta]
            if missing:
                _stop(Invalid(f"params._meta lacks {' and '.join(missing)}", hint="send both with every request"))
        if _VERSION in meta and named != self.version:
            _mismatch("mcp-protocol-version", "params._meta")
        if self.version and self.version != MODERN and self.version not in LEGACY:
            extra = {"supported": [MODERN], "requested": self.version[:_LONGEST_CLIENT]}
            _stop(Invalid("unsupported protocol version", hint=f"speak {MODERN}", code="unsupported-version"), extra)

    def _agree(self, header: bytes, value: str, *, required: bool) -> None:
        sent = self.headers.get(header)
        if sent is None:
            if required:
                _mismatch(header.decode(), "the body, which needs it")
        elif _decoded(sent) != value:
            _mismatch(header.decode(), "the body")


def _mismatch(header: str, other: str) -> NoReturn:
    _stop(
        Invalid(
            f"the header {header} does not agree with {other}",
            hint="send the same value in both",
            code="header-mismatch",
        )
    )


def _id(value: Json) -> str | int:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if not is_integer and not (isinstance(value, str) and len(value) <= _LONGEST_ID):
        _stop(
            Invalid(
                "the id is neither an integer nor a text of at most 256 characters",
                hint="send such an id",
                code="not-a-message",
            )
        )
    return value  # type: ignore[return-value]


def _params(message: Mapping[str, Json]) -> Mapping[str, Json]:
    params = message.get("params", {})
    if not is_object(params):
        _stop(Invalid("params is not an object", hint="send parameters by name"))
    for name in params:
        if _READ_HERE.get(name.casefold(), name) != name:
            _stop(
                Invalid(f"the parameter {name[:64]!r} is spelt in the wrong case", hint="use the protocol's spelling")
            )
    return params


def _meta(params: Mapping[str, Json]) -> Mapping[str, Json]:
    meta = params.get("_meta", {})
    if not is_object(meta):
        _stop(Invalid("params._meta is not an object", hint="send an object"))
    return meta


def _target(row: Method, params: Mapping[str, Json]) -> str:
    if not row.target:
        return ""
    target = params.get(row.target)
    if not isinstance(target, str) or not 0 < len(target) <= _LONGEST_TARGET:
        _stop(Invalid(f"params.{row.target} is no text of 1 to {_LONGEST_TARGET} characters", hint="send one"))
    return target


def _client(meta: Mapping[str, Json], params: Mapping[str, Json]) -> str:
    """What the client says of itself; worth a trace, never a right."""
    info = meta.get(_CLIENT, params.get("clientInfo"))
    if not is_object(info):
        return ""
    name, version = info.get("name"), info.get("version")
    text = f"{name}/{version}" if isinstance(name, str) and isinstance(version, str) else ""
    return text[:_LONGEST_CLIENT] if text.isprintable() else ""


def _decoded(value: bytes) -> str | None:
    """A header value as text; None, which equals nothing, where it is broken."""
    if not value.isascii():
        return None
    if not (value.startswith(b"=?base64?") and value.endswith(b"?=")):
        return value.decode("ascii")
    payload = value[9:-2]
    try:
        plain = b64decode(payload, validate=True)
        return plain.decode("utf-8") if b64encode(plain) == payload else None
    except (BadBase64, UnicodeDecodeError):
        return None
