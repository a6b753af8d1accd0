"""Where a list goes on, as one text that only this registry can have written.

It carries the last key *and* every filter and the view, since clients drop their filters from page two on. Only
`A-Z a-z 0-9 . _ -` stand in it, because clients put it into an address as it is. Not here: what a list holds
(`official_listing`).
"""

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NoReturn, cast

from pierhead.core.errors import Invalid
from pierhead.core.json import Json
from pierhead.usecases.official_listing import Filters, Key

_FORM: Final = "1"
_SEAL: Final = 16


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in one view's list: everything behind `after` that `filters` admit."""

    view: str
    filters: Filters
    after: Key


def sealed(cursor: Cursor, key: bytes) -> str:
    """The text of that place."""
    filters = cursor.filters
    members: Json = [
        cursor.view,
        [filters.search, filters.version, filters.updated_since, filters.includes_deleted],
        [cursor.after.name, cursor.after.newest, cursor.after.version],
    ]
    content = json.dumps(members, separators=(",", ":")).encode()
    return f"{_FORM}.{_text(content)}.{_text(_seal(content, key))}"


def opened(text: str, view: str, key: bytes) -> Cursor:
    """The place that `text` stands for, in that view.

    Errors: Invalid (`bad-cursor`), for a text that was not written here, or for another view.
    """
    form, _, rest = text.partition(".")
    content, seal = (_bytes(part) for part in (rest.partition(".")[0], rest.partition(".")[2]))
    if form != _FORM or not hmac.compare_digest(seal, _seal(content, key)):
        _refuse()
    named, filters, after = cast("tuple[str, list[str], list[str]]", json.loads(content))
    if named != view:
        _refuse()
    search, version, since, deleted = cast("tuple[str, str, float | None, bool]", filters)
    name, newest, last = cast("tuple[str, float, str]", after)
    return Cursor(named, Filters(search, version, since, includes_deleted=deleted), Key(name, newest, last))


def _seal(content: bytes, key: bytes) -> bytes:
    return hmac.new(key, b"official-cursor:" + content, sha256).digest()[:_SEAL]


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    """The one reading of that text; padding and strangers to the alphabet are refused by writing it again."""
    try:
        content = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (BadBase64, ValueError):
        _refuse()
    if _text(content) != text:
        _refuse()
    return content


def _refuse() -> NoReturn:
    raise Invalid("the cursor was not given by this list", hint="begin at the first page", code="bad-cursor")
