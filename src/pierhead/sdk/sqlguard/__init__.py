"""Governed SQL: a caller's text in, SQL that Pierhead wrote out, or a refusal that teaches.

    govern(sql, view, max_rows=50) -> GovernedQuery

Text becomes a tree (lexical), the tree is held against allow-lists (inspection, functions), every table is
resolved in its scope (scopes) and rewritten to what the role may see (rewriting, names), and the tree is
written anew and read once more (rereading). The caller's text is never what an engine executes. Not here: I/O
of any kind, the policy that makes the view, and the second opinion that the engine gives on the result;
servers/sql has those. Shared by the data servers; `pierhead[sql]` makes it faster.
"""

from collections.abc import Mapping
from dataclasses import replace

from sqlglot import exp
from sqlglot.errors import SqlglotError

from pierhead.sdk.sqlguard.calls import called, called_for_rows, is_own_function, qualify
from pierhead.sdk.sqlguard.inspection import inspect
from pierhead.sdk.sqlguard.lexical import parse
from pierhead.sdk.sqlguard.literals import without_literals
from pierhead.sdk.sqlguard.names import check_alias_lists, check_columns
from pierhead.sdk.sqlguard.parameters import PREFIX, bind_parameters
from pierhead.sdk.sqlguard.reads import columns_read
from pierhead.sdk.sqlguard.refusal import CODES, SqlRefused, drifted
from pierhead.sdk.sqlguard.rereading import reread
from pierhead.sdk.sqlguard.rewriting import (
    bounded,
    drop_hints,
    permitted_column,
    permitted_subquery,
    physical,
    rewrite,
    selection,
    written,
)
from pierhead.sdk.sqlguard.scopes import resolve, unknown_table
from pierhead.sdk.sqlguard.statement import GovernedQuery, numbered, slot, without_slots
from pierhead.sdk.sqlguard.view import Column, Dialect, PermittedFunction, PermittedTable, View
from pierhead.sdk.sqlguard.writing import GovernedWrite, Writing, finished_write

__all__ = (
    "CODES",
    "PREFIX",
    "Column",
    "Dialect",
    "GovernedQuery",
    "GovernedWrite",
    "PermittedFunction",
    "PermittedTable",
    "SqlRefused",
    "View",
    "Writing",
    "called",
    "called_for_rows",
    "drifted",
    "finished",
    "finished_write",
    "govern",
    "is_own_function",
    "permitted_column",
    "permitted_subquery",
    "physical",
    "selection",
    "slot",
    "unknown_table",
    "without_literals",
)


def govern(sql: str, view: View, *, max_rows: int, casts: Mapping[str, str] | None = None) -> GovernedQuery:
    """The statement that may run for `sql` under `view`.

    Units: `max_rows` rows are the caller's; the SQL asks for one more. Errors: SqlRefused, with a code of
    CODES and a hint that names only what the view holds. Any text either governs or is refused. Shapes: `casts` are
    SQL types by parameter, for parameters whose type somebody declared.
    """
    statement = parse(sql, view.dialect)
    try:
        drop_hints(statement.root)
        bind_parameters(statement.root, view.dialect, casts or {})
        return _governed(statement.root, view, max_rows, explain=statement.is_explained)
    except (SqlglotError, RecursionError):
        raise SqlRefused("the statement could not be read", code="parse", hint="simplify it") from None


def _governed(root: exp.Expr, view: View, max_rows: int, *, explain: bool) -> GovernedQuery:
    nodes = inspect(root, view)
    sources = resolve(root, view)
    check_columns(nodes, sources, view)
    check_alias_lists(nodes, sources)
    columns = columns_read(nodes, sources, view)
    rewritten = rewrite(root, nodes, sources, view)
    called_ = qualify(nodes, view)
    safe = bounded(rewritten, max_rows + 1)
    tables = tuple(dict.fromkeys(reference.table for reference in sources.physical))
    query = finished(safe, tables, view, rows=max_rows + 1, functions=called_)
    return replace(query, columns=columns, explain=explain)


def finished(
    safe: exp.Expr,
    tables: tuple[PermittedTable, ...],
    view: View,
    *,
    rows: int,
    functions: tuple[PermittedFunction, ...] = (),
) -> GovernedQuery:
    """A tree made of permitted parts, written out and read once more: the one exit of every lane.

    Units: `rows` is the limit that stands in the tree. Errors: SqlRefused.
    """
    text = written(safe, view)
    unbound = without_slots(text)
    reread(unbound, tables, functions, view)
    sql, slots = numbered(text, view.dialect)
    read = unbound if slots else ""
    return GovernedQuery(sql, tables, rows, explain=False, slots=slots, read=read, functions=functions)
