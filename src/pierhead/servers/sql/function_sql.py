"""A call of a granted function as a statement: its arguments by name, each a slot. No text of a caller stands in it.

Not here: which functions there are for a role (granted_functions.py), running it (function_lane.py).
"""

from collections.abc import Mapping
from typing import Final

from sqlglot import exp

from pierhead.sdk import Invalid
from pierhead.sdk.governed.catalog import StoredParameter
from pierhead.sdk.governed.engine import Values
from pierhead.sdk.governed.granted_functions import GrantedFunction
from pierhead.sdk.governed.types import coerced, column_type
from pierhead.sdk.sqlguard import Dialect, GovernedQuery, View, called, called_for_rows, finished, slot

_BY_NAME: Final[Mapping[Dialect, type[exp.Expr]]] = {"postgres": exp.Kwarg, "duckdb": exp.PropertyEQ}
_NO_TYPE: Final[frozenset[Dialect]] = frozenset({"duckdb"})


def written_call(
    function: GrantedFunction, given: Mapping[str, object], view: View, rows: int
) -> tuple[GovernedQuery, Values]:
    """The statement, and what fills it. Errors: Invalid (`bad-arguments`, `bad-value`), naming what it takes."""
    known = {each.name: each for each in function.stored.parameters}
    missing = [name for name, each in known.items() if name not in given and not each.has_default]
    if missing or not given.keys() <= known.keys():
        raise bad_arguments(function, f"no value for {', '.join(missing)}" if missing else "an unknown name")
    arguments = [_argument(each, view.dialect) for each in known.values() if each.name in given]
    values = {
        _slot(each): _value(given[each.name], each, view.dialect) for each in known.values() if each.name in given
    }
    if function.stored.gives_rows:
        tree = exp.Select(expressions=[exp.Star()], from_=exp.From(this=called_for_rows(function.permitted, arguments)))
    else:
        result = exp.alias_(called(function.permitted, arguments), function.stored.name, quoted=True)
        tree = exp.Select(expressions=[result])
    tree.set("limit", exp.Limit(expression=exp.Literal.number(rows + 1)))
    return finished(tree, (), view, rows=rows + 1, functions=(function.permitted,)), values


def bad_arguments(function: GrantedFunction, what: str) -> Invalid:
    taken = ", ".join(_taken(each) for each in function.stored.parameters)
    return Invalid(
        f"{function.name}: {what}", hint=f"its parameters are: {taken or 'none'}"[:1_000], code="bad-arguments"
    )


def _taken(parameter: StoredParameter) -> str:
    optional = ", may be left out" if parameter.has_default else ""
    return f"{parameter.name} ({parameter.type or 'any type'}{optional})"


def _argument(parameter: StoredParameter, dialect: Dialect) -> exp.Expr:
    value = slot(_slot(parameter))
    kind = _BY_NAME.get(dialect)
    return value if kind is None else kind(this=exp.to_identifier(parameter.name, quoted=True), expression=value)


def _slot(parameter: StoredParameter) -> str:
    return f"argument_{parameter.place}"


def _value(given: object, parameter: StoredParameter, dialect: Dialect) -> object:
    if dialect in _NO_TYPE and isinstance(given, str | int | float | bool | None):
        return given  # a macro's parameters have none
    return coerced(given, column_type(parameter.type, dialect), parameter.name, dialect)
