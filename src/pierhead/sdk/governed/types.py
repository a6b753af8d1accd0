"""Column types by family, and values made to fit them: text of a URL, JSON of a body, a claim -> a driver's value.

A value that does not fit is refused here, in words that name the column and what it takes, before any engine sees
it. Not here: engine types that need a cast in SQL (filter_sql.py writes it), the way back to JSON (cells.py).
"""

import datetime as dt
import math
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Final, Literal, cast

import orjson

from pierhead.sdk import Invalid
from pierhead.sdk.sqlguard import Dialect

Family = Literal[
    "integer",
    "decimal",
    "real",
    "boolean",
    "text",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "uuid",
    "bytes",
    "json",
    "array",
    "other",  # the engine knows it, we do not: PostgreSQL's inet, an enum
    "unknown",  # nothing is declared: a column of an SQLite view
]

_NAMES: Final[Mapping[Family, str]] = {
    "integer": "int, integer, int2, int4, int8, smallint, bigint, tinyint, mediumint, hugeint, utinyint, usmallint,"
    " uinteger, ubigint, uhugeint, serial, bigserial, oid, byteint, year",
    "decimal": "decimal, numeric, number, dec, fixed, smallmoney",
    "real": "real, float, float4, float8, double, double precision, binary_float, binary_double",
    "boolean": "bool, boolean",
    "text": "text, varchar, char, character, bpchar, name, string, clob, nclob, nvarchar, nchar, varchar2, nvarchar2,"
    " tinytext, mediumtext, longtext, ntext, character varying",
    "date": "date",
    "time": "time, timetz, time without time zone, time with time zone",
    "timestamp": "timestamp, datetime, datetime2, smalldatetime, timestamp_ntz, timestamp_s, timestamp_ms,"
    " timestamp_ns, timestamp without time zone",
    "timestamptz": "timestamptz, datetimeoffset, timestamp_tz, timestamp_ltz, timestamp with time zone,"
    " timestamp with local time zone",
    "uuid": "uuid, uniqueidentifier",
    "bytes": "bytea, blob, binary, varbinary, tinyblob, mediumblob, longblob, raw, image",
    "json": "json, jsonb, variant, object",
}
_FAMILIES: Final[Mapping[str, Family]] = {
    name.strip(): family for family, names in _NAMES.items() for name in names.split(",")
}
_PARENTHESES: Final = re.compile(r"\([^()]*\)")
_TRINO_ARRAY: Final = re.compile(r"array\((.+)\)")
# Where an engine means something else by a name.
_OWN: Final[Mapping[tuple[Dialect, str], Family]] = {
    ("mysql", "tinyint(1)"): "boolean",
    ("mysql", "bit(1)"): "boolean",
    ("mysql", "timestamp"): "timestamp",
    ("tsql", "bit"): "boolean",
    ("tsql", "timestamp"): "bytes",
    ("tsql", "money"): "decimal",
    ("oracle", "date"): "timestamp",
}
# SQLite's own rule, in its order: a declared type holds one of these words. Ours come first, for what it only stores.
_SQLITE: Final[tuple[tuple[str, Family], ...]] = (
    ("bool", "boolean"),
    ("json", "json"),
    ("timestamp", "timestamp"),
    ("datetime", "timestamp"),
    ("date", "date"),
    ("int", "integer"),
    ("char", "text"),
    ("clob", "text"),
    ("text", "text"),
    ("uuid", "text"),
    ("blob", "bytes"),
    ("real", "real"),
    ("floa", "real"),
    ("doub", "real"),
    ("dec", "decimal"),
    ("num", "decimal"),
    ("time", "time"),
)
_BITS: Final[Mapping[str, int]] = {
    "smallint": 16,
    "int2": 16,
    "integer": 32,
    "int": 32,
    "int4": 32,
    "bigint": 64,
    "int8": 64,
}
_EXPECTED: Final[Mapping[Family, str]] = {
    "integer": "an integer",
    "decimal": "a number",
    "real": "a number",
    "boolean": "true or false",
    "text": "text",
    "date": "a date, as 2026-01-31",
    "time": "a time, as 14:30:00",
    "timestamp": "a date and time, as 2026-01-31T14:30:00",
    "timestamptz": "a date and time with its zone, as 2026-01-31T14:30:00Z",
    "uuid": "a UUID",
    "bytes": r"bytes in hexadecimal, as \x0aff",
    "json": "JSON",
    "array": "a list, as {a,b}",
    "other": "text",
    "unknown": "a value",
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,40}")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_BOOLEANS: Final[Mapping[str, bool]] = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
_ITEM: Final = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^,{}"]*))\s*(,|$)')


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`name` is as the engine writes it; `element` is there for arrays alone."""

    family: Family
    name: str = ""
    element: "ColumnType | None" = None


TEXT: Final = ColumnType("text", "text")
INTEGER: Final = ColumnType("integer", "bigint")
NUMBER: Final = ColumnType("decimal", "numeric")
BOOLEAN: Final = ColumnType("boolean", "boolean")
JSON: Final = ColumnType("json", "json")


@lru_cache(maxsize=4096)
def column_type(written: str, dialect: Dialect) -> ColumnType:
    """The family of a type as `dialect` writes it. What is not known is `other`, what is not declared `unknown`."""
    name = " ".join(written.lower().split())
    if not name:
        return ColumnType("unknown", written)
    if dialect == "sqlite":
        return ColumnType(_of_sqlite(name), written)
    element = _element(name)
    if element:
        return ColumnType("array", written, column_type(element, dialect))
    bare = " ".join(_PARENTHESES.sub("", name).removesuffix(" unsigned").split())
    family = _OWN.get((dialect, name)) or _OWN.get((dialect, bare)) or _FAMILIES.get(bare, "other")
    return ColumnType(family, written)


def _of_sqlite(name: str) -> Family:
    for word, family in _SQLITE:
        if word in name:
            return family
    return "unknown"


def _element(name: str) -> str:
    if name.endswith("]"):
        return name[: name.rindex("[")]
    match = _TRINO_ARRAY.fullmatch(name)
    return match[1] if match else ""


def bad_value(column: str, type_: ColumnType) -> Invalid:
    """Names the column and what it takes. The value is not repeated: a claim may have brought it."""
    return Invalid(
        f"column {column} takes {_EXPECTED[type_.family]}",
        hint=f"its type is {type_.name}" if type_.name else "describe_table shows the types",
        code="bad-value",
    )


def coerced(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    """`value`, text or JSON, as the driver of `dialect` takes it for `type_`.

    Text for JSON and arrays is their literal: `{"a":1}`, `{a,b}` or `["a","b"]`. None stays None. Errors: Invalid
    (`bad-value`).
    """
    if value is None:
        return None
    try:
        made = _FITTERS[type_.family](value, type_, column, dialect)
    except (ValueError, TypeError, ArithmeticError, InvalidOperation):
        raise bad_value(column, type_) from None
    return _for_driver(made, dialect)


def stored(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    """As `coerced`, for a value of a JSON body that is written to `column`: text for a JSON column is a JSON text."""
    if type_.family == "json" and value is not None:
        return orjson.dumps(value).decode()
    return coerced(value, type_, column, dialect)


def _integer(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del column, dialect
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value):
            raise ValueError
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif isinstance(value, float | Decimal) and value == int(value):
        number = int(value)
    else:
        raise ValueError
    bits = _BITS.get(type_.name.lower(), 0)
    if bits and not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError
    return number


def _decimal(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        raise ValueError
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError
    if dialect != "sqlite":
        return number
    return int(number) if number == number.to_integral_value() and abs(number) < 2**63 else float(number)


def _real(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    if isinstance(value, bool) or (isinstance(value, str) and not _NUMBER.fullmatch(value)):
        raise ValueError
    number = float(cast("str | int | float | Decimal", value))
    if not math.isfinite(number):
        raise ValueError
    return number


def _boolean(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    if isinstance(value, bool):
        return value
    found = _BOOLEANS.get(str(value).lower())
    if found is None:
        raise ValueError
    return found


def _text(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        raise TypeError
    text = str(value)
    if "\0" in text:
        raise ValueError
    text.encode()  # a lone half of a surrogate pair is no text
    return text


def _date(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    if dialect == "sqlite":
        return _as_kept(value, type_, column, dialect)
    return dt.date.fromisoformat(_string(value))


def _time(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    if dialect == "sqlite":
        return _as_kept(value, type_, column, dialect)
    return dt.time.fromisoformat(_string(value))


def _timestamp(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    if dialect == "sqlite":
        return _as_kept(value, type_, column, dialect)
    moment = dt.datetime.fromisoformat(_string(value))
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _timestamptz(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    moment = dt.datetime.fromisoformat(_string(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def _as_kept(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    """SQLite has no times: a column holds text or numbers, and only its writers know which."""
    del type_, column, dialect
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        raise TypeError
    return float(value) if isinstance(value, Decimal) else value


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _uuid(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column
    made = uuid.UUID(_string(value))
    return made if dialect in ("postgres", "duckdb") else str(made)


def _bytes(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    text = _string(value)
    if not text.startswith("\\x"):
        raise ValueError
    return bytes.fromhex(text[2:])


def _json(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    del type_, column, dialect
    if isinstance(value, str):
        orjson.loads(value)
        return value
    return orjson.dumps(value).decode()


def _array(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    items = cast("list[object]", value) if isinstance(value, list | tuple) else _items(_string(value))
    element = type_.element or TEXT
    return [coerced(item, element, column, dialect) for item in items]


def _items(text: str) -> list[object]:
    """`["a"]` is JSON, `{a,"b c",NULL}` PostgreSQL's literal of one dimension."""
    if text.startswith("["):
        return cast("list[object]", orjson.loads(text))
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError
    inside, place, items = text[1:-1], 0, list[object]()
    while inside and place <= len(inside):
        match = _ITEM.match(inside, place)
        if match is None:
            raise ValueError
        bare = match[2]
        items.append(re.sub(r"\\(.)", r"\1", match[1]) if bare is None else _bare_item(bare.strip()))
        place = match.end() if match[3] else len(inside) + 1
    return items


def _bare_item(text: str) -> str | None:
    if not text:
        raise ValueError
    return None if text.upper() == "NULL" else text


def _other(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    return _text(value, type_, column, dialect)


def _unknown(value: object, type_: ColumnType, column: str, dialect: Dialect) -> object:
    """Text that is a number is one: the column has no type that would turn it into one."""
    if isinstance(value, str) and _INTEGER.fullmatch(value) and abs(int(value)) < 2**63:
        return int(value)
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value)
    if isinstance(value, bool | int | float):
        return value
    return _decimal(value, type_, column, dialect) if isinstance(value, Decimal) else _string(value)


def _for_driver(value: object, dialect: Dialect) -> object:
    if dialect == "sqlite" and isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)  # beyond what SQLite calls an integer it has reals alone
    return value


_FITTERS: Final[Mapping[Family, Callable[[object, ColumnType, str, Dialect], object]]] = {
    "integer": _integer,
    "decimal": _decimal,
    "real": _real,
    "boolean": _boolean,
    "text": _text,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamptz": _timestamptz,
    "uuid": _uuid,
    "bytes": _bytes,
    "json": _json,
    "array": _array,
    "other": _other,
    "unknown": _unknown,
}
