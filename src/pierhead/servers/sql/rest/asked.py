"""One request, read as far as every route needs it: its path, its query, its headers, its body.

Read inside the call that the request makes, so that a fault is on record like any other. Not here: what a table or
a filter is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import parse_qsl, unquote

import orjson

from pierhead.sdk import Invalid
from pierhead.sdk.routes import Calls, Request
from pierhead.servers.sql.rest.preferences import Preferences, Wanted, preferences, wanted

BASE: Final = b"/api/v1"
LARGEST_BODY: Final = 1024 * 1024
_MOST_PARAMETERS: Final = 200
_PLAIN_BYTES: Final = frozenset({b"identity", b""})
READS: Final = frozenset({"GET", "HEAD"})

Pairs = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way to one route. `parts` are the raw segments of the path that are left to it.

    `ids` are keys that the rows meant must have, besides what the query says: Faucet's way to name rows.
    """

    request: Request
    calls: Calls
    parts: tuple[bytes, ...]
    ids: tuple[str, ...] | None = None

    @property
    def method(self) -> str:
        return self.request.method

    def wanted(self) -> Wanted:
        return wanted(self.request.headers.get(b"accept", b""))

    def preferences(self) -> Preferences:
        prefer = self.request.headers.get(b"prefer", b"")
        return preferences(prefer, writes=self.method not in READS)

    def name(self, place: int) -> str:
        """A segment of the path as a name; in quotes it is taken as it stands. Errors: Invalid (`bad-path`)."""
        name = _decoded(self.parts[place])
        is_quoted = len(name) > 1 and name[0] == name[-1] == '"'
        return name[1:-1].replace('""', '"') if is_quoted else name

    def key(self, place: int) -> tuple[str, ...]:
        """A segment as the values of a key: commas part them, percent-encoded ones belong to a value."""
        return tuple(_decoded(part) for part in self.parts[place].split(b","))

    def parameters(self, reserved: frozenset[str] | None = None) -> Pairs:
        """The members of the query. Errors: Invalid, for a name that is not `reserved`, where that is given."""
        if not self.request.query:
            return ()
        try:
            text = self.request.query.decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS)
        except (UnicodeDecodeError, ValueError):
            raise _bad_query() from None
        unknown = [name for name, _ in pairs if reserved is not None and name not in reserved]
        if unknown:
            known = ", ".join(sorted(reserved or ())) or "none"
            raise Invalid(f"no parameter {unknown[0][:64]} here", hint=f"parameters are: {known}", code="bad-parameter")
        return pairs

    def json(self, *members: str) -> dict[str, Any]:
        """The body as a JSON object with none but these members. Errors: Invalid."""
        value = self.json_value()
        if not isinstance(value, dict):
            raise Invalid("the body is no JSON object", hint="send an object", code="bad-body")
        body = cast("dict[str, Any]", value)
        unknown = sorted(body.keys() - set(members))
        if unknown:
            hint = f"members are: {', '.join(members)}"
            raise Invalid(f"the body has no member {unknown[0][:64]}", hint=hint, code="bad-body")
        return body

    def json_value(self, largest: int = LARGEST_BODY) -> object:
        """The body as JSON. Errors: Invalid."""
        self.check_body(largest)
        if self.content_type not in ("application/json", "application/vnd.pierhead.page+json"):
            raise Invalid("the body is not declared as JSON", hint="send application/json", code="unsupported-content")
        try:
            return orjson.loads(self.request.body)
        except orjson.JSONDecodeError as fault:
            where = f"line {fault.lineno}, column {fault.colno}"
            raise Invalid(f"the body is not JSON: {where}", hint="send plain UTF-8 JSON", code="bad-body") from None

    def check_body(self, largest: int) -> None:
        if len(self.request.body) > largest:
            raise Invalid(f"the body is larger than {largest} bytes", hint="send less at once", code="body-too-large")
        if self.request.headers.get(b"content-encoding", b"") not in _PLAIN_BYTES:
            raise Invalid("the body is compressed", hint="send it plain", code="unsupported-content")

    @property
    def content_type(self) -> str:
        kind = self.request.headers.get(b"content-type", b"application/json")
        return kind.partition(b";")[0].strip().lower().decode("latin-1")

    @property
    def size(self) -> int:
        """What the record keeps as the size of the arguments."""
        return len(self.request.query) + len(self.request.body)


def single(pairs: Pairs) -> Mapping[str, str]:
    """Parameters that each stand once. Errors: Invalid (`bad-parameter`)."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if found.setdefault(name, value) != value:
            raise Invalid(f"the parameter {name[:64]} says two things", hint="send it once", code="bad-parameter")
    return found


def _decoded(part: bytes) -> str:
    try:
        return unquote(part.decode("ascii"), errors="strict")
    except UnicodeDecodeError:
        raise Invalid("the path is not UTF-8", hint="percent-encode names as UTF-8", code="bad-path") from None


def _bad_query() -> Invalid:
    hint = f"percent-encode it as UTF-8; at most {_MOST_PARAMETERS} parameters"
    return Invalid("the query cannot be read", hint=hint, code="bad-parameter")
