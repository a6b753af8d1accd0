"""Which table nodes are real tables, and which are names that WITH introduced. Decided per scope.

A name counts as a WITH name only where every engine reads it so; where engines differ (forward references,
recursion outside the recursive arm) the statement is refused. Not here: the rewriting (rewriting.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from pierhead.sdk.sqlguard.refusal import SqlRefused, drifted, unsupported
from pierhead.sdk.sqlguard.view import PermittedTable, View

# WITH may refer to itself without the word RECURSIVE.
_ALWAYS_RECURSIVE = frozenset({"sqlite", "tsql", "oracle", "snowflake"})
_NAMES_SHOWN = 20

# What a name means where it stands: the WITH identifier, or None where engines disagree.
Visible = Mapping[str, exp.Identifier | None]


@dataclass(frozen=True, slots=True)
class Reference:
    """A physical table where it stands in the tree."""

    node: exp.Table
    table: PermittedTable


@dataclass(frozen=True, slots=True)
class Sources:
    physical: tuple[Reference, ...]
    introduced: tuple[tuple[exp.Table, exp.Identifier], ...]


def resolve(root: exp.Expr, view: View) -> Sources:
    """Every table node under `root`, resolved. Raises SqlRefused for a table the view does not hold."""
    physical: list[Reference] = []
    introduced: list[tuple[exp.Table, exp.Identifier]] = []
    pending: list[tuple[exp.Expr, Visible]] = [(root, {})]
    while pending:
        node, visible = pending.pop()
        if isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier):
            name = _introduced_by(node, visible, view)
            if name is not None:
                introduced.append((node, name))
            elif not _is_dual(node, view):
                physical.append(Reference(node, _permitted(node, view)))
        pending.extend(_scoped_children(node, visible, view))
    return Sources(tuple(physical), tuple(introduced))


def _scoped_children(node: exp.Expr, visible: Visible, view: View) -> list[tuple[exp.Expr, Visible]]:
    with_ = node.args.get("with_")
    if not isinstance(with_, exp.With):
        return [(child, visible) for child in node.iter_expressions()]
    bodies, inner = _with_scopes(with_, visible, view)
    return bodies + [(child, inner) for child in node.iter_expressions() if child is not with_]


def _with_scopes(with_: exp.With, outer: Visible, view: View) -> tuple[list[tuple[exp.Expr, Visible]], Visible]:
    """Each WITH body with the names it sees, and the names the statement below sees."""
    names = [_name_of(cte, view) for cte in with_.expressions]
    recursive = bool(with_.args.get("recursive"))
    bodies: list[tuple[exp.Expr, Visible]] = []
    visible = dict(outer)
    for position, cte in enumerate(with_.expressions):
        later: Visible = dict.fromkeys(names[position + 1 :])
        bodies += _body_scopes(cte, names[position], {**visible, **later}, (recursive, view))
        visible[names[position]] = cte.args["alias"].this
    return bodies, visible


def _name_of(cte: exp.CTE, view: View) -> str:
    alias = cte.args.get("alias")
    if not isinstance(alias, exp.TableAlias) or not isinstance(alias.this, exp.Identifier):
        raise unsupported("a WITH entry without a name")
    return view.fold(alias.this.name, quoted=alias.this.quoted)


def _body_scopes(cte: exp.CTE, name: str, visible: Visible, mode: tuple[bool, View]) -> list[tuple[exp.Expr, Visible]]:
    recursive, view = mode
    body = cte.this
    may_recurse = recursive or view.dialect in _ALWAYS_RECURSIVE
    if may_recurse and isinstance(body, exp.Union) and not body.args.get("with_"):
        return _recursive_scopes(body, name, cte, (visible, view))
    if recursive:
        return [(body, {**visible, name: None})]
    return [(body, visible)]  # without RECURSIVE its own name means whatever it meant outside


def _recursive_scopes(
    body: exp.Union, name: str, cte: exp.CTE, scope: tuple[Visible, View]
) -> list[tuple[exp.Expr, Visible]]:
    visible, view = scope
    is_bounded = body.args.get("limit") or _is_bounded(body.expression)
    if not is_bounded and _mentions(body.expression, name, view):
        raise unsupported("recursion without a condition", "give the recursive SELECT a WHERE that ends it")
    rest = [child for child in body.iter_expressions() if child not in (body.this, body.expression)]
    return [
        (body.this, {**visible, name: None}),
        (body.expression, {**visible, name: cte.args["alias"].this}),
        *((child, {**visible, name: None}) for child in rest),
    ]


def _mentions(node: exp.Expr, name: str, view: View) -> bool:
    return any(
        isinstance(table.this, exp.Identifier)
        and not table.args.get("db")
        and view.fold(table.this.name, quoted=table.this.quoted) == name
        for table in node.find_all(exp.Table)
    )


def _is_bounded(arm: exp.Expr) -> bool:
    return any(select.args.get("where") or select.args.get("joins") for select in arm.find_all(exp.Select))


def _introduced_by(node: exp.Table, visible: Visible, view: View) -> exp.Identifier | None:
    name = view.fold(node.name, quoted=node.this.quoted)
    if node.args.get("db") or node.args.get("catalog") or name not in visible:
        return None
    identifier = visible[name]
    if identifier is None:
        raise unsupported(
            f"a reference to {node.name} before or inside its own WITH entry", "give the WITH entry another name"
        )
    return identifier


def _is_dual(node: exp.Table, view: View) -> bool:
    """The one-row table of Oracle and MySQL: no data of anyone's."""
    name = view.fold(node.name, quoted=node.this.quoted)
    is_bare = not (node.args.get("db") or node.args.get("catalog") or node.args.get("alias"))
    return view.dialect in ("oracle", "mysql") and is_bare and name.lower() == "dual" and not view.find("", name)


def _permitted(node: exp.Table, view: View) -> PermittedTable:
    name, schema, catalog = (
        view.fold(part.name, quoted=part.quoted) if isinstance(part, exp.Identifier) else ""
        for part in (node.this, node.args.get("db"), node.args.get("catalog"))
    )
    if view.dialect == "duckdb" and schema and not catalog and view.is_catalog(schema):
        schema = ""  # DuckDB reads `memory.orders` as catalog and table
    table = view.find(schema, name)
    if table is None and view.is_withheld(schema, name):
        raise drifted(node.name)
    if table is None or (catalog and not view.is_catalog(catalog)):
        raise unknown_table(".".join(part.name for part in node.parts if part.name), view)
    return table


def unknown_table(asked: str, view: View) -> SqlRefused:
    """Hidden and absent tables read the same: the name as asked, the names as granted, nothing else."""
    names = ", ".join(view.table_names[:_NAMES_SHOWN]) or "none"
    more = ", …" if len(view.tables) > _NAMES_SHOWN else ""
    return SqlRefused(
        f"there is no table {asked[:128]}", code="unknown-table", hint=f"tables you may read: {names}{more}"
    )
