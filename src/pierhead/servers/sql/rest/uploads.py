"""Rows of a body: JSON (one object or many), CSV with a header line, or lines of JSON.

Not here: what a column takes (types.py). A CSV field is text, or null where it is empty and not in quotes.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from pierhead.sdk import Invalid
from pierhead.servers.sql.rest.asked import LARGEST_BODY, Asked

LARGEST_BULK: Final = 10 * 1024 * 1024
_CSV_FIELD: Final = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\Z)')

Row = Mapping[str, Any]


def rows_of(asked: Asked) -> Sequence[Row]:
    """The rows of the body. Errors: Invalid."""
    match asked.content_type:
        case "text/csv":
            asked.check_body(LARGEST_BULK)
            return list(_csv(_text(asked)))
        case "application/x-ndjson":
            asked.check_body(LARGEST_BULK)
            return [
                _row(_loaded(line, number)) for number, line in enumerate(asked.request.body.splitlines(), 1) if line
            ]
        case _:
            value = asked.json_value(LARGEST_BULK)
            if isinstance(value, list):
                return [_row(each) for each in cast("list[object]", value)]
            asked.check_body(LARGEST_BODY)
            return [_row(value)]


def _row(value: object) -> Row:
    if not isinstance(value, dict):
        raise Invalid("a row is no JSON object", hint="send each row as an object", code="bad-body")
    return cast("Row", value)


def _loaded(line: bytes, number: int) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        raise Invalid(f"line {number} is not JSON", hint="send one object a line", code="bad-body") from None


def _text(asked: Asked) -> str:
    try:
        return asked.request.body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid("the CSV is not UTF-8", hint="save it as UTF-8", code="bad-body") from None


def _csv(text: str) -> Iterator[Row]:
    lines = _lines(text)
    names = [name or "" for name in next(lines, list[str | None]())]
    for fields in lines:
        if len(fields) != len(names):
            raise _bad_csv(f"a line has {len(fields)} fields, and the header {len(names)}")
        yield dict(zip(names, fields, strict=True))


def _lines(text: str) -> Iterator[list[str | None]]:
    """The lines of RFC 4180. The csv module cannot tell an empty field from an empty text; we must."""
    place, fields = 0, list[str | None]()
    while place < len(text):
        found = _CSV_FIELD.match(text, place)
        if found is None:
            raise _bad_csv("the CSV has a quote inside a field that is not in quotes, or one without its end")
        quoted, plain, ending = found.groups()
        fields.append(plain or None if quoted is None else quoted.replace('""', '"'))
        place = found.end()
        if ending != ",":
            yield fields
            fields = []
        elif place == len(text):
            fields.append(None)
    if fields:
        yield fields


def _bad_csv(problem: str) -> Invalid:
    return Invalid(problem, hint="send RFC 4180, with the columns' names in the first line", code="bad-body")
