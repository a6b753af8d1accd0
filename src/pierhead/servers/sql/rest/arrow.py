"""Rows as an Arrow stream (IPC). pyarrow is an extra, imported when somebody first asks for this format.

Columns are typed by what the engine says of them; what has no exact type of its own (decimals, JSON, intervals)
is text, as in JSON. Not here: the other formats (encoding.py).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pierhead.sdk import Invalid
from pierhead.sdk.governed.engine import Field
from pierhead.servers.sql.rest.encoding import as_text

Row = Sequence[object]

# The engine's name of a type, without its length, to Arrow's.
_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("INT2", "SMALLINT", "TINYINT", "INT4", "INT", "INTEGER", "INT8", "BIGINT"), "int64"),
    **dict.fromkeys(("FLOAT4", "FLOAT8", "FLOAT", "REAL", "DOUBLE", "DOUBLE PRECISION"), "float64"),
    **dict.fromkeys(("BOOL", "BOOLEAN"), "bool"),
    "DATE": "date",
    **dict.fromkeys(("TIMESTAMP", "DATETIME", "TIMESTAMP WITHOUT TIME ZONE"), "timestamp"),
    **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"), "instant"),
    "BLOB": "binary",
}
_LENGTH: Final = re.compile(r"\(.*?\)")


class ArrowStream:
    """Writes one stream. Each call gives the bytes that it made.

    Errors: Invalid (`not-acceptable`), where pyarrow is not installed.
    """

    def __init__(self, fields: Sequence[Field]) -> None:
        self._arrow = _pyarrow()
        self._types = [self._type(field.type) for field in fields]
        names = [field.name for field in fields]
        self._schema = self._arrow.schema(list(zip(names, self._types, strict=True)))
        self._sink = _Sink()
        self._writer = self._arrow.ipc.new_stream(self._arrow.PythonFile(self._sink, "w"), self._schema)

    def begin(self) -> bytes:
        """The schema."""
        return self._sink.taken()

    def batch(self, rows: Sequence[Row]) -> bytes:
        """Some rows. Errors: Invalid (`mixed-types`), for a value of another type than its column's."""
        columns = list(zip(*rows, strict=True)) or [() for _ in self._types]
        try:
            arrays = [self._array(column, type_) for column, type_ in zip(columns, self._types, strict=True)]
        except (self._arrow.ArrowException, ValueError, TypeError, OverflowError):
            raise Invalid(
                "a column holds values of more than one type, which Arrow cannot carry",
                hint="cast it to one type, or accept application/x-ndjson",
                code="mixed-types",
            ) from None
        self._writer.write_batch(self._arrow.RecordBatch.from_arrays(arrays, schema=self._schema))
        return self._sink.taken()

    def end(self) -> bytes:
        self._writer.close()
        return self._sink.taken()

    def _array(self, column: Sequence[object], type_: Any) -> Any:  # noqa: ANN401 - pyarrow's own types
        if self._arrow.types.is_string(type_):
            return self._arrow.array([None if cell is None else as_text(cell) for cell in column], type_)
        return self._arrow.array(column, type_)

    def _type(self, name: str) -> Any:  # noqa: ANN401 - pyarrow's own types
        arrow = self._arrow
        types = {
            "int64": arrow.int64,
            "float64": arrow.float64,
            "bool": arrow.bool_,
            "date": arrow.date32,
            "timestamp": lambda: arrow.timestamp("us"),
            "instant": lambda: arrow.timestamp("us", "UTC"),
            "binary": arrow.binary,
        }
        known = _NAMES.get(_LENGTH.sub("", name).strip().upper(), "")
        return types.get(known, arrow.string)()


class _Sink:
    """A file that keeps what is written until it is taken."""

    closed = False

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, part: bytes) -> int:
        self._parts.append(bytes(part))
        return len(part)

    def flush(self) -> None:
        """Nothing waits here."""

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def _pyarrow() -> Any:  # noqa: ANN401 - pyarrow has no types of its own
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and heavy
    except ModuleNotFoundError:
        raise Invalid(
            "this installation cannot write Arrow", hint="pip install 'pierhead[arrow]'", code="not-acceptable"
        ) from None
    return pa
