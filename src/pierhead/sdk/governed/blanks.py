"""The slots of a statement still to be filled: how a raw value becomes what the driver binds there.

A statement is written once for each shape; its blanks then turn the values of every request of that shape into driver
values, and are where a value that does not fit is refused. Not here: where slots stand (filter_sql.py), types
(types.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, cast

import orjson

from pierhead.sdk.governed.filters import bad_filter
from pierhead.sdk.governed.types import TEXT, ColumnType, coerced
from pierhead.sdk.sqlguard import Dialect

LONGEST_PATTERN: Final = 1_000
_ESCAPED: Final = str.maketrans({"\\": "\\\\", "%": "\\%", "_": "\\_"})

Pattern = Literal["", "like", "contains", "starts", "ends"]


@dataclass(frozen=True, slots=True)
class Blank:
    """One slot still to be filled, and how a raw value is made to fit. `is_list`: the value is a whole list."""

    slot: str
    type: ColumnType
    column: str
    pattern: Pattern = ""
    is_glob: bool = False
    is_list: bool = False

    def filled(self, raw: object, dialect: Dialect) -> object:
        """Errors: Invalid (`bad-value`), naming the column."""
        if self.is_list:
            return _as_list([coerced(each, self.type, self.column, dialect) for each in self._members(raw)], dialect)
        if not self.pattern:
            return coerced(raw, self.type, self.column, dialect)
        text = str(coerced(raw, TEXT, self.column, dialect))
        if len(text) > LONGEST_PATTERN:
            raise bad_filter(f"the pattern for column {self.column} is longer than {LONGEST_PATTERN} characters")
        pattern = _as_pattern(text, self.pattern)
        return _as_glob(pattern) if self.is_glob else pattern

    def _members(self, raw: object) -> list[object]:
        if not isinstance(raw, list | tuple | frozenset | set):
            raise bad_filter(f"column {self.column} is compared with a list")
        return list(cast("Iterable[object]", raw))


def fill(blanks: Sequence[Blank], raw: Iterable[object], dialect: Dialect) -> dict[str, object]:
    """Slot -> driver value, for raw values in the order of their blanks. Errors: Invalid (`bad-value`)."""
    return {blank.slot: blank.filled(value, dialect) for blank, value in zip(blanks, raw, strict=True)}


def _as_pattern(text: str, pattern: Pattern) -> str:
    if pattern == "like":
        return text + "\\" * (_escapes_at_end(text) % 2)
    literal = text.translate(_ESCAPED)
    before = "" if pattern == "starts" else "%"
    return before + literal + ("" if pattern == "ends" else "%")


def _escapes_at_end(text: str) -> int:
    """An escape with nothing behind it fails in some engines, but only for rows that match so far: it is a sign."""
    return len(text) - len(text.rstrip("\\"))


def _as_glob(pattern: str) -> str:
    """A LIKE pattern, escaped by a backslash, in SQLite's GLOB, which minds the case of letters."""
    made: list[str] = []
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            made.append(_globbed(next(characters, "\\")))
        else:
            made.append({"%": "*", "_": "?"}.get(character) or _globbed(character))
    return "".join(made)


def _globbed(character: str) -> str:
    return f"[{character}]" if character in "*?[" else character


def _as_list(members: list[object], dialect: Dialect) -> object:
    if dialect != "sqlite":
        return members
    return orjson.dumps(members, default=str).decode()
