"""One question to the official API, and its query read strictly where a mistake would show something else.

Members nobody here knows are passed over: clients send some of their own. Above: `reading`, `changing`. Below: `views`.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from starlette.requests import Request

from pierhead.apps.registry.forms import query_of
from pierhead.apps.registry.official.answers import Answer
from pierhead.apps.registry.official.listings import Current
from pierhead.apps.registry.official.views import Eyes
from pierhead.core.errors import Invalid
from pierhead.usecases.official_listing import Filters, searched
from pierhead.usecases.registry_desk import RegistryDesk

_DEFAULT: Final = 30
_LARGEST: Final = 100
_LONGEST_TEXT: Final = 255
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_SWITCH: Final = {"": False, "false": False, "true": True}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the list in force, which view its address names, the values in its path. `key` seals cursors."""

    eyes: Eyes
    desk: RegistryDesk
    key: bytes = field(repr=False)
    current: Current
    request: Request
    view: str
    values: Mapping[str, str] = field(hash=False)

    @property
    def server(self) -> str:
        """The server that the path names here; empty for another namespace's."""
        return self.eyes.place.server_of(self.values.get("serverName", ""))


Endpoint = Callable[[Asked], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One page as a client asks for it. With a `cursor`, the cursor's filters are the ones that count."""

    filters: Filters
    cursor: str
    limit: int


def wanted_of(request: Request) -> Wanted:
    """The query of a list.

    Errors: Invalid, for a value that cannot be read and for a member given twice.
    """
    query = query_of(request)
    filters = Filters(
        search=searched(_text(query, "search")),
        version=_text(query, "version"),
        updated_since=_since(query.get("updated_since", "")),
        includes_deleted=includes_deleted(query),
    )
    return Wanted(filters, query.get("cursor", ""), _limit(query.get("limit", "")))


def includes_deleted(query: Mapping[str, str]) -> bool:
    value = query.get("include_deleted", "").lower()
    if value not in _SWITCH:
        raise Invalid(f"include_deleted is {value[:40]!r}", hint="send true or false")
    return _SWITCH[value]


def _text(query: Mapping[str, str], name: str) -> str:
    value = query.get(name, "")
    if len(value) > _LONGEST_TEXT:
        raise Invalid(f"{name} is longer than {_LONGEST_TEXT} characters", hint="send a shorter one")
    return value


def _limit(text: str) -> int:
    if not text:
        return _DEFAULT
    if not _NUMBER.fullmatch(text) or int(text) < 1:
        raise Invalid(f"limit is {text[:40]!r}", hint=f"send a number from 1 to {_LARGEST}")
    return min(int(text), _LARGEST)


def _since(text: str) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in text.upper():
        hint = "send RFC 3339 with its zone, such as 2026-11-21T10:00:00Z"
        raise Invalid(f"updated_since is {text[:40]!r}, which is no time", hint=hint)
    return moment.timestamp()
