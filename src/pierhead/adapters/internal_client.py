"""The registry as a command or the supervisor uses it: one small request at a time, to its internal or its REST API.

Standard library alone, so that a command starts fast. Gateways and servers have their own, asynchronous `remote`.
Not here: which request means what (the commands know).
"""

import http.client
import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

from pierhead.core.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    PierheadError,
    Unauthenticated,
    UpstreamUnreachable,
)

_TIMEOUT_S: Final = 15.0
_API_TIMEOUT_S: Final = 60.0
_BY_STATUS: Final[Mapping[int, type[PierheadError]]] = {
    400: Invalid,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: Conflict,
    422: Invalid,
}


@dataclass(frozen=True, slots=True)
class InternalClient:
    """Speaks to `registry_url` with the platform's internal key."""

    registry_url: str
    bearer: bytes = field(repr=False)
    tls: Callable[[], ssl.SSLContext] | None = None
    """Our TLS of each moment, which speaks with the registry alone; None on its own machine."""

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - JSON, read by the caller
        """The JSON document at `/internal/v1` + path. Errors: UpstreamUnreachable; what the registry says."""
        wanted = {key: str(value) for key, value in (query or {}).items() if value not in ("", None)}
        return self._ask("GET", path + (f"?{urlencode(wanted)}" if wanted else ""), None)

    def post(self, path: str, document: Mapping[str, object]) -> Any:  # noqa: ANN401 - JSON, read by the caller
        """Send a JSON document; what comes back. Errors: as `get`."""
        return self._ask("POST", path, json.dumps(document).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> object:
        headers = {"authorization": f"Bearer {self.bearer.decode()}", "content-type": "application/json"}
        way = None if self.tls is None else self.tls()
        return _sent(self.registry_url, (method, f"/internal/v1{path}", body, headers), _TIMEOUT_S, way)[0]


@dataclass(frozen=True, slots=True)
class ApiClient:
    """Speaks REST to the platform at `public_url` as whoever the access token names."""

    public_url: str
    token: str = field(repr=False)
    trust: str = ""
    """The file of the authority that it is trusted by; empty for the machine's own."""

    def ask(self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON, read by the caller
        """The JSON document that `/api/v1` + path answers. Errors: UpstreamUnreachable; what the API says."""
        return self.tagged(method, path, body, headers)[0]

    def tagged(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> tuple[Any, str]:
        """The same with its entity tag, for a change that must find it as it was."""
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/json", **(headers or {})}
        content = None if body is None else json.dumps(body).encode()
        return _sent(self.public_url, (method, f"/api/v1{path}", content, sent), _API_TIMEOUT_S, self._tls)

    def put_bytes(self, path: str, content: bytes) -> Any:  # noqa: ANN401 - JSON, read by the caller
        """Send a file as it is; what comes back. Errors: as `ask`."""
        sent = {"authorization": f"Bearer {self.token}", "content-type": "application/octet-stream"}
        return _sent(self.public_url, ("PUT", f"/api/v1{path}", content, sent), _API_TIMEOUT_S, self._tls)[0]

    @property
    def _tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.trust) if self.trust else None


_Sent = tuple[str, str, bytes | None, Mapping[str, str]]


def _connection(url: str, timeout_s: float, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    if parts.scheme != "https":
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    context = tls or ssl.create_default_context()
    return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout_s, context=context)


def _sent(url: str, request: _Sent, timeout_s: float, tls: ssl.SSLContext | None) -> tuple[object, str]:
    parts, connection = urlsplit(url), _connection(url, timeout_s, tls)
    method, path, body, headers = request
    try:
        connection.request(method, f"{parts.path}{path}", body, dict(headers))
        answer = connection.getresponse()
        content = answer.read()
    except (OSError, http.client.HTTPException) as failed:
        message = f"the registry at {url} does not answer: {failed}"
        raise UpstreamUnreachable(message, hint="is pierhead up running?") from None
    finally:
        connection.close()
    return _read(answer.status, content), answer.getheader("etag", "")


def _read(status: int, content: bytes) -> object:
    try:
        document = json.loads(content) if content else None
    except ValueError:
        document = content.decode(errors="replace")
    if status < http.client.BAD_REQUEST:
        return document
    kind = _BY_STATUS.get(status, UpstreamUnreachable)
    said: dict[str, Any] = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    said = said.get("error", said) if isinstance(said.get("error", said), dict) else said
    message = said.get("message") or said.get("detail") or f"the registry answered {status}"
    return _raise(kind, str(message), str(said.get("hint", "")), str(said.get("code", "")))


def _raise(kind: type[PierheadError], message: str, hint: str, code: str) -> object:
    raise kind(message, hint=hint, code=code)
