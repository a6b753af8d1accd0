"""Driver values -> what JSON carries exactly, within the limits of an answer.

Integers beyond 2^53, decimals, dates and bytes become text; long cells, many rows and many bytes are cut, and the
answer says so. Not here: the engine's own limits (engines/), which hold before anything arrives here.
"""

import datetime as dt
import decimal
import math
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, cast

import orjson

from pierhead.sdk.governed.engine import LONGEST_CELL, Limits

_EXACT: Final = 2**53


def _integer(value: int) -> object:
    return value if -_EXACT <= value <= _EXACT else str(value)


def _number(value: float) -> object:
    return value if math.isfinite(value) else str(value)


def _text(value: str) -> str:
    return value if len(value) <= LONGEST_CELL else value[:LONGEST_CELL] + "…"


def _bytes(value: bytes) -> str:
    return _text("\\x" + value[:LONGEST_CELL].hex())


def _nested(value: object) -> str:
    return _text(orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode())


_PLAIN: Final[Mapping[type, Callable[[Any], object]]] = {
    int: _integer,
    float: _number,
    str: _text,
    bytes: _bytes,
    bytearray: _bytes,
    decimal.Decimal: str,
    dt.datetime: dt.datetime.isoformat,
    dt.date: dt.date.isoformat,
    dt.time: dt.time.isoformat,
    dt.timedelta: str,
    uuid.UUID: str,
    list: _nested,
    tuple: _nested,
    dict: _nested,
}


def plain(value: object) -> object:
    """`value` as a JSON scalar."""
    if value is None or value is True or value is False:
        return value
    convert = cast("Callable[[Any], object] | None", _PLAIN.get(type(value)))
    return convert(value) if convert else _text(str(value))


def exact(value: object) -> object:
    """`value` whole, as what JSON carries exactly: lists and mappings keep their form, nothing is cut."""
    if value is None or value is True or value is False or type(value) is str:
        return value
    convert = _WHOLE.get(type(value))
    return convert(value) if convert else str(value)


def _list(values: Sequence[object]) -> list[object]:
    return [exact(value) for value in values]


def _mapping(values: Mapping[object, object]) -> dict[str, object]:
    return {str(name): exact(value) for name, value in values.items()}


def _hex(value: bytes) -> str:
    return "\\x" + value.hex()


_WHOLE: Final[Mapping[type, Callable[[Any], object]]] = {
    **_PLAIN,
    bytes: _hex,
    bytearray: _hex,
    list: _list,
    tuple: _list,
    dict: _mapping,
}


def fitted(rows: Sequence[Sequence[object]], limits: Limits) -> tuple[list[list[object]], str]:
    """The rows that fit, and why the rest was cut: `rows`, `bytes` or nothing.

    Works by columns: one mostly holds values of one type, and JSON carries many of those as they are.
    """
    cut = "rows" if len(rows) > limits.rows else ""
    columns = [_plain_column(column) for column in zip(*rows[: limits.rows], strict=True)]
    fitting = list(map(list, zip(*columns, strict=True)))
    if sum(map(_size, columns)) <= limits.bytes:
        return fitting, cut
    return _within(fitting, limits.bytes, cut)


def _plain_column(column: tuple[object, ...]) -> Sequence[object]:
    types = set(map(type, column))
    if len(types) == 1:
        (only,) = types
        if only is str and max(map(len, cast("tuple[str, ...]", column))) <= LONGEST_CELL:
            return column
        if only is int and _is_exact(cast("tuple[int, ...]", column)):
            return column
        if only is float and all(map(math.isfinite, cast("tuple[float, ...]", column))):
            return column
        convert = cast("Callable[[Any], object] | None", _PLAIN.get(only))
        if convert is not None:
            return list(map(convert, column))
    return list(map(plain, column))


def _is_exact(numbers: tuple[int, ...]) -> bool:
    return min(numbers) >= -_EXACT and max(numbers) <= _EXACT


def _size(cells: Sequence[object]) -> int:
    """About how many bytes cells take in an answer."""
    return 8 * len(cells) + sum([len(cell) - 5 for cell in cells if type(cell) is str])


def _within(rows: Iterable[list[object]], most: int, cut: str) -> tuple[list[list[object]], str]:
    fitting: list[list[object]] = []
    size = 0
    for row in rows:
        size += _size(row)
        if size > most and fitting:
            return fitting, "bytes"
        fitting.append(row)
    return fitting, cut
