"""Values as SQL literals that Trino and Presto read back as exactly that value, and nothing else.

Neither engine binds values in every place (EXPLAIN takes none), so a statement of the guard has its marks filled
with literals of known types. Only the types below have one; anything else is refused. Not here: statements.
"""

import datetime as dt
import decimal
import math
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

_MARK: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|(?P<mark>\?)""")
_LARGEST_BIGINT: Final = 2**63 - 1
_MOST_DIGITS: Final = 38


def filled(sql: str, values: Sequence[object]) -> str:
    """`sql` with its `?` marks, outside quotes, replaced by the literals of `values` in order.

    Shapes: `sql` has no comments, as the guard writes it. Errors: ValueError, for a value that has no literal, and
    for a number of values that is not the number of marks.
    """
    remaining = iter(values)

    def placed(found: re.Match[str]) -> str:
        if found["mark"] is None:
            return found[0]
        try:
            return literal(next(remaining))
        except StopIteration:
            raise ValueError("more marks than values") from None

    text = _MARK.sub(placed, sql)
    if next(remaining, _MARK) is not _MARK:
        raise ValueError("more values than marks")
    return text


def literal(value: object) -> str:
    """One value as SQL text. Errors: ValueError, for a type or a value that has no literal."""
    write = _WRITERS.get(type(value))
    if write is None:
        raise ValueError(f"no literal for a value of type {type(value).__name__}")
    return write(value)


def _null(_value: None) -> str:
    return "NULL"


def _boolean(value: bool) -> str:
    return "TRUE" if value else "FALSE"


def _integer(value: int) -> str:
    if 0 <= value <= _LARGEST_BIGINT:
        return str(value)  # bare, so that LIMIT takes it
    if -_LARGEST_BIGINT <= value < 0:
        return f"BIGINT '{value}'"  # never a bare minus: two of them begin a comment
    return _decimal(decimal.Decimal(value))


def _double(value: float) -> str:
    if math.isnan(value):
        return "DOUBLE 'NaN'"
    return f"DOUBLE '{value!r}'" if math.isfinite(value) else f"DOUBLE '{'-' if value < 0 else ''}Infinity'"


def _decimal(value: decimal.Decimal) -> str:
    text = format(value, "f") if value.is_finite() else ""
    if not text or sum(sign.isdigit() for sign in text) > _MOST_DIGITS:
        raise ValueError(f"a decimal of more than {_MOST_DIGITS} digits")
    return f"DECIMAL '{text}'"


def _text(value: str) -> str:
    value.encode()  # a lone surrogate is no text: ValueError
    return "'" + value.replace("'", "''") + "'"


def _bytes(value: bytes) -> str:
    return f"X'{value.hex()}'"


def _timestamp(value: dt.datetime) -> str:
    zone = f" {value.isoformat(timespec='microseconds')[-6:]}" if value.tzinfo else ""
    return f"TIMESTAMP '{value.replace(tzinfo=None).isoformat(sep=' ', timespec=_fineness(value))}{zone}'"


def _date(value: dt.date) -> str:
    return f"DATE '{value.isoformat()}'"


def _time(value: dt.time) -> str:
    return f"TIME '{value.isoformat(timespec=_fineness(value))}'"


def _fineness(value: dt.datetime | dt.time) -> str:
    """PrestoDB knows no more than milliseconds, and takes no text that has more."""
    return "microseconds" if value.microsecond % 1000 else "milliseconds"


def _uuid(value: uuid.UUID) -> str:
    return f"UUID '{value}'"


def _array(value: Sequence[object]) -> str:
    return "ARRAY[" + ", ".join(map(literal, value)) + "]"


_WRITERS: Final[Mapping[type, Callable[[Any], str]]] = {
    type(None): _null,
    bool: _boolean,
    int: _integer,
    float: _double,
    decimal.Decimal: _decimal,
    str: _text,
    bytes: _bytes,
    dt.datetime: _timestamp,
    dt.date: _date,
    dt.time: _time,
    uuid.UUID: _uuid,
    list: _array,
    tuple: _array,
}
