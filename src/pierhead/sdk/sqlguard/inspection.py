"""The allow-list at every depth of the tree: node classes, their arguments, functions, types, names.

What is not listed is refused, also where sqlglot learns something new. Not here: tables (scopes.py).
Below: functions.py, the lists of functions.
"""

import re
from collections.abc import Iterator
from typing import cast

from sqlglot import exp

from pierhead.sdk.sqlguard import functions
from pierhead.sdk.sqlguard.calls import check_call, granted
from pierhead.sdk.sqlguard.functions import words
from pierhead.sdk.sqlguard.refusal import SqlRefused, unsupported
from pierhead.sdk.sqlguard.statement import is_slot_mark
from pierhead.sdk.sqlguard.view import Dialect, View

MAX_NODES = 5_000
MAX_COPIES = 1_000
MAX_WIDTH = 999
MAX_SERIES = 1_000_000

_PLAIN_NODES = words(
    """
    Add Adjacent Alias Aliases All Any AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift BitwiseNot
    BitwiseOr BitwiseRightShift BitwiseXor Boolean Bracket ByteString Column ColumnDef Comprehension Cube
    DPipe DataTypeParam Distance Distinct Div Dot EQ Escape Filter From FromTimeZone GT GTE Glob GroupingSets
    Having HavingMax HexString ILike Identifier IgnoreNulls IntDiv Interval IntervalSpan Is JSONExtractQuote
    JSONKeyValue JSONPath JSONPathKey JSONPathRoot JSONPathSelector JSONPathSlice JSONPathSubscript
    JSONPathWildcard Kwarg LT LTE Lambda Like LimitOptions Literal Mod Mul NEQ National Neg Not Null
    NullSafeEQ NullSafeNEQ Offset OnCondition Overlaps Paren PivotAlias PositionalColumn PropertyEQ Qualify
    RawString RespectNulls Rollup SimilarTo Slice Star Sub TableAlias TimeUnit Tuple UnpivotColumns Var Where
    Window WindowSpec WithinGroup
    """
)

# Nodes with more to them than an operator: the arguments that may be set. Everything else of theirs is
# refused: INTO, FOR UPDATE, hints with an effect, time travel, OPTION, SETTINGS, FORMAT, CONNECT BY …
_ARGUMENTS = {
    "Select": "with_ expressions distinct from_ laterals joins pivots where group having qualify windows order"
    " limit offset sample for_",
    "ForClause": "kind expressions",
    "QueryOption": "this expression",
    "XMLKeyValueOption": "this expression",
    "Subquery": "this alias with_ laterals joins pivots order limit offset sample",
    "Union": "with_ this expression distinct by_name order limit offset side kind",
    "Except": "with_ this expression distinct by_name order limit offset",
    "Intersect": "with_ this expression distinct by_name order limit offset",
    "Table": "this alias db catalog laterals joins pivots ordinality only sample",
    "Join": "this on side kind using method match_condition pivots",
    "Lateral": "this outer alias cross_apply ordinality",
    "Values": "expressions alias order limit offset",
    "Pivot": "this alias expressions fields unpivot using group columns include_nulls default_on_null into"
    " identify_pivot_strings prefixed_pivot_columns pivot_column_naming value_columns_first",
    "With": "expressions recursive",
    "CTE": "this alias materialized",
    "In": "this expressions query unnest field",
    "Limit": "expression offset limit_options",
    "Fetch": "direction count limit_options",
    "Order": "this expressions",
    "Ordered": "this desc nulls_first",
    "Group": "expressions grouping_sets cube rollup all",
    "DataType": "this expressions nested nullable kind",
    "JSONValue": "this path returning",
    "TableSample": "this method size percent rows seed bucket_numerator bucket_denominator bucket_field expressions",
}
_STRUCTURES = {name: frozenset(arguments.split()) for name, arguments in _ARGUMENTS.items()}

_HOLDS_TEXT = frozenset(
    {"Literal", "Identifier", "National", "RawString", "ByteString", "JSONPathKey", "JSONPathSubscript"}
)
_WORD = re.compile(r"[A-Za-z0-9_ ]*")
_WIDTH = re.compile(r"\d+")
_QUERY_ROOTS = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery, exp.Pivot)
_SEQUENCE_COLUMNS = frozenset({"NEXTVAL", "CURRVAL"})
_STARTS_A_STATEMENT = words(
    """
    ALTER BACKUP BEGIN BREAK BULK CHECKPOINT CLOSE COMMIT CONTINUE CREATE DBCC DEALLOCATE DECLARE DELETE DENY DISABLE
    DROP ENABLE END EXEC EXECUTE FETCH GO GOTO GRANT IF INSERT KILL MERGE OPEN PRINT RAISERROR RECEIVE RECONFIGURE
    RESTORE RETURN REVERT REVOKE ROLLBACK SAVE SELECT SEND SET SETUSER SHUTDOWN THROW TRUNCATE UPDATE USE WAITFOR
    WHILE WITH
    """
)
_TYPES_REFUSED = frozenset(
    {"USERDEFINED", "UNKNOWN", "XML", "AGGREGATEFUNCTION", "SIMPLEAGGREGATEFUNCTION", "OBJECT_IDENTIFIER"}
)


def inspect(root: exp.Expr, view: View) -> list[exp.Expr]:
    """Every node of the tree, once each is known to be harmless in itself. Raises SqlRefused."""
    if not isinstance(root, _QUERY_ROOTS):
        raise SqlRefused("the statement is not a read", code="not-a-read", hint="only reads run here")
    nodes: list[exp.Expr] = []
    pending: list[exp.Expr] = [root]
    while pending:
        node = pending.pop()
        nodes.append(node)
        if len(nodes) > MAX_NODES:
            raise SqlRefused(f"the statement has more than {MAX_NODES} parts", code="too-large")
        _check_node(node, view)
        pending.extend(_children(node))
    _check_copies(nodes)
    return nodes


def _children(node: exp.Expr) -> Iterator[exp.Expr]:
    for name, value in node.args.items():
        parts = cast("list[object]", value) if isinstance(value, list) else [value]
        for part in parts:
            if isinstance(part, exp.Expr):
                yield part
            elif isinstance(part, str):
                _check_word(node, part)
            elif part is not None and not isinstance(part, (bool, int, exp.DType)):
                raise unsupported(f"{type(node).__name__}.{name}")


def _check_word(node: exp.Expr, word: str) -> None:
    """Bare text in a tree is written back as it stands: only words may be."""
    is_slot = isinstance(node, exp.Var) and is_slot_mark(word)
    if type(node).__name__ not in _HOLDS_TEXT and not is_slot and not _WORD.fullmatch(word):
        raise unsupported(f"this form of {type(node).__name__}")


def _check_node(node: exp.Expr, view: View) -> None:
    dialect = view.dialect
    name = type(node).__name__
    structure = _STRUCTURES.get(name)
    if structure is not None:
        _check_structure(node, name, structure, dialect)
    elif isinstance(node, exp.Func):
        _check_function(node, view)
    elif name not in _PLAIN_NODES:
        raise unsupported(_in_words(name))
    else:
        _check_plain(node, dialect)


def _check_plain(node: exp.Expr, dialect: Dialect) -> None:
    if isinstance(node, exp.Dot):
        _check_dot(node)
    elif isinstance(node, exp.Column):
        _check_column(node, dialect)
    elif isinstance(node, exp.Alias | exp.TableAlias):
        _check_alias(node, dialect)
    elif isinstance(node, exp.ByteString) and (dialect != "postgres" or "\\" in node.name):
        raise unsupported("an escape string with backslashes", "write the characters themselves")


def _check_alias(node: exp.Alias | exp.TableAlias, dialect: Dialect) -> None:
    """`SELECT 1 COMMIT` is two statements in T-SQL, which needs no semicolon; parsed, it is an alias."""
    alias = node.args.get("alias") if isinstance(node, exp.Alias) else node.this
    if dialect != "tsql" or not isinstance(alias, exp.Identifier) or alias.quoted:
        return
    if alias.name.upper() in _STARTS_A_STATEMENT:
        raise SqlRefused(
            f"{alias.name.upper()} starts another statement",
            code="several-statements",
            hint="write a name like this in brackets",
        )


def _in_words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)


def _check_structure(node: exp.Expr, name: str, allowed: frozenset[str], dialect: Dialect) -> None:
    extra = sorted(key for key, value in node.args.items() if value and key not in allowed)
    if extra:
        raise unsupported(f"{name.upper()} with {', '.join(key.strip('_') for key in extra)}")
    if isinstance(node, exp.Select) and not node.expressions:
        raise SqlRefused("a SELECT without columns", code="parse", hint="name columns, or *")
    if isinstance(node, exp.DataType):
        _check_type(node)
    elif isinstance(node, exp.In):
        _check_in(node, dialect)
    elif isinstance(node, exp.Table):
        _check_table(node, dialect)
    elif isinstance(node, exp.Lateral):
        _check_lateral(node, dialect)
    elif isinstance(node, exp.ForClause):
        _check_for(node)


def _check_type(node: exp.DataType) -> None:
    is_known = isinstance(node.this, exp.DType) and node.this.name not in _TYPES_REFUSED
    if not is_known or (node.args.get("kind") and node.this is not exp.DType.CHARACTER_SET):
        raise unsupported("a cast to this type")


def _check_for(node: exp.ForClause) -> None:
    """FOR JSON shapes the answer. FOR XML and FOR BROWSE are refused: they can add keys of the table below."""
    if str(node.args.get("kind")).upper() != "JSON":
        raise unsupported("FOR XML or FOR BROWSE", "use FOR JSON, or no FOR at all")


def _check_in(node: exp.In, dialect: Dialect) -> None:
    """`IN secrets` names a table in SQLite; in DuckDB the same words name a list."""
    if node.args.get("field") is not None and dialect != "duckdb":
        raise unsupported("IN without parentheses", "write IN (SELECT …)")


def _check_table(node: exp.Table, dialect: Dialect) -> None:
    source = node.this
    if isinstance(source, exp.Func):
        _check_table_function(source, dialect)
    elif not isinstance(source, exp.Identifier):
        raise unsupported("this kind of table")


def _check_lateral(node: exp.Lateral, dialect: Dialect) -> None:
    source = node.this
    if isinstance(source, exp.Func):
        _check_table_function(source, dialect)
    elif not isinstance(source, exp.Subquery):
        raise unsupported("LATERAL or APPLY over this", "write it over a subquery")


def _check_table_function(node: exp.Func, dialect: Dialect) -> None:
    if isinstance(node, exp.Anonymous):
        known = _called(node) in functions.NAMED_TABLE[dialect]
    else:
        known = type(node).__name__ in functions.TYPED_TABLE
    if not known:
        raise _unknown_function(node)


def _check_function(node: exp.Func, view: View) -> None:
    name = type(node).__name__
    if isinstance(node, exp.Anonymous):
        _check_named(node, view)
    elif name in functions.AMPLIFYING:
        _copies(node)
    elif isinstance(node, exp.Format):
        _check_format(node)
    elif isinstance(node, (exp.GenerateSeries, exp.ExplodingGenerateSeries)):
        _check_series([node.args.get("start"), node.args.get("end")])
    elif name not in functions.TYPED and name not in functions.TYPED_TABLE:
        raise _unknown_function(node)


def _called(node: exp.Anonymous) -> str:
    name = node.this
    return name.name if isinstance(name, exp.Expr) else str(name).lower()


def _check_named(node: exp.Anonymous, view: View) -> None:
    name = _called(node)
    if name in functions.AMPLIFYING_NAMES:
        _copies(node)
    elif name in functions.FORMATTING:
        _check_format(node)
    elif name in ("range", "generate_series"):
        _check_series(node.expressions[:2])
    elif not functions.is_listed(name, view.dialect):
        function = granted(node, view)
        if function is None:
            raise _unknown_function(node, view)
        check_call(node, function)


def _unknown_function(node: exp.Func, view: View | None = None) -> SqlRefused:
    name = _called(node) if isinstance(node, exp.Anonymous) else type(node).sql_name().lower()
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        name = "this"
    return SqlRefused(
        f"function {name} is not permitted here",
        code="unknown-function",
        hint=f"use the engine's own string, number, date, JSON, aggregate and window functions{_of_role(view)}"[:1_000],
    )


def _of_role(view: View | None) -> str:
    named = ", ".join(function.name for function in view.functions) if view is not None else ""
    return f", or your role's: {named}" if named else ""


def _check_dot(node: exp.Dot) -> None:
    if not isinstance(node.expression, (exp.Identifier, exp.Star)):
        raise unsupported("a qualified function name", "call functions by their bare name")


def _check_column(node: exp.Column, dialect: Dialect) -> None:
    is_sequence = dialect in ("oracle", "snowflake") and node.name.upper() in _SEQUENCE_COLUMNS
    if is_sequence or not isinstance(node.this, (exp.Identifier, exp.Star)):
        raise unsupported("this form of column")


def _literal_number(node: object) -> int | None:
    is_number = isinstance(node, exp.Literal) and not node.is_string and node.name.isdecimal()
    return int(node.name) if is_number and isinstance(node, exp.Literal) and len(node.name) < 19 else None  # noqa: PLR2004 - digits of 2^63


def _copies(node: exp.Func) -> int:
    """How many times an amplifying call may repeat its text; refused unless a small literal says so."""
    if isinstance(node, exp.Anonymous):
        arguments = node.expressions
        position = 0 if _called(node) == "space" else 1
        count = arguments[position] if len(arguments) > position else None
    else:
        count = node.args.get("times") or node.args.get("expression") or node.this
    number = _literal_number(count)
    if number is None or number > MAX_COPIES:
        raise SqlRefused(
            f"repeating or padding needs a literal length of at most {MAX_COPIES}",
            code="too-large",
            hint="write the number itself",
        )
    return max(number, 1)


def _check_copies(nodes: list[exp.Expr]) -> None:
    """Nested repeats multiply, also through subqueries: the product over the statement is what counts."""
    product = 1
    for node in nodes:
        named = isinstance(node, exp.Anonymous) and _called(node) in functions.AMPLIFYING_NAMES
        if isinstance(node, exp.Func) and (named or type(node).__name__ in functions.AMPLIFYING):
            product *= _copies(node)
    if product > MAX_COPIES * MAX_COPIES:
        raise SqlRefused("repeated padding would grow a value without bound", code="too-large")


def _check_format(node: exp.Func) -> None:
    template = node.expressions[0] if isinstance(node, exp.Anonymous) and node.expressions else node.this
    is_text = isinstance(template, exp.Literal) and template.is_string
    if not is_text or "*" in template.name or any(int(width) > MAX_WIDTH for width in _WIDTH.findall(template.name)):
        raise SqlRefused(
            f"a format must be a literal with widths of at most {MAX_WIDTH}",
            code="too-large",
            hint="write the format text itself, without *",
        )


def _check_series(bounds: list[exp.Expr | None]) -> None:
    for bound in bounds:
        number = _literal_number(bound)
        if number is not None and number > MAX_SERIES:
            raise SqlRefused(f"a series of more than {MAX_SERIES} rows", code="too-large", hint="narrow it")
