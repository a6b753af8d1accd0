"""The cells of an answer: JSON as the protocol writes it -> Python values, by the declared type of their column.

Exact: decimals stay decimals, and a time that Python cannot hold (more digits than microseconds, a named zone, a
year beyond 9999) stays the engine's text. A type nobody thought of passes as it came. PrestoDB writes what is nested
once more as JSON text. Not here: asking (client.py).
"""

import datetime as dt
import decimal
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeGuard, cast

import orjson

Decoder = Callable[[Any], object]

_LONGEST_TIME: Final = len("12:34:56.123456")
_LONGEST_TIMESTAMP: Final = len("2026-01-02 12:34:56.123456")


def decoder(signature: object) -> Decoder | None:
    """How a cell of that type becomes a value; None where it is one already.

    Shapes: `signature` is the `typeSignature` of a column, of either engine.
    """
    if isinstance(signature, str):  # of a field of a row, as PrestoDB has it
        return _PLAIN.get(signature.partition("(")[0])
    if not _is_object(signature):
        return None
    kind = signature.get("rawType")
    if kind in _NESTED:
        return _unwrapped(_NESTED[cast("str", kind)](_arguments(signature)))
    return _PLAIN.get(cast("str", kind))


def _arguments(signature: Mapping[str, Any]) -> list[tuple[str, Decoder | None]]:
    """The types inside a type, with the names of the fields of a row."""
    inside: list[tuple[str, Decoder | None]] = []
    for argument in cast("list[object]", signature.get("arguments") or []):
        value = argument.get("value") if _is_object(argument) else None
        if not _is_object(value):
            inside.append(("", None))
        elif "fieldName" in value or "typeSignature" in value:
            field = value.get("fieldName")
            name = field.get("name") if _is_object(field) else ""
            inside.append((str(name or ""), decoder(value.get("typeSignature"))))
        else:
            inside.append(("", decoder(value)))
    return inside


def _unwrapped(decode: Decoder | None) -> Decoder:
    """`decode`, also for a cell that comes as JSON text; text that is none stays as it came."""

    def unwrapped(cell: Any) -> object:  # noqa: ANN401 - a cell
        if isinstance(cell, str):
            try:
                cell = orjson.loads(cell)
            except orjson.JSONDecodeError:
                return cell
        return cell if decode is None else decode(cell)

    return unwrapped


def _array(inside: list[tuple[str, Decoder | None]]) -> Decoder | None:
    decode = inside[0][1] if inside else None
    if decode is None:
        return None
    return lambda cells: [None if cell is None else decode(cell) for cell in cells]


def _map(inside: list[tuple[str, Decoder | None]]) -> Decoder | None:
    """Keys stay text, as the protocol writes them."""
    decode = inside[-1][1] if inside else None
    if decode is None:
        return None
    return lambda cells: {key: None if cell is None else decode(cell) for key, cell in cells.items()}


def _row(inside: list[tuple[str, Decoder | None]]) -> Decoder:
    names = [name or f"field{position}" for position, (name, _) in enumerate(inside)]
    decoders = [decode for _, decode in inside]

    def decoded(cells: list[Any]) -> object:
        values = [
            cell if decode is None or cell is None else decode(cell)
            for cell, decode in zip(cells, decoders, strict=True)
        ]
        return dict(zip(names, values, strict=True)) if len(set(names)) == len(names) else values

    return decoded


def _date(text: str) -> object:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return text


def _time(text: str) -> object:
    try:
        return dt.time.fromisoformat(text) if len(text) <= _LONGEST_TIME else text
    except ValueError:
        return text


def _timestamp(text: str) -> object:
    try:
        return dt.datetime.fromisoformat(text) if len(text) <= _LONGEST_TIMESTAMP else text
    except ValueError:
        return text


def _zoned(text: str) -> object:
    moment, _, zone = text.rpartition(" ")
    if len(moment) > _LONGEST_TIMESTAMP:
        return text
    try:
        return dt.datetime.fromisoformat(moment + ("+00:00" if zone == "UTC" else zone))
    except ValueError:
        return text


_PLAIN: Final[Mapping[str, Decoder]] = {
    "double": float,  # NaN and the infinities come as text
    "real": float,
    "decimal": decimal.Decimal,
    "varbinary": b64decode,
    "date": _date,
    "time": _time,
    "timestamp": _timestamp,
    "timestamp with time zone": _zoned,
}
_NESTED: Final[Mapping[str, Callable[[list[tuple[str, Decoder | None]]], Decoder | None]]] = {
    "array": _array,
    "map": _map,
    "row": _row,
}


def _is_object(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)
