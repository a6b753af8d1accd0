"""Functions of the database that a role was granted: called by their bare name, written with their schema.

A grant never stands before the engine's own functions: a name that those lists or sqlglot know is theirs. In the
written statement the function is named in full, so that no search path and no function of the same name elsewhere can
take its place. Arguments are plain expressions by place: no names, no `*`, no VARIADIC. Not here: which functions a
role may call (servers/sql), the engine's own (functions.py).
"""

from collections.abc import Iterable

from sqlglot import exp
from sqlglot.errors import SqlglotError

from pierhead.sdk.sqlguard import functions
from pierhead.sdk.sqlguard.dialects import sqlglot_dialect
from pierhead.sdk.sqlguard.refusal import SqlRefused, unsupported
from pierhead.sdk.sqlguard.view import Dialect, PermittedFunction, View

_NO_ARGUMENT = (
    exp.Alias,
    exp.Aliases,
    exp.Distinct,
    exp.Kwarg,
    exp.Lambda,
    exp.Order,
    exp.PropertyEQ,
    exp.Star,
    exp.Variadic,
)


def granted(node: exp.Anonymous, view: View) -> PermittedFunction | None:
    """The granted function that a call means, if it means none of the engine's own."""
    called = node.this
    name = called.name if isinstance(called, exp.Identifier) else str(called)
    if functions.is_listed(name.lower(), view.dialect):
        return None
    return view.find_function(name, quoted=isinstance(called, exp.Identifier) and called.quoted)


def is_own_function(name: str, dialect: Dialect) -> bool:
    """Whether a bare call of that name means a function of the engine, however it was written."""
    if functions.is_listed(name.lower(), dialect):
        return True
    try:
        parsed = sqlglot_dialect(dialect).parse(f"SELECT {name}()")
    except SqlglotError:
        return True  # a word of the language, or one that is only called in its own way
    call = parsed[0].expressions[0] if parsed and isinstance(parsed[0], exp.Select) else None
    return not isinstance(call, exp.Anonymous)


def check_call(node: exp.Anonymous, function: PermittedFunction) -> None:
    """Errors: SqlRefused, for arguments that are no plain list of as many as it takes."""
    for argument in node.expressions:
        is_star = isinstance(argument, exp.Column) and isinstance(argument.this, exp.Star)
        if is_star or isinstance(argument, _NO_ARGUMENT):
            raise unsupported(f"this kind of argument of {function.name}", "give plain values, by their place")
    count = len(node.expressions)
    if not function.least <= count <= function.most:
        most = f" to {function.most}" if function.most != function.least else ""
        raise SqlRefused(
            f"function {function.name} takes {function.least}{most} arguments, not {count}",
            code="unknown-function",
            hint="give its arguments by place",
        )


def qualify(nodes: Iterable[exp.Expr], view: View) -> tuple[PermittedFunction, ...]:
    """Name each granted function in full where it is called. Gives those that are."""
    found: dict[PermittedFunction, None] = {}
    for node in nodes if view.functions else ():
        function = granted(node, view) if isinstance(node, exp.Anonymous) else None
        if function is not None and isinstance(node, exp.Anonymous):
            found[function] = None
            node.replace(called(function, node.expressions))
    return tuple(found)


def called(function: PermittedFunction, arguments: Iterable[exp.Expr]) -> exp.Dot:
    """A call of a function by its full name."""
    return exp.Dot(this=exp.to_identifier(function.schema, quoted=True), expression=_bare(function, arguments))


def called_for_rows(function: PermittedFunction, arguments: Iterable[exp.Expr]) -> exp.Table:
    """A call of a function that gives rows, as a table."""
    return exp.Table(
        this=_bare(function, arguments),
        db=exp.to_identifier(function.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(function.name, quoted=True)),
    )


def _bare(function: PermittedFunction, arguments: Iterable[exp.Expr]) -> exp.Anonymous:
    return exp.Anonymous(this=exp.to_identifier(function.name, quoted=True), expressions=list(arguments))


def check_written(root: exp.Expr, permitted: Iterable[PermittedFunction]) -> None:
    """Of a statement that was read once more: no function is named in full but those. Errors: SqlRefused."""
    places = {(function.schema, function.name) for function in permitted}
    for dot in root.find_all(exp.Dot):
        if isinstance(dot.expression, exp.Func) and (dot.this.name, _name(dot.expression)) not in places:
            raise unsupported("this form of function")
    for table in root.find_all(exp.Table):
        if isinstance(table.this, exp.Func) and table.db and (table.db, _name(table.this)) not in places:
            raise unsupported("this form of function")


def _name(call: exp.Func) -> str:
    return call.name if isinstance(call, exp.Anonymous) else ""
