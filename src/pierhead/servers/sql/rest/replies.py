"""From rows to a whole HTTP answer: the body in the wanted format, and the headers that say what it is a part of.

Not here: which rows (the lanes), how a cell is written (encoding.py), answers longer than a page (streams.py).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import orjson

from pierhead.sdk.governed.engine import Field
from pierhead.sdk.routes import Done, Reply, Request
from pierhead.servers.sql.rest import encoding
from pierhead.servers.sql.rest.arrow import ArrowStream
from pierhead.servers.sql.rest.preferences import Format, Preferences, Wanted

MOST_ROWS: Final = 1_000
MOST_BYTES: Final = 10 * 1024 * 1024
_CUT: Final = "…"

#: What every answer with rows depends on, so that no cache gives it to another question.
VARY: Final = (b"vary", b"accept, prefer, pierhead-role, authorization")
_FRESH: Final = (b"cache-control", b"private, no-cache")


@dataclass(frozen=True, slots=True)
class Shown:
    """Rows to answer, at most `limit` of them, from `offset` on. `cut` says why there are fewer than there could be."""

    fields: Sequence[Field]
    rows: Sequence[Sequence[object]]
    limit: int
    offset: int = 0
    cut: str = ""
    total: int | None = None
    next_cursor: str | None = None


def cell_for(rows: int) -> int:
    """The longest cell, in characters, of so many rows: together they stay within some 64 MB, whatever they hold.

    A few sizes, since engines keep statements by it.
    """
    if rows == 1:
        return MOST_BYTES
    return 640 * 1024 if rows <= 100 else 64 * 1024  # noqa: PLR2004 - the default page


def done(shown: Shown, wanted: Wanted, preferences: Preferences, request: Request, next_link: bytes = b"") -> Done:
    """The answer with these rows; 304, where the client has it already."""
    fitted, body = _fitted(shown, wanted)
    tag = _weak(body)
    headers = [
        (b"content-type", content_type(wanted)),
        (b"content-range", _range(fitted)),
        (b"etag", tag),
        VARY,
        _FRESH,
        *preferences.applied(),
    ]
    if fitted.cut:
        headers.append((b"pierhead-truncated", fitted.cut.encode()))
    if next_link and fitted.next_cursor is not None:
        headers.append((b"link", b'<%b>; rel="next"' % next_link))
    if request.method in ("GET", "HEAD") and matches(request.headers.get(b"if-none-match", b""), tag):
        return Done(Reply(304, headers, b""), 0)
    return Done(Reply(_status(fitted), headers, body), len(body))


def _weak(body: bytes) -> bytes:
    """The tag of an answer. Weak, since it names no row that a write could compare."""
    return b'W/"%b"' % hashlib.sha256(body).hexdigest()[:24].encode()


def one_row(shown: Shown, wanted: Wanted, request: Request, tag: bytes) -> Done:
    """The answer with one row: an object, where the format has objects. `tag` is the row's own, if all is shown."""
    if wanted.format in (Format.JSON, Format.PAGE):
        shown, _ = _fitted(shown, Wanted(Format.JSON))
        body = encoding.one_object(shown.fields, shown.rows[0])
        wanted = Wanted(Format.JSON)
    else:
        shown, body = _fitted(shown, wanted)
    tag = _weak(body) if shown.cut or not tag else tag
    headers = [(b"content-type", content_type(wanted)), (b"etag", tag), VARY, _FRESH]
    if shown.cut:
        headers.append((b"pierhead-truncated", shown.cut.encode()))
    if matches(request.headers.get(b"if-none-match", b""), tag):
        return Done(Reply(304, headers, b""), 0)
    return Done(Reply(200, headers, body), len(body))


def matches(condition: bytes, tag: bytes) -> bool:
    """Whether an `If-None-Match` names this tag (RFC 9110, weak comparison)."""
    if not condition:
        return False
    plain = tag.removeprefix(b"W/")
    return condition == b"*" or any(each.strip().removeprefix(b"W/") == plain for each in condition.split(b","))


def content_type(wanted: Wanted) -> bytes:
    if wanted.format is Format.CSV:
        return b"text/csv; charset=utf-8; header=" + (b"present" if wanted.names_columns else b"absent")
    return wanted.format.value.encode()


def _status(shown: Shown) -> int:
    """206 where a count shows that there is more, as clients of PostgREST expect."""
    is_part = shown.total is not None and len(shown.rows) < shown.total
    return 206 if is_part and shown.rows else 200


def _range(shown: Shown) -> bytes:
    total = b"*" if shown.total is None else b"%d" % shown.total
    if not shown.rows:
        return b"*/" + total
    return b"%d-%d/%b" % (shown.offset, shown.offset + len(shown.rows) - 1, total)


def _fitted(shown: Shown, wanted: Wanted) -> tuple[Shown, bytes]:
    """The rows that fit, encoded. Nearly always all do, at the first look."""
    encode = _ENCODERS[wanted.format]
    body = encode(shown, wanted)
    longest = cell_for(shown.limit)
    if len(body) > longest:
        shown = _with_short_cells(shown, longest)
        body = encode(shown, wanted)
    while len(body) > MOST_BYTES and len(shown.rows) > 1:
        kept = max(1, min(len(shown.rows) - 1, len(shown.rows) * MOST_BYTES // len(body)))
        shown = replace(shown, rows=shown.rows[:kept], cut="bytes")
        body = encode(shown, wanted)
    return shown, body


def _with_short_cells(shown: Shown, longest: int) -> Shown:
    """The same, with cells that are too long cut; a JSON text that was cut is a text, no longer JSON."""
    places = {
        place
        for row in shown.rows
        for place, cell in enumerate(row)
        if isinstance(cell, (str, bytes)) and len(cell) > longest
    }
    if not places:
        return shown
    rows = [
        [_short(cell, longest) if place in places else cell for place, cell in enumerate(row)] for row in shown.rows
    ]
    fields = [replace(each, is_json=each.is_json and place not in places) for place, each in enumerate(shown.fields)]
    return replace(shown, fields=fields, rows=rows, cut="bytes")


def _short(cell: object, longest: int) -> object:
    if isinstance(cell, str) and len(cell) > longest:
        return cell[:longest] + _CUT
    return cell[:longest] if isinstance(cell, bytes) else cell


def _as_json(shown: Shown, _wanted: Wanted) -> bytes:
    return encoding.objects(shown.fields, shown.rows)


def _as_page(shown: Shown, _wanted: Wanted) -> bytes:
    page = {"limit": shown.limit, "next_cursor": shown.next_cursor, "total": shown.total}
    limits = {"rows": shown.limit, "bytes": MOST_BYTES, "truncated": shown.cut}
    rows = encoding.objects(shown.fields, shown.rows)
    return b'{"data":%b,"page":%b,"limits":%b}' % (rows, orjson.dumps(page), orjson.dumps(limits))


def _as_csv(shown: Shown, wanted: Wanted) -> bytes:
    quotes = wanted.quotes_formulas
    header = encoding.csv_header(shown.fields, quotes_formulas=quotes) if wanted.names_columns else b""
    return header + encoding.csv_lines(shown.rows, quotes_formulas=quotes)


def _as_lines(shown: Shown, _wanted: Wanted) -> bytes:
    return encoding.lines(shown.fields, shown.rows)


def _as_arrow(shown: Shown, _wanted: Wanted) -> bytes:
    stream = ArrowStream(shown.fields)
    return stream.begin() + stream.batch(shown.rows) + stream.end()


_ENCODERS: Final[Mapping[Format, Callable[[Shown, Wanted], bytes]]] = {
    Format.JSON: _as_json,
    Format.PAGE: _as_page,
    Format.CSV: _as_csv,
    Format.NDJSON: _as_lines,
    Format.ARROW: _as_arrow,
}


def json_reply(body: bytes, *, status: int = 200, headers: Sequence[tuple[bytes, bytes]] = ()) -> Done:
    """A JSON answer that is no table of rows."""
    return Done(Reply(status, [(b"content-type", b"application/json"), VARY, *headers], body), len(body))
