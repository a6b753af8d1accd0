"""sqlglot dialects as the guard uses them: one shared instance each, configured for regeneration.

Not here: any rule about what may run. Below: sqlglot alone.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

from sqlglot import exp
from sqlglot.dialects.dialect import Dialect as SqlglotDialect
from sqlglot.dialects.dialect import DialectType
from sqlglot.dialects.mysql import MySQL
from sqlglot.dialects.oracle import Oracle
from sqlglot.dialects.sqlite import SQLite
from sqlglot.dialects.trino import Trino
from sqlglot.tokenizer_core import Token, TokenType

from pierhead.sdk.sqlguard.view import Dialect

# Strings and quoted names are passed over.
_EXCEPT = re.compile(r"""(?P<kept>'(?:[^']|'')*'|"[^"]*")|\bEXCEPT\b""")
_DECIMAL = re.compile(r"[+-]?(?=\.?\d)(\d*)(?:\.(\d*))?")


class QuotedSQLite(SQLite):
    """SQLite reads `"email"` as the text 'email' when there is no such column; it never does so for `email`
    in backticks. Python 3.11 cannot switch the misfeature off, so we do not write double quotes.
    """

    class Tokenizer(SQLite.Tokenizer):
        IDENTIFIERS: ClassVar = ["`", '"', ("[", "]")]


class MariaDB(MySQL):
    """MySQL, written so that MariaDB reads it too: it has no REGEXP_LIKE, and it has MEDIAN.

    sqlglot's compiled writers cannot be derived from, so what they write otherwise is written here, from the
    inside out, and stands in the tree as text.
    """

    def generate(self, expression: exp.Expr, copy: bool = True, **opts: Any) -> str:  # noqa: ANN401 - sqlglot's
        tree = expression.copy() if copy else expression
        for node in reversed(list(tree.find_all(exp.RegexpLike, exp.Median))):
            parts = [super(MariaDB, self).generate(part, **opts) for part in node.iter_expressions()]
            if isinstance(node, exp.Median):
                node.replace(exp.Var(this=f"MEDIAN({parts[0]})"))
            elif not node.args.get("flag"):
                node.replace(exp.Var(this=f"(({parts[0]}) REGEXP ({parts[1]}))"))
        return super().generate(tree, copy=False, **opts)


class OracleWithMinus(Oracle):
    """Oracle, which reads EXCEPT only since 21c and MINUS always."""

    def generate(self, expression: exp.Expr, copy: bool = True, **opts: Any) -> str:  # noqa: ANN401 - sqlglot's
        text = super().generate(expression, copy=copy, **opts)
        return _EXCEPT.sub(lambda found: found[0] if found["kept"] else "MINUS", text)


class TrinoWithLiterals(Trino):
    """Trino and PrestoDB, whose `DECIMAL '0.05'` and `CHAR 'abc'` have the size of what is written.

    sqlglot reads both as a cast to the bare type, which is decimal(38, 0) and char(1): 0 and 'a'. Its compiled readers
    cannot be derived from, so the size is put in beforehand.
    """

    def tokenize(self, sql: str, dialect: DialectType = None) -> list[Token]:
        tokens: list[Token] = []
        for token, following in pairwise([*super().tokenize(sql, dialect), None]):
            if token is None:
                break
            tokens.append(token)
            if following is not None and following.token_type is TokenType.STRING:
                tokens += _sized(token, following.text)
        return tokens


def _sized(kind: Token, written: str) -> list[Token]:
    """The tokens of `(precision, scale)` or `(length)` between a type and its literal; none for other types."""
    number = _DECIMAL.fullmatch(written)
    if kind.token_type is TokenType.DECIMAL and number is not None:
        whole, part = (number[1] or "").lstrip("0"), number[2] or ""
        size = f"({max(len(whole) + len(part), 1)}, {len(part)})"
    elif kind.token_type is TokenType.CHAR and written:
        size = f"({len(written)})"
    else:
        return []
    return [
        Token(each.token_type, each.text, kind.line, kind.col, kind.start, kind.end) for each in Trino().tokenize(size)
    ]


_INSTANCES: Mapping[Dialect, SqlglotDialect] = {
    "sqlite": QuotedSQLite(),
    "postgres": SqlglotDialect.get_or_raise("postgres"),
    "duckdb": SqlglotDialect.get_or_raise("duckdb"),
    "mysql": MariaDB(),
    "trino": TrinoWithLiterals(),
    "tsql": SqlglotDialect.get_or_raise("tsql"),
    "oracle": OracleWithMinus(),
    "snowflake": SqlglotDialect.get_or_raise("snowflake"),
}


def sqlglot_dialect(dialect: Dialect) -> SqlglotDialect:
    return _INSTANCES[dialect]
