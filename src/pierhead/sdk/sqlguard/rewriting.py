"""The tree made safe: every table becomes a subquery of its permitted columns, names are normalised, the
number of rows is bounded; then it is written anew. What leaves here was composed by Pierhead.

Because a caller's table *is* its permitted columns, `*`, USING, NATURAL, whole-row references and positional
names need no further care: nothing else exists to be named. Not here: what is permitted (view.py).
"""

from collections.abc import Iterable

from sqlglot import exp

from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.fences import fence, needs_fence
from pierhead.sdk.sqlguard.refusal import unsupported
from pierhead.sdk.sqlguard.scopes import Reference, Sources
from pierhead.sdk.sqlguard.view import Column, Dialect, PermittedTable, View

_DROPPED_HINTS = (exp.IndexTableHint,)
_ADVISORY_WORDS = frozenset({"SQL_NO_CACHE", "SQL_CACHE", "STRAIGHT_JOIN", "HIGH_PRIORITY"})
_HARMLESS_TABLE_HINT = frozenset({"NOLOCK", "READUNCOMMITTED"})
_LONGEST_HEADING = 100
_STAYS_INSIDE = ("only", "sample")
_MOVES_OUT = ("joins", "laterals", "pivots")
_ROW_ID_NAMES = frozenset({"rowid", "oid", "_rowid_"})
# Snowflake and Oracle read these as values, not as columns; quoting would make columns of them.
_BARE_WORDS = frozenset({"ROWNUM", "LEVEL", "SYSDATE", "SYSTIMESTAMP"})


def drop_hints(root: exp.Expr) -> None:
    """Hints only advise; those that lock or force stay, and are refused by the inspection."""
    for node in list(root.find_all(exp.Table, exp.Select)):
        node.set("hint", None)
        modifiers = node.args.get("operation_modifiers")
        if modifiers and all(part.name.upper() in _ADVISORY_WORDS for part in modifiers):
            node.set("operation_modifiers", None)
        hints = node.args.get("hints")
        if hints and all(_is_advice(hint) for hint in hints):
            node.set("hints", None)


def _is_advice(hint: exp.Expr) -> bool:
    if isinstance(hint, exp.WithTableHint):
        return all(part.name.upper() in _HARMLESS_TABLE_HINT for part in hint.expressions)
    return isinstance(hint, _DROPPED_HINTS)


def rewrite(root: exp.Expr, nodes: Iterable[exp.Expr], sources: Sources, view: View) -> exp.Expr:
    """The tree with its tables as permitted subqueries; functions are named in full before (calls.py)."""
    if view.dialect == "sqlite":
        _name_results(root, view)
    _normalise(nodes, sources, view)
    for node, identifier in sources.introduced:
        if not node.args.get("alias"):
            node.set("alias", exp.TableAlias(this=_quoted(view.fold(node.name, quoted=node.this.quoted), node, view)))
        node.set("this", identifier.copy())
    is_fenced = any(reference.table.condition is not None for reference in sources.physical) and needs_fence(root, view)
    for reference in sources.physical:
        replacement = _in_place_of(reference, view, is_fenced=is_fenced)
        if reference.node is root:
            raise unsupported("a bare table")
        reference.node.replace(replacement)
    return root


def _name_results(root: exp.Expr, view: View) -> None:
    """SQLite heads an unnamed result with its text: the caller's, not what the rewriting makes of it."""
    if not isinstance(root, exp.Select):
        return
    for result in root.expressions:
        if not isinstance(result, exp.Alias | exp.Column | exp.Star | exp.Subquery):
            text = sqlglot_dialect(view.dialect).generate(result, comments=False, normalize_functions=False)
            named = exp.Alias(alias=exp.to_identifier(text[:_LONGEST_HEADING], quoted=True))
            result.replace(named)
            named.set("this", result)  # the node itself: it is among those still to be normalised


def _quoted(folded: str, node: exp.Table, view: View) -> exp.Identifier:
    """Where case matters the folded name; elsewhere the caller's spelling, which is what headers show."""
    keeps_case = view.dialect not in ("postgres", "oracle", "snowflake")
    return exp.to_identifier(node.name if keeps_case else folded, quoted=True)


def _normalise(nodes: Iterable[exp.Expr], sources: Sources, view: View) -> None:
    qualified = {_qualified_name(reference.node, view) for reference in sources.physical}
    row_id = _only_row_id(sources)
    for node in nodes:
        if isinstance(node, exp.Column):
            _normalise_column(node, qualified, row_id, view)
        elif isinstance(node, exp.RawString | exp.ByteString):
            node.replace(exp.Literal.string(node.name))
    for node in nodes:
        if isinstance(node, exp.Identifier):
            if view.dialect in ("postgres", "oracle", "snowflake"):
                node.set("this", view.fold(node.name, quoted=node.quoted))
            node.set("quoted", True)


def _qualified_name(node: exp.Table, view: View) -> tuple[str, str]:
    schema = node.args.get("db")
    return (
        view.fold(schema.name, quoted=schema.quoted) if isinstance(schema, exp.Identifier) else "",
        view.fold(node.name, quoted=node.this.quoted),
    )


def _normalise_column(node: exp.Column, qualified: set[tuple[str, str]], row_id: str, view: View) -> None:
    schema, table = node.args.get("db"), node.args.get("table")
    if isinstance(schema, exp.Identifier) and isinstance(table, exp.Identifier):
        name = (view.fold(schema.name, quoted=schema.quoted), view.fold(table.name, quoted=table.quoted))
        if name in qualified:  # the subquery that stands there now has no schema
            node.set("db", None)
            node.set("catalog", None)
    identifier = node.this
    if not isinstance(identifier, exp.Identifier) or identifier.quoted:
        return
    if row_id and identifier.name.lower() in _ROW_ID_NAMES:
        identifier.set("this", row_id)
    elif view.dialect == "oracle" and table is None and identifier.name.upper() in _BARE_WORDS:
        node.replace(exp.Var(this=identifier.name.upper()))


def _only_row_id(sources: Sources) -> str:
    """`rowid` means something only while every table of the statement agrees on what."""
    names = {reference.table.row_id for reference in sources.physical}
    return names.pop() if len(names) == 1 else ""


def _in_place_of(reference: Reference, view: View, *, is_fenced: bool) -> exp.Subquery:
    node, table = reference.node, reference.table
    alias = node.args.get("alias") or exp.TableAlias(this=exp.to_identifier(node.name, quoted=True))
    outer = permitted_subquery(table, view, alias, is_fenced=is_fenced)
    inner = outer.this.args["from_"].this
    if table.condition is not None and node.args.get("sample"):
        raise unsupported("a sample of a table whose rows are chosen for you", "filter or aggregate instead")
    for name in _STAYS_INSIDE:
        inner.set(name, node.args.get(name))
    for name in _MOVES_OUT:
        outer.set(name, node.args.get(name))
    return outer


def permitted_subquery(
    table: PermittedTable, view: View, alias: exp.TableAlias, *, is_fenced: bool = False
) -> exp.Subquery:
    """What stands for `table` in any statement: its permitted columns, masked, of the permitted rows.

    `is_fenced` keeps what is outside from being computed for rows that the condition hides.
    Errors: SqlRefused for a table of which no column is permitted.
    """
    if not table.columns:
        raise unsupported(f"reading {table.name}, of which no column is permitted to you,")
    select = exp.Select(
        expressions=[permitted_column(column) for column in table.columns],
        from_=exp.From(this=physical(table, view)),
    )
    if table.condition is not None:
        select.set("where", exp.Where(this=table.condition.copy()))
        if is_fenced:
            fence(select, view)
    return exp.Subquery(this=select, alias=alias)


def permitted_column(column: Column) -> exp.Expr:
    """What is read for a column: itself, or its mask under its name."""
    name = exp.to_identifier(column.name, quoted=True)
    if column.expression is None:
        return exp.column(name)
    return exp.Alias(this=column.expression.copy(), alias=name)


def physical(table: PermittedTable, view: View) -> exp.Table:
    """The stored table itself, by its full name. Only for what this guard builds."""
    parts = {"this": table.name, "db": table.schema, "catalog": view.catalog}
    if view.dialect in ("sqlite", "mysql", "oracle"):
        del parts["catalog"]
    return exp.Table(**{key: exp.to_identifier(name, quoted=True) for key, name in parts.items() if name})


def bounded(root: exp.Expr, rows: int) -> exp.Expr:
    """At most `rows` rows. One more than asked for tells a full answer from a cut one."""
    if isinstance(root, exp.Select | exp.SetOperation):
        asked = _asked(root)
        if asked is not None:
            root.set("limit", exp.Limit(expression=exp.Literal.number(min(asked, rows))))
            return root
        if not root.args.get("limit"):
            root.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
            return root
    inner = root if isinstance(root, exp.Subquery) else exp.Subquery(this=root)
    if not inner.args.get("alias"):
        inner.set("alias", exp.TableAlias(this=exp.to_identifier("bounded", quoted=True)))
    outer = exp.Select(expressions=[exp.Star()], from_=exp.From(this=inner))
    outer.set("limit", exp.Limit(expression=exp.Literal.number(rows)))
    return outer


def _asked(root: exp.Expr) -> int | None:
    """The caller's own LIMIT or FETCH, where it is a plain number of rows."""
    limit = root.args.get("limit")
    if not isinstance(limit, exp.Limit | exp.Fetch):
        return None
    count = limit.args.get("count") if isinstance(limit, exp.Fetch) else limit.expression
    options = limit.args.get("limit_options")
    if options and (options.args.get("percent") or options.args.get("with_ties")):
        return None
    is_number = isinstance(count, exp.Literal) and not count.is_string and count.name.isdecimal()
    return int(count.name) if is_number and isinstance(count, exp.Literal) else None


def written(root: exp.Expr, view: View) -> str:
    """The statement as Pierhead writes it: every name quoted, no comment."""
    engine = sqlglot_dialect(view.dialect)
    return engine.generate(root, copy=False, identify=True, comments=False, normalize_functions=False)


def selection(table: PermittedTable, columns: Iterable[str], dialect: Dialect) -> str:
    """A SELECT of columns of one table, as its engine reads names: text for the guard, like a caller's."""
    names = [exp.column(exp.to_identifier(column, quoted=True)) for column in columns]
    place = exp.Table(
        this=exp.to_identifier(table.name, quoted=True), db=exp.to_identifier(table.schema or None, quoted=True)
    )
    return sqlglot_dialect(dialect).generate(exp.Select(expressions=names, from_=exp.From(this=place)))
