"""A statement that writes: one table, named columns, its places of values, and nothing else.

No caller's text comes here: servers/sql builds the tree from parameters. The written text is read once more and
held to what was meant, as every statement of the guard is. Not here: which rows a role may write (the tree says it),
transactions (servers/sql/engines).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from sqlglot import exp
from sqlglot.errors import SqlglotError

from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.refusal import unsupported
from pierhead.sdk.sqlguard.rewriting import written
from pierhead.sdk.sqlguard.statement import numbered, without_slots
from pierhead.sdk.sqlguard.view import PermittedTable, View

WriteKind = Literal["insert", "update", "delete"]

_NODES: Final[Mapping[WriteKind, type[exp.Expr]]] = {
    "insert": exp.Insert,
    "update": exp.Update,
    "delete": exp.Delete,
}


@dataclass(frozen=True, slots=True)
class GovernedWrite:
    """What may run. `inserts` and `updates` are the columns it gives values to, `reads` all that it may look at.

    Every row it writes or deletes comes back (RETURNING): what is affected is counted there.
    """

    sql: str
    kind: WriteKind
    target: PermittedTable
    inserts: frozenset[str]
    updates: frozenset[str]
    reads: frozenset[str]
    slots: tuple[str, ...] = ()

    def bound(self, values: Mapping[str, object]) -> list[object]:
        """The values in the order of the marks. Errors: KeyError, for a slot that nobody filled."""
        return [values[name] for name in self.slots]


@dataclass(frozen=True, slots=True)
class Writing:
    """A tree that writes, and what it is meant to do."""

    tree: exp.Expr
    kind: WriteKind
    target: PermittedTable
    inserts: frozenset[str] = frozenset()
    updates: frozenset[str] = frozenset()
    reads: frozenset[str] = frozenset()


def finished_write(writing: Writing, view: View) -> GovernedWrite:
    """The one exit of statements that write. Errors: SqlRefused, for a tree that does more than it says."""
    text = written(writing.tree, view)
    _reread(without_slots(text), writing, view)
    sql, slots = numbered(text, view.dialect)
    return GovernedWrite(sql, writing.kind, writing.target, writing.inserts, writing.updates, writing.reads, slots)


def _reread(sql: str, writing: Writing, view: View) -> None:
    try:
        roots = sqlglot_dialect(view.dialect).parse(sql)
    except (SqlglotError, RecursionError):
        raise unsupported("this form of change") from None
    root = roots[0] if len(roots) == 1 else None
    if root is None or type(root) is not _NODES[writing.kind]:
        raise unsupported("this form of change")
    if root.find(exp.Query, exp.CTE) is not None:  # values and conditions over own columns need none
        raise unsupported("a change that reads other tables")
    tables = list(root.find_all(exp.Table))
    if [(table.db, table.name) for table in tables] != [(writing.target.schema, writing.target.name)]:
        raise unsupported("a change of another table")
    if not isinstance(root, exp.Insert) and not root.args.get("where"):
        raise unsupported("a change of every row")
    if _assigned(root) != (writing.inserts, writing.updates):
        raise unsupported("a change of other columns")


def _assigned(root: exp.Expr) -> tuple[frozenset[str], frozenset[str]]:
    """The columns that the statement gives values to: on inserting, and on updating."""
    place, conflict = root.this, root.args.get("conflict")
    inserts = [part.name for part in place.expressions] if isinstance(place, exp.Schema) else []
    assignments = root.expressions if isinstance(root, exp.Update) else []
    if isinstance(conflict, exp.OnConflict):
        assignments = conflict.expressions
    return frozenset(inserts), frozenset(assignment.this.name for assignment in assignments)
