"""A statement that may run: text that Pierhead wrote, and the names of the values it is run with.

A slot stands in the tree where a value will be bound: a claim of the caller, a parameter, a value of a filter.
Because text holds no values, one verdict serves every caller of a role. Not here: how a tree became safe
(rewriting.py), what a slot's value is (servers/sql).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from pierhead.sdk.sqlguard.view import Dialect, PermittedFunction, PermittedTable

_SLOT: Final = re.compile("\x02(\\w+)\x03")
_MARKS: Final[Mapping[Dialect, str]] = {"postgres": "${}", "oracle": ":{}"}


@dataclass(frozen=True, slots=True)
class GovernedQuery:
    """What may run. `limit` is one row more than the caller gets, so that a cut is noticed.

    `slots` are the names of the values to bind, one for each mark in `sql`, in their order there. `columns` are for
    the record: what may be read, as `orders.total` or `orders.*`. `read` is the text as it was read once more, where
    that differs.
    """

    sql: str
    tables: tuple[PermittedTable, ...]
    limit: int
    explain: bool  # the caller wrote EXPLAIN in front of it
    slots: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    read: str = ""
    functions: tuple[PermittedFunction, ...] = ()  # of the database, that are called

    @property
    def unbound(self) -> str:
        """The text with NULL for each value, for a second opinion that cannot take values."""
        return self.read or self.sql

    def bound(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order of the marks. Errors: KeyError, for a slot that nobody filled."""
        return [values[name] for name in self.slots]


def slot(name: str) -> exp.Var:
    """The place of one value in a tree. Shapes: `name` is letters, digits and `_`.

    It is written as a mark that no caller's text can hold: the lexical gate refuses control characters.
    """
    return exp.Var(this=f"\x02{name}\x03")


def is_slot_mark(text: str) -> bool:
    return _SLOT.fullmatch(text) is not None


def without_slots(text: str) -> str:
    """The text with every slot as NULL: how it is read once more."""
    return _SLOT.sub("NULL", text)


def numbered(text: str, dialect: Dialect) -> tuple[str, tuple[str, ...]]:
    """The text with its slots as the driver's marks, and their names in order."""
    names: list[str] = []
    mark = _MARKS.get(dialect, "?")

    def placed(found: re.Match[str]) -> str:
        names.append(found[1])
        return mark.format(len(names))

    return _SLOT.sub(placed, text), tuple(names)
