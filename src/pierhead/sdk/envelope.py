"""The one shape in which domain servers answer: what was found, what was left out, and what stands behind it.

A tool returns `Envelope[Data]`; members that say nothing are left out of the answer. Errors are raised, not returned
(`core/errors`), and approvals are the platform's. Text from documents, logs and tables is content wherever it stands.
Secrets are taken out of it here (`redacting`), before it is digested, encoded or kept.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Generic, Literal, Self, TypeVar, cast

import orjson
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PrivateAttr,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from pierhead.sdk.redacting import redact_value, secret_names

Data = TypeVar("Data")

LONGEST_SUMMARY: Final = 600
_DIGITS: Final = 16
#: Members that hold nothing of what was read; a cursor would be told for a secret otherwise.
_OURS: Final = frozenset({"status", "page", "evidence"})


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Page(_Part):
    """How much of a list this is; with `next_cursor`, there is more."""

    returned: int
    next_cursor: str | None = None


class Full(_Part):
    """The whole of what was cut, kept for a while for whoever got the answer; `<prefix>_read_result` reads it."""

    handle: str
    bytes: int
    expires_at: str


class Limits(_Part):
    """What was cut, by which limit, and of how much."""

    truncated: Literal[True] = True
    why: Literal["rows", "bytes", "lines", "time"]
    seen: int
    """Of the unit that `why` names: how many there were, as far as that was looked at."""
    next: str = ""
    """What to ask for the rest."""
    full: Full | None = Field(default=None, exclude_if=lambda full: full is None)


class Link(_Part):
    title: str
    url: str


class Evidence(_Part):
    """Names the data by their digest, so that a finding can cite them."""

    id: str
    observed_at: str
    source: str


class Envelope(BaseModel, Generic[Data]):
    """One answer. `missing` names what could not be read: then the status is `partial`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    status: Literal["ok", "partial"] = "ok"
    summary: Annotated[str, Field(max_length=LONGEST_SUMMARY)]
    data: Data
    page: Page | None = None
    limits: Limits | None = None
    missing: Sequence[str] = ()
    links: Sequence[Link] = ()
    evidence: Evidence | None = None
    _names: frozenset[str] = PrivateAttr(default_factory=secret_names)

    @model_serializer(mode="wrap")
    def _without_what_is_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        whole: dict[str, Any] = handler(self)
        told = {name: value for name, value in whole.items() if name == "data" or value not in (None, [], (), "")}
        return {name: value if name in _OURS else redact_value(value, self._names) for name, value in told.items()}

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The members of `data` one level deep and no further: every tool of a fleet carries this schema."""
        whole = handler.resolve_ref_schema(handler(schema))
        data = handler.resolve_ref_schema(cast("JsonSchemaValue", whole["properties"])["data"])
        members = cast("dict[str, JsonSchemaValue]", data.get("properties", {}))
        shown = {name: _shallow(member) for name, member in members.items()}
        return {
            "type": "object",
            "properties": {
                "status": {"enum": ["ok", "partial"]},
                "summary": {"type": "string"},
                "data": {"type": "object", "properties": shown},
                "page": {"type": "object"},
                "limits": {"type": "object"},
                "missing": {"type": "array"},
                "links": {"type": "array"},
                "evidence": {"type": "object"},
            },
            "required": ["status", "summary", "data"],
        }

    def observed(self, source: str, at: float) -> Self:
        """The same answer with its evidence: the SHA-256 of its data, `source`, and when it was seen (Unix seconds)."""
        plain = self.model_dump(mode="json", include={"data"})
        digest = hashlib.sha256(orjson.dumps(plain["data"], option=orjson.OPT_SORT_KEYS)).hexdigest()
        seen = datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        return self.model_copy(
            update={"evidence": Evidence(id=f"ev_{digest[:_DIGITS]}", observed_at=seen, source=source)}
        )


def _shallow(member: JsonSchemaValue) -> JsonSchemaValue:
    kept = {key: member[key] for key in ("type", "description") if key in member}
    options = [str(option.get("type", "object")) for option in member.get("anyOf", ())]
    return {"type": options, **kept} if options else {"type": "object", **kept}


def summed_up(text: str) -> str:
    """`text`, cut to what a summary may hold."""
    return text if len(text) <= LONGEST_SUMMARY else f"{text[: LONGEST_SUMMARY - 1]}…"
