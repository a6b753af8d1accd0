"""Row rules: which rows of a table a role may see, as a condition inside the table's subquery.

A rule is written in the native filter grammar. Its values, claims of the caller among them, are slots, so one SQL
serves every caller of a role; they are resolved at each call, and a claim that is missing or of another type refuses.
Above: views.py compiles them, source.py resolves them for a call.
"""

from dataclasses import dataclass
from typing import Final

from sqlglot import exp

from pierhead.sdk import Caller, Forbidden, Invalid
from pierhead.sdk.governed.blanks import Blank
from pierhead.sdk.governed.catalog import StoredTable
from pierhead.sdk.governed.filter_sql import WrittenCondition, condition
from pierhead.sdk.governed.filters import ClaimRef
from pierhead.sdk.governed.grammar_native import parse_rule
from pierhead.sdk.governed.types import Family
from pierhead.sdk.sqlguard import Column, Dialect

_NUMERIC: Final[frozenset[Family]] = frozenset({"integer", "decimal", "real"})
_EITHER: Final[frozenset[Family]] = frozenset({"unknown", "other"})


@dataclass(frozen=True, slots=True)
class RowRule:
    """One rule. `name` is what callers are told; its text is not."""

    name: str
    written: WrittenCondition

    @classmethod
    def compile(cls, name: str, text: str, table: StoredTable, dialect: Dialect, place: int) -> "RowRule":
        """The rule over every stored column, hidden ones too. Errors: Invalid, for a text that is no rule here."""
        columns = [Column(column.name, column.type) for column in table.columns]
        return cls(name, condition(parse_rule(text), columns, dialect, named=f"claim_{place}_"))

    @property
    def condition(self) -> exp.Expr:
        return self.written.expression

    def values(self, caller: Caller) -> dict[str, object]:
        """What fills the rule's slots for this caller. Errors: Forbidden (`missing-claim`), naming the claim."""
        dialect = self.written.dialect
        return {
            blank.slot: self._claim(raw, blank, caller) if isinstance(raw, ClaimRef) else blank.filled(raw, dialect)
            for blank, raw in zip(self.written.blanks, self.written.raw, strict=True)
        }

    def _claim(self, reference: ClaimRef, blank: Blank, caller: Caller) -> object:
        person = caller.person
        held = None if person is None else person.claim(reference.name)
        if held is None or not _fits(held, blank):
            raise _missing(reference.name)
        try:
            return blank.filled(held, self.written.dialect)
        except Invalid:
            raise _missing(reference.name) from None


def _fits(held: object, blank: Blank) -> bool:
    """Whether a claim is of the column's type as it stands: nothing is made to fit."""
    family = blank.type.family
    if blank.is_list or isinstance(held, tuple):
        return blank.is_list and isinstance(held, tuple)
    if isinstance(held, bool):
        return family == "boolean"
    if isinstance(held, int):
        return family in _NUMERIC | _EITHER
    return family not in _NUMERIC and family != "boolean"


def _missing(name: str) -> Forbidden:
    return Forbidden(
        f"rows here are chosen by your claim {name}, which is missing or of another type",
        hint="ask whoever manages your sign-in",
        code="missing-claim",
    )
