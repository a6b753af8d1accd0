"""Tables that people take along: CSV in which no cell is a formula, whoever opens it.

Above: the endpoints that answer one. Not here: what stands in the rows.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from starlette.responses import Response

from pierhead.apps.registry.api.answers import HEADERS

_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_file(name: str, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> Response:
    """A file of that name; a member that a row lacks is empty."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    writer.writerows([_cell(row.get(column)) for column in columns] for row in rows)
    headers = {**HEADERS, "content-disposition": f'attachment; filename="{name}"'}
    return Response(written.getvalue(), 200, headers, media_type="text/csv; charset=utf-8")


def _cell(value: object) -> str:
    text = "; ".join(map(str, cast("list[object]", value))) if isinstance(value, list) else str(value or "")
    return f"'{text}" if text.startswith(_FORMULAS) else text
