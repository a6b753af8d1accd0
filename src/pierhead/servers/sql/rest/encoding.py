"""Rows as text: JSON objects, lines of JSON, CSV. Driver values become what each can carry exactly.

Integers beyond 2^53, decimals, dates and bytes become text, as in an answer by MCP; a JSON column stands as JSON.
The common case is one call of orjson over all rows; only rows that it cannot carry exactly are looked at cell by
cell. Not here: Arrow (arrow.py), which rows these are (the lanes).
"""

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from itertools import repeat
from typing import Final, cast

import orjson

from pierhead.sdk import Invalid
from pierhead.sdk.governed.cells import exact
from pierhead.sdk.governed.engine import Field

_OPTIONS: Final = orjson.OPT_STRICT_INTEGER
_EXACT: Final = orjson.OPT_NON_STR_KEYS  # for what went through `exact` already
_LINE: Final = _OPTIONS | orjson.OPT_APPEND_NEWLINE
_EXACT_LINE: Final = _EXACT | orjson.OPT_APPEND_NEWLINE
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SPECIAL: Final = frozenset(',"\r\n')

Row = Sequence[object]
Fields = Sequence[Field]


@lru_cache(maxsize=1024)
def _shape(fields: tuple[Field, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The names, and the places of JSON columns. Errors: Invalid (`repeated-column`)."""
    names = tuple(field.name for field in fields)
    if len(set(names)) != len(names):
        raise Invalid(
            "two columns of the answer have one name, and an object has each member once",
            hint="give each its own name with AS, or accept text/csv",
            code="repeated-column",
        )
    return names, tuple(place for place, field in enumerate(fields) if field.is_json)


def objects(fields: Fields, rows: Sequence[Row]) -> bytes:
    """The rows as a JSON array of objects."""
    shaped = _objects(fields, rows)
    try:
        encoded = orjson.dumps(shaped, exact, _OPTIONS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_exactly(shaped), exact, _EXACT)
    if b"null" in encoded and _has_odd_numbers(rows):  # orjson writes an infinity as null
        return orjson.dumps(_exactly(shaped), exact, _EXACT)
    return encoded


def lines(fields: Fields, rows: Sequence[Row]) -> bytes:
    """The rows as JSON objects, one a line."""
    shaped = _objects(fields, rows, one_line=True)
    if not _has_odd_numbers(rows):
        try:
            return b"".join([orjson.dumps(row, exact, _LINE) for row in shaped])
        except orjson.JSONEncodeError:
            pass  # an integer that JSON's readers would round
    return b"".join([orjson.dumps(row, exact, _EXACT_LINE) for row in _exactly(shaped)])


def one_object(fields: Fields, row: Row) -> bytes:
    """One row as a JSON object."""
    return objects(fields, [row])[1:-1]


def _objects(fields: Fields, rows: Sequence[Row], *, one_line: bool = False) -> list[dict[str, object]]:
    names, json_places = _shape(tuple(fields))
    if not json_places:
        return list(map(dict, map(zip, repeat(names), rows)))  # half the price of a loop that checks each row's length
    shaped: list[dict[str, object]] = []
    for row in rows:
        cells = list(row)
        for place in json_places:
            cells[place] = _fragment(cells[place], one_line=one_line)
        shaped.append(dict(zip(names, cells, strict=True)))
    return shaped


def _fragment(cell: object, *, one_line: bool) -> object:
    """A JSON text as it stands; a line break is never part of a JSON string, so it may go."""
    if not isinstance(cell, str):
        return cell
    return orjson.Fragment(cell.replace("\n", " ").replace("\r", " ") if one_line else cell)


def _exactly(shaped: Iterable[dict[str, object]]) -> list[dict[str, object]]:
    return [
        {name: cell if isinstance(cell, orjson.Fragment) else exact(cell) for name, cell in row.items()}
        for row in shaped
    ]


def _has_odd_numbers(rows: Sequence[Row]) -> bool:
    return any(type(cell) is float and not math.isfinite(cell) for row in rows for cell in row)


def csv_header(fields: Fields, *, quotes_formulas: bool) -> bytes:
    return csv_lines([[field.name for field in fields]], quotes_formulas=quotes_formulas)


def csv_lines(rows: Sequence[Row], *, quotes_formulas: bool) -> bytes:
    """The rows as CSV (RFC 4180). NULL is an empty field, an empty text a quoted one.

    With `quotes_formulas` a text that a spreadsheet would run gets an apostrophe in front.
    """
    write = _safe_field if quotes_formulas else _field
    return "".join([",".join([write(cell) for cell in row]) + "\r\n" for row in rows]).encode("utf-8", "replace")


def _field(cell: object) -> str:
    if cell is None:
        return ""
    if type(cell) is int:
        return str(cell)
    text = as_text(cell)
    if text and _SPECIAL.isdisjoint(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _safe_field(cell: object) -> str:
    if type(cell) is str and cell.startswith(_FORMULA):
        return _field("'" + cell)
    return _field(cell)


def as_text(cell: object) -> str:
    """A value as one text: what JSON would say, without quotes."""
    if type(cell) is str:
        return cell
    if cell is True or cell is False:
        return "true" if cell else "false"
    value = exact(cell)
    if isinstance(value, (list, dict, tuple)):
        return orjson.dumps(value, cast("Callable[[object], object]", exact), _EXACT).decode()
    return str(value)
