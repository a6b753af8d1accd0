"""Masks: what a role reads in place of a column, as an expression over that column.

    null            nothing             const, const:TEXT   one text for every row
    last4           the last four characters of values longer than that
    year            of a date           bucket, bucket:N    the lower end of a range N wide (10)
    hash            a keyed digest of its text, made after the fetch: in SQL of callers such a column does not exist

An expression never fails for a value, and never casts text to anything: an error would tell of the value.
Below: sqlglot, whose trees the guard puts in the column's place. Above: views.py.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from sqlglot import exp, parse_one

from pierhead.sdk.sqlguard import Dialect
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect

_WRITTEN: Final = re.compile(
    r"(null|last4|year|hash)|(const)(?::([^\x00-\x1f\x7f]{1,100}))?|(bucket)(?::([1-9]\d{0,8}))?"
)
_NUMBERS: Final = re.compile(
    r"(u?(tiny|small|medium|big|huge)?int(eger|[1248])?|serial|bigserial|dec(imal)?|numeric|number|float[48]?|real"
    r"|double( precision)?)\b.*",
    re.IGNORECASE,
)
_DATES: Final = re.compile(r"(small)?date(time(2|offset)?)?\b.*|timestamp.*", re.IGNORECASE)

_LAST_FOUR: Final = "CASE WHEN {length} > 4 THEN '****' || {end} ELSE '****' END"
_RIGHT: Final = _LAST_FOUR.format(length="LENGTH(CAST(masked AS TEXT))", end="RIGHT(CAST(masked AS TEXT), 4)")
_FROM_THE_END: Final = _LAST_FOUR.format(length="LENGTH({0})", end="SUBSTR({0}, -4)")
_LAST4: Final[Mapping[Dialect, str]] = {
    "sqlite": _FROM_THE_END.format("CAST(masked AS TEXT)"),
    "trino": _FROM_THE_END.format("CAST(masked AS VARCHAR)"),
    "oracle": _FROM_THE_END.format("TO_CHAR(masked)"),
    "snowflake": _RIGHT,
    "mysql": "CASE WHEN CHAR_LENGTH(CAST(masked AS CHAR)) > 4"
    " THEN CONCAT('****', RIGHT(CAST(masked AS CHAR), 4)) ELSE '****' END",
    "tsql": "CASE WHEN LEN(CAST(masked AS NVARCHAR(4000))) > 4"
    " THEN CONCAT('****', RIGHT(CAST(masked AS NVARCHAR(4000)), 4)) ELSE '****' END",
}
_YEAR: Final[Mapping[Dialect, str]] = {"sqlite": "CAST(STRFTIME('%Y', masked) AS INTEGER)", "tsql": "YEAR(masked)"}
# What is fetched to be hashed: never so long that an engine would cut it, or that two answers would cut it differently.
_TEXT: Final[Mapping[Dialect, str]] = {
    "sqlite": "SUBSTR(CAST(masked AS TEXT), 1, 500)",
    "mysql": "LEFT(CAST(masked AS CHAR), 500)",
    "trino": "SUBSTR(CAST(masked AS VARCHAR), 1, 500)",
    "oracle": "SUBSTR(TO_CHAR(masked), 1, 500)",
    "tsql": "LEFT(CAST(masked AS NVARCHAR(4000)), 500)",
}
_BUCKET: Final[Mapping[Dialect, str]] = {
    # no floor() in every build of SQLite, and a column may hold anything
    "sqlite": "CASE WHEN TYPEOF(masked) IN ('integer', 'real') THEN CAST(masked / {0} AS INTEGER) * {0}"
    " - CASE WHEN masked < CAST(masked / {0} AS INTEGER) * {0} THEN {0} ELSE 0 END END"
}


@dataclass(frozen=True, slots=True)
class Mask:
    """A mask as written: its kind, and what follows the colon."""

    kind: str
    argument: str

    @classmethod
    def parse(cls, written: str) -> "Mask":
        """Errors: ValueError, saying which masks there are."""
        found = _WRITTEN.fullmatch(written)
        if found is None:
            raise ValueError("a mask is null, const:TEXT, last4, year, bucket:N or hash")
        plain, const, text, bucket, width = found.groups()
        return cls(plain or const or bucket, text or width or {"const": "***", "bucket": "10"}.get(const or bucket, ""))

    @property
    def is_made_after_the_fetch(self) -> bool:
        return self.kind == "hash"

    def fits(self, column_type: str, dialect: Dialect) -> bool:
        """Whether values of that type can be masked so. SQLite's columns hold any type."""
        wanted = {"year": _DATES, "bucket": _NUMBERS}.get(self.kind)
        return dialect == "sqlite" or wanted is None or wanted.fullmatch(column_type) is not None

    def expression(self, column: str, dialect: Dialect) -> exp.Expr:
        """What is read in place of `column`; for `hash`, the text that is hashed then."""
        if self.kind == "null":
            return exp.Null()
        if self.kind == "const":
            return exp.Literal.string(self.argument)
        tree = _template(self.kind, self.argument, dialect).copy()
        for place in list(tree.find_all(exp.Column)):
            place.set("this", exp.to_identifier(column, quoted=True))
        return tree


@cache
def _template(kind: str, argument: str, dialect: Dialect) -> exp.Expr:
    texts = {
        "hash": _TEXT.get(dialect, "LEFT(CAST(masked AS TEXT), 500)"),
        "last4": _LAST4.get(dialect, _RIGHT),
        "year": _YEAR.get(dialect, "CAST(EXTRACT(YEAR FROM masked) AS INTEGER)"),
        "bucket": _BUCKET.get(dialect, "FLOOR(masked / {0}.0) * {0}").format(argument),
    }
    return parse_one(texts[kind], dialect=sqlglot_dialect(dialect))
