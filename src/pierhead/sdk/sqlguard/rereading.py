"""The written statement, read once more with fresh eyes: the last check, against faults in writing.

It trusts neither the tree it came from nor the writer: one statement, a read, and every table is a permitted
one by its full name, or a WITH name. Costs about as much as the first parse, once per statement text.
"""

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.errors import SqlglotError

from pierhead.sdk.sqlguard.calls import check_written
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.refusal import SqlRefused, unsupported
from pierhead.sdk.sqlguard.view import PermittedFunction, PermittedTable, View


def reread(sql: str, tables: Iterable[PermittedTable], functions: Iterable[PermittedFunction], view: View) -> None:
    """Refuses what cannot be read back, or what reads back as more than was permitted."""
    try:
        roots = sqlglot_dialect(view.dialect).parse(sql)
    except (SqlglotError, RecursionError):
        raise SqlRefused("the statement could not be read", code="parse", hint="simplify it") from None
    if len(roots) != 1 or not isinstance(roots[0], exp.Query):
        raise unsupported("this form of statement")
    permitted = {(table.schema, table.name) for table in tables}
    introduced = {cte.alias for cte in roots[0].find_all(exp.CTE)}
    for table in roots[0].find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not _is_known(table, permitted, introduced):
            raise unsupported("this form of table")
    check_written(roots[0], functions)


def _is_known(table: exp.Table, permitted: set[tuple[str, str]], introduced: set[str]) -> bool:
    if table.db:
        return (table.db, table.name) in permitted
    return table.name in introduced or table.name.upper() == "DUAL"
